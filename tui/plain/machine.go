package plain

import (
	"strings"

	"conclave/ceremony"
	"conclave/ceremony/preflight"
	"conclave/tui/room"
	"conclave/tui/say"
	"conclave/tui/text"
)

// preflight looks at the machine and asks until nothing is open, then for the clock.
func (d *dialogue) preflight() error {
	checks, err := d.s.Preflight(d.ctx)
	if err != nil {
		d.trouble(say.Trouble(err))
		_, err := d.word([]string{"again"}, "Nothing is decided. Type again to look at the machine again")
		return err
	}
	d.checks(checks)
	for {
		open := d.s.State().Open()
		if len(open) == 0 {
			return d.readClock()
		}
		r, err := d.word([]string{"again", "exception"},
			"%s Type again, or exception NAME", say.WantDecision(open))
		if err != nil || r.word == "again" {
			return err
		}
		if err := d.except(r.rest, open); err != nil {
			return err
		}
	}
}

func (d *dialogue) checks(checks []preflight.Check) {
	for _, c := range checks {
		d.say("%s %s: %s", say.Mark(c.Status), c.Name, c.Text)
		for _, l := range c.Detail {
			d.say("%s", l)
		}
		if c.Fix != "" {
			d.say("To mend it: %s", c.Fix)
		}
	}
}

func (d *dialogue) except(what string, open []string) error {
	if what == "" && len(open) == 1 {
		what = open[0]
	}
	name := ""
	for _, o := range open {
		if strings.EqualFold(o, what) {
			name = o
		}
	}
	if name == "" {
		d.say("Which one? Type exception and one of %s.", text.Either(open...))
		return nil
	}
	return d.record(name)
}

// record asks why and by whom, and puts an exception on record.
func (d *dialogue) record(what string) error {
	if d.s.State().Deciders(what) == 0 {
		d.trouble(say.Notice{What: say.Deciding(0, false)})
		return nil
	}
	why, by, err := d.decision(what, text.Clean(what))
	if err != nil {
		return err
	}
	if err := d.s.Except(what, why, by); err != nil {
		d.trouble(say.Trouble(err))
		return nil
	}
	d.say("On record: %s, %s.", what, say.Exception(ceremony.Excepted{Reason: why, By: by}))
	return nil
}

// readClock asks who read the clock until somebody did; an empty answer looks at the machine again.
func (d *dialogue) readClock() error {
	st := d.s.State()
	for {
		d.say("The clock of this machine: %s.", text.Moment(d.s.Now()))
		names, err := d.free("Compare it with a watch. %s, empty to check again", say.ClockReaders(st.Practice()))
		if err != nil || names == "" {
			return err
		}
		if err := d.s.PassPreflight(say.Names(names)); err != nil {
			d.trouble(say.Trouble(err))
			continue
		}
		return nil
	}
}

// rollCall asks who is here until everybody was asked for and somebody says done.
func (d *dialogue) rollCall(st room.State) error {
	for _, p := range st.Participants() {
		d.say("%s: %s; %s.", p.Name, say.Standing(p), say.Presence(p))
	}
	d.evidence(st)
	for {
		a, err := d.await([]string{"here", "away", "done", "token"},
			"Who is here? Put in a token, or type here NAME, away NAME, token, or done")
		switch {
		case err != nil:
			return err
		case a.reply.word == "":
			if err := d.arrived(a.token); err != nil {
				return err
			}
		case a.reply.word == "token":
			d.sheets()
		case a.reply.word == "done":
			if err := d.s.CloseRollCall(); err != nil {
				d.trouble(say.Trouble(err))
				continue
			}
			return nil
		default:
			d.answerFor(a.reply)
		}
	}
}

func (d *dialogue) arrived(v ceremony.Visitor) error {
	if v.Holder == "" {
		d.trouble(say.Stranger(v))
	} else if err := d.s.Arrive(v.Holder, v.Info.Serial); err != nil {
		d.trouble(say.Trouble(err))
	} else {
		d.say("%s is here, token %d.", v.Holder, v.Info.Serial)
	}
	if v.Info.Retries == 0 {
		return d.blocked(v)
	}
	return nil
}

// sheets reads out everything that the tokens in the readers say of themselves.
func (d *dialogue) sheets() {
	readers, err := d.s.Readers(d.ctx)
	for i, r := range readers {
		var v ceremony.Visitor
		var sheet ceremony.TokenSheet
		if v, err = d.s.Look(d.ctx, r); err == nil {
			sheet, err = d.s.Inspect(d.ctx, v)
		}
		if err != nil {
			d.trouble(say.Trouble(err))
			continue
		}
		if i > 0 {
			d.say("")
		}
		d.print(say.Sheet(sheet)...)
	}
	if err == nil && len(readers) == 0 {
		d.say("No token is in a reader.")
	}
}

func (d *dialogue) answerFor(r reply) {
	names := say.Names(r.rest)
	if len(names) == 0 {
		d.say("Who? Type %s and a name.", r.word)
	}
	for _, typed := range names {
		name, ok := d.participant(typed)
		if !ok {
			continue
		}
		var err error
		if r.word == "here" {
			err = d.s.Arrive(name, 0)
		} else {
			err = d.s.Miss(name)
		}
		if err != nil {
			d.trouble(say.Trouble(err))
			continue
		}
		d.say("%s is %s.", name, r.word)
	}
}

// participant finds whom people mean by what they typed.
func (d *dialogue) participant(typed string) (string, bool) {
	var all []string
	for _, p := range d.s.State().Participants() {
		if say.SameName(p.Name, typed) {
			return p.Name, true
		}
		all = append(all, p.Name)
	}
	d.say("There is no %s in this ceremony, only %s.", typed, text.List(all...))
	return "", false
}
