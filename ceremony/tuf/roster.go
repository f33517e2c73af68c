package tuf

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// A roster is who may sign for what according to one document: a root's keys
// and roles, or those of a targets document's delegations.
type roster struct {
	roles []rosterRole
	keys  map[Digest]*listed
	ids   map[string]Digest // keyid → key
}

// A rosterRole is one role of a roster.
type rosterRole struct {
	name      string
	ids       []string
	threshold int
	terms     string // what a delegation covers
	paths     []string
	ends      bool // no role after it is asked
	unknown   map[string]any
}

// A listed is one public key of a roster, whatever its keyids.
type listed struct {
	key    Key
	ids    []string // the keyids that name it, sorted
	same   []Key    // the key as each of them has it
	roles  []string // the names of its roles, in the roster's order
	holder Holder
	alias  string // what the other side of a comparison calls it
	twin   bool   // its holder has another key too
}

// topRoles is the order in which people think of the roles.
var topRoles = [...]string{Root, Targets, Snapshot, Timestamp}

// rosterOf reads a document's roster; nil has an empty one.
func rosterOf(d *Document) *roster {
	r := &roster{keys: map[Digest]*listed{}, ids: map[string]Digest{}}
	if d == nil {
		return r
	}
	switch v := d.signed.(type) {
	case *metadata.RootType:
		r.roles = rootRoles(v)
	case *metadata.TargetsType:
		r.roles = delegatedRoles(v.Delegations)
	}
	for _, id := range sortedNames(d.keys) {
		k := d.keys[id]
		r.ids[id] = k.SPKI
		l := r.keys[k.SPKI]
		if l == nil {
			l = &listed{key: k}
			r.keys[k.SPKI] = l
		}
		l.ids, l.same = append(l.ids, id), append(l.same, k)
		if l.holder == (Holder{}) {
			l.holder = d.holders[id]
		}
	}
	for _, role := range r.roles {
		for _, id := range role.ids {
			l := r.keys[r.ids[id]]
			if len(l.roles) == 0 || l.roles[len(l.roles)-1] != role.name {
				l.roles = append(l.roles, role.name)
			}
		}
	}
	return r
}

func rootRoles(v *metadata.RootType) []rosterRole {
	var roles []rosterRole
	add := func(name string) {
		if r := v.Roles[name]; r != nil {
			roles = append(roles, rosterRole{name: name, ids: r.KeyIDs, threshold: r.Threshold, unknown: r.UnrecognizedFields})
		}
	}
	for _, name := range topRoles {
		add(name)
	}
	for _, name := range sortedNames(v.Roles) {
		if !slices.Contains(topRoles[:], name) {
			add(name)
		}
	}
	return roles
}

func delegatedRoles(v *metadata.Delegations) []rosterRole {
	if v == nil {
		return nil
	}
	var roles []rosterRole
	for _, r := range v.Roles {
		roles = append(roles, rosterRole{
			name: r.Name, ids: r.KeyIDs, threshold: r.Threshold, terms: termsOf(r),
			paths: r.Paths, ends: r.Terminating, unknown: r.UnrecognizedFields,
		})
	}
	if s := v.SuccinctRoles; s != nil {
		roles = append(roles, rosterRole{
			name: s.NamePrefix + "-*", ids: s.KeyIDs, threshold: s.Threshold, unknown: s.UnrecognizedFields,
			terms: fmt.Sprintf("all paths, spread over %d bins", int64(1)<<s.BitLength),
		})
	}
	return roles
}

// maxListed is how many names a sentence lists before it counts the rest.
const maxListed = 8

// few makes a list for a sentence that may be cut.
func few(names []string) string {
	if len(names) <= maxListed {
		return join(names, "and")
	}
	return strings.Join(names[:maxListed], ", ") + fmt.Sprintf(" and %d more", len(names)-maxListed)
}

