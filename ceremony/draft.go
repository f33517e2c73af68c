package ceremony

import (
	"slices"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// draft makes the bundle that is to be frozen: from the plan and the keys that
// were enrolled, or from the bundle's own documents without their dead signatures.
// The same state always gives the same bytes. The base was checked when the
// ceremony was opened, and cannot change.
func (s State) draft() (*transfer.Bundle, []FrozenDocument, error) {
	if s.bundle.Plan != nil {
		return s.draftPlan()
	}
	return s.draftDocuments()
}

// draftDocuments takes the bundle's documents as they are, but for signatures that do not verify.
func (s State) draftDocuments() (*transfer.Bundle, []FrozenDocument, error) {
	b := s.bundle
	var frozen []FrozenDocument
	for _, d := range s.bundle.Documents {
		reqs, err := s.bundle.Requirements(d.Role)
		if err != nil {
			return nil, nil, s.ruleErr("freeze", err)
		}
		clean, dropped := tuf.Clean(d.Metadata, reqs)
		f := FrozenDocument{Role: d.Role, Digest: clean.Digest().Hex()}
		for _, sig := range dropped {
			f.Dropped = append(f.Dropped, sig.KeyID)
		}
		if len(dropped) > 0 {
			b = b.With(d.Role, clean)
		}
		frozen = append(frozen, f)
	}
	return b, frozen, nil
}

// draftPlan builds the documents of the plan.
func (s State) draftPlan() (*transfer.Bundle, []FrozenDocument, error) {
	var made []madeKey
	b := *s.bundle
	b.Tokens = slices.Clone(b.Tokens)
	for _, p := range s.people {
		if len(p.toMake) > 0 {
			return nil, nil, s.rule("enrolment", p.name+" has not enrolled", "Enrol the token, or take the holder out of the draft as an exception.")
		}
		for _, m := range p.made {
			made = append(made, m)
			b.Tokens = append(b.Tokens, m.evidence)
		}
	}
	if err := buildPlan(&b, made); err != nil {
		return nil, nil, s.ruleErr("freeze", err)
	}
	var frozen []FrozenDocument
	for i, d := range b.Documents {
		dropped, err := s.signedBefore(&b, i)
		if err != nil {
			return nil, nil, s.ruleErr("freeze", err)
		}
		frozen = append(frozen, FrozenDocument{Role: d.Role, Digest: d.Metadata.Digest().Hex(), Dropped: dropped})
	}
	return &b, frozen, nil
}

// signedBefore gives a document that was just built the signatures that an earlier draft of it has,
// where nothing in it changed. The keyids of those that count no more are dropped.
func (s State) signedBefore(b *transfer.Bundle, i int) (dropped []string, err error) {
	d := b.Documents[i]
	if s.bundle.Plan.Rotation == nil {
		return nil, nil
	}
	for _, before := range s.bundle.Plan.Rotation.Signed {
		if before.Role != d.Role || before.Metadata.Digest() != d.Metadata.Digest() {
			continue
		}
		reqs, err := b.Requirements(d.Role)
		if err != nil {
			return nil, err
		}
		clean, gone := tuf.Clean(before.Metadata, reqs)
		b.Documents[i].Metadata = clean
		for _, sig := range gone {
			dropped = append(dropped, sig.KeyID)
		}
	}
	return dropped, nil
}
