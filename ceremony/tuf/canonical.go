package tuf

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Canonical returns the OLPC canonical form of one JSON value: no white space,
// names in the order of their bytes, and strings in which only the quote and the
// backslash are escaped. Line breaks stand raw in it, so it is not JSON.
// It reads as strictly as Parse: whole numbers, every name once, UTF-8.
func Canonical(raw []byte) ([]byte, error) {
	if len(raw) > MaxSize {
		return nil, tooLarge(len(raw))
	}
	r := &reader{src: raw}
	if err := r.file(free); err != nil {
		return nil, err
	}
	return r.out, nil
}

// appendString writes s as a canonical string.
func appendString[T string | []byte](out []byte, s T) []byte {
	out = append(out, '"')
	from := 0
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			out = append(out, s[from:i]...)
			out = append(out, '\\')
			from = i
		}
	}
	out = append(out, s[from:]...)
	return append(out, '"')
}

// An encoder writes go-tuf's values as go-tuf would: as canonical JSON or, when
// pretty, as the JSON of a file. It follows the MarshalJSON methods of go-tuf,
// which leave some empty fields out.
type encoder struct {
	out    []byte
	pretty bool
	depth  int
	fields []pair // of the open objects, innermost last
}

// A pair is one member before it is written.
type pair struct {
	name  string
	value any
}

// encode returns the canonical form of a go-tuf value.
func encode(v any) ([]byte, error) {
	e := &encoder{}
	err := e.value(v)
	return e.out, err
}

// encodePretty returns v as the JSON of a file.
func encodePretty(v any) ([]byte, error) {
	e := &encoder{pretty: true}
	err := e.value(v)
	return e.out, err
}

// value writes any value that go-tuf's types are made of.
func (e *encoder) value(v any) error {
	switch v := v.(type) {
	case nil:
		e.out = append(e.out, "null"...)
	case bool:
		e.out = strconv.AppendBool(e.out, v)
	case string:
		e.text(v)
	case int:
		e.out = strconv.AppendInt(e.out, int64(v), 10)
	case int64:
		e.out = strconv.AppendInt(e.out, v, 10)
	case float64:
		return e.whole(v)
	case time.Time:
		e.text(v.Format(time.RFC3339Nano))
	case metadata.HexBytes:
		e.hex(v)
	case *json.RawMessage:
		return e.raw(*v)
	case []any:
		return list(e, v, e.value)
	case []string:
		return list(e, v, func(s string) error { e.text(s); return nil })
	case map[string]any:
		return e.object(v, nil)
	default:
		return e.record(v)
	}
	return nil
}

// record writes one of go-tuf's structures.
func (e *encoder) record(v any) error {
	switch v := v.(type) {
	case unsigned:
		return e.object(nil, []pair{{"signatures", []any{}}, {"signed", v.signed}})
	case *metadata.RootType:
		return e.object(v.UnrecognizedFields, []pair{
			{"_type", v.Type},
			{"consistent_snapshot", v.ConsistentSnapshot},
			{"expires", v.Expires},
			{"keys", v.Keys},
			{"roles", v.Roles},
			{"spec_version", v.SpecVersion},
			{"version", v.Version},
		})
	case *metadata.TargetsType:
		fields := []pair{
			{"_type", v.Type},
			{"expires", v.Expires},
			{"spec_version", v.SpecVersion},
			{"targets", v.Targets},
			{"version", v.Version},
		}
		if v.Delegations != nil {
			fields = append(fields, pair{"delegations", v.Delegations})
		}
		return e.object(v.UnrecognizedFields, fields)
	case *metadata.SnapshotType:
		return e.object(v.UnrecognizedFields, metaFields(v.Type, v.SpecVersion, v.Version, v.Expires, v.Meta))
	case *metadata.TimestampType:
		return e.object(v.UnrecognizedFields, metaFields(v.Type, v.SpecVersion, v.Version, v.Expires, v.Meta))
	default:
		return e.part(v)
	}
}

func metaFields(typ, spec string, version int64, expires time.Time, meta map[string]*metadata.MetaFiles) []pair {
	return []pair{{"_type", typ}, {"expires", expires}, {"meta", meta}, {"spec_version", spec}, {"version", version}}
}

