// Package transfer moves metadata across the air gap: the bundle file, its
// strict reader, durable writes and the joining of partial bundles.
//
// Its promise: a Bundle that was read has passed the strict reader whole; a
// bundle that was written is on the medium, was read back and compared, and has overwritten nothing.
//
// A bundle is one JSON file in UTF-8, with these fields in this order, each on
// a line of its own (plan, tokens and record only where there are any):
//
//	{
//	"format":1,
//	"type":"conclave-bundle",
//	"purpose":"release 2.1",
//	"created":"2026-03-01T09:00:00Z",
//	"practice":false,
//	"plan":{"holders":[{"name":…,"root":true,"targets":true}…],"root_threshold":3,"targets_threshold":2,
//	        "algorithm":"p256","snapshot":[SPKI…],"timestamp":[SPKI…],"root_expires":TIME,"targets_expires":TIME,
//	        "files":[{"path":…,"length":…,"sha256":HEX}…],
//	        "rotation":{"keep":[{"keyid":…,"root":true,"targets":false}…],
//	                    "join":[{"key":SPKI,"holder":…,"serial":…,"root":true,"targets":true}…],
//	                    "signed":[{"role":"targets","metadata":ENVELOPE}…]}},
//	"base":{"roots":[ENVELOPE…],"documents":[{"role":"targets","metadata":ENVELOPE}…],"seen":{"root":5,…}},
//	"documents":[{"role":"targets","metadata":ENVELOPE}…],
//	"tokens":[{"keyid":…,"serial":…,"firmware":…,"holder":…,"slot":…,"pin_policy":…,"touch_policy":…,"leaf":DER,"device":DER}…],
//	"record":{"entries":40,"hash":HEX}
//	}
//
// ENVELOPE is a TUF metadata file byte for byte, white space around it included; DER and
// SPKI are base64. (The plan above is folded to fit the page; it stands on one line. Only a plan
// on a base has a rotation; such a plan has targets_expires only where targets are signed anew,
// and signed only where it changes a draft.) A
// bundle that answers a compromise has "declared":TIME after practice. A second key of one
// person has "backup":true after its roles.
// There is one spelling of a bundle: what is not byte for byte what Bytes would write is refused.
package transfer

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"conclave/ceremony/tuf"
)

// FormatVersion is the bundle format that this program reads and writes.
const FormatVersion = 1

// Limits of a bundle. They hold for reading and for writing.
const (
	MaxBundle    = 128 << 20 // bytes in a bundle: the old and the new targets file at their largest
	MaxPurpose   = 512       // bytes in the purpose: one line
	MaxName      = 256       // bytes in a person's name, a keyid, a policy
	MaxRoleName  = 128       // bytes in the name of a delegated role: it becomes part of a file name
	MaxPath      = 1024      // bytes in a target file's path: as much as S3 takes
	MaxCert      = 16 << 10  // bytes in a certificate or public key
	MaxRoots     = 1024      // roots in the base: two a month for forty years
	MaxDocuments = 1024      // documents of one bundle: more delegated roles than anybody signs in a sitting
	MaxTokens    = 256       // tokens whose evidence a bundle carries
	MaxHolders   = 64        // people in a plan: no role may have more keys
	MaxPlanKeys  = 16        // online keys of one role in a plan
	MaxFiles     = 100_000   // target files in a plan: TUF clients slow down far below it
)

// A Bundle is the one thing that crosses the gap. Its status is derived, never stored.
type Bundle struct {
	Purpose   string    // one line for keyholders; text from outside
	Created   time.Time // whole seconds, UTC
	Practice  bool
	Declared  time.Time // when somebody declared the compromise that this bundle answers; zero for all others
	Plan      *Plan     // what tokens and people must still fill in; nil once Documents are built
	Base      Base
	Documents []Document // in signing order: root, targets, delegated roles by name
	Tokens    []Evidence
	Record    *RecordHead // of the last ceremony that worked on it
}

// Base is the trusted state that a bundle builds on.
type Base struct {
	Roots     []*tuf.Document  // the root chain from the pinned version on; empty at genesis
	Documents []Document       // the current documents that this bundle changes, root excepted; where only root changes, small live targets
	Seen      map[string]int64 // highest version seen of every role, snapshot and timestamp included
}

// A Document is metadata with the role that it is for.
type Document struct {
	Role     string
	Metadata *tuf.Document
}

// Evidence ties a key to the token that made it.
type Evidence struct {
	KeyID       string
	Serial      uint32
	Firmware    string
	Holder      string
	Slot        string // "9c"
	PINPolicy   string
	TouchPolicy string
	Leaf        []byte // DER, the slot's attestation
	Device      []byte // DER, the token's f9 certificate
}

// RecordHead names the record of a ceremony.
type RecordHead struct {
	Entries int
	Hash    string // SHA-256 in hex
}

// A Plan describes a root some of whose keys do not exist yet: a first one, or
// with a Rotation the one that follows the trusted root.
type Plan struct {
	Holders          []PlannedHolder // keys that people's tokens make at the ceremony
	RootThreshold    int
	TargetsThreshold int
	Algorithm        string    // "p256" or "p384"
	Snapshot         []tuf.Key // online keys, threshold 1; of a rotation none where they stay
	Timestamp        []tuf.Key
	RootExpires      time.Time     // whole seconds, UTC
	TargetsExpires   time.Time     // zero where a rotation leaves targets as they are
	Files            []PlannedFile // of a first root's targets
	Rotation         *Rotation     // nil for a first root
}

