package transfer

import (
	"errors"
	"testing"

	"conclave/ceremony/tuf"
)

// An old stick comes back, by mistake or to turn the repository back.
func TestAStaleBaseIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		seen map[string]int64
		want StaleError
	}{
		"an older root than seen":      {map[string]int64{tuf.Root: 2}, StaleError{tuf.Root, 1, 2}},
		"older targets than seen":      {map[string]int64{tuf.Root: 1, tuf.Targets: 5}, StaleError{tuf.Targets, 1, 5}},
		"an older timestamp than seen": {map[string]int64{tuf.Timestamp: 8}, StaleError{tuf.Timestamp, 7, 8}},
		"a role that it does not know": {map[string]int64{"delegated": 3}, StaleError{"delegated", 0, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			b := release(t)
			chain, err := b.CheckBase(b.TrustedRoot(), c.seen)
			var stale *StaleError
			if chain != nil || !errors.As(err, &stale) || *stale != c.want {
				t.Fatalf("CheckBase = %v, %v; want %v", chain, err, &c.want)
			}
			wantHint(t, err)
		})
	}
}

func TestAFreshBaseIsTaken(t *testing.T) {
	b := release(t)
	for name, seen := range map[string]map[string]int64{
		"nothing was seen":   nil,
		"the same was seen":  {tuf.Root: 1, tuf.Targets: 1, tuf.Snapshot: 1, tuf.Timestamp: 7},
		"older was seen":     {tuf.Timestamp: 3},
		"only root was seen": {tuf.Root: 1},
	} {
		t.Run(name, func(t *testing.T) {
			chain, err := b.CheckBase(b.TrustedRoot(), seen)
			if err != nil || chain.Latest().Digest() != b.TrustedRoot().Digest() {
				t.Errorf("CheckBase = %v, %v", chain, err)
			}
		})
	}
}

// The bundle itself says that newer targets were seen where it was planned than those that it carries.
func TestABaseOlderThanItsOwnAccountIsRefused(t *testing.T) {
	b := rotation(t)
	b.Base.Seen = map[string]int64{tuf.Root: 3}
	var stale *StaleError
	if _, err := b.CheckBase(b.Base.Roots[0], nil); !errors.As(err, &stale) {
		t.Errorf("CheckBase = %v, want a *StaleError", err)
	}
}

func TestTheBaseOfAGenesisIsItsOwnRoot(t *testing.T) {
	b := genesis(t, "Alice", "Bob")
	if chain, err := b.CheckBase(b.Root(), nil); err != nil || chain.Latest().Version() != 1 {
		t.Errorf("CheckBase = %v, %v", chain, err)
	}
	_, err := b.CheckBase(nil, nil)
	var anchor *AnchorError
	if !errors.As(err, &anchor) {
		t.Errorf("CheckBase without an anchor = %v, want an *AnchorError", err)
	}
	wantHint(t, err)
	var stale *StaleError
	if _, err := b.CheckBase(b.Root(), map[string]int64{tuf.Root: 4}); !errors.As(err, &stale) {
		t.Errorf("CheckBase of a second genesis = %v, want a *StaleError", err)
	}
	if _, err := plan().CheckBase(nil, nil); err == nil {
		t.Error("a plan has a base")
	}
}

// Root 2 gave targets new keys. The targets in force were signed before that.
func TestBaseDocumentsMayBeOlderThanTheNewestRoot(t *testing.T) {
	first := genesis(t, "Alice", "Bob")
	second := (&Bundle{Base: Base{Roots: []*tuf.Document{first.Root()}}}).With(tuf.Root, newRoot(t, 2, "Carol", "Dana"))
	second = sign(t, second, tuf.Root, "Alice", "Bob", "Carol", "Dana")
	b := &Bundle{
		Base: Base{
			Roots:     []*tuf.Document{first.Root(), second.Root()},
			Documents: []Document{{tuf.Targets, first.Document(tuf.Targets)}},
		},
		Documents: []Document{{tuf.Targets, newTargets(t, 2)}},
	}
	if _, err := b.CheckBase(first.Root(), nil); err != nil {
		t.Errorf("CheckBase = %v", err)
	}
}

func TestRealChains(t *testing.T) {
	for _, c := range []struct {
		dir         string
		from, until int64
	}{
		{"sigstore-staging-roots", 1, 14},
		{"sigstore-roots", 5, 15},
		{"tuf-demo", 1, 5},
	} {
		t.Run(c.dir, func(t *testing.T) {
			roots := realRoots(t, c.dir, c.from, c.until)
			last := len(roots) - 1
			b := &Bundle{Base: Base{Roots: roots[:last]}, Documents: []Document{{tuf.Root, roots[last]}}, Created: today}
			b = mustParse(t, mustBytes(t, b))
			for i, anchor := range roots[:last] {
				proof, err := b.Verify(anchor)
				if err != nil {
					t.Fatalf("from root %d: %v", anchor.Version(), err)
				}
				if n := len(proof.Chain().Roots()); n != len(roots)-i {
					t.Errorf("from root %d the chain has %d roots, want %d", anchor.Version(), n, len(roots)-i)
				}
			}
		})
	}
}