// part writes the parts of go-tuf's structures, the many-fold ones first.
func (e *encoder) part(v any) error {
	switch v := v.(type) {
	case *metadata.TargetFiles:
		return e.target(v)
	case metadata.Hashes:
		return dict(e, v, func(h metadata.HexBytes) error { e.hex(h); return nil })
	case map[string]*metadata.TargetFiles:
		return dict(e, v, e.target)
	case *metadata.MetaFiles:
		return e.metaFile(v)
	case map[string]*metadata.MetaFiles:
		return dict(e, v, e.metaFile)
	case *metadata.Key:
		return e.key(v)
	case map[string]*metadata.Key:
		return dict(e, v, e.key)
	case map[string]*metadata.Role:
		return dict(e, v, e.role)
	case *metadata.Delegations:
		return e.delegations(v)
	case []metadata.DelegatedRole:
		return list(e, v, e.delegatedRole)
	case *metadata.SuccinctRoles:
		return e.object(v.UnrecognizedFields, []pair{
			{"bit_length", v.BitLength},
			{"keyids", v.KeyIDs},
			{"name_prefix", v.NamePrefix},
			{"threshold", v.Threshold},
		})
	case metadata.KeyVal:
		return e.object(v.UnrecognizedFields, []pair{{"public", v.PublicKey}})
	}
	return fmt.Errorf("encode metadata: %T has no place in it", v)
}

func (e *encoder) target(v *metadata.TargetFiles) error {
	if v == nil {
		return e.value(nil)
	}
	if len(v.UnrecognizedFields) == 0 && v.Custom == nil && !e.pretty {
		// Nearly all targets look like this, and there may be a hundred thousand.
		e.out = append(e.out, `{"hashes":`...)
		if err := e.part(v.Hashes); err != nil {
			return err
		}
		e.out = append(e.out, `,"length":`...)
		e.out = strconv.AppendInt(e.out, v.Length, 10)
		e.out = append(e.out, '}')
		return nil
	}
	fields := []pair{{"hashes", v.Hashes}, {"length", v.Length}}
	if v.Custom != nil {
		fields = append(fields, pair{"custom", v.Custom})
	}
	return e.object(v.UnrecognizedFields, fields)
}

func (e *encoder) metaFile(v *metadata.MetaFiles) error {
	if v == nil {
		return e.value(nil)
	}
	fields := []pair{{"version", v.Version}}
	if v.Length != 0 {
		fields = append(fields, pair{"length", v.Length})
	}
	if len(v.Hashes) != 0 {
		fields = append(fields, pair{"hashes", v.Hashes})
	}
	return e.object(v.UnrecognizedFields, fields)
}

func (e *encoder) key(v *metadata.Key) error {
	if v == nil {
		return e.value(nil)
	}
	return e.object(v.UnrecognizedFields, []pair{{"keytype", v.Type}, {"keyval", v.Value}, {"scheme", v.Scheme}})
}

func (e *encoder) role(v *metadata.Role) error {
	if v == nil {
		return e.value(nil)
	}
	return e.object(v.UnrecognizedFields, []pair{{"keyids", v.KeyIDs}, {"threshold", v.Threshold}})
}

func (e *encoder) delegations(v *metadata.Delegations) error {
	fields := []pair{{"keys", v.Keys}}
	if v.Roles != nil {
		fields = append(fields, pair{"roles", v.Roles})
	} else if v.SuccinctRoles != nil {
		fields = append(fields, pair{"succinct_roles", v.SuccinctRoles})
	}
	return e.object(v.UnrecognizedFields, fields)
}

func (e *encoder) delegatedRole(v metadata.DelegatedRole) error {
	fields := []pair{
		{"keyids", v.KeyIDs},
		{"name", v.Name},
		{"terminating", v.Terminating},
		{"threshold", v.Threshold},
	}
	switch {
	case v.Paths != nil && v.PathHashPrefixes != nil:
		return fmt.Errorf("encode metadata: delegated role %q has both paths and path_hash_prefixes", v.Name)
	case v.Paths != nil:
		fields = append(fields, pair{"paths", v.Paths})
	case v.PathHashPrefixes != nil:
		fields = append(fields, pair{"path_hash_prefixes", v.PathHashPrefixes})
	}
	return e.object(v.UnrecognizedFields, fields)
}

