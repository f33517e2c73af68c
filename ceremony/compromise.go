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

// A Situation says what happened to which keys. A key is named by its holder, by
// its keyid, or for online keys by the role: "timestamp", "snapshot".
type Situation struct {
	Lost                        []string  // nobody has them: broken, mislaid, blocked, their holder gone
	Stolen                      []string  // somebody else has them, and can sign with them
	Suspect                     []string  // somebody else may have them; treated as stolen
	Declared                    time.Time // when somebody said so
	Snapshot                    []tuf.Key // new online keys, where they are at hand
	Timestamp                   []tuf.Key
	RootExpires, TargetsExpires time.Time // of what is signed now
}

// An Assessment is what follows from a situation.
type Assessment struct {
	Keys     []Hit      // which keys it is about
	Attacker []string   // what somebody with them can do right now, in sentences
	Clients  []string   // what clients may hold by now, in sentences
	Plans    []Response // what can be done, the quickest first
	Stranded []string   // the procedure out of band, where no ceremony helps; else empty
}

// A Hit is one key that a situation names.
type Hit struct {
	Holder string // a short keyid where nobody is named
	Serial uint32
	KeyID  string
	Roles  []string
	What   string // "lost", "stolen" or "suspect"
}

// A Response is one thing that can be done, ready to be planned.
type Response struct {
	Title        string
	Rotation     Rotation
	Bundle       *transfer.Bundle // drafted already
	Sitting      *Sitting
	Minutes      int // of the sitting itself, once everybody is there
	Consequences []string
	Checklist    []string
	Messages     []Message
}

// A Message is a text to send to somebody.
type Message struct {
	To   string
	Text string
}

// Since says how long ago a compromise was declared: "declared 14:02, 12 minutes ago".
func Since(declared, now time.Time) string {
	return fmt.Sprintf("declared %s, %s ago", declared.UTC().Format("15:04"), span(max(0, now.Sub(declared))))
}

// Assess works out what an attacker can do and which ways are open. base is the
// repository as it is; where it cannot be read, what was last known of it.
// Its error says that the situation names a key that root does not list.
func Assess(base transfer.Base, s Situation, now time.Time) (*Assessment, error) {
	if _, err := onBase(base, "", now); err != nil {
		return nil, err
	}
	root := base.Document(tuf.Root)
	a := &Assessment{}
	for _, list := range []struct {
		what  string
		names []string
	}{{"stolen", s.Stolen}, {"suspect", s.Suspect}, {"lost", s.Lost}} {
		for _, name := range list.names {
			if err := a.hit(root, name, list.what); err != nil {
				return nil, err
			}
		}
	}
	if len(a.Keys) == 0 {
		return nil, planf("Name the keys that are lost, stolen or suspect.", "no key is named")
	}
	a.attacker(root)
	for _, h := range tuf.MayHold(root, a.ids("stolen", "suspect"), seenOf(base)) {
		a.Clients = append(a.Clients, h.Text)
	}
	a.respond(base, s, now)
	return a, nil
}

// hit finds the keys that a name means.
func (a *Assessment) hit(root *tuf.Document, name, what string) error {
	found := false
	add := func(holder string, serial uint32, id string, roles ...string) {
		found = true
		i := slices.IndexFunc(a.Keys, func(h Hit) bool { return h.KeyID == id })
		if i < 0 {
			a.Keys = append(a.Keys, Hit{Holder: holder, Serial: serial, KeyID: id, What: what})
			i = len(a.Keys) - 1
		}
		for _, role := range roles {
			if !slices.Contains(a.Keys[i].Roles, role) {
				a.Keys[i].Roles = append(a.Keys[i].Roles, role)
			}
		}
	}
	for _, s := range seatsOf(root) {
		if !s.is(name) {
			continue
		}
		for _, role := range []string{tuf.Root, tuf.Targets} {
			if s.sits(role) {
				add(s.name, s.holder.Serial, s.key.ID, role)
			}
		}
	}
	for _, role := range []string{tuf.Snapshot, tuf.Timestamp} {
		for _, id := range root.Root().Roles[role].KeyIDs {
			if strings.EqualFold(name, role) || strings.HasPrefix(id, strings.TrimPrefix(name, "key ")) && len(name) >= 8 {
				for _, r := range onlineRoles(root, id) { // one key may serve both
					add(cmp.Or(root.Holders()[id].Name, "the online key of "+role), 0, id, r)
				}
			}
		}
	}
	if !found {
		return noSeat(seatsOf(root), name, "is no online role either")
	}
	return nil
}

func onlineRoles(root *tuf.Document, id string) []string {
	var roles []string
	for _, role := range []string{tuf.Snapshot, tuf.Timestamp} {
		if slices.Contains(root.Root().Roles[role].KeyIDs, id) {
			roles = append(roles, role)
		}
	}
	return roles
}

