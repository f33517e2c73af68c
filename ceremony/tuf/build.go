package tuf

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// specVersion is the version of the specification that built metadata names.
const specVersion = "1.0.31"

// A HeldKey is a key and who holds it; an online key has no holder.
type HeldKey struct {
	Key    Key
	Holder Holder
}

// A RoleSpec says which keys a role has and how many of them must sign.
type RoleSpec struct {
	KeyIDs    []string
	Threshold int
}

// A RootSpec is what a new root shall say. Snapshots are always consistent.
type RootSpec struct {
	Version  int64
	Expires  time.Time
	Keys     []HeldKey
	Roles    map[string]RoleSpec // all four top-level roles
	Practice bool
	Base     *Document // optional: the root before, whose unknown fields are kept
}

// A TargetFile is one file that targets metadata vouches for.
type TargetFile struct {
	Path   string
	Length int64
	SHA256 [32]byte
	Custom json.RawMessage // optional
}

// A TargetsSpec is what new targets metadata shall say: Files are all files, not
// only the new ones. Unknown fields are those of Base, and so are delegations
// where the spec says nothing about them.
type TargetsSpec struct {
	Version     int64
	Expires     time.Time
	Files       []TargetFile
	Practice    bool
	Base        *Document
	Delegations *Delegations // all of them; nil keeps those of Base
}

// From builds an unsigned document from a go-tuf value and reads it back
// through Parse: *metadata.RootType, *metadata.TargetsType, *metadata.SnapshotType or *metadata.TimestampType.
// Expiry is cut to whole seconds in UTC. Beyond Parse it demands the form that
// all clients accept: keyids that are the hash of their key, and no key twice.
// Its errors are *BuildError, *SyntaxError or *FormatError.
func From(signed any) (*Document, error) { return build(signed, nil) }

// build is From for a document that follows base: keys that base has already
// under the same keyid were accepted before and may stay.
func build(signed any, base *Document) (*Document, error) {
	whole, err := wholeSeconds(signed)
	if err != nil {
		return nil, err
	}
	var file []byte
	err = guard(func() error {
		var err error
		file, err = encodePretty(unsigned{whole})
		return err
	})
	if err != nil {
		return nil, &BuildError{What: err.Error(), hint: "the value handed in holds something that metadata cannot"}
	}
	d, err := Parse(file)
	if err != nil {
		return nil, err
	}
	if err := checkBuilt(d, base); err != nil {
		return nil, err
	}
	return d, nil
}

// unsigned is an envelope without signatures, for the encoder.
type unsigned struct{ signed any }

