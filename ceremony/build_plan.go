package ceremony

import (
	"slices"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// A madeKey is a key that a token made at the ceremony, for a planned holder.
type madeKey struct {
	name          string
	key           tuf.Key
	evidence      transfer.Evidence
	root, targets bool
	backup        bool
}

// buildPlan turns b's plan into documents: with the keys that exist, and those that were made.
// The same plan and keys always give the same bytes.
func buildPlan(b *transfer.Bundle, made []madeKey) error {
	root, err := tuf.NewRoot(rootSpec(b, made))
	if err != nil {
		return err
	}
	docs := []transfer.Document{{Role: tuf.Root, Metadata: root}}
	targets, err := plannedTargets(b)
	if err != nil {
		return err
	}
	if targets != nil {
		docs = append(docs, transfer.Document{Role: tuf.Targets, Metadata: targets})
	}
	b.Plan, b.Documents = nil, docs
	return nil
}

// rootSpec is the plan's root: first the keys that stay, then those that join, then those that were made.
func rootSpec(b *transfer.Bundle, made []madeKey) tuf.RootSpec {
	plan, trusted := b.Plan, b.TrustedRoot()
	spec := tuf.RootSpec{Version: 1, Expires: plan.RootExpires, Practice: b.Practice, Base: trusted}
	ids := map[string][]string{}
	seat := func(held tuf.HeldKey, root, targets bool) {
		spec.Keys = append(spec.Keys, held)
		if root {
			ids[tuf.Root] = append(ids[tuf.Root], held.Key.ID)
		}
		if targets {
			ids[tuf.Targets] = append(ids[tuf.Targets], held.Key.ID)
		}
	}
	if trusted != nil {
		spec.Version = trusted.Version() + 1
		keys, holders := trusted.Keys(), trusted.Holders()
		for _, k := range plan.Rotation.Keep {
			seat(tuf.HeldKey{Key: keys[k.KeyID], Holder: holders[k.KeyID]}, k.Root, k.Targets)
		}
		for _, k := range plan.Rotation.Join {
			seat(tuf.HeldKey{Key: k.Key, Holder: tuf.Holder{Name: k.Holder, Serial: k.Serial, Purpose: purposeOf(k.Backup)}}, k.Root, k.Targets)
		}
	}
	for _, m := range made {
		seat(tuf.HeldKey{Key: m.key, Holder: tuf.Holder{Name: m.name, Serial: m.evidence.Serial, Purpose: purposeOf(m.backup)}}, m.root, m.targets)
	}
	spec.Roles = map[string]tuf.RoleSpec{
		tuf.Root:    {KeyIDs: ids[tuf.Root], Threshold: plan.RootThreshold},
		tuf.Targets: {KeyIDs: ids[tuf.Targets], Threshold: plan.TargetsThreshold},
	}
	seatOnline(&spec, trusted, tuf.Snapshot, plan.Snapshot)
	seatOnline(&spec, trusted, tuf.Timestamp, plan.Timestamp)
	return spec
}

// seatOnline gives an online role the planned keys, or the ones that it has.
func seatOnline(spec *tuf.RootSpec, trusted *tuf.Document, role string, keys []tuf.Key) {
	threshold := 1
	holders := map[string]tuf.Holder{}
	if len(keys) == 0 && trusted != nil {
		listed := trusted.Keys()
		now := trusted.Root().Roles[role]
		threshold, holders = now.Threshold, trusted.Holders()
		for _, id := range now.KeyIDs {
			keys = append(keys, listed[id])
		}
	}
	out := tuf.RoleSpec{Threshold: threshold}
	for _, k := range keys {
		if !slices.ContainsFunc(spec.Keys, func(h tuf.HeldKey) bool { return h.Key.ID == k.ID }) {
			spec.Keys = append(spec.Keys, tuf.HeldKey{Key: k, Holder: holders[k.ID]})
		}
		out.KeyIDs = append(out.KeyIDs, k.ID)
	}
	spec.Roles[role] = out
}

// plannedTargets are the targets that go with the plan's root: the first ones, or the
// live ones under their next version; nil where those stay.
func plannedTargets(b *transfer.Bundle) (*tuf.Document, error) {
	plan := b.Plan
	if plan.Rotation == nil {
		spec := tuf.TargetsSpec{Version: 1, Expires: plan.TargetsExpires, Practice: b.Practice}
		for _, f := range plan.Files {
			spec.Files = append(spec.Files, tuf.TargetFile{Path: f.Path, Length: f.Length, SHA256: f.SHA256})
		}
		return tuf.NewTargets(spec)
	}
	if plan.TargetsExpires.IsZero() {
		return nil, nil
	}
	current := b.Base.Document(tuf.Targets)
	next := *current.Targets()
	next.Version, next.Expires = max(current.Version(), b.Base.Seen[tuf.Targets])+1, plan.TargetsExpires
	return tuf.From(&next)
}
