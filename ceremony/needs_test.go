package ceremony

import (
	"crypto"
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/ceremony/policy"
	"conclave/ceremony/tuf"
	"conclave/transfer"
)

func TestWhoMustSignIsSaid(t *testing.T) {
	w, base := repository(t)
	b := w.planRotation(base, Rotation{Replace: []Replacing{{Name: "Bob"}}, Remove: []Leaving{{Name: "Frank"}}, RootThreshold: 4})
	s, err := PlanSitting(b, w.now)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"Root 2 needs 3 signatures by root 1's keys: any three of Alice (1000), Bob (1001), Carol (1002), Erin (1003) and Frank (1004).",
		"Root 2 needs signatures by root 2's keys: of Alice (1000), Carol (1002), Erin (1003) and Bob (new token), all of them.",
		"Targets 2 needs 2 signatures by its keys: any two of Alice (1000), Carol (1002) and Bob (new token).",
		"Nobody can stand in for Bob, Alice, Carol and Erin.",
		"Four people are enough: Bob, Alice, Carol and Erin.",
		"From then on Alice, Bob (new token), Carol and Erin together can sign root; before, any three of Alice, Bob, Carol, Erin and Frank.",
		"From then on any two of Alice, Bob (new token) and Carol can sign targets; before, any two of Alice, Bob and Carol.",
		"The new keys are made first; then everything is frozen, read and signed. Bring the old tokens as well.",
		"Each token signs root first, then the others; they are published together or not at all.",
		"Until it is published everything goes on with root 1, which expires on 2027-11-22, in 363 days.",
		"Release nothing until then: targets that are published in between make this bundle stale.",
	}
	if !slices.Equal(s.Text, want) {
		t.Errorf("it says\n%s\nwant\n%s", strings.Join(s.Text, "\n"), strings.Join(want, "\n"))
	}
}

// Alice's token was stolen and Erin is in hospital. Neither old key can sign root 2, and a plan that
// counts on them brings the wrong people together.
func TestWhoCannotSignIsNotCounted(t *testing.T) {
	w, base := repository(t)
	var erin string
	for _, s := range seatsOf(base.Roots[0]) {
		if s.name == "Erin" {
			erin = s.key.ID
		}
	}
	absent := []string{"Alice", erin}
	b := w.planRotation(base, Rotation{Replace: []Replacing{{Name: "Alice"}}, Absent: absent})
	s, err := PlanSitting(b, w.now, absent...)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"Alice", "Bob", "Carol", "Frank"}; !slices.Equal(s.Enough, want) {
		t.Errorf("enough are %q, want %q", s.Enough, want)
	}
	said := strings.Join(s.Text, "\n")
	for _, want := range []string{
		"Root 2 needs signatures by root 1's keys: of Bob (1001), Carol (1002) and Frank (1004), all of them.",
		"Not counted, because they cannot sign: Alice (1000) and Erin (1003).",
		"Bring the old tokens that are left as well.",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
}

func TestTheSmallestCompanyIsFound(t *testing.T) {
	w, base := repository(t)
	b := w.planRotation(base, Rotation{TargetsThreshold: 3})
	s, err := PlanSitting(b, w.now)
	if err != nil {
		t.Fatal(err)
	}
	// Targets want Alice, Bob and Carol; they are enough for root as well.
	if !slices.Equal(s.Enough, []string{"Alice", "Bob", "Carol"}) || !slices.Equal(s.MustCome, s.Enough) {
		t.Errorf("must come %q, enough are %q", s.MustCome, s.Enough)
	}
	w.away = []string{"Carol", "Frank"}
	part := w.done(b, base.Roots[0])
	if s, err = PlanSitting(part, w.now); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Enough, []string{"Carol"}) {
		t.Errorf("after Alice, Bob and Erin: enough are %q", s.Enough)
	}
	if got := s.Needs[len(s.Needs)-1].Text; got != "Targets 2 needs one more by its keys: of Carol (1002). Signed already: Alice and Bob." {
		t.Errorf("it says %q", got)
	}
	genesis, err := Needs(w.planGenesis())
	if err != nil || len(genesis) != 2 || genesis[0].Role != tuf.Root || !genesis[0].Keys[0].New {
		t.Errorf("a genesis: %+v, %v", genesis, err)
	}
}

