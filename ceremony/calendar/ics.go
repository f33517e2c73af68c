package calendar

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"conclave/ceremony/tuf"
)

// maxLine is the most octets of a line before its end (RFC 5545, 3.1).
const maxLine = 75

// titles are the subjects of events.
var titles = map[string]string{
	Opens:   "signing window of %s opens",
	Last:    "last comfortable day to sign %s",
	Expires: "%s expires",
	Renew:   "sign a new stand-by %s",
	Lapses:  "stand-by %s expires",
}

// WriteICS writes the timeline as an iCalendar file (RFC 5545), for the
// calendars of the keyholders: one event each, in UTC, with a reminder a week
// before the last comfortable day and the expiry. Days of online roles are
// left out: nobody can do anything about them at a ceremony.
func (c *Calendar) WriteICS(w io.Writer) error {
	b := &icsWriter{}
	b.line("BEGIN", "VCALENDAR")
	b.line("VERSION", "2.0")
	b.line("PRODID", "-//Conclave//Ceremony calendar//EN")
	b.line("CALSCALE", "GREGORIAN")
	for _, e := range c.Entries {
		if e.Role != tuf.Snapshot && e.Role != tuf.Timestamp {
			c.event(b, e)
		}
	}
	b.line("END", "VCALENDAR")
	if _, err := io.WriteString(w, b.text.String()); err != nil {
		return fmt.Errorf("write calendar: %w", err)
	}
	return nil
}

func (c *Calendar) event(b *icsWriter, e Entry) {
	version := e.Version
	if e.Kind == Opens || e.Kind == Last {
		version++ // it is the next version that is signed
	}
	title := fmt.Sprintf(titles[e.Kind], name(e.Role, version))
	if c.Repository != "" {
		title = c.Repository + ": " + title
	}
	b.line("BEGIN", "VEVENT")
	b.line("UID", c.uid(e))
	b.line("DTSTAMP", stamp(c.Now))
	b.line("DTSTART", stamp(e.When))
	b.prose("SUMMARY", title)
	b.prose("DESCRIPTION", e.Text+"\n"+c.breakSentence())
	b.line("TRANSP", "TRANSPARENT")
	if e.Kind != Opens {
		b.line("BEGIN", "VALARM")
		b.line("ACTION", "DISPLAY")
		b.line("TRIGGER", "-P7D")
		b.prose("DESCRIPTION", title)
		b.line("END", "VALARM")
	}
	b.line("END", "VEVENT")
}

// uid names an event for good: the same day of the same version of the same
// repository has the same one in every file.
func (c *Calendar) uid(e Entry) string {
	sum := tuf.DigestOf([]byte(strings.Join([]string{c.Repository, e.Role, fmt.Sprint(e.Version), e.Kind}, "\x00")))
	return sum.Hex()[:32] + "@conclave"
}

func stamp(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

// An icsWriter writes content lines.
type icsWriter struct{ text strings.Builder }

// line writes one content line, folded at 75 octets between characters.
func (w *icsWriter) line(name, value string) {
	rest := name + ":" + value
	for limit := maxLine; len(rest) > limit; limit = maxLine - 1 {
		cut := limit
		for cut > 0 && !utf8.RuneStart(rest[cut]) {
			cut--
		}
		w.text.WriteString(rest[:cut] + "\r\n ")
		rest = rest[cut:]
	}
	w.text.WriteString(rest + "\r\n")
}

// prose writes a line whose value is TEXT (RFC 5545, 3.3.11).
func (w *icsWriter) prose(name, value string) { w.line(name, escape(value)) }

// escape makes text safe in a value: no control character but an escaped
// newline, so that a role's name cannot begin a line of its own.
func escape(s string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "?") {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\\' || r == ';' || r == ',':
			b.WriteRune('\\')
			b.WriteRune(r)
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029':
			b.WriteByte('?')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
