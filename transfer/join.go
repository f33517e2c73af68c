package transfer

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"conclave/ceremony/tuf"
)

// Join unites partial bundles of the same payloads, in any order, idempotently. Signatures that do not verify are dropped and named;
// different payloads are a *ConflictError. The same bundles give the same
// bytes in whatever order and grouping they are joined.
func Join(bundles ...*Bundle) (*Bundle, []string, error) {
	if len(bundles) == 0 {
		return nil, nil, errors.New("join bundles: there are none")
	}
	for i, b := range bundles {
		if err := b.checkJoinable(); err != nil {
			return nil, nil, fmt.Errorf("join bundles: number %d: %w", i+1, err)
		}
		if err := compareBundles(bundles[0], b); err != nil {
			return nil, nil, err
		}
	}
	joined := bundles[0].clone()
	for _, b := range bundles[1:] {
		joined.take(b)
	}
	joined.Tokens = joinTokens(bundles)
	dropped, err := joined.joinSignatures(bundles)
	if err != nil {
		return nil, nil, err
	}
	return joined, dropped, joined.check()
}

func (b *Bundle) checkJoinable() error {
	if b.Plan != nil {
		return &ContentError{
			What: "it is a plan, with nothing signed yet",
			hint: "A genesis is held in one sitting: its tokens make the keys together. Join the bundles that came out of it.",
		}
	}
	return b.check()
}

// compareBundles refuses bundles of different drafts.
func compareBundles(a, b *Bundle) error {
	differ := func(what, a, b string) error {
		if a == b {
			return nil
		}
		return &ConflictError{What: what, A: a, B: b}
	}
	return cmp.Or(
		differ("purpose", strconv.Quote(a.Purpose), strconv.Quote(b.Purpose)),
		differ("time of the declared compromise", a.Declared.UTC().String(), b.Declared.UTC().String()),
		differ("practice mark", strconv.FormatBool(a.Practice), strconv.FormatBool(b.Practice)),
		compareRoots(a.Base.Roots, b.Base.Roots),
		compareDocuments("payload of the base", a.Base.Documents, b.Base.Documents),
		compareSeen(a.Base.Seen, b.Base.Seen),
		compareDocuments("payload", a.Documents, b.Documents),
	)
}

func compareRoots(a, b []*tuf.Document) error {
	chain := func(roots []*tuf.Document) string {
		if len(roots) == 0 {
			return "none"
		}
		return fmt.Sprintf("root %d to %d", roots[0].Version(), roots[len(roots)-1].Version())
	}
	if chain(a) != chain(b) {
		return &ConflictError{What: "root chain", A: chain(a), B: chain(b)}
	}
	for i := range a {
		if a[i].Digest() != b[i].Digest() {
			return &ConflictError{Role: a[i].Title(), What: "payload", A: a[i].Digest().Hex(), B: b[i].Digest().Hex()}
		}
	}
	return nil
}

// compareDocuments compares payloads, role by role.
func compareDocuments(what string, a, b []Document) error {
	digest := func(docs []Document, role string) string {
		if doc := find(docs, role); doc != nil {
			return doc.Digest().Hex()
		}
		return "none"
	}
	for _, docs := range [][]Document{a, b} {
		for _, d := range docs {
			if x, y := digest(a, d.Role), digest(b, d.Role); x != y {
				return &ConflictError{Role: d.Role, What: what, A: x, B: y}
			}
		}
	}
	return nil
}

func compareSeen(a, b map[string]int64) error {
	for _, seen := range []map[string]int64{a, b} {
		for _, role := range slices.Sorted(maps.Keys(seen)) {
			if a[role] != b[role] {
				return &ConflictError{Role: role, What: "version seen", A: strconv.FormatInt(a[role], 10), B: strconv.FormatInt(b[role], 10)}
			}
		}
	}
	return nil
}

