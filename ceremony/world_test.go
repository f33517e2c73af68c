package ceremony

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/ceremony/tuf"
	"conclave/hsm"
	"conclave/transfer"
)

var day0 = time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// testPIN makes a PIN of a test.
func testPIN(t testing.TB, pin string) *hsm.PIN {
	t.Helper()
	p, err := hsm.NewPIN([]byte(pin))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newOnlineKey makes a public key for snapshot or timestamp.
func newOnlineKey(t testing.TB) tuf.Key {
	t.Helper()
	_, key := newKeyPair(t)
	return key
}

// newKeyPair makes a key that lies on no token.
func newKeyPair(t testing.TB) (*ecdsa.PrivateKey, tuf.Key) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := tuf.NewKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return private, key
}

// A world is a ceremony room: people with tokens, a stick, a clock.
type world struct {
	t      testing.TB
	cfg    Config
	now    time.Time
	tokens *softTokens
	owned  map[string]*softToken // by holder
	fresh  map[string]*softToken // new tokens that people bring beside their old ones
	medium *softMedium
	away   []string
	all    bool // everybody signs, also beyond the threshold
}

// quickDir is a folder in memory where the system has one: the kill tests sync some ten thousand times.
func quickDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "conclave-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func newWorld(t testing.TB, holders ...string) *world {
	w := &world{t: t, now: day0, tokens: newSoftTokens(), owned: map[string]*softToken{}, medium: &softMedium{}}
	for i, h := range holders {
		w.owned[h] = newSoftToken(uint32(1000 + i))
		w.tokens.insert(w.owned[h])
	}
	w.cfg = Config{
		Dir:     quickDir(t),
		Tokens:  w.tokens,
		Medium:  w.medium,
		Program: "conclave test",
		Now: func() time.Time {
			w.now = w.now.Add(time.Second)
			return w.now
		},
	}
	return w
}

// next is the same room for the next ceremony: another folder, the next day.
func (w *world) next() *world {
	n := *w
	n.cfg.Dir = quickDir(w.t)
	n.now = w.now.Add(day)
	n.cfg.Now = func() time.Time {
		n.now = n.now.Add(time.Second)
		return n.now
	}
	n.medium = &softMedium{}
	n.cfg.Medium = n.medium
	return &n
}

var (
	fivePeople  = []string{"Alice", "Bob", "Carol", "Erin", "Frank"}
	threePeople = fivePeople[:3]
)

// genesis is a plan for everybody in the room: more than half of them for root, the first three for targets.
func (w *world) genesis() Genesis {
	var people []string
	for _, name := range fivePeople {
		if w.owned[name] != nil {
			people = append(people, name)
		}
	}
	return Genesis{
		Purpose:          "first root",
		RootHolders:      people,
		TargetsHolders:   people[:min(3, len(people))],
		RootThreshold:    len(people)/2 + 1,
		TargetsThreshold: 2,
		Algorithm:        "p256",
		Snapshot:         newOnlineKey(w.t),
		Timestamp:        newOnlineKey(w.t),
		RootExpires:      w.now.Add(365 * day),
		TargetsExpires:   w.now.Add(90 * day),
		Files:            []transfer.PlannedFile{{Path: "app/conclave.tar.gz", Length: 12, SHA256: [32]byte{1, 2, 3}}},
	}
}

func (w *world) planGenesis() *transfer.Bundle {
	w.t.Helper()
	b, err := PlanGenesis(w.genesis(), w.now)
	if err != nil {
		w.t.Fatalf("plan genesis: %v", err)
	}
	return b
}

// hold plays the ceremony to its end, whatever has been done of it already.
func (w *world) hold(s *Session) error {
	for s.State().Step() != StepDone {
		before := s.State().Step()
		if err := w.turn(s); err != nil {
			return fmt.Errorf("at %s: %w", before, err)
		}
		if before == s.State().Step() {
			return fmt.Errorf("the ceremony stays at %s", before)
		}
	}
	return s.CloseCeremony("")
}

