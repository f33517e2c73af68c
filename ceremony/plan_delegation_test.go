package ceremony

import (
	"testing"

	"conclave/ceremony/tuf"
)

func TestDelegationIsAddedChangedAndRevoked(t *testing.T) {
	w, base := repository(t)
	dana := newSoftToken(3000)
	dana.key, dana.pin = fixedKey(t, "Dana"), freshPIN
	key, err := tuf.NewKey(dana.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	w.owned["Dana"] = dana
	w.tokens.insert(dana)
	role := tuf.Delegation{
		Name: "docs", Keys: []tuf.HeldKey{{Key: key, Holder: tuf.Holder{Name: "Dana", Serial: 3000}}}, Threshold: 1, Paths: []string{"docs/*"},
	}
	expires := w.now.Add(90 * day)
	b, err := PlanDelegation(base, DelegationChange{Purpose: "docs for Dana", Add: []tuf.Delegation{role}, Expires: expires}, w.now)
	if err != nil {
		t.Fatal(err)
	}
	if got := titleOf(b); got != "targets 2 + docs 1" {
		t.Fatalf("it is %q", got)
	}
	made := w.done(b, base.Roots[0])
	if _, err := made.Verify(base.Roots[0]); err != nil {
		t.Fatal(err)
	}
	if n := len(made.Document("docs").Signatures()); n != 1 {
		t.Errorf("docs 1 has %d signatures, want Dana's", n)
	}
	next := w.next()
	after := baseOf(made)
	after.Documents = made.Documents
	role.Terminating = true
	for name, c := range map[string]DelegationChange{
		"changed": {Change: []tuf.Delegation{role}, Expires: next.now.Add(90 * day)},
		"revoked": {Revoke: []string{"docs"}, Expires: next.now.Add(90 * day)},
	} {
		b, err := PlanDelegation(after, c, next.now)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := titleOf(b); got != "targets 3" {
			t.Errorf("%s: it is %q", name, got)
		}
	}
	for name, c := range map[string]DelegationChange{
		"nothing":           {Expires: next.now.Add(90 * day)},
		"a role twice":      {Add: []tuf.Delegation{role}, Expires: next.now.Add(90 * day)},
		"one that is not":   {Revoke: []string{"none"}, Expires: next.now.Add(90 * day)},
		"an expiry of past": {Revoke: []string{"docs"}, Expires: next.now.Add(-day)},
		"bins beside roles": {Bins: &tuf.Bins{Prefix: "b", Bits: 4, Keys: role.Keys, Threshold: 1}, Expires: next.now.Add(90 * day)},
	} {
		if _, err := PlanDelegation(after, c, next.now); err == nil {
			t.Errorf("%s is planned", name)
		}
	}
}
