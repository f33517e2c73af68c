package ceremony

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// PlanAdopt makes a bundle of metadata that other tools made, signed or not, on
// base, which is empty for a first root. Signatures that verify are kept. Its error is a *PlanError or one of package tuf.
func PlanAdopt(base transfer.Base, docs []transfer.Document, purpose string, now time.Time) (*transfer.Bundle, error) {
	b, _, err := Adopt(base, docs, purpose, now)
	return b, err
}

// Adopt is PlanAdopt that also says, a sentence for each, which signatures were dropped and why.
func Adopt(base transfer.Base, docs []transfer.Document, purpose string, now time.Time) (*transfer.Bundle, []string, error) {
	b, err := adoptBase(base, docs, purpose, now)
	if err != nil {
		return nil, nil, err
	}
	b.Documents = slices.Clone(docs)
	order := []string{tuf.Root, tuf.Targets}
	rank := func(role string) int {
		if i := slices.Index(order, role); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortStableFunc(b.Documents, func(a, c transfer.Document) int {
		return cmp.Or(rank(a.Role)-rank(c.Role), strings.Compare(a.Role, c.Role))
	})
	delegated := slices.ContainsFunc(docs, func(d transfer.Document) bool { return rank(d.Role) == len(order) })
	b.Base.Documents = slices.DeleteFunc(slices.Clone(base.Documents), func(d transfer.Document) bool {
		return b.Document(d.Role) == nil && !delegated // what delegates must travel along
	})
	for i, d := range b.Documents {
		if err := adoptable(b, d, b.Documents[:i]); err != nil {
			return nil, nil, err
		}
	}
	dropped, err := cleanAll(b)
	if err != nil {
		return nil, nil, err
	}
	return b, dropped, nil
}

// adoptBase begins the bundle: on a base, or without one for a first root.
func adoptBase(base transfer.Base, docs []transfer.Document, purpose string, now time.Time) (*transfer.Bundle, error) {
	if len(docs) == 0 {
		return nil, planf("Name the metadata files, or a folder of them.", "there is nothing to adopt")
	}
	if len(base.Roots) > 0 {
		return onBase(base, purpose, now)
	}
	if err := checkPurpose(purpose); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(docs, func(d transfer.Document) bool { return d.Role == tuf.Root })
	if i < 0 || docs[i].Metadata.Version() != 1 {
		return nil, planf("Give the published repository and a root that you trust, or adopt a root 1.",
			"without a base only a first root can be adopted")
	}
	return &transfer.Bundle{Purpose: purpose, Created: wholeSecond(now), Practice: docs[i].Metadata.Practice()}, nil
}

// adoptable refuses a document that cannot follow the base.
func adoptable(b *transfer.Bundle, d transfer.Document, before []transfer.Document) error {
	version := d.Metadata.Version()
	seen := b.Base.Seen[d.Role]
	switch {
	case d.Role == tuf.Snapshot || d.Role == tuf.Timestamp:
		return planf("Leave it out: it is signed where the repository is published.", "%s is an online role", d.Role)
	case slices.ContainsFunc(before, func(o transfer.Document) bool { return o.Role == d.Role }):
		return planf("Leave one out.", "there are two documents for %s", d.Role)
	case d.Role == tuf.Root && version != seen+1:
		return planf("Roots follow one another without a gap.", "root %d cannot follow root %d", version, seen)
	case version <= seen:
		return planf("Clients refuse to go back. Give it a higher version.", "%s %d does not follow %s %d", d.Role, version, d.Role, seen)
	case d.Role == tuf.Root && d.Metadata.Practice() != b.Practice:
		return planf("Practice keys and real ones must not meet.", "root %d and its base do not agree whether this is a rehearsal", version)
	}
	return nil
}

// cleanAll drops signatures that do not verify, and names them.
func cleanAll(b *transfer.Bundle) ([]string, error) {
	var dropped []string
	for i, d := range b.Documents {
		reqs, err := b.Requirements(d.Role)
		if err != nil {
			return nil, &PlanError{What: err.Error(), Advice: hintOf(err)}
		}
		clean, gone := tuf.Clean(d.Metadata, reqs)
		for _, sig := range gone {
			why := "it is by no key that signs this document"
			for _, r := range reqs {
				if slices.ContainsFunc(r.Keys, func(k tuf.Key) bool { return k.ID == sig.KeyID }) {
					why = "it does not verify"
				}
			}
			dropped = append(dropped, fmt.Sprintf("dropped a signature on %s %d by key %s: %s", d.Role, clean.Version(), shortID(sig.KeyID), why))
		}
		b.Documents[i].Metadata = clean
	}
	return dropped, nil
}
