package ceremony

import (
	"context"
	"crypto"
	"errors"
	"slices"
	"strings"
	"testing"

	"conclave/ceremony/policy"
	"conclave/ceremony/preflight"
)

func policyOf(t *testing.T, file string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// strict lets nobody go below 3 signatures for root, and three people decide on it.
const strict = `{"format": "conclave-policy/1", "name": "strict", "roles": {"root": {"min_threshold": 3}},
	"exception_people": {"default": 2, "threshold": 3}}`

func TestWhatBreaksThePolicyIsDecidedByAsManyPeopleAsItNames(t *testing.T) {
	w := newWorld(t, threePeople...)
	w.cfg.Policy = policyOf(t, strict)
	s := w.begin(w.planGenesis(), nil)
	if _, err := s.Preflight(context.Background()); err != nil {
		t.Fatal(err)
	}
	check := s.State().Checks()[len(s.State().Checks())-1]
	text := check.Text + "\n" + strings.Join(check.Detail, "\n") + "\n" + check.Fix
	digest := w.cfg.Policy.Digest()
	for _, want := range []string{
		"strict: 1 rule is broken", "root 1 has a threshold of 2 for root; the policy demands 3.",
		digest.String(), strings.Join(digest.Words()[:6], " "), "3 different people decide",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if n := s.State().Deciders(CheckPolicy); n != 3 {
		t.Errorf("%d people decide, want 3", n)
	}
	if err := s.Except(CheckPolicy, "two are ill", []string{"Olga", "Pat"}); ruleOf(err) != "exception" {
		t.Errorf("by two people: %v", err)
	}
	if err := s.PassPreflight([]string{"Olga", "Pat"}); ruleOf(err) != "preflight" {
		t.Errorf("without a decision: %v", err)
	}
	if err := s.Except(CheckPolicy, "two are ill", []string{"Olga", "Pat", "Quinn"}); err != nil {
		t.Fatal(err)
	}
	if err := w.hold(s); err != nil {
		t.Fatal(err)
	}
}

func TestNoDecisionHelpsWhereThePolicyAllowsNone(t *testing.T) {
	w := newWorld(t, threePeople...)
	w.cfg.Policy = policyOf(t, strings.Replace(strict, `"threshold": 3}`, `"threshold": 0}`, 1))
	s := w.begin(w.planGenesis(), nil)
	if _, err := s.Preflight(context.Background()); err != nil {
		t.Fatal(err)
	}
	err := s.Except(CheckPolicy, "everybody wants it", []string{"Olga", "Pat", "Quinn", "Ravi"})
	if ruleOf(err) != "exception" || !strings.Contains(err.Error(), "allows no exception") {
		t.Errorf("error is %v", err)
	}
}

// Nobody goes round at enrolment what the policy never allows.
func TestNobodyDecidesOnAttestationWhereThePolicyAllowsNoException(t *testing.T) {
	w := newWorld(t, threePeople...)
	w.cfg.Policy = policyOf(t, `{"format": "conclave-policy/1", "attestation_required": true, "exception_people": {"default": 2, "attestation": 0}}`)
	s := w.begin(w.planGenesis(), nil)
	if err := s.Except(ExceptAttestation, "old tokens", []string{"Olga", "Pat"}); ruleOf(err) != "exception" {
		t.Errorf("error is %v", err)
	}
}

// Two people who are in a hurry accept already at preflight that clients are left behind. The policy forbids it.
func TestThePolicySaysWhoMayLeaveClientsBehind(t *testing.T) {
	two := []string{"Olga", "Pat"}
	for _, c := range []struct {
		name, rules, what string
		deciders          int
	}{
		{"nobody", `"compat_rules": ["client-simulation"], "exception_people": {"default": 2, "client-simulation": 0}`, ExceptClients, 0},
		{"three people", `"compat_rules": ["client-simulation", "root-walk"], "exception_people": {"default": 2, "root-walk": 3}`, ExceptClients, 3},
		{"anybody, where it does not list the rule", `"exception_people": {"default": 0}`, ExceptClients, 2},
		{"nobody, of what has expired", `"exception_people": {"default": 2, "expiry": 0}`, ExceptExpiry, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, threePeople...)
			w.cfg.Policy = policyOf(t, `{"format": "conclave-policy/1", `+c.rules+`}`)
			s := w.begin(w.planGenesis(), nil)
			if n := s.State().Deciders(c.what); n != c.deciders {
				t.Errorf("%d decide, want %d", n, c.deciders)
			}
			if err := s.Except(c.what, "they are told by mail", two); (err == nil) != (c.deciders == 2) {
				t.Errorf("two people: %v", err)
			}
		})
	}
}

