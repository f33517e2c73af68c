package tuf

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// checkFields demands the fields that the document's type has, and refuses
// those that only another type has. present has a bit for each field of
// signedShape that the reader met.
func (d *Document) checkFields(present uint64) error {
	wants := belongs[d.kind]
	for i, f := range signedShape.fields {
		if !slices.Contains(typed, f.name) {
			continue
		}
		has := present&(1<<i) != 0
		need, known := wants[f.name]
		switch {
		case has && !known:
			return formatf(member("signed", f.name), "has no place in a document of type %s", d.kind)
		case !has && need:
			return formatf(member("signed", f.name), "is missing")
		}
	}
	return nil
}

// check holds the rules that need more than one value, and fills the fields of
// d that are read often.
func (d *Document) check() error {
	switch v := d.signed.(type) {
	case *metadata.RootType:
		d.take(v.Version, v.Expires, v.UnrecognizedFields)
		return d.checkRoot(v)
	case *metadata.TargetsType:
		d.take(v.Version, v.Expires, v.UnrecognizedFields)
		return d.checkTargets(v)
	case *metadata.SnapshotType:
		d.take(v.Version, v.Expires, v.UnrecognizedFields)
		return nil
	case *metadata.TimestampType:
		d.take(v.Version, v.Expires, v.UnrecognizedFields)
		return d.checkTimestamp(v)
	}
	return formatf("signed._type", "is not known")
}

func (d *Document) take(version int64, expires time.Time, unknown map[string]any) {
	d.version, d.expires = version, expires
	d.practice, _ = unknown[PracticeField].(bool)
}

func (d *Document) checkSize(limit int) error {
	if len(d.src) <= limit {
		return nil
	}
	return &FormatError{
		Path: "file",
		What: fmt.Sprintf("is a %s of %d bytes; clients download %d at most", d.kind, len(d.src), limit),
		hint: "no honest document of this kind is so large",
	}
}

func (d *Document) checkRoot(v *metadata.RootType) error {
	if err := d.checkSize(MaxRootSize); err != nil {
		return err
	}
	if err := d.readKeys("signed.keys", v.Keys); err != nil {
		return err
	}
	for _, name := range sortedNames(v.Roles) {
		role := v.Roles[name]
		if err := d.checkRole(member("signed.roles", name), role.KeyIDs, role.Threshold); err != nil {
			return err
		}
	}
	d.readHolders(v.UnrecognizedFields[HoldersField])
	return nil
}

func (d *Document) checkTimestamp(v *metadata.TimestampType) error {
	if err := d.checkSize(MaxTimestampSize); err != nil {
		return err
	}
	// TUF 4.6: the only entry is the snapshot's.
	if _, ok := v.Meta["snapshot.json"]; !ok || len(v.Meta) != 1 {
		return formatf("signed.meta", "must name snapshot.json and nothing else")
	}
	return nil
}

func (d *Document) checkTargets(v *metadata.TargetsType) error {
	if v.Delegations == nil {
		d.readHolders(v.UnrecognizedFields[HoldersField])
		return nil
	}
	const at = "signed.delegations"
	if err := d.readKeys(at+".keys", v.Delegations.Keys); err != nil {
		return err
	}
	d.readHolders(v.UnrecognizedFields[HoldersField])
	if s := v.Delegations.SuccinctRoles; s != nil {
		if v.Delegations.Roles != nil {
			return formatf(at, "has both roles and succinct_roles")
		}
		return d.checkRole(at+".succinct_roles", s.KeyIDs, s.Threshold)
	}
	seen := make(map[string]int, len(v.Delegations.Roles))
	for i, role := range v.Delegations.Roles {
		path := fmt.Sprintf("%s.roles[%d]", at, i)
		if first, twice := seen[role.Name]; twice {
			return formatf(path+".name", "is the name of entry %d again", first)
		}
		seen[role.Name] = i
		if (role.Paths == nil) == (role.PathHashPrefixes == nil) {
			return formatf(path, "must have either paths or path_hash_prefixes")
		}
		if err := d.checkRole(path, role.KeyIDs, role.Threshold); err != nil {
			return err
		}
	}
	return nil
}

