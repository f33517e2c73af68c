package transfer

import (
	"errors"
	"fmt"

	"conclave/ceremony/tuf"
)

// Complete is proof that every document of a bundle met every requirement from
// a trusted root on. Only Verify makes one.
type Complete struct {
	bundle    *Bundle
	chain     *tuf.Chain
	documents map[string]*tuf.Verified
}

// Bundle gives back what was proved.
func (c *Complete) Bundle() *Bundle { return c.bundle }

// Chain is the row of roots from the anchor on; it ends with the bundle's own root where it has one.
func (c *Complete) Chain() *tuf.Chain { return c.chain }

// Document is the proof for one role, or nil where the bundle has no document for it.
func (c *Complete) Document(role string) *tuf.Verified { return c.documents[role] }

// Verify checks the base chain from anchor, then every document. anchor is a root that the
// caller trusts, never one from the bundle; at genesis it is the bundle's own root 1 after a human comparison of its digest.
// The error is a *tuf.ThresholdError (wrapped) where only signatures are missing, and a *ContentError where one is dead. Expiry
// is not looked at: that needs a clock, and is the ceremony's and the publisher's.
func (b *Bundle) Verify(anchor *tuf.Document) (*Complete, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	if len(b.Documents) == 0 {
		return nil, &ContentError{
			What: "it is a plan, with nothing to verify",
			hint: "Hold its ceremony first: conclave sign.",
		}
	}
	if err := b.checkVersions(); err != nil {
		return nil, err
	}
	chain, err := b.checkBaseChain(anchor)
	if err != nil {
		return nil, err
	}
	if err := b.CheckSignatures(); err != nil {
		return nil, err
	}
	c := &Complete{bundle: b.clone(), documents: make(map[string]*tuf.Verified, len(b.Documents))}
	if err := c.verifyDocuments(); err != nil {
		return nil, err
	}
	c.chain, err = b.wholeChain(chain)
	return c, err
}

// verifyDocuments goes through all of them: an error that only signatures are
// missing must not hide that another document is wrong.
func (c *Complete) verifyDocuments() error {
	var missing error
	for _, d := range c.bundle.Documents {
		verified, err := c.bundle.verifyDocument(d)
		var threshold *tuf.ThresholdError
		switch {
		case errors.As(err, &threshold):
			missing = errors.Join(missing, err)
		case err != nil:
			return err
		}
		c.documents[d.Role] = verified
	}
	return missing
}

func (b *Bundle) verifyDocument(d Document) (*tuf.Verified, error) {
	reqs, err := b.requirements(d.Role, d.Metadata)
	if err != nil {
		return nil, err
	}
	return tuf.VerifyPeople(d.Metadata, reqs)
}

// wholeChain ends the chain with the bundle's own root. At genesis chain is nil.
func (b *Bundle) wholeChain(chain *tuf.Chain) (*tuf.Chain, error) {
	root := b.Document(tuf.Root)
	switch {
	case chain == nil:
		return tuf.NewChain(root)
	case root != nil:
		return chain.Extend(root)
	}
	return chain, nil
}

// checkVersions: a root is exactly the next one (TUF 5.3.5), every other
// document is newer than all that was seen of it (TUF 5.6.4; more than one step
// is allowed, for the recovery from a fast-forward attack needs it).
func (b *Bundle) checkVersions() error {
	for _, d := range b.Documents {
		have, base := d.Metadata.Version(), b.baseVersion(d.Role)
		switch {
		case d.Role == tuf.Root && have != base+1:
			return &ContentError{
				What: fmt.Sprintf("it brings root %d where root %d must come next", have, base+1),
				hint: "Clients walk the roots one by one. Plan again from what is published now.",
			}
		case have <= base:
			return &ContentError{
				What: fmt.Sprintf("it brings %s %d where %s %d is in force already", d.Role, have, d.Role, base),
				hint: "Clients refuse what is not newer. Plan again from what is published now.",
			}
		}
	}
	return nil
}

// baseVersion is the version of role that the bundle builds on, 0 for none.
func (b *Bundle) baseVersion(role string) int64 {
	var version int64
	if doc := b.Base.Document(role); doc != nil {
		version = doc.Version()
	}
	if role == tuf.Root && version > 0 {
		return version // the chain says it; seen may only be newer, which CheckBase refuses
	}
	return max(version, b.Base.Seen[role])
}
