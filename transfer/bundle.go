// Package transfer moves metadata across the air gap: the bundle file, its
// strict reader, durable writes and the joining of partial bundles.
//
// Its promise: a Bundle that was read has passed the strict reader whole; a
// bundle that was written is on the medium, was read back and compared, and has overwritten nothing.
package transfer

import (
	"time"

	"conclave/ceremony/tuf"
)

// FormatVersion is the bundle format that this program reads and writes.
const FormatVersion = 1

// A Bundle is the one thing that crosses the gap. Its status is derived, never stored.
type Bundle struct {
	Purpose   string    // one line for keyholders; text from outside
	Created   time.Time // whole seconds, UTC
	Practice  bool
	Plan      *Plan // what tokens and people must still fill in; nil once Documents are built
	Base      Base
	Documents []Document // in signing order: root, targets, delegated roles
	Tokens    []Evidence
	Record    *RecordHead // of the last ceremony that worked on it
}

// Base is the trusted state that a bundle builds on.
type Base struct {
	Roots     []*tuf.Document  // the root chain from the pinned version on; empty at genesis
	Documents []Document       // the current documents that this bundle changes, root excepted
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
	Hash    string
}

// A Plan describes a genesis before any key exists.
type Plan struct {
	Holders          []PlannedHolder
	RootThreshold    int
	TargetsThreshold int
	Algorithm        string    // "p256" or "p384"
	Snapshot         []tuf.Key // online keys, threshold 1
	Timestamp        []tuf.Key
	RootExpires      time.Time
	TargetsExpires   time.Time
	Files            []PlannedFile
}

// A PlannedHolder is a person who will enrol a token.
type PlannedHolder struct {
	Name    string
	Root    bool
	Targets bool
}

// A PlannedFile is a target file as it was hashed.
type PlannedFile struct {
	Path   string
	Length int64
	SHA256 [32]byte
}

// Parse reads a bundle strictly: unknown fields, duplicates, trailing data and files beyond
// MaxBundle are refused with the place. Every document has passed tuf.Parse.
func Parse(raw []byte) (*Bundle, error) { panic("unwritten") }

// Bytes is the bundle as one JSON file. Documents stand in it byte for byte as they are.
func (b *Bundle) Bytes() ([]byte, error) { panic("unwritten") }

// Read reads the bundle file at path.
func Read(path string) (*Bundle, error) { panic("unwritten") }

// Write writes b to path durably, reads it back from the medium and compares. It
// overwrites nothing (ErrExists) except a file of the same bytes.
func Write(path string, b *Bundle) error { panic("unwritten") }

// Document returns the bundle's document for role, or nil.
func (b *Bundle) Document(role string) *tuf.Document { panic("unwritten") }

// With returns a copy of b in which doc stands for role.
func (b *Bundle) With(role string, doc *tuf.Document) *Bundle { panic("unwritten") }

// TrustedRoot is the newest root of the base, nil at genesis. Root is the root that will be in force: the
// bundle's own, or else the trusted one.
func (b *Bundle) TrustedRoot() *tuf.Document { panic("unwritten") }
func (b *Bundle) Root() *tuf.Document        { panic("unwritten") }

// Requirements says who must sign the bundle's document for role.
func (b *Bundle) Requirements(role string) ([]tuf.Requirement, error) { panic("unwritten") }

// A Status says how far a bundle is.
type Status struct {
	State   State
	Tallies []RoleTally // one per document and requirement
}

// A RoleTally is one requirement's count for one document.
type RoleTally struct {
	Role  string
	Tally tuf.Tally
}

// State is "plan", "draft", "partial" or "complete".
type State string

// The states of a bundle.
const (
	StatePlan     State = "plan"
	StateDraft    State = "draft"
	StatePartial  State = "partial"
	StateComplete State = "complete"
)

// Status verifies every signature and derives the state.
func (b *Bundle) Status() (Status, error) { panic("unwritten") }

// Complete is proof that every document of a bundle met every requirement from a trusted root on.
type Complete struct{ _ int }

// Bundle, Chain and Documents give back what was proved; Chain ends with the bundle's root where it has one.
func (c *Complete) Bundle() *Bundle                    { panic("unwritten") }
func (c *Complete) Chain() *tuf.Chain                  { panic("unwritten") }
func (c *Complete) Document(role string) *tuf.Verified { panic("unwritten") }

// Verify checks the base chain from anchor, then every document. anchor is a root that the
// caller trusts, never one from the bundle; at genesis it is the bundle's own root 1 after a human comparison of its digest.
// The error is a *tuf.ThresholdError (wrapped) where only signatures are missing.
func (b *Bundle) Verify(anchor *tuf.Document) (*Complete, error) { panic("unwritten") }

// CheckBase walks the base chain from anchor and refuses a base that does not follow it or is older than seen.
func (b *Bundle) CheckBase(anchor *tuf.Document, seen map[string]int64) (*tuf.Chain, error) {
	panic("unwritten")
}

// Join unites partial bundles of the same payloads, in any order, idempotently. Signatures that do not verify are dropped and named;
// different payloads are a *ConflictError.
func Join(bundles ...*Bundle) (*Bundle, []string, error) { panic("unwritten") }
