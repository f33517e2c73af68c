package tuf

import "time"

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
	Power   []Power  // who could sign for each role before and after; only for roots
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
