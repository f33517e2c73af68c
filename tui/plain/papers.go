package plain

import (
	"slices"
	"strings"

	"conclave/ceremony"
	"conclave/ceremony/preflight"
	"conclave/tui/room"
	"conclave/tui/say"
	"conclave/tui/text"
)

func (d *dialogue) freeze(st room.State) error {
	for _, p := range say.Plan(st.Plan()) {
		d.say("%s: %s", p.Name, p.Text)
	}
	d.print(say.Freezing()...)
	if c, ok := say.Checked(st, ceremony.CheckPolicy); ok && c.Status == preflight.Stop {
		d.checks([]preflight.Check{c})
		if slices.Contains(st.Open(), c.Name) {
			if _, err := d.word([]string{"exception"}, "%s Type exception", say.WantDecision([]string{c.Name})); err != nil {
				return err
			}
			return d.record(c.Name)
		}
	}
	if _, err := d.word([]string{"freeze"}, "Type freeze to fix what will be signed"); err != nil {
		return err
	}
	if err := d.s.Freeze(); err != nil {
		d.trouble(say.Trouble(err))
		return nil
	}
	d.say("%s Frozen. Nothing is signed yet.", say.OK)
	return nil
}

// review reads out what changes, then asks everybody who is here for their name.
func (d *dialogue) review(st room.State) error {
	d.papers(st)
	for {
		left := unread(d.s.State())
		if len(left) == 0 {
			break
		}
		r, err := d.free("Still to confirm: %s. Whoever has read and understood all of it types their name, or again",
			text.List(left...))
		if err != nil {
			return err
		}
		if done, err := d.reviewWord(r); done || err != nil {
			return err
		}
		name, ok := d.participant(r)
		if !ok {
			continue
		}
		if err := d.s.Review(name); err != nil {
			d.trouble(say.Trouble(err))
			continue
		}
		d.say("%s has reviewed.", name)
	}
	r, err := d.word([]string{"sign", "again"}, "Everybody here has reviewed. Type sign to open signing, or again to read once more")
	if err != nil || r.word == "again" {
		return err
	}
	if err := d.s.CloseReview(); err != nil {
		d.trouble(say.Trouble(err))
	}
	return nil
}

// reviewWord understands the words that can be typed in place of a name.
func (d *dialogue) reviewWord(typed string) (again bool, err error) {
	switch r := parse([]byte(typed)); r.word {
	case "again", "":
		return true, nil
	default:
		if common, err := d.common(r); common || err != nil {
			return common, err
		}
	}
	return false, nil
}

func unread(st room.State) []string {
	var names []string
	for _, p := range st.Participants() {
		if p.Presence == ceremony.Here && !p.Reviewed {
			names = append(names, p.Name)
		}
	}
	return names
}

// papers reads out every document that is to be signed.
func (d *dialogue) papers(st room.State) {
	diffs, err := st.Diffs(d.s.Now())
	if err != nil {
		d.trouble(say.Trouble(err))
		return
	}
	for _, item := range say.Dropped(st).Items {
		d.say("%s %s", say.Stop, item.Text)
	}
	for _, diff := range diffs {
		d.say("Document: %s.", say.Move(diff))
		for _, p := range diff.Power {
			d.say("Who can sign: %s.", say.Power(p))
		}
		for _, s := range say.Review(diff) {
			d.say("%s", s.Title)
			for _, item := range s.Items {
				d.say("%s", strings.TrimSpace(text.F("%s %s", item.Mark, item.Text).String()))
			}
		}
	}
	d.evidence(st)
	for _, p := range st.Payloads() {
		d.digest(p)
	}
}

// evidence reads out of which keys it is proved where they were made.
func (d *dialogue) evidence(st room.State) {
	s := say.Evidence(st.Proofs())
	if len(s.Items) == 0 {
		return
	}
	d.say("%s", s.Title)
	for _, item := range s.Items {
		d.say("%s", strings.TrimSpace(text.F("%s %s", item.Mark, item.Text).String()))
	}
}

// digest reads a digest out in hex and in numbered words, eight to a line.
func (d *dialogue) digest(p room.Payload) {
	d.say("Digest of %s, SHA-256: %s", say.Heading(p.Role, p.Version), p.Digest)
	n := 0
	for row := range slices.Chunk(p.Digest.Words(), 8) {
		d.say("Words %d to %d: %s", n+1, n+len(row), strings.Join(row, " "))
		n += len(row)
	}
}
