package ceremony

import (
	"crypto"
	"errors"
	"strings"
	"testing"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// proven takes every evidence that has a statement, and knows of one weakness.
func proven(e Evidence, _ crypto.PublicKey, _ bool) (Provenance, error) {
	if string(e.Leaf) == "forged" {
		return Provenance{}, errors.New("no chain to a root")
	}
	return Provenance{FormFactor: "USB-A keychain", Warnings: []string{"old firmware"}}, nil
}

func TestPlansCarryWhatIsProvedOfKeysThatStay(t *testing.T) {
	w := newWorld(t, fivePeople...)
	first := w.done(w.planGenesis(), nil)
	w = w.next()
	release, err := PlanTargets(baseOf(first), TargetsChange{Add: []transfer.PlannedFile{{Path: "two"}}, Expires: w.now.Add(90 * day)}, w.now)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range Proofs(release, proven) {
		if p.Why != errNoEvidence.Error() {
			t.Errorf("%s, of whom the bundle knows nothing: %q", p.Holder, p.Why)
		}
	}
	foreign := transfer.Evidence{KeyID: "0000", Serial: 1, Slot: "9c"}
	Carry(release, append([]transfer.Evidence{foreign}, first.Tokens...))
	Carry(release, first.Tokens)
	if len(release.Tokens) != len(first.Tokens) {
		t.Errorf("the plan carries evidence of %d keys, want %d", len(release.Tokens), len(first.Tokens))
	}
	for _, p := range Proofs(release, proven) {
		if p.Why != "" || p.Firmware != "5.7.1" || len(p.Warnings) != 1 {
			t.Errorf("%s: %+v", p.Holder, p)
		}
	}
}

func TestKeysWithoutProofAreNamed(t *testing.T) {
	w := newWorld(t, threePeople...)
	b := w.done(w.planGenesis(), nil)
	moved, forged := b.Tokens[0], b.Tokens[1]
	moved.Serial = 4711
	forged.Leaf = []byte("forged")
	b.Tokens = []transfer.Evidence{moved, forged}
	why := map[string]string{}
	for _, p := range Proofs(b, proven) {
		why[p.Holder] = p.Why
	}
	for name, want := range map[string]string{
		"Alice": "the root says that it is on token 1000, the evidence says 4711",
		"Bob":   "no chain to a root",
		"Carol": "there is no evidence of it",
	} {
		if !strings.Contains(why[name], want) {
			t.Errorf("%s: %q, want %q", name, why[name], want)
		}
	}
}

func TestProofsAreVerifiedAgainWhenTheBundleChanges(t *testing.T) {
	w := newWorld(t, threePeople...)
	asked := 0
	w.cfg.Genuine = func(e Evidence, k crypto.PublicKey, practice bool) (Provenance, error) {
		asked++
		return proven(e, k, practice)
	}
	s := w.until(w.begin(w.planGenesis(), nil), StepReview)
	before := asked
	if n := len(s.Proofs()); n != 3 || asked != before+3 {
		t.Errorf("%d proofs, %d verified", n, asked-before)
	}
	if s.Proofs(); asked != before+3 {
		t.Error("they are verified again although nothing changed")
	}
	if s.State().Bundle().Document(tuf.Root) == nil {
		t.Error("there is no root yet")
	}
}
