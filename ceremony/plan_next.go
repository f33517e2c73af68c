package ceremony

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

const adviceBase = "Read the repository's metadata again, from a root that you trust."

// onBase begins a bundle on base, which must be a chain of roots that verify.
func onBase(base transfer.Base, purpose string, now time.Time) (*transfer.Bundle, error) {
	if err := checkPurpose(purpose); err != nil {
		return nil, err
	}
	if len(base.Roots) == 0 {
		return nil, planf(adviceBase, "the base holds no root")
	}
	b := &transfer.Bundle{Purpose: purpose, Created: wholeSecond(now), Base: base, Practice: base.Roots[0].Practice()}
	b.Base.Seen = seenOf(base)
	chain, err := chainOf(base.Roots)
	if err != nil {
		return nil, &PlanError{What: err.Error(), Advice: hintOf(err)}
	}
	if chain.Latest().Practice() != b.Practice {
		return nil, planf("Practice keys and real ones must not meet.", "the base's roots do not agree whether this is a rehearsal")
	}
	return b, nil
}

// chainOf verifies a row of roots (TUF 5.3.4, 5.3.5).
func chainOf(roots []*tuf.Document) (*tuf.Chain, error) {
	chain, err := tuf.NewChain(roots[0])
	for _, next := range roots[1:] {
		if err != nil {
			return nil, err
		}
		chain, err = chain.Extend(next)
	}
	return chain, err
}

// seenOf adds the versions of the base's own documents to those that it has seen.
func seenOf(base transfer.Base) map[string]int64 {
	seen := maps.Clone(base.Seen)
	if seen == nil {
		seen = map[string]int64{}
	}
	see := func(role string, version int64) { seen[role] = max(seen[role], version) }
	for _, r := range base.Roots {
		see(tuf.Root, r.Version())
	}
	for _, d := range base.Documents {
		see(d.Role, d.Metadata.Version())
	}
	return seen
}

// PlanRoot makes a draft of the next root: everything as it is, but for expiry.
// Its error is a *PlanError or one of package tuf.
func PlanRoot(base transfer.Base, purpose string, expires, now time.Time) (*transfer.Bundle, error) {
	b, err := onBase(base, purpose, now)
	if err != nil {
		return nil, err
	}
	if err := checkExpiryOf(tuf.Root, expires, now); err != nil {
		return nil, err
	}
	trusted := b.TrustedRoot()
	next, err := tuf.RenewRoot(trusted, trusted.Version()+1, wholeSecond(expires))
	if err != nil {
		return nil, err
	}
	b.Base.Documents = played(base)
	b.Documents = []transfer.Document{{Role: tuf.Root, Metadata: next}}
	return b, nil
}

// maxPlayed is how many bytes of live targets travel with a change of the root alone, so that confirm can play
// clients over them: 6 KB at most when compressed, a few QR symbols more. Larger ones wait for the publisher, who has them.
const maxPlayed = 16 << 10

// played are the live targets, as far as they travel with a bundle that leaves them as they are.
func played(base transfer.Base) []transfer.Document {
	current := base.Document(tuf.Targets)
	if current == nil || len(current.Bytes()) > maxPlayed {
		return nil
	}
	return []transfer.Document{{Role: tuf.Targets, Metadata: current}}
}

// A TargetsChange is what a release changes.
type TargetsChange struct {
	Purpose string
	Role    string                 // a delegated role, whose own holders sign; targets if empty
	Add     []transfer.PlannedFile // new files, and files that replace one of the same path
	Remove  []string
	Expires time.Time
}

// PlanTargets makes a draft of the next targets on base, which must hold the
// current ones; of a delegated role also the document that delegates to it. Delegations and the other files
// stay as they are. Its error is a *PlanError or one of package tuf.
func PlanTargets(base transfer.Base, c TargetsChange, now time.Time) (*transfer.Bundle, error) {
	b, err := onBase(base, c.Purpose, now)
	if err != nil {
		return nil, err
	}
	role := cmp.Or(c.Role, tuf.Targets)
	if err := checkExpiryOf(role, c.Expires, now); err != nil {
		return nil, err
	}
	current := base.Document(role)
	if current == nil || current.Targets() == nil {
		return nil, planf(adviceBase, "the base does not hold the current %s", role)
	}
	next, err := c.apply(current, max(current.Version(), b.Base.Seen[role])+1)
	if err != nil {
		return nil, err
	}
	b.Base.Documents = slices.DeleteFunc(slices.Clone(base.Documents), func(d transfer.Document) bool { return role == tuf.Targets && d.Role != role })
	b.Documents = []transfer.Document{{Role: role, Metadata: next}}
	if err := c.handed(b); err != nil {
		return nil, err
	}
	return b, nil
}

// handed refuses files that no client would look for at a delegated role.
func (c TargetsChange) handed(b *transfer.Bundle) error {
	if c.Role == "" || c.Role == tuf.Targets {
		return nil
	}
	spec := tuf.TargetsSpec{Version: 1, Expires: wholeSecond(c.Expires)}
	for _, f := range c.Add {
		spec.Files = append(spec.Files, tuf.TargetFile{Path: f.Path, Length: f.Length, SHA256: f.SHA256})
	}
	_, err := tuf.NewDelegated(c.Role, b.Delegator(c.Role), spec)
	return err
}

// apply builds the targets that follow current.
func (c TargetsChange) apply(current *tuf.Document, version int64) (*tuf.Document, error) {
	if err := checkFiles(c.Add); err != nil {
		return nil, err
	}
	next := *current.Targets()
	next.Version, next.Expires = version, wholeSecond(c.Expires)
	next.Targets = maps.Clone(next.Targets)
	if next.Targets == nil {
		next.Targets = map[string]*metadata.TargetFiles{}
	}
	changed := !next.Expires.Equal(current.Expires())
	for _, path := range c.Remove {
		if next.Targets[path] == nil {
			return nil, planf("See the list with: conclave show.", "the file %q is not among the targets, so it cannot be removed", path)
		}
		delete(next.Targets, path)
		changed = true
	}
	for _, f := range c.Add {
		if slices.Contains(c.Remove, f.Path) {
			return nil, planf("Say one or the other.", "the file %q is to be added and removed", f.Path)
		}
		if same(next.Targets[f.Path], f) {
			continue
		}
		next.Targets[f.Path] = targetFile(f)
		changed = true
	}
	if !changed {
		return nil, planf("Add or remove a file, or give another expiry.", "nothing changes: every file is there already, and the expiry is the same")
	}
	if err := checkFolders(pathsOf(next.Targets)); err != nil {
		return nil, err
	}
	return tuf.From(&next)
}

// same reports whether the file is listed as it is.
func same(have *metadata.TargetFiles, f transfer.PlannedFile) bool {
	return have != nil && have.Length == f.Length && slices.Equal(have.Hashes["sha256"], f.SHA256[:])
}

func pathsOf(files map[string]*metadata.TargetFiles) map[string]bool {
	paths := make(map[string]bool, len(files))
	for path := range files {
		paths[path] = true
	}
	return paths
}

// targetFile is a file as targets list it: SHA-256 only, so that every client asks for the same name.
func targetFile(f transfer.PlannedFile) *metadata.TargetFiles {
	return &metadata.TargetFiles{
		Length: f.Length,
		Hashes: metadata.Hashes{"sha256": slices.Clone(f.SHA256[:])},
		Path:   f.Path,
	}
}