// ids are the keyids of hits of some kinds.
func (a *Assessment) ids(what ...string) []string {
	var ids []string
	for _, h := range a.Keys {
		if slices.Contains(what, h.What) {
			ids = append(ids, h.KeyID)
		}
	}
	return ids
}

// names are the keyholders of hits of some kinds, each once; online keys have none.
func (a *Assessment) names(role string, what ...string) []string {
	var names []string
	for _, h := range a.Keys {
		offline := slices.Contains(h.Roles, tuf.Root) || slices.Contains(h.Roles, tuf.Targets)
		if offline && (role == "" || slices.Contains(h.Roles, role)) && slices.Contains(what, h.What) && !containsPerson(names, h.Holder) {
			names = append(names, h.Holder)
		}
	}
	return names
}

// hits reports whether keys of a role are in foreign hands, and whether they meet its threshold.
func (a *Assessment) hits(root *tuf.Document, role string) (n, threshold int) {
	for _, h := range a.Keys {
		if h.What != "lost" && slices.Contains(h.Roles, role) {
			n++
		}
	}
	return n, root.Root().Roles[role].Threshold
}

// attacker says what somebody with the stolen and suspect keys can do.
func (a *Assessment) attacker(root *tuf.Document) {
	say := func(format string, args ...any) { a.Attacker = append(a.Attacker, fmt.Sprintf(format, args...)) }
	met := map[string]bool{}
	for _, role := range []string{tuf.Root, tuf.Targets, tuf.Snapshot, tuf.Timestamp} {
		n, threshold := a.hits(root, role)
		met[role] = n >= threshold && n > 0
		switch {
		case n == 0:
		case n < threshold:
			say("They hold %d of the %d keys that %s needs: with them alone they cannot sign %s.", n, threshold, role, role)
		}
	}
	switch {
	case met[tuf.Root]:
		say("THEY CAN SIGN A ROOT: every client that fetches it follows them for good. What is signed below may come too late; tell users out of band now.")
	case met[tuf.Targets] && met[tuf.Snapshot] && met[tuf.Timestamp]:
		say("THEY CAN SHIP SOFTWARE: they hold enough keys of targets, snapshot and timestamp. Only the store stands between them and clients: take its credentials away first.")
	case met[tuf.Targets]:
		say("They can sign targets, but clients take them only with a snapshot and a timestamp, whose keys are elsewhere. Stop the automatic refresh of anything that you did not release.")
	}
	switch {
	case met[tuf.Timestamp] && met[tuf.Snapshot]:
		say("They can show clients any mixture of targets that were ever signed, hold them at an old release, and fast-forward versions so that yours are refused.")
	case met[tuf.Timestamp]:
		say("They can hold clients at an old release until its snapshot expires, and fast-forward the timestamp so that yours are refused.")
	case met[tuf.Snapshot]:
		say("A snapshot of theirs counts only with a timestamp, whose key is elsewhere.")
	}
	if len(a.ids("stolen", "suspect")) == 0 {
		say("Nobody can sign anything that they could not sign before: keys that are lost help nobody.")
	}
	a.margin(root)
}

// margin says how much is left of root and targets.
func (a *Assessment) margin(root *tuf.Document) {
	gone := a.names("", "lost", "stolen", "suspect")
	for _, role := range []string{tuf.Root, tuf.Targets} {
		left := Rotation{Absent: gone}.left(role, seatsOf(root))
		threshold := root.Root().Roles[role].Threshold
		switch spare := len(left) - threshold; {
		case spare < 0:
			a.Attacker = append(a.Attacker, fmt.Sprintf("%s cannot be signed any more by those who are left: %s of %d that are needed.", capital(role), countWord(len(left)), threshold))
		case spare == 0:
			a.Attacker = append(a.Attacker, fmt.Sprintf("%s needs all who are left: %s. One more loss and nobody can sign it.", capital(role), both(left)))
		}
	}
}

// Keyring lists every key of the newest root that base holds: of root and targets by their holders, then
// the online ones. What is empty. Its keyids name keys in a Situation.
func Keyring(base transfer.Base) []Hit {
	root := base.Document(tuf.Root)
	if root == nil {
		return nil
	}
	var all []Hit
	for _, s := range seatsOf(root) {
		h := Hit{Holder: s.name, Serial: s.holder.Serial, KeyID: s.key.ID}
		for _, role := range []string{tuf.Root, tuf.Targets} {
			if s.sits(role) {
				h.Roles = append(h.Roles, role)
			}
		}
		all = append(all, h)
	}
	for _, role := range []string{tuf.Snapshot, tuf.Timestamp} {
		for _, id := range root.Root().Roles[role].KeyIDs {
			if !slices.ContainsFunc(all, func(h Hit) bool { return h.KeyID == id }) {
				name := cmp.Or(root.Holders()[id].Name, "the online key of "+role)
				all = append(all, Hit{Holder: name, KeyID: id, Roles: onlineRoles(root, id)})
			}
		}
	}
	return all
}