// object writes known fields and the unknown ones beside them; where both have
// a name, the known one wins, as in go-tuf.
func (e *encoder) object(unknown map[string]any, known []pair) error {
	base := len(e.fields)
	e.fields = append(e.fields, known...)
	for name, value := range unknown {
		if !slices.ContainsFunc(known, func(p pair) bool { return p.name == name }) {
			e.fields = append(e.fields, pair{name, value})
		}
	}
	slices.SortFunc(e.fields[base:], func(a, b pair) int { return strings.Compare(a.name, b.name) })
	end := len(e.fields)
	e.enter('{')
	for i := base; i < end; i++ {
		e.separate(i == base)
		e.name(e.fields[i].name)
		if err := e.value(e.fields[i].value); err != nil {
			return err
		}
	}
	e.leave('}', end == base)
	e.fields = e.fields[:base]
	return nil
}

// dict writes a map in the order of its names.
func dict[M ~map[string]V, V any](e *encoder, m M, write func(V) error) error {
	if m == nil {
		return e.value(nil)
	}
	type named struct {
		name  string
		value V
	}
	var few [4]named // one hash is the rule, and needs no allocation
	all := few[:0]
	for name, v := range m {
		all = append(all, named{name, v})
	}
	slices.SortFunc(all, func(a, b named) int { return strings.Compare(a.name, b.name) })
	e.enter('{')
	for i, n := range all {
		e.separate(i == 0)
		e.name(n.name)
		if err := write(n.value); err != nil {
			return err
		}
	}
	e.leave('}', len(m) == 0)
	return nil
}

// list writes an array.
func list[V any](e *encoder, values []V, write func(V) error) error {
	if values == nil {
		return e.value(nil)
	}
	e.enter('[')
	for i, v := range values {
		e.separate(i == 0)
		if err := write(v); err != nil {
			return err
		}
	}
	e.leave(']', len(values) == 0)
	return nil
}

func (e *encoder) enter(c byte) {
	e.out = append(e.out, c)
	e.depth++
}

func (e *encoder) leave(c byte, empty bool) {
	e.depth--
	if e.pretty && !empty {
		e.line()
	}
	e.out = append(e.out, c)
}

func (e *encoder) separate(first bool) {
	if !first {
		e.out = append(e.out, ',')
	}
	if e.pretty {
		e.line()
	}
}

func (e *encoder) line() {
	e.out = append(e.out, '\n')
	for range e.depth {
		e.out = append(e.out, ' ')
	}
}

func (e *encoder) name(s string) {
	e.text(s)
	e.out = append(e.out, ':')
	if e.pretty {
		e.out = append(e.out, ' ')
	}
}

func (e *encoder) text(s string) {
	if !e.pretty {
		e.out = appendString(e.out, s)
		return
	}
	e.out = append(e.out, '"')
	from := 0
	for i, c := range s {
		if c != '"' && c != '\\' && !isControl(c) {
			continue
		}
		e.out = append(e.out, s[from:i]...)
		e.out = appendEscape(e.out, c)
		from = i + len(string(c))
	}
	e.out = append(e.out, s[from:]...)
	e.out = append(e.out, '"')
}

// appendEscape writes a character that cannot stand for itself in JSON.
func appendEscape(out []byte, c rune) []byte {
	switch c {
	case '"', '\\':
		return append(out, '\\', byte(c))
	case '\n':
		return append(out, `\n`...)
	case '\r':
		return append(out, `\r`...)
	case '\t':
		return append(out, `\t`...)
	}
	return fmt.Appendf(out, `\u%04x`, c)
}

func (e *encoder) hex(h []byte) {
	e.out = append(e.out, '"')
	e.out = hex.AppendEncode(e.out, h)
	e.out = append(e.out, '"')
}

// whole writes a number of an unknown field, which go-tuf holds as a float.
func (e *encoder) whole(f float64) error {
	if f != math.Trunc(f) || math.Abs(f) > maxInteger || (f == 0 && math.Signbit(f)) {
		return fmt.Errorf("encode metadata: %v is not a whole number within 2^53-1", f)
	}
	e.out = strconv.AppendInt(e.out, int64(f), 10)
	return nil
}

// raw writes JSON that go-tuf kept as it was.
func (e *encoder) raw(m json.RawMessage) error {
	canonical, err := Canonical(m)
	if err != nil {
		return fmt.Errorf("encode custom field: %w", err)
	}
	if !e.pretty {
		e.out = append(e.out, canonical...)
		return nil
	}
	var v any
	if err := json.Unmarshal(m, &v); err != nil {
		return fmt.Errorf("encode custom field: %w", err)
	}
	return e.value(v)
}

// encodeSized is encode where the size of the result is known.
func encodeSized(v any, size int) ([]byte, error) {
	e := &encoder{out: make([]byte, 0, size+64)}
	err := e.value(v)
	return e.out, err
}
