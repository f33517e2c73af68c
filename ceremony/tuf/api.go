// Package tuf is a strict layer over go-tuf: it reads, builds, signs, counts,
// compares and verifies TUF metadata, offline and without side effects.
//
// Its promise: a Document that exists has passed the strict reader, its
// payload is the canonical form of exactly the bytes it was read from, and no
// signature is ever attached to it that does not verify.
package tuf

import (
	"crypto"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Role names of TUF's four top-level roles (TUF 2.1).
const (
	Root      = "root"
	Targets   = "targets"
	Snapshot  = "snapshot"
	Timestamp = "timestamp"
)

// HoldersField is the unrecognized field of a signed root in which Conclave
// keeps who holds which key: keyid → Holder. PracticeField marks metadata
// that was made in a rehearsal (its value is true).
const (
	HoldersField  = "x-conclave-holders"
	PracticeField = "x-conclave-practice"
)

// A Digest is the SHA-256 of a payload: for ECDSA P-256 exactly what a token signs.
type Digest [32]byte

// String returns the digest in hex, in groups of four digits.
func (d Digest) String() string { panic("unwritten") }

// Hex returns the digest as 64 hex digits, for files.
func (d Digest) Hex() string { panic("unwritten") }

// Words returns the digest as 32 PGP words to read aloud (even bytes two
// syllables, odd bytes three; Juola and Zimmermann 1996).
func (d Digest) Words() []string { panic("unwritten") }

// ParseDigest reads what Hex or String printed.
func ParseDigest(s string) (Digest, error) { panic("unwritten") }

// A Key is one public key in the form that metadata carries.
type Key struct {
	ID     string // keyid as the metadata lists it
	Type   string // "ecdsa", "ed25519", "rsa"
	Scheme string // "ecdsa-sha2-nistp256", …
	Public crypto.PublicKey
	SPKI   Digest // SHA-256 of the SubjectPublicKeyInfo: what a key *is*, whatever its keyid
}

// NewKey gives pub the form that every client accepts; its keyid is the hash of the
// canonical key. P-256, P-384, Ed25519 and RSA (≥ 2048 bits) are taken.
func NewKey(pub crypto.PublicKey) (Key, error) { panic("unwritten") }

// ParsePublicKey reads a public key from PEM (SPKI).
func ParsePublicKey(pem []byte) (Key, error) { panic("unwritten") }

// Metadata returns k as go-tuf's type, for building documents.
func (k Key) Metadata() *metadata.Key { panic("unwritten") }

// Hashed returns the bytes that a token signs for payload: SHA-256 for P-256, SHA-384 for P-384.
// It fails for keys that sign whole messages.
func (k Key) Hashed(payload []byte) ([]byte, crypto.Hash, error) { panic("unwritten") }

// Verify checks one signature by k over payload.
func (k Key) Verify(payload, sig []byte) error { panic("unwritten") }

// A Signature is one entry of an envelope.
type Signature struct {
	KeyID string
	Sig   []byte
}

// A Document is one piece of TUF metadata. It never changes.
type Document struct{ _ int }

// Parse reads one metadata file strictly. Its errors are *SyntaxError or
// *FormatError and name the place.
func Parse(raw []byte) (*Document, error) { panic("unwritten") }

// From builds an unsigned document from a go-tuf value and reads it back
// through Parse: *metadata.RootType, *metadata.TargetsType, *metadata.SnapshotType or *metadata.TimestampType.
// Expiry is cut to whole seconds in UTC.
func From(signed any) (*Document, error) { panic("unwritten") }

// Type is the document's _type: a delegated role has type targets.
func (d *Document) Type() string { panic("unwritten") }

// Version is the document's version, at least 1.
func (d *Document) Version() int64 { panic("unwritten") }

// Expires is when clients stop accepting the document.
func (d *Document) Expires() time.Time { panic("unwritten") }

// Payload returns the canonical bytes that signatures are over. Do not show them and do not change them.
func (d *Document) Payload() []byte { panic("unwritten") }

// Digest is the SHA-256 of the payload.
func (d *Document) Digest() Digest { panic("unwritten") }

// Bytes returns the whole file as it was read or, after Attach, with only the
// signatures rewritten: the bytes of "signed" never change.
func (d *Document) Bytes() []byte { panic("unwritten") }

// Signatures lists the envelope's signatures in file order.
func (d *Document) Signatures() []Signature { panic("unwritten") }

// Practice reports whether the document is marked as made in a rehearsal.
func (d *Document) Practice() bool { panic("unwritten") }

// Root, Targets, Snapshot and Timestamp return the typed view, or nil for another type.
// The view must not be changed.
func (d *Document) Root() *metadata.RootType           { panic("unwritten") }
func (d *Document) Targets() *metadata.TargetsType     { panic("unwritten") }
func (d *Document) Snapshot() *metadata.SnapshotType   { panic("unwritten") }
func (d *Document) Timestamp() *metadata.TimestampType { panic("unwritten") }

// Holders returns who holds which key according to a root document: keyid → holder.
func (d *Document) Holders() map[string]Holder { panic("unwritten") }

// A Holder is one person's claim on one key, as signed in the root.
type Holder struct {
	Name    string `json:"name"`
	Serial  uint32 `json:"serial,omitempty"`  // of the token
	Purpose string `json:"purpose,omitempty"` // "primary" or "backup"
}

// A Requirement is one set of keys of which a threshold must sign a document:
// a root has two, the old root's and its own.
type Requirement struct {
	Name      string // "root 4's keys", "root 5's keys", "targets keys of root 5"
	Role      string
	Threshold int
	Keys      []Key             // in the role's order
	Holders   map[string]Holder // keyid → holder, where the root says
}

// Requirements says who must sign doc, which is the document of role: for a root, trusted's
// root keys (nil at genesis) and doc's own; for another role, the keys that root gives it.
// root is the newest root, trusted or part of the same bundle.
func Requirements(role string, doc, trusted, root *Document) ([]Requirement, error) {
	panic("unwritten")
}

// A Signer is one key of a requirement and what it has done.
type Signer struct {
	Key    Key
	Holder Holder // zero where the root names nobody
	Signed bool
}

// A Tally says how far a document is for one requirement. Distinct keys are counted by SPKI.
type Tally struct {
	Requirement Requirement
	Signers     []Signer
	Signed      int      // distinct keys that signed
	Missing     int      // how many more must sign; 0 is complete
	Warnings    []string // two keys on one token, two tokens of one person
}

// Complete reports whether the threshold is met.
func (t Tally) Complete() bool { return t.Missing == 0 }

// Count verifies every signature on doc and tallies each requirement.
func Count(doc *Document, reqs []Requirement) []Tally { panic("unwritten") }

// Attach verifies sig by the key keyid over doc's payload and returns doc with
// that signature, replacing one by the same keyid. It refuses a key that is in none of the requirements.
func Attach(doc *Document, reqs []Requirement, keyid string, sig []byte) (*Document, error) {
	panic("unwritten")
}

// Clean returns doc without every signature that is by no key of reqs or does not
// verify, and the signatures that were dropped.
func Clean(doc *Document, reqs []Requirement) (*Document, []Signature) { panic("unwritten") }

// Verified is proof that a document met every requirement. Only Verify makes one.
type Verified struct{ _ int }

// Document returns what was verified.
func (v *Verified) Document() *Document { panic("unwritten") }

// Verify checks that doc meets every requirement, by our own count and by
// go-tuf's VerifyDelegate. The error is a *ThresholdError where signatures are missing.
func Verify(doc *Document, reqs []Requirement) (*Verified, error) { panic("unwritten") }

// A Chain is a row of roots, each verified by the one before (TUF 5.3). Only NewChain and Extend make one.
type Chain struct{ _ int }

// NewChain starts a chain at a root that the caller has decided to trust: it must be signed by its own threshold.
func NewChain(anchor *Document) (*Chain, error) { panic("unwritten") }

// Extend adds the next root: version exactly one more, signed by the threshold
// of the last root and by its own (TUF 5.3.4, 5.3.5). The chain itself is unchanged.
func (c *Chain) Extend(next *Document) (*Chain, error) { panic("unwritten") }

// Latest is the newest root of the chain, First the anchor, Roots all of them in order.
func (c *Chain) Latest() *Document  { panic("unwritten") }
func (c *Chain) First() *Document   { panic("unwritten") }
func (c *Chain) Roots() []*Document { panic("unwritten") }

// A Change is one sentence of a diff.
type Change struct {
	Kind   string // "added", "removed", "changed", "danger", "same"
	Where  string // "keys", "root", "targets", "dates", "files", "delegations", "other"
	Text   string // one sentence; may hold text from outside
	Danger bool   // wants attention before anything else
}

// A Diff says in sentences how a document differs from the one before.
type Diff struct {
	Role    string
	From    int64 // version before, 0 at genesis
	To      int64
	Changes []Change
	Power   []Power // who could sign for each role before and after; only for roots
	Meaning []string // what this means, in sentences
}

// Power says who can sign for a role.
type Power struct {
	Role   string
	Before Quorum
	After  Quorum
}

// A Quorum is "any Threshold of Names". Threshold 0 is nobody yet.
type Quorum struct {
	Threshold int
	Names     []string // holder names; a short keyid where the root names nobody
}

// Compare explains next against old (nil at genesis), aligned by key bytes, not by keyid.
// Ages are relative to now.
func Compare(old, next *Document, now time.Time) (*Diff, error) { panic("unwritten") }
