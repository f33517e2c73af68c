package tuf

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Limits of what delegations are built.
const (
	maxRoleName = 100 // bytes: it becomes a file name with a version before it
	maxBinBits  = 16  // 65,536 bins; each must be signed
)

// A Delegation is one role that targets metadata hands paths to.
type Delegation struct {
	Name        string
	Keys        []HeldKey
	Threshold   int
	Paths       []string // patterns as CheckDelegationPath allows them
	Terminating bool     // a path that matches is asked of no role after this one
}

// Bins are roles that share all paths by their hash (TAP 15): Prefix-00 to
// Prefix-ff for 8 bits. Their keys and threshold are the same.
type Bins struct {
	Prefix    string
	Bits      int
	Keys      []HeldKey
	Threshold int
}

// Delegations are what targets metadata says about other roles: a list in the
// order in which clients ask them, or bins.
type Delegations struct {
	Roles []Delegation
	Bins  *Bins
}

// Delegations reads what a targets document delegates, for a new document to
// start from. It is empty for other documents.
func (d *Document) Delegations() Delegations {
	v := d.Targets()
	if v == nil || v.Delegations == nil {
		return Delegations{}
	}
	held := func(ids []string) []HeldKey {
		var keys []HeldKey
		for _, id := range ids {
			keys = append(keys, HeldKey{d.keys[id], d.holders[id]})
		}
		return keys
	}
	var all Delegations
	for _, r := range v.Delegations.Roles {
		all.Roles = append(all.Roles, Delegation{r.Name, held(r.KeyIDs), r.Threshold, slices.Clone(r.Paths), r.Terminating})
	}
	if s := v.Delegations.SuccinctRoles; s != nil {
		all.Bins = &Bins{s.NamePrefix, s.BitLength, held(s.KeyIDs), s.Threshold}
	}
	return all
}

// find is the index of a role, or -1.
func (l Delegations) find(name string) int {
	return slices.IndexFunc(l.Roles, func(r Delegation) bool { return r.Name == name })
}

func (l Delegations) missing(name string) error {
	names := make([]string, len(l.Roles))
	for i, r := range l.Roles {
		names[i] = r.Name
	}
	hint := "nothing is delegated to any single role yet: add one first"
	if len(names) > 0 {
		hint = "there is " + few(names)
	}
	return &BuildError{What: fmt.Sprintf("there is no delegated role %q", shorten(name, maxPathName)), hint: hint}
}

// Add returns l with one more role, which is asked before the role named by
// before; where that is empty, after all others. l itself stays as it is.
func (l Delegations) Add(r Delegation, before string) (Delegations, error) {
	at := len(l.Roles)
	if before != "" {
		if at = l.find(before); at < 0 {
			return l, l.missing(before)
		}
	}
	if l.Bins != nil {
		return l, &BuildError{What: "hash bins and single roles do not go together", hint: "revoke the bins first, or let targets delegate to one role that has the bins"}
	}
	if l.find(r.Name) >= 0 {
		return l, &BuildError{What: fmt.Sprintf("the role %q is delegated to already", shorten(r.Name, maxPathName)), hint: "change it, or take another name"}
	}
	return Delegations{Roles: slices.Insert(slices.Clone(l.Roles), at, r)}, nil
}

// Change returns l with the role of r's name as r has it, at the same place.
func (l Delegations) Change(r Delegation) (Delegations, error) {
	at := l.find(r.Name)
	if at < 0 {
		return l, l.missing(r.Name)
	}
	c := Delegations{Roles: slices.Clone(l.Roles), Bins: l.Bins}
	c.Roles[at] = r
	return c, nil
}

// Revoke returns l without a role; Prefix-* of the bins' prefix revokes them all.
func (l Delegations) Revoke(name string) (Delegations, error) {
	if l.Bins != nil && name == l.Bins.Prefix+"-*" {
		return Delegations{Roles: l.Roles}, nil
	}
	at := l.find(name)
	if at < 0 {
		return l, l.missing(name)
	}
	return Delegations{Roles: slices.Delete(slices.Clone(l.Roles), at, at+1), Bins: l.Bins}, nil
}

// Reorder returns l with its roles in the order of names, which must be all of them.
func (l Delegations) Reorder(names []string) (Delegations, error) {
	c := Delegations{Bins: l.Bins}
	for _, name := range names {
		at := l.find(name)
		if at < 0 {
			return l, l.missing(name)
		}
		if c.find(name) >= 0 {
			return l, &BuildError{What: fmt.Sprintf("the role %q stands twice in the new order", shorten(name, maxPathName))}
		}
		c.Roles = append(c.Roles, l.Roles[at])
	}
	if n := len(l.Roles) - len(c.Roles); n > 0 {
		return l, &BuildError{What: fmt.Sprintf("the new order leaves out %s", plural(int64(n), "role")), hint: "name all roles in the order in which they shall be asked"}
	}
	return c, nil
}