// turn does everything that belongs to the step at hand and has not been done.
func (w *world) turn(s *Session) error {
	switch s.State().Step() {
	case StepPreflight:
		return w.preflight(s)
	case StepRollCall:
		return w.rollCall(s)
	case StepEnrolment:
		return w.enrol(s)
	case StepFreeze:
		if err := w.accept(s); err != nil {
			return err
		}
		return s.Freeze()
	case StepReview:
		return w.review(s)
	case StepSign:
		if err := w.sign(s); err != nil {
			return err
		}
		return s.CloseSigning()
	case StepConfirm:
		_, err := s.Confirm()
		return err
	case StepExport:
		_, err := s.Export()
		return err
	case StepClose:
		return s.CloseCeremony("All agree.")
	}
	return fmt.Errorf("no such step")
}

func (w *world) preflight(s *Session) error {
	if len(s.State().Checks()) == 0 {
		if _, err := s.Preflight(context.Background()); err != nil {
			return err
		}
	}
	if err := w.accept(s); err != nil {
		return err
	}
	return s.PassPreflight([]string{"Olga", "Pat"})
}

// accept decides on everything that is open.
func (w *world) accept(s *Session) error {
	for _, what := range s.State().Open() {
		if err := s.Except(what, "we looked at it together", []string{"Olga", "Pat"}); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) rollCall(s *Session) error {
	for _, p := range s.State().Participants() {
		if p.Presence != Unknown {
			continue
		}
		var err error
		if slices.Contains(w.away, p.Name) {
			err = s.Miss(p.Name)
		} else {
			err = s.Arrive(p.Name, w.tokensOf(p.Name)[0].info.Serial)
		}
		if err != nil {
			return err
		}
	}
	return s.CloseRollCall()
}

func (w *world) look(s *Session, holder string) (Visitor, error) {
	return s.Look(context.Background(), w.owned[holder].info.Reader)
}

// bring puts a new token into a reader for somebody.
func (w *world) bring(holder string) *softToken {
	if w.fresh == nil {
		w.fresh = map[string]*softToken{}
	}
	w.fresh[holder] = newSoftToken(uint32(2000 + len(w.fresh)))
	w.tokens.insert(w.fresh[holder])
	return w.fresh[holder]
}

// settle lets everybody go on with their new tokens alone.
func (w *world) settle() {
	for name, token := range w.fresh {
		w.owned[name] = token
	}
	w.fresh = nil
}

// tokensOf are the tokens of somebody that can be put in.
func (w *world) tokensOf(holder string) []*softToken {
	var all []*softToken
	for _, t := range []*softToken{w.owned[holder], w.fresh[holder]} {
		if t != nil {
			all = append(all, t)
		}
	}
	return all
}

const freshPIN = "271828"

func (w *world) enrol(s *Session) error {
	for _, p := range s.State().Participants() {
		if p.Enrolled {
			continue
		}
		tokens := w.tokensOf(p.Name)
		if err := w.enrolOn(s, p.Name, tokens[len(tokens)-1]); err != nil {
			return err
		}
	}
	return nil
}

// enrolOn has a token make the next key of a holder.
func (w *world) enrolOn(s *Session, holder string, token *softToken) error {
	v, err := s.Look(context.Background(), token.info.Reader)
	if err != nil {
		return err
	}
	err = s.Enrol(context.Background(), v, Enrolling{Holder: holder, PIN: testPIN(w.t, token.pin), NewPIN: testPIN(w.t, freshPIN)})
	if err == nil {
		token.pin = freshPIN
	}
	return err
}

func (w *world) review(s *Session) error {
	for _, p := range s.State().Participants() {
		if p.Presence == Here && !p.Reviewed {
			if err := s.Review(p.Name); err != nil {
				return err
			}
		}
	}
	return s.CloseReview()
}

func (w *world) sign(s *Session) error {
	for _, p := range s.State().Participants() {
		if p.Presence != Here {
			continue
		}
		for _, token := range w.tokensOf(p.Name) {
			v, err := s.Look(context.Background(), token.info.Reader)
			if err != nil {
				return err
			}
			if err := w.visit(s, v, token.pin); err != nil {
				return err
			}
		}
	}
	return nil
}

// visit is one holder's turn at the machine.
func (w *world) visit(s *Session, v Visitor, pin string) error {
	v.Acts = slices.DeleteFunc(v.Acts, func(a Act) bool { return !w.all && !a.Needed })
	if len(v.Acts) == 0 {
		return nil
	}
	if err := w.approve(s, v); err != nil {
		return err
	}
	for _, act := range v.Acts {
		if err := s.Sign(context.Background(), v, act, testPIN(w.t, pin), 0); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) approve(s *Session, v Visitor) error {
	asked, err := s.Challenges(v)
	if err != nil {
		return err
	}
	return s.Approve(v, asked, answers(s.State(), asked))
}

// answers are the words that the conductor reads.
func answers(state State, asked []Challenge) []string {
	var words []string
	for _, c := range asked {
		words = append(words, state.Bundle().Document(c.Role).Digest().Words()[c.Position-1])
	}
	return words
}

// begin begins a ceremony or ends the test.
func (w *world) begin(b *transfer.Bundle, anchor *tuf.Document) *Session {
	w.t.Helper()
	s, err := Begin(w.cfg, b, anchor)
	if err != nil {
		w.t.Fatalf("begin: %v (%s)", err, hintOf(err))
	}
	w.t.Cleanup(func() { _ = s.Close() })
	return s
}

// done holds a whole ceremony and gives the bundle that came out of it.
func (w *world) done(b *transfer.Bundle, anchor *tuf.Document) *transfer.Bundle {
	w.t.Helper()
	s := w.begin(b, anchor)
	if err := w.hold(s); err != nil {
		w.t.Fatalf("hold the ceremony: %v (%s)", err, hintOf(err))
	}
	return s.State().Bundle()
}

// baseOf is the base that a repository made by b gives.
func baseOf(b *transfer.Bundle) transfer.Base {
	base := transfer.Base{Roots: slices.Clone(b.Base.Roots), Seen: map[string]int64{tuf.Snapshot: 1, tuf.Timestamp: 1}}
	if root := b.Document(tuf.Root); root != nil {
		base.Roots = append(base.Roots, root)
	}
	if targets := b.Document(tuf.Targets); targets != nil {
		base.Documents = []transfer.Document{{Role: tuf.Targets, Metadata: targets}}
	}
	return base
}

// ruleOf is the rule that an error names, "" for other errors.
func ruleOf(err error) string {
	var rule *RuleError
	if errors.As(err, &rule) {
		return rule.Rule
	}
	return ""
}

// counting is a source of randomness that counts.
type counting struct{ n byte }

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = c.n
		c.n++
	}
	return len(p), nil
}

