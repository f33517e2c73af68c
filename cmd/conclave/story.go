package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"conclave/ceremony"
	"conclave/hsm"
	"conclave/transfer"
)

// A story plays a ceremony unattended with virtual tokens, through the same
// Session that people use, and tells it line by line.
type story struct {
	r   *rehearsal
	s   *ceremony.Session
	out io.Writer
}

func (t *story) tell(format string, args ...any) {
	fmt.Fprintf(t.out, "    "+format+"\n", args...)
}

// play goes through the steps until the record is sealed. Each step is one
// method: what people would do there.
func (t *story) play(ctx context.Context) error {
	steps := map[ceremony.Step]func(context.Context) error{
		ceremony.StepPreflight: t.preflight,
		ceremony.StepRollCall:  t.rollCall,
		ceremony.StepEnrolment: t.enrol,
		ceremony.StepFreeze:    t.freeze,
		ceremony.StepReview:    t.review,
		ceremony.StepSign:      t.sign,
		ceremony.StepConfirm:   t.confirm,
		ceremony.StepExport:    t.export,
		ceremony.StepClose:     t.close,
	}
	for t.s.State().Step() != ceremony.StepDone {
		step := t.s.State().Step()
		if err := interrupted(ctx); err != nil {
			return err
		}
		if err := steps[step](ctx); err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
		if t.s.State().Step() == step {
			return fmt.Errorf("%s: the step did not end", step)
		}
	}
	return nil
}

func (t *story) preflight(ctx context.Context) error {
	if _, err := t.s.Preflight(ctx); err != nil {
		return err
	}
	for _, name := range t.s.State().Open() {
		if err := t.s.Except(name, "rehearsal: nothing here is real", []string{t.r.people[0].name}); err != nil {
			return err
		}
		t.tell("preflight   %s is not as it must be in earnest: exception on the record", name)
	}
	return t.s.PassPreflight([]string{t.r.people[0].name})
}

func (t *story) rollCall(context.Context) error {
	var here []string
	for _, p := range t.s.State().Participants() {
		if err := t.s.Arrive(p.Name, 0); err != nil {
			return err
		}
		here = append(here, p.Name)
	}
	t.tell("roll call   %s", strings.Join(here, " "))
	return t.s.CloseRollCall()
}