// wholeSeconds returns a copy of a go-tuf value with its expiry in whole
// seconds of UTC: python-tuf refuses fractions.
func wholeSeconds(signed any) (any, error) {
	cut := func(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
	switch v := signed.(type) {
	case *metadata.RootType:
		if v != nil {
			c := *v
			c.Expires = cut(c.Expires)
			return &c, nil
		}
	case *metadata.TargetsType:
		if v != nil {
			c := *v
			c.Expires = cut(c.Expires)
			return &c, nil
		}
	case *metadata.SnapshotType:
		if v != nil {
			c := *v
			c.Expires = cut(c.Expires)
			return &c, nil
		}
	case *metadata.TimestampType:
		if v != nil {
			c := *v
			c.Expires = cut(c.Expires)
			return &c, nil
		}
	}
	return nil, &BuildError{What: fmt.Sprintf("from %T, which is no TUF metadata", signed)}
}

// checkBuilt refuses what may be read but must not be made.
func checkBuilt(d, base *Document) error {
	first := map[Digest]string{}
	for _, id := range sortedNames(d.keys) {
		k := d.keys[id]
		if other, twice := first[k.SPKI]; twice {
			return &BuildError{
				What: fmt.Sprintf("%s lists one public key under two keyids, %s and %s", d.Title(), shortKeyID(other), shortKeyID(id)),
				hint: "in many clients its holder would count twice; list it once",
			}
		}
		first[k.SPKI] = id
		if base != nil {
			if before, ok := base.keys[id]; ok && before.SPKI == k.SPKI {
				continue
			}
		}
		if what := strangeKey(k); what != "" {
			return &BuildError{
				What: fmt.Sprintf("%s lists key %s, which %s", d.Title(), shortKeyID(id), what),
				hint: "make the key anew from its public key alone; never edit a key or its keyid by hand",
			}
		}
	}
	for _, id := range sortedNames(d.holders) {
		if _, ok := d.keys[id]; !ok {
			return &BuildError{What: fmt.Sprintf("%s names %s as holder of key %s, which it does not list", d.Title(), d.holders[id].Name, shortKeyID(id))}
		}
	}
	return nil
}

// strangeKey says what about a listed key some clients would not accept.
func strangeKey(k Key) string {
	hash, err := keyID(k.Metadata())
	if err != nil || hash != k.ID {
		return "has a keyid that is not the hash of the key: clients in Rust refuse the whole file"
	}
	return ""
}

// NewRoot builds an unsigned root.
func NewRoot(spec RootSpec) (*Document, error) {
	keys := make(map[string]*metadata.Key, len(spec.Keys))
	holders := map[string]any{}
	for _, held := range spec.Keys {
		id := held.Key.ID
		if _, twice := keys[id]; twice {
			return nil, &BuildError{What: fmt.Sprintf("key %s is listed twice", shortKeyID(id)), hint: "list every key once and name it in all its roles"}
		}
		keys[id] = held.Key.Metadata()
		if h := holderField(held.Holder); h != nil {
			holders[id] = h
		}
	}
	roles := make(map[string]*metadata.Role, len(spec.Roles))
	for name, r := range spec.Roles {
		roles[name] = &metadata.Role{KeyIDs: slices.Clone(r.KeyIDs), Threshold: r.Threshold}
	}
	var unknown map[string]any
	if spec.Base != nil && spec.Base.Root() != nil {
		keepRoleFields(roles, spec.Base.Root().Roles)
		unknown = spec.Base.Root().UnrecognizedFields
	}
	unknown = marked(unknown, spec.Practice)
	delete(unknown, HoldersField)
	if len(holders) > 0 {
		unknown[HoldersField] = holders
	}
	return build(&metadata.RootType{
		Type:               Root,
		SpecVersion:        specVersion,
		ConsistentSnapshot: true,
		Version:            spec.Version,
		Expires:            spec.Expires,
		Keys:               keys,
		Roles:              roles,
		UnrecognizedFields: unknown,
	}, spec.Base)
}

// keepRoleFields carries over the fields that other tools keep in roles.
func keepRoleFields(roles, base map[string]*metadata.Role) {
	for name, r := range roles {
		if before := base[name]; before != nil {
			r.UnrecognizedFields = maps.Clone(before.UnrecognizedFields)
		}
	}
}

// holderField is a holder as the signed root carries it; nil for nobody.
func holderField(h Holder) map[string]any {
	if h == (Holder{}) {
		return nil
	}
	field := map[string]any{"name": h.Name}
	if h.Serial != 0 {
		field["serial"] = int64(h.Serial)
	}
	if h.Purpose != "" {
		field["purpose"] = h.Purpose
	}
	return field
}

// marked copies unknown fields and sets or clears the practice mark.
func marked(unknown map[string]any, practice bool) map[string]any {
	c := maps.Clone(unknown)
	if c == nil {
		c = map[string]any{}
	}
	delete(c, PracticeField)
	if practice {
		c[PracticeField] = true
	}
	return c
}

// NewTargets builds unsigned targets metadata.
func NewTargets(spec TargetsSpec) (*Document, error) {
	v := &metadata.TargetsType{
		Type:        Targets,
		SpecVersion: specVersion,
		Version:     spec.Version,
		Expires:     spec.Expires,
		Targets:     make(map[string]*metadata.TargetFiles, len(spec.Files)),
	}
	var unknown map[string]any
	if spec.Base != nil {
		base := spec.Base.Targets()
		if base == nil {
			return nil, &BuildError{What: "targets cannot follow " + spec.Base.Title()}
		}
		v.Delegations, unknown = base.Delegations, base.UnrecognizedFields
	}
	v.UnrecognizedFields = marked(unknown, spec.Practice)
	if spec.Delegations != nil {
		if err := redelegate(v, *spec.Delegations); err != nil {
			return nil, err
		}
	}
	for _, f := range spec.Files {
		if err := CheckTargetPath(f.Path); err != nil {
			return nil, err
		}
		if _, twice := v.Targets[f.Path]; twice {
			return nil, &BuildError{What: fmt.Sprintf("target %q is listed twice", shorten(f.Path, maxPathName))}
		}
		target, err := targetOf(f)
		if err != nil {
			return nil, err
		}
		v.Targets[f.Path] = target
	}
	return build(v, spec.Base)
}

// redelegate puts other delegations, and who holds their keys, into v.
func redelegate(v *metadata.TargetsType, to Delegations) error {
	d, holders, err := to.build(v.Delegations)
	if err != nil {
		return err
	}
	v.Delegations = d
	delete(v.UnrecognizedFields, HoldersField)
	if len(holders) > 0 {
		v.UnrecognizedFields[HoldersField] = holders
	}
	return nil
}

func targetOf(f TargetFile) (*metadata.TargetFiles, error) {
	target := &metadata.TargetFiles{
		Length: f.Length,
		// Only SHA-256: go-tuf downloads by a random one of the listed hashes.
		Hashes: metadata.Hashes{"sha256": f.SHA256[:]},
	}
	if len(f.Custom) > 0 {
		canonical, err := Canonical(f.Custom)
		if err != nil {
			return nil, fmt.Errorf("build metadata: custom field of %q: %w", shorten(f.Path, maxPathName), err)
		}
		if string(canonical) == "null" {
			return nil, &BuildError{What: fmt.Sprintf("custom field of %q is null", shorten(f.Path, maxPathName)), hint: "leave it out"}
		}
		custom := slices.Clone(f.Custom)
		target.Custom = &custom
	}
	return target, nil
}

// Files lists the files of a targets document, sorted by path.
func (d *Document) Files() []TargetFile {
	v := d.Targets()
	if v == nil {
		return nil
	}
	files := make([]TargetFile, 0, len(v.Targets))
	for _, path := range sortedNames(v.Targets) {
		t := v.Targets[path]
		f := TargetFile{Path: path, Length: t.Length}
		copy(f.SHA256[:], t.Hashes["sha256"])
		if t.Custom != nil {
			f.Custom = slices.Clone(*t.Custom)
		}
		files = append(files, f)
	}
	return files
}

// errNoBase is returned where there is nothing to renew.
var errNoBase = errors.New("build metadata: there is no root to renew")

// RenewRoot builds the unsigned root that follows base with a new version and
// expiry. All else stays as it is, unknown fields included.
func RenewRoot(base *Document, version int64, expires time.Time) (*Document, error) {
	if base == nil || base.Root() == nil {
		return nil, errNoBase
	}
	next := *base.Root()
	next.Version, next.Expires = version, expires
	return build(&next, base)
}

// NewSnapshot builds an unsigned snapshot over the files of meta, which are
// named like "targets.json": their exact bytes, version, length and SHA-256.
func NewSnapshot(version int64, expires time.Time, meta map[string]*Document, practice bool) (*Document, error) {
	files := make(map[string]*metadata.MetaFiles, len(meta))
	for name, d := range meta {
		if d == nil || d.Targets() == nil {
			return nil, &BuildError{What: fmt.Sprintf("snapshot lists %q, which is no targets metadata", shorten(name, maxPathName))}
		}
		if role, ok := strings.CutSuffix(name, ".json"); !ok || strings.Contains(role, "/") || badTargetPath(role) != "" {
			return nil, &BuildError{What: fmt.Sprintf("snapshot lists %q, which is no name of a metadata file", shorten(name, maxPathName))}
		}
		files[name] = metaOf(d)
	}
	if files["targets.json"] == nil {
		return nil, &BuildError{What: "snapshot does not list targets.json", hint: "every snapshot must: clients look for it first"}
	}
	return build(&metadata.SnapshotType{
		Type:               Snapshot,
		SpecVersion:        specVersion,
		Version:            version,
		Expires:            expires,
		Meta:               files,
		UnrecognizedFields: marked(nil, practice),
	}, nil)
}

// NewTimestamp builds an unsigned timestamp over the exact bytes of snapshot.
func NewTimestamp(version int64, expires time.Time, snapshot *Document, practice bool) (*Document, error) {
	if snapshot == nil || snapshot.Snapshot() == nil {
		return nil, &BuildError{What: "timestamp needs a snapshot"}
	}
	return build(&metadata.TimestampType{
		Type:               Timestamp,
		SpecVersion:        specVersion,
		Version:            version,
		Expires:            expires,
		Meta:               map[string]*metadata.MetaFiles{"snapshot.json": metaOf(snapshot)},
		UnrecognizedFields: marked(nil, practice),
	}, nil)
}

// metaOf describes a file the way all clients accept: with length and SHA-256.
func metaOf(d *Document) *metadata.MetaFiles {
	sum := DigestOf([]byte(d.src))
	return &metadata.MetaFiles{
		Version: d.version,
		Length:  int64(len(d.src)),
		Hashes:  metadata.Hashes{"sha256": sum[:]},
	}
}
