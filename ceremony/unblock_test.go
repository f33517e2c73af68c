package ceremony

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"conclave/hsm"
	"conclave/hsm/virtual"
)

const freshPUK = "31415926"

// atSign is a room of production tokens at sign, each with its own PIN and PUK.
func atSign(t *testing.T) (*world, *Session, map[string]*virtual.Card) {
	t.Helper()
	w, cards := virtualWorld(t, threePeople...)
	s := w.until(w.begin(w.planGenesis(), nil), StepEnrolment)
	for _, name := range threePeople {
		v := w.visitorAt(s, name)
		e := Enrolling{Holder: name, PIN: testPIN(t, virtual.FactoryPIN), NewPIN: testPIN(t, freshPIN), NewPUK: testPIN(t, freshPUK)}
		if !v.Guard.PUK.Factory {
			e.PUK = testPIN(t, virtual.FactoryPUK)
		}
		if err := s.Enrol(context.Background(), v, e); err != nil {
			t.Fatal(err)
		}
		w.owned[name].pin = freshPIN
		if !cards[name].HasPIN(freshPIN) || !cards[name].HasPUK(freshPUK) {
			t.Errorf("%s's token has not both, its new PIN and its new PUK", name)
		}
	}
	return w, w.until(s, StepSign), cards
}

