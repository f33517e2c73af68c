package ceremony

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"conclave/ceremony/policy"
	"conclave/ceremony/preflight"
	"conclave/ceremony/tuf"
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

// State is everything that the record says, derived and never stored. It is a
// value: Apply returns a new one and changes nothing in the old one. Large
// things (the bundle, its documents) are shared between states and never changed.
type State struct {
	clock time.Time // when the next event happens; zero where nobody says
	floor time.Time // no event happens before it

	step       Step
	enrols     bool             // the bundle began as a plan: keys are made
	came       *transfer.Bundle // as it was opened
	bundle     *transfer.Bundle
	anchor     *tuf.Document
	seen       map[string]int64
	title      string
	program    string
	checks     []preflight.Check
	exceptions []Excepted
	accepted   map[string][]string // check → its findings that people accepted
	policy     *policy.Policy
	attested   map[string]bool // keyids whose evidence proves where their keys were made
	broken     []policy.Violation
	people     []person
	enrolTries map[uint32]int        // serial → how often it was asked for a key
	enrolling  map[uint32]EnrolBegun // by serial: a key may be on the token, but is not enrolled
	unblocking map[uint32]bool       // serials of tokens that were shown a PUK
	documents  []document            // empty before freeze
	signing    map[keyRole]uint32    // keyid and role → serial of the token that was asked to sign
	signedAt   map[keyRole]time.Time // of signatures made here; others were seen at freeze
	frozenAt   time.Time
	dropped    []string              // signatures that came with the bundle and were worth nothing
	drafted    func() (built, error) // at freeze; shared
	result     *result               // shared, made anew whenever a signature is added
	head       transfer.RecordHead   // of the record that confirmed the result
	last       transfer.RecordHead   // of the record as it is
	writing    *ExportBegun
	exports    []Exported
	queue      []Queued    // who joins with the next draft
	redrafted  []Redrafted // drafts that were made to take this one's place
}

// A keyRole names a signature: one key on one role's document.
type keyRole struct{ keyid, role string }

// applier is what every event has: its own rules. The state it gets is its own to change.
type applier interface {
	Event
	apply(s *State) error
}

// At returns s with its clock at t: the time at which the next event happens.
// Without it, rules about time are not looked at.
func (s State) At(t time.Time) State {
	s.clock = t.UTC().Round(0) // without the monotonic reading, as the record keeps it
	return s
}

// Apply returns the state after e, or the rule that forbids e (*RuleError, or
// *ClockError where the clock is behind what has happened). It never panics and changes nothing in s.
func (s State) Apply(e Event) (State, error) {
	a, ok := e.(applier)
	if !ok || reflect.ValueOf(e).Kind() == reflect.Pointer {
		return s, s.rule("event", fmt.Sprintf("%T is not an event", e), "")
	}
	if !s.clock.IsZero() && s.clock.Before(s.floor) {
		return s, &ClockError{Now: s.clock, Floor: s.floor}
	}
	if err := s.checkOrder(e); err != nil {
		return s, err
	}
	next := s
	if err := a.apply(&next); err != nil {
		return s, err
	}
	if next.clock.After(next.floor) {
		next.floor = next.clock
	}
	return next, nil
}

// recorded tells the state where in the record the last event stands.
func (s State) recorded(e Event, seq int, hash string) State {
	s.last = transfer.RecordHead{Entries: seq, Hash: hash}
	if _, ok := e.(Confirmed); ok {
		s.head = transfer.RecordHead{Entries: seq, Hash: hash}
		s.result = newResult(s.bundle, s.trusted(), s.head)
	}
	return s
}

