package plain

import (
	"conclave/ceremony"
	"conclave/hsm"
	"conclave/tui/say"
	"conclave/tui/text"
)

// enrolSecrets asks for the present PIN, and for the PUK where the token's is not the factory's; then
// for new ones. The caller wipes what is there, also after an error.
func (d *dialogue) enrolSecrets(v ceremony.Visitor, e *ceremony.Enrolling) (err error) {
	if e.PIN, err = d.pin("Current PIN of %d (a new YubiKey's PIN is 123456)", v.Info.Serial); err != nil {
		return err
	}
	if e.NewPIN, err = d.fresh("PIN", v, say.NewPIN(), func(pin *hsm.PIN) error { return hsm.CheckNewPIN(pin, v.Info) }); err != nil {
		return err
	}
	if !v.Guard.PUK.Factory {
		if e.PUK, err = d.pin("Present PUK of %d, %s", v.Info.Serial, say.PresentPUK(v)); err != nil {
			return err
		}
	}
	e.NewPUK, err = d.fresh("PUK", v, say.NewPUK(), func(puk *hsm.PIN) error { return hsm.CheckNewPUK(puk, e.NewPIN, v.Info) })
	return err
}

// fresh asks for a new PIN or PUK until it is a good one, twice the same.
func (d *dialogue) fresh(what string, v ceremony.Visitor, size text.Safe, check func(*hsm.PIN) error) (*hsm.PIN, error) {
	for {
		first, err := d.pin("New %s of %d, %s", what, v.Info.Serial, size)
		if err != nil {
			return nil, err
		}
		if weak := check(first); weak != nil {
			first.Wipe()
			d.trouble(say.Trouble(weak))
			continue
		}
		again, err := d.pin("The new %s again", what)
		if err != nil {
			first.Wipe()
			return nil, err
		}
		same := first.Equal(again)
		again.Wipe()
		if same {
			return first, nil
		}
		first.Wipe()
		d.trouble(say.Differ(what))
	}
}

// blocked explains a token whose PIN is blocked, and offers to set it anew with
// the PUK. Nothing is tried by itself.
func (d *dialogue) blocked(v ceremony.Visitor) error {
	d.trouble(say.Blocked(v))
	return d.offerUnblock(v)
}

func (d *dialogue) offerUnblock(v ceremony.Visitor) error {
	if !say.CanUnblock(v) {
		return nil
	}
	ok, err := d.yes("Set a new PIN of %d with the PUK now? PUK: %s.", v.Info.Serial, say.PUKTries(v))
	if err != nil || !ok {
		return err
	}
	var serial uint32
	if say.LastPUKTry(v) {
		typed, err := d.free("One try of the PUK is left; a wrong one costs the token's keys. Type the serial on its back to go on, or no")
		if err != nil {
			return err
		}
		if serial = v.Info.Serial; !say.IsSerial(typed, serial) {
			d.say("Left as it is. Nothing was sent to the token.")
			return nil
		}
	}
	return d.unblock(v, serial)
}

func (d *dialogue) unblock(v ceremony.Visitor, serial uint32) error {
	puk, err := d.pin("PUK of %d, %s", v.Info.Serial, say.PUKTries(v))
	defer puk.Wipe()
	if err != nil {
		return err
	}
	fresh, err := d.fresh("PIN", v, say.NewPIN(), func(pin *hsm.PIN) error { return hsm.CheckNewPIN(pin, v.Info) })
	defer fresh.Wipe()
	if err != nil {
		return err
	}
	delete(d.handled, v.Reader) // it is looked at anew, whatever comes of it
	if err := d.s.Unblock(d.ctx, v, puk, fresh, serial); err != nil {
		d.trouble(say.Trouble(err))
		return d.ctx.Err()
	}
	d.say("%s %s", say.OK, say.Unblocked(v))
	return nil
}
