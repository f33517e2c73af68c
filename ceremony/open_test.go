package ceremony

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/ceremony/policy"
	"conclave/ceremony/preflight"
	"conclave/ceremony/record"
	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// refused begins a ceremony that must not begin, and sees that nothing is left of it.
func (w *world) refused(b *transfer.Bundle, anchor *tuf.Document) error {
	w.t.Helper()
	s, err := Begin(w.cfg, b, anchor)
	if err == nil {
		_ = s.Close()
		w.t.Fatal("the ceremony began")
	}
	if hintOf(err) == "" {
		w.t.Errorf("%v has no hint", err)
	}
	if _, err := os.Stat(filepath.Join(w.cfg.Dir, RecordFile)); err == nil {
		w.t.Error("a record was begun")
	}
	return err
}

func TestBundleThatDoesNotFitTheAnchorDoesNotOpen(t *testing.T) {
	w := newWorld(t, threePeople...)
	first := w.done(w.planGenesis(), nil)
	root1 := first.Document(tuf.Root)
	w = w.next()
	renewal, err := PlanRoot(baseOf(first), "renewal", w.now.Add(365*day), w.now)
	if err != nil {
		t.Fatal(err)
	}
	other := newWorld(t, threePeople...)
	stranger := other.done(other.planGenesis(), nil).Document(tuf.Root)

	if err := w.refused(renewal, stranger); ruleOf(err) != "base" {
		t.Errorf("another repository's root 1 as the anchor: %v", err)
	}
	if err := w.refused(w.planGenesis(), root1); ruleOf(err) != "anchor" {
		t.Errorf("a genesis where a root is trusted already: %v", err)
	}

	// Somebody gives an old stick, so that a newer release is undone.
	w.cfg.Seen = map[string]int64{tuf.Targets: 9}
	if err := w.refused(renewal, root1); ruleOf(err) != "base" {
		t.Errorf("an older base than this machine has seen: %v", err)
	}
	w.cfg.Seen = nil
	renewal.Practice = true
	if _, err := Begin(w.cfg, renewal, root1); err == nil {
		t.Error("a rehearsal on a real root began")
	}
}

func TestClockBehindTheBundleIsRefused(t *testing.T) {
	w := newWorld(t, threePeople...)
	b := w.planGenesis()
	w.now = b.Created.Add(-time.Hour)
	var clock *ClockError
	if err := w.refused(b, nil); !errors.As(err, &clock) {
		t.Errorf("error is %v, want one about the clock", err)
	}
	w.now = b.Created
	s := w.until(w.begin(b, nil), StepEnrolment)
	_ = s.Close()
	w.now = b.Created
	if _, err := Resume(w.cfg); !errors.As(err, &clock) || clock.Floor.Before(b.Created) {
		t.Errorf("resume with a clock behind the record: %v", err)
	}
	w.now = b.Created.Add(day)
	s, err := Resume(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
}

func TestBeginOverwritesNoCeremony(t *testing.T) {
	w := newWorld(t, threePeople...)
	_ = w.begin(w.planGenesis(), nil).Close()
	var exists *record.ExistsError
	if _, err := Begin(w.cfg, w.planGenesis(), nil); !errors.As(err, &exists) {
		t.Errorf("error is %v, want that there is one", err)
	}
	empty := newWorld(t)
	if _, err := Resume(empty.cfg); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("resume of nothing: %v", err)
	}
}

func TestTwoProgramsCannotHoldOneCeremony(t *testing.T) {
	w := newWorld(t, threePeople...)
	w.begin(w.planGenesis(), nil)
	var locked *record.LockedError
	if _, err := Resume(w.cfg); !errors.As(err, &locked) {
		t.Errorf("error is %v, want that another program holds it", err)
	}
}

func TestRecordThatWasEditedIsNotResumed(t *testing.T) {
	w := newWorld(t, threePeople...)
	_ = w.until(w.begin(w.planGenesis(), nil), StepFreeze).Close()
	path := filepath.Join(w.cfg.Dir, RecordFile)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file = []byte(strings.Replace(string(file), `"holder":"Bob"`, `"holder":"Eve"`, 1))
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	var broken *record.BrokenError
	if _, err := Resume(w.cfg); !errors.As(err, &broken) {
		t.Errorf("error is %v, want a broken record", err)
	}
}