// Role is the bin that a target path belongs to.
func (b Bins) Role(path string) string {
	if b.Bits < 1 || b.Bits > 32 {
		return ""
	}
	sum := sha256.Sum256([]byte(path))
	return b.name(binary.BigEndian.Uint32(sum[:4]) >> (32 - b.Bits))
}

// Roles lists the names of all bins, or nothing where there are more than can be built.
func (b Bins) Roles() []string {
	if b.Bits < 1 || b.Bits > maxBinBits {
		return nil
	}
	names := make([]string, 1<<b.Bits)
	for i := range names {
		names[i] = b.name(uint32(i))
	}
	return names
}

// name numbers a bin in hex, all as wide as the last.
func (b Bins) name(n uint32) string {
	width := (bits.Len64(uint64(1)<<b.Bits-1) + 3) / 4
	return fmt.Sprintf("%s-%0*x", b.Prefix, width, n)
}

// Sort sorts files into the bins that they belong to, by role name. Bins
// without a file are there with none: each of them must be signed.
func (b Bins) Sort(files []TargetFile) map[string][]TargetFile {
	sorted := map[string][]TargetFile{}
	for _, name := range b.Roles() {
		sorted[name] = nil
	}
	for _, f := range files {
		name := b.Role(f.Path)
		sorted[name] = append(sorted[name], f)
	}
	return sorted
}

// build makes go-tuf's value. What other tools keep in fields of their own is
// taken over from base.
func (l Delegations) build(base *metadata.Delegations) (*metadata.Delegations, map[string]any, error) {
	if err := l.check(); err != nil {
		return nil, nil, err
	}
	if len(l.Roles) == 0 && l.Bins == nil {
		return nil, nil, nil
	}
	if base == nil {
		base = &metadata.Delegations{}
	}
	d := &metadata.Delegations{Keys: map[string]*metadata.Key{}, UnrecognizedFields: maps.Clone(base.UnrecognizedFields)}
	h := holding{d.Keys, map[string]any{}}
	for _, r := range l.Roles {
		ids, err := h.add(r.Name, r.Keys)
		if err != nil {
			return nil, nil, err
		}
		role := metadata.DelegatedRole{Name: r.Name, KeyIDs: ids, Threshold: r.Threshold, Terminating: r.Terminating, Paths: slices.Clone(r.Paths)}
		for _, before := range base.Roles {
			if before.Name == r.Name {
				role.UnrecognizedFields = maps.Clone(before.UnrecognizedFields)
			}
		}
		d.Roles = append(d.Roles, role)
	}
	if b := l.Bins; b != nil {
		ids, err := h.add(b.Prefix+"-*", b.Keys)
		if err != nil {
			return nil, nil, err
		}
		d.SuccinctRoles = &metadata.SuccinctRoles{KeyIDs: ids, Threshold: b.Threshold, BitLength: b.Bits, NamePrefix: b.Prefix}
		if s := base.SuccinctRoles; s != nil && s.NamePrefix == b.Prefix {
			d.SuccinctRoles.UnrecognizedFields = maps.Clone(s.UnrecognizedFields)
		}
	}
	return d, h.holders, nil
}

// A holding gathers the keys of several roles and who holds them.
type holding struct {
	keys    map[string]*metadata.Key
	holders map[string]any
}

// add takes the keys of one role and returns their keyids.
func (h holding) add(role string, keys []HeldKey) ([]string, error) {
	var ids []string
	for _, k := range keys {
		id := k.Key.ID
		if slices.Contains(ids, id) {
			return nil, &BuildError{What: fmt.Sprintf("the role %s lists %s twice", role, shortKeyID(id)), hint: "list every key of a role once"}
		}
		ids = append(ids, id)
		h.keys[id] = k.Key.Metadata()
		field := holderField(k.Holder)
		if owner, _ := h.keys[id].UnrecognizedFields[ownerField].(string); field == nil || k.Holder == (Holder{Name: owner}) {
			continue // nobody, or whom the key itself names
		}
		if before, ok := h.holders[id]; ok && !equalFields(before, field) {
			return nil, &BuildError{What: fmt.Sprintf("%s has two holders, one of them in the role %s", shortKeyID(id), role), hint: "name one holder for each key"}
		}
		h.holders[id] = field
	}
	return ids, nil
}