// readKeys decodes every listed key.
func (d *Document) readKeys(path string, objects map[string]*metadata.Key) error {
	d.keys = make(map[string]Key, len(objects))
	for _, id := range sortedNames(objects) {
		k, err := keyFrom(id, objects[id])
		var fault *KeyError
		if errors.As(err, &fault) {
			return &FormatError{Path: member(path, id), What: fault.What, hint: fault.hint}
		}
		if err != nil {
			return formatf(member(path, id), "%v", err)
		}
		d.keys[id] = k
	}
	return nil
}

// checkRole holds the rules of one role: keyids unique and listed, and a
// threshold that its keys can meet.
func (d *Document) checkRole(path string, ids []string, threshold int) error {
	seen := make(map[string]bool, len(ids))
	for i, id := range ids {
		at := fmt.Sprintf("%s.keyids[%d]", path, i)
		if seen[id] {
			return formatf(at, "stands twice in this role")
		}
		seen[id] = true
		if _, ok := d.keys[id]; !ok {
			return formatf(at, "is the keyid %s, which is not among the keys", shorten(id, maxPathName))
		}
	}
	if threshold > len(ids) {
		return formatf(path+".threshold", "is %d, more than the %d keys of the role", threshold, len(ids))
	}
	return nil
}

// readHolders decodes who holds which key. The reader has checked its shape.
// Where the field is silent, the owner counts that tuf-on-ci keeps in a key.
func (d *Document) readHolders(field any) {
	entries, _ := field.(map[string]any)
	d.holders = make(map[string]Holder, len(entries))
	for id, k := range d.keys {
		if owner, _ := k.object.UnrecognizedFields[ownerField].(string); owner != "" {
			d.holders[id] = Holder{Name: owner}
		}
	}
	for id, e := range entries {
		m, _ := e.(map[string]any)
		var h Holder
		h.Name, _ = m["name"].(string)
		h.Purpose, _ = m["purpose"].(string)
		if serial, ok := m["serial"].(float64); ok {
			h.Serial = uint32(serial)
		}
		d.holders[id] = h
	}
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// differs says where go-tuf reads something else than the bytes say.
func differs(payload, again []byte) error {
	n := 0
	for n < len(payload) && n < len(again) && payload[n] == again[n] {
		n++
	}
	return &FormatError{
		Path: pathString(append([]step{{"signed", -1}}, pathAt(payload, n)...)),
		What: fmt.Sprintf("is read by go-tuf in another way than it is written: %q becomes %q", excerpt(payload, n), excerpt(again, n)),
		hint: "its signatures can never verify in clients that use go-tuf; the file must be made again by another tool",
	}
}

// excerpt shows a few characters around a difference.
func excerpt(b []byte, n int) string {
	const around = 24
	from, to := max(0, n-around), min(len(b), n+around)
	return string(bytes.ToValidUTF8(b[from:to], []byte("?")))
}

// pathAt walks canonical JSON to its byte n and says where in the structure it is.
func pathAt(canonical []byte, n int) []step {
	var path []step
	name := ""     // the last string that was read
	value := false // it stands in a value's place
	for i := 0; i < len(canonical) && i <= n; i++ {
		switch c := canonical[i]; c {
		case '"':
			from := i + 1
			for i++; i < len(canonical) && canonical[i] != '"'; i++ {
				if canonical[i] == '\\' {
					i++
				}
			}
			if !value {
				name = string(canonical[from:min(i, len(canonical))])
				if i >= n {
					return path
				}
			}
		case ':':
			path[len(path)-1] = step{name, -1}
			value = true
		case '{':
			path, value = append(path, step{"", -1}), false
		case '[':
			path, value = append(path, step{"", 0}), true
		case '}', ']':
			path, value = path[:len(path)-1], true
		case ',':
			if last := &path[len(path)-1]; last.index >= 0 {
				last.index++
			} else {
				*last, value = step{"", -1}, false
			}
		}
	}
	return slices.DeleteFunc(path, func(s step) bool { return s.index < 0 && s.name == "" })
}
