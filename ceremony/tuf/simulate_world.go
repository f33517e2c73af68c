package tuf

import (
	"fmt"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"
)

// A world is a repository as simulated clients meet it. What a client meets
// after its walk depends only on the root it ends at, so each is checked once.
type world struct {
	u     Update
	links []link
	begin []string // why go-tuf cannot start at a root; empty where it can
	ways  map[int]way
	seen  map[visit]ending
}

// A link is what happens between one root and the next.
type link struct {
	hole bool   // the next version is not there at all
	why  string // why it is refused; empty where it is taken
}

// A way is a client's walk from a root.
type way struct {
	walks []int64
	end   int // index of the root that it ends at
	why   string
}

// A visit is a client at a root at a time; an ending is what it finds there.
type visit struct {
	root int
	at   time.Time
}

type ending struct {
	targets   int64
	delegated []string
	fate, why string
}

func newWorld(u Update) *world {
	w := &world{u: u, ways: map[int]way{}, seen: map[visit]ending{}}
	for i, r := range u.Roots {
		trusted, err := start(r)
		why := ""
		if err != nil {
			why = fmt.Sprintf("%s is no start: %v", r.Title(), err)
		}
		w.begin = append(w.begin, why)
		if i+1 < len(u.Roots) {
			w.links = append(w.links, stepTo(trusted, r, u.Roots[i+1]))
		}
	}
	return w
}

// start lets go-tuf trust a root.
func start(r *Document) (trusted *trustedmetadata.TrustedMetadata, err error) {
	err = guard(func() error {
		var err error
		trusted, err = trustedmetadata.New(r.Bytes())
		return err
	})
	return trusted, err
}

// stepTo lets a client take the next root. Go-tuf decides; our own count, which
// is stricter, has to agree, and says better what is missing.
func stepTo(trusted *trustedmetadata.TrustedMetadata, at, next *Document) link {
	if next.version != at.version+1 {
		return link{hole: true, why: fmt.Sprintf("root %d is not there, so it takes %s for the newest", at.version+1, at.Title())}
	}
	if err := verifyRoot(next, at); err != nil {
		return link{why: fmt.Sprintf("it refuses %s (%v)", next.Title(), err)}
	}
	if trusted == nil {
		return link{}
	}
	err := guard(func() error {
		_, err := trusted.UpdateRoot(next.Bytes())
		return err
	})
	if err != nil {
		return link{why: fmt.Sprintf("go-tuf refuses %s (%v)", next.Title(), err)}
	}
	return link{}
}

// walk is the way of a client from root i (TUF 5.3).
func (w *world) walk(i int) way {
	if known, ok := w.ways[i]; ok {
		return known
	}
	way := way{end: i, why: w.begin[i]}
	for way.why == "" && way.end < len(w.links) {
		s := w.links[way.end]
		way.why = s.why
		if s.why == "" {
			way.end++
			way.walks = append(way.walks, w.u.Roots[way.end].version)
		}
	}
	w.ways[i] = way
	return way
}

// client plays one client.
func (w *world) client(i int, m Moment) Client {
	way := w.walk(i)
	c := Client{
		Root:   w.u.Roots[i].version,
		Moment: m,
		Walks:  way.walks,
		Newest: w.u.Roots[way.end].version,
		Fate:   Breaks,
		Why:    way.why,
	}
	if way.why != "" {
		return c
	}
	e := w.arrive(way.end, m.At)
	c.Targets, c.Delegated, c.Fate, c.Why = e.targets, e.delegated, e.fate, e.why
	return c
}

// arrive is what a client finds at the root that it ends at.
func (w *world) arrive(root int, at time.Time) ending {
	v := visit{root, at}
	if known, ok := w.seen[v]; ok {
		return known
	}
	e := w.judge(w.u.Roots[root], at)
	w.seen[v] = e
	return e
}

func (w *world) judge(root *Document, at time.Time) ending {
	// TUF 5.3.10: only the last root's expiry counts.
	if why, fate := w.expired(root, root.Title(), at); why != "" {
		return ending{fate: fate, why: why}
	}
	targets := w.u.served()
	if targets == nil {
		return ending{fate: Updates}
	}
	if why := w.refuses(targets, w.u.OldTargets, Targets, root); why != "" {
		return ending{fate: Breaks, why: why}
	}
	if why, fate := w.expired(targets, targets.Title(), at); why != "" {
		if w.u.Targets == nil {
			fate = Ends // it stays as it is: the update has not ended it
		}
		return ending{fate: fate, why: why}
	}
	e := ending{targets: targets.version, fate: Updates}
	if why := w.play(root, at); why != "" {
		return ending{fate: Breaks, why: why}
	}
	w.judgeRoles(&e, at)
	return e
}

// expired says that a document's time is over. It should be over one day, but
// not already when it is published.
func (w *world) expired(d *Document, title string, at time.Time) (why, fate string) {
	if at.Before(d.expires) {
		return "", ""
	}
	fate = Breaks
	if d.expires.After(w.u.Now) {
		fate = Ends
	}
	return fmt.Sprintf("%s expired on %s", title, date(d.expires)), fate
}