// check refuses delegations that clients read in different ways, or that
// nobody can sign for.
func (l Delegations) check() error {
	if l.Bins != nil {
		if len(l.Roles) > 0 {
			return &BuildError{What: "hash bins and single roles do not go together", hint: "let targets delegate to one role that has the bins"}
		}
		if l.Bins.Bits < 1 || l.Bins.Bits > maxBinBits {
			return &BuildError{What: fmt.Sprintf("%d bits for bins; from 1 to %d are possible", l.Bins.Bits, maxBinBits), hint: "8 bits make 256 bins, enough for a million files"}
		}
		return checkQuorum(l.Bins.Prefix, l.Bins.Keys, l.Bins.Threshold)
	}
	seen := map[string]string{}
	for _, r := range l.Roles {
		if err := checkQuorum(r.Name, r.Keys, r.Threshold); err != nil {
			return err
		}
		folded := strings.ToLower(r.Name)
		if other, twice := seen[folded]; twice {
			return &BuildError{What: fmt.Sprintf("the roles %s and %s have one name for file systems that fold case", other, r.Name)}
		}
		seen[folded] = r.Name
		if len(r.Paths) == 0 {
			return &BuildError{What: fmt.Sprintf("the role %s has no path", r.Name), hint: "revoke it, or give it one"}
		}
		for i, p := range r.Paths {
			if err := CheckDelegationPath(p); err != nil {
				return err
			}
			if slices.Contains(r.Paths[:i], p) {
				return &BuildError{What: fmt.Sprintf("the role %s has the path %q twice", r.Name, shorten(p, maxPathName))}
			}
		}
	}
	return nil
}

// checkQuorum looks at a role's name, keys and threshold.
func checkQuorum(name string, keys []HeldKey, threshold int) error {
	if what := badRoleName(name); what != "" {
		return &BuildError{What: fmt.Sprintf("the role name %q %s", shorten(name, maxPathName), what), hint: "use letters, digits, dots, hyphens and underscores"}
	}
	if threshold < 1 || threshold > len(keys) {
		return &BuildError{What: fmt.Sprintf("the role %s has a threshold of %d with %s", name, threshold, plural(int64(len(keys)), "key")), hint: "the threshold must be from 1 to the number of keys"}
	}
	return nil
}

// badRoleName says why a delegated role cannot be called so: its name becomes a
// file name and a part of an address.
func badRoleName(name string) string {
	plain := func(c byte) bool {
		return c == '.' || c == '_' || c == '-' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c)
	}
	switch {
	case name == "":
		return "is empty"
	case slices.Contains(topRoles[:], strings.ToLower(name)):
		return "is that of a top-level role"
	case len(name) > maxRoleName:
		return fmt.Sprintf("has %d bytes, more than %d", len(name), maxRoleName)
	case name[0] == '.' || name[0] == '-':
		return "begins with a dot or a hyphen"
	case !all(name, plain):
		return "has a character that is not plain"
	}
	return ""
}

// NewDelegated builds unsigned metadata for a delegated role: role is one that
// delegator, a targets document, delegates to. It refuses files that clients
// would never ask of this role.
func NewDelegated(role string, delegator *Document, spec TargetsSpec) (*Document, error) {
	if delegator == nil || delegator.Targets() == nil {
		return nil, &BuildError{What: fmt.Sprintf("nobody delegates to %s", shorten(role, maxPathName)), hint: "hand in the targets document that does"}
	}
	if _, _, ok := delegator.roleKeys(role); !ok {
		return nil, &BuildError{What: fmt.Sprintf("%s does not delegate to %s", delegator.Title(), shorten(role, maxPathName)), hint: "plan the delegation first"}
	}
	if role == Targets || spec.Base != nil && spec.Base == delegator {
		return nil, &BuildError{What: fmt.Sprintf("%s would delegate to itself", shorten(role, maxPathName))}
	}
	for _, f := range spec.Files {
		if !delegator.hands(role, f.Path) {
			return nil, &BuildError{
				What: fmt.Sprintf("target %q is not among the paths of %s", shorten(f.Path, maxPathName), role),
				hint: "no client would look for it there; change its name, or the delegation",
			}
		}
	}
	return NewTargets(spec)
}

// hands reports whether d delegates a path to role, whatever the order.
func (d *Document) hands(role, path string) bool {
	v := d.Targets().Delegations
	if v == nil {
		return false
	}
	if s := v.SuccinctRoles; s != nil {
		return Bins{Prefix: s.NamePrefix, Bits: s.BitLength}.Role(path) == role
	}
	for _, r := range v.Roles {
		if r.Name == role {
			return handsPath(r, path)
		}
	}
	return false
}

// handsPath asks go-tuf whether a path is one of a role's.
func handsPath(r metadata.DelegatedRole, path string) bool {
	ok, err := r.IsDelegatedPath(path)
	return err == nil && ok
}
