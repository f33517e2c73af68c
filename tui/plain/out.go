package plain

import (
	"conclave/tui/room"
	"conclave/tui/say"
	"conclave/tui/text"
)

// confirm verifies the result as a client will.
func (d *dialogue) confirm(st room.State) error {
	for _, t := range say.Tallies(st.Tallies()) {
		d.say("%s.", t)
	}
	words, prompt := []string{"confirm"}, "Type confirm to verify the result as a client will"
	if !st.Complete() {
		words, prompt = append(words, "back"), prompt+", or back to sign further"
	}
	r, err := d.word(words, "%s", prompt)
	switch {
	case err != nil:
		return err
	case r.word == "back":
		return d.reopen()
	}
	verdict, err := d.s.Confirm()
	if err != nil {
		d.trouble(say.Trouble(err))
		return nil
	}
	for _, v := range verdict {
		d.say("%s", v)
	}
	return nil
}

func (d *dialogue) reopen() error {
	if err := d.s.ReopenSigning(); err != nil {
		d.trouble(say.Trouble(err))
	}
	return nil
}

// export writes the bundle to the medium.
func (d *dialogue) export(st room.State) error {
	words, prompt := []string{"export"}, "Type export to write the bundle to the medium"
	if !st.Complete() {
		words, prompt = append(words, "back"), prompt+", or back to sign further"
	}
	r, err := d.word(words, "%s", prompt)
	switch {
	case err != nil:
		return err
	case r.word == "back":
		return d.reopen()
	}
	d.write()
	return nil
}

func (d *dialogue) write() {
	e, err := d.s.Export()
	if err != nil {
		d.trouble(say.Trouble(err))
		return
	}
	d.say("%s Written, read back and compared: %s", say.OK, e.Path)
	d.say("SHA-256 %s", text.Groups(e.SHA256))
}

// close seals the record.
func (d *dialogue) close() error {
	r, err := d.word([]string{"seal", "export"},
		"Type seal to close the ceremony and its record, or export to write the bundle to another medium")
	if err != nil {
		return err
	}
	if r.word == "export" {
		d.write()
		return nil
	}
	statement, err := d.free("A statement for the record, by whoever wants to make one, or - for none")
	if err != nil {
		return err
	}
	if statement == "-" {
		statement = ""
	}
	if err := d.s.CloseCeremony(statement); err != nil {
		d.trouble(say.Trouble(err))
	}
	return nil
}