// refuses says why a client does not take a targets document for role: too few
// signatures (TUF 5.6.3), or a version that does not follow what it has (5.5.5).
func (w *world) refuses(d, old *Document, role string, delegator *Document) string {
	name := title(role, d.version)
	reqs, err := Requirements(role, d, nil, delegator)
	if err == nil {
		_, err = Verify(d, reqs)
	}
	switch {
	case err != nil:
		return fmt.Sprintf("it refuses %s (%v)", name, err)
	case old != nil && old.version > d.version:
		return fmt.Sprintf("it refuses %s, because it has version %d already", name, old.version)
	case old != nil && old.version == d.version && old.digest != d.digest:
		return fmt.Sprintf("it has another %s already, and a version means one document for good", name)
	}
	if listed := w.listed(role); listed > d.version {
		return fmt.Sprintf("it refuses %s, because the live snapshot lists version %d already", name, listed)
	}
	return ""
}

// listed is the version of a role in the live snapshot, or 0.
func (w *world) listed(role string) int64 {
	if w.u.Snapshot == nil {
		return 0
	}
	if m := w.u.Snapshot.Snapshot().Meta[role+".json"]; m != nil {
		return m.Version
	}
	return 0
}

// judgeRoles walks the delegated roles from targets down.
func (w *world) judgeRoles(e *ending, at time.Time) {
	seen := map[string]bool{Targets: true}
	queue := []*Document{w.u.served()}
	for ; len(queue) > 0; queue = queue[1:] {
		by := queue[0]
		for _, name := range w.rolesAtHand(by) {
			if seen[name] {
				continue
			}
			seen[name] = true
			d := w.u.servedRole(name)
			why, fate := w.refuses(d, w.u.OldDelegated[name], name, by), Breaks
			if why == "" {
				why, fate = w.expired(d, title(name, d.version), at)
			}
			if why == "" {
				e.delegated = append(e.delegated, title(name, d.version))
				queue = append(queue, d)
				continue
			}
			if e.fate == Updates || e.fate == Ends && fate == Breaks {
				e.fate, e.why = fate, why
			}
		}
	}
	slices.Sort(e.delegated)
}

// rolesAtHand lists the roles that a document delegates to and whose own
// documents are here, in the order in which clients ask them.
func (w *world) rolesAtHand(by *Document) []string {
	v := by.Targets().Delegations
	if v == nil {
		return nil
	}
	var names []string
	for _, r := range v.Roles {
		if w.u.servedRole(r.Name) != nil {
			names = append(names, r.Name)
		}
	}
	if v.SuccinctRoles != nil {
		for _, name := range union(w.u.Delegated, w.u.OldDelegated) {
			if isBin(v.SuccinctRoles, name) && w.u.servedRole(name) != nil {
				names = append(names, name)
			}
		}
	}
	return names
}

// play lets go-tuf play the update to its end, where the live snapshot and
// timestamp allow it. It returns why go-tuf refuses.
func (w *world) play(root *Document, at time.Time) string {
	if !w.playable(root, at) {
		return ""
	}
	trusted, err := start(root)
	if err != nil {
		return fmt.Sprintf("go-tuf refuses %s (%v)", root.Title(), err)
	}
	trusted.RefTime = at
	targets := w.u.served()
	for _, act := range []struct {
		d    *Document
		take func() error
	}{
		{w.u.Timestamp, func() error { _, err := trusted.UpdateTimestamp(w.u.Timestamp.Bytes()); return err }},
		{w.u.Snapshot, func() error { _, err := trusted.UpdateSnapshot(w.u.Snapshot.Bytes(), false); return err }},
		{targets, func() error { _, err := trusted.UpdateTargets(targets.Bytes()); return err }},
	} {
		if err := guard(act.take); err != nil {
			return fmt.Sprintf("go-tuf refuses %s (%v)", act.d.Title(), err)
		}
	}
	return ""
}

// playable reports whether the live snapshot and timestamp are good with root
// at a time and list what is served.
func (w *world) playable(root *Document, at time.Time) bool {
	s, t := w.u.Snapshot, w.u.Timestamp
	return s != nil && t != nil && at.Before(s.expires) && at.Before(t.expires) &&
		signedFor(s, root) && signedFor(t, root) && w.current()
}

// current reports whether the timestamp lists the snapshot and the snapshot
// the targets that are served, byte for byte.
func (w *world) current() bool {
	targets := w.u.served()
	if w.u.Snapshot == nil || w.u.Timestamp == nil || targets == nil {
		return false
	}
	return lists(w.u.Timestamp.Timestamp().Meta["snapshot.json"], w.u.Snapshot) &&
		lists(w.u.Snapshot.Snapshot().Meta["targets.json"], targets)
}

func lists(m *metadata.MetaFiles, d *Document) bool {
	return m != nil && m.Version == d.version && m.VerifyLengthHashes(d.Bytes()) == nil
}

// signedFor reports whether an online document meets root's threshold.
func signedFor(d, root *Document) bool {
	reqs, err := Requirements(d.kind, d, nil, root)
	if err == nil {
		_, err = Verify(d, reqs)
	}
	return err == nil
}