// termsOf says what a delegation covers.
func termsOf(r metadata.DelegatedRole) string {
	covers := "paths " + few(r.Paths)
	if r.PathHashPrefixes != nil {
		covers = "hash prefixes " + few(r.PathHashPrefixes)
	}
	if r.Terminating {
		return covers + "; no role after it is asked"
	}
	return covers
}

// label names a key by its holder: "Alice's key".
func (l *listed) label() string {
	switch {
	case l.holder.Name == "":
		return shortKeyID(l.ids[0])
	case l.twin:
		return l.holder.Name + "'s key" + l.apart()
	}
	return l.holder.Name + "'s key"
}

// describe gives what a person needs to recognise a key.
func (l *listed) describe() string {
	parts := []string{algorithm(l.key)}
	if l.holder.Serial != 0 {
		parts = append(parts, fmt.Sprintf("token %d", l.holder.Serial))
	}
	if l.holder.Purpose != "" {
		parts = append(parts, l.holder.Purpose)
	}
	return strings.Join(append(parts, "fingerprint "+l.key.SPKI.Half()), ", ")
}

// algorithm is a key's kind in the words of people.
func algorithm(k Key) string {
	switch pub := k.Public.(type) {
	case *ecdsa.PublicKey:
		return pub.Curve.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", pub.N.BitLen())
	}
	return "Ed25519"
}

// compareRosters says how keys and roles changed, key by key. Where names the
// section of sentences about roles that are not top-level ones.
func (d *Diff) compareRosters(old, next *roster) {
	d.compareKeyIDs(old, next)
	for _, spki := range bothKeys(old, next) {
		before, after := old.keys[spki], next.keys[spki]
		switch {
		case before == nil:
			d.add(Added, InKeys, "%s joins %s: %s.", capital(after.label()), rolesOf(after), after.describe())
		case after == nil:
			d.add(Removed, InKeys, "%s leaves %s: %s.", capital(before.label()), rolesOf(before), before.describe())
		default:
			d.compareKey(before, after)
		}
	}
}

// bothKeys lists the keys of two rosters in the order of their labels.
func bothKeys(old, next *roster) []Digest {
	labels := map[Digest]string{}
	for _, r := range []*roster{old, next} {
		for spki, l := range r.keys {
			labels[spki] = l.label()
		}
	}
	all := make([]Digest, 0, len(labels))
	for spki := range labels {
		all = append(all, spki)
	}
	slices.SortFunc(all, func(a, b Digest) int {
		return cmp.Or(strings.Compare(labels[a], labels[b]), slices.Compare(a[:], b[:]))
	})
	return all
}

func rolesOf(l *listed) string {
	if len(l.roles) == 0 {
		return "no role"
	}
	return few(l.roles)
}

// compareKeyIDs finds keyids that do not mean what people think they mean.
func (d *Diff) compareKeyIDs(old, next *roster) {
	for _, id := range sortedNames(next.ids) {
		before, had := old.ids[id]
		if after := next.ids[id]; had && before != after {
			d.add(Danger, InKeys, "SAME keyid, DIFFERENT key: %s was %s and is now %s.",
				shortKeyID(id), old.keys[before].describe(), next.keys[after].describe())
		}
	}
	for _, spki := range bothKeys(&roster{}, next) {
		if l := next.keys[spki]; len(l.ids) > 1 {
			d.add(Danger, InKeys, "%s is listed under %d keyids: in many clients its holder would count more than once.",
				capital(l.label()), len(l.ids))
		}
	}
}

// compareKey says what changed about a key that stays.
func (d *Diff) compareKey(before, after *listed) {
	label := capital(after.label())
	if joined := without(after.roles, before.roles); len(joined) > 0 {
		d.add(Added, InKeys, "%s joins %s.", label, few(joined))
	}
	if left := without(before.roles, after.roles); len(left) > 0 {
		d.add(Removed, InKeys, "%s leaves %s.", label, few(left))
	}
	if !slices.Equal(before.ids, after.ids) {
		d.add(Changed, InKeys, "%s is the same key under a new keyid: %s, before %s.",
			label, few(shortIDs(after.ids)), few(shortIDs(before.ids)))
	}
	for i := range min(len(before.same), len(after.same)) {
		d.compareObject(label, before.same[i].object, after.same[i].object)
	}
	d.compareHolder(before, after)
}

