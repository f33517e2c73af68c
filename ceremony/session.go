package ceremony

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"conclave/ceremony/policy"
	"conclave/ceremony/preflight"
	"conclave/ceremony/record"
	"conclave/ceremony/tuf"
	"conclave/hsm"
	"conclave/transfer"
)

// RecordFile is the record's name in a ceremony's folder. BundleFile stands
// beside it where a bundle is too large for a line of the record.
const (
	RecordFile = "record.jsonl"
	BundleFile = "opened.bundle.json"
)

// maxInline is the largest file that is written into the record: half a line, for escapes and the rest.
const maxInline = record.MaxLine / 2

// A Medium takes what leaves the ceremony. transfer.Folder is one.
type Medium interface {
	// Check looks at the medium: free space, written and read back. The text is for people.
	Check() (text string, err error)
	// Export writes a new file durably, reads it back and compares. A file of
	// that name with the same bytes counts as written; one with other bytes is an error that is fs.ErrExist.
	Export(name string, data []byte) (path string, err error)
}

// Config is what a session needs of the world.
type Config struct {
	Dir     string // the ceremony's own folder; the record is Dir/record.jsonl
	Tokens  hsm.Tokens
	Medium  Medium
	Inspect func(context.Context) []preflight.Check // may be nil
	Now     func() time.Time                        // time.Now if nil
	Rand    io.Reader                               // for challenges; crypto/rand if nil
	Program string                                  // "conclave 1.0.0 3f9a…"
	Seen    map[string]int64                        // highest versions that this machine has seen; an older base is refused

	Policy *policy.Policy // what may be signed at all; policy.Default() if nil. Resume refuses another than the ceremony's

	// Genuine says whether a token's evidence proves that the key was made on a real token and is used
	// as it must be. Nil asks for no proof. What it refuses is enrolled only by a recorded exception for "attestation".
	Genuine Prover

	wrap      func(journal) journal // for tests that pull the plug
	maxInline int                   // for tests: maxInline if 0
}

// inline is the largest file that goes into the record.
func (c Config) inline() int {
	if c.maxInline > 0 {
		return c.maxInline
	}
	return maxInline
}

// journal is what a session needs of a record.
type journal interface {
	Append(now time.Time, actor, event string, data any) (record.Entry, error)
	Close() error
}

// A Session drives one ceremony. Its methods may be called from any goroutine; one acts at a time.
// Every method that changes something returns after the record is on the disk.
// After the record could not be written a session does nothing more: resume the ceremony.
type Session struct {
	cfg Config
	act sync.Mutex // held by whoever acts; owns log, dead and asked

	log   journal
	dead  error // why the record takes no more
	asked map[uint32][]Challenge

	mu     sync.RWMutex // guards state and proved; never held while something blocks
	state  State
	proved proved
}

// Begin starts a ceremony on bundle in cfg.Dir, which must not hold one. anchor is the trusted
// root; nil is allowed at genesis, else preflight asks for a decision.
func Begin(cfg Config, bundle *transfer.Bundle, anchor *tuf.Document) (*Session, error) {
	s, err := begin(cfg, bundle, anchor)
	return s, failed("begin the ceremony", "Nothing was signed.", err)
}

func begin(cfg Config, bundle *transfer.Bundle, anchor *tuf.Document) (*Session, error) {
	file, err := bundle.Bytes()
	if err != nil {
		return nil, err
	}
	e := Opened{Bundle: file, SHA256: sha256Hex(file), Program: cfg.Program, Seen: cfg.Seen}
	if anchor != nil {
		e.Anchor = anchor.Bytes()
	}
	s := newSession(cfg)
	e.Policy, e.Attested = policy.Default().Bytes(), s.attested(bundle)
	if cfg.Policy != nil {
		e.Policy = cfg.Policy.Bytes()
	}
	now := s.cfg.Now()
	next, err := State{}.At(now).Apply(e)
	if err != nil {
		return nil, err // before there is a folder
	}
	if err := s.create(); err != nil {
		return nil, err
	}
	if len(file) > cfg.inline() {
		err = s.keepBeside(bundle, file)
	}
	if err == nil {
		err = s.commit(e, now, next)
	}
	if err != nil {
		return nil, errors.Join(err, s.log.Close())
	}
	return s, nil
}

func newSession(cfg Config) *Session {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.wrap == nil {
		cfg.wrap = func(j journal) journal { return j }
	}
	return &Session{cfg: cfg, asked: map[uint32][]Challenge{}}
}

// attested lists the keys of the bundle's tokens of which it is proved where they were made.
func (s *Session) attested(b *transfer.Bundle) []string {
	keys := map[string]tuf.Key{}
	for _, d := range b.Documents {
		maps.Copy(keys, d.Metadata.Keys())
	}
	if b.Plan != nil && b.Plan.Rotation != nil {
		for _, k := range b.Plan.Rotation.Join {
			keys[k.Key.ID] = k.Key
		}
	}
	var proved []string
	for _, t := range b.Tokens {
		k, ok := keys[t.KeyID]
		if ok && s.isGenuine(AsRecorded(t), k.Public, b.Practice) {
			proved = append(proved, t.KeyID)
		}
	}
	return proved
}

