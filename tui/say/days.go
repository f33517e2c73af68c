package say

import (
	"cmp"
	"fmt"
	"time"

	"conclave/ceremony/calendar"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/tui/text"
)

// dayNames say what a day of the timeline is, for lists in which its date stands before it.
var dayNames = map[string]string{
	calendar.Opens:   "%s %d may be signed from here on",
	calendar.Last:    "last comfortable day for the ceremony of %s %d",
	calendar.Expires: "%s %d expires",
	calendar.Renew:   "sign a new stand-by %s %d",
	calendar.Lapses:  "stand-by %s %d expires",
}

// Day says what a day of the timeline is: "targets 18 expires".
func Day(e calendar.Entry) text.Safe {
	format, ok := dayNames[e.Kind]
	if !ok {
		return text.Clean(e.Text)
	}
	version := e.Version
	if e.Kind == calendar.Opens || e.Kind == calendar.Last {
		version++ // it is the next version that is signed
	}
	return text.Clean(fmt.Sprintf(format, e.Role, version))
}

// Days says when clients break if nobody does anything after this ceremony, and when the next ones are due. A
// bundle that is not complete changes nothing, and says nothing. Where targets are not part of
// it, nobody here knows when clients break.
func Days(st interface {
	Bundle() *transfer.Bundle
	Complete() bool
}, now time.Time,
) []text.Safe {
	b := st.Bundle()
	if b == nil || !st.Complete() {
		return nil
	}
	live := map[string]*tuf.Document{}
	for _, role := range []string{tuf.Root, tuf.Targets} {
		doc := cmp.Or(b.Document(role), b.Base.Document(role))
		if doc != nil {
			live[role] = doc
		}
	}
	days, err := calendar.New(live, calendar.Settings{Now: now})
	if err != nil {
		return nil
	}
	sentences := days.Sentences()
	if live[tuf.Root] == nil || live[tuf.Targets] == nil {
		sentences = sentences[1:]
	}
	var out []text.Safe
	for _, s := range sentences {
		out = append(out, text.Clean(s))
	}
	return out
}
