package ceremony

import (
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"
	"slices"

	"conclave/ceremony/tuf"
	"conclave/hsm"
	"conclave/transfer"
)

func (e EnrolBegun) apply(s *State) error {
	if err := s.checkEnrol(e.Holder, e.Serial); err != nil {
		return err
	}
	s.enrolling = with(s.enrolling, e.Serial, e)
	s.enrolTries = with(s.enrolTries, e.Serial, s.enrolTries[e.Serial]+1)
	return nil
}

// checkEnrol says whether the holder may make a key on the token.
func (s State) checkEnrol(holder string, serial uint32) error {
	i, err := s.findHere(holder)
	if err != nil {
		return err
	}
	owner, known := s.ownerOf(serial)
	switch {
	case len(s.people[i].toMake) == 0:
		return s.rule("enrolment", fmt.Sprintf("%s has enrolled already", s.people[i].name),
			"The plan has no further key for them. To add a backup token, plan it: conclave plan rotate --backup.")
	case slices.Contains(s.people[i].madeOn(), serial):
		return s.rule("serial", fmt.Sprintf("token %d has made %s's first key", serial, s.people[i].name),
			"The backup is another token: put that one in, and keep the first elsewhere.")
	case serial == 0:
		return s.rule("serial", "the token has no serial number", "Use another token.")
	case known && !owner.is(holder):
		return s.rule("serial", fmt.Sprintf("token %d is %s's", serial, owner.name),
			fmt.Sprintf("%s enrols a token that nobody else uses.", s.people[i].name))
	}
	return nil
}

func (e Enrolled) apply(s *State) error {
	i, err := s.find(e.Holder)
	if err != nil {
		return err
	}
	serial := e.Evidence.Serial
	begun, ok := s.enrolling[serial]
	if !ok || !s.people[i].is(begun.Holder) {
		return s.rule("order", fmt.Sprintf("token %d was not asked for a key for %s", serial, e.Holder), "")
	}
	if err := s.checkEnrol(e.Holder, serial); err != nil {
		return err
	}
	key, err := s.checkNewKey(e)
	if err != nil {
		return err
	}
	s.change(i, func(p *person) { p.take(e, key) })
	s.enrolling = without(s.enrolling, serial)
	if e.Attested {
		s.attested = with(s.attested, key.ID, true)
	}
	s.afterEnrolment()
	return nil
}

// take gives p the key that is next to be made for them, with the roles of the plan.
func (p *person) take(e Enrolled, key tuf.Key) {
	next, serial := p.toMake[0], e.Evidence.Serial
	p.toMake = p.toMake[1:]
	p.keys = append(slices.Clone(p.keys), key)
	p.made = append(slices.Clone(p.made), madeKey{
		name: p.name, key: key, evidence: e.Evidence.of(p.name), root: next.Root, targets: next.Targets, backup: next.Backup,
	})
	if !slices.Contains(p.serials, serial) {
		p.serials = append(slices.Clone(p.serials), serial)
	}
	if next.Backup {
		p.backups = append(slices.Clone(p.backups), serial)
	}
}

// checkNewKey reads the key that a token says it has made, and refuses one that does not fit the plan.
func (s State) checkNewKey(e Enrolled) (tuf.Key, error) {
	key, err := tuf.ParsePublicKey([]byte(e.Key))
	if err != nil {
		return tuf.Key{}, s.ruleErr("key", err)
	}
	plan := s.bundle.Plan
	if got := algorithmOf(key); got != plan.Algorithm {
		return tuf.Key{}, s.rule("key", fmt.Sprintf("the plan wants %s keys, this one is %s", plan.Algorithm, got), "")
	}
	if owner, known := s.holderOf(key.SPKI); known {
		return tuf.Key{}, s.rule("key", fmt.Sprintf("this key is %s's already", owner.name),
			"The same key cannot count for two people. Make a new one.")
	}
	if slices.ContainsFunc(slices.Concat(plan.Snapshot, plan.Timestamp), func(k tuf.Key) bool { return k.SPKI == key.SPKI }) {
		return tuf.Key{}, s.rule("key", "this key is an online key of the plan", "Make a new one.")
	}
	if trusted := s.bundle.TrustedRoot(); trusted != nil {
		for _, k := range trusted.Keys() {
			if k.SPKI == key.SPKI {
				return tuf.Key{}, s.rule("key", fmt.Sprintf("%s lists this key already", trusted.Title()), "Make a new one.")
			}
		}
	}
	if e.Evidence.KeyID != key.ID {
		return tuf.Key{}, s.rule("evidence", "the evidence is about another key", "")
	}
	if err := e.Evidence.check(key); err != nil {
		return tuf.Key{}, s.rule("evidence", err.Error(), "Use a token that keeps its own keys and asks for PIN and touch.")
	}
	if err := e.Proof.check(key, s.title); err != nil {
		return tuf.Key{}, s.rule("possession", err.Error(), "A key that does not sign is no use to anybody. Try again, or use another token.")
	}
	return key, nil
}

// algorithmOf names a key's algorithm as plans do.
func algorithmOf(k tuf.Key) string {
	if pub, ok := k.Public.(*ecdsa.PublicKey); ok {
		switch pub.Curve.Params().BitSize {
		case 256:
			return string(hsm.P256)
		case 384:
			return string(hsm.P384)
		}
	}
	return k.Type
}