// isGenuine reports whether evidence is proof, or nobody asks for any.
func (s *Session) isGenuine(e Evidence, key crypto.PublicKey, practice bool) bool {
	if s.cfg.Genuine == nil {
		return true
	}
	_, err := s.cfg.Genuine(e, key, practice)
	return err == nil
}

// create begins the record. A record without a single entry is what a power cut
// at this very place leaves: it is used.
func (s *Session) create() error {
	if err := os.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("make the ceremony's folder: %w", err)
	}
	log, err := record.Create(s.recordPath())
	var exists *record.ExistsError
	if errors.As(err, &exists) {
		var entries []record.Entry
		if log, entries, err = record.Open(s.recordPath()); err == nil && len(entries) > 0 {
			return errors.Join(exists, log.Close())
		}
	}
	if err != nil {
		return err
	}
	s.log = s.cfg.wrap(log)
	return nil
}

// keepBeside writes a bundle that is too large for the record into its folder. One
// that stands there already belongs to a beginning that came to nothing.
func (s *Session) keepBeside(bundle *transfer.Bundle, file []byte) error {
	path := filepath.Join(s.cfg.Dir, BundleFile)
	if have, err := os.ReadFile(path); err == nil && sha256Hex(have) != sha256Hex(file) {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("keep the bundle beside the record: %w", err)
		}
	}
	if err := transfer.Write(path, bundle); err != nil {
		return fmt.Errorf("keep the bundle beside the record: %w", err)
	}
	return nil
}

func (s *Session) recordPath() string { return filepath.Join(s.cfg.Dir, RecordFile) }

// Resume goes on with the ceremony in cfg.Dir. One that is closed comes back at
// its last step, and nothing is added to its record.
func Resume(cfg Config) (*Session, error) {
	s, err := resume(cfg)
	return s, failed("resume the ceremony", "Nothing was changed.", err)
}

func resume(cfg Config) (*Session, error) {
	s := newSession(cfg)
	log, entries, err := record.Open(s.recordPath())
	if err != nil {
		return nil, err
	}
	s.log = s.cfg.wrap(log)
	if err := s.replay(entries); err != nil {
		return nil, errors.Join(err, s.log.Close())
	}
	return s, nil
}

func (s *Session) replay(entries []record.Entry) error {
	if len(entries) == 0 {
		return &RuleError{Rule: "order", What: "the record is empty: the ceremony was not begun", Advice: "Begin it again in the same folder."}
	}
	state, err := Replay(entries, Beside(s.cfg.Dir))
	if err != nil {
		return err
	}
	if err := s.samePolicy(state); err != nil {
		return err
	}
	s.set(state)
	if state.Step() == StepDone {
		return nil
	}
	return s.do(Resumed{Program: s.cfg.Program})
}

// samePolicy refuses another policy than the one that the ceremony was begun under.
func (s *Session) samePolicy(state State) error {
	if s.cfg.Policy == nil || s.cfg.Policy.Digest() == state.policy.Digest() {
		return nil
	}
	return state.rule("policy", fmt.Sprintf("the policy file is not the one of this ceremony: its digest is %s, the record says %s",
		s.cfg.Policy.Digest(), state.policy.Digest()),
		"A policy does not change in the middle of a ceremony: bring the file back as it was, or begin a new ceremony.")
}

// do journals an event and takes it into the state. The caller holds act.
func (s *Session) do(e Event) error { return s.put(e, s.cfg.Now()) }

// came is do for what came of an act: a clock that went back meanwhile must not lose a signature.
func (s *Session) came(e Event) error {
	now := s.cfg.Now()
	if floor := s.State().Floor(); now.Before(floor) {
		now = floor
	}
	return s.put(e, now)
}

func (s *Session) put(e Event, now time.Time) error {
	if s.dead != nil {
		return s.dead
	}
	next, err := s.State().At(now).Apply(e)
	if err != nil {
		return err
	}
	return s.commit(e, now, next)
}

// commit writes an event that leads to next.
func (s *Session) commit(e Event, now time.Time, next State) error {
	data, err := EncodeEvent(inline(e, s.cfg.inline()))
	if err != nil {
		return err
	}
	entry, err := s.log.Append(now, actor(e), e.Kind(), data)
	if err != nil {
		s.dead = err
		return err
	}
	s.set(next.recorded(e, entry.Seq, entry.Hash))
	return nil
}

// inline is the event as the record takes it: files that are too large stand beside it, or can be built again.
func inline(e Event, most int) Event {
	switch e := e.(type) {
	case Opened:
		if len(e.Bundle) > most {
			e.Bundle = nil
		}
		return e
	case Frozen:
		size := 0
		for _, d := range e.Documents {
			size += len(d.Metadata)
		}
		if size <= most {
			return e
		}
		docs := make([]FrozenDocument, len(e.Documents))
		for i, d := range e.Documents {
			docs[i] = FrozenDocument{Role: d.Role, Digest: d.Digest, Dropped: d.Dropped}
		}
		return Frozen{Documents: docs}
	}
	return e
}

