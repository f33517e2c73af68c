package tuf

import (
	"fmt"
	"slices"
)

// A Chain is a row of roots, each verified by the one before (TUF 5.3). Only NewChain and Extend make one.
type Chain struct{ roots []*Document }

// NewChain starts a chain at a root that the caller has decided to trust: it must be signed by its own threshold.
func NewChain(anchor *Document) (*Chain, error) {
	if err := verifyRoot(anchor, nil); err != nil {
		return nil, fmt.Errorf("start root chain: %w", err)
	}
	return &Chain{[]*Document{anchor}}, nil
}

// A VersionError says that a root is not the next one of a chain.
type VersionError struct {
	Have, Want int64
}

// Error names both versions.
func (e *VersionError) Error() string {
	return fmt.Sprintf("root %d cannot follow: root %d must come next", e.Have, e.Want)
}

// Hint says what to do about it.
func (e *VersionError) Hint() string {
	if e.Have < e.Want {
		return "this root is older than what is trusted already; look for a stale stick or copy"
	}
	return fmt.Sprintf("bring every root from %d on; clients walk the chain one by one", e.Want)
}

// Extend adds the next root: version exactly one more, signed by the threshold
// of the last root and by its own (TUF 5.3.4, 5.3.5). The chain itself is unchanged.
func (c *Chain) Extend(next *Document) (*Chain, error) {
	last := c.Latest()
	if next != nil && next.kind == Root && next.version != last.version+1 {
		return nil, fmt.Errorf("extend root chain: %w", &VersionError{next.version, last.version + 1})
	}
	if err := verifyRoot(next, last); err != nil {
		return nil, fmt.Errorf("extend root chain: %w", err)
	}
	return &Chain{append(slices.Clone(c.roots), next)}, nil
}

func verifyRoot(doc, trusted *Document) error {
	reqs, err := Requirements(Root, doc, trusted, nil)
	if err != nil {
		return err
	}
	_, err = Verify(doc, reqs)
	return err
}

// Latest is the newest root of the chain.
func (c *Chain) Latest() *Document { return c.roots[len(c.roots)-1] }

// First is the anchor.
func (c *Chain) First() *Document { return c.roots[0] }

// Roots lists all roots of the chain in order.
func (c *Chain) Roots() []*Document { return slices.Clone(c.roots) }
