package tuf

import "slices"

// compareDelegations says how roles that targets metadata delegates to changed.
func (d *Diff) compareDelegations(old, next *roster) {
	was, is := old.byName(), next.byName()
	for _, role := range next.roles {
		before, had := was[role.name]
		if !had {
			d.add(Added, InDelegations, "%s: %s keys may sign for %s.", role.name, next.size(role), role.terms)
		} else {
			d.compareDelegation(old, before, next, role)
		}
		if who, holds := next.largest(role); role.threshold > 1 && holds >= role.threshold {
			d.add(Danger, InDelegations, "%s holds %d keys of %s and can meet its threshold of %d alone.", who, holds, role.name, role.threshold)
		}
	}
	for _, role := range old.roles {
		if _, stays := is[role.name]; !stays {
			d.add(Removed, InDelegations, "%s: nobody signs for it any more; it had %s.", role.name, role.terms)
		}
	}
	d.compareOrder(old, next)
}

// compareDelegation says how one role changed that stays.
func (d *Diff) compareDelegation(old *roster, before rosterRole, next *roster, role rosterRole) {
	if a, b := old.size(before), next.size(role); a != b {
		kind := Changed
		if role.threshold < before.threshold {
			kind = Danger
		}
		d.add(kind, InDelegations, "%s: %s keys must sign (was %s).", role.name, b, a)
	}
	d.comparePaths(before, role)
	d.compareOrderOfKeys(InDelegations, before, role)
	d.compareUnknown(" of role "+role.name, before.unknown, role.unknown)
}

// comparePaths says which paths a role wins and loses.
func (d *Diff) comparePaths(before, role rosterRole) {
	if before.paths == nil || role.paths == nil {
		if before.terms != role.terms { // bins, or hash prefixes
			d.add(Changed, InDelegations, "%s: covers %s (was %s).", role.name, role.terms, before.terms)
		}
		return
	}
	won, lost := without(role.paths, before.paths), without(before.paths, role.paths)
	if len(won) > 0 {
		d.add(Added, InDelegations, "%s: may sign for %s too.", role.name, few(won))
	}
	if len(lost) > 0 {
		d.add(Removed, InDelegations, "%s: no longer signs for %s.", role.name, few(lost))
	}
	if len(won)+len(lost) == 0 && !slices.Equal(before.paths, role.paths) {
		d.add(Changed, InDelegations, "%s: its paths are listed in another order, which means nothing.", role.name)
	}
	switch {
	case role.ends && !before.ends:
		d.add(Changed, InDelegations, "%s: becomes terminating: no role after it is asked for its paths.", role.name)
	case before.ends && !role.ends:
		d.add(Changed, InDelegations, "%s: is no longer terminating: roles after it are asked for what it does not list.", role.name)
	}
}

func unknownDelegations(d *Document) map[string]any {
	if d == nil || d.Targets().Delegations == nil {
		return nil
	}
	return d.Targets().Delegations.UnrecognizedFields
}

// compareOrder says where roles that stay change places: the first role that
// knows a path wins.
func (d *Diff) compareOrder(old, next *roster) {
	common := func(r, other *roster) []string {
		there := other.byName()
		var names []string
		for _, role := range r.roles {
			if _, ok := there[role.name]; ok {
				names = append(names, role.name)
			}
		}
		return names
	}
	before, after := common(old, next), common(next, old)
	if !slices.Equal(before, after) {
		d.add(Changed, InDelegations, "The order in which roles are asked for a path becomes %s (was %s).", few(after), few(before))
	}
}

// compareDelegatedPower says who could sign for delegated roles before and
// after, where that changed.
func (d *Diff) compareDelegatedPower(old, next *roster) {
	was, is := old.byName(), next.byName()
	for _, name := range union(was, is) {
		before, had := was[name]
		after, has := is[name]
		if had && has && before.threshold == after.threshold && sameKeys(old, before, next, after) {
			continue
		}
		p := Power{Role: name}
		if had {
			p.Before = old.quorum(before)
		}
		if has {
			p.After = next.quorum(after)
			d.mean("From now on %s can sign for %s: %s.", p.After, name, after.terms)
		} else {
			d.mean("Once a client has targets %d, nobody can sign for %s.", d.To, name)
		}
		d.Power = append(d.Power, p)
	}
}

// explainOverlaps mentions paths that from now on are asked of another role first.
func (d *Diff) explainOverlaps(old, next *Document) {
	known := map[string]bool{}
	for _, o := range Overlaps(old) {
		known[o.Text] = true
	}
	rest := 0
	for _, o := range Overlaps(next) {
		switch {
		case known[o.Text]:
		case rest >= maxListed:
			rest++
		default:
			rest++
			d.mean("%s", o.Text)
		}
	}
	if rest > maxListed {
		d.mean("%d more overlaps of paths are new.", rest-maxListed)
	}
}
