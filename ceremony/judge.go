package ceremony

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha512"
	"fmt"
	"slices"
	"strings"
	"time"

	"conclave/ceremony/policy"
	"conclave/ceremony/preflight"
	"conclave/ceremony/tuf"
	"conclave/hsm"
	"conclave/transfer"
)

// PolicyFile is the policy's name in a ceremony's folder, and beside a trusted root.
const PolicyFile = "policy.json"

// leastDeciders is how many different people decide on an exception in earnest, whatever a policy says.
const leastDeciders = 2

// openPolicy takes the policy that is in force from here on.
func (e Opened) openPolicy(s *State) error {
	s.policy = policy.Default()
	if len(e.Policy) > 0 {
		var err error
		if s.policy, err = policy.Parse(e.Policy); err != nil {
			return s.ruleErr("policy", err)
		}
	}
	s.attested = map[string]bool{}
	for _, id := range e.Attested {
		s.attested[id] = true
	}
	return nil
}

// Policy is the policy in force, nil before the ceremony is open.
func (s State) Policy() *policy.Policy { return s.policy }

// judge holds the draft against the policy and puts the check that says so in the place of an
// older one. Before freeze stand-ins hold the keys that are still to be made; after
// freeze nothing changes any more.
func (s *State) judge() error {
	draft := s.bundle
	switch {
	case s.step == StepFreeze:
		built, err := s.drafted()
		if err != nil {
			return err
		}
		draft = built.bundle
	case len(s.documents) > 0:
		s.setCheck(s.judgement())
		return nil
	}
	now := s.clock
	if now.IsZero() {
		now = s.floor
	}
	broken, err := Judge(s.policy, draft, func(keyid string) bool { return s.attested[keyid] }, now)
	if err != nil {
		return s.ruleErr("policy", err)
	}
	s.broken = broken
	if s.step == StepFreeze && s.excepted(ExceptAttestation) {
		s.acceptUnattested()
	}
	s.setCheck(s.judgement())
	return nil
}

// acceptUnattested takes what people decided at enrolment, about keys without proof, for decided.
func (s *State) acceptUnattested() {
	for _, v := range s.broken {
		if v.Rule == policy.Attestation {
			s.accepted = with(s.accepted, CheckPolicy, append(slices.Clone(s.accepted[CheckPolicy]), found(v)))
		}
	}
}

func found(v policy.Violation) string { return v.Rule + ": " + v.Text }

func (s *State) setCheck(c preflight.Check) {
	s.checks = slices.Clone(s.checks)
	for i := range s.checks {
		if s.checks[i].Name == c.Name {
			s.checks[i] = c
			return
		}
	}
	s.checks = append(s.checks, c)
}

// judgement is what the policy says of the draft, as a check.
func (s State) judgement() preflight.Check {
	c := preflight.Check{Name: CheckPolicy, Status: preflight.OK, Text: PolicyName(s.policy) + ": no rule is broken"}
	for _, v := range s.broken {
		c.Found = append(c.Found, found(v))
	}
	if len(s.broken) > 0 {
		c.Status = preflight.Stop
		c.Text = fmt.Sprintf("%s: %s broken", PolicyName(s.policy), are(len(s.broken), "rule"))
		c.Detail = slices.Clone(c.Found)
		c.Fix = "plan it again; the policy allows no exception from this"
		if n := s.Deciders(CheckPolicy); n > 0 {
			c.Fix = fmt.Sprintf("plan it again, or go on by an exception that %s", deciding(n))
		}
	}
	digest := s.policy.Digest()
	c.Detail = append(c.Detail, "policy "+digest.String())
	for words := range slices.Chunk(digest.Words(), preflight.WordsPerLine) {
		c.Detail = append(c.Detail, strings.Join(words, " "))
	}
	return c
}

// PolicyName names a policy for people.
func PolicyName(p *policy.Policy) string {
	return cmp.Or(p.Name(), "a policy without a name")
}

// checkPolicyOpen refuses to freeze what breaks the policy until people have decided on it.
func (s State) checkPolicyOpen() error {
	if !slices.Contains(s.Open(), CheckPolicy) {
		return nil
	}
	var texts []string
	for _, v := range s.broken {
		texts = append(texts, v.Text)
	}
	advice := "Plan it again: the policy allows no exception from this."
	if n := s.Deciders(CheckPolicy); n > 0 {
		advice = fmt.Sprintf("Plan it again, or record an exception for %q that %s.", CheckPolicy, deciding(n))
	}
	return s.rule("policy", "the draft breaks the policy: "+strings.Join(texts, " "), advice)
}

func deciding(n int) string {
	if n == 1 {
		return "somebody decides (two different people, outside of practice)"
	}
	return fmt.Sprintf("%d different people decide", n)
}

// are is a number of things with its verb: "1 rule is", "2 rules are".
func are(n int, one string) string {
	if n == 1 {
		return "1 " + one + " is"
	}
	return fmt.Sprintf("%d %ss are", n, one)
}

// Deciders is how many different people must decide on an exception for what; 0 means that none is
// possible. In earnest they are at least two.
func (s State) Deciders(what string) int {
	if s.bundle == nil {
		return leastDeciders
	}
	if what == CheckPolicy {
		return DecidersOf(s.broken, s.Practice())
	}
	return Deciders(s.policy, what, s.Practice())
}

// Deciders is how many different people decide on an exception, other than from what the draft breaks of the
// policy; 0 means that none is possible.
func Deciders(p *policy.Policy, what string, practice bool) int {
	n := max(leastDeciders, p.People(what))
	for _, rule := range putAside(p, what) {
		if p.People(rule) == 0 {
			return 0
		}
		n = max(n, p.People(rule))
	}
	if practice {
		return 1
	}
	return n
}

