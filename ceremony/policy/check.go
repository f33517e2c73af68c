package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"conclave/ceremony/tuf"
)

// A Subject is what somebody wants to have signed. Documents are listed by
// role: root, targets, or the name of a delegated role.
type Subject struct {
	Old      map[string]*tuf.Document // what is trusted now; empty at genesis
	New      map[string]*tuf.Document // what is to be signed
	Evidence map[tuf.Digest]Evidence  // by Key.SPKI, of keys that join
	Now      time.Time
}

// Evidence is what was proved about the token that holds a key.
type Evidence struct {
	Attested bool // made on a genuine token, which vouches for it
	PIN      bool // asked for every signature
	Touch    bool // asked for every signature
}

// A Violation is one rule that a subject breaks.
type Violation struct {
	Rule   string
	Text   string // one sentence; may hold text from outside
	People int    // who must record an exception; 0 means that none is possible
}

// Check lists every violation, in the order of roles and rules. It is empty
// where the policy has no objection.
func (p *Policy) Check(s Subject) []Violation {
	c := &check{policy: p, subject: s}
	for _, role := range sortedRoles(s.New) {
		doc := s.New[role]
		if doc == nil {
			continue
		}
		c.expiry(role, doc)
		c.quorums(doc)
		c.schemes(doc)
		c.tokens(role, doc)
		c.keysChanged(role, doc)
		c.targetsRemoved(role, doc)
		if role == tuf.Targets {
			c.keepDelegations(doc)
		}
		c.compat(role, tuf.Compat(doc))
	}
	return c.found
}

// Clients lists what the policy has against what tuf.Simulate says of clients, by the rules of ClientRules.
func (p *Policy) Clients(played []tuf.Change) []Violation {
	c := &check{policy: p}
	c.compat(tuf.InClients, played)
	return c.found
}

// ClientRules are the compatibility rules that no document alone can break: they hold once it is
// signed, and clients are played over it. Those that the policy does not list are left out.
func (p *Policy) ClientRules() []string {
	return slices.DeleteFunc([]string{tuf.RuleSimulation, tuf.RuleRootWalk}, func(rule string) bool { return !p.demands(rule) })
}

func (p *Policy) demands(rule string) bool { return slices.Contains(p.file.CompatRules, rule) }

// sortedRoles lists root and targets first.
func sortedRoles(docs map[string]*tuf.Document) []string {
	var names []string
	for name := range docs {
		names = append(names, name)
	}
	rank := func(name string) int {
		if i := slices.Index(topRoles, name); i >= 0 {
			return i
		}
		return len(topRoles)
	}
	slices.SortFunc(names, func(a, b string) int {
		if x, y := rank(a), rank(b); x != y {
			return x - y
		}
		return strings.Compare(a, b)
	})
	return names
}

// A check gathers violations.
type check struct {
	policy  *Policy
	subject Subject
	found   []Violation
}

func (c *check) add(rule, format string, args ...any) {
	c.found = append(c.found, Violation{rule, fmt.Sprintf(format, args...), c.policy.People(rule)})
}

const day = 24 * time.Hour

// expiry holds a document to the window of its role.
func (c *check) expiry(role string, doc *tuf.Document) {
	r := c.policy.Role(role)
	life := doc.Expires().Sub(c.subject.Now)
	on := doc.Expires().UTC().Format(time.DateOnly)
	switch {
	case life <= 0:
		c.add(Expiry, "%s %d expired on %s.", role, doc.Version(), on)
	case life < time.Duration(r.MinExpiryDays)*day:
		c.add(Expiry, "%s %d expires on %s, sooner than the %d days that the policy demands.", role, doc.Version(), on, r.MinExpiryDays)
	case r.MaxExpiryDays != 0 && life > time.Duration(r.MaxExpiryDays)*day:
		c.add(Expiry, "%s %d expires on %s, later than the %d days that the policy allows.", role, doc.Version(), on, r.MaxExpiryDays)
	}
}

// A quorum is the keys and threshold that a document gives one role.
type quorum struct {
	threshold int
	keys      map[tuf.Digest]tuf.Key
}

// quorumsOf reads who signs what according to a root or to delegations. Bins
// count as one role.
func quorumsOf(doc *tuf.Document) map[string]quorum {
	all := map[string]quorum{}
	if doc == nil {
		return all
	}
	keys := doc.Keys()
	add := func(name string, ids []string, threshold int) {
		q := quorum{threshold, map[tuf.Digest]tuf.Key{}}
		for _, id := range ids {
			q.keys[keys[id].SPKI] = keys[id]
		}
		all[name] = q
	}
	if root := doc.Root(); root != nil {
		for name, r := range root.Roles {
			add(name, r.KeyIDs, r.Threshold)
		}
	}
	if targets := doc.Targets(); targets != nil && targets.Delegations != nil {
		for _, r := range targets.Delegations.Roles {
			add(r.Name, r.KeyIDs, r.Threshold)
		}
		if s := targets.Delegations.SuccinctRoles; s != nil {
			add(s.NamePrefix+"-*", s.KeyIDs, s.Threshold)
		}
	}
	return all
}