func (t *story) enrol(ctx context.Context) error {
	for _, p := range t.s.State().Participants() {
		if p.Enrolled {
			continue
		}
		if err := t.enrolOne(ctx, p.Name); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return nil
}

func (t *story) enrolOne(ctx context.Context, name string) error {
	return t.withToken(ctx, name, func(v ceremony.Visitor) error {
		e, err := t.practiceSecrets(name)
		defer e.Wipe()
		if err == nil {
			err = t.s.Enrol(ctx, v, e)
		}
		if err != nil {
			return err
		}
		t.tell("enrolment   %-6s token %d: key made in 9c, PIN and touch always", name, v.Info.Serial)
		return nil
	})
}

// practiceSecrets are the PIN and PUK that name's token has and those that it gets. A token whose
// enrolment was cut off may have its new ones already.
func (t *story) practiceSecrets(name string) (ceremony.Enrolling, error) {
	e := ceremony.Enrolling{Holder: name}
	card, pin, puk := t.r.person(name).card, factoryPIN, factoryPUK
	if card.HasPIN(practicePIN) {
		pin = practicePIN
	}
	if card.HasPUK(practicePUK) {
		puk = practicePUK
	}
	for _, secret := range []struct {
		digits string
		into   **hsm.PIN
	}{{pin, &e.PIN}, {practicePIN, &e.NewPIN}, {puk, &e.PUK}, {practicePUK, &e.NewPUK}} {
		made, err := hsm.NewPIN([]byte(secret.digits))
		if err != nil {
			return e, err
		}
		*secret.into = made
	}
	return e, nil
}

func (t *story) freeze(context.Context) error {
	if err := t.s.Freeze(); err != nil {
		return err
	}
	for _, d := range t.s.State().Bundle().Documents {
		t.tell("frozen      %s %d  %s ...", d.Role, d.Metadata.Version(), strings.Join(d.Metadata.Digest().Words()[:4], " "))
	}
	return nil
}

func (t *story) review(context.Context) error {
	diffs, err := t.s.State().Diffs(t.s.Now())
	if err != nil {
		return err
	}
	for _, d := range diffs {
		for _, line := range d.Meaning {
			t.tell("review      %s", line)
		}
	}
	for _, p := range t.s.State().Participants() {
		if p.Presence != ceremony.Here {
			continue
		}
		if err := t.s.Review(p.Name); err != nil {
			return err
		}
	}
	return t.s.CloseReview()
}

// sign lets one person after the other come forward until nothing is missing.
func (t *story) sign(ctx context.Context) error {
	for _, p := range t.r.people {
		if t.s.State().Complete() {
			break
		}
		if err := t.signOne(ctx, p.name); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if !t.s.State().Complete() {
		return errors.New("everybody has signed and it is not enough")
	}
	return t.s.CloseSigning()
}

func (t *story) signOne(ctx context.Context, name string) error {
	return t.withToken(ctx, name, func(v ceremony.Visitor) error {
		if len(v.Acts) == 0 {
			return nil
		}
		asked, err := t.s.Challenges(v)
		if err != nil {
			return err
		}
		if err := t.s.Approve(v, asked, t.hear(asked)); err != nil {
			return err
		}
		pin, err := hsm.NewPIN([]byte(practicePIN))
		if err != nil {
			return err
		}
		defer pin.Wipe()
		for _, act := range v.Acts {
			if err := t.s.Sign(ctx, v, act, pin, 0); err != nil {
				return err
			}
			t.tell("signed      %-6s %s %d   %s", name, act.Role, act.Version, t.counts(act.Role))
		}
		return nil
	})
}

// hear answers a challenge as a keyholder who listens to the conductor.
func (t *story) hear(asked []ceremony.Challenge) []string {
	words := make([]string, len(asked))
	for i, c := range asked {
		words[i] = t.s.State().Bundle().Document(c.Role).Digest().Words()[c.Position-1]
	}
	return words
}

// counts says how many have signed a role's document, by requirement.
func (t *story) counts(role string) string {
	var out []string
	for _, rt := range t.s.State().Tallies() {
		if rt.Role == role {
			out = append(out, fmt.Sprintf("%s: %s", rt.Tally.Requirement.Name, rt.Tally.Count()))
		}
	}
	return strings.Join(out, ", ")
}

// withToken puts name's token in, looks at it, and pulls it out again.
func (t *story) withToken(ctx context.Context, name string, do func(ceremony.Visitor) error) error {
	person := t.r.person(name)
	if person == nil {
		return errors.New("is not in this rehearsal")
	}
	person.card.AutoTouch(true)
	defer person.card.AutoTouch(false)
	reader, err := t.r.service.Insert(person.card)
	if err != nil {
		return err
	}
	defer t.r.service.Remove(person.card)
	v, err := t.s.Look(ctx, reader)
	if err != nil {
		return err
	}
	return do(v)
}

func (t *story) confirm(context.Context) error {
	verdict, err := t.s.Confirm()
	for _, line := range verdict {
		t.tell("confirm     %s", line)
	}
	return err
}

func (t *story) export(context.Context) error {
	out, err := t.s.Export()
	if err != nil {
		return err
	}
	t.tell("export      %s", out.Name)
	return nil
}

func (t *story) close(context.Context) error {
	return t.s.CloseCeremony("a rehearsal, played unattended")
}

// person finds somebody by name.
func (r *rehearsal) person(name string) *person {
	for _, p := range r.people {
		if p.name == name {
			return p
		}
	}
	return nil
}

// exported is the newest bundle of a ceremony, as it left.
func exported(s *ceremony.Session) (*transfer.Bundle, error) {
	outs := s.State().Exports()
	if len(outs) == 0 {
		return nil, errors.New("nothing was exported")
	}
	return transfer.Read(outs[len(outs)-1].Path)
}
