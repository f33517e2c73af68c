package transfer

import (
	"errors"
	"strings"
	"testing"

	"conclave/ceremony/tuf"
)

func TestACompleteBundleIsProved(t *testing.T) {
	g, r, rot := genesis(t, "Alice", "Bob"), release(t, "Alice", "Carol"), rotation(t, "Alice", "Carol", "Dana")
	for name, c := range map[string]struct {
		b      *Bundle
		anchor *tuf.Document
		roots  int
	}{
		"a genesis, its digest compared": {g, tuf.Unsigned(g.Root()), 1},
		"a release":                      {r, r.TrustedRoot(), 1},
		"a rotation from its first root": {rot, rot.Base.Roots[0], 3},
		"a rotation from its last root":  {rot, rot.Base.Roots[1], 2},
		"a base that begins right after": {withoutFirstRoot(rot), rot.Base.Roots[0], 3},
	} {
		t.Run(name, func(t *testing.T) {
			proof, err := c.b.Verify(c.anchor)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(proof.Chain().Roots()); n != c.roots {
				t.Errorf("the chain has %d roots, want %d", n, c.roots)
			}
			if proof.Chain().Latest().Digest() != c.b.Root().Digest() {
				t.Error("the chain does not end with the root that will be in force")
			}
			for _, d := range c.b.Documents {
				if v := proof.Document(d.Role); v == nil || v.Document().Digest() != d.Metadata.Digest() {
					t.Errorf("no proof for %s", d.Role)
				}
			}
			if proof.Document("none") != nil {
				t.Error("there is proof of what is not there")
			}
		})
	}
}

func withoutFirstRoot(b *Bundle) *Bundle {
	c := b.clone()
	c.Base.Roots = c.Base.Roots[1:]
	return c
}

// The proof is of the bundle as it was verified, whatever its owner does to it afterwards.
func TestAProofDoesNotChange(t *testing.T) {
	r := release(t, "Alice", "Bob")
	proof, err := r.Verify(r.TrustedRoot())
	if err != nil {
		t.Fatal(err)
	}
	r.Documents[0].Metadata = newTargets(t, 2, "evil.bin")
	if proof.Bundle().Document(tuf.Targets).Digest() == r.Documents[0].Metadata.Digest() {
		t.Error("the proof took on what was never verified")
	}
}

func TestOnlySignaturesMissing(t *testing.T) {
	g := genesis(t)
	for name, c := range map[string]struct {
		b      *Bundle
		anchor *tuf.Document
		says   string
	}{
		"nobody signed":                      {release(t), release(t).TrustedRoot(), "0 of 2"},
		"one short":                          {release(t, "Bob"), release(t).TrustedRoot(), "1 of 2"},
		"a genesis that nobody signed":       {g, g.Root(), "0 of 2"},
		"enough of the new, too few old":     {rotation(t, "Alice", "Dana"), rotationBase(t).Roots[0], "root 2's keys 1 of 2"},
		"enough of the old, too few new":     {rotation(t, "Alice", "Carol"), rotationBase(t).Roots[0], "root 3's keys 1 of 2"},
		"targets unsigned under a good root": {sign(t, g, tuf.Root, "Alice", "Bob"), g.Root(), "verify targets 1"},
	} {
		t.Run(name, func(t *testing.T) {
			proof, err := c.b.Verify(c.anchor)
			var missing *tuf.ThresholdError
			if proof != nil || !errors.As(err, &missing) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Verify = %v, %v; want a *tuf.ThresholdError that says %q", proof, err, c.says)
			}
		})
	}
}

