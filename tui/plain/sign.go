package plain

import (
	"errors"
	"strings"
	"time"

	"conclave/ceremony"
	"conclave/hsm"
	"conclave/tui/room"
	"conclave/tui/say"
	"conclave/tui/text"
)

// sign takes one token, or goes on to confirm.
func (d *dialogue) sign(st room.State) error {
	for _, s := range st.Still() {
		d.say("%s", s)
	}
	if open := st.Open(); len(open) > 0 {
		d.print(say.WantDecision(open))
	}
	a, err := d.await([]string{"done", "words", "exception", "change"}, "%s", signPrompt(st))
	switch {
	case err != nil:
		return err
	case a.reply.word == "":
		return d.visit(a.token)
	case a.reply.word == "exception":
		return d.incident(st, a.reply.rest)
	case a.reply.word == "change":
		return d.change(st)
	case a.reply.word == "words":
		for _, p := range st.Payloads() {
			d.digest(p)
		}
		return nil
	}
	return d.closeSigning(st)
}

func signPrompt(st room.State) text.Safe {
	if st.Complete() {
		return text.Clean("Everything is signed. Type done to go on")
	}
	return text.Clean("Put in the next token, or type words to hear every digest, or done")
}

func (d *dialogue) closeSigning(st room.State) error {
	if !st.Complete() {
		d.print(say.Partial()...)
		r, err := d.word([]string{"partial", "no", ""}, "Type partial to go on without them, or no")
		if err != nil || r.word != "partial" {
			return err
		}
	}
	if err := d.s.CloseSigning(); err != nil {
		d.trouble(say.Trouble(err))
	}
	return nil
}

// visit lets the holder of a token review, type the words, and sign.
func (d *dialogue) visit(v ceremony.Visitor) error {
	if v.Info.Retries == 0 {
		return d.blocked(v)
	}
	if v.Holder == "" || len(v.Acts) == 0 {
		d.trouble(say.Useless(v))
		return d.lateReview(v)
	}
	d.print(say.Visitor(v), say.Visit(v))
	if ok, err := d.words(v); err != nil || !ok {
		return err
	}
	return d.acts(v)
}

// lateReview lets somebody who came after the review read now, and looks at the token again.
func (d *dialogue) lateReview(v ceremony.Visitor) error {
	st := d.s.State()
	if v.Holder == "" || !say.MustReview(st, v.Holder) {
		return nil
	}
	d.papers(st)
	typed, err := d.free("%s, type your name if you have read and understood all of it, or no", v.Holder)
	if err != nil {
		return err
	}
	if !say.SameName(v.Holder, typed) {
		d.say("Not reviewed. Nothing was signed. Take the token out.")
		return nil
	}
	if err := d.s.Review(v.Holder); err != nil {
		d.trouble(say.Trouble(err))
		return nil
	}
	d.say("%s has reviewed.", v.Holder)
	delete(d.handled, v.Reader)
	return nil
}

// words asks for the words of the digests, by heart of the conductor, until they match.
func (d *dialogue) words(v ceremony.Visitor) (bool, error) {
	asked, err := d.s.Challenges(v)
	if err != nil {
		d.trouble(say.Trouble(err))
		return false, nil
	}
	if len(asked) == 0 {
		// Approved on an earlier visit, and on the record. The question also takes the
		// line that is being read since the wait for a token: a PIN must not arrive there.
		return d.yes("%s has typed the words of it before. Sign now?", v.Holder)
	}
	for {
		typed, err := d.free("Hear from the conductor and type in one line, or no: %s", say.Asked(asked, v.Acts))
		if err != nil {
			return false, err
		}
		words := strings.Fields(typed)
		if len(words) == 0 || strings.EqualFold(typed, "no") {
			d.say("Nothing was signed. Take the token out.")
			return false, nil
		}
		if d.o.Tray != nil && strings.EqualFold(typed, "words") {
			words = d.practiceWords(asked, v.Acts)
		}
		if len(words) != len(asked) {
			d.say("%s %s, not %d. Nothing was asked of the token.", say.Stop, text.Count(len(asked), "word"), len(words))
			continue
		}
		if err := d.s.Approve(v, asked, words); err != nil {
			d.trouble(say.WordTrouble(err))
			continue
		}
		d.say("%s Match.", say.OK)
		return true, nil
	}
}

// practiceWords plays the conductor in a rehearsal by script.
func (d *dialogue) practiceWords(asked []ceremony.Challenge, acts []ceremony.Act) []string {
	words := say.Answers(asked, acts)
	d.say("PRACTICE, the conductor reads: %s", strings.Join(words, " "))
	return words
}

