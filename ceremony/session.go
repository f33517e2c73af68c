// Package ceremony holds the rules of a key ceremony: what may happen next,
// who has done what, and what is still missing.
//
// State is pure data and State.Apply is the only place where rules live.
// Session is the thin shell around it: it writes an event to the record,
// acts, and writes what came of it. Replaying the record rebuilds the state
// after a power cut.
package ceremony

import (
	"context"
	"io"
	"time"

	"conclave/ceremony/preflight"
	"conclave/ceremony/tuf"
	"conclave/hsm"
	"conclave/transfer"
)

// A Step is where a ceremony stands.
type Step string

// The steps, in order. Enrolment is left out where the bundle needs no new key.
const (
	StepPreflight Step = "preflight"
	StepRollCall  Step = "roll call"
	StepEnrolment Step = "enrolment"
	StepFreeze    Step = "freeze"
	StepReview    Step = "review"
	StepSign      Step = "sign"
	StepConfirm   Step = "confirm"
	StepExport    Step = "export"
	StepClose     Step = "close"
	StepDone      Step = "done"
)

// State is everything that the record says, derived and never stored.
type State struct{ _ int }

// Apply returns the state after e, or the rule that forbids e (*RuleError). It never panics and changes nothing in s.
func (s State) Apply(e Event) (State, error) { panic("unwritten") }

// Step is where the ceremony stands; Steps are all steps of this ceremony, in order.
func (s State) Step() Step    { panic("unwritten") }
func (s State) Steps() []Step { panic("unwritten") }

// Title names the ceremony for headers: "root 5 + targets 18", "genesis".
func (s State) Title() string { panic("unwritten") }

// Bundle is the bundle with every signature so far.
func (s State) Bundle() *transfer.Bundle { panic("unwritten") }

// Practice reports a rehearsal.
func (s State) Practice() bool { panic("unwritten") }

// Checks is the newest preflight; Open the names of those that still want a decision.
func (s State) Checks() []preflight.Check { panic("unwritten") }
func (s State) Open() []string            { panic("unwritten") }

// Exceptions lists what people decided against the rules.
func (s State) Exceptions() []Excepted { panic("unwritten") }

// A Presence says whether somebody is in the room.
type Presence string

// Unknown until the roll call has asked.
const (
	Unknown Presence = "unknown"
	Here    Presence = "here"
	Away    Presence = "away"
)

// A Participant is one holder and how far they are.
type Participant struct {
	Name     string
	Roles    []string // roles of the new root that their keys are in
	Leaving  bool     // only the old root knows them
	Presence Presence
	Serials  []uint32 // of their tokens, as far as known
	Enrolled bool     // at genesis: their token has made its key
	Reviewed bool     // has read exactly the frozen payloads
}

// Participants lists everybody who holds or will hold a key, in the bundle's order.
func (s State) Participants() []Participant { panic("unwritten") }

// Tallies counts every requirement of every document; empty before freeze.
func (s State) Tallies() []transfer.RoleTally { panic("unwritten") }

// Complete reports whether nothing more must sign.
func (s State) Complete() bool { panic("unwritten") }

// Still says in sentences what would complete each requirement: "One more of Erin or Frank completes root 4's keys."
func (s State) Still() []string { panic("unwritten") }

// SignedAt is when the holder's key signed the role's document; zero when it has not.
func (s State) SignedAt(keyid, role string) time.Time { panic("unwritten") }

// Exports lists the files that are on the medium.
func (s State) Exports() []Exported { panic("unwritten") }

// Diffs explains every frozen document against its base, with ages relative to now.
func (s State) Diffs(now time.Time) ([]*tuf.Diff, error) { panic("unwritten") }

// A Medium takes what leaves the ceremony. transfer.Folder is one.
type Medium interface {
	// Check looks at the medium: free space, written and read back. The text is for people.
	Check() (text string, err error)
	// Export writes a new file durably, reads it back and compares.
	Export(name string, data []byte) (path string, err error)
}

// Config is what a session needs of the world.
type Config struct {
	Dir     string // the ceremony's own folder; the record is Dir/record.jsonl
	Tokens  hsm.Tokens
	Medium  Medium
	Inspect func(context.Context) []preflight.Check
	Now     func() time.Time
	Rand    io.Reader // for challenges
	Program string    // "conclave 1.0.0 3f9a…"
}

// A Session drives one ceremony. Its methods may be called from any goroutine; one acts at a time.
// Every method that changes something returns after the record is on the disk.
type Session struct{ _ int }

// Begin starts a ceremony on bundle in cfg.Dir, which must not hold one. anchor is the trusted
// root; nil is allowed at genesis, else preflight asks for a decision.
func Begin(cfg Config, bundle *transfer.Bundle, anchor *tuf.Document) (*Session, error) {
	panic("unwritten")
}

