package ceremony

import (
	"slices"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// A document is one frozen payload and who has signed it. It is made anew for every signature.
type document struct {
	role    string
	version int64
	digest  tuf.Digest
	tallies []tuf.Tally
}

// newDocument counts the bundle's document for role.
func newDocument(b *transfer.Bundle, role string) (document, error) {
	reqs, err := b.Requirements(role)
	if err != nil {
		return document{}, err
	}
	doc := b.Document(role)
	return document{role: role, version: doc.Version(), digest: doc.Digest(), tallies: tuf.Count(doc, reqs)}, nil
}

// newDocuments counts every document of the bundle.
func newDocuments(b *transfer.Bundle) ([]document, error) {
	var docs []document
	for _, d := range b.Documents {
		doc, err := newDocument(b, d.Role)
		if err != nil {
			return nil, err
		}
		docs = append(docs, doc)
	}
	return docs, nil
}

func (d document) requirements() []tuf.Requirement {
	reqs := make([]tuf.Requirement, 0, len(d.tallies))
	for _, t := range d.tallies {
		reqs = append(reqs, t.Requirement)
	}
	return reqs
}

// has reports whether the key listed as keyid has signed.
func (d document) has(keyid string) bool {
	for _, t := range d.tallies {
		for _, s := range t.Signers {
			if s.Key.ID == keyid && s.Signed {
				return true
			}
		}
	}
	return false
}

func (d document) complete() bool {
	return !slices.ContainsFunc(d.tallies, func(t tuf.Tally) bool { return !t.Complete() })
}

// A claim is what one keyid means for one document.
type claim struct {
	keyid   string
	counts  []string // requirements that list it
	open    bool     // it may sign: some requirement lists it, has no signature by it and none by another key of its holder
	needed  bool     // and that requirement is not met yet
	signed  bool     // every requirement that lists it has its signature
	another string   // the requirement for which another key of the same holder was counted
	by      uint32   // the token of that key; 0 where nobody knows
}

// claims lists what the key spki means for d: one claim for each keyid that it is listed under.
func (d document) claims(spki tuf.Digest) []claim {
	var claims []claim
	for _, t := range d.tallies {
		for _, s := range t.Signers {
			if s.Key.SPKI != spki {
				continue
			}
			i := slices.IndexFunc(claims, func(c claim) bool { return c.keyid == s.Key.ID })
			if i < 0 {
				i = len(claims)
				claims = append(claims, claim{keyid: s.Key.ID, signed: true})
			}
			claims[i].add(t, s)
		}
	}
	return claims
}

func (c *claim) add(t tuf.Tally, s tuf.Signer) {
	c.counts = append(c.counts, t.Requirement.Name)
	c.signed = c.signed && s.Signed
	other, counted := t.CountedBy(s)
	switch {
	case s.Signed:
	case counted:
		c.another, c.by = t.Requirement.Name, other.Holder.Serial
	default:
		c.open = true
		c.needed = c.needed || !t.Complete()
	}
}

// Tallies counts every requirement of every document; empty before freeze.
func (s State) Tallies() []transfer.RoleTally {
	var all []transfer.RoleTally
	for _, d := range s.documents {
		for _, t := range d.tallies {
			all = append(all, transfer.RoleTally{Role: d.role, Tally: t})
		}
	}
	return all
}

// Complete reports whether nothing more must sign.
func (s State) Complete() bool {
	return len(s.documents) > 0 &&
		!slices.ContainsFunc(s.documents, func(d document) bool { return !d.complete() })
}

// document is the frozen document for role.
func (s State) document(role string) (document, bool) {
	i := slices.IndexFunc(s.documents, func(d document) bool { return d.role == role })
	if i < 0 {
		return document{}, false
	}
	return s.documents[i], true
}