// acts asks for the PIN once and has the token make every signature of this visit.
func (d *dialogue) acts(v ceremony.Visitor) error {
	left := v.Acts
	for {
		serial, ok, err := d.lastTry(v)
		if err != nil || !ok {
			return err
		}
		pin, err := d.pin("PIN of %d, %s", v.Info.Serial, say.Tries(v.Info.Retries))
		if err != nil {
			return err
		}
		made, err := d.signAll(v, left, pin, serial)
		pin.Wipe()
		left = left[made:]
		if err == nil {
			d.say("That is all of %s. Take the token out.", v.Holder)
			return nil
		}
		d.trouble(say.SignTrouble(err, left[0]))
		if errors.Is(err, hsm.ErrBlocked) {
			v.Info.Retries = 0
			return d.offerUnblock(v)
		}
		var again bool
		if v, again, err = d.tryAgain(v, err); err != nil || !again {
			return err
		}
	}
}

func (d *dialogue) signAll(v ceremony.Visitor, acts []ceremony.Act, pin *hsm.PIN, serial uint32) (made int, err error) {
	for _, a := range acts {
		d.say("%s Touch the token now to sign %s.", say.Touch, say.Act(a))
		if err := d.atToken(func() error { return d.s.Sign(d.ctx, v, a, pin, serial) }); err != nil {
			return made, err
		}
		made++
		st := d.s.State()
		d.say("%s %s", say.OK, say.Signed(v.Holder, a))
		for _, t := range say.Tallies(st.Tallies()) {
			d.say("%s.", t)
		}
	}
	return made, nil
}

// tryAgain asks whether to go on after a refusal, and looks at the tries left.
func (d *dialogue) tryAgain(v ceremony.Visitor, why error) (ceremony.Visitor, bool, error) {
	if d.ctx.Err() != nil {
		return v, false, d.ctx.Err()
	}
	var pin *hsm.PINError
	switch {
	case errors.As(why, &pin):
		v.Info.Retries = pin.Retries
	case !errors.Is(why, hsm.ErrTouchTimeout):
		delete(d.handled, v.Reader) // whatever it was, the token is looked at anew
		return v, false, nil
	}
	again, err := d.yes("Try again with token %d?", v.Info.Serial)
	return v, again, err
}

// lastTry has the serial typed before the last try of a PIN.
func (d *dialogue) lastTry(v ceremony.Visitor) (uint32, bool, error) {
	if v.Info.Retries != 1 {
		return 0, true, nil
	}
	typed, err := d.free("One try is left; a wrong PIN blocks the token. Type the serial on its back to use it, or no")
	if err != nil {
		return 0, false, err
	}
	if !say.IsSerial(typed, v.Info.Serial) {
		d.say("Nothing was signed. Take the token out.")
		return 0, false, nil
	}
	return v.Info.Serial, true, nil
}

// atToken runs work, which may wait for a touch, and moves practice tokens meanwhile.
func (d *dialogue) atToken(work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	if d.o.Tray == nil {
		return <-done
	}
	tick := time.NewTicker(d.o.Poll/10 + time.Millisecond)
	defer tick.Stop()
	for {
		var lines <-chan answer
		if d.waiting() && !d.o.AutoTouch {
			lines = d.in.wait()
		}
		select {
		case err := <-done:
			return err
		case a := <-lines:
			d.in.got()
			d.touchLine(a)
		case <-tick.C:
			if d.o.AutoTouch && d.waiting() {
				d.o.Tray.Touch()
			}
		}
	}
}

// waiting reports whether a practice token waits for a touch.
func (d *dialogue) waiting() bool {
	for _, t := range d.o.Tray.Tokens() {
		if t.WaitingForTouch {
			return true
		}
	}
	return false
}

// touchLine does what was typed while a practice token waits. The end of the
// input yanks it, so that the act ends now.
func (d *dialogue) touchLine(a answer) {
	if a.err != nil {
		d.o.Tray.Yank()
		return
	}
	r := parse(a.line)
	switch r.word {
	case "touch":
		d.o.Tray.Touch()
	case "yank":
		d.o.Tray.Yank()
	default:
		d.say("The token waits. Type touch or yank.")
	}
}

// incident puts on record what happened against the rules, or a decision on what is open.
func (d *dialogue) incident(st room.State, what string) error {
	if open := st.Open(); len(open) > 0 {
		return d.except(what, open)
	}
	var err error
	if what == "" {
		if what, err = d.free("What happened"); err != nil {
			return err
		}
	}
	return d.record(what)
}
