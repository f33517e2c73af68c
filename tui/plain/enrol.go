package plain

import (
	"slices"

	"conclave/ceremony"
	"conclave/tui/room"
	"conclave/tui/say"
	"conclave/tui/text"
)

// enrolment makes one holder's key, or does one thing that people asked for instead.
func (d *dialogue) enrolment(st room.State) error {
	holder, ok := d.nextHolder(st)
	if !ok {
		d.say("Everybody who is left to enrol was skipped or is away: %s.", text.List(d.skipped...))
		d.skipped = nil
		holder, _ = d.nextHolder(st)
	}
	p, _ := say.Find(st, holder)
	a, err := d.await([]string{"skip", "holder", "drop"},
		"%s, put in the YubiKey that is to be %s, or type skip, holder NAME or drop NAME", holder, say.ToBe(p))
	switch {
	case err != nil:
		return err
	case a.reply.word == "":
		return d.enrol(holder, a.token)
	case a.reply.word == "skip":
		d.skip(holder)
	case a.reply.word == "holder":
		d.choose(st, a.reply.rest)
	default:
		return d.drop(a.reply.rest)
	}
	return nil
}

// nextHolder is the first who has no key yet and was not skipped.
func (d *dialogue) nextHolder(st room.State) (string, bool) {
	first := ""
	for _, p := range st.Participants() {
		if p.Enrolled {
			continue
		}
		if first == "" {
			first = p.Name
		}
		if !slices.Contains(d.skipped, p.Name) {
			return p.Name, true
		}
	}
	return first, false
}

func (d *dialogue) skip(holder string) {
	d.skipped = append(d.skipped, holder)
	d.handled = nil // a token that was not for this holder may be for the next
}

// choose skips everybody but one.
func (d *dialogue) choose(st room.State, typed string) {
	name, ok := d.participant(typed)
	if !ok {
		return
	}
	d.skipped = nil
	for _, p := range st.Participants() {
		if p.Name != name && !p.Enrolled {
			d.skip(p.Name)
		}
	}
}

func (d *dialogue) drop(typed string) error {
	name, ok := d.participant(typed)
	if !ok {
		return nil
	}
	p, _ := say.Find(d.s.State(), name)
	why, by, err := d.decision(p.Dropping(), text.F("leaving the %s out of the new repository", p.Dropping()))
	if err != nil {
		return err
	}
	if err := d.s.Drop(name, why, by); err != nil {
		d.trouble(say.Trouble(err))
		return nil
	}
	d.say("On record: %s is taken out of the draft.", p.Dropping())
	return nil
}

func (d *dialogue) enrol(holder string, v ceremony.Visitor) error {
	p, ok := say.Find(d.s.State(), v.Holder)
	switch {
	case ok && p.Enrolled:
		d.say("Token %d is %s's already. Take it out.", v.Info.Serial, v.Holder)
		return nil
	case ok && slices.Contains(p.Made, v.Info.Serial):
		d.print(say.MadeFirst(v, p.Name))
		return nil
	case v.Counts:
		d.print(say.Needed(v))
		return nil
	case v.Info.Retries == 0:
		return d.blocked(v)
	case ok && p.Name != holder && v.Left == "":
		d.say("Token %d was put in by %s at the roll call.", v.Info.Serial, p.Name)
	}
	if ok {
		holder = p.Name
	}
	d.say("Token %d, firmware %s, %s.", v.Info.Serial, v.Info.Firmware, say.Tries(v.Info.Retries))
	e := ceremony.Enrolling{Holder: holder}
	defer func() { e.Wipe() }()
	if ok, err := d.prepare(v, &e); err != nil || !ok {
		return err
	}
	if err := d.atToken(func() error { return d.s.Enrol(d.ctx, v, e) }); err != nil {
		delete(d.handled, v.Reader) // it may be tried again without taking it out
		d.trouble(say.Trouble(err))
		return d.ctx.Err()
	}
	d.say("%s %s's token %d has made its key.", say.OK, holder, v.Info.Serial)
	return nil
}

// prepare asks for everything that the token is to be told.
func (d *dialogue) prepare(v ceremony.Visitor, e *ceremony.Enrolling) (ok bool, err error) {
	if v.Left != "" {
		d.print(say.Left(v))
		if ok, err = d.yes("Take the key on token %d for %s?", v.Info.Serial, v.Left); err != nil || !ok {
			return false, err
		}
		if e.PIN, err = d.pin("PIN of %d, %s", v.Info.Serial, say.Tries(v.Info.Retries)); err != nil {
			return false, err
		}
		d.say("Touch the token when it blinks: it proves that the key works.")
		return true, nil
	}
	if e.Erase, ok, err = d.mayEnrol(e.Holder, v); err != nil || !ok {
		return false, err
	}
	if err := d.enrolSecrets(v, e); err != nil {
		return false, err
	}
	d.say("The token makes its key. Touch it when it blinks: it proves that the key works.")
	return true, nil
}

// mayEnrol asks whether this is the token, and for its serial where a key would be lost.
func (d *dialogue) mayEnrol(holder string, v ceremony.Visitor) (uint32, bool, error) {
	if v.Blank {
		p, _ := say.Find(d.s.State(), holder)
		if p.Backup {
			ok, err := d.yes("Shall it make the key of %s's backup?", holder)
			return 0, ok, err
		}
		ok, err := d.yes("Shall it make %s's key?", holder)
		return 0, ok, err
	}
	if v.Stray {
		d.print(say.Stray(v))
	}
	typed, err := d.free("Slot 9c holds a key, which would be lost for ever. Type the token's serial to lose it, or no")
	if err != nil {
		return 0, false, err
	}
	if !say.IsSerial(typed, v.Info.Serial) {
		d.say("Left as it is. Take the token out.")
		return 0, false, nil
	}
	return v.Info.Serial, true, nil
}