// A record whose chain is whole can still be a forgery, made by a program that keeps no rules.
func TestRecordThatBreaksARuleIsNotReplayed(t *testing.T) {
	w := newWorld(t, threePeople...)
	w.done(w.planGenesis(), nil)
	entries, _, err := record.Read(filepath.Join(w.cfg.Dir, RecordFile))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Replay(entries); err != nil {
		t.Fatal(err)
	}
	essential := []string{
		"opened", "checked", "preflight_passed", "roll_called", "enrol_begun", "enrolled", "frozen",
		"reviewed", "review_closed", "approved", "sign_begun", "signing_closed", "confirmed", "export_begun",
	}
	for _, kind := range essential {
		i := slices.IndexFunc(entries, func(e record.Entry) bool { return e.Event == kind })
		if i < 0 {
			t.Fatalf("no %q on the record", kind)
		}
		if _, err := Replay(slices.Delete(slices.Clone(entries), i, i+1)); err == nil {
			t.Errorf("replayed without %q", kind)
		}
	}
	forged := slices.Clone(entries)
	forged[len(forged)-1].Actor = "Eve"
	if _, err := Replay(forged); err == nil {
		t.Error("replayed with another actor")
	}
	backwards := slices.Clone(entries)
	backwards[len(backwards)-1].Time = day0.Add(-day)
	if _, err := Replay(backwards); err == nil {
		t.Error("replayed with a last entry from the day before")
	}
}

func TestPreflight(t *testing.T) {
	w := newWorld(t, threePeople...)
	s := w.begin(w.planGenesis(), nil)
	if err := s.PassPreflight([]string{"Olga", "Pat"}); ruleOf(err) != "preflight" {
		t.Errorf("without any check: %v", err)
	}
	s.cfg.Inspect = func(context.Context) []preflight.Check {
		return []preflight.Check{{Name: "network", Status: preflight.Stop, Text: "eth0 is up"}, {Name: "swap", Status: preflight.Note}}
	}
	checks, err := s.Preflight(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range checks {
		names = append(names, c.Name)
	}
	if got := strings.Join(names, " "); got != "network swap clock medium tokens bundle policy" {
		t.Errorf("checked %s", got)
	}
	if open := s.State().Open(); len(open) != 1 || open[0] != "network" {
		t.Errorf("open: %v", open)
	}
	if err := s.PassPreflight([]string{"Olga", "Pat"}); ruleOf(err) != "preflight" {
		t.Errorf("with an open check: %v", err)
	}
	for _, bad := range []struct{ reason, by string }{{"", "Olga"}, {"because", ""}, {" ", "Olga"}, {"because", "Ol\x1bga"}, {"because", "PAT"}, {"because", "Olga, Ann"}} {
		if err := s.Except("network", bad.reason, []string{bad.by, "Pat"}); ruleOf(err) != "exception" {
			t.Errorf("exception %q by %q: %v", bad.reason, bad.by, err)
		}
	}
	if err := s.Except("network", "one decides alone", []string{"Olga"}); ruleOf(err) != "exception" {
		t.Errorf("by one person: %v", err)
	}
	if err := s.Except("network", "it is a test", []string{"Olga", "Pat"}); err != nil {
		t.Fatal(err)
	}
	for _, by := range [][]string{nil, {"Olga"}, {"Olga", "olga "}, {"Olga", "OLGA"}, {"Olga, Pat"}, {"Olga, Pat", "Ann"}, {"Olga and Pat", "Ann"}} {
		if err := s.PassPreflight(by); ruleOf(err) != "clock" {
			t.Errorf("clock read by %q: %v", by, err)
		}
	}
	if err := s.PassPreflight([]string{"Olga", "Pat"}); err != nil {
		t.Error(err)
	}
}

func TestPolicyWantsADecisionOnDangerousThresholds(t *testing.T) {
	tests := []struct {
		name          string
		root, targets int
		stop          bool
	}{
		{"2 of 3 and 2 of 3", 2, 2, false},
		{"targets need all", 2, 3, false},
		{"root needs 1", 1, 2, true},
		{"targets need 1", 2, 1, true},
		{"root needs all", 3, 2, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, threePeople...)
			g := w.genesis()
			g.RootThreshold, g.TargetsThreshold = tt.root, tt.targets
			b, err := PlanGenesis(g, w.now)
			if err != nil {
				t.Fatal(err)
			}
			s := w.begin(b, nil)
			if _, err := s.Preflight(context.Background()); err != nil {
				t.Fatal(err)
			}
			if got := slices.Contains(s.State().Open(), CheckPolicy); got != tt.stop {
				t.Errorf("policy stops: %v, want %v", got, tt.stop)
			}
		})
	}
}

