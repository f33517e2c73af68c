// Package plain holds the ceremony line by line: for screen readers, for
// terminals that can do nothing, and for scripts.
//
// Its promise: every prompt is one line, every decision is a typed word, an
// empty answer is No, nothing moves the cursor or depends on colour, and the
// end of the input loses nothing: the ceremony can be resumed.
//
// # The dialogue
//
// A prompt is a line that ends in a colon; the answer is the next line of the
// input. The words help, state and quit are understood at every prompt but the
// ones for free text, names and PINs; so is "queue NAME", once everything is frozen: somebody
// who came too late joins with the next draft. With a tray of practice tokens so are
// "insert NAME", "remove NAME", "touch" and "yank". A script's lines are read
// only when they are asked for, so the order below is all that a script needs.
//
//	preflight   [again | exception [NAME] → reason → names]…  names of who read the clock
//	roll call   tokens, here NAME, away NAME; then: done
//	enrolment   per key: a token → yes → current PIN → new PIN → new PIN again
//	            (→ present PUK, where the token does not say that it has the factory's)
//	            → new PUK → new PUK again; serial → … where the slot holds a key; yes → PIN where an
//	            enrolment that was cut off left it; or skip, holder NAME, drop NAME → reason → names
//	freeze      freeze
//	review      each holder's name; then: sign
//	sign        per token: the asked-for words in one line, or yes where its holder has typed
//	            them before → PIN (→ touch, of a practice token);
//	            with one try left the serial before the PIN; after a refusal: yes to try again;
//	            a token whose PIN is blocked, here and at the steps before: yes (→ serial, at
//	            the last try) → PUK → new PIN → new PIN again, or no;
//	            then: done, and partial while signatures are missing; or words,
//	            or exception [WHAT → ]reason → names,
//	            or change → joins → goes → brings a new token → a second one → root's threshold →
//	            targets' threshold → the repository's folder → yes → reason → names
//	confirm     confirm, or back; where it is refused and people may decide: exception → reason → names; confirm
//	export      png DIR…; export, or back
//	close       png DIR…; seal → a statement or -; or export
//
// Names in one answer are separated by commas. While a token is waited for,
// Readers is polled without limit; a script's line that is none of the step's
// words is kept until the token has come and then answers the next prompt.
// In a rehearsal "words" in place of the asked-for words types them, so that a
// script can be written before the digest exists; a PIN is then a line like any other.
package plain

import (
	"context"
	"io"
	"os"
	"time"

	"conclave/ceremony"
	"conclave/hsm"
	"conclave/tui/room"
	"conclave/tui/say"
	"conclave/tui/text"
)

// ErrInterrupted says that the input ended or somebody left. Nothing is lost.
var ErrInterrupted = room.ErrInterrupted

// Options say whose ceremony is held, and on which lines.
type Options struct {
	// Session is the ceremony. The caller closes it.
	Session *ceremony.Session
	// Tray holds the practice tokens of a rehearsal, nil in earnest.
	Tray room.Tray
	// AutoTouch touches a practice token whenever it waits for it.
	AutoTouch bool
	In        io.Reader // os.Stdin if nil
	Out       io.Writer // os.Stdout if nil
	// ReadPIN reads one PIN without echo; prompt has been printed already. An
	// error that is io.EOF is the end of the input; any other is shown, and the PIN asked for
	// again. Where ReadPIN is nil a PIN is read as a line of In: for scripts only.
	ReadPIN func(prompt string) (*hsm.PIN, error)
	// Poll is how often readers are looked at while a token is waited for; 300 ms if zero.
	Poll time.Duration
}

// Run holds the ceremony until it is closed. It returns ErrInterrupted at the
// end of the input, ctx's error when ctx ends, and an error of Out.
func Run(ctx context.Context, o Options) error {
	return run(ctx, o, room.Live(o.Session))
}

func run(ctx context.Context, o Options, s room.Session) error {
	if o.In == nil {
		o.In = os.Stdin
	}
	if o.Out == nil {
		o.Out = os.Stdout
	}
	if o.Poll == 0 {
		o.Poll = 300 * time.Millisecond
	}
	d := &dialogue{ctx: ctx, o: o, s: s, in: newInput(o.In)}
	return d.run()
}

// A dialogue is one ceremony on lines. Nothing in it is shared with other goroutines.
type dialogue struct {
	ctx     context.Context
	o       Options
	s       room.Session
	in      *input
	out     error           // the first error of Out
	handled map[string]bool // readers whose token has been dealt with
	blind   string          // why tokens could not be seen, when last said
	skipped []string        // holders whom enrolment comes back to last
}

func (d *dialogue) run() error {
	defer d.in.wipe()
	d.opening()
	var last ceremony.Step
	for {
		st := d.s.State()
		if st.Step() != last {
			last, d.handled = st.Step(), nil
			d.heading(st)
		}
		if last == ceremony.StepDone {
			d.done(st)
			return d.out
		}
		if err := d.step(st); err != nil {
			return d.left(err)
		}
		if d.out != nil {
			return d.out
		}
	}
}

// step does one piece of the step that the ceremony is at. What comes next is the session's to say.
func (d *dialogue) step(st room.State) error {
	switch st.Step() {
	case ceremony.StepPreflight:
		return d.preflight()
	case ceremony.StepRollCall:
		return d.rollCall(st)
	case ceremony.StepEnrolment:
		return d.enrolment(st)
	case ceremony.StepFreeze:
		return d.freeze(st)
	case ceremony.StepReview:
		return d.review(st)
	case ceremony.StepSign:
		return d.sign(st)
	case ceremony.StepConfirm:
		return d.confirm(st)
	case ceremony.StepExport:
		return d.export(st)
	}
	return d.close()
}

func (d *dialogue) opening() {
	st := d.s.State()
	if st.Practice() {
		d.say("PRACTICE. Nothing here is real.")
		if d.o.Tray != nil {
			d.say("The PIN of every practice token: %s.", d.o.Tray.PIN())
		}
	}
	d.say("Conclave. Ceremony: %s.", st.Title())
	if p := st.Purpose(); p != "" {
		d.say("Purpose: %s", p)
	}
	d.print(say.Queued(st.Queued())...)
}

func (d *dialogue) heading(st room.State) {
	steps := st.Steps()
	for i, s := range steps {
		if s == st.Step() {
			d.say("")
			d.say("Step %d of %d: %s.", i+1, len(steps), string(s))
			d.alarm(st)
		}
	}
}

// alarm says since when a compromise is being answered, where one is.
func (d *dialogue) alarm(st room.State) {
	if since := say.Declared(st.Declared(), d.s.Now()); !since.Empty() {
		d.print(since)
	}
}

// left says goodbye where somebody left in the middle.
func (d *dialogue) left(err error) error {
	d.say("Stopped. Nothing is lost: everything so far is on the record, and the ceremony can be resumed.")
	return err
}

func (d *dialogue) done(st room.State) {
	d.say("The ceremony is closed and the record is sealed.")
	for _, e := range st.Exports() {
		d.say("On the medium: %s, SHA-256 %s.", e.Path, text.Groups(e.SHA256))
	}
	d.alarm(st)
	d.print(say.Days(st, d.s.Now())...)
	d.print(say.Queued(st.Queued())...)
	for _, e := range st.Exceptions() {
		d.say("Exception: %s, %s.", e.What, say.Exception(e))
	}
	d.print(say.Head(st.Head())...)
}
