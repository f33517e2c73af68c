package transfer

import (
	"fmt"
	"slices"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"conclave/ceremony/tuf"
)

// State is "plan", "draft", "partial" or "complete".
type State string

// The states of a bundle.
const (
	StatePlan     State = "plan"     // no key and no document exists yet
	StateDraft    State = "draft"    // nobody has signed
	StatePartial  State = "partial"  // somebody has signed
	StateComplete State = "complete" // every requirement is met; only Verify proves from where
)

// A Status says how far a bundle is.
type Status struct {
	State   State
	Tallies []RoleTally // one per document and requirement
}

// A RoleTally is one requirement's count for one document.
type RoleTally struct {
	Role  string
	Tally tuf.Tally
}

// Status verifies every signature and derives the state. It trusts the
// bundle's own base: it counts, and proves nothing.
func (b *Bundle) Status() (Status, error) {
	if len(b.Documents) == 0 {
		return Status{State: StatePlan}, nil
	}
	s := Status{}
	signed, complete := false, true
	for _, d := range b.Documents {
		reqs, err := b.Requirements(d.Role)
		if err != nil {
			return Status{}, err
		}
		for _, t := range tuf.Count(d.Metadata, reqs) {
			s.Tallies = append(s.Tallies, RoleTally{d.Role, t})
			signed = signed || t.Signed > 0
			complete = complete && t.Complete()
		}
	}
	switch {
	case complete:
		s.State = StateComplete
	case signed:
		s.State = StatePartial
	default:
		s.State = StateDraft
	}
	return s, nil
}

// Requirements says who must sign the bundle's document for role.
func (b *Bundle) Requirements(role string) ([]tuf.Requirement, error) {
	doc := b.Document(role)
	if doc == nil {
		return nil, fmt.Errorf("list who must sign %s: the bundle has no such document", role)
	}
	return b.requirements(role, doc)
}

func (b *Bundle) requirements(role string, doc *tuf.Document) ([]tuf.Requirement, error) {
	switch role {
	case tuf.Root, tuf.Targets, tuf.Snapshot, tuf.Timestamp:
		return tuf.Requirements(role, doc, b.TrustedRoot(), b.Root())
	}
	by := b.Delegator(role)
	if by == nil {
		return nil, &ContentError{
			What: fmt.Sprintf("no targets document in the bundle delegates to %s", role),
			hint: "Plan the delegation and the role's document together, or with the delegating document as the base.",
		}
	}
	return tuf.Requirements(role, doc, nil, by)
}

// Delegator is the targets document that names role: the bundle's own where
// it changes one, else the base's; nil where none does.
func (b *Bundle) Delegator(role string) *tuf.Document {
	for _, docs := range [][]Document{b.Documents, b.Base.Documents} {
		for _, d := range docs {
			if d.Role == role || !delegates(d.Metadata, role) {
				continue
			}
			if newer := b.Document(d.Role); newer != nil && newer != d.Metadata {
				continue // the bundle takes this delegation away
			}
			return d.Metadata
		}
	}
	return nil
}

func delegates(doc *tuf.Document, role string) bool {
	view := doc.Targets()
	if view == nil || view.Delegations == nil {
		return false
	}
	if bins := view.Delegations.SuccinctRoles; bins != nil && bins.IsDelegatedRole(role) {
		return true
	}
	return slices.ContainsFunc(view.Delegations.Roles, func(r metadata.DelegatedRole) bool { return r.Name == role })
}