func TestWithoutAnAnchorPeopleDecide(t *testing.T) {
	w := newWorld(t, threePeople...)
	first := w.done(w.planGenesis(), nil)
	w = w.next()
	renewal, err := PlanRoot(baseOf(first), "", w.now.Add(365*day), w.now)
	if err != nil {
		t.Fatal(err)
	}
	s := w.begin(renewal, nil)
	if _, err := s.Preflight(context.Background()); err != nil {
		t.Fatal(err)
	}
	if open := s.State().Open(); !slices.Contains(open, CheckAnchor) {
		t.Errorf("open: %v", open)
	}
	if err := w.hold(s); err != nil {
		t.Error(err)
	}
}

func TestRehearsalNeedsOneReaderOfTheClockAndIsMarked(t *testing.T) {
	w := newWorld(t, threePeople...)
	g := w.genesis()
	g.Practice = true
	b, err := PlanGenesis(g, w.now)
	if err != nil {
		t.Fatal(err)
	}
	s := w.begin(b, nil)
	if _, err := s.Preflight(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := s.PassPreflight([]string{"Olga"}); err != nil {
		t.Fatal(err)
	}
	if err := w.hold(s); err != nil {
		t.Fatal(err)
	}
	for _, d := range s.State().Bundle().Documents {
		if !d.Metadata.Practice() {
			t.Errorf("%s is not marked as practice", d.Role)
		}
	}
}

func TestExpiredDocumentsStopTheCeremony(t *testing.T) {
	w := newWorld(t, threePeople...)
	b := w.planGenesis()
	w.now = w.now.Add(100 * day) // targets were to last 90
	s := w.begin(b, nil)
	if _, err := s.Preflight(context.Background()); err != nil {
		t.Fatal(err)
	}
	if open := s.State().Open(); !slices.Contains(open, CheckClock) {
		t.Fatalf("open: %v", open)
	}
	if err := w.hold(s); ruleOf(err) != "expiry" {
		t.Errorf("confirm: %v, want the rule about expiry", err)
	}
}

func TestVeryLargeBundleStandsBesideTheRecord(t *testing.T) {
	w := newWorld(t, threePeople...)
	w.cfg.maxInline = 100
	s := w.until(w.begin(w.planGenesis(), nil), StepSign)
	_ = s.Close()
	if _, err := os.Stat(filepath.Join(w.cfg.Dir, BundleFile)); err != nil {
		t.Fatal(err)
	}
	entries, _, err := record.Read(filepath.Join(w.cfg.Dir, RecordFile))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries[0].Data) > 300+2*len(policy.Default().Bytes()) {
		t.Errorf("the first entry has %d bytes", len(entries[0].Data))
	}
	if _, err := Replay(entries); err == nil {
		t.Error("replayed without the bundle")
	}
	if s, err = Resume(w.cfg); err != nil {
		t.Fatal(err)
	}
	if err := w.hold(s); err != nil {
		t.Error(err)
	}
	_ = s.Close()
	if err := os.WriteFile(filepath.Join(w.cfg.Dir, BundleFile), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Resume(w.cfg); err == nil {
		t.Error("resumed with another bundle beside the record")
	}
}

func TestRecordThatCannotBeWrittenStopsTheSession(t *testing.T) {
	w := newWorld(t, threePeople...)
	n := 0
	w.cfg.wrap = func(j journal) journal { return &plug{journal: j, at: 3, n: &n} }
	s := w.begin(w.planGenesis(), nil)
	if _, err := s.Preflight(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := s.PassPreflight([]string{"Olga", "Pat"}); !errors.Is(err, errKilled) {
		t.Fatalf("error is %v", err)
	}
	if s.State().Step() != StepPreflight {
		t.Error("the state went on without the record")
	}
	if err := s.PassPreflight([]string{"Olga", "Pat"}); !errors.Is(err, errKilled) {
		t.Errorf("the session goes on: %v", err)
	}
	if n != 3 {
		t.Errorf("the record was written to %d times, want 3", n)
	}
}

func TestRollCall(t *testing.T) {
	w := newWorld(t, threePeople...)
	s := w.until(w.begin(w.planGenesis(), nil), StepRollCall)
	if err := s.CloseRollCall(); ruleOf(err) != "roll call" {
		t.Errorf("with nobody asked: %v", err)
	}
	if err := s.Arrive("Mallory", 0); ruleOf(err) != "holder" {
		t.Errorf("a stranger: %v", err)
	}
	if err := s.Arrive("alice", 1000); err != nil {
		t.Fatal(err)
	}
	if err := s.Arrive("Bob", 1000); ruleOf(err) != "serial" {
		t.Errorf("with Alice's token: %v", err)
	}
	if err := errors.Join(s.Arrive("Alice", 0), s.Arrive("Bob", 1000)); err != nil {
		t.Errorf("after the mistake was mended: %v", err)
	}
	if err := errors.Join(s.Miss("Bob"), s.Arrive("Carol", 0), s.CloseRollCall()); err != nil {
		t.Fatal(err)
	}
	p := s.State().Participants()
	if p[0].Presence != Here || p[1].Presence != Away || p[2].Presence != Here {
		t.Errorf("participants: %+v", p)
	}
}

func TestReviewEndsWhenEverybodyHereHasRead(t *testing.T) {
	w := newWorld(t, threePeople...)
	s := w.until(w.begin(w.planGenesis(), nil), StepReview)
	if err := s.Review("Alice"); err != nil {
		t.Fatal(err)
	}
	if err := s.CloseReview(); ruleOf(err) != "review" {
		t.Errorf("with people who have not read: %v", err)
	}
	if err := errors.Join(s.Miss("Bob"), s.Miss("Carol"), s.CloseReview()); err != nil {
		t.Error(err)
	}
	diffs, err := s.State().Diffs(w.now)
	if err != nil || len(diffs) != 2 {
		t.Errorf("%d diffs, %v", len(diffs), err)
	}
}

func TestSignaturesThatCameWithTheBundleAreKeptOrNamed(t *testing.T) {
	w, s := signing(t, fivePeople...)
	v := w.visitor(s, "Alice")
	for _, act := range v.Acts {
		if err := s.Sign(context.Background(), v, act, testPIN(t, freshPIN), 0); err != nil {
			t.Fatal(err)
		}
	}
	w.away = nil
	if err := s.CloseSigning(); err != nil {
		t.Fatal(err)
	}
	w.until(s, StepExport)
	e, err := s.Export()
	if err != nil {
		t.Fatal(err)
	}
	b, err := transfer.Parse(w.medium.files[e.Name])
	if err != nil {
		t.Fatal(err)
	}

	// On the way to the next site somebody puts a signature of another document in.
	root := b.Document(tuf.Root)
	targets := b.Document(tuf.Targets)
	raw := strings.Replace(string(root.Bytes()), hexSig(root), hexSig(targets), 1)
	forged, err := tuf.Parse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	next := w.next()
	site := next.until(next.begin(b.With(tuf.Root, forged), nil), StepReview)
	frozen := next.events(Frozen{}.Kind())[0].(Frozen)
	if len(frozen.Documents[0].Dropped) != 1 || frozen.Documents[0].Dropped[0] != w.keyID(s, "Alice") {
		t.Errorf("frozen: %+v", frozen.Documents[0])
	}
	want := fmt.Sprintf("A signature on root 1 by Alice's key %s was dropped: it does not verify, or that key has no say.", w.keyID(s, "Alice")[:8])
	if got := site.State().Dropped(); len(got) != 1 || got[0] != want {
		t.Errorf("dropped %q, want %q", got, want)
	}
	if n := len(site.State().Bundle().Document(tuf.Root).Signatures()); n != 0 {
		t.Errorf("root has %d signatures, want the forged one dropped", n)
	}
	if at := site.State().SignedAt(w.keyID(s, "Alice"), tuf.Targets); at.IsZero() {
		t.Error("the good signature on targets is not known")
	}
	if err := next.hold(site); err != nil {
		t.Error(err)
	}
}

func hexSig(d *tuf.Document) string {
	raw := string(d.Bytes())
	i := strings.Index(raw, `"sig": "`) + len(`"sig": "`)
	return raw[i : i+strings.Index(raw[i:], `"`)]
}

func TestZeroStateAnswersAndRefuses(t *testing.T) {
	var s State
	if s.Step() != "" || s.Bundle() != nil || s.Title() != "" || s.Complete() || s.Practice() || len(s.Still()) > 0 ||
		len(s.Participants()) > 0 || len(s.Tallies()) > 0 || len(s.Open()) > 0 || s.FileName() == "" {
		t.Error("a ceremony that was not opened has something to say")
	}
	if _, _, err := s.Verdict(day0); err == nil {
		t.Error("it has a verdict")
	}
	for _, e := range samples() {
		if _, err := s.Apply(e); err == nil {
			t.Errorf("%s happened before the ceremony was open", e.Kind())
		}
	}
	if _, err := s.Apply(nil); err == nil {
		t.Error("nothing happened")
	}
	if _, err := s.Apply((*Closed)(nil)); err == nil {
		t.Error("nothing was closed")
	}
}
