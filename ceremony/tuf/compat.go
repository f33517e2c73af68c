package tuf

import (
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Warning is the kind of a Change that Compat makes for what most clients
// accept and some do not.
const Warning = "warning"

// Sizes at which some clients stop or slow down.
const (
	maxUnlistedTargets  = 5_000_000 // bytes that are downloaded where the snapshot gives no length
	maxUnlistedSnapshot = 2_000_000 // the same where the timestamp gives none
	manyTargetFiles     = 3_000     // tuf-js takes time in proportion to the square of their number
	maxDelegations      = 32        // roles that python-tuf, go-tuf and tuf-js ask for one path
	maxPathWarnings     = 5         // sentences about single paths; the rest is counted
)

// lastSecond is the last that a signed count of seconds in 32 bits can name.
var lastSecond = time.Unix(1<<31-1, 0)

// Compat says what about a document some TUF clients refuse or read in another
// way, though it is valid. Danger marks what refuses or breaks whole
// repositories; the rest are warnings. Every change names its rule.
func Compat(doc *Document) []Change {
	d := &Diff{}
	d.compatKeys(doc)
	d.compatFile(doc)
	switch v := doc.signed.(type) {
	case *metadata.RootType:
		if !v.ConsistentSnapshot {
			d.warn(RuleConsistent, InOther, "Snapshots are not consistent: clients can meet files of two releases at once.")
		}
	case *metadata.TargetsType:
		d.compatTargets(v)
		d.compatDelegations(v.Delegations)
	case *metadata.SnapshotType:
		d.compatMeta(v.Meta)
	case *metadata.TimestampType:
		d.compatMeta(v.Meta)
	}
	d.compatSignatures(doc)
	return d.Changes
}

// compatFile looks at the file as a whole.
func (d *Diff) compatFile(doc *Document) {
	limits := map[string]int{Targets: maxUnlistedTargets, Snapshot: maxUnlistedSnapshot}
	if limit, n := limits[doc.kind], len(doc.src); limit > 0 && n > limit {
		d.warn(RuleFileSize, InFiles, "The file has %d bytes: python-tuf, go-tuf and tuf-js refuse more than %d unless its length is listed.", n, limit)
	}
	if doc.expires.After(lastSecond) {
		d.warn(RuleExpiryYear, InDates, "It expires on %s: clients that count time in 32 bits read that as long past.", date(doc.expires))
	}
}

func (d *Diff) compatSignatures(doc *Document) {
	for _, e := range doc.entries {
		if len(e.Sig) == 0 {
			d.warn(RuleEmptySig, InOther, "The signature of %s is empty: it was never made.", shortKeyID(e.KeyID))
		}
	}
	if n := len(doc.entries); n > maxQuickSignatures {
		d.warn(RuleSignatures, InOther, "The file has %d signatures, and every client checks each: %d are plenty.", n, maxQuickSignatures)
	}
}

// compatKeys checks every listed key against the form that all clients accept.
func (d *Diff) compatKeys(doc *Document) {
	r := rosterOf(doc)
	for _, spki := range bothKeys(&roster{}, r) {
		l := r.keys[spki]
		if len(l.ids) > 1 {
			d.endanger(RuleKeyTwice, InKeys, "%s is listed under %d keyids (%s): in many clients its holder counts more than once.",
				capital(l.label()), len(l.ids), few(shortIDs(l.ids)))
		}
		for _, id := range l.ids {
			d.compatKey(doc.keys[id], capital(l.label()))
		}
	}
}

func (d *Diff) compatKey(k Key, label string) {
	if what := strangeKey(k); what != "" {
		d.endanger(RuleKeyIDHash, InKeys, "%s %s.", label, what)
	}
	switch object := k.Metadata(); {
	case object.Type == typeP384:
		d.endanger(RuleKeyType, InKeys, "%s has the keytype %s, read by %s alone: go-tuf and most others refuse every role that lists it.",
			label, object.Type, join(readersOf(func(r KeyReader) bool { return r.OldP384 }), "and"))
	case k.Scheme == schemeP384:
		d.warn(RuleCurve, InKeys, "%s is on P-384: only %s read it.", label, join(readersOf(func(r KeyReader) bool { return r.P384 }), "and"))
	case k.Type == typeEd25519 && object.Value.PublicKey != strings.ToLower(object.Value.PublicKey):
		d.warn(RuleKeyLayout, InKeys, "%s is written in upper-case hex.", label)
	case k.Type != typeEd25519 && !tidyPEM(k):
		d.warn(RuleKeyLayout, InKeys, "%s is in PEM of an unusual layout: some clients hash or parse it in another way.", label)
	}
}

// tidyPEM reports whether a key's text is the one that NewKey would write.
func tidyPEM(k Key) bool {
	made, err := NewKey(k.Public)
	return err == nil && made.object.Value.PublicKey == k.object.Value.PublicKey
}

func (d *Diff) compatTargets(v *metadata.TargetsType) {
	if n := len(v.Targets); n > manyTargetFiles {
		d.warn(RuleTargetCount, InFiles, "The file lists %d targets: tuf-js becomes slow above a few thousand; delegated hash bins would help.", n)
	}
	var warned, others, without int
	for _, path := range sortedNames(v.Targets) {
		what := PathWarning(path)
		if bad := badTargetPath(path); bad != "" {
			what = "the name " + bad
		}
		if what != "" {
			if warned++; warned <= maxPathWarnings {
				d.warn(RuleTargetName, InFiles, "%s: %s.", path, what)
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
		d.warn(RuleTargetName, InFiles, "%s more have names that some clients do not find.", plural(int64(rest), "file"))
	}
	if without > 0 {
		d.endanger(RuleTargetHash, InFiles, "%s without SHA-256: many clients cannot check it.", plural(int64(without), "file"))
	}
	if others > 0 {
		d.warn(RuleOtherHashes, InFiles, "%s with hashes beside SHA-256: go-tuf downloads by any of them, so all names must be published.", plural(int64(others), "file"))
	}
}

func (d *Diff) compatDelegations(v *metadata.Delegations) {
	if v == nil {
		return
	}
	for _, r := range v.Roles {
		if r.PathHashPrefixes != nil {
			d.endanger(RuleHashPrefixes, InDelegations, "%s uses path_hash_prefixes: go-tuf never finds its files; use succinct roles.", r.Name)
		}
		if what := badRoleName(r.Name); what != "" {
			d.warn(RuleRoleName, InDelegations, "The name of %s %s: clients escape it in different ways, or cannot store it.", r.Name, what)
		}
		if i := slices.IndexFunc(r.Paths, func(p string) bool { return badPattern(p) != "" }); i >= 0 {
			d.warn(RulePathPattern, InDelegations, "%s has the path pattern %s, which %s: clients read it in different ways.", r.Name, r.Paths[i], badPattern(r.Paths[i]))
		}
	}
	if s := v.SuccinctRoles; s != nil {
		if what := badRoleName(s.NamePrefix); what != "" {
			d.warn(RuleRoleName, InDelegations, "The prefix %s of the bins' names %s: clients escape it in different ways, or cannot store it.", s.NamePrefix, what)
		}
	}
	if path, n := mostAsked(v.Roles); n > maxDelegations {
		d.warn(RuleDelegations, InDelegations, "%s is asked of %d roles: python-tuf, go-tuf and tuf-js give up after %d.", path, n, maxDelegations)
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
		d.warn(RuleMetaLength, InFiles, "Listed without length and SHA-256: %s.", few(bare))
	}
}
