package ceremony

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// A Cost is what a change of a frozen draft takes away from those who have signed it.
type Cost struct {
	Dead   []Lost   // signatures that are worth nothing for the new draft
	Kept   int      // signatures on documents that stay as they are
	Return []string // who signed and must come back to sign again, if the same people are to do it
	Text   []string // all of it in sentences
}

// Lost is one signature that dies.
type Lost struct {
	Role    string
	Version int64
	KeyID   string
	Holder  string // a short keyid where nobody is named
}

// Redraft makes a new draft of the change that draft makes, with r on top of
// it, and says what that costs. base is the repository as it is now; it must be what
// draft builds on. A document that comes out the same keeps its signatures; no other
// file ever carries a signature for it. Expiries that r leaves out stay.
func Redraft(draft *transfer.Bundle, base transfer.Base, r Rotation, now time.Time) (*transfer.Bundle, *Cost, error) {
	start := draft.Document(tuf.Root)
	if start == nil {
		return nil, nil, planf("Plan it anew: nobody has signed it.", "the bundle holds no root that is drafted already")
	}
	b, err := onBase(base, cmp.Or(r.Purpose, draft.Purpose), now)
	if err != nil {
		return nil, nil, err
	}
	if trusted := draft.TrustedRoot(); trusted == nil || trusted.Digest() != b.TrustedRoot().Digest() {
		return nil, nil, planf("Plan the change anew, on the repository as it is now.", "the draft does not build on the newest root of the repository")
	}
	next, err := planFrom(b, start, r.onTopOf(draft), now)
	if err != nil {
		return nil, nil, err
	}
	next.Tokens = joinEvidence(next, draft)
	if err := keepSignatures(next, draft); err != nil {
		return nil, nil, err
	}
	cost, err := costOf(draft, next)
	if err != nil {
		return nil, nil, err
	}
	if next.Plan == nil && next.Document(tuf.Root).Digest() == start.Digest() {
		return nil, nil, planf("Go on with the draft as it is.", "the new draft says the same as the old one")
	}
	return next, cost, nil
}

// onTopOf fills what r leaves out from the draft.
func (r Rotation) onTopOf(draft *transfer.Bundle) Rotation {
	start, trusted := draft.Document(tuf.Root), draft.TrustedRoot()
	if r.RootExpires.IsZero() {
		r.RootExpires = start.Expires()
	}
	if targets := draft.Document(tuf.Targets); targets != nil {
		r.Resign = true
		if r.TargetsExpires.IsZero() {
			r.TargetsExpires = targets.Expires()
		}
	}
	if r.Declared.IsZero() {
		r.Declared = draft.Declared
	}
	online := func(role string, keys []tuf.Key) []tuf.Key {
		now := start.Root().Roles[role].KeyIDs
		if keys != nil || slices.Equal(now, trusted.Root().Roles[role].KeyIDs) {
			return keys
		}
		for _, id := range now {
			keys = append(keys, start.Keys()[id])
		}
		return keys
	}
	r.Snapshot, r.Timestamp = online(tuf.Snapshot, r.Snapshot), online(tuf.Timestamp, r.Timestamp)
	return r
}

// joinEvidence adds the draft's evidence for keys that next has too.
func joinEvidence(next, draft *transfer.Bundle) []transfer.Evidence {
	keys := map[string]bool{}
	if root := next.Document(tuf.Root); root != nil {
		for id := range root.Keys() {
			keys[id] = true
		}
	}
	if next.Plan != nil {
		for _, k := range next.Plan.Rotation.Join {
			keys[k.Key.ID] = true
		}
	}
	all := slices.Clone(next.Tokens)
	for _, e := range draft.Tokens {
		have := slices.ContainsFunc(all, func(o transfer.Evidence) bool { return o.KeyID == e.KeyID })
		if keys[e.KeyID] && !have {
			all = append(all, e)
		}
	}
	return all
}

// keepSignatures carries over the signatures on documents whose payload is the same. Where keys
// are still to be made, the plan takes them along to the documents that it builds.
func keepSignatures(next, draft *transfer.Bundle) error {
	if next.Plan != nil {
		return planSigned(next, draft)
	}
	for i, d := range next.Documents {
		old := draft.Document(d.Role)
		if old == nil || old.Digest() != d.Metadata.Digest() {
			continue
		}
		reqs, err := next.Requirements(d.Role)
		if err != nil {
			return err
		}
		next.Documents[i].Metadata, _ = tuf.Clean(old, reqs)
	}
	return nil
}

