package tuf

import (
	"fmt"
	"strings"
	"time"
)

// A kind is a kind of JSON value.
type kind int

const (
	invalid kind = iota
	object
	array
	text
	integer
	boolean
	null
	something // any kind but null
	anything
)

// String names a kind in a sentence.
func (k kind) String() string {
	return [...]string{
		"nothing", "an object", "an array", "a string", "a number", "true or false",
		"null", "a value", "any value",
	}[k]
}

// kindOf tells a value's kind by its first byte.
func kindOf(c byte) kind {
	switch {
	case c == '{':
		return object
	case c == '[':
		return array
	case c == '"':
		return text
	case c == '-' || isDigit(c):
		return integer
	case c == 't' || c == 'f':
		return boolean
	case c == 'n':
		return null
	}
	return invalid
}

// A shape says what a value must look like. Shapes are never changed.
type shape struct {
	kind kind
	mark string // remember where values of this shape stand

	fields []field             // of an object: the members that TUF defines
	rest   *shape              // of an object: all other members; nil is free
	name   func([]byte) string // of an object: what is wrong with a member's name

	elem     *shape // of an array: its entries; nil is free
	max, min int    // number of members or entries; 0 is any number

	text  func([]byte) string // of a string: what is wrong with it
	lines bool                // of a string: line breaks may stand in it

	low, high int64 // of a number: its range
}

// A field is one member that TUF defines.
type field struct {
	name  string
	shape *shape
	need  bool
}

// free is a value that TUF gives no meaning.
var free = &shape{kind: anything}

func (sh *shape) others() *shape {
	if sh.rest != nil {
		return sh.rest
	}
	return free
}

func (sh *shape) entries() *shape {
	if sh.elem != nil {
		return sh.elem
	}
	return free
}

// outOfRange says in words what range a number must be in.
func (sh *shape) outOfRange(n int64) string {
	switch {
	case sh.high == maxInteger:
		return fmt.Sprintf("is %d, must be at least %d", n, sh.low)
	default:
		return fmt.Sprintf("is %d, must be from %d to %d", n, sh.low, sh.high)
	}
}

func must(name string, sh *shape) field { return field{name, sh, true} }

func may(name string, sh *shape) field { return field{name, sh, false} }

func number(low int64) *shape { return &shape{kind: integer, low: low, high: maxInteger} }

// The shapes of TUF 4, read from the bottom up.
var (
	flagShape = &shape{kind: boolean}
	wordShape = &shape{kind: text, text: notEmpty}

	keyIDShape  = &shape{kind: text, text: badKeyID}
	keyIDsShape = &shape{kind: array, elem: keyIDShape, min: 1, max: MaxRoleKeys}

	keyShape = &shape{kind: object, fields: []field{
		must("keytype", wordShape),
		must("scheme", wordShape),
		must("keyval", &shape{kind: object, fields: []field{
			must("public", &shape{kind: text, lines: true, text: badPublic}),
		}}),
	}}
	keysShape = &shape{kind: object, rest: keyShape, name: badKeyID, max: maxKeys}

	roleShape = &shape{kind: object, fields: []field{
		must("keyids", keyIDsShape),
		must("threshold", number(1)),
	}}
	// TUF 4.3 also names an optional role "mirrors".
	rolesShape = &shape{kind: object, rest: roleShape, max: maxKeys, fields: []field{
		must(Root, roleShape),
		must(Targets, roleShape),
		must(Snapshot, roleShape),
		must(Timestamp, roleShape),
	}}

	hashesShape = &shape{kind: object, min: 1, max: 16, rest: &shape{kind: text, text: badHash}}
	metaShape   = &shape{kind: object, name: notEmpty, rest: &shape{kind: object, fields: []field{
		must("version", number(1)),
		// go-tuf leaves a length of 0 out again, so that no signature would verify.
		may("length", number(1)),
		may("hashes", hashesShape),
	}}}
	targetsShape = &shape{kind: object, mark: "targets", name: notEmpty, rest: &shape{kind: object, fields: []field{
		must("length", number(0)),
		must("hashes", hashesShape),
		may("custom", &shape{kind: something}),
	}}}

	delegationsShape = &shape{kind: object, fields: []field{
		must("keys", keysShape),
		may("roles", &shape{kind: array, max: maxRoles, elem: &shape{kind: object, fields: []field{
			must("name", wordShape),
			must("keyids", keyIDsShape),
			must("threshold", number(1)),
			must("terminating", flagShape),
			may("paths", &shape{kind: array, elem: wordShape}),
			may("path_hash_prefixes", &shape{kind: array, elem: &shape{kind: text, text: badHashPrefix}}),
		}}}),
		may("succinct_roles", &shape{kind: object, fields: []field{
			must("keyids", keyIDsShape),
			must("threshold", number(1)),
			must("bit_length", &shape{kind: integer, low: 1, high: 32}),
			must("name_prefix", wordShape),
		}}),
	}}

	holdersShape = &shape{kind: object, max: maxKeys, rest: &shape{kind: object, fields: []field{
		must("name", wordShape),
		may("serial", &shape{kind: integer, low: 0, high: maxSerial}),
		may("purpose", &shape{kind: text}),
	}}}

	// signedShape knows the fields of all four types; belongs says which type
	// has which, once the type is known.
	signedShape = &shape{kind: object, mark: "signed", fields: []field{
		must("_type", &shape{kind: text, mark: "_type", text: notEmpty}),
		must("spec_version", &shape{kind: text, text: badSpecVersion}),
		must("version", number(1)),
		must("expires", &shape{kind: text, text: badExpires}),
		may("consistent_snapshot", flagShape),
		may("keys", keysShape),
		may("roles", rolesShape),
		may("meta", metaShape),
		may("targets", targetsShape),
		may("delegations", delegationsShape),
		may(HoldersField, holdersShape),
		may(PracticeField, flagShape),
	}}

	signatureShape = &shape{kind: object, mark: "signature", fields: []field{
		must("keyid", keyIDShape),
		must("sig", &shape{kind: text, text: badSignature}),
	}}

	envelopeShape = &shape{kind: object, fields: []field{
		must("signed", signedShape),
		must("signatures", &shape{kind: array, mark: "signatures", elem: signatureShape, max: MaxSignatures}),
	}}
)