// actor says who does an event: a holder, the conductor, or the program.
func actor(e Event) string {
	name := ""
	switch e := e.(type) {
	case Opened, Resumed, Checked, Frozen, Confirmed, ExportBegun, Exported, Shown:
		return "conclave"
	case EnrolBegun:
		name = e.Holder
	case Enrolled:
		name = e.Holder
	case EnrolFailed:
		name = e.Holder
	case UnblockBegun:
		name = e.Holder
	case Unblocked:
		name = e.Holder
	case UnblockFailed:
		name = e.Holder
	case Reviewed:
		name = e.Holder
	case Approved:
		name = e.Holder
	case SignBegun:
		name = e.Holder
	case Signed:
		name = e.Holder
	case SignFailed:
		name = e.Holder
	}
	if name == "" {
		return "conductor"
	}
	return clip(name, record.MaxActor)
}

// clip cuts text to at most n bytes, at the end of a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// State returns the state now. It does not wait for an act that is under way.
func (s *Session) State() State {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.state
}

func (s *Session) set(state State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
}

// Now is the session's clock.
func (s *Session) Now() time.Time { return s.cfg.Now() }

// Dir is the ceremony's folder.
func (s *Session) Dir() string { return s.cfg.Dir }

// step does one event that nothing but the record is needed for.
func (s *Session) step(act string, e Event) error {
	s.act.Lock()
	defer s.act.Unlock()
	return failed(act, safeSoFar, s.do(e))
}

// safeSoFar is true of every refusal: what is on the record stays.
const safeSoFar = "Nothing was changed; everything on the record is safe."

// Arrive says that a holder is here; serial is 0 where somebody came without a token.
func (s *Session) Arrive(holder string, serial uint32) error {
	return s.step("record the arrival of "+holder, Arrived{Holder: holder, Serial: serial})
}

// Miss says that a holder is not here.
func (s *Session) Miss(holder string) error {
	return s.step("record the absence of "+holder, Missed{Holder: holder})
}

// CloseRollCall goes on to enrolment or freeze. Everybody must have been asked.
func (s *Session) CloseRollCall() error { return s.step("close the roll call", RollCalled{}) }

// Drop takes a planned holder out of the draft, as a recorded exception.
func (s *Session) Drop(holder, reason string, by []string) error {
	return s.step("take "+holder+" out of the draft", Dropped{Holder: holder, Reason: reason, By: by})
}

// Freeze builds the documents and fixes their payloads.
func (s *Session) Freeze() error {
	s.act.Lock()
	defer s.act.Unlock()
	return failed("freeze the documents", safeSoFar, s.freeze())
}

func (s *Session) freeze() error {
	state := s.State()
	if state.bundle == nil || state.step != StepFreeze {
		return s.do(Frozen{}) // which says why not
	}
	draft, err := state.drafted()
	if err != nil {
		return err
	}
	docs := slices.Clone(draft.frozen)
	if state.bundle.Plan != nil {
		for i, d := range docs {
			docs[i].Metadata = draft.bundle.Document(d.Role).Bytes()
		}
	}
	return s.do(Frozen{Documents: docs})
}

// Review records that holder has read every frozen document to the end. Who was
// away when the roll was called has arrived by this.
func (s *Session) Review(holder string) error {
	s.act.Lock()
	defer s.act.Unlock()
	return failed("record the review by "+holder, safeSoFar, s.review(holder))
}

func (s *Session) review(holder string) error {
	digests := s.State().digests()
	if err := s.arrived(holder); err != nil {
		return err
	}
	return s.do(Reviewed{Holder: holder, Digests: digests})
}

// digests are the frozen documents' payload digests by role.
func (s State) digests() map[string]string {
	digests := map[string]string{}
	for _, d := range s.documents {
		digests[d.role] = d.digest.Hex()
	}
	return digests
}

// arrived records the arrival of somebody who is not in the room yet.
func (s *Session) arrived(holder string) error {
	state := s.State()
	i, err := state.find(holder)
	if err != nil || state.people[i].presence == Here {
		return err
	}
	return s.do(Arrived{Holder: holder, Serial: state.people[i].brought})
}

// CloseReview goes on to sign. Everybody who is here must have reviewed.
func (s *Session) CloseReview() error { return s.step("close the review", ReviewClosed{}) }

// CloseSigning goes on to confirm, complete or partial.
func (s *Session) CloseSigning() error { return s.step("close signing", SigningClosed{}) }

// ReopenSigning goes back to sign, while signatures are missing.
func (s *Session) ReopenSigning() error { return s.step("go back to signing", SigningReopened{}) }

// Close lets go of the record without sealing it; the ceremony can be resumed.
func (s *Session) Close() error {
	s.act.Lock()
	defer s.act.Unlock()
	if s.dead == nil {
		s.dead = &RuleError{Step: s.State().Step(), Rule: "closed", What: "the session was closed", Advice: "Resume the ceremony."}
	}
	return s.log.Close()
}
