package say

import (
	"context"
	"errors"

	"conclave/ceremony"
	"conclave/hsm"
	"conclave/tui/text"
)

// A Notice tells people of something that they did not expect.
type Notice struct {
	What text.Safe // what happened
	Kept text.Safe // what is safe
	Do   text.Safe // what to do now
}

// Lines are the notice's sentences, the empty ones left out.
func (n Notice) Lines() []text.Safe {
	var lines []text.Safe
	for _, l := range []text.Safe{n.What, n.Kept, n.Do} {
		if !l.Empty() {
			lines = append(lines, l)
		}
	}
	return lines
}

// Trouble says what an error means where nothing was being signed.
func Trouble(err error) Notice {
	n := tokenTrouble(err)
	if n.What.Empty() {
		n.What = sentence(err)
	}
	if n.Do.Empty() {
		n.Do = hint(err)
	}
	return n
}

// sentence makes an error's text a sentence.
func sentence(err error) text.Safe { return sentenceOf(err.Error()) }

func sentenceOf(words string) text.Safe {
	s := text.Capital(text.Clean(words))
	if t := s.String(); t != "" && t[len(t)-1] != '.' {
		return text.F("%s.", s)
	}
	return s
}

func hint(err error) text.Safe {
	var h interface{ Hint() string }
	if errors.As(err, &h) && h.Hint() != "" {
		return sentenceOf(h.Hint())
	}
	return text.Safe{}
}

func tokenTrouble(err error) Notice {
	for _, t := range []struct {
		is       error
		what, do string
	}{
		{hsm.ErrRemoved, "The token was taken out.", "Put it back in."},
		{hsm.ErrBusy, "Another program holds the token.", "End that program (gpg-agent, a YubiKey tool), take the token out and put it back in."},
		{hsm.ErrNoService, "The smart card service does not answer.", "Start it with: systemctl start pcscd"},
		{hsm.ErrNotPIV, "This token has no PIV application.", "Take it out; a YubiKey 4 or 5 is needed."},
		{hsm.ErrNotGenuine, "The token cannot prove what it is.", "Take it out and keep it apart; use another token."},
		{hsm.ErrNoKey, "The token has no key in slot 9c.", "Take it out. Is it the right token?"},
		{hsm.ErrOccupied, "The token already holds a key in slot 9c.", "Use another token, or type its serial to lose that key."},
		{hsm.ErrBlocked, "The PIN of this token is blocked.", "It needs its PUK, outside of this ceremony. Others can go on."},
		{hsm.ErrTouchTimeout, "The token was not touched in time.", "Try again and touch it when it blinks."},
		{context.Canceled, "You stopped waiting.", "The token may blink until it gives up by itself."},
	} {
		if errors.Is(err, t.is) {
			return Notice{What: text.Clean(t.what), Do: text.Clean(t.do)}
		}
	}
	var pin *hsm.PINError
	if errors.As(err, &pin) {
		return Notice{
			What: text.F("The token refused the PIN. %s.", Tries(pin.Retries)),
			Do:   text.Clean("Is it the right token? The serial is printed on its back."),
		}
	}
	return Notice{}
}

// SignTrouble says why a token did not sign act; done are the acts that it
// did sign in this visit.
func SignTrouble(err error, v ceremony.Visitor, act ceremony.Act, done []ceremony.Act) Notice {
	n := Trouble(err)
	var pin *hsm.PINError
	switch {
	case errors.As(err, &pin):
		n.Do = text.F("Is this really %s's token %d? The serial is printed on its back.", v.Holder, v.Info.Serial)
	case errors.Is(err, hsm.ErrRemoved):
		n.What = text.F("The token was pulled out while it signed %s.", Act(act))
		n.Do = text.F("Put %d back in to go on, or another token to let %s sign later.", v.Info.Serial, v.Holder)
	case errors.Is(err, hsm.ErrTouchTimeout):
		n.Do = text.Clean("Type the PIN again to go on, and touch the token when it blinks.")
	case errors.Is(err, context.Canceled):
		n.Do = text.Clean("The token may blink until it gives up. A touch until then still signs, and counts.")
	}
	n.Kept = kept(v, act, done)
	return n
}

func kept(v ceremony.Visitor, act ceremony.Act, done []ceremony.Act) text.Safe {
	if len(done) == 0 {
		return text.Clean("Nothing was signed.")
	}
	is := "is"
	if len(done) > 1 {
		is = "are"
	}
	return text.F("%s by %s %s safe on the record. %s by %s is not signed.", Acts(done), v.Holder, is, Act(act), v.Holder)
}

// ExportTrouble says why the bundle is not on the medium.
func ExportTrouble(err error) Notice {
	n := Trouble(err)
	n.Kept = text.Clean("Every signature is safe on the record of this machine.")
	if n.Do.Empty() {
		n.Do = text.Clean("Put the stick in again, or another one, and try again.")
	}
	return n
}

// WordTrouble says that a typed word is not the digest's.
func WordTrouble(err error) Notice {
	n := Trouble(err)
	n.Kept = text.Clean("No PIN was asked for and nothing was signed.")
	n.Do = text.Clean("Ask the conductor to read the word again. If it still differs, stop: the documents differ.")
	return n
}

// EnrolTrouble says why a token has no new key.
func EnrolTrouble(err error, holder string) Notice {
	n := Trouble(err)
	n.Kept = text.F("%s has no key yet; everybody who is enrolled stays enrolled.", holder)
	return n
}