// A Rotation says which keys that exist already the next root lists, beside
// those that are made at the ceremony. What it does not name goes.
type Rotation struct {
	Keep []KeptKey  // of the trusted root
	Join []KnownKey // made elsewhere; evidence for them is among the bundle's tokens
	// Signed are documents of an earlier draft that the plan builds again as they are, root
	// excepted: what their keys have signed still counts.
	Signed []Document
}

// A KeptKey is a key of the trusted root that stays.
type KeptKey struct {
	KeyID   string
	Root    bool
	Targets bool
}

// A KnownKey is a key that joins and exists already.
type KnownKey struct {
	Key     tuf.Key
	Holder  string
	Serial  uint32 // of its token
	Root    bool
	Targets bool
	Backup  bool // a second key of somebody who holds one
}

// A PlannedHolder is one key that a person's token will make. A person comes
// twice at most: with the first token, and with a backup.
type PlannedHolder struct {
	Name    string
	Root    bool
	Targets bool
	Backup  bool
}

// A PlannedFile is a target file as it was hashed.
type PlannedFile struct {
	Path   string
	Length int64
	SHA256 [32]byte
}

// Parse reads a bundle strictly: unknown fields, duplicates, trailing data and files beyond
// MaxBundle are refused with the place (*SyntaxError). Every document has passed tuf.Parse.
func Parse(raw []byte) (*Bundle, error) {
	b := new(Bundle)
	w := &wire{reading: true, in: raw}
	w.file(b)
	if w.err != nil {
		return nil, w.err
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	return b, nil
}

// Bytes is the bundle as one JSON file. Documents stand in it byte for byte as
// they are; times are cut to whole seconds. What Parse would refuse is refused.
func (b *Bundle) Bytes() ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	w := &wire{limit: MaxBundle}
	w.file(b)
	if w.err != nil {
		return nil, w.err
	}
	return w.out, nil
}

// Read reads the bundle file at path.
func Read(path string) (*Bundle, error) {
	raw, err := readLimited(path, MaxBundle)
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	b, err := Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// readLimited reads a file of at most limit bytes, and one more where there are more.
func readLimited(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would hang, a device fill the memory
		return nil, fmt.Errorf("%s: %w", path, errNotRegular)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// Write writes b to path durably, reads it back from the medium and compares. It
// overwrites nothing (ErrExists) except a file of the same bytes.
func Write(path string, b *Bundle) error {
	raw, err := b.Bytes()
	if err != nil {
		return fmt.Errorf("write bundle %s: %w", path, err)
	}
	return WriteNew(path, raw)
}

// Document returns the bundle's document for role, or nil.
func (b *Bundle) Document(role string) *tuf.Document { return find(b.Documents, role) }

// Document returns the base's document for role, the newest root included, or nil.
func (b Base) Document(role string) *tuf.Document {
	if role != tuf.Root {
		return find(b.Documents, role)
	}
	if len(b.Roots) == 0 {
		return nil
	}
	return b.Roots[len(b.Roots)-1]
}

func find(docs []Document, role string) *tuf.Document {
	for _, d := range docs {
		if d.Role == role {
			return d.Metadata
		}
	}
	return nil
}

// With returns a copy of b in which doc stands for role, at its place in the
// signing order. The copy has no plan: its documents are built.
func (b *Bundle) With(role string, doc *tuf.Document) *Bundle {
	c := b.clone()
	c.Plan = nil
	i, found := slices.BinarySearchFunc(c.Documents, role, func(d Document, role string) int { return bySigning(d.Role, role) })
	if found {
		c.Documents[i].Metadata = doc
	} else {
		c.Documents = slices.Insert(c.Documents, i, Document{role, doc})
	}
	return c
}

// clone copies everything that a caller might change; documents never change.
func (b *Bundle) clone() *Bundle {
	c := *b
	c.Base.Roots = slices.Clone(b.Base.Roots)
	c.Base.Documents = slices.Clone(b.Base.Documents)
	c.Base.Seen = maps.Clone(b.Base.Seen)
	c.Documents = slices.Clone(b.Documents)
	c.Tokens = slices.Clone(b.Tokens)
	return &c
}

// Genesis reports that the bundle starts a repository: there is no trusted root below it.
func (b *Bundle) Genesis() bool { return len(b.Base.Roots) == 0 }

// RootAlone reports that the bundle changes the root and nothing else. What its base holds beside the roots then only travels
// along, for clients to be played over.
func (b *Bundle) RootAlone() bool {
	if b.Plan != nil {
		return b.Plan.Rotation != nil && b.Plan.TargetsExpires.IsZero()
	}
	return len(b.Documents) == 1 && b.Documents[0].Role == tuf.Root
}

// TrustedRoot is the newest root of the base, nil at genesis.
func (b *Bundle) TrustedRoot() *tuf.Document { return b.Base.Document(tuf.Root) }

// Root is the root that will be in force: the bundle's own, or else the trusted one.
func (b *Bundle) Root() *tuf.Document {
	if root := b.Document(tuf.Root); root != nil {
		return root
	}
	return b.TrustedRoot()
}