// check holds the evidence against the key: the token's own statement must be
// about this key and no other.
func (e Evidence) check(key tuf.Key) error {
	if e.Slot != hsm.SlotSignature.String() {
		return fmt.Errorf("the key is in slot %q, ceremony keys live in %s", e.Slot, hsm.SlotSignature)
	}
	for _, p := range []struct{ what, policy string }{{"PIN", e.PINPolicy}, {"touch", e.TouchPolicy}} {
		if p.policy != string(hsm.PolicyAlways) && p.policy != string(hsm.PolicyUnknown) {
			return fmt.Errorf("the key wants a %s %q, a ceremony key wants it always", p.what, p.policy)
		}
	}
	if len(e.Leaf) == 0 {
		return nil
	}
	leaf, err := x509.ParseCertificate(e.Leaf)
	if err != nil {
		return fmt.Errorf("read attestation: %w", err)
	}
	attested, err := tuf.NewKey(leaf.PublicKey)
	if err != nil {
		return fmt.Errorf("read attestation: %w", err)
	}
	if attested.SPKI != key.SPKI {
		return fmt.Errorf("the token's attestation is about another key")
	}
	return nil
}

// of is the evidence as a bundle carries it.
func (e Evidence) of(holder string) transfer.Evidence {
	return transfer.Evidence{
		KeyID: e.KeyID, Serial: e.Serial, Firmware: e.Firmware, Holder: holder, Slot: e.Slot,
		PINPolicy: e.PINPolicy, TouchPolicy: e.TouchPolicy, Leaf: e.Leaf, Device: e.Device,
	}
}

// AsRecorded is a bundle's evidence as the record writes it.
func AsRecorded(t transfer.Evidence) Evidence {
	return Evidence{
		KeyID: t.KeyID, Serial: t.Serial, Firmware: t.Firmware, Slot: t.Slot,
		PINPolicy: t.PINPolicy, TouchPolicy: t.TouchPolicy, Leaf: t.Leaf, Device: t.Device,
	}
}

func (e EnrolFailed) apply(s *State) error {
	begun, ok := s.enrolling[e.Serial]
	if !ok || samePerson(begun.Holder) != samePerson(e.Holder) {
		return s.rule("order", fmt.Sprintf("token %d was not asked for a key for %s", e.Serial, e.Holder), "")
	}
	return nil // the token may hold a new key all the same: the next try takes it
}

func (e Dropped) apply(s *State) error {
	i, err := s.find(e.Holder)
	if err != nil {
		return err
	}
	if len(s.people[i].toMake) == 0 {
		return s.rule("enrolment", fmt.Sprintf("%s has enrolled and stays in the draft", s.people[i].name), "")
	}
	if err := checkText("the reason", e.Reason); err != nil {
		return s.ruleErr("exception", err)
	}
	what := dropping(e.Holder, s.people[i].toMake[0].Backup)
	if err := s.checkDeciders(what, e.By); err != nil {
		return err
	}
	left := s.withoutNew(i)
	if err := s.checkThresholds(left, s.people[i].name); err != nil {
		return err
	}
	s.people = left
	s.exceptions = append(slices.Clone(s.exceptions), Excepted{What: what, Reason: e.Reason, By: e.By})
	s.afterEnrolment()
	return nil
}

// dropping is the name of the exception by which a key is not made.
func dropping(holder string, isBackup bool) string {
	if isBackup {
		return "backup of " + holder
	}
	return "holder " + holder
}

// Dropping is the name of the exception by which the next key of a participant is not made: "holder Ann", "backup of Ann".
func (p Participant) Dropping() string { return dropping(p.Name, p.Backup) }

// withoutNew is everybody without the keys that the person at i has not made, who stays where another key of theirs has a say.
func (s State) withoutNew(i int) []person {
	people := slices.Clone(s.people)
	p := &people[i]
	if len(p.keys) == 0 {
		return slices.Delete(people, i, i+1)
	}
	p.toMake, p.roles = nil, nil
	for _, m := range p.made {
		p.sit(m.root, m.targets)
	}
	if r := s.bundle.Plan.Rotation; r != nil {
		for _, k := range r.Keep {
			if slices.ContainsFunc(p.keys, func(have tuf.Key) bool { return have.ID == k.KeyID }) {
				p.sit(k.Root, k.Targets)
			}
		}
		for _, k := range r.Join {
			if p.hasKey(k.Key.SPKI) {
				p.sit(k.Root, k.Targets)
			}
		}
	}
	p.leaving = len(p.roles) == 0
	return people
}

// checkThresholds refuses a draft that the people who are left could never sign.
func (s State) checkThresholds(left []person, dropped string) error {
	plan := s.bundle.Plan
	for _, r := range []struct {
		role      string
		threshold int
	}{{tuf.Root, plan.RootThreshold}, {tuf.Targets, plan.TargetsThreshold}} {
		if n := countRole(left, r.role); n < r.threshold {
			return s.rule("threshold", fmt.Sprintf("without %s, %s has %d keyholders and needs %d", dropped, r.role, n, r.threshold),
				"Close this ceremony and plan a new one with other people or another threshold.")
		}
	}
	return nil
}

func countRole(people []person, role string) int {
	n := 0
	for _, p := range people {
		if slices.Contains(p.roles, role) {
			n++
		}
	}
	return n
}

// toFreeze goes on to freeze: from here on nothing changes what the draft is made of.
func (s *State) toFreeze() {
	s.step = StepFreeze
	s.drafted = newDraft(*s)
	_ = s.judge() // what cannot be built cannot be frozen either, and freezing says why
}

// afterEnrolment goes on to freeze once nobody is left to enrol.
func (s *State) afterEnrolment() {
	if !slices.ContainsFunc(s.people, func(p person) bool { return len(p.toMake) > 0 }) {
		s.toFreeze()
	}
}