// compareObject says how the same key is written in another way.
func (d *Diff) compareObject(label string, before, after *metadata.Key) {
	if before.Type != after.Type {
		d.add(Changed, InKeys, "%s: its keytype is written as %s, before as %s.", label, after.Type, before.Type)
	}
	if before.Value.PublicKey != after.Value.PublicKey {
		d.add(Changed, InKeys, "%s: the same key is written in another layout.", label)
	}
	of := " of " + label
	owner := func(fields map[string]any) map[string]any {
		c := maps.Clone(fields)
		delete(c, ownerField) // compareHolder has it
		return c
	}
	d.compareUnknown(of, owner(before.UnrecognizedFields), owner(after.UnrecognizedFields))
	d.compareUnknown(of, before.Value.UnrecognizedFields, after.Value.UnrecognizedFields)
}

// compareOrderOfKeys mentions keys that are listed in another order: it means
// nothing, but it is a change of what is signed.
func (d *Diff) compareOrderOfKeys(where string, before, after rosterRole) {
	if slices.Equal(before.ids, after.ids) {
		return
	}
	a, b := slices.Sorted(slices.Values(before.ids)), slices.Sorted(slices.Values(after.ids))
	if slices.Equal(a, b) {
		d.add(Changed, where, "The keys of %s are listed in another order, which means nothing.", after.name)
	}
}

func (d *Diff) compareHolder(before, after *listed) {
	a, b := before.holder, after.holder
	switch {
	case a == b:
	case a.Name != b.Name && a.Name != "" && b.Name != "":
		d.add(Danger, InKeys, "The same key was said to be %s's and is now said to be %s's: %s.", a.Name, b.Name, after.describe())
	case a.Name != b.Name && b.Name != "":
		d.add(Changed, InKeys, "%s is now said to be %s's: %s.", capital(shortKeyID(before.ids[0])), b.Name, after.describe())
	case a.Name != b.Name:
		d.add(Changed, InKeys, "%s is no longer said to be anybody's: %s.", capital(before.label()), after.describe())
	default:
		d.add(Changed, InKeys, "%s is now described as %s; before as %s.", capital(after.label()), after.describe(), before.describe())
	}
}

func shortIDs(ids []string) []string {
	short := make([]string, len(ids))
	for i, id := range ids {
		short[i] = shortKeyID(id)
	}
	return short
}

// without lists the names of a that b does not have.
func without(a, b []string) []string {
	in := make(map[string]bool, len(b))
	for _, name := range b {
		in[name] = true
	}
	var rest []string
	for _, name := range a {
		if !in[name] {
			rest = append(rest, name)
		}
	}
	return rest
}

// size is "2 of 3": the threshold and how many distinct keys there are.
func (r *roster) size(role rosterRole) string {
	return fmt.Sprintf("%d of %d", role.threshold, r.distinct(role))
}

// distinct counts the keys of a role.
func (r *roster) distinct(role rosterRole) int {
	keys := map[Digest]bool{}
	for _, id := range role.ids {
		keys[r.ids[id]] = true
	}
	return len(keys)
}

// sameKeys reports whether two roles have the same keys.
func sameKeys(old *roster, a rosterRole, next *roster, b rosterRole) bool {
	keys := map[Digest]bool{}
	for _, id := range a.ids {
		keys[old.ids[id]] = true
	}
	for _, id := range b.ids {
		if !keys[next.ids[id]] {
			return false
		}
	}
	return old.distinct(a) == next.distinct(b)
}

// byName finds roles quickly.
func (r *roster) byName() map[string]rosterRole {
	index := make(map[string]rosterRole, len(r.roles))
	for _, role := range r.roles {
		index[role.name] = role
	}
	return index
}
