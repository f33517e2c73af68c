// Package roomtest has a stand-in for a ceremony session, so that front ends
// can be tested without tokens, disks or cryptography.
//
// Its promise: it follows the steps of a ceremony and refuses what is out of
// order, checks words and PINs, and writes down every call. It keeps none of
// the rules of package ceremony; those are tested there.
package roomtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"conclave/ceremony"
	"conclave/ceremony/preflight"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/tui/room"
)

// A Requirement is one set of people of whom a threshold must sign a document.
type Requirement struct {
	Role      string
	Name      string
	Threshold int
	Holders   []string
}

// A Token is a token of the stand-in.
type Token struct {
	Name     string // in the tray
	Holder   string // whose key it holds, as the ceremony knows; "" for nobody
	Serial   uint32
	PIN      string
	Retries  int
	PUK      string // "" is the factory's
	PUKTries int
	Blank    bool
	Left     string // for whom a cut-off enrolment made its key
	Stray    bool   // an enrolment was cut off, and its key is not known to be from then
	In       bool
}

// A Session stands in for ceremony.Session. Its fields say how it starts.
type Session struct {
	Facts

	Clock  time.Time
	Tokens []*Token
	// Fail holds errors that the named method returns before it works again.
	Fail map[string][]error
	// Manual makes signing and enrolment wait until Touch or Yank is called.
	Manual bool

	mu      sync.Mutex
	calls   []string
	touches chan error
	waiting bool
}

// Facts are what a State shows.
type Facts struct {
	At         ceremony.Step
	All        []ceremony.Step
	Name       string
	Rehearsal  bool
	Alarm      time.Time // when a compromise was declared
	Late       []ceremony.Joining
	Reason     string
	Planned    *transfer.Plan
	Evidence   []preflight.Check
	Unsettled  []string
	Excepted   []ceremony.Excepted
	People     []ceremony.Participant
	Documents  []room.Payload
	Needs      []Requirement
	SignedWhen map[string]time.Time // holder and role, joined by a slash
	Files      []ceremony.Exported
	Changes    []*tuf.Diff
	Sentences  []string
	Lost       []string
	Opened     *transfer.Bundle
	Carried    *transfer.Bundle
	Proved     []ceremony.KeyProof
	Backups    map[string]bool // holders who bring a second token
}

// Calls lists what was called that changes something, in order.
func (s *Session) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func (s *Session) called(format string, args ...any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	call := fmt.Sprintf(format, args...)
	s.calls = append(s.calls, call)
	name, _, _ := strings.Cut(call, " ")
	if errs := s.Fail[name]; len(errs) > 0 {
		s.Fail[name] = errs[1:]
		return errs[0]
	}
	return nil
}

// State is the ceremony as it is now.
func (s *Session) State() room.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.Facts
	f.People = slices.Clone(f.People)
	f.Unsettled = slices.Clone(f.Unsettled)
	f.Excepted = slices.Clone(f.Excepted)
	f.Files = slices.Clone(f.Files)
	f.SignedWhen = map[string]time.Time{}
	for k, v := range s.SignedWhen {
		f.SignedWhen[k] = v
	}
	return &f
}

// Now is the stand-in's clock, which stands still.
func (s *Session) Now() time.Time { return s.Clock }

func (s *Session) next() {
	if i := slices.Index(s.All, s.At); i+1 < len(s.All) {
		s.At = s.All[i+1]
	} else {
		s.At = ceremony.StepDone
	}
}

var errOrder = errors.New("this is not the time for it")

// in runs act at one of steps.
func (s *Session) in(act func() error, steps ...ceremony.Step) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(steps, s.At) {
		return errOrder
	}
	return act()
}