// belongs lists the fields that only some types have: true where the type
// needs the field, false where it may have it.
var belongs = map[string]map[string]bool{
	Root:      {"consistent_snapshot": true, "keys": true, "roles": true, HoldersField: false},
	Targets:   {"targets": true, "delegations": false, HoldersField: false},
	Snapshot:  {"meta": true},
	Timestamp: {"meta": true},
}

// typed lists the same fields without a type.
var typed = []string{"consistent_snapshot", "keys", "roles", "meta", "targets", "delegations", HoldersField}

func notEmpty(s []byte) string {
	if len(s) == 0 {
		return "must not be empty"
	}
	return ""
}

func badKeyID(s []byte) string {
	switch {
	case len(s) == 0:
		return "must not be empty"
	case len(s) > maxKeyID:
		return fmt.Sprintf("is a keyid of %d bytes; %d are read at most", len(s), maxKeyID)
	}
	return ""
}

func badPublic(s []byte) string {
	switch {
	case len(s) == 0:
		return "must not be empty"
	case len(s) > maxPEM:
		return fmt.Sprintf("is a public key of %d bytes; %d are read at most", len(s), maxPEM)
	}
	return ""
}

func badHash(s []byte) string {
	if len(s) == 0 || len(s)%2 != 0 || !all(s, isLowerHex) {
		return "must be a hash in lower-case hex"
	}
	return ""
}

func badHashPrefix(s []byte) string {
	if len(s) == 0 || len(s) > 64 || !all(s, isLowerHex) {
		return "must be the beginning of a hash in lower-case hex"
	}
	return ""
}

// badSignature lets the empty string pass: tuf-on-ci writes it where somebody
// may still sign. It is read, never counted, and gone with the next write.
func badSignature(s []byte) string {
	switch {
	case len(s)%2 != 0 || !all(s, isHex):
		return "must be a signature in hex"
	case len(s) > maxSigHex:
		return fmt.Sprintf("is a signature of %d bytes; no known key makes one", len(s)/2)
	}
	return ""
}

func badExpires(s []byte) string {
	const form = "2006-01-02T15:04:05Z"
	if len(s) != len(form) {
		return fmt.Sprintf("is %q, must be a time like 2027-11-22T00:00:00Z in UTC, without fractions of a second", shorten(string(s), 40))
	}
	if _, err := time.Parse(form, string(s)); err != nil {
		return fmt.Sprintf("is %q, which is no time like 2027-11-22T00:00:00Z", s)
	}
	return ""
}

func badSpecVersion(s []byte) string {
	major, rest, _ := strings.Cut(string(s), ".")
	minor, patch, three := strings.Cut(rest, ".")
	ok := major == "1" && minor != "" && all(minor+patch, isDigit) && (!three || patch != "") && len(s) <= 16
	if !ok {
		return fmt.Sprintf("is %q, must be a version 1.x of the specification", shorten(string(s), 40))
	}
	return ""
}

func all[T string | []byte](s T, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return true
}