// planSigned keeps the signatures on targets that do not change, by keys that stay. The root always changes.
func planSigned(next, draft *transfer.Bundle) error {
	old := draft.Document(tuf.Targets)
	if old == nil {
		return nil
	}
	built, err := plannedTargets(next)
	if err != nil || built == nil || built.Digest() != old.Digest() {
		return err
	}
	stay := tuf.Requirement{Role: tuf.Targets, Threshold: next.Plan.TargetsThreshold}
	for _, s := range plannedSeats(next) {
		if s.targets && !s.made {
			stay.Keys = append(stay.Keys, s.key)
		}
	}
	clean, _ := tuf.Clean(old, []tuf.Requirement{stay})
	if len(clean.Signatures()) > 0 {
		next.Plan.Rotation.Signed = []transfer.Document{{Role: tuf.Targets, Metadata: clean}}
	}
	return nil
}

// signedIn is a document as far as a draft or a plan has it.
func signedIn(b *transfer.Bundle, role string) *tuf.Document {
	if b.Plan == nil || b.Plan.Rotation == nil {
		return b.Document(role)
	}
	for _, d := range b.Plan.Rotation.Signed {
		if d.Role == role {
			return d.Metadata
		}
	}
	return nil
}

// costOf compares the signatures of two drafts.
func costOf(draft, next *transfer.Bundle) (*Cost, error) {
	c := &Cost{}
	for _, d := range draft.Documents {
		reqs, err := draft.Requirements(d.Role)
		if err != nil {
			return nil, err
		}
		live, _ := tuf.Clean(d.Metadata, reqs)
		var after []tuf.Signature
		if kept := signedIn(next, d.Role); kept != nil {
			after = kept.Signatures()
		}
		sigs := live.Signatures()
		slices.SortFunc(sigs, func(a, b tuf.Signature) int { return placeIn(reqs, a.KeyID) - placeIn(reqs, b.KeyID) })
		for _, sig := range sigs {
			if slices.ContainsFunc(after, func(o tuf.Signature) bool { return o.KeyID == sig.KeyID }) {
				c.Kept++
				continue
			}
			c.Dead = append(c.Dead, Lost{d.Role, live.Version(), sig.KeyID, holderIn(reqs, sig.KeyID)})
		}
	}
	needs, err := Needs(next)
	if err != nil {
		return nil, err
	}
	c.word(needs, titleOf(draft))
	return c, nil
}

// placeIn is where a key stands in the lists of those who must sign.
func placeIn(reqs []tuf.Requirement, keyid string) int {
	n := 0
	for _, r := range reqs {
		if i := slices.IndexFunc(r.Keys, func(k tuf.Key) bool { return k.ID == keyid }); i >= 0 {
			return n + i
		}
		n += len(r.Keys)
	}
	return n
}

func holderIn(reqs []tuf.Requirement, keyid string) string {
	for _, r := range reqs {
		if h := r.Holders[keyid]; h.Name != "" {
			return h.Name
		}
	}
	return shortKeyID(keyid)
}

func (c *Cost) word(needs []Need, title string) {
	people := map[string][]string{}
	var order []string
	for _, d := range c.Dead {
		if people[d.Holder] == nil {
			order = append(order, d.Holder)
		}
		people[d.Holder] = append(people[d.Holder], fmt.Sprintf("%s %d", d.Role, d.Version))
		counts := slices.ContainsFunc(needs, func(n Need) bool {
			return slices.ContainsFunc(n.Keys, func(k NeedKey) bool { return samePerson(k.Holder) == samePerson(d.Holder) })
		})
		if counts && !containsPerson(c.Return, d.Holder) {
			c.Return = append(c.Return, d.Holder)
		}
	}
	if len(c.Dead) == 0 {
		c.Text = append(c.Text, "Nobody has signed what changes: no signature is lost.")
		return
	}
	c.Text = append(c.Text, fmt.Sprintf("%s for %s would be worth nothing.", capital(counted(len(c.Dead), "signature")), title))
	for _, name := range order {
		c.Text = append(c.Text, fmt.Sprintf("%s signed %s.", name, both(people[name])))
	}
	if len(c.Return) > 0 {
		c.Text = append(c.Text, fmt.Sprintf("To sign the new draft, %s must come back.", both(c.Return)))
	}
	if c.Kept > 0 {
		c.Text = append(c.Text, fmt.Sprintf("%s on documents that stay as they are, and still count.", capital(counted(c.Kept, "signature"))))
	}
	c.Text = append(c.Text, "Without this change, the draft can be completed as it is, and the change follows in the next one.")
}
