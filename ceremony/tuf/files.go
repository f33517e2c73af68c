package tuf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// compareTargets explains targets metadata against the one before.
func (d *Diff) compareTargets(old, next *Document, now time.Time) {
	var before map[string]*metadata.TargetFiles
	if old != nil {
		before = old.Targets().Targets
	}
	d.compareFiles(before, next.Targets().Targets)
	was, is := rosterOf(old), rosterOf(next)
	align(was, is)
	d.compareRosters(was, is)
	d.compareDelegations(was, is)
	d.compareUnknown(" of the delegations", unknownDelegations(old), unknownDelegations(next))
	d.strayHolders(old, next)
	d.compareDelegatedPower(was, is)
	d.explainOverlaps(old, next)
	d.compareDates(old, next, now)
	d.explainExpiry(next, now)
}

// compareFiles lists the files that changed. It takes time in proportion to
// the number of files, and sorts only those that changed.
func (d *Diff) compareFiles(old, next map[string]*metadata.TargetFiles) {
	var added, removed, changed []string
	for path, after := range next {
		before, had := old[path]
		switch {
		case !had:
			added = append(added, path)
		case !sameTarget(before, after):
			changed = append(changed, path)
		}
	}
	for path := range old {
		if _, stays := next[path]; !stays {
			removed = append(removed, path)
		}
	}
	for _, list := range [][]string{added, removed, changed} {
		slices.Sort(list)
	}
	for _, path := range added {
		d.add(Added, InFiles, "%s: %s.", path, describeTarget(next[path]))
		if warning := PathWarning(path); warning != "" {
			d.add(Changed, InFiles, "%s: %s.", path, warning)
		}
	}
	for _, path := range changed {
		d.add(Changed, InFiles, "%s: %s.", path, targetChange(old[path], next[path]))
	}
	for _, path := range removed {
		d.add(Removed, InFiles, "%s: %s.", path, describeTarget(old[path]))
	}
	d.countFiles(len(added), len(changed), len(removed), len(next)-len(added)-len(changed))
}

// countFiles sums up in one sentence.
func (d *Diff) countFiles(added, changed, removed, stay int) {
	if added+changed+removed == 0 {
		d.add(Same, InFiles, "No file changes; %s.", stays(stay))
		d.mean("The same %s can be downloaded as before.", plural(int64(stay), "file"))
		return
	}
	var parts []string
	for _, p := range []struct {
		n    int
		verb string
	}{{added, "added"}, {changed, "changed"}, {removed, "removed"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", plural(int64(p.n), "file"), p.verb))
		}
	}
	if stay > 0 {
		d.mean("%s; %s.", capital(join(parts, "and")), stays(stay))
	} else {
		d.mean("%s.", capital(join(parts, "and")))
	}
	if changed > 0 {
		d.mean("A client that has an old form of a changed file downloads it again.")
	}
}

func stays(n int) string {
	if n == 1 {
		return "1 file stays as it is"
	}
	return fmt.Sprintf("%d files stay as they are", n)
}

func sameTarget(a, b *metadata.TargetFiles) bool {
	return a.Length == b.Length && sameHashes(a.Hashes, b.Hashes) && sameCustom(a.Custom, b.Custom) &&
		(len(a.UnrecognizedFields)+len(b.UnrecognizedFields) == 0 || equalFields(a.UnrecognizedFields, b.UnrecognizedFields))
}

func sameHashes(a, b metadata.Hashes) bool {
	if len(a) != len(b) {
		return false
	}
	for name, sum := range a {
		if other, ok := b[name]; !ok || !bytes.Equal(sum, other) {
			return false
		}
	}
	return true
}

func sameCustom(a, b *json.RawMessage) bool {
	if a == nil || b == nil {
		return a == b
	}
	if bytes.Equal(*a, *b) {
		return true
	}
	return equalFields(a, b)
}

// describeTarget is a file's length and hash.
func describeTarget(t *metadata.TargetFiles) string {
	return fmt.Sprintf("%s, %s", plural(t.Length, "byte"), describeHashes(t.Hashes))
}

// describeHashes shows SHA-256, or what there is, whole: people decide by it.
func describeHashes(h metadata.Hashes) string {
	names := sortedNames(h)
	if sum := h["sha256"]; len(sum) == len(Digest{}) {
		return "sha256 " + Digest(sum).String()
	}
	for _, name := range names {
		return name + " " + h[name].String()
	}
	return "no hash"
}

func targetChange(a, b *metadata.TargetFiles) string {
	if a.Length == b.Length && sameHashes(a.Hashes, b.Hashes) {
		return fmt.Sprintf("the file stays the same (%s), what is said about it changes", describeTarget(b))
	}
	if describeTarget(a) == describeTarget(b) {
		return fmt.Sprintf("its other hashes change (%s)", describeTarget(b))
	}
	return fmt.Sprintf("%s (was %s)", describeTarget(b), describeTarget(a))
}

// compareMeta explains what a snapshot or timestamp lists.
func (d *Diff) compareMeta(old, next map[string]*metadata.MetaFiles) {
	for _, name := range union(old, next) {
		before, after := old[name], next[name]
		switch {
		case before == nil:
			d.add(Added, InFiles, "%s: %s.", name, describeMeta(after))
		case after == nil:
			d.add(Danger, InFiles, "%s is no longer listed (it was at version %d): clients refuse that.", name, before.Version)
		case after.Version < before.Version:
			d.add(Danger, InFiles, "%s goes back from version %d to %d: clients refuse that.", name, before.Version, after.Version)
		case describeMeta(before) != describeMeta(after):
			d.add(Changed, InFiles, "%s: %s (was %s).", name, describeMeta(after), describeMeta(before))
		case !equalFields(before, after):
			d.add(Changed, InFiles, "%s: %s as before, but what else is said about it changes.", name, describeMeta(after))
		}
	}
}

func describeMeta(m *metadata.MetaFiles) string {
	text := fmt.Sprintf("version %d", m.Version)
	if m.Length > 0 {
		text += ", " + plural(m.Length, "byte")
	}
	if len(m.Hashes) > 0 {
		text += ", " + describeHashes(m.Hashes)
	}
	return text
}
