package transfer

import (
	"fmt"
	"maps"
	"slices"

	"conclave/ceremony/tuf"
)

// CheckBase walks the base chain from anchor and refuses a base that does not follow it or is older than
// seen (*StaleError), be it seen by this machine, by a token's record or by the live repository. A base
// that is not signed from anchor on is an *AnchorError or *tuf.ThresholdError. At genesis there is no base: anchor must
// be the bundle's own root 1, and the chain begins with it.
func (b *Bundle) CheckBase(anchor *tuf.Document, seen map[string]int64) (*tuf.Chain, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	if err := b.checkFresh(seen); err != nil {
		return nil, err
	}
	chain, err := b.checkBaseChain(anchor)
	if err != nil || chain != nil {
		return chain, err
	}
	return tuf.NewChain(b.Document(tuf.Root))
}

// checkFresh refuses a base that is older than what was seen, here or, by its
// own account, where it was planned.
func (b *Bundle) checkFresh(seen map[string]int64) error {
	for _, known := range []map[string]int64{seen, b.Base.Seen} {
		for _, role := range slices.Sorted(maps.Keys(known)) {
			if have := b.baseVersion(role); have < known[role] {
				return &StaleError{Role: role, Have: have, Seen: known[role]}
			}
		}
	}
	return nil
}

// checkBaseChain verifies the base from anchor on. At genesis it returns no
// chain, after it has seen that anchor is the bundle's own root.
func (b *Bundle) checkBaseChain(anchor *tuf.Document) (*tuf.Chain, error) {
	if anchor != nil && anchor.Type() != tuf.Root {
		return nil, &AnchorError{fmt.Sprintf("the trusted file is of type %s, not root", anchor.Type()), "Give a root.json that you trust."}
	}
	if b.Genesis() {
		return nil, b.checkGenesis(anchor)
	}
	if anchor == nil {
		return nil, &AnchorError{
			"no root is given that is trusted already",
			"Give the root.json that this machine or the printed record vouches for. One from the same stick as the bundle proves nothing.",
		}
	}
	chain, err := b.walk(anchor)
	if err != nil {
		return nil, err
	}
	return chain, b.checkBaseDocuments()
}

func (b *Bundle) checkGenesis(anchor *tuf.Document) error {
	root := b.Document(tuf.Root)
	switch {
	case root == nil:
		return &ContentError{
			What: "it has no root, neither to build on nor of its own",
			hint: "Plan it on top of the repository's root chain.",
		}
	case anchor == nil:
		return &AnchorError{
			"the bundle starts a repository, and nobody has vouched for its root 1",
			"Compare the words of its digest with the printed record of the ceremony, two people together.",
		}
	case anchor.Digest() != root.Digest():
		return &AnchorError{
			fmt.Sprintf("the bundle starts a repository with root %d, digest %s; the trusted root %d has the digest %s",
				root.Version(), root.Digest().Short(), anchor.Version(), anchor.Digest().Short()),
			"Do not publish it. Find out which of the two the ceremony made: its printed record has the digest.",
		}
	}
	return nil
}

// walk finds the anchor's place in the base and goes on from there.
func (b *Bundle) walk(anchor *tuf.Document) (*tuf.Chain, error) {
	next, err := b.rootsAfter(anchor)
	if err != nil {
		return nil, err
	}
	chain, err := tuf.NewChain(anchor)
	if err != nil {
		return nil, fmt.Errorf("check the base: %w", err)
	}
	for _, root := range next {
		if chain, err = chain.Extend(root); err != nil {
			return nil, fmt.Errorf("check the base: %w", err)
		}
	}
	return chain, nil
}

// rootsAfter are the base's roots that are newer than anchor. The base must hold
// anchor itself, or begin right after it.
func (b *Bundle) rootsAfter(anchor *tuf.Document) ([]*tuf.Document, error) {
	roots := b.Base.Roots
	first, last, trusted := roots[0].Version(), roots[len(roots)-1].Version(), anchor.Version()
	switch {
	case trusted > last:
		return nil, &StaleError{Role: tuf.Root, Have: last, Seen: trusted}
	case trusted == first-1:
		return roots, nil
	case trusted < first:
		return nil, &AnchorError{
			fmt.Sprintf("%s missing between the trusted root %d and the bundle, which begins with root %d", missingRoots(trusted+1, first-1), trusted, first),
			"Plan the bundle with the whole chain from the trusted root on, or trust a newer root after comparing its digest with the printed record.",
		}
	}
	same := roots[trusted-first]
	if same.Digest() != anchor.Digest() {
		return nil, &AnchorError{
			fmt.Sprintf("the bundle has another root %d (%s) than the trusted one (%s)", trusted, same.Digest().Short(), anchor.Digest().Short()),
			"Do not sign it. One of the two is forged or of another repository: compare the digests with the printed record.",
		}
	}
	return roots[trusted-first+1:], nil
}

func missingRoots(from, to int64) string {
	if from == to {
		return fmt.Sprintf("root %d is", from)
	}
	return fmt.Sprintf("roots %d to %d are", from, to)
}

// checkBaseDocuments: what the changes are shown against must be real. A root
// may have given the role new keys after the document was signed, so any root
// of the base may vouch for it.
func (b *Bundle) checkBaseDocuments() error {
	for _, d := range b.Base.Documents {
		if d.Role != tuf.Targets {
			continue // a delegated role is vouched for by the targets above it
		}
		if err := b.verifyBase(d); err != nil {
			return fmt.Errorf("check the base: %w", err)
		}
	}
	return nil
}

func (b *Bundle) verifyBase(d Document) (err error) {
	for _, root := range slices.Backward(b.Base.Roots) {
		var reqs []tuf.Requirement
		if reqs, err = tuf.Requirements(d.Role, d.Metadata, nil, root); err != nil {
			return err
		}
		if _, err = tuf.Verify(d.Metadata, reqs); err == nil {
			return nil
		}
	}
	return err
}
