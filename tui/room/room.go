// Package room is what a front end finds in the ceremony room: the session
// that keeps the rules, and in a rehearsal the tray of practice tokens.
//
// Its promise: both front ends see the ceremony through these few methods and
// no others, so neither can do what the other cannot.
package room

import (
	"context"
	"errors"
	"slices"
	"time"

	"conclave/ceremony"
	"conclave/ceremony/preflight"
	"conclave/ceremony/tuf"
	"conclave/hsm"
	"conclave/transfer"
)

// ErrInterrupted says that somebody left in the middle, with ctrl+c or by the
// end of the input. Nothing is lost: the record holds everything so far.
var ErrInterrupted = errors.New("interrupted")

// A Session is the part of ceremony.Session that a front end uses. Live makes one.
type Session interface {
	// State is the ceremony as the record has it now. It may wait for an act
	// that is under way, so front ends call it where they may block.
	State() State
	Now() time.Time

	Preflight(ctx context.Context) ([]preflight.Check, error)
	Except(what, reason string, by []string) error
	PassPreflight(clockBy []string) error

	Readers(ctx context.Context) ([]string, error)
	Look(ctx context.Context, reader string) (ceremony.Visitor, error)
	Inspect(ctx context.Context, v ceremony.Visitor) (ceremony.TokenSheet, error)

	Arrive(holder string, serial uint32) error
	Miss(holder string) error
	CloseRollCall() error

	Enrol(ctx context.Context, v ceremony.Visitor, e ceremony.Enrolling) error
	Unblock(ctx context.Context, v ceremony.Visitor, puk, fresh *hsm.PIN, serialTyped uint32) error
	Drop(holder, reason string, by []string) error

	Queue(holder string, roles []string, reason string) error
	Redraft(folder string, r ceremony.Rotation) (*transfer.Bundle, *ceremony.Cost, error)
	KeepDraft(next *transfer.Bundle, cost *ceremony.Cost, reason string, by []string) (path string, err error)

	Freeze() error
	Review(holder string) error
	CloseReview() error

	Challenges(v ceremony.Visitor) ([]ceremony.Challenge, error)
	Approve(v ceremony.Visitor, asked []ceremony.Challenge, words []string) error
	Sign(ctx context.Context, v ceremony.Visitor, act ceremony.Act, pin *hsm.PIN, serialTyped uint32) error
	CloseSigning() error
	ReopenSigning() error

	Confirm() ([]string, error)
	Export() (ceremony.Exported, error)
	Show(what, sha256 string, frames int, folder string) error
	CloseCeremony(statement string) error
}

// A State is the part of ceremony.State that a front end shows.
type State interface {
	Step() ceremony.Step
	Steps() []ceremony.Step
	Title() string
	Practice() bool
	Declared() time.Time // of the compromise that the ceremony answers; zero for all others
	Queued() []ceremony.Joining
	Purpose() string
	Plan() *transfer.Plan // nil once the documents are built
	Checks() []preflight.Check
	Open() []string
	Exceptions() []ceremony.Excepted
	Deciders(what string) int // how many different people decide on an exception; 0: none is possible
	Participants() []ceremony.Participant
	Payloads() []Payload // empty before freeze
	Tallies() []transfer.RoleTally
	Complete() bool
	Still() []string
	SignedAt(keyid, role string) time.Time
	Exports() []ceremony.Exported
	Head() transfer.RecordHead // of the record as it is
	Diffs(now time.Time) ([]*tuf.Diff, error)
	// Proofs says what is proved of the keys that people hold; nil where nobody asks.
	Proofs() []ceremony.KeyProof
	Dropped() []string // sentences on signatures that the freeze dropped
	// Came is the bundle as it was opened; it must not be changed.
	Came() *transfer.Bundle
	// Result is the confirmed bundle as Export writes it, and its name.
	Result() (name string, file []byte, err error)
	// Bundle is the bundle as it stands; it must not be changed. Nil where there is none to show.
	Bundle() *transfer.Bundle
	// Verdict is what Confirm would say; it may take a moment.
	Verdict(now time.Time) (verdict []string, complete bool, err error)
}

// A Payload is one frozen document, by what people compare of it.
type Payload struct {
	Role    string
	Version int64
	Digest  tuf.Digest
}

// A Tray holds the practice tokens of a rehearsal. Tokens answers at once; the
// others may take a moment.
type Tray interface {
	Tokens() []TrayToken
	Insert(i int)
	Remove(i int)
	Touch() // touches the token that waits for it
	Yank()  // pulls out the token that is at work, or any that is in
	PIN() string
}

// A TrayToken is one practice token. Removed ones keep their place in the tray.
type TrayToken struct {
	Name            string
	Serial          uint32
	Inserted        bool
	WaitingForTouch bool
}

// Live is a running ceremony as front ends see it.
func Live(s *ceremony.Session) Session {
	if s == nil {
		return nil
	}
	return live{s}
}

type live struct{ *ceremony.Session }

func (l live) State() State { return liveState{l.Session.State(), l.Proofs()} }

type liveState struct {
	ceremony.State
	proofs []ceremony.KeyProof
}

// Proofs are those of the session.
func (s liveState) Proofs() []ceremony.KeyProof { return s.proofs }

// Steps are the steps that people go through: being done is none.
func (s liveState) Steps() []ceremony.Step {
	return slices.DeleteFunc(s.State.Steps(), func(step ceremony.Step) bool { return step == ceremony.StepDone })
}

func (s liveState) Purpose() string {
	if b := s.Bundle(); b != nil {
		return b.Purpose
	}
	return ""
}

func (s liveState) Plan() *transfer.Plan {
	if b := s.Bundle(); b != nil {
		return b.Plan
	}
	return nil
}

func (s liveState) Payloads() []Payload {
	b := s.Bundle()
	if b == nil {
		return nil
	}
	var ps []Payload
	for _, d := range b.Documents {
		ps = append(ps, Payload{Role: d.Role, Version: d.Metadata.Version(), Digest: d.Metadata.Digest()})
	}
	return ps
}
