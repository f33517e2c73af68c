package tuf

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Power says who can sign for a role.
type Power struct {
	Role   string
	Before Quorum
	After  Quorum
}

// A Quorum is "any Threshold of Names". Threshold 0 is nobody yet.
type Quorum struct {
	Threshold int
	Names     []string // holder names; a short keyid where the root names nobody
}

// Equal reports whether two quorums are the same people and number.
func (q Quorum) Equal(o Quorum) bool {
	return q.Threshold == o.Threshold && slices.Equal(q.Names, o.Names)
}

// String says who is needed: "any two of Alice, Bob and Dana".
func (q Quorum) String() string {
	switch {
	case q.Threshold == 0:
		return "nobody"
	case len(q.Names) == 1:
		return q.Names[0] + " alone"
	case q.Threshold >= len(q.Names):
		return join(q.Names, "and") + " together"
	}
	return "any " + numeral(q.Threshold) + " of " + join(q.Names, "and")
}

// Quorums says who can sign for each of the four roles according to a root, or
// for each delegated role according to targets. It is nil for other documents.
func Quorums(d *Document) map[string]Quorum {
	if d == nil || d.Root() == nil && d.Targets() == nil {
		return nil
	}
	r := rosterOf(d)
	all := map[string]Quorum{}
	for _, role := range r.roles {
		all[role.name] = r.quorum(role)
	}
	return all
}