// Preflight shows the evidence.
func (s *Session) Preflight(context.Context) ([]preflight.Check, error) {
	if err := s.called("Preflight"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Unsettled = nil
	for _, c := range s.Evidence {
		if c.Status == preflight.Stop && !s.excepted(c.Name) {
			s.Unsettled = append(s.Unsettled, c.Name)
		}
	}
	return s.Evidence, nil
}

func (s *Session) excepted(name string) bool {
	return slices.ContainsFunc(s.Excepted, func(e ceremony.Excepted) bool { return e.What == name })
}

// Except settles a check.
func (s *Session) Except(what, reason string, by []string) error {
	if err := s.called("Except %s %q %v", what, reason, by); err != nil {
		return err
	}
	if reason == "" || len(by) < s.State().Deciders(what) {
		return errors.New("an exception needs a reason and names")
	}
	return s.in(func() error {
		s.Excepted = append(s.Excepted, ceremony.Excepted{What: what, Reason: reason, By: by})
		s.Unsettled = slices.DeleteFunc(s.Unsettled, func(n string) bool { return n == what })
		return nil
	}, ceremony.StepPreflight)
}

// PassPreflight goes on to the roll call.
func (s *Session) PassPreflight(by []string) error {
	if err := s.called("PassPreflight %v", by); err != nil {
		return err
	}
	if len(by) < 2 && !s.Rehearsal {
		return errors.New("two people must read the clock")
	}
	return s.in(func() error { s.next(); return nil }, ceremony.StepPreflight)
}

// Arrive marks a holder as here.
func (s *Session) Arrive(holder string, serial uint32) error {
	if err := s.called("Arrive %s %d", holder, serial); err != nil {
		return err
	}
	return s.mark(holder, func(p *ceremony.Participant) {
		p.Presence = ceremony.Here
		if serial != 0 {
			p.Serials = []uint32{serial}
		}
	})
}

// Miss marks a holder as away.
func (s *Session) Miss(holder string) error {
	if err := s.called("Miss %s", holder); err != nil {
		return err
	}
	return s.mark(holder, func(p *ceremony.Participant) { p.Presence = ceremony.Away })
}

func (s *Session) mark(holder string, do func(*ceremony.Participant)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.People {
		if s.People[i].Name == holder {
			do(&s.People[i])
			return nil
		}
	}
	return fmt.Errorf("there is no %s", holder)
}

// CloseRollCall wants everybody asked.
func (s *Session) CloseRollCall() error {
	if err := s.called("CloseRollCall"); err != nil {
		return err
	}
	return s.in(func() error {
		for _, p := range s.People {
			if p.Presence == ceremony.Unknown {
				return fmt.Errorf("%s has not been asked for", p.Name)
			}
		}
		s.next()
		return nil
	}, ceremony.StepRollCall)
}

// Drop takes a holder out.
func (s *Session) Drop(holder, reason string, by []string) error {
	if err := s.called("Drop %s %q %v", holder, reason, by); err != nil {
		return err
	}
	if reason == "" || len(by) == 0 {
		return errors.New("an exception needs a reason and a name")
	}
	return s.in(func() error {
		s.People = slices.DeleteFunc(s.People, func(p ceremony.Participant) bool { return p.Name == holder })
		s.enrolledAll()
		return nil
	}, ceremony.StepEnrolment)
}

// Queue puts somebody on the list for the next draft.
func (s *Session) Queue(holder string, roles []string, reason string) error {
	if err := s.called("Queue %s %v %q", holder, roles, reason); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Late = append(s.Late, ceremony.Joining{Name: holder, Roles: roles})
	return nil
}

// Redraft says what a change costs: every signature so far.
func (s *Session) Redraft(folder string, r ceremony.Rotation) (*transfer.Bundle, *ceremony.Cost, error) {
	if err := s.called("Redraft %s +%v -%v", folder, r.Add, r.Remove); err != nil {
		return nil, nil, err
	}
	c := &ceremony.Cost{Text: []string{"Alice signed root 5 and targets 18.", "To sign the new draft, Alice must come back."}}
	return &transfer.Bundle{}, c, nil
}

// KeepDraft writes nothing.
func (s *Session) KeepDraft(_ *transfer.Bundle, _ *ceremony.Cost, reason string, by []string) (string, error) {
	return "/media/SANDISK/root-5.redraft.bundle.json", s.called("KeepDraft %q %v", reason, by)
}

func (s *Session) enrolledAll() {
	if !slices.ContainsFunc(s.People, func(p ceremony.Participant) bool { return !p.Enrolled }) {
		s.next()
	}
}

// Freeze goes on to review.
func (s *Session) Freeze() error {
	if err := s.called("Freeze"); err != nil {
		return err
	}
	return s.in(func() error { s.next(); return nil }, ceremony.StepFreeze)
}

// Review marks a holder as having read.
func (s *Session) Review(holder string) error {
	if err := s.called("Review %s", holder); err != nil {
		return err
	}
	return s.mark(holder, func(p *ceremony.Participant) { p.Reviewed = true })
}

// CloseReview wants everybody who is here to have read.
func (s *Session) CloseReview() error {
	if err := s.called("CloseReview"); err != nil {
		return err
	}
	return s.in(func() error {
		for _, p := range s.People {
			if p.Presence == ceremony.Here && !p.Reviewed {
				return fmt.Errorf("%s has not reviewed", p.Name)
			}
		}
		s.next()
		return nil
	}, ceremony.StepReview)
}

// CloseSigning goes on to confirm.
func (s *Session) CloseSigning() error {
	if err := s.called("CloseSigning"); err != nil {
		return err
	}
	return s.in(func() error { s.next(); return nil }, ceremony.StepSign)
}

// ReopenSigning goes back.
func (s *Session) ReopenSigning() error {
	if err := s.called("ReopenSigning"); err != nil {
		return err
	}
	return s.in(func() error { s.At = ceremony.StepSign; return nil }, ceremony.StepConfirm, ceremony.StepExport)
}

// Confirm gives a verdict.
func (s *Session) Confirm() ([]string, error) {
	if err := s.called("Confirm"); err != nil {
		return nil, err
	}
	verdict, _, _ := s.State().Verdict(s.Clock)
	return verdict, s.in(func() error { s.next(); return nil }, ceremony.StepConfirm)
}

// Export writes nothing and says that it did.
func (s *Session) Export() (ceremony.Exported, error) {
	if err := s.called("Export"); err != nil {
		return ceremony.Exported{}, failed("export the bundle", "Every signature is safe on the record of this machine.", err)
	}
	e := ceremony.Exported{
		Name: "release-47.bundle.json", Path: "/media/SANDISK/out/release-47.bundle.json",
		SHA256: "77c019ab3f9a11c28d7042b190aa7c5501de6b32f2c811d00a419e77aa01bb02",
	}
	return e, s.in(func() error {
		s.Files = append(s.Files, e)
		if s.At == ceremony.StepExport {
			s.next()
		}
		return nil
	}, ceremony.StepExport, ceremony.StepClose)
}

// Show records nothing.
func (s *Session) Show(what, _ string, frames int, folder string) error {
	return s.called("Show %s, %d frames, %q", what, frames, folder)
}

// CloseCeremony ends it.
func (s *Session) CloseCeremony(statement string) error {
	if err := s.called("CloseCeremony %q", statement); err != nil {
		return err
	}
	return s.in(func() error { s.At = ceremony.StepDone; return nil }, ceremony.StepClose)
}

// failed wraps an error as a session does.
func failed(act, safe string, err error) error {
	if err == nil {
		return nil
	}
	return &ceremony.ActError{Act: act, Err: err, Safe: safe}
}

// compile-time proof that the stand-in is what front ends need.
var (
	_ room.Session = (*Session)(nil)
	_ room.Tray    = Tray{}
)