// With a policy of one decider, one person alone could go round every rule.
func TestEveryExceptionTakesTwoPeopleWhateverThePolicySays(t *testing.T) {
	w := newWorld(t, threePeople...)
	w.cfg.Policy = policyOf(t, `{"format": "conclave-policy/1", "exception_people": {"default": 1}}`)
	s := w.begin(w.planGenesis(), nil)
	for _, what := range []string{"network", "something else", ExceptAttestation} {
		if n := s.State().Deciders(what); n != 2 {
			t.Errorf("%d decide on %s, want 2", n, what)
		}
	}
}

// Nobody knew at preflight that a token would break.
func TestWhatBreaksThePolicyOnlyAtFreezeStopsThere(t *testing.T) {
	w := newWorld(t, threePeople...)
	s := w.until(w.begin(w.planGenesis(), nil), StepEnrolment)
	for _, name := range []string{"Alice", "Bob"} {
		if err := w.enrolOne(s, name, name, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Drop("Carol", "the token is broken", []string{"Olga", "Pat"}); err != nil {
		t.Fatal(err)
	}
	if open := s.State().Open(); !slices.Equal(open, []string{CheckPolicy}) {
		t.Fatalf("open at freeze: %v", open)
	}
	err := s.Freeze()
	if ruleOf(err) != "policy" || !strings.Contains(err.Error(), "root 1 has 2 of 2 keys for root") {
		t.Errorf("error is %v", err)
	}
	if err := s.Except(CheckPolicy, "Carol comes next week", []string{"Olga", "Pat"}); err != nil {
		t.Fatal(err)
	}
	if err := w.hold(s); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsDecidedAtEnrolmentIsNotAskedForAgain(t *testing.T) {
	w := newWorld(t, threePeople...)
	w.cfg.Genuine = func(Evidence, crypto.PublicKey, bool) (Provenance, error) {
		return Provenance{}, errors.New("no chain to a root")
	}
	s := w.until(w.begin(w.planGenesis(), nil), StepEnrolment)
	if err := w.enrolOne(s, "Alice", "Alice", 0); ruleOf(err) != "attestation" {
		t.Fatalf("without a decision: %v", err)
	}
	if err := s.Except(ExceptAttestation, "old tokens", []string{"Olga", "Pat"}); err != nil {
		t.Fatal(err)
	}
	w.until(s, StepFreeze)
	checks := s.State().Checks()
	if c := checks[len(checks)-1]; !strings.Contains(strings.Join(c.Detail, " "), "Alice's key") {
		t.Errorf("the freeze does not name the key: %v", c.Detail)
	}
	if open := s.State().Open(); len(open) > 0 {
		t.Errorf("open at freeze: %v", open)
	}
	if err := w.hold(s); err != nil {
		t.Fatal(err)
	}
}

// The cable was accepted; the radio that came up later was not.
func TestDecisionCoversNothingThatIsFoundLater(t *testing.T) {
	w := newWorld(t, threePeople...)
	live := []string{"live eth0"}
	w.cfg.Inspect = func(context.Context) []preflight.Check {
		return []preflight.Check{{Name: "network", Status: preflight.Stop, Text: strings.Join(live, ", "), Found: live}}
	}
	s := w.until(w.begin(w.planGenesis(), nil), StepSign)
	v := w.visitor(s, "Alice")
	live = []string{"live eth0", "live wlan0"}
	if err := s.Sign(context.Background(), v, v.Acts[0], testPIN(t, freshPIN), 0); ruleOf(err) != "preflight" {
		t.Fatalf("error is %v, want the rule about the preflight", err)
	}
	live = []string{"live eth0"}
	if err := s.Sign(context.Background(), v, v.Acts[0], testPIN(t, freshPIN), 0); err != nil {
		t.Errorf("as it was accepted: %v", err)
	}
}

// Somebody edits the policy file between the evening and the morning.
func TestResumeRefusesAnotherPolicy(t *testing.T) {
	w := newWorld(t, threePeople...)
	w.cfg.Policy = policyOf(t, strict)
	if err := w.begin(w.planGenesis(), nil).Close(); err != nil {
		t.Fatal(err)
	}
	other := w.cfg
	other.Policy = policyOf(t, strings.Replace(strict, `"threshold": 3}`, `"threshold": 2}`, 1))
	if _, err := Resume(other); ruleOf(err) != "policy" {
		t.Errorf("with a changed policy: %v", err)
	}
	other.Policy = nil
	s, err := Resume(other)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.State().Policy().Digest(); got != w.cfg.Policy.Digest() {
		t.Errorf("the resumed ceremony follows policy %s", got)
	}
}