// putAside lists the rules of the policy that an exception for what puts aside.
func putAside(p *policy.Policy, what string) []string {
	switch {
	case what == ExceptAttestation && p.AttestationRequired():
		return []string{policy.Attestation}
	case what == ExceptExpiry:
		return []string{policy.Expiry}
	case what == ExceptClients:
		return p.ClientRules()
	}
	return nil
}

// DecidersOf is how many different people must decide to go on in spite of violations; 0 means that it is not possible.
func DecidersOf(broken []policy.Violation, practice bool) int {
	n := leastDeciders
	for _, v := range broken {
		if v.People == 0 {
			return 0
		}
		n = max(n, v.People)
	}
	if practice {
		return 1
	}
	return n
}

// checkDeciders wants as many different people as an exception takes.
func (s State) checkDeciders(what string, by []string) error {
	n := s.Deciders(what)
	if n == 0 {
		return s.rule("exception", fmt.Sprintf("the policy allows no exception from what it says here: %s", what), "Plan it again, within the policy.")
	}
	if err := checkPeople(by, n); err != nil {
		return s.rule("exception", fmt.Sprintf("not enough people decide on %s: %v", what, err),
			fmt.Sprintf("It takes an exception that %s. Give each name by itself.", deciding(n)))
	}
	return nil
}

// Judge lists what a bundle breaks of a policy. Keys that are still to be made are stood in for by
// keys of the planned kind, of which everything counts as proved. attested says of which
// of the bundle's tokens it is proved where their keys were made.
func Judge(p *policy.Policy, b *transfer.Bundle, attested func(keyid string) bool, now time.Time) ([]policy.Violation, error) {
	evidence := map[tuf.Digest]policy.Evidence{}
	if b.Plan != nil {
		made, err := standIns(b.Plan)
		if err != nil {
			return nil, err
		}
		for _, m := range made {
			evidence[m.key.SPKI] = policy.Evidence{Attested: true, PIN: true, Touch: true}
		}
		planned := *b
		if err := buildPlan(&planned, made); err != nil {
			return nil, err
		}
		b = &planned
	}
	subject := policy.Subject{Old: map[string]*tuf.Document{}, New: map[string]*tuf.Document{}, Evidence: evidence, Now: now}
	for _, d := range b.Documents {
		subject.New[d.Role] = d.Metadata
		if old := b.Base.Document(d.Role); old != nil {
			subject.Old[d.Role] = old
		}
		known(evidence, d.Metadata, b.Tokens, attested)
	}
	return append(dangers(p, b), p.Check(subject)...), nil
}

// known adds what tokens prove of the keys that a document lists.
func known(evidence map[tuf.Digest]policy.Evidence, doc *tuf.Document, tokens []transfer.Evidence, attested func(string) bool) {
	keys := doc.Keys()
	for _, t := range tokens {
		if k, ok := keys[t.KeyID]; ok {
			evidence[k.SPKI] = policy.Evidence{
				Attested: attested(t.KeyID),
				PIN:      t.PINPolicy == string(hsm.PolicyAlways),
				Touch:    t.TouchPolicy == string(hsm.PolicyAlways),
			}
		}
	}
}

// dangers are thresholds with which one stolen token, or one lost one, is the end. They want a decision
// also where the policy says nothing of them.
func dangers(p *policy.Policy, b *transfer.Bundle) []policy.Violation {
	doc := b.Document(tuf.Root)
	if doc == nil {
		return nil
	}
	var found []policy.Violation
	for _, role := range []string{tuf.Root, tuf.Targets} {
		r := doc.Root().Roles[role]
		if r == nil {
			continue
		}
		if r.Threshold == 1 && p.Role(role).MinThreshold == 0 {
			found = append(found, policy.Violation{Rule: policy.Threshold, People: p.People(policy.Threshold), Text: fmt.Sprintf(
				"1 of %d keys is enough for %s: whoever has one of them has the whole role.", len(r.KeyIDs), role)})
		}
		if role == tuf.Root && r.Threshold == len(r.KeyIDs) && p.Role(role).MinSpareKeys == 0 {
			found = append(found, policy.Violation{Rule: policy.SpareKeys, People: p.People(policy.SpareKeys), Text: fmt.Sprintf(
				"root needs all of its %d keys: one lost token ends the repository.", len(r.KeyIDs))})
		}
	}
	return found
}

// standIns are keys of nobody, in the place of those that a plan's holders will make.
func standIns(plan *transfer.Plan) ([]madeKey, error) {
	curve, size := elliptic.P256(), 32
	if plan.Algorithm == string(hsm.P384) {
		curve, size = elliptic.P384(), 48
	}
	var made []madeKey
	for _, h := range plan.Holders {
		seed := sha512.Sum512(fmt.Appendf(nil, "nobody's %s key, in the place of %s", purposeOf(h.Backup), h.Name))
		private, err := ecdsa.ParseRawPrivateKey(curve, seed[:size])
		if err != nil {
			return nil, fmt.Errorf("stand in for the key of %s: %w", h.Name, err)
		}
		key, err := tuf.NewKey(private.Public())
		if err != nil {
			return nil, fmt.Errorf("stand in for the key of %s: %w", h.Name, err)
		}
		made = append(made, madeKey{name: h.Name, key: key, root: h.Root, targets: h.Targets, backup: h.Backup})
	}
	return made, nil
}
