package tuf

import (
	"errors"
	"strings"
	"testing"
)

func signedRoot(t testing.TB, spec RootSpec, trusted *Document, names ...string) *Document {
	t.Helper()
	d := mustRoot(t, spec)
	return signed(t, d, mustReqs(t, Root, d, trusted, nil), names...)
}

func TestChainGrowsByOneVerifiedRootAtATime(t *testing.T) {
	abc := []string{"Alice", "Bob", "Carol"}
	abd := []string{"Alice", "Bob", "Dana"}
	one := signedRoot(t, rootOf(1, 2, abc, abc), nil, "Alice", "Bob")
	chain, err := NewChain(one)
	if err != nil {
		t.Fatal(err)
	}
	two := rootOf(2, 2, abd, abd)
	for name, c := range map[string]struct {
		next *Document
		says string
	}{
		"signed by the new keys alone": {signedRoot(t, two, one, "Alice", "Dana"), "root 1's keys 1 of 2"},
		"signed by the old keys alone": {signedRoot(t, two, one, "Alice", "Carol"), "root 2's keys 1 of 2"},
		"the same version again":       {one, "root 1 cannot follow: root 2 must come next"},
		"a version left out":           {signedRoot(t, rootOf(3, 2, abc, abc), one, "Alice", "Bob"), "root 3 cannot follow"},
		"nothing":                      {nil, "there is no document"},
		"targets":                      {mustTargets(t, TargetsSpec{Version: 2, Expires: now}), "not root"},
	} {
		if _, err := chain.Extend(c.next); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want it to say %q", name, err, c.says)
		}
	}
	next := signedRoot(t, two, one, "Alice", "Carol", "Dana")
	longer, err := chain.Extend(next)
	if err != nil {
		t.Fatal(err)
	}
	if longer.Latest() != next || longer.First() != one || len(longer.Roots()) != 2 || len(chain.Roots()) != 1 {
		t.Error("the chain is not what it was built from")
	}
	longer.Roots()[0] = nil
	if longer.First() != one {
		t.Error("the chain was changed through its roots")
	}
}

func TestForkOfAChainDoesNotDisturbTheOther(t *testing.T) {
	abc := []string{"Alice", "Bob", "Carol"}
	one := signedRoot(t, rootOf(1, 2, abc, abc), nil, "Alice", "Bob")
	chain, err := NewChain(one)
	if err != nil {
		t.Fatal(err)
	}
	left, err1 := chain.Extend(signedRoot(t, rootOf(2, 2, abc, abc), one, "Alice", "Bob"))
	spec := rootOf(2, 3, abc, abc)
	right, err2 := chain.Extend(signedRoot(t, spec, one, "Alice", "Bob", "Carol"))
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if left.Latest().Digest() == right.Latest().Digest() {
		t.Error("one fork overwrote the other")
	}
}

func TestAnchorMustBeSignedByItself(t *testing.T) {
	abc := []string{"Alice", "Bob", "Carol"}
	_, err := NewChain(signedRoot(t, rootOf(1, 2, abc, abc), nil, "Alice"))
	var threshold *ThresholdError
	if !errors.As(err, &threshold) {
		t.Errorf("got %v", err)
	}
	if _, err := NewChain(nil); err == nil {
		t.Error("a chain of nothing")
	}
}

func TestVersionErrorSaysWhichWay(t *testing.T) {
	if h := (&VersionError{3, 5}).Hint(); !strings.Contains(h, "older") {
		t.Error(h)
	}
	if h := (&VersionError{7, 5}).Hint(); !strings.Contains(h, "every root from 5") {
		t.Error(h)
	}
}
