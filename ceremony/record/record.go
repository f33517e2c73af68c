// Package record keeps the account of a ceremony: JSON lines, each chained to
// the one before by its SHA-256, each on the disk before the act that it announces.
//
// Its promise: what Append returned without error survives a power cut, and
// what Read returns has not been changed, reordered or cut out of the middle since it was written.
package record

import (
	"encoding/json"
	"time"
)

// An Entry is one line of the record.
type Entry struct {
	Seq   int             `json:"seq"`   // from 1
	Time  time.Time       `json:"time"`  // RFC 3339, UTC
	Actor string          `json:"actor"` // who did it: a holder's name, "conductor", "conclave"
	Event string          `json:"event"` // the kind of event
	Data  json.RawMessage `json:"data"`  // the event itself
	Prev  string          `json:"prev"`  // SHA-256 of the line before, in hex; zeros for the first
	Hash  string          `json:"-"`     // SHA-256 of this line
}

// A Log is an open record. One goroutine at a time may use it.
type Log struct{ _ int }

// Create starts a new record at path and locks it. It never overwrites one.
func Create(path string) (*Log, error) { panic("unwritten") }

// Open opens a record to go on with it: it verifies every line, sets a torn last line
// aside (a power cut during Append) and locks the file against a second program.
func Open(path string) (*Log, []Entry, error) { panic("unwritten") }

// Append writes one entry and returns when it is on the disk.
func (l *Log) Append(now time.Time, actor, event string, data any) (Entry, error) {
	panic("unwritten")
}

// Head is the hash of the last entry and how many there are.
func (l *Log) Head() (hash string, n int) { panic("unwritten") }

// Close lets go of the file.
func (l *Log) Close() error { panic("unwritten") }

// Read verifies a record without opening it for writing. torn reports a last line that a power cut left half written.
func Read(path string) (entries []Entry, torn bool, err error) { panic("unwritten") }