// take chooses between what may differ in bundles of one draft, so that the
// order of joining does not matter: the earliest time, the longest record, the
// smaller bytes.
func (b *Bundle) take(o *Bundle) {
	if o.Created.Truncate(time.Second).Before(b.Created.Truncate(time.Second)) {
		b.Created = o.Created
	}
	b.Record = longerRecord(b.Record, o.Record)
	for i, root := range o.Base.Roots {
		b.Base.Roots[i] = smaller(b.Base.Roots[i], root)
	}
	for i, d := range o.Base.Documents {
		b.Base.Documents[i].Metadata = smaller(b.Base.Documents[i].Metadata, d.Metadata)
	}
	for i, d := range o.Documents {
		b.Documents[i].Metadata = smaller(tuf.Unsigned(b.Documents[i].Metadata), tuf.Unsigned(d.Metadata))
	}
}

func longerRecord(a, b *RecordHead) *RecordHead {
	switch {
	case a == nil:
		return b
	case b == nil || cmp.Or(cmp.Compare(a.Entries, b.Entries), cmp.Compare(a.Hash, b.Hash)) >= 0:
		return a
	}
	return b
}

// smaller is the document of the lesser bytes: two files of one payload may differ in white space.
func smaller(a, b *tuf.Document) *tuf.Document {
	if bytes.Compare(b.Bytes(), a.Bytes()) < 0 {
		return b
	}
	return a
}

// joinTokens is all evidence, each piece once, in order.
func joinTokens(bundles []*Bundle) []Evidence {
	var all []Evidence
	for _, b := range bundles {
		all = append(all, b.Tokens...)
	}
	slices.SortFunc(all, compareEvidence)
	return slices.CompactFunc(all, func(a, b Evidence) bool { return compareEvidence(a, b) == 0 })
}

func compareEvidence(a, b Evidence) int {
	return cmp.Or(
		cmp.Compare(a.KeyID, b.KeyID), cmp.Compare(a.Serial, b.Serial), cmp.Compare(a.Slot, b.Slot),
		cmp.Compare(a.Firmware, b.Firmware), cmp.Compare(a.Holder, b.Holder),
		cmp.Compare(a.PINPolicy, b.PINPolicy), cmp.Compare(a.TouchPolicy, b.TouchPolicy),
		bytes.Compare(a.Leaf, b.Leaf), bytes.Compare(a.Device, b.Device),
	)
}

// joinSignatures gives every document of b all signatures of all bundles that verify.
func (b *Bundle) joinSignatures(bundles []*Bundle) (dropped []string, err error) {
	for i, d := range b.Documents {
		reqs, err := b.requirements(d.Role, d.Metadata)
		if err != nil {
			return nil, fmt.Errorf("join bundles: %w", err)
		}
		sigs, lost := liveSignatures(d.Role, reqs, bundles)
		dropped = append(dropped, lost...)
		doc := tuf.Unsigned(d.Metadata)
		for _, keyid := range slices.Sorted(maps.Keys(sigs)) {
			next, err := tuf.Attach(doc, reqs, keyid, sigs[keyid])
			if err != nil {
				dropped = append(dropped, fmt.Sprintf("%s: %v", d.Role, err))
				continue
			}
			doc = next
		}
		b.Documents[i].Metadata = doc
	}
	return dropped, nil
}

// liveSignatures collects what verifies, by keyid. Of two good signatures by
// one key the lesser is kept: they are worth the same.
func liveSignatures(role string, reqs []tuf.Requirement, bundles []*Bundle) (sigs map[string][]byte, dropped []string) {
	sigs = make(map[string][]byte)
	for i, b := range bundles {
		live, dead := tuf.Clean(b.Document(role), reqs)
		for _, s := range live.Signatures() {
			if had, ok := sigs[s.KeyID]; !ok || bytes.Compare(s.Sig, had) < 0 {
				sigs[s.KeyID] = s.Sig
			}
		}
		for _, s := range dead {
			dropped = append(dropped, fmt.Sprintf("%s in bundle %d: %s", role, i+1, whyDead(s, reqs)))
		}
	}
	return sigs, dropped
}

func whyDead(s tuf.Signature, reqs []tuf.Requirement) string {
	if len(s.Sig) == 0 {
		return fmt.Sprintf("an empty place for key %s", s.KeyID)
	}
	for _, r := range reqs {
		for _, k := range r.Keys {
			if k.ID == s.KeyID {
				return fmt.Sprintf("the signature by key %s is not over this payload", s.KeyID)
			}
		}
	}
	return fmt.Sprintf("key %s has no say over this document", s.KeyID)
}
