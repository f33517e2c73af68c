package tuf

import (
	"fmt"
	"strings"
	"time"
)

// numerals are the numbers that a sentence spells out.
var numerals = [...]string{"none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"}

// numeral spells small numbers.
func numeral(n int) string {
	if n >= 0 && n < len(numerals) {
		return numerals[n]
	}
	return fmt.Sprint(n)
}

// join makes a list for a sentence: "Alice, Bob and Dana".
func join(names []string, and string) string {
	switch len(names) {
	case 0:
		return "nobody"
	case 1:
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " " + and + " " + names[len(names)-1]
}

// moreOf says how many of some names are still needed.
func moreOf(n int, names []string) string {
	switch {
	case n >= len(names):
		return join(names, "and")
	case n == 1:
		return "one of " + join(names, "or")
	}
	return numeral(n) + " of " + join(names, "and")
}

// plural counts things: "1 day", "3 days".
func plural(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// date writes a day the way that cannot be misread.
func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// relative says how far a time is from now: "in 365 days", "3 days ago". It
// counts in calendar days, as people do, and in hours when it is a matter of them.
func relative(t, now time.Time) string {
	const day = 24 * time.Hour
	away := t.Sub(now)
	text := ""
	switch abs := away.Abs(); {
	case abs < time.Hour:
		text = plural(int64(abs/time.Minute), "minute")
	case abs < 2*day:
		text = plural(int64(abs/time.Hour), "hour")
	default:
		days := t.UTC().Truncate(day).Sub(now.UTC().Truncate(day)).Abs() / day
		text = plural(int64(days), "day")
	}
	if away < 0 {
		return text + " ago"
	}
	return "in " + text
}

// expiry says when something expires.
func expiry(t, now time.Time) string {
	if t.After(now) {
		return "expires " + date(t) + ", " + relative(t, now)
	}
	return "expired " + date(t) + ", " + relative(t, now)
}
