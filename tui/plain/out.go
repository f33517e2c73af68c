package plain

import (
	"path/filepath"

	"conclave/ceremony"
	"conclave/transfer/qr"
	"conclave/transfer/qr/paint"
	"conclave/tui/light"
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
		return d.allTheSame(ceremony.Decidable(err))
	}
	for _, v := range verdict {
		d.say("%s", v)
	}
	return nil
}

// allTheSame asks whether to go on in spite of what confirm has refused, where people may decide on it.
func (d *dialogue) allTheSame(what string) error {
	if what == "" {
		return nil
	}
	r, err := d.word([]string{"exception", "no", ""}, "Type exception to go on all the same, or no")
	if err != nil || r.word != "exception" {
		return err
	}
	return d.record(what)
}

func (d *dialogue) reopen() error {
	if err := d.s.ReopenSigning(); err != nil {
		d.trouble(say.Trouble(err))
	}
	return nil
}

// export writes the bundle to the medium.
func (d *dialogue) export(st room.State) error {
	words, prompt := []string{"export", "png"}, "Type export to write the bundle to the medium, or png DIR for QR pictures of it"
	if !st.Complete() {
		words, prompt = append(words, "back"), prompt+", or back to sign further"
	}
	r, err := d.word(words, "%s", prompt)
	switch {
	case err != nil:
		return err
	case r.word == "back":
		return d.reopen()
	case r.word == "png":
		d.pictures(st, r.rest)
		return nil
	}
	d.write()
	return nil
}

// pictures writes what the ceremony has made as QR pictures: the new signatures
// alone where the other side has the draft, and the whole bundle, each in a folder of its own.
func (d *dialogue) pictures(st room.State, dir string) {
	if dir == "" {
		d.say("Which folder? Type png and the folder for the pictures.")
		return
	}
	offers, err := light.Offers(st)
	if err != nil {
		d.trouble(say.Trouble(err))
		return
	}
	for _, o := range offers {
		to := filepath.Join(dir, o.Kind)
		print, err := light.NewPrint(o.Message, qr.Dense, light.PictureVersion, paint.L)
		if err == nil {
			err = d.s.Show(o.Kind, o.Digest(), print.Enough, to)
		}
		if err == nil {
			err = light.WritePNG(to, print)
		}
		if err != nil {
			d.trouble(say.Trouble(err))
			return
		}
		what := text.F("%s %s in %s: %s", say.OK, text.Capital(text.Clean(o.Title)), to, text.Count(len(print.Symbols), "picture"))
		if print.Enough < len(print.Symbols) {
			what = text.F("%s, of which any %d or one or two more are enough", what, print.Enough)
		}
		d.say("%s.", what)
		d.print(say.Needs(o.Needs)...)
	}
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
	r, err := d.word([]string{"seal", "export", "png"},
		"Type seal to close the ceremony and its record, or export to write the bundle to another medium, or png DIR")
	switch {
	case err != nil:
		return err
	case r.word == "export":
		d.write()
		return nil
	case r.word == "png":
		d.pictures(d.s.State(), r.rest)
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
