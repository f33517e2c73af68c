package ceremony

import (
	"slices"
	"strings"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// A DelegationChange is what a change of delegations does to targets. Only one
// of its parts may be given for one role.
type DelegationChange struct {
	Purpose string
	Add     []tuf.Delegation // asked after all others, or before the role named by Before
	Before  string
	Change  []tuf.Delegation // the role of the same name as it is from now on
	Revoke  []string
	Order   []string  // all roles in the order in which clients ask them; nil keeps it
	Bins    *tuf.Bins // in place of single roles
	Online  bool      // the publisher signs the bins: the draft holds none
	Move    bool      // targets list no file any more: the publisher moves them into the bins
	Expires time.Time
}

// PlanDelegation makes a draft of the next targets with other delegations. A
// role that is new, or whose paths are split into bins, needs metadata of its own, signed by
// its own keys: it is part of the draft, empty, where the base holds none.
// Its error is a *PlanError or one of package tuf.
func PlanDelegation(base transfer.Base, c DelegationChange, now time.Time) (*transfer.Bundle, error) {
	b, err := onBase(base, c.Purpose, now)
	if err != nil {
		return nil, err
	}
	if err := checkExpiryOf(tuf.Targets, c.Expires, now); err != nil {
		return nil, err
	}
	current := base.Document(tuf.Targets)
	if current == nil || current.Targets() == nil {
		return nil, planf(adviceBase, "the base does not hold the current targets")
	}
	for path, f := range current.Targets().Targets {
		if len(f.Hashes["sha256"]) == 0 {
			return nil, planf("Release that file anew first: conclave plan targets --add.", "targets vouch for %q without a SHA-256, which their next version must have", path)
		}
	}
	next, err := c.apply(current.Delegations())
	if err != nil {
		return nil, err
	}
	doc, err := tuf.NewTargets(tuf.TargetsSpec{
		Version: max(current.Version(), b.Base.Seen[tuf.Targets]) + 1, Expires: wholeSecond(c.Expires),
		Files: c.files(current), Practice: b.Practice, Base: current, Delegations: &next,
	})
	if err != nil {
		return nil, err
	}
	b.Documents = []transfer.Document{{Role: tuf.Targets, Metadata: doc}}
	if err := c.fresh(b, base, next); err != nil {
		return nil, err
	}
	b.Base.Documents = slices.DeleteFunc(slices.Clone(base.Documents), func(d transfer.Document) bool { return b.Document(d.Role) == nil })
	return b, nil
}

// files are what the next targets list.
func (c DelegationChange) files(current *tuf.Document) []tuf.TargetFile {
	if c.Move {
		return nil
	}
	return current.Files()
}

func (c DelegationChange) apply(l tuf.Delegations) (tuf.Delegations, error) {
	var err error
	for _, name := range c.Revoke {
		if l, err = l.Revoke(name); err != nil {
			return l, err
		}
	}
	for _, r := range c.Change {
		if l, err = l.Change(r); err != nil {
			return l, err
		}
	}
	for _, r := range c.Add {
		if l, err = l.Add(r, c.Before); err != nil {
			return l, err
		}
	}
	if c.Bins != nil {
		if len(l.Roles) > 0 {
			return l, planf("Revoke the single roles in the same change.", "hash bins and single roles do not go together")
		}
		l.Bins = c.Bins
	}
	if c.Order != nil {
		return l.Reorder(c.Order)
	}
	if len(c.Revoke)+len(c.Change)+len(c.Add) == 0 && c.Bins == nil {
		return l, planf("Name a role to add, change or revoke, or a new order.", "no delegation changes")
	}
	return l, nil
}

// fresh adds first metadata for roles that have none: clients that ask for a
// role whose file is missing stop there.
func (c DelegationChange) fresh(b *transfer.Bundle, base transfer.Base, l tuf.Delegations) error {
	var names []string
	for _, r := range l.Roles {
		names = append(names, r.Name)
	}
	if l.Bins != nil && !c.Online {
		names = append(names, l.Bins.Roles()...)
	}
	slices.SortFunc(names, strings.Compare)
	for _, name := range names {
		if base.Document(name) != nil || b.Base.Seen[name] > 0 {
			continue
		}
		doc, err := tuf.NewTargets(tuf.TargetsSpec{Version: 1, Expires: wholeSecond(c.Expires), Practice: b.Practice})
		if err != nil {
			return err
		}
		b.Documents = append(b.Documents, transfer.Document{Role: name, Metadata: doc})
	}
	return nil
}
