// Package record keeps the account of a ceremony: JSON lines, each chained to
// the one before by its SHA-256, each on the disk before the act that it announces.
//
// Its promise: what Append returned without error survives a power cut, and
// what Read returns has not been changed, reordered or cut out of the middle since it was written.
// (A record whose last lines were cut off whole cannot be told from one that
// ended there: whoever needs to know keeps the head elsewhere.)
//
// The format is one JSON object a line, with these fields in this order and no
// spaces between them, ended by a newline:
//
//	{"seq":1,"time":"2026-03-01T09:00:00Z","actor":"conclave","event":"opened","data":{…},"prev":"0000…"}
//
// There is one spelling of an entry: a line that is not byte for byte what
// Append would have written is refused. prev is the SHA-256 of the line before,
// its newline included, so that anybody can follow the chain with
//
//	sed -n 4p FILE | sha256sum
//
// Time is data: a clock that was set back shows in the record and does not break it.
package record

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
)

// Limits of a record. Append refuses what Read would refuse.
const (
	MaxLine   = 16 << 20  // bytes in a line: a bundle of some 50,000 target files; more than that goes beside the record
	MaxRecord = 256 << 20 // bytes in a record: all of it is read into memory to be verified
	MaxActor  = 256       // bytes in a person's name
	MaxEvent  = 64        // bytes in the kind of an event
	MaxDepth  = 64        // nesting of an entry's data
)

// Start is what stands for the hash of the line before in the first entry.
var Start = strings.Repeat("0", 2*sha256.Size)

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

// hashLine is the hash of a line, newline included.
func hashLine(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}