func TestBothWhoAreAwayMustCome(t *testing.T) {
	w, base := repository(t)
	w.away = []string{"Bob", "Carol"}
	s := w.until(w.begin(w.planRotation(base, Rotation{TargetsThreshold: 3}), base.Roots[0]), StepSign)
	still := s.State().Still()
	if got := still[len(still)-1]; got != "Not enough keyholders are here: Bob and Carol must come." {
		t.Errorf("it says %q", got)
	}
}

// A release is signed although the live root gives targets other keys by then:
// whoever has that root could never take it.
func TestAResultThatLeavesClientsBehindIsNotConfirmed(t *testing.T) {
	w, base := repository(t)
	s := w.until(w.begin(w.planRotation(base, Rotation{Remove: []Leaving{{Name: "Frank"}}, Resign: true}), base.Roots[0]), StepConfirm)
	state := s.State()
	b := *state.bundle
	old := base.Documents[0].Metadata
	b.Documents = slices.Clone(b.Documents)
	b.Documents[1].Metadata = tuf.Unsigned(old)
	state.bundle = &b
	if err := state.At(w.now).checkClients(); ruleOf(err) != "clients" {
		t.Errorf("targets that nobody signed: %v", err)
	}
	if err := s.State().At(w.now).checkClients(); err != nil {
		t.Errorf("the right ones: %v", err)
	}
	if what := Decidable(state.rule("clients", "x", "")); what != "clients" || Decidable(state.rule("threshold", "x", "")) != "" {
		t.Errorf("people decide on %q", what)
	}
	excepted, err := state.At(w.now).Apply(Excepted{What: "clients", Reason: "they are told by mail", By: []string{"Olga", "Pat"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := excepted.checkClients(); err != nil {
		t.Errorf("with an exception on record: %v", err)
	}
	told := strings.Join(state.At(w.now).timeMachine(), "\n")
	if !strings.Contains(told, "DANGER A client at any root from 1 to 2 on 2026-11-23 ends at root 2 and is stuck") {
		t.Errorf("it is told as\n%s", told)
	}
}

// longWalk is roots 1 to n of one key, each signed as a client wants it.
func longWalk(t *testing.T, n int64, expires time.Time) []*tuf.Document {
	t.Helper()
	private, key := newKeyPair(t)
	one := tuf.RoleSpec{KeyIDs: []string{key.ID}, Threshold: 1}
	roles := map[string]tuf.RoleSpec{tuf.Root: one, tuf.Targets: one, tuf.Snapshot: one, tuf.Timestamp: one}
	var roots []*tuf.Document
	var before *tuf.Document
	for v := range n {
		root, err := tuf.NewRoot(tuf.RootSpec{Version: v + 1, Expires: expires, Keys: []tuf.HeldKey{{Key: key}}, Roles: roles})
		if err != nil {
			t.Fatal(err)
		}
		reqs, err := tuf.Requirements(tuf.Root, root, before, nil)
		if err != nil {
			t.Fatal(err)
		}
		digest := root.Digest()
		sig, err := private.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		if before, err = tuf.Attach(root, reqs, key.ID, sig); err != nil {
			t.Fatal(err)
		}
		roots = append(roots, before)
	}
	return roots
}

// Some devices have been switched off for years, and their client takes 32 roots in one refresh.
func TestAWalkThatThePolicyForbidsIsNotConfirmed(t *testing.T) {
	w := newWorld(t, threePeople...)
	roots := longWalk(t, 40, w.now.Add(365*day))
	state := State{clock: w.now, bundle: &transfer.Bundle{Base: transfer.Base{Roots: roots}}, policy: policy.Default()}
	if err := state.checkClients(); err != nil {
		t.Errorf("where the policy says nothing of it: %v", err)
	}
	state.policy = policyOf(t, `{"format": "conclave-policy/1", "compat_rules": ["root-walk"], "exception_people": {"default": 2}}`)
	if err := state.checkClients(); ruleOf(err) != ExceptClients || !strings.Contains(err.Error(), "root-walk") {
		t.Errorf("where it forbids it: %v", err)
	}
}
