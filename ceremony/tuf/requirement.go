package tuf

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// A Requirement is one set of keys of which a threshold must sign a document:
// a root has two, the old root's and its own.
type Requirement struct {
	Name      string // "root 4's keys", "root 5's keys", "targets keys of root 5"
	Role      string
	Threshold int
	Keys      []Key             // in the role's order
	Holders   map[string]Holder // keyid → holder, where the root says
}

// Requirements says who must sign doc, which is the document of role: for a root, trusted's
// root keys (nil at genesis) and doc's own; for another role, the keys that root gives it.
// root is the newest root, trusted or part of the same bundle. For a delegated
// role root is the targets document that delegates to it.
func Requirements(role string, doc, trusted, root *Document) ([]Requirement, error) {
	if doc == nil {
		return nil, fmt.Errorf("list who must sign %s: there is no document", role)
	}
	if want := typeOf(role); doc.kind != want {
		return nil, fmt.Errorf("list who must sign %s: %w", role, &FormatError{
			Path: "signed._type", What: fmt.Sprintf("is %s, not %s", doc.kind, want), hint: "this is the file of another role: give that of " + want,
		})
	}
	if role == Root {
		return rootRequirements(doc, trusted)
	}
	if root == nil {
		return nil, fmt.Errorf("list who must sign %s: no root says who may", role)
	}
	r, err := root.requirement(role)
	if err != nil {
		return nil, err
	}
	r.Name = fmt.Sprintf("%s keys of %s", role, root.Title())
	return []Requirement{r}, nil
}

// rootRequirements are the two thresholds of TUF 5.3.4.
func rootRequirements(doc, trusted *Document) ([]Requirement, error) {
	var reqs []Requirement
	for _, d := range []*Document{trusted, doc} {
		if d == nil {
			continue
		}
		if d.kind != Root {
			return nil, fmt.Errorf("list who must sign root: the trusted document is of type %s, not root", d.kind)
		}
		r, err := d.requirement(Root)
		if err != nil {
			return nil, err
		}
		r.Name = d.Title() + "'s keys"
		reqs = append(reqs, r)
	}
	return reqs, nil
}

// typeOf is the _type that the document of a role has.
func typeOf(role string) string {
	switch role {
	case Root, Snapshot, Timestamp:
		return role
	}
	return Targets
}

// requirement reads what d, a root or a delegating targets document, demands
// of a role.
func (d *Document) requirement(role string) (Requirement, error) {
	ids, threshold, ok := d.roleKeys(role)
	if !ok {
		return Requirement{}, fmt.Errorf("list who must sign %s: %s does not know this role", role, d.Title())
	}
	r := Requirement{Role: role, Threshold: threshold, Holders: maps.Clone(d.holders)}
	for _, id := range ids {
		r.Keys = append(r.Keys, d.keys[id])
	}
	return r, nil
}

// roleKeys looks a role up.
func (d *Document) roleKeys(role string) (ids []string, threshold int, ok bool) {
	switch v := d.signed.(type) {
	case *metadata.RootType:
		if r := v.Roles[role]; r != nil {
			return r.KeyIDs, r.Threshold, true
		}
	case *metadata.TargetsType:
		if v.Delegations == nil {
			return nil, 0, false
		}
		for _, r := range v.Delegations.Roles {
			if r.Name == role {
				return r.KeyIDs, r.Threshold, true
			}
		}
		if s := v.Delegations.SuccinctRoles; s != nil && isBin(s, role) {
			return s.KeyIDs, s.Threshold, true
		}
	}
	return nil, 0, false
}

// isBin reports whether a role is one of the bins of succinct roles (TAP 15).
// go-tuf's own check also takes signs and upper-case digits for a bin's number.
func isBin(s *metadata.SuccinctRoles, role string) bool {
	number, ok := strings.CutPrefix(role, s.NamePrefix+"-")
	last := uint64(1)<<s.BitLength - 1
	if !ok || len(number) != len(strconv.FormatUint(last, 16)) || !all(number, isLowerHex) {
		return false
	}
	n, err := strconv.ParseUint(number, 16, 64)
	return err == nil && n <= last
}

// find returns the key that a requirement lists under keyid.
func (r Requirement) find(keyid string) (Key, bool) {
	for _, k := range r.Keys {
		if k.ID == keyid {
			return k, true
		}
	}
	return Key{}, false
}

// holderName names who holds a key, by the short keyid where nobody is named.
func (r Requirement) holderName(k Key) string {
	if h, ok := r.Holders[k.ID]; ok && h.Name != "" {
		return h.Name
	}
	return shortKeyID(k.ID)
}

// shortKeyID is enough of a keyid to tell a few keys apart.
func shortKeyID(id string) string {
	const enough = 8
	if len(id) <= enough {
		return id
	}
	return "key " + id[:enough]
}
