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

// draftPlan builds root 1 and targets 1 of the plan.
func (s State) draftPlan() (*transfer.Bundle, []FrozenDocument, error) {
	for _, p := range s.people {
		if !p.enrolled {
			return nil, nil, s.rule("enrolment", p.name+" has not enrolled", "Enrol the token, or take the holder out of the draft as an exception.")
		}
	}
	root, err := tuf.NewRoot(s.planRoot())
	if err != nil {
		return nil, nil, s.ruleErr("freeze", err)
	}
	targets, err := tuf.NewTargets(s.planTargets())
	if err != nil {
		return nil, nil, s.ruleErr("freeze", err)
	}
	b := *s.bundle
	b.Plan = nil
	b.Documents = []transfer.Document{{Role: tuf.Root, Metadata: root}, {Role: tuf.Targets, Metadata: targets}}
	b.Tokens = slices.Clone(b.Tokens)
	for _, p := range s.people {
		b.Tokens = append(b.Tokens, p.tokens...)
	}
	var frozen []FrozenDocument
	for _, d := range b.Documents {
		frozen = append(frozen, FrozenDocument{Role: d.Role, Digest: d.Metadata.Digest().Hex()})
	}
	return &b, frozen, nil
}

// planRoot is root 1.
func (s State) planRoot() tuf.RootSpec {
	plan := s.bundle.Plan
	spec := tuf.RootSpec{Version: 1, Expires: plan.RootExpires, Practice: s.bundle.Practice}
	ids := map[string][]string{}
	for _, p := range s.people {
		key := p.keys[0]
		spec.Keys = append(spec.Keys, tuf.HeldKey{
			Key:    key,
			Holder: tuf.Holder{Name: p.name, Serial: p.tokens[0].Serial, Purpose: "primary"},
		})
		for _, role := range p.roles {
			ids[role] = append(ids[role], key.ID)
		}
	}
	online := func(role string, keys []tuf.Key) {
		for _, k := range keys {
			if !slices.ContainsFunc(spec.Keys, func(h tuf.HeldKey) bool { return h.Key.ID == k.ID }) {
				spec.Keys = append(spec.Keys, tuf.HeldKey{Key: k})
			}
			ids[role] = append(ids[role], k.ID)
		}
	}
	online(tuf.Snapshot, plan.Snapshot)
	online(tuf.Timestamp, plan.Timestamp)
	spec.Roles = map[string]tuf.RoleSpec{
		tuf.Root:      {KeyIDs: ids[tuf.Root], Threshold: plan.RootThreshold},
		tuf.Targets:   {KeyIDs: ids[tuf.Targets], Threshold: plan.TargetsThreshold},
		tuf.Snapshot:  {KeyIDs: ids[tuf.Snapshot], Threshold: 1},
		tuf.Timestamp: {KeyIDs: ids[tuf.Timestamp], Threshold: 1},
	}
	return spec
}

// planTargets is targets 1.
func (s State) planTargets() tuf.TargetsSpec {
	plan := s.bundle.Plan
	spec := tuf.TargetsSpec{Version: 1, Expires: plan.TargetsExpires, Practice: s.bundle.Practice}
	for _, f := range plan.Files {
		spec.Files = append(spec.Files, tuf.TargetFile{Path: f.Path, Length: f.Length, SHA256: f.SHA256})
	}
	return spec
}
