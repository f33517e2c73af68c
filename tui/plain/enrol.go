package plain

import (
	"slices"

	"conclave/ceremony"
	"conclave/hsm"
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
	a, err := d.await([]string{"skip", "holder", "drop"},
		"%s, put in the YubiKey that is to be yours, or type skip, holder NAME or drop NAME", holder)
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
	why, by, err := d.decision("holder "+name, text.F("leaving %s out of the new repository", name))
	if err != nil {
		return err
	}
	if err := d.s.Drop(name, why, by); err != nil {
		d.trouble(say.Trouble(err))
		return nil
	}
	d.say("On record: %s is taken out of the draft.", name)
	return nil
}

func (d *dialogue) enrol(holder string, v ceremony.Visitor) error {
	switch p, ok := say.Find(d.s.State(), v.Holder); {
	case ok && p.Enrolled:
		d.say("Token %d is %s's already. Take it out.", v.Info.Serial, v.Holder)
		return nil
	case ok && p.Name != holder:
		d.say("Token %d was put in by %s at the roll call.", v.Info.Serial, p.Name)
		holder = p.Name
	}
	d.say("Token %d, firmware %s, %s.", v.Info.Serial, v.Info.Firmware, say.Tries(v.Info.Retries))
	erase, ok, err := d.mayEnrol(holder, v)
	if err != nil || !ok {
		return err
	}
	current, fresh, err := d.enrolPINs(v)
	defer current.Wipe()
	defer fresh.Wipe()
	if err != nil {
		return err
	}
	d.say("The token makes its key. Touch it when it blinks: it proves that the key works.")
	err = d.atToken(func() error { return d.s.Enrol(d.ctx, v, holder, current, fresh, erase) })
	if err != nil {
		delete(d.handled, v.Reader) // it may be tried again without taking it out
		d.tried[v.Info.Serial] = true
		d.trouble(say.Trouble(err))
		return d.ctx.Err()
	}
	d.say("%s %s's token %d has made its key.", say.OK, holder, v.Info.Serial)
	return nil
}

// mayEnrol asks whether this is the token, and for its serial where a key would be lost.
func (d *dialogue) mayEnrol(holder string, v ceremony.Visitor) (uint32, bool, error) {
	if v.Blank || d.tried[v.Info.Serial] {
		ok, err := d.yes("Shall it make %s's key?", holder)
		return 0, ok, err
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

func (d *dialogue) enrolPINs(v ceremony.Visitor) (current, fresh *hsm.PIN, err error) {
	current, err = d.pin("Current PIN of %d (a new YubiKey's PIN is 123456)", v.Info.Serial)
	if err != nil {
		return nil, nil, err
	}
	for {
		if fresh, err = d.pin("New PIN of %d, %d to %d characters", v.Info.Serial, hsm.MinPIN, hsm.MaxPIN); err != nil {
			return current, nil, err
		}
		again, err := d.pin("The new PIN again")
		if err != nil {
			return current, fresh, err
		}
		same := fresh.Equal(again)
		again.Wipe()
		if same {
			return current, fresh, nil
		}
		fresh.Wipe()
		d.say("%s The two new PINs differ. Nothing was sent to the token.", say.Stop)
	}
}