// visitorAt looks at somebody's token, whatever it may do.
func (w *world) visitorAt(s *Session, name string) Visitor {
	w.t.Helper()
	v, err := w.look(s, name)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// block spends every try of the PIN at sign, as its holder does who has mixed up two tokens.
func (w *world) block(s *Session, name string) {
	w.t.Helper()
	v := w.visitor(s, name)
	if err := w.approve(s, v); err != nil {
		w.t.Fatal(err)
	}
	for range 3 {
		err := s.Sign(context.Background(), v, v.Acts[0], testPIN(w.t, "999999"), v.Info.Serial)
		if err == nil {
			w.t.Fatal("a wrong PIN signed")
		}
	}
}

// Alice's token is blocked by her third wrong PIN, and she has its PUK with her.
func TestBlockedTokenIsUnblockedInsideTheCeremony(t *testing.T) {
	w, s, _ := atSign(t)
	w.block(s, "Alice")
	v := w.visitorAt(s, "Alice")
	if v.Info.Retries != 0 || len(v.Acts) != 0 {
		t.Fatalf("%d tries, acts %v", v.Info.Retries, v.Acts)
	}
	puk, fresh := testPIN(t, freshPUK), testPIN(t, "161803")
	if err := s.Unblock(context.Background(), v, puk, fresh, 0); err != nil {
		t.Fatal(err)
	}
	w.owned["Alice"].pin = "161803"
	if err := w.hold(s); err != nil {
		t.Error(err)
	}
	for _, kind := range []string{UnblockBegun{}.Kind(), Unblocked{}.Kind()} {
		if n := len(w.events(kind)); n != 1 {
			t.Errorf("%d times %q on record", n, kind)
		}
	}
	raw, err := os.ReadFile(filepath.Join(w.cfg.Dir, RecordFile))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(raw); strings.Contains(text, freshPUK) || strings.Contains(text, "161803") {
		t.Error("the PUK or the PIN is on the record")
	}
}

// The PUK is typed wrongly until the token is lost. Each try is told before, the last
// one wants the serial, and what was signed stays.
func TestWrongPUKsAreCountedAndTheLastIsGuarded(t *testing.T) {
	w, s, cards := atSign(t)
	w.block(s, "Carol") // the personality that tells its tries
	wrong := func(serial uint32) error {
		v := w.visitorAt(s, "Carol")
		return s.Unblock(context.Background(), v, testPIN(t, "99999999"), testPIN(t, "161803"), serial)
	}
	for left := 2; left > 0; left-- {
		var refused *hsm.PUKError
		if err := wrong(0); !errors.As(err, &refused) || refused.Retries != left || !strings.Contains(hintOf(err), "its keys are safe") {
			t.Fatalf("%v (%s), want %d tries left", err, hintOf(err), left)
		}
	}
	if v := w.visitorAt(s, "Carol"); !v.Guard.Told || v.Guard.PUK.Left != 1 {
		t.Fatalf("the token says %+v", v.Guard)
	}
	if err := wrong(0); ruleOf(err) != "last try" {
		t.Errorf("the last try without the serial: %v", err)
	}
	if err := wrong(cards["Carol"].Serial()); !errors.Is(err, hsm.ErrPUKBlocked) || !strings.Contains(hintOf(err), "can be used no more") {
		t.Errorf("the last try: %v (%s)", err, hintOf(err))
	}
	if err := wrong(cards["Carol"].Serial()); !errors.Is(err, hsm.ErrPUKBlocked) {
		t.Errorf("after it: %v", err)
	}
	if fails := w.events(UnblockFailed{}.Kind()); len(fails) != 3 || fails[2].(UnblockFailed).Retries != 0 {
		t.Errorf("on record: %+v", fails)
	}
	if err := w.hold(s); err != nil {
		t.Errorf("the others cannot finish: %v", err)
	}
}

// Alice asks for the PUK although her PIN works; later, with the PIN blocked, she wants a new one that
// everybody would guess. No try of the PUK is spent on either.
func TestNoPUKIsSentWithoutNeed(t *testing.T) {
	w, s, _ := atSign(t)
	v := w.visitorAt(s, "Carol") // the personality that tells its tries
	if err := s.Unblock(context.Background(), v, testPIN(t, "99999999"), testPIN(t, "161803"), 0); ruleOf(err) != "pin" {
		t.Errorf("a PIN that is not blocked: %v", err)
	}
	w.block(s, "Carol")
	v = w.visitorAt(s, "Carol")
	var weak *hsm.WeakError
	if err := s.Unblock(context.Background(), v, testPIN(t, "99999999"), testPIN(t, "111111"), 0); !errors.As(err, &weak) {
		t.Errorf("a weak new PIN: %v", err)
	}
	if puk := w.visitorAt(s, "Carol").Guard.PUK; puk.Left != puk.Most {
		t.Errorf("%d of %d tries of the PUK are left", puk.Left, puk.Most)
	}
	if n := len(w.events(UnblockBegun{}.Kind())); n != 0 {
		t.Errorf("%d were begun", n)
	}
}

// The token has been used before: its PUK is not the factory's, and is never guessed.
func TestEnrolmentAsksForThePresentPUKWhereItIsNotTheFactorys(t *testing.T) {
	w, s, _ := atSign(t)
	_ = s.Close()
	w2 := w.next()
	s2 := w2.until(w2.begin(w2.planGenesis(), nil), StepEnrolment)
	v := w2.visitorAt(s2, "Alice")
	e := Enrolling{
		Holder: "Alice", PIN: testPIN(t, freshPIN), NewPIN: testPIN(t, "161803"), NewPUK: testPIN(t, "27182818"), Erase: v.Info.Serial,
	}
	if err := s2.Enrol(context.Background(), v, e); !errors.Is(err, hsm.ErrPUKNeeded) {
		t.Fatalf("without the present PUK: %v", err)
	}
	e.PUK, e.NewPUK = testPIN(t, freshPUK), testPIN(t, "11111111")
	var weak *hsm.WeakError
	if err := s2.Enrol(context.Background(), v, e); !errors.As(err, &weak) || weak.What != "PUK" {
		t.Errorf("a weak new PUK: %v", err)
	}
	if n := len(w2.events(EnrolBegun{}.Kind())); n != 0 {
		t.Errorf("%d enrolments were begun", n)
	}
	e.NewPUK = testPIN(t, "27182845")
	if err := s2.Enrol(context.Background(), v, e); err != nil {
		t.Error(err)
	}
}
