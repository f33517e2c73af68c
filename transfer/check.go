package transfer

import (
	"cmp"
	"fmt"
	"strings"

	"conclave/ceremony/tuf"
)

// check holds everything that a bundle must be before any signature is looked at.
func (b *Bundle) check() error {
	for _, check := range []func() error{b.checkPlan, b.checkDocuments, b.checkBase, b.checkSeen, b.checkPractice} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func contentf(format string, args ...any) error {
	return &ContentError{What: fmt.Sprintf(format, args...)}
}

// checkPlan: a bundle is a plan or it has documents.
func (b *Bundle) checkPlan() error {
	p := b.Plan
	switch {
	case p == nil && len(b.Documents) == 0:
		return contentf("it has neither a plan nor documents")
	case p == nil:
		return nil
	case len(b.Documents) > 0:
		return contentf("it has both a plan and documents")
	case p.Rotation == nil && (!b.Genesis() || len(b.Base.Documents) > 0):
		return contentf("it plans a first root and has a base")
	case p.Rotation == nil && p.TargetsExpires.IsZero():
		return contentf("it plans first targets without an expiry")
	case p.Algorithm != "p256" && p.Algorithm != "p384":
		return contentf("the plan's algorithm is %q, not p256 or p384", p.Algorithm)
	}
	if p.Rotation != nil {
		if err := b.checkRotation(); err != nil {
			return err
		}
	}
	return p.checkNames()
}

// checkRotation holds a plan against the root that it changes.
func (b *Bundle) checkRotation() error {
	p, root := b.Plan, b.TrustedRoot()
	switch {
	case root == nil || root.Type() != tuf.Root:
		return contentf("it plans a rotation and has no root to change")
	case len(p.Holders) == 0:
		return contentf("it plans a rotation without a key to make: such a bundle holds the documents")
	case len(p.Files) > 0:
		return contentf("it plans a rotation and lists target files")
	case !p.TargetsExpires.IsZero() && b.Base.Document(tuf.Targets) == nil:
		return contentf("it plans to sign targets anew and does not hold them")
	}
	if err := checkDocuments("rotation", p.Rotation.Signed); err != nil {
		return err
	}
	if find(p.Rotation.Signed, tuf.Root) != nil {
		return contentf("the rotation brings a signed root; the one that it plans is another")
	}
	keys, seen := root.Keys(), map[tuf.Digest]bool{}
	once := func(k tuf.Key, root, targets bool) error {
		if seen[k.SPKI] || !root && !targets {
			return contentf("the rotation lists key %s twice, or for no role", k.ID)
		}
		seen[k.SPKI] = true
		return nil
	}
	for _, k := range p.Rotation.Keep {
		key, ok := keys[k.KeyID]
		if !ok {
			return contentf("the rotation keeps key %q, which root %d does not list", k.KeyID, root.Version())
		}
		if err := once(key, k.Root, k.Targets); err != nil {
			return err
		}
	}
	for _, k := range p.Rotation.Join {
		if _, listed := keys[k.Key.ID]; listed {
			return contentf("key %s is to join, and root %d lists it already", k.Key.ID, root.Version())
		}
		if strings.TrimSpace(k.Holder) == "" {
			return contentf("key %s is to join and has no holder", k.Key.ID)
		}
		if err := once(k.Key, k.Root, k.Targets); err != nil {
			return err
		}
	}
	return nil
}

// checkNames refuses what would be one person or one file twice.
func (p *Plan) checkNames() error {
	type token struct {
		name   string
		backup bool
	}
	tokens := make(map[token]bool, len(p.Holders))
	for _, h := range p.Holders {
		if strings.TrimSpace(h.Name) == "" {
			return contentf("a planned holder has no name")
		}
		t := token{h.Name, h.Backup}
		if tokens[t] {
			return contentf("the plan names the holder %q twice", h.Name)
		}
		tokens[t] = true
	}
	files := make(map[string]bool, len(p.Files))
	for _, f := range p.Files {
		if err := tuf.CheckTargetPath(f.Path); err != nil {
			return fmt.Errorf("check bundle: %w", err)
		}
		if files[f.Path] {
			return contentf("the plan names the file %q twice", f.Path)
		}
		files[f.Path] = true
	}
	return nil
}

func (b *Bundle) checkDocuments() error { return checkDocuments("documents", b.Documents) }

// checkDocuments: each role once, in signing order, of the right type. Online
// roles are signed online and have no place here: a bundle that carried them
// would collide with the next refresh.
func checkDocuments(where string, docs []Document) error {
	for i, d := range docs {
		if err := checkRoleName(d.Role); err != nil {
			return err
		}
		switch {
		case d.Metadata == nil:
			return contentf("%s: %s has no metadata", where, d.Role)
		case d.Role == tuf.Snapshot || d.Role == tuf.Timestamp:
			return contentf("%s: %s is an online role; it is signed where it is published", where, d.Role)
		case d.Metadata.Type() != typeOf(d.Role):
			return contentf("%s: the document for %s is of type %s", where, d.Role, d.Metadata.Type())
		case i > 0 && bySigning(docs[i-1].Role, d.Role) >= 0:
			return contentf("%s: %s stands twice, or after %s", where, d.Role, docs[i-1].Role)
		}
	}
	return nil
}

// bySigning orders roles as they are signed: root, targets, delegated roles by name.
func bySigning(a, b string) int {
	rank := func(role string) int {
		switch role {
		case tuf.Root:
			return 0
		case tuf.Targets:
			return 1
		}
		return 2
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b))
}

// checkBase: a row of roots without a gap, and documents under them.
func (b *Bundle) checkBase() error {
	if err := checkDocuments("base", b.Base.Documents); err != nil {
		return err
	}
	if find(b.Base.Documents, tuf.Root) != nil {
		return contentf("base: root stands among the documents; it belongs to the roots")
	}
	if b.Genesis() && len(b.Base.Documents) > 0 {
		return contentf("base: it has documents and no root to verify them with")
	}
	for i, root := range b.Base.Roots {
		switch {
		case root == nil || root.Type() != tuf.Root:
			return contentf("base: root number %d in the chain is no root", i+1)
		case i > 0 && root.Version() != b.Base.Roots[i-1].Version()+1:
			return contentf("base: root %d follows root %d: roots are missing or out of order", root.Version(), b.Base.Roots[i-1].Version())
		}
	}
	return nil
}

func (b *Bundle) checkSeen() error {
	for role := range b.Base.Seen {
		if err := checkRoleName(role); err != nil {
			return err
		}
	}
	return nil
}

// checkPractice: what was made in a rehearsal stays in rehearsals.
func (b *Bundle) checkPractice() error {
	check := func(doc *tuf.Document) error {
		switch {
		case doc.Practice() == b.Practice:
			return nil
		case b.Practice:
			return &ContentError{
				What: doc.Title() + " is real, in a bundle for practice",
				hint: "Rehearse with metadata of a rehearsal: conclave rehearse makes some.",
			}
		}
		return &ContentError{
			What: doc.Title() + " was made for practice, in a bundle that is not",
			hint: "Do not sign it: keys of a rehearsal belong to nobody. Look which stick this came from.",
		}
	}
	docs := b.Base.Roots
	for _, list := range [][]Document{b.Base.Documents, b.Documents} {
		for _, d := range list {
			docs = append(docs[:len(docs):len(docs)], d.Metadata)
		}
	}
	for _, doc := range docs {
		if err := check(doc); err != nil {
			return err
		}
	}
	return nil
}
