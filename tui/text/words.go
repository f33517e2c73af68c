package text

import (
	"fmt"
	"strings"
	"time"
)

// List joins names as a sentence does: "Alice, Bob and Dana". Nobody is "nobody".
func List(names ...string) Safe { return join("nobody", " and ", names) }

// Either joins alternatives: "Dana, Erin or Frank".
func Either(names ...string) Safe { return join("nobody", " or ", names) }

func join(none, last string, names []string) Safe {
	clean := make([]string, len(names))
	for i, n := range names {
		clean[i] = Clean(n).s
	}
	switch n := len(clean); n {
	case 0:
		return Safe{none}
	case 1:
		return Safe{clean[0]}
	default:
		return Clean(strings.Join(clean[:n-1], ", ") + last + clean[n-1])
	}
}

// Count says how many: "1 signature", "3 signatures". Words that do not just
// take an s are given in both forms: "key|keys" is not needed, "entry|entries" is.
func Count(n int, what string) Safe {
	one, many, ok := strings.Cut(what, "|")
	if !ok {
		many = one + "s"
	}
	if n == 1 {
		return F("1 %s", one)
	}
	return F("%d %s", n, many)
}

var small = [...]string{
	"no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
}

// Number spells a small number: "two".
func Number(n int) Safe {
	if n >= 0 && n < len(small) {
		return Safe{small[n]}
	}
	return F("%d", n)
}

// Capital makes the first letter a capital one.
func Capital(t Safe) Safe {
	for i, r := range t.s {
		return Clean(strings.ToUpper(string(r)) + t.s[i+len(string(r)):])
	}
	return t
}

// Groups writes hex digits in groups of four: "3f9a 11c2". Other text stays as it is.
func Groups(hex string) Safe {
	hex = strings.Join(strings.Fields(hex), "")
	var b strings.Builder
	for i := range len(hex) {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteByte(hex[i])
	}
	return Clean(b.String())
}

// Bytes says how much: "512 bytes", "14.2 GB".
func Bytes(n int64) Safe {
	if n < 1000 {
		return Count(int(n), "byte")
	}
	v, unit := float64(n), ""
	for _, unit = range []string{"kB", "MB", "GB", "TB", "PB", "EB"} {
		if v /= 1000; v < 999.95 {
			break
		}
	}
	return F("%.1f %s", v, unit)
}

// Date says a day absolutely and from now: "2027-11-22, in 365 days".
func Date(t, now time.Time) Safe {
	if t.IsZero() {
		return Safe{"no date"}
	}
	return F("%s, %s", t.UTC().Format(time.DateOnly), Relative(t, now))
}

// Clock says a moment to the minute: "14:31 UTC".
func Clock(t time.Time) Safe { return F("%s UTC", t.UTC().Format("15:04")) }

// Moment says a moment to the second: "2026-11-22 14:02:31 UTC".
func Moment(t time.Time) Safe { return F("%s UTC", t.UTC().Format(time.DateTime)) }

// Relative says how far t is from now in the largest unit that says it
// fairly: "in 365 days", "2 hours ago", "now".
func Relative(t, now time.Time) Safe {
	d := t.Sub(now)
	format := "in %s"
	if d < 0 {
		d, format = -d, "%s ago"
	}
	if d < time.Minute {
		return Safe{"now"}
	}
	return F(format, Span(d))
}

// Span says how long: "12 minutes", "3 hours", "28 days". Days are counted to the nearest: what
// was planned for 365 days a moment ago is still in 365 days.
func Span(d time.Duration) Safe {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return Count(int(d/time.Second), "second")
	case d < 2*time.Hour:
		return Count(int(d/time.Minute), "minute")
	case d < 2*day:
		return Count(int(d/time.Hour), "hour")
	}
	return Count(int((d+day/2)/day), "day")
}

// Ordinal is a position in a row: "1st", "22nd".
func Ordinal(n int) Safe {
	end := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			end = "st"
		case 2:
			end = "nd"
		case 3:
			end = "rd"
		}
	}
	return Safe{fmt.Sprint(n) + end}
}