// quorum names the keys of a role by their holders, sorted. Keys of one name
// are told apart by purpose or token.
func (r *roster) quorum(role rosterRole) Quorum {
	q := Quorum{Threshold: role.threshold}
	keys := r.keysOf(role)
	count := map[string]int{}
	for _, l := range keys {
		count[l.person()]++
	}
	for _, l := range keys {
		name := l.person()
		if l.twin || count[name] > 1 {
			name += l.apart()
		}
		q.Names = append(q.Names, name)
	}
	slices.SortFunc(q.Names, func(a, b string) int {
		return cmp.Or(strings.Compare(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
	})
	return q
}

// keysOf lists the distinct keys of a role.
func (r *roster) keysOf(role rosterRole) []*listed {
	var keys []*listed
	seen := map[Digest]bool{}
	for _, id := range role.ids {
		spki := r.ids[id]
		if !seen[spki] {
			seen[spki] = true
			keys = append(keys, r.keys[spki])
		}
	}
	return keys
}

// person is the name that stands for a key in a list of people.
func (l *listed) person() string {
	switch {
	case l.holder.Name != "":
		return l.holder.Name
	case l.alias != "":
		return l.alias
	}
	return shortKeyID(l.ids[0])
}

// align lets keys that old names by keyid alone be called what next calls
// them, so that the same key has the same name on both sides; and it marks the
// keys of people who have several, before and after taken together.
func align(old, next *roster) {
	keys := map[string]map[Digest]bool{}
	for _, r := range []*roster{next, old} {
		for spki, l := range r.keys {
			if after := next.keys[spki]; r == old && after != nil {
				l.alias = after.person()
			}
			if keys[l.person()] == nil {
				keys[l.person()] = map[Digest]bool{}
			}
			keys[l.person()][spki] = true
		}
	}
	for _, r := range []*roster{next, old} {
		for _, l := range r.keys {
			l.twin = len(keys[l.person()]) > 1
		}
	}
}

// backup is the purpose of a key that is a person's second.
const backup = "backup"

// apart tells two keys of one person apart.
func (l *listed) apart() string {
	switch {
	case l.holder.Serial != 0 && l.holder.Purpose == backup:
		return fmt.Sprintf(" (backup %d)", l.holder.Serial)
	case l.holder.Serial != 0:
		return fmt.Sprintf(" (token %d)", l.holder.Serial)
	case l.holder.Purpose != "":
		return " (" + l.holder.Purpose + ")"
	}
	return " (" + l.key.SPKI.Short() + ")"
}

// acts says what the power over a role is good for.
var acts = map[string]string{
	Root:      "change the keys and the rules",
	Targets:   "release software",
	Snapshot:  "say which releases belong together",
	Timestamp: "say what is newest",
}

// compareRoots explains one root against the one before.
func (d *Diff) compareRoots(old, next *Document, now time.Time) {
	before, after := rosterOf(old), rosterOf(next)
	align(before, after)
	d.compareRosters(before, after)
	d.compareTopRoles(before, after)
	d.comparePower(before, after)
	d.compareDates(old, next, now)
	d.compareConsistent(old, next)
	d.strayHolders(old, next)
	d.explainRoot(old, next, before, after, now)
	if old != nil {
		d.compareOther(old, next)
		d.sameRoles(before, after)
	}
}

// compareTopRoles says how thresholds changed, and which of them are dangerous.
func (d *Diff) compareTopRoles(old, next *roster) {
	was := old.byName()
	for _, role := range next.roles {
		before, had := was[role.name]
		delete(was, role.name)
		switch size := next.size(role); {
		case !had:
			d.add(Added, role.name, "%s: %s keys must sign.", capital(role.name), size)
		case had && old.size(before) != size:
			kind := Changed
			if role.threshold < before.threshold {
				kind = Danger
			}
			d.add(kind, role.name, "%s: %s keys must sign (was %s).", capital(role.name), size, old.size(before))
		}
		d.warnRole(old, before, next, role)
		if had {
			d.compareOrderOfKeys(role.name, before, role)
			d.compareUnknown(" of role "+role.name, before.unknown, role.unknown)
		}
	}
	for _, name := range sortedNames(was) {
		d.add(Removed, name, "The role %s is gone.", name)
	}
}

// warnRole names the thresholds that one lost or stolen key breaks, where they are new.
func (d *Diff) warnRole(old *roster, before rosterRole, next *roster, role rosterRole) {
	if role.name != Root && role.name != Targets {
		return
	}
	n := next.distinct(role)
	if role.threshold == 1 && before.threshold != 1 {
		d.add(Danger, role.name, "One stolen key is enough to %s: the threshold of %s is 1.", acts[role.name], role.name)
	}
	if all := role.threshold >= n; role.name == Root && all && !(before.threshold > 0 && before.threshold >= old.distinct(before)) {
		d.add(Danger, role.name, "One lost key ends this repository: all %d root keys must sign.", n)
	}
	if who, holds := next.largest(role); role.threshold > 1 && holds >= role.threshold {
		d.add(Danger, role.name, "%s holds %d keys of %s and can meet its threshold of %d alone.", who, holds, role.name, role.threshold)
	}
}

// largest finds the person with the most keys of a role.
func (r *roster) largest(role rosterRole) (who string, holds int) {
	count := map[string]int{}
	for _, l := range r.keysOf(role) {
		if l.holder.Name == "" {
			continue
		}
		p := sameName(l.holder.Name)
		if count[p]++; count[p] > holds {
			who, holds = l.holder.Name, count[p]
		}
	}
	return who, holds
}

func (d *Diff) comparePower(old, next *roster) {
	was, is := old.byName(), next.byName()
	for _, name := range topRoles {
		p := Power{Role: name}
		if role, ok := was[name]; ok {
			p.Before = old.quorum(role)
		}
		if role, ok := is[name]; ok {
			p.After = next.quorum(role)
		}
		d.Power = append(d.Power, p)
	}
}

func (d *Diff) compareConsistent(old, next *Document) {
	is := next.Root().ConsistentSnapshot
	switch {
	case old == nil && is, old != nil && old.Root().ConsistentSnapshot == is:
	case is:
		d.add(Changed, InOther, "Snapshots become consistent: files are published under names with their version or hash.")
	default:
		d.add(Danger, InOther, "Snapshots are not consistent: clients can meet files of two releases at once.")
	}
}

// strayHolders mentions people who are said to hold keys that are not listed.
func (d *Diff) strayHolders(old, next *Document) {
	for _, id := range sortedNames(next.holders) {
		if _, listed := next.keys[id]; listed {
			continue
		}
		if old != nil && old.holders[id] == next.holders[id] {
			continue
		}
		d.add(Changed, InKeys, "%s is said to hold %s, which is not listed.", next.holders[id].Name, shortKeyID(id))
	}
}

// sameRoles says in one sentence what stays.
func (d *Diff) sameRoles(old, next *roster) {
	var stays, keys []string
	was := old.byName()
	thresholds := true
	for _, role := range next.roles {
		before, had := was[role.name]
		thresholds = thresholds && had && before.threshold == role.threshold
		if had && sameKeys(old, before, next, role) {
			keys = append(keys, role.name)
		}
	}
	if thresholds {
		stays = append(stays, "thresholds")
	}
	if len(keys) > 0 {
		stays = append(stays, join(keys, "and")+" keys")
	}
	if len(stays) > 0 {
		d.add(Same, InOther, "Nothing else changes: %s.", strings.Join(stays, ", "))
	}
}

// explainRoot says what a root means for those who sign and those who update.
func (d *Diff) explainRoot(old, next *Document, before, after *roster, now time.Time) {
	if old == nil {
		d.mean("This is the first root known here: it is trusted because people compare its digest, not because of a signature before it.")
	}
	d.explainSigners(old, next, before, after)
	for _, p := range d.Power {
		switch same := samePower(p.Role, before, after); {
		case same && (p.Role == Root || p.Role == Targets):
			d.mean("%s can %s, as before.", capital(p.After.String()), acts[p.Role])
		case !same:
			d.mean("From now on %s can %s.", p.After, acts[p.Role])
		}
		if role, ok := after.byName()[p.Role]; ok && (p.Role == Root || p.Role == Targets) {
			d.explainSeveral(after, role)
		}
	}
	if old != nil {
		d.explainLeaving(old, next, before, after, now)
	}
	d.explainExpiry(next, now)
}

// explainSeveral states the power of people who hold several keys of a role: clients count keys.
func (d *Diff) explainSeveral(r *roster, role rosterRole) {
	held, names := map[string]int{}, []string{}
	for _, l := range r.keysOf(role) {
		if l.holder.Name == "" {
			continue
		}
		if held[sameName(l.holder.Name)]++; held[sameName(l.holder.Name)] == 2 {
			names = append(names, l.holder.Name)
		}
	}
	if len(names) == 0 {
		return
	}
	for i, name := range names {
		names[i] = fmt.Sprintf("%s holds %s of them", name, numeral(held[sameName(name)]))
	}
	d.mean("Conclave counts people: two tokens of one person count once for %s. To clients any %s of these %s keys are enough; %s.",
		role.name, numeral(role.threshold), numeral(r.distinct(role)), join(names, "and"))
}

// explainExpiry says when the next version is due.
func (d *Diff) explainExpiry(next *Document, now time.Time) {
	if next.expires.After(now) {
		d.mean("%s must be signed and published before %s, or clients stop updating.",
			capital(title(next.kind, next.version+1)), date(next.expires))
	} else {
		d.mean("Clients refuse %s: it has expired.", next.Title())
	}
}

// samePower reports whether the same keys, in the same number, may sign for a role.
func samePower(role string, old, next *roster) bool {
	before, had := old.byName()[role]
	after, has := next.byName()[role]
	return had && has && before.threshold == after.threshold && sameKeys(old, before, next, after)
}

// explainSigners says who must sign this very root (TUF 5.3.4).
func (d *Diff) explainSigners(old, next *Document, before, after *roster) {
	p := d.Power[0] // of root
	if old == nil || samePower(Root, before, after) {
		d.mean("It must be signed by %s.", p.After)
		return
	}
	d.mean("It must be signed by %s for %s, and by %s for itself.", p.Before, old.Title(), p.After)
}

// explainLeaving says what keys that leave can still do, and until when.
func (d *Diff) explainLeaving(old, next *Document, before, after *roster, now time.Time) {
	var anything bool
	for _, spki := range bothKeys(before, after) {
		was, is := before.keys[spki], after.keys[spki]
		if was == nil || len(was.roles) == 0 {
			continue
		}
		if is == nil || len(is.roles) == 0 {
			anything = true
			d.mean("Once a client has %s, %s can sign nothing.", next.Title(), was.label())
		} else if left := without(was.roles, is.roles); len(left) > 0 {
			anything = true
			d.mean("Once a client has %s, %s no longer counts for %s.", next.Title(), was.label(), few(left))
		}
	}
	if !anything {
		return
	}
	if old.expires.After(now) {
		d.mean("A client that has not updated still trusts %s until %s.", old.Title(), date(old.expires))
	} else {
		d.mean("%s expired on %s: no client relies on it any more.", capital(old.Title()), date(old.expires))
	}
}
