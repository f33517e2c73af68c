package tuf

import (
	"slices"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Warning is the kind of a Change that Compat makes for what most clients
// accept and some do not.
const Warning = "warning"

// Sizes at which some clients stop or slow down.
const (
	maxUnlistedTargets = 5_000_000 // bytes that python-tuf downloads where the snapshot gives no length
	manyTargetFiles    = 3_000     // tuf-js takes time in proportion to the square of their number
	maxPathWarnings    = 5         // sentences about single paths; the rest is counted
)

// Compat says what about a document some TUF clients refuse or read in another
// way, though it is valid. Danger marks what refuses or breaks whole
// repositories; the rest are warnings.
func Compat(doc *Document) []Change {
	d := &Diff{}
	d.compatKeys(doc)
	switch v := doc.signed.(type) {
	case *metadata.RootType:
		if !v.ConsistentSnapshot {
			d.add(Warning, InOther, "Snapshots are not consistent: clients can meet files of two releases at once.")
		}
	case *metadata.TargetsType:
		d.compatTargets(doc, v)
		d.compatDelegations(v.Delegations)
	case *metadata.SnapshotType:
		d.compatMeta(v.Meta)
	case *metadata.TimestampType:
		d.compatMeta(v.Meta)
	}
	for _, e := range doc.entries {
		if len(e.Sig) == 0 {
			d.add(Warning, InOther, "The signature of %s is empty: it was never made.", shortKeyID(e.KeyID))
		}
	}
	return d.Changes
}

// compatKeys checks every listed key against the form that all clients accept.
func (d *Diff) compatKeys(doc *Document) {
	r := rosterOf(doc)
	for _, spki := range bothKeys(&roster{}, r) {
		l := r.keys[spki]
		if len(l.ids) > 1 {
			d.add(Danger, InKeys, "%s is listed under %d keyids (%s): in many clients its holder counts more than once.",
				capital(l.label()), len(l.ids), few(shortIDs(l.ids)))
		}
		for _, id := range l.ids {
			d.compatKey(doc.keys[id], capital(l.label()))
		}
	}
}

func (d *Diff) compatKey(k Key, label string) {
	if what := strangeKey(k); what != "" {
		d.add(Danger, InKeys, "%s %s.", label, what)
	}
	switch object := k.Metadata(); {
	case object.Type == typeP384:
		d.add(Danger, InKeys, "%s has the keytype %s: go-tuf and most others refuse every role that lists it.", label, object.Type)
	case k.Scheme == schemeP384:
		d.add(Warning, InKeys, "%s is on P-384: fewer than half of the clients accept it.", label)
	case k.Type == typeEd25519 && object.Value.PublicKey != strings.ToLower(object.Value.PublicKey):
		d.add(Warning, InKeys, "%s is written in upper-case hex.", label)
	case k.Type != typeEd25519 && !tidyPEM(k):
		d.add(Warning, InKeys, "%s is in PEM of an unusual layout: some clients hash or parse it in another way.", label)
	}
}

// tidyPEM reports whether a key's text is the one that NewKey would write.
func tidyPEM(k Key) bool {
	made, err := NewKey(k.Public)
	return err == nil && made.object.Value.PublicKey == k.object.Value.PublicKey
}

func (d *Diff) compatTargets(doc *Document, v *metadata.TargetsType) {
	if n := len(doc.src); n > maxUnlistedTargets {
		d.add(Warning, InFiles, "The file has %d bytes: python-tuf refuses more than %d unless the snapshot carries the length.", n, maxUnlistedTargets)
	}
	if n := len(v.Targets); n > manyTargetFiles {
		d.add(Warning, InFiles, "The file lists %d targets: tuf-js becomes slow above a few thousand; delegated hash bins would help.", n)
	}
	var warned, others, without int
	for _, path := range sortedNames(v.Targets) {
		what := PathWarning(path)
		if bad := badTargetPath(path); bad != "" {
			what = "the name " + bad
		}
		if what != "" {
			if warned++; warned <= maxPathWarnings {
				d.add(Warning, InFiles, "%s: %s.", path, what)
			}
		}
		hashes := v.Targets[path].Hashes
		if _, ok := hashes["sha256"]; !ok {
			without++
		} else if len(hashes) > 1 {
			others++
		}
	}
	if rest := warned - maxPathWarnings; rest > 0 {
		d.add(Warning, InFiles, "%s more have names that some clients do not find.", plural(int64(rest), "file"))
	}
	if without > 0 {
		d.add(Danger, InFiles, "%s without SHA-256: many clients cannot check it.", plural(int64(without), "file"))
	}
	if others > 0 {
		d.add(Warning, InFiles, "%s with hashes beside SHA-256: go-tuf downloads by any of them, so all names must be published.", plural(int64(others), "file"))
	}
}

func (d *Diff) compatDelegations(v *metadata.Delegations) {
	if v == nil {
		return
	}
	for _, r := range v.Roles {
		if r.PathHashPrefixes != nil {
			d.add(Danger, InDelegations, "%s uses path_hash_prefixes: go-tuf never finds its files; use succinct roles.", r.Name)
		}
		strange := func(p string) bool {
			return strings.Contains(p, "**") || strings.Contains(p, "[!") || strings.Contains(p, "[^") || strings.Contains(p, `\`)
		}
		if i := slices.IndexFunc(r.Paths, strange); i >= 0 {
			d.add(Warning, InDelegations, "%s has the path pattern %s, which clients read in different ways.", r.Name, r.Paths[i])
		}
	}
}

func (d *Diff) compatMeta(meta map[string]*metadata.MetaFiles) {
	var bare []string
	for _, name := range sortedNames(meta) {
		if m := meta[name]; m.Length == 0 || len(m.Hashes["sha256"]) == 0 {
			bare = append(bare, name)
		}
	}
	if len(bare) > 0 {
		d.add(Warning, InFiles, "Listed without length and SHA-256: %s.", few(bare))
	}
}