// The root lacks signatures, which is no fault; another document belongs to nobody, which is one.
func TestAMissingSignatureDoesNotHideAWrongDocument(t *testing.T) {
	b := genesis(t) // the root is unsigned: only a threshold error
	b = b.With("orphan", newTargets(t, 1))
	_, err := b.Verify(b.Root())
	var missing *tuf.ThresholdError
	if err == nil || errors.As(err, &missing) {
		t.Errorf("Verify = %v, want the document that nobody delegates to", err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	g, r, rot := genesis(t, "Alice", "Bob"), release(t, "Alice", "Bob"), rotation(t, "Alice", "Carol", "Dana")
	otherGenesis := sign(t, (&Bundle{}).With(tuf.Root, newRoot(t, 1, "Mallory", "Dana")), tuf.Root, "Mallory", "Dana")
	versions := func(role string, doc *tuf.Document) *Bundle { return r.With(role, doc) }
	for name, c := range map[string]struct {
		b      *Bundle
		anchor *tuf.Document
		says   string
	}{
		"a plan":                                 {plan(), g.Root(), "nothing to verify"},
		"a genesis that nobody vouches for":      {g, nil, "nobody has vouched"},
		"a genesis with another root":            {g, otherGenesis.Root(), "the trusted root 1 has the digest"},
		"a release without a trusted root":       {r, nil, "no root is given"},
		"a release under a foreign root":         {r, otherGenesis.Root(), "another root 1"},
		"an anchor that is no root":              {r, newTargets(t, 1), "not root"},
		"an anchor newer than the base":          {r, newRoot(t, 2, "Alice", "Bob"), "builds on root 1; version 2 was seen"},
		"a chain with a missing root":            {onlyRoot(rot, 1, 5), rot.Base.Roots[0], "roots 2 to 4 are missing"},
		"targets that are not newer":             {versions(tuf.Targets, newTargets(t, 1, "x")), r.TrustedRoot(), "brings targets 1 where targets 1 is in force"},
		"a root that skips one":                  {versions(tuf.Root, newRoot(t, 3, "Alice", "Bob")), r.TrustedRoot(), "root 3 where root 2 must come next"},
		"a root that stands still":               {versions(tuf.Root, newRoot(t, 1, "Alice", "Bob")), r.TrustedRoot(), "root 1 where root 2 must come next"},
		"a genesis that begins with root 2":      {(&Bundle{}).With(tuf.Root, newRoot(t, 2, "Alice", "Bob")), newRoot(t, 2, "Alice", "Bob"), "root 2 where root 1 must come next"},
		"targets on a base that nobody signed":   {withBase(r, newTargets(t, 1, "app-1.bin")), r.TrustedRoot(), "signatures are missing"},
		"a base root that its elders never made": {foreignBase(t, rot), rot.Base.Roots[0], "signatures are missing"},
		"documents without any root":             {(&Bundle{}).With(tuf.Targets, newTargets(t, 1)), g.Root(), "has no root"},
	} {
		t.Run(name, func(t *testing.T) {
			proof, err := c.b.Verify(c.anchor)
			if proof != nil || err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("Verify = %v, %v; want a refusal that says %q", proof, err, c.says)
			}
			wantHint(t, err)
		})
	}
}

// onlyRoot gives b a base of one root, renumbered in place of the version.
func onlyRoot(b *Bundle, from int, version int64) *Bundle {
	c := b.clone()
	c.Base.Roots = c.Base.Roots[from:]
	doc, err := tuf.RenewRoot(c.Base.Roots[0], version, today)
	if err != nil {
		panic(err)
	}
	c.Base.Roots[0] = doc
	return c.With(tuf.Root, must(tuf.RenewRoot(doc, version+1, today)))
}

func must(doc *tuf.Document, err error) *tuf.Document {
	if err != nil {
		panic(err)
	}
	return doc
}

func withBase(b *Bundle, targets *tuf.Document) *Bundle {
	c := b.clone()
	c.Base.Documents[0].Metadata = targets
	return c
}

// foreignBase puts a root 2 into the base that only its own new holders signed.
func foreignBase(t *testing.T, b *Bundle) *Bundle {
	t.Helper()
	forged := &Bundle{}
	forged = sign(t, forged.With(tuf.Root, newRoot(t, 2, "Mallory", "Dana")), tuf.Root, "Mallory", "Dana")
	c := b.clone()
	c.Base.Roots[1] = forged.Root()
	return c
}
