package say

import (
	"context"
	"errors"
	"strings"

	"conclave/ceremony"
	"conclave/hsm"
	"conclave/transfer"
	"conclave/tui/text"
)

// A Notice tells people of something that they did not expect.
type Notice struct {
	What text.Safe // what happened
	Kept text.Safe // what is safe
	Do   text.Safe // what to do now
}

// Lines are the notice's sentences, the empty ones left out. What was said
// once is not said again: an error and what it wraps may both know what is safe.
func (n Notice) Lines() []text.Safe {
	var lines []text.Safe
	said := map[string]bool{}
	for _, l := range []text.Safe{n.What, n.Kept, n.Do} {
		var fresh []string
		for _, s := range sentences(l.String()) {
			if !said[s] {
				said[s] = true
				fresh = append(fresh, s)
			}
		}
		if len(fresh) > 0 {
			lines = append(lines, text.Clean(strings.Join(fresh, " ")))
		}
	}
	return lines
}

// sentences splits text after each full stop or question mark that a space and a capital follow.
func sentences(s string) []string {
	var list []string
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		end := len(s)
		for i := 0; i+2 < len(s); i++ {
			if (s[i] == '.' || s[i] == '?') && s[i+1] == ' ' && s[i+2] >= 'A' && s[i+2] <= 'Z' {
				end = i + 1
				break
			}
		}
		list, s = append(list, s[:end]), s[end:]
	}
	return list
}

// Trouble says what an error means: what happened is the reason, what is safe
// is what the session says, and what to do is the reason's own hint.
func Trouble(err error) Notice {
	var act *ceremony.ActError
	if !errors.As(err, &act) {
		return Notice{What: reason(err), Do: hint(err)}
	}
	return Notice{
		What: reason(act.Err),
		Kept: text.Clean(act.Safe),
		Do:   text.Clean(strings.TrimSpace(strings.TrimPrefix(act.Hint(), act.Safe))),
	}
}

// reason is what went wrong in one sentence. What tokens do is said without
// the names of the calls that it came through.
func reason(err error) text.Safe {
	var pin *hsm.PINError
	if errors.As(err, &pin) {
		return text.F("The token refused the PIN. %s.", Tries(pin.Retries))
	}
	if rule := (*ceremony.RuleError)(nil); errors.As(err, &rule) {
		return sentence(err.Error()) // the rule says more than what it came from
	}
	for _, known := range []error{
		hsm.ErrRemoved, hsm.ErrBusy, hsm.ErrNoService, hsm.ErrNotPIV, hsm.ErrNotGenuine, hsm.ErrNoKey,
		hsm.ErrOccupied, hsm.ErrBlocked, hsm.ErrTouchTimeout, hsm.ErrGarbled,
	} {
		if errors.Is(err, known) {
			return sentence(known.Error())
		}
	}
	if errors.Is(err, context.Canceled) {
		return text.Clean("It was stopped.")
	}
	return sentence(err.Error())
}

// sentence gives words a capital and a full stop.
func sentence(words string) text.Safe {
	s := text.Capital(text.Clean(words))
	if t := s.String(); t != "" && !strings.HasSuffix(t, ".") && !strings.HasSuffix(t, "?") {
		return text.F("%s.", s)
	}
	return s
}

// hint is what to do about an error.
func hint(err error) text.Safe { return sentence(transfer.Hint(err)) }

// SignTrouble says why a token did not sign act.
func SignTrouble(err error, act ceremony.Act) Notice {
	n := Trouble(err)
	if errors.Is(err, hsm.ErrRemoved) {
		n.What = text.F("The token was pulled out while it signed %s.", Act(act))
	}
	return n
}

// Stopped says what it means that nobody waits for act any more.
func Stopped(v ceremony.Visitor, act ceremony.Act) Notice {
	return Notice{
		What: text.F("You stopped waiting. %s by %s is not signed so far.", Act(act), v.Holder),
		Kept: text.Clean("What was signed before is safe on the record."),
		Do:   text.Clean("The token may blink until it gives up by itself. A touch until then still signs, and counts."),
	}
}

// WordTrouble says that a typed word is not the digest's.
func WordTrouble(err error) Notice {
	n := Trouble(err)
	n.Kept = text.Clean("No PIN was asked for and nothing was signed.")
	return n
}
