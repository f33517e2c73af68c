package ceremony

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"conclave/ceremony/preflight"
	"conclave/ceremony/tuf"
	"conclave/transfer"
)

func (e Opened) apply(s *State) error {
	if sha256Hex(e.Bundle) != e.SHA256 {
		return s.rule("bundle", "the bundle is not the one that was opened: its SHA-256 differs",
			"Find the bundle file whose SHA-256 is "+e.SHA256+".")
	}
	b, err := transfer.Parse(e.Bundle)
	if err != nil {
		return s.ruleErr("bundle", err)
	}
	s.step = StepPreflight
	s.came, s.bundle, s.program, s.seen, s.enrols = b, b, e.Program, e.Seen, b.Plan != nil
	if len(e.Anchor) > 0 {
		if s.anchor, err = tuf.Parse(e.Anchor); err != nil {
			return s.ruleErr("anchor", err)
		}
	}
	s.floor = b.Created.UTC()
	if !s.clock.IsZero() && s.clock.Before(s.floor) {
		return &ClockError{Now: s.clock, Floor: s.floor}
	}
	s.title = title(b)
	if err := e.openPolicy(s); err != nil {
		return err
	}
	if s.enrols {
		return e.openPlan(s)
	}
	return e.openDocuments(s)
}

// openPlan begins a ceremony that makes keys.
func (e Opened) openPlan(s *State) error {
	check := s.checkGenesis
	if s.bundle.Plan.Rotation != nil {
		check = s.checkRotation
	}
	if err := check(); err != nil {
		return err
	}
	s.people = planned(s.bundle)
	return nil
}

func (s State) checkGenesis() error {
	b := s.bundle
	if len(b.Base.Roots) > 0 || len(b.Documents) > 0 {
		return s.rule("bundle", "the bundle holds a plan for a first root and metadata as well", "Plan it again.")
	}
	if s.anchor != nil {
		return s.rule("anchor", fmt.Sprintf("the plan is for a first root, but root %d is trusted already", s.anchor.Version()),
			"A genesis begins a new repository. To change the one that is trusted here, plan its next root.")
	}
	if err := checkPlan(b.Plan); err != nil {
		return s.ruleErr("plan", err)
	}
	return nil
}

func (s State) checkRotation() error {
	b := s.bundle
	if b.TrustedRoot().Practice() != b.Practice {
		return s.rule("practice", "the bundle and its root do not agree whether this is a rehearsal",
			"Practice keys and real ones must not meet: plan the bundle again on the right root.")
	}
	if err := s.checkBase(); err != nil {
		return err
	}
	if err := checkPlannedRotation(b); err != nil {
		return s.ruleErr("plan", err)
	}
	return nil
}

// openDocuments begins a ceremony on documents that exist.
func (e Opened) openDocuments(s *State) error {
	b := s.bundle
	if len(b.Documents) == 0 {
		return s.rule("bundle", "the bundle holds nothing to sign", "Plan it again.")
	}
	for _, d := range b.Documents {
		if d.Role == tuf.Snapshot || d.Role == tuf.Timestamp {
			return s.rule("bundle", fmt.Sprintf("the bundle wants %s signed, which is an online role", d.Role),
				"Online roles are signed where the repository is published, never in a ceremony. Plan it without.")
		}
	}
	if root := b.Root(); root == nil || root.Practice() != b.Practice {
		return s.rule("practice", "the bundle and its root do not agree whether this is a rehearsal",
			"Practice keys and real ones must not meet: plan the bundle again on the right root.")
	}
	if err := s.checkBase(); err != nil {
		return err
	}
	docs, err := newDocuments(b)
	if err != nil {
		return s.ruleErr("bundle", err)
	}
	s.people = holders(docs, b.Root())
	return nil
}

// checkBase holds the bundle's base against the anchor and what this machine has seen.
func (s State) checkBase() error {
	b := s.bundle
	if len(b.Base.Roots) == 0 {
		root := b.Document(tuf.Root)
		switch {
		case s.anchor != nil:
			return s.rule("anchor", fmt.Sprintf("root %d is trusted, but the bundle builds on no root", s.anchor.Version()),
				"Plan the bundle again on the repository as it is.")
		case root == nil || root.Version() != 1:
			return s.rule("base", "the bundle builds on no root and brings no root 1", "Plan the bundle again on the repository as it is.")
		}
		return nil
	}
	if _, err := b.CheckBase(s.trusted(), s.seen); err != nil {
		return s.ruleErr("base", err)
	}
	return nil
}