// Resume goes on with the ceremony in cfg.Dir.
func Resume(cfg Config) (*Session, error) { panic("unwritten") }

// State returns the state now.
func (s *Session) State() State { panic("unwritten") }

// Now is the session's clock.
func (s *Session) Now() time.Time { panic("unwritten") }

// Preflight inspects the machine, the clock, the medium, the tokens, the bundle and the policy.
func (s *Session) Preflight(ctx context.Context) ([]preflight.Check, error) { panic("unwritten") }

// Except records an exception for an open check or rule. At least one name is needed, and a reason.
func (s *Session) Except(what, reason string, by []string) error { panic("unwritten") }

// PassPreflight ends preflight; clockBy are two people who read the clock (one in practice).
func (s *Session) PassPreflight(clockBy []string) error { panic("unwritten") }

// Readers lists the readers that hold a token; cheap enough to poll.
func (s *Session) Readers(ctx context.Context) ([]string, error) { panic("unwritten") }

// A Visitor is a token in a reader, looked at without a PIN.
type Visitor struct {
	Reader string
	Info   hsm.Info
	Holder string // whose it is, "" when this ceremony does not know it
	Blank  bool   // 9c is empty
	Acts   []Act  // what it may sign now, in signing order
	Done   []Act  // what it has signed already
	Why    string // why it can sign nothing, "" when Acts is not empty
}

// An Act is one signature to make.
type Act struct {
	Role    string
	Version int64
	Digest  tuf.Digest
	KeyID   string
	Slot    hsm.Slot
	Counts  []string // requirements that it counts for
}

// Look opens the token in reader, says whose it is and what it can sign, and lets it go. No PIN is involved.
func (s *Session) Look(ctx context.Context, reader string) (Visitor, error) { panic("unwritten") }

// Arrive and Miss answer the roll call; serial is 0 where somebody came without a token.
func (s *Session) Arrive(holder string, serial uint32) error { panic("unwritten") }
func (s *Session) Miss(holder string) error                  { panic("unwritten") }

// CloseRollCall goes on to enrolment or freeze. Everybody must have been asked.
func (s *Session) CloseRollCall() error { panic("unwritten") }

// Enrol makes holder's key on the token in v. erase is the serial where the slot's key may be lost, else 0.
func (s *Session) Enrol(ctx context.Context, v Visitor, holder string, current, fresh *hsm.PIN, erase uint32) error {
	panic("unwritten")
}

// Drop takes a planned holder out of the draft, as a recorded exception.
func (s *Session) Drop(holder, reason string, by []string) error { panic("unwritten") }

// Freeze builds the documents and fixes their payloads.
func (s *Session) Freeze() error { panic("unwritten") }

// Review records that holder has read every frozen document to the end.
func (s *Session) Review(holder string) error { panic("unwritten") }

// CloseReview goes on to sign. Everybody who is here must have reviewed.
func (s *Session) CloseReview() error { panic("unwritten") }

// A Challenge asks for one word of a payload's digest, to be heard from the conductor.
type Challenge struct {
	Role     string
	Position int // 1 to 32
}

// Challenges picks the words that the visitor's holder must type: at least
// two, and at least one of every document in v.Acts.
func (s *Session) Challenges(v Visitor) ([]Challenge, error) { panic("unwritten") }

// Approve checks the words (case and space are forgiven) and records the approval. A wrong word is a *WordError.
func (s *Session) Approve(v Visitor, asked []Challenge, words []string) error { panic("unwritten") }

// Sign has the token in v sign one act: journaled, signed, verified on the spot, recorded. The PIN is
// sent once and stays the caller's to wipe. serialTyped must be the token's serial when one try is left, else 0.
func (s *Session) Sign(ctx context.Context, v Visitor, act Act, pin *hsm.PIN, serialTyped uint32) error {
	panic("unwritten")
}

// CloseSigning goes on to confirm, complete or partial; ReopenSigning goes back.
func (s *Session) CloseSigning() error  { panic("unwritten") }
func (s *Session) ReopenSigning() error { panic("unwritten") }

// Confirm verifies the result as a client will and records the verdict, which it returns in sentences.
func (s *Session) Confirm() (verdict []string, err error) { panic("unwritten") }

// Export writes the bundle to the medium and reads it back. It may be called again for another medium.
func (s *Session) Export() (Exported, error) { panic("unwritten") }

// CloseCeremony seals the record and exports it beside the bundle.
func (s *Session) CloseCeremony(statement string) error { panic("unwritten") }

// Close lets go of the record without sealing it; the ceremony can be resumed.
func (s *Session) Close() error { panic("unwritten") }