// fingerprint is all that a state says, in text.
func fingerprint(t interface {
	Helper()
	Fatal(args ...any)
}, s State,
) string {
	t.Helper()
	var out strings.Builder
	say := func(what string, value any) { fmt.Fprintf(&out, "%s: %+v\n", what, value) }
	say("step", s.step)
	say("title", s.title)
	say("floor", s.floor.Format(time.RFC3339Nano))
	say("program", s.program)
	say("checks", s.checks)
	say("exceptions", s.exceptions)
	for _, p := range s.people {
		say("person", fmt.Sprintf("%s %v %v %s %s %v %v %v", p.name, p.roles, p.leaving, p.presence, fmt.Sprint(p.serials, p.brought), len(p.toMake) == 0, p.reviewed, p.approved))
		for _, k := range p.keys {
			say("key", k.ID)
		}
	}
	say("enrolling", s.enrolling)
	say("signing", s.signing)
	say("signed at", s.signedAt)
	say("head", s.head)
	say("exports", s.exports)
	say("queue", s.queue)
	say("redrafted", s.redrafted)
	if s.writing != nil {
		say("writing", *s.writing)
	}
	for _, d := range s.documents {
		say("document", fmt.Sprintf("%s %d %s", d.role, d.version, d.digest))
		for _, tally := range d.tallies {
			say("tally", fmt.Sprintf("%s %d of %d", tally.Requirement.Name, tally.Signed, tally.Requirement.Threshold))
		}
	}
	if s.bundle != nil {
		file, err := s.bundle.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		say("bundle", sha256Hex(file))
	}
	return out.String()
}
