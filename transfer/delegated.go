package transfer

import (
	"fmt"
	"slices"
)

// ReadDelegated gives a base that ReadRepository has read from dir the documents that a delegated role's next version
// builds on: the one that delegates to it and, where there is one, the live one. Each is
// verified with the keys that its delegator gives it, from targets on. Where nobody delegates to role the error says so.
func ReadDelegated(dir string, base Base, role string) (Base, error) {
	if err := checkRoleName(role); err != nil {
		return Base{}, err
	}
	ask := slices.Clone(base.Documents)
	for i := 0; i < len(ask) && i < MaxDocuments; i++ {
		if delegates(ask[i].Metadata, role) {
			base.Documents = []Document{ask[i]}
			if base.Seen[role] == 0 {
				return base, nil // there is none yet
			}
			live, err := readListed(dir, role, ask[i].Metadata, base.Seen[role], 0, nil)
			base.Documents = append(base.Documents, Document{role, live})
			slices.SortFunc(base.Documents, func(a, b Document) int { return bySigning(a.Role, b.Role) })
			return base, err
		}
		for _, r := range ask[i].Metadata.Delegations().Roles {
			if base.Seen[r.Name] == 0 || slices.ContainsFunc(ask, func(d Document) bool { return d.Role == r.Name }) {
				continue
			}
			doc, err := readListed(dir, r.Name, ask[i].Metadata, base.Seen[r.Name], 0, nil)
			if err != nil {
				return Base{}, err
			}
			ask = append(ask, Document{r.Name, doc})
		}
	}
	return Base{}, &RepositoryError{
		File: "targets", Err: fmt.Errorf("nobody delegates to %s", role),
		hint: "Look how the role is spelled, or delegate to it first: conclave plan delegation --add. Nothing was written.",
	}
}
