package tuf

import "fmt"

// InClients is where a Change is about what happens to clients.
const InClients = "clients"

// manyRoots is how many roots python-tuf took in one refresh for years; newer
// clients take 256.
const manyRoots = 32

// notes says what the simulation left out, and what the publisher must do.
func (w *world) notes() []Change {
	d := &Diff{}
	w.noteOnline(d)
	w.noteRoles(d)
	if first, last := w.u.Roots[0], w.u.Roots[len(w.u.Roots)-1]; last.version-first.version > manyRoots {
		d.warn(RuleRootWalk, InClients, "From root %d it is a walk of %d roots: clients that take %d at a time need more than one refresh.",
			first.version, last.version-first.version, manyRoots)
	}
	return d.Changes
}

// noteOnline says what is left to the publisher's online keys.
func (w *world) noteOnline(d *Diff) {
	root := w.u.Roots[len(w.u.Roots)-1]
	if w.u.Snapshot == nil || w.u.Timestamp == nil {
		d.add(Same, InClients, "The live snapshot and timestamp are not known here: that they are renewed with the keys of %s is the publisher's part.", root.Title())
		return
	}
	stale := false
	for _, doc := range []*Document{w.u.Snapshot, w.u.Timestamp} {
		switch {
		case !signedFor(doc, root):
			stale = true
			d.add(Changed, InClients, "%s is not signed by the keys that %s gives this role: clients that have %s wait until the publisher signs the next.",
				capital(doc.Title()), root.Title(), root.Title())
		case !doc.expires.After(w.u.Now):
			stale = true
			d.add(Changed, InClients, "%s expired on %s: no client updates until the publisher renews it.", capital(doc.Title()), date(doc.expires))
		}
	}
	switch targets := w.u.served(); {
	case targets == nil:
	case !w.current():
		d.add(Same, InClients, "Clients see %s once the publisher has signed snapshot %d or later, which lists it, and timestamp %d or later.",
			targets.Title(), w.u.Snapshot.version+1, w.u.Timestamp.version+1)
	case !stale:
		d.add(Same, InClients, "%s and %s list what is published: go-tuf played the whole update with them.",
			capital(w.u.Snapshot.Title()), w.u.Timestamp.Title())
	}
}

// noteRoles names delegated roles about which nothing was said.
func (w *world) noteRoles(d *Diff) {
	targets := w.u.served()
	if targets == nil || targets.Targets().Delegations == nil {
		return
	}
	var missing []string
	for _, r := range targets.Targets().Delegations.Roles {
		if w.u.servedRole(r.Name) == nil {
			missing = append(missing, r.Name)
		}
	}
	if s := targets.Targets().Delegations.SuccinctRoles; s != nil {
		if n := int64(1)<<s.BitLength - int64(len(w.rolesAtHand(targets))); n > 0 {
			missing = append(missing, fmt.Sprintf("%s of %s-*", plural(n, "bin"), s.NamePrefix))
		}
	}
	if len(missing) > 0 {
		d.add(Same, InClients, "The documents of delegated roles are not here, so nothing is said about them: %s.", few(missing))
	}
}