// quorums holds thresholds to the policy.
func (c *check) quorums(doc *tuf.Document) {
	all := quorumsOf(doc)
	for _, name := range sortedKeys(all) {
		q, r := all[name], c.policy.Role(name)
		if q.threshold < r.MinThreshold {
			c.add(Threshold, "%s has a threshold of %d for %s; the policy demands %d.", doc.Title(), q.threshold, name, r.MinThreshold)
		}
		if spare := len(q.keys) - q.threshold; spare < r.MinSpareKeys {
			c.add(SpareKeys, "%s has %d of %d keys for %s: %d to spare, the policy demands %d.", doc.Title(), q.threshold, len(q.keys), name, spare, r.MinSpareKeys)
		}
	}
}

// schemes holds every listed key to the allowed schemes.
func (c *check) schemes(doc *tuf.Document) {
	if len(c.policy.file.KeySchemes) == 0 {
		return
	}
	keys := doc.Keys()
	for _, id := range sortedKeys(keys) {
		if scheme := keys[id].Scheme; !slices.Contains(c.policy.file.KeySchemes, scheme) {
			c.add(KeyScheme, "%s of %s has the scheme %s, which the policy does not allow.", c.who(doc, keys[id]), doc.Title(), scheme)
		}
	}
}

// who names a key by its holder.
func (c *check) who(doc *tuf.Document, k tuf.Key) string {
	if h := doc.Holders()[k.ID]; h.Name != "" {
		return h.Name + "'s key " + k.SPKI.Short()
	}
	return "key " + k.SPKI.Short()
}

// tokens demands evidence of every key that joins a role which people sign.
func (c *check) tokens(role string, doc *tuf.Document) {
	joined, _ := moved(quorumsOf(c.subject.Old[role]), quorumsOf(doc), tuf.Snapshot, tuf.Timestamp)
	for _, spki := range joined.order {
		k, e := joined.keys[spki], c.subject.Evidence[spki]
		name := c.who(doc, k)
		if c.policy.file.AttestationRequired && !e.Attested {
			c.add(Attestation, "%s joins without proof that it was made on a genuine token.", name)
		}
		if c.policy.file.PINRequired && !e.PIN {
			c.add(PIN, "%s joins without proof that its token asks for the PIN each time.", name)
		}
		if c.policy.file.TouchRequired && !e.Touch {
			c.add(Touch, "%s joins without proof that its token asks for a touch each time.", name)
		}
	}
}

// A keySet is keys in a steady order.
type keySet struct {
	order []tuf.Digest
	keys  map[tuf.Digest]tuf.Key
}

func (s *keySet) add(spki tuf.Digest, k tuf.Key) {
	if _, known := s.keys[spki]; !known {
		s.keys[spki] = k
		s.order = append(s.order, spki)
	}
}

// moved lists the keys that join a role and those that leave one, each once,
// but for the roles that are left out.
func moved(old, next map[string]quorum, without ...string) (joined, left *keySet) {
	joined, left = &keySet{keys: map[tuf.Digest]tuf.Key{}}, &keySet{keys: map[tuf.Digest]tuf.Key{}}
	diff := func(from, to map[string]quorum, into *keySet) {
		for _, name := range sortedKeys(to) {
			if slices.Contains(without, name) {
				continue
			}
			spkis := make([]tuf.Digest, 0, len(to[name].keys))
			for spki := range to[name].keys {
				if _, stays := from[name].keys[spki]; !stays {
					spkis = append(spkis, spki)
				}
			}
			slices.SortFunc(spkis, func(a, b tuf.Digest) int { return slices.Compare(a[:], b[:]) })
			for _, spki := range spkis {
				into.add(spki, to[name].keys[spki])
			}
		}
	}
	diff(old, next, joined)
	diff(next, old, left)
	return joined, left
}

// keysChanged counts a replaced key once.
func (c *check) keysChanged(role string, doc *tuf.Document) {
	most, old := c.policy.file.MaxKeysChanged, c.subject.Old[role]
	if most == nil || old == nil {
		return // at genesis every key is new
	}
	joined, left := moved(quorumsOf(old), quorumsOf(doc))
	if n := max(len(joined.order), len(left.order)); n > *most {
		c.add(KeysChanged, "%d keys join and %d leave roles with %s %d; the policy allows %d at once.",
			len(joined.order), len(left.order), role, doc.Version(), *most)
	}
}

func (c *check) targetsRemoved(role string, doc *tuf.Document) {
	most, old := c.policy.file.MaxTargetsRemoved, c.subject.Old[role]
	if most == nil || old == nil || old.Targets() == nil || doc.Targets() == nil {
		return
	}
	removed := 0
	for path := range old.Targets().Targets {
		if _, stays := doc.Targets().Targets[path]; !stays {
			removed++
		}
	}
	if removed > *most {
		c.add(TargetsRemoved, "%s %d drops %d files; the policy allows %d at once.", role, doc.Version(), removed, *most)
	}
}

func (c *check) keepDelegations(doc *tuf.Document) {
	delegates := quorumsOf(doc)
	for _, name := range c.policy.file.KeepDelegations {
		if _, kept := delegates[name]; !kept {
			c.add(KeepDelegation, "%s does not delegate to %s, which the policy always demands.", doc.Title(), name)
		}
	}
}

// compat turns sentences of compatibility rules that the policy holds to into violations.
func (c *check) compat(of string, changes []tuf.Change) {
	for _, change := range changes {
		if change.Rule != "" && c.policy.demands(change.Rule) {
			c.add(change.Rule, "%s: %s", of, change.Text)
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