// allowed says at which steps an event can happen. Events that are not here can happen at any but the last.
var allowed = map[string][]Step{
	PreflightPassed{}.Kind(): {StepPreflight},
	Missed{}.Kind():          {StepRollCall, StepEnrolment, StepFreeze, StepReview, StepSign},
	Arrived{}.Kind():         {StepRollCall, StepEnrolment, StepFreeze, StepReview, StepSign},
	RollCalled{}.Kind():      {StepRollCall},
	EnrolBegun{}.Kind():      {StepEnrolment},
	Enrolled{}.Kind():        {StepEnrolment},
	EnrolFailed{}.Kind():     {StepEnrolment},
	UnblockBegun{}.Kind():    {StepRollCall, StepEnrolment, StepFreeze, StepReview, StepSign},
	Unblocked{}.Kind():       {StepRollCall, StepEnrolment, StepFreeze, StepReview, StepSign},
	UnblockFailed{}.Kind():   {StepRollCall, StepEnrolment, StepFreeze, StepReview, StepSign},
	Dropped{}.Kind():         {StepEnrolment},
	Queued{}.Kind():          {StepReview, StepSign, StepConfirm, StepExport, StepClose},
	Redrafted{}.Kind():       {StepReview, StepSign, StepConfirm, StepExport, StepClose},
	Frozen{}.Kind():          {StepFreeze},
	Reviewed{}.Kind():        {StepReview, StepSign},
	ReviewClosed{}.Kind():    {StepReview},
	Approved{}.Kind():        {StepSign},
	SignBegun{}.Kind():       {StepSign},
	Signed{}.Kind():          {StepSign},
	SignFailed{}.Kind():      {StepSign},
	SigningClosed{}.Kind():   {StepSign},
	SigningReopened{}.Kind(): {StepConfirm, StepExport, StepClose},
	Confirmed{}.Kind():       {StepConfirm},
	ExportBegun{}.Kind():     {StepExport, StepClose},
	Exported{}.Kind():        {StepExport, StepClose},
	Shown{}.Kind():           {StepExport, StepClose},
	Closed{}.Kind():          {StepExport, StepClose},
}

// checkOrder holds the order of the steps.
func (s State) checkOrder(e Event) error {
	_, opening := e.(Opened)
	switch {
	case s.bundle == nil && !opening:
		return s.rule("order", fmt.Sprintf("%q comes before the ceremony was opened", e.Kind()), "")
	case s.bundle != nil && opening:
		return s.rule("order", "the ceremony is open already", "")
	case s.step == StepDone:
		return s.rule("order", "the ceremony is closed and its record is sealed", "Begin a new ceremony on the bundle that this one exported.")
	}
	steps, limited := allowed[e.Kind()]
	if limited && !slices.Contains(steps, s.step) {
		return s.rule("order", fmt.Sprintf("%q cannot happen at the step %q", e.Kind(), s.step),
			fmt.Sprintf("It belongs to the step %q.", steps[0]))
	}
	return nil
}

// rule makes a RuleError at the state's step.
func (s State) rule(rule, what, advice string) error {
	return &RuleError{Step: s.step, Rule: rule, What: what, Advice: advice}
}

// ruleErr makes a RuleError of another error, whose hint it keeps.
func (s State) ruleErr(rule string, err error) error {
	return &RuleError{Step: s.step, Rule: rule, What: err.Error(), Advice: hintOf(err), Err: err}
}

// Step is where the ceremony stands.
func (s State) Step() Step { return s.step }

// Steps are all steps of this ceremony, in order.
func (s State) Steps() []Step {
	steps := []Step{
		StepPreflight, StepRollCall, StepEnrolment, StepFreeze, StepReview,
		StepSign, StepConfirm, StepExport, StepClose, StepDone,
	}
	if !s.enrols {
		steps = slices.DeleteFunc(steps, func(step Step) bool { return step == StepEnrolment })
	}
	return steps
}

// Title names the ceremony for headers: "root 5 + targets 18", "genesis: root 1 + targets 1".
func (s State) Title() string { return s.title }

// Bundle is the bundle with every signature so far, nil before the ceremony is open.
func (s State) Bundle() *transfer.Bundle { return s.bundle }

// Came is the bundle as it came into the ceremony, nil before the ceremony is open.
func (s State) Came() *transfer.Bundle { return s.came }

