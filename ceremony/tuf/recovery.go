package tuf

import (
	"fmt"
	"math"
	"slices"
)

// A Held is which versions of a role a client may hold.
type Held struct {
	Role     string
	From, To int64  // To is math.MaxInt64 where there is no bound
	Text     string // the same in a sentence
}

// MayHold says which versions of timestamp, snapshot and targets a client may
// hold after somebody else had some of root's keys, given by keyid. live holds
// the versions that were really published, by role. It is the reason for a
// fast-forward recovery: clients refuse every version below the one they hold.
func MayHold(root *Document, stolen []string, live map[string]int64) []Held {
	if root == nil || root.Root() == nil {
		return nil
	}
	forged := map[string]bool{}
	for _, role := range []string{Timestamp, Snapshot} {
		forged[role] = root.meets(role, stolen)
	}
	honest := func(role string) Held {
		return Held{role, live[role], live[role], fmt.Sprintf("No client holds %s above %d.", role, live[role])}
	}
	open := func(role, text string) Held { return Held{role, live[role], math.MaxInt64, text} }
	held := []Held{honest(Timestamp), honest(Snapshot), honest(Targets)}
	if forged[Timestamp] {
		held[0] = open(Timestamp, fmt.Sprintf("Clients may hold any timestamp from %d up, and with it the promise of any snapshot.", live[Timestamp]))
	}
	switch {
	case forged[Timestamp] && forged[Snapshot]:
		held[1] = open(Snapshot, fmt.Sprintf("Clients may hold any snapshot from %d up.", live[Snapshot]))
		held[2] = open(Targets, fmt.Sprintf("Clients may have been told of any version from %d up of targets and of every delegated role.", live[Targets]))
	case forged[Snapshot]:
		held[1].Text = fmt.Sprintf("No client holds a snapshot above %d: the timestamp key was not stolen, and a timestamp says which snapshot counts.", live[Snapshot])
	}
	return held
}

// meets reports whether the keys of some keyids meet the threshold of a role.
func (d *Document) meets(role string, ids []string) bool {
	listed, threshold, ok := d.roleKeys(role)
	distinct := map[Digest]bool{}
	for _, id := range listed {
		if slices.Contains(ids, id) {
			distinct[d.keys[id].SPKI] = true
		}
	}
	return ok && len(distinct) >= threshold
}

// Forgets reports whether a client that takes next after old gives up every
// document of role, timestamp or snapshot, that only old's keys signed, and
// with it the version that it holds (TUF 5.3.11). That is so where the old
// keys that stay cannot meet the new threshold. A key that merely joins the
// old one lets a forged document stay.
func Forgets(role string, old, next *Document) bool {
	if old == nil || next == nil || old.Root() == nil || next.Root() == nil {
		return false
	}
	stay, threshold := remain(role, old, next)
	return threshold > 0 && stay < threshold
}

// remain counts the keys that a role keeps, and its new threshold.
func remain(role string, old, next *Document) (keys, threshold int) {
	before, _, _ := old.roleKeys(role)
	after, threshold, _ := next.roleKeys(role)
	distinct := map[Digest]bool{}
	for _, id := range before {
		distinct[old.keys[id].SPKI] = true
	}
	for _, id := range after {
		if spki := next.keys[id].SPKI; distinct[spki] {
			delete(distinct, spki)
			keys++
		}
	}
	return keys, threshold
}

// Recovers says in sentences which versions that clients hold a new root makes
// them forget, and which not. Clients built on go-tuf and python-tuf forget
// only the document whose own keys changed, not both as the specification
// says, so both online roles need new keys after both were in foreign hands.
func Recovers(old, next *Document) []string {
	if old == nil || next == nil || old.Root() == nil || next.Root() == nil {
		return nil
	}
	var said []string
	for _, role := range []string{Timestamp, Snapshot} {
		said = append(said, recovers(role, old, next))
	}
	timestamp, snapshot := Forgets(Timestamp, old, next), Forgets(Snapshot, old, next)
	switch {
	case timestamp && snapshot:
		said = append(said, fmt.Sprintf("%s recovers every client from fast-forwarded versions: "+
			"timestamp, snapshot, targets and delegated roles go on from the versions that were really published.", capital(next.Title())))
	case timestamp:
		said = append(said, "If the snapshot key was in foreign hands too, clients still refuse what a forged snapshot forbids: give snapshot new keys in the same root.")
	case snapshot:
		said = append(said, "A forged timestamp stays trusted, and clients refuse every timestamp below it: give timestamp new keys in the same root.")
	default:
		said = append(said, "No client forgets anything: the publisher can only go on with versions above those that clients may hold.")
	}
	return said
}

func recovers(role string, old, next *Document) string {
	stay, threshold := remain(role, old, next)
	before, _, _ := old.roleKeys(role)
	after, _, _ := next.roleKeys(role)
	switch {
	case Forgets(role, old, next):
		return fmt.Sprintf("A client that takes %s forgets every %s that only the keys of %s signed, whatever its version.", next.Title(), role, old.Title())
	case stay == len(before) && stay == len(after):
		return fmt.Sprintf("The keys of %s stay: a client keeps the %s that it holds, forged or not.", role, role)
	}
	return fmt.Sprintf("%s of the old keys of %s stay and can meet its threshold of %d: a %s that they signed stays trusted. Remove all keys that were in foreign hands.",
		capital(numeral(stay)), role, threshold, role)
}