// trusted is the root from which everything is verified: the one given apart from
// the bundle; without one, which is an exception that people decide on, the
// oldest root of the base; at genesis the first root itself, compared by people.
func (s State) trusted() *tuf.Document {
	switch {
	case s.anchor != nil:
		return s.anchor
	case len(s.bundle.Base.Roots) > 0:
		return s.bundle.Base.Roots[0]
	}
	return s.bundle.Document(tuf.Root)
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (e Resumed) apply(s *State) error {
	s.program = e.Program
	s.signing = nil // no token signs across a stop: what was not recorded was not signed
	s.writing, s.unblocking = nil, nil
	return nil
}

func (e Checked) apply(s *State) error {
	if len(e.Checks) == 0 {
		return s.rule("preflight", "a preflight saw nothing", "")
	}
	seen := map[string]bool{}
	for _, c := range e.Checks {
		known := slices.Contains([]preflight.Status{preflight.OK, preflight.Note, preflight.Stop}, c.Status)
		if c.Name == "" || seen[c.Name] || !known {
			return s.rule("preflight", fmt.Sprintf("the check %q has no name, comes twice, or has no known verdict", c.Name), "")
		}
		seen[c.Name] = true
	}
	s.checks = slices.Clone(e.Checks)
	return s.judge()
}

func (e Excepted) apply(s *State) error {
	if err := checkText("what the exception is for", e.What); err != nil {
		return s.ruleErr("exception", err)
	}
	if err := checkText("the reason for the exception", e.Reason); err != nil {
		return s.ruleErr("exception", err)
	}
	if err := s.checkDeciders(e.What, e.By); err != nil {
		return err
	}
	s.exceptions = append(slices.Clone(s.exceptions), e)
	for _, c := range s.checks {
		if c.Name == e.What {
			s.accepted = with(s.accepted, c.Name, append(slices.Clone(s.accepted[c.Name]), c.Findings()...))
		}
	}
	return nil
}

func (e PreflightPassed) apply(s *State) error {
	if len(s.checks) == 0 {
		return s.rule("preflight", "nothing has been checked yet", "Run the preflight first.")
	}
	if err := s.checkOpen(); err != nil {
		return err
	}
	want := 2
	if s.Practice() {
		want = 1
	}
	if err := checkPeople(e.ClockBy, want); err != nil {
		return s.rule("clock", "the clock was not read by enough people: "+err.Error(),
			"Two people read the clock aloud and compare it with their watches. Give each name by itself.")
	}
	s.step = StepRollCall
	return nil
}

// checkOpen refuses while a check still wants a decision.
func (s State) checkOpen() error {
	open := s.Open()
	if len(open) == 0 {
		return nil
	}
	return s.rule("preflight", fmt.Sprintf("the preflight stops at %s", both(open)),
		"Mend it and check again, or record an exception: why, and who decided.")
}

func (e Arrived) apply(s *State) error {
	i, err := s.find(e.Holder)
	if err != nil {
		return err
	}
	if owner, ok := s.ownerOf(e.Serial); ok && !owner.is(e.Holder) {
		return s.rule("serial", fmt.Sprintf("token %d is %s's, not %s's", e.Serial, owner.name, s.people[i].name),
			"Read the serial on the back of the token.")
	}
	if other, ok := s.broughtBy(e.Serial); ok && !other.is(e.Holder) {
		return s.rule("serial", fmt.Sprintf("%s came with token %d", other.name, e.Serial),
			fmt.Sprintf("If that was a mistake, record the arrival of %s again.", other.name))
	}
	s.change(i, func(p *person) { p.presence, p.brought = Here, e.Serial })
	return nil
}

func (e Missed) apply(s *State) error {
	i, err := s.find(e.Holder)
	if err != nil {
		return err
	}
	s.change(i, func(p *person) { p.presence = Away })
	return nil
}

func (e RollCalled) apply(s *State) error {
	for _, p := range s.people {
		if p.presence == Unknown {
			return s.rule("roll call", fmt.Sprintf("nobody has said whether %s is here", p.name),
				"Everybody is asked for: here or not.")
		}
	}
	if s.enrols {
		s.step = StepEnrolment
		return nil
	}
	s.toFreeze()
	return nil
}
