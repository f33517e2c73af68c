package tuf

import (
	"bytes"
	"fmt"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Kinds of a Change.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
	Danger  = "danger"
	Same    = "same"
)

// Places of a Change. Those of one role are named by the role.
const (
	InKeys        = "keys"
	InDates       = "dates"
	InFiles       = "files"
	InDelegations = "delegations"
	InOther       = "other"
)

// A Change is one sentence of a diff.
type Change struct {
	Kind   string // "added", "removed", "changed", "danger", "same"
	Where  string // "keys", "root", "targets", "dates", "files", "delegations", "other"
	Text   string // one sentence; may hold text from outside
	Danger bool   // wants attention before anything else
	Rule   string // the name of the compatibility rule that speaks, if one does
}

// A Diff says in sentences how a document differs from the one before.
type Diff struct {
	Role    string
	From    int64 // version before, 0 at genesis
	To      int64
	Changes []Change
	Power   []Power  // who could sign before and after: a root's four roles, or the delegated roles of targets for which that changed
	Meaning []string // what this means, in sentences
}

// Dangers lists the changes that want attention before anything else.
func (d *Diff) Dangers() []Change {
	var all []Change
	for _, c := range d.Changes {
		if c.Danger {
			all = append(all, c)
		}
	}
	return all
}

func (d *Diff) add(kind, where, format string, args ...any) {
	d.Changes = append(d.Changes, Change{Kind: kind, Where: where, Text: fmt.Sprintf(format, args...), Danger: kind == Danger})
}

func (d *Diff) mean(format string, args ...any) {
	d.Meaning = append(d.Meaning, fmt.Sprintf(format, args...))
}

// Compare explains next against old (nil at genesis), aligned by key bytes, not by keyid.
// Ages are relative to now.
func Compare(old, next *Document, now time.Time) (*Diff, error) {
	if next == nil {
		return nil, fmt.Errorf("compare metadata: there is no new document")
	}
	if old != nil && old.kind != next.kind {
		return nil, fmt.Errorf("compare metadata: %s is of another kind than %s", next.Title(), old.Title())
	}
	d := &Diff{Role: next.kind, To: next.version}
	if old != nil {
		d.From = old.version
	}
	d.compareVersions(old, next)
	d.comparePractice(old, next)
	switch v := next.signed.(type) {
	case *metadata.RootType:
		d.compareRoots(old, next, now)
	case *metadata.TargetsType:
		d.compareTargets(old, next, now)
	case *metadata.SnapshotType:
		var before map[string]*metadata.MetaFiles
		if old != nil {
			before = old.Snapshot().Meta
		}
		d.compareMeta(before, v.Meta)
		d.compareDates(old, next, now)
		d.explainExpiry(next, now)
	case *metadata.TimestampType:
		var before map[string]*metadata.MetaFiles
		if old != nil {
			before = old.Timestamp().Meta
		}
		d.compareMeta(before, v.Meta)
		d.compareDates(old, next, now)
		d.explainExpiry(next, now)
	}
	if old != nil && next.kind != Root {
		d.compareOther(old, next)
	}
	return d, nil
}

// compareVersions says where versions are not in a row.
func (d *Diff) compareVersions(old, next *Document) {
	switch {
	case old == nil:
		return
	case next.version <= old.version:
		d.add(Danger, InOther, "%s does not follow %s: clients refuse a version that is not higher.", capital(next.Title()), old.Title())
	case next.kind == Root && next.version != old.version+1:
		d.add(Danger, InOther, "%s does not follow %s: clients walk the roots one by one and would never find it.", capital(next.Title()), old.Title())
	}
}

// comparePractice says where rehearsal and reality would mix.
func (d *Diff) comparePractice(old, next *Document) {
	switch {
	case next.practice && (old == nil || old.practice):
		d.add(Same, InOther, "This is PRACTICE metadata, made in a rehearsal; real stores refuse it.")
	case next.practice:
		d.add(Danger, InOther, "%s is PRACTICE metadata, but %s is real.", capital(next.Title()), old.Title())
	case old != nil && old.practice:
		d.add(Danger, InOther, "%s is not marked as PRACTICE, but %s is.", capital(next.Title()), old.Title())
	}
}

// compareDates says when the document expires and how that moved.
func (d *Diff) compareDates(old, next *Document, now time.Time) {
	text := expiry(next.expires, now)
	kind := Changed
	switch {
	case !next.expires.After(now):
		kind = Danger
	case old == nil:
		kind = Added
	case old.expires.Equal(next.expires):
		kind = Same
		text += ", as before"
	}
	if old != nil && !old.expires.Equal(next.expires) {
		text += " (was " + date(old.expires) + ", " + relative(old.expires, now) + ")"
	}
	d.add(kind, InDates, "%s", text)
}

// compareOther says what changed in fields that have no section of their own.
func (d *Diff) compareOther(old, next *Document) {
	if a, b := specOf(old), specOf(next); a != b {
		d.add(Changed, InOther, "The version of the specification changes from %s to %s.", a, b)
	}
	d.compareUnknown("", unknownOf(old), unknownOf(next))
}

func specOf(d *Document) string {
	switch v := d.signed.(type) {
	case *metadata.RootType:
		return v.SpecVersion
	case *metadata.TargetsType:
		return v.SpecVersion
	case *metadata.SnapshotType:
		return v.SpecVersion
	case *metadata.TimestampType:
		return v.SpecVersion
	}
	return ""
}

func unknownOf(d *Document) map[string]any {
	switch v := d.signed.(type) {
	case *metadata.RootType:
		return v.UnrecognizedFields
	case *metadata.TargetsType:
		return v.UnrecognizedFields
	case *metadata.SnapshotType:
		return v.UnrecognizedFields
	case *metadata.TimestampType:
		return v.UnrecognizedFields
	}
	return nil
}

// compareUnknown says how fields that TUF gives no meaning changed. of is what
// they belong to, like " of role root".
func (d *Diff) compareUnknown(of string, old, next map[string]any) {
	for _, name := range union(old, next) {
		if name == HoldersField || name == PracticeField {
			continue
		}
		before, was := old[name]
		after, is := next[name]
		a, b := showField(before), showField(after)
		switch {
		case !was:
			d.add(Added, InOther, "The field %s%s is new: %s.", name, of, b)
		case !is:
			d.add(Removed, InOther, "The field %s%s is gone; it was %s.", name, of, a)
		case !equalFields(before, after):
			d.add(Changed, InOther, "The field %s%s changes from %s to %s.", name, of, a, b)
		}
	}
}

// maxField is how much of an unknown field's value a sentence shows.
const maxField = 60

func showField(v any) string {
	text, err := encode(v)
	if err != nil {
		return "a value that cannot be shown"
	}
	return shorten(string(text), maxField)
}

func equalFields(a, b any) bool {
	x, err1 := encode(a)
	y, err2 := encode(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// union lists the names of two maps, sorted, each once.
func union[V any](a, b map[string]V) []string {
	names := make(map[string]struct{}, len(a))
	for name := range a {
		names[name] = struct{}{}
	}
	for name := range b {
		names[name] = struct{}{}
	}
	return sortedNames(names)
}