// Result is the confirmed bundle as a file, byte for byte as Export writes it, and the file's name: that
// of the last export, or the one that it will have.
func (s State) Result() (name string, file []byte, err error) {
	if s.result == nil || s.head.Entries == 0 {
		return "", nil, s.rule("order", "the bundle is not confirmed yet", "Confirm it first.")
	}
	if file, err = s.result.file(); err != nil {
		return "", nil, err
	}
	if n := len(s.exports); n > 0 && s.exports[n-1].SHA256 == sha256Hex(file) {
		return s.exports[n-1].Name, file, nil
	}
	return s.fileName(1), file, nil
}

// Anchor is the root that was trusted from the start, nil where nobody had one.
func (s State) Anchor() *tuf.Document { return s.anchor }

// Program is what runs the ceremony, as it says of itself.
func (s State) Program() string { return s.program }

// Practice reports a rehearsal.
func (s State) Practice() bool { return s.bundle != nil && s.bundle.Practice }

// Checks is the newest preflight.
func (s State) Checks() []preflight.Check { return slices.Clone(s.checks) }

// Open names the checks that still want a decision.
func (s State) Open() []string { return s.openOf(s.checks) }

func (s State) openOf(checks []preflight.Check) []string {
	var open []string
	for _, c := range checks {
		if slices.ContainsFunc(c.Findings(), func(f string) bool { return !slices.Contains(s.accepted[c.Name], f) }) {
			open = append(open, c.Name)
		}
	}
	return open
}

// Exceptions lists what people decided against the rules.
func (s State) Exceptions() []Excepted { return slices.Clone(s.exceptions) }

func (s State) excepted(what string) bool {
	return slices.ContainsFunc(s.exceptions, func(e Excepted) bool { return e.What == what })
}

// Head is the end of the record as it is: how many entries, and the hash of the last.
func (s State) Head() transfer.RecordHead { return s.last }

// Floor is the time before which no clock may be.
func (s State) Floor() time.Time { return s.floor }

// SignedAt is when the key signed the role's document; zero when it has not. For
// a signature that came with the bundle it is when it was verified here, at freeze.
func (s State) SignedAt(keyid, role string) time.Time {
	if at, ok := s.signedAt[keyRole{keyid, role}]; ok {
		return at
	}
	for _, d := range s.documents {
		if d.role == role && d.has(keyid) {
			return s.frozenAt
		}
	}
	return time.Time{}
}

// Dropped says in sentences which signatures came with the bundle and were
// dropped when it was frozen, because they do not verify.
func (s State) Dropped() []string { return slices.Clone(s.dropped) }

// Exports lists the files that are on the medium.
func (s State) Exports() []Exported { return slices.Clone(s.exports) }

// Declared is when the compromise was declared that this ceremony answers; zero for all others.
func (s State) Declared() time.Time {
	if s.bundle == nil {
		return time.Time{}
	}
	return s.bundle.Declared
}

// Diffs explains every frozen document against its base, with ages relative to now.
func (s State) Diffs(now time.Time) ([]*tuf.Diff, error) {
	var diffs []*tuf.Diff
	for _, d := range s.documents {
		diff, err := tuf.Compare(s.base(d.role), s.bundle.Document(d.role), now)
		if err != nil {
			return nil, fmt.Errorf("compare %s with its base: %w", d.role, err)
		}
		diffs = append(diffs, diff)
	}
	return diffs, nil
}

// base is the document that the bundle's document for role follows, nil where there is none.
func (s State) base(role string) *tuf.Document {
	if role == tuf.Root {
		return s.bundle.TrustedRoot()
	}
	for _, d := range s.bundle.Base.Documents {
		if d.Role == role {
			return d.Metadata
		}
	}
	return nil
}

// with returns a copy of m that has one entry more.
func with[K comparable, V any](m map[K]V, k K, v V) map[K]V {
	n := make(map[K]V, len(m)+1)
	maps.Copy(n, m)
	n[k] = v
	return n
}

// without returns a copy of m that lacks an entry.
func without[K comparable, V any](m map[K]V, k K) map[K]V {
	n := maps.Clone(m)
	delete(n, k)
	return n
}
