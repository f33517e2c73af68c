package ceremony

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"conclave/ceremony/preflight"
	"conclave/ceremony/record"
	"conclave/ceremony/tuf"
	"conclave/hsm"
	"conclave/transfer"
)

// until plays a ceremony up to a step.
func (w *world) until(s *Session, step Step) *Session {
	w.t.Helper()
	for s.State().Step() != step {
		if err := w.turn(s); err != nil {
			w.t.Fatalf("on the way to %s: %v (%s)", step, err, hintOf(err))
		}
	}
	return s
}

// signing is a genesis that is ready for signatures.
func signing(t *testing.T, people ...string) (*world, *Session) {
	t.Helper()
	w := newWorld(t, people...)
	return w, w.until(w.begin(w.planGenesis(), nil), StepSign)
}

// visitor looks at a holder's token and approves everything.
func (w *world) visitor(s *Session, holder string) Visitor {
	w.t.Helper()
	v, err := w.look(s, holder)
	if err != nil {
		w.t.Fatal(err)
	}
	if v.Why != "" {
		w.t.Fatalf("%s may not sign: %s", holder, v.Why)
	}
	if err := w.approve(s, v); err != nil {
		w.t.Fatal(err)
	}
	return v
}

// events are what is on the record, of one kind.
func (w *world) events(kind string) []Event {
	w.t.Helper()
	entries, _, err := record.Read(filepath.Join(w.cfg.Dir, RecordFile))
	if err != nil {
		w.t.Fatal(err)
	}
	var events []Event
	for _, entry := range entries {
		if entry.Event != kind {
			continue
		}
		e, err := DecodeEvent(entry.Event, entry.Data)
		if err != nil {
			w.t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// Alice mistypes her PIN, or pulls her token out while it works, or never touches it. One try at most
// is gone, what was signed stays, and the ceremony goes on.
func TestTokenThatDoesNotSignLosesNothing(t *testing.T) {
	other := errors.New("transmission failed")
	tests := []struct {
		name    string
		pin     string
		break_  func(*softToken)
		want    error
		retries int
		safe    string // part of the hint
	}{
		{"PIN refused", "999999", func(*softToken) {}, nil, 2, "Is this really Alice's token 1000?"},
		{"PIN blocked by this very try", "999999", func(k *softToken) { k.info.Retries = 1 }, hsm.ErrBlocked, 0, "PUK"},
		{"token pulled", freshPIN, func(k *softToken) { k.failSign = hsm.ErrRemoved }, hsm.ErrRemoved, -1, "Put 1000 back in"},
		{"token not touched", freshPIN, func(k *softToken) { k.failSign = hsm.ErrTouchTimeout }, hsm.ErrTouchTimeout, -1, "while it blinks"},
		{"error after the token has signed", freshPIN, func(k *softToken) { k.failAfter = other }, other, -1, "is not signed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, s := signing(t, threePeople...)
			v := w.visitor(s, "Alice")
			tt.break_(w.owned["Alice"])
			err := s.Sign(context.Background(), v, v.Acts[0], testPIN(t, tt.pin), v.Info.Serial)
			if err == nil {
				t.Fatal("it signed")
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("error is %v, want %v", err, tt.want)
			}
			var refused *hsm.PINError
			if tt.retries > 0 && (!errors.As(err, &refused) || refused.Retries != tt.retries) {
				t.Errorf("error %v does not say that %d tries are left", err, tt.retries)
			}
			if hint := hintOf(err); !strings.Contains(hint, tt.safe) {
				t.Errorf("hint is %q, want %q in it", hint, tt.safe)
			}
			fails := w.events(SignFailed{}.Kind())
			if len(fails) != 1 || fails[0].(SignFailed).Retries != tt.retries {
				t.Errorf("on record: %+v, want one failure with %d tries", fails, tt.retries)
			}
			if n := signatures(s.State()); n != 0 {
				t.Errorf("the bundle has %d signatures", n)
			}
			w.owned["Alice"].info.Retries = 3
			if err := w.hold(s); err != nil {
				t.Errorf("the ceremony cannot go on: %v", err)
			}
		})
	}
}

func TestSignatureOfOneVisitIsNamedAsSafeWhenTheNextFails(t *testing.T) {
	w, s := signing(t, threePeople...)
	v := w.visitor(s, "Alice")
	if err := s.Sign(context.Background(), v, v.Acts[0], testPIN(t, freshPIN), 0); err != nil {
		t.Fatal(err)
	}
	w.owned["Alice"].failSign = hsm.ErrRemoved
	err := s.Sign(context.Background(), v, v.Acts[1], testPIN(t, freshPIN), 0)
	want := "Root 1 by Alice is safe on the record. Targets 1 by Alice is not signed. Put 1000 back in to go on, or another token to let Alice sign later."
	if got := hintOf(err); got != want {
		t.Errorf("hint is\n%s\nwant\n%s", got, want)
	}
}

// A key signs what it is told to. A token that gives a signature over something
// else, or by another key, must not get it into the bundle.
func TestSignatureOverSomethingElseIsRefused(t *testing.T) {
	w, s := signing(t, threePeople...)
	v := w.visitor(s, "Alice")
	alice := w.owned["Alice"]
	alice.onSign = func() { alice.key = w.owned["Bob"].key }
	err := s.Sign(context.Background(), v, v.Acts[0], testPIN(t, freshPIN), 0)
	if err == nil || signatures(s.State()) != 0 {
		t.Fatalf("a signature by another key was taken: %v", err)
	}
	if fails := w.events(SignFailed{}.Kind()); len(fails) != 1 {
		t.Errorf("%d failures on record, want 1", len(fails))
	}
}

// Somebody puts another token into the reader between the look and the PIN.
// The PIN would go to the wrong token and burn a try there.
func TestTokenSwappedInTheReaderNeverSeesThePIN(t *testing.T) {
	w, s := signing(t, threePeople...)
	v := w.visitor(s, "Alice")
	bob := w.owned["Bob"]
	w.tokens.all[v.Reader] = bob
	err := s.Sign(context.Background(), v, v.Acts[0], testPIN(t, freshPIN), 0)
	if ruleOf(err) != "token" {
		t.Errorf("error is %v, want the rule about the token", err)
	}
	if bob.info.Retries != 3 || bob.signed != 0 {
		t.Error("the other token was asked for something")
	}
}

// Alice mistyped her PIN twice and picks up the next token that looks like hers. The one try that is left
// is not spent before she has read the serial off its back.
func TestLastTryWantsTheSerial(t *testing.T) {
	w, s := signing(t, threePeople...)
	v := w.visitor(s, "Alice")
	w.owned["Alice"].info.Retries = 1
	for _, typed := range []uint32{0, 1001} {
		if err := s.Sign(context.Background(), v, v.Acts[0], testPIN(t, "999999"), typed); ruleOf(err) != "last try" {
			t.Fatalf("serial %d typed: error is %v, want the rule about the last try", typed, err)
		}
	}
	if got := w.owned["Alice"].info.Retries; got != 1 {
		t.Fatalf("%d tries left, want the one that was", got)
	}
	if err := s.Sign(context.Background(), v, v.Acts[0], testPIN(t, freshPIN), 1000); err != nil {
		t.Errorf("with the serial: %v", err)
	}
}

// Between the look and the PIN somebody blocks Alice's token elsewhere. Her PIN is not asked for, nor sent.
func TestBlockedTokenIsToldBeforeThePINIsAsked(t *testing.T) {
	w, s := signing(t, threePeople...)
	approved := w.visitor(s, "Alice")
	w.owned["Alice"].info.Retries = 0
	v, err := w.look(s, "Alice")
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Acts) != 0 || !strings.Contains(v.Why, "blocked") {
		t.Errorf("acts %v, why %q", v.Acts, v.Why)
	}
	if err := s.Sign(context.Background(), approved, approved.Acts[0], testPIN(t, freshPIN), 0); !errors.Is(err, hsm.ErrBlocked) {
		t.Errorf("error is %v, want ErrBlocked", err)
	}
	if fails := w.events(SignBegun{}.Kind()); len(fails) != 0 || w.owned["Alice"].signed != 0 {
		t.Error("the token was asked all the same")
	}
}

// Alice presses Enter before she has typed anything.
func TestShortPINIsNotSent(t *testing.T) {
	w, s := signing(t, threePeople...)
	v := w.visitor(s, "Alice")
	for _, pin := range []*hsm.PIN{nil, new(hsm.PIN)} {
		if err := s.Sign(context.Background(), v, v.Acts[0], pin, 0); ruleOf(err) != "pin" {
			t.Errorf("error is %v, want the rule about the PIN", err)
		}
	}
	if w.owned["Alice"].info.Retries != 3 {
		t.Error("a try was burnt")
	}
}

func TestNothingIsSignedBeforeTheRulesAllowIt(t *testing.T) {
	pin := func(t *testing.T) *hsm.PIN { return testPIN(t, freshPIN) }
	w, s := signing(t, threePeople...)
	v, err := w.look(s, "Alice")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Sign(context.Background(), v, v.Acts[0], pin(t), 0); ruleOf(err) != "approval" {
		t.Errorf("without words: %v, want the rule about approval", err)
	}
	if err := w.approve(s, v); err != nil {
		t.Fatal(err)
	}
	bobs := v
	bobs.Holder = "Bob"
	if err := s.Sign(context.Background(), bobs, v.Acts[0], pin(t), 0); ruleOf(err) != "approval" {
		t.Errorf("in another name: %v, want the rule about approval", err)
	}
	forged := v.Acts[0]
	forged.Digest[0] ^= 1
	if err := s.Sign(context.Background(), v, forged, pin(t), 0); ruleOf(err) != "digest" {
		t.Errorf("with another digest: %v, want the rule about the digest", err)
	}
	wrong := v.Acts[0]
	wrong.KeyID = w.keyID(s, "Bob")
	if err := s.Sign(context.Background(), v, wrong, pin(t), 0); ruleOf(err) != "key" {
		t.Errorf("with another key: %v, want the rule about the key", err)
	}
	if n := w.owned["Alice"].signed; n != 0 {
		t.Errorf("the token signed %d times", n)
	}
}

func (w *world) keyID(s *Session, holder string) string {
	for _, e := range s.State().Bundle().Tokens {
		if e.Holder == holder {
			return e.KeyID
		}
	}
	w.t.Fatalf("no token of %s", holder)
	return ""
}

func TestKeyCountsOnce(t *testing.T) {
	w, s := signing(t, threePeople...)
	v := w.visitor(s, "Alice")
	for _, act := range v.Acts {
		if err := s.Sign(context.Background(), v, act, testPIN(t, freshPIN), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Sign(context.Background(), v, v.Acts[0], testPIN(t, freshPIN), 0); ruleOf(err) != "signed" {
		t.Errorf("error is %v, want the rule that a key counts once", err)
	}
	after, err := w.look(s, "Alice")
	if err != nil {
		t.Fatal(err)
	}
	if len(after.Acts) != 0 || len(after.Done) != 2 || !strings.Contains(after.Why, "root 1, targets 1") {
		t.Errorf("acts %v, done %v, why %q", after.Acts, after.Done, after.Why)
	}
	if w.owned["Alice"].signed != 2 {
		t.Errorf("the token signed %d times, want 2", w.owned["Alice"].signed)
	}
}

func TestWhyATokenCannotSign(t *testing.T) {
	w, s := signing(t, threePeople...)
	stranger := newSoftToken(4711)
	w.tokens.insert(stranger)
	look := func() string {
		v, err := s.Look(context.Background(), stranger.info.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Acts) > 0 || v.Holder != "" {
			t.Errorf("a stranger is %q and may sign %v", v.Holder, v.Acts)
		}
		return v.Why
	}
	if why := look(); why != "Token 4711 is blank: its slot 9c holds no key." {
		t.Errorf("blank: %q", why)
	}
	if _, err := stranger.Enrol(context.Background(), hsm.Enrolment{Holder: "Alice", CurrentPIN: testPIN(t, "123456")}); err != nil {
		t.Fatal(err)
	}
	if why := look(); !strings.Contains(why, "unknown here") {
		t.Errorf("labelled as Alice's, with a key of nobody: %q", why)
	}
	stranger.info.Serial = 1000
	if why := look(); !strings.Contains(why, "listed as Alice's, but the key in it is another one") {
		t.Errorf("Alice's serial with another key: %q", why)
	}
	w.until(s, StepConfirm)
	v, err := w.look(s, "Alice")
	if err != nil {
		t.Fatal(err)
	}
	if v.Why != "Token 1000 is Alice's. Signing is closed." {
		t.Errorf("after signing: %q", v.Why)
	}
}

func TestOnePersonCountsOnceHoweverManyTokensTheyBring(t *testing.T) {
	st := newStage()
	b, err := transfer.Parse(st.renewal)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	for _, name := range []string{"Alice", "Bob", "Carol", "Dana", "bob 2"} {
		token := newSoftToken(serialOf(name))
		token.key, token.holder, token.pin = st.keys[name], name, freshPIN
		w.owned[name] = token
		w.tokens.insert(token)
	}
	s := w.until(w.begin(b, st.root1), StepSign)
	v := w.visitor(s, "Bob")
	if len(v.Acts) != 1 || len(v.Acts[0].Counts) != 2 {
		t.Fatalf("Bob's first key may sign %+v, want root 2 for both roots' keys", v.Acts)
	}
	if err := s.Sign(context.Background(), v, v.Acts[0], testPIN(t, freshPIN), 0); err != nil {
		t.Fatal(err)
	}
	second, err := w.look(s, "bob 2")
	if err != nil {
		t.Fatal(err)
	}
	if second.Holder != "Bob" || len(second.Acts) != 0 || !strings.Contains(second.Why, "is Bob's, and Bob counts for root 2's keys already, by token") {
		t.Errorf("Bob's second token: holder %q, acts %v, why %q", second.Holder, second.Acts, second.Why)
	}
	want := []string{
		"One more of Alice or Carol completes root 1's keys.",
		"One more of Alice or Dana completes root 2's keys.",
		"Alice alone completes both.",
	}
	if got := s.State().Still(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("still missing:\n%s", strings.Join(got, "\n"))
	}
	for _, p := range s.State().Participants() {
		if p.Leaving != (p.Name == "Carol") {
			t.Errorf("%s leaving: %v", p.Name, p.Leaving)
		}
	}
}

func TestMachineThatGetsWorseStopsTheNextSignature(t *testing.T) {
	w := newWorld(t, threePeople...)
	status := preflight.OK
	text := "none"
	w.cfg.Inspect = func(context.Context) []preflight.Check {
		return []preflight.Check{{Name: "network", Status: status, Text: text}}
	}
	s := w.until(w.begin(w.planGenesis(), nil), StepSign)
	v := w.visitor(s, "Alice")
	before := len(w.events(Checked{}.Kind()))
	text = "none, looked at again"
	if err := s.Sign(context.Background(), v, v.Acts[0], testPIN(t, freshPIN), 0); err != nil {
		t.Fatal(err)
	}
	if got := len(w.events(Checked{}.Kind())); got != before {
		t.Errorf("%d preflights on record, want %d: nothing changed", got, before)
	}
	status = preflight.Stop
	for range 2 {
		if err := s.Sign(context.Background(), v, v.Acts[1], testPIN(t, freshPIN), 0); ruleOf(err) != "preflight" {
			t.Fatalf("error is %v, want the rule about the preflight", err)
		}
	}
	if got := len(w.events(Checked{}.Kind())); got != before+1 {
		t.Errorf("%d preflights on record, want one more than %d", got, before)
	}
	if w.owned["Alice"].signed != 1 {
		t.Error("the token signed with the network up")
	}
	if err := s.Except("network", "the cable cannot be pulled", []string{"Olga", "Pat"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Sign(context.Background(), v, v.Acts[1], testPIN(t, freshPIN), 0); err != nil {
		t.Errorf("with the exception: %v", err)
	}
}

// A clock that jumps back while a token signs must not cost the signature.
func TestClockThatJumpsBackLosesNoSignature(t *testing.T) {
	w, s := signing(t, threePeople...)
	v := w.visitor(s, "Alice")
	w.owned["Alice"].onSign = func() { w.now = w.now.Add(-time1h) }
	if err := s.Sign(context.Background(), v, v.Acts[0], testPIN(t, freshPIN), 0); err != nil {
		t.Fatalf("the signature was lost: %v", err)
	}
	var clock *ClockError
	err := s.Sign(context.Background(), v, v.Acts[1], testPIN(t, freshPIN), 0)
	if !errors.As(err, &clock) || !strings.Contains(hintOf(err), "date -u -s") {
		t.Errorf("error is %v (%s), want one about the clock", err, hintOf(err))
	}
}

const time1h = day / 24

// A PIN must reach the token and nothing else: no event, no error, no file.
func TestNoPINOnTheRecordOrInAnError(t *testing.T) {
	const wrong = "86753090"
	w, s := signing(t, threePeople...)
	v := w.visitor(s, "Alice")
	err := s.Sign(context.Background(), v, v.Acts[0], testPIN(t, wrong), 0)
	if err == nil || strings.Contains(err.Error()+hintOf(err), wrong) {
		t.Errorf("error is %v (%s)", err, hintOf(err))
	}
	if err := w.hold(s); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(w.cfg.Dir, RecordFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, pin := range []string{wrong, freshPIN, "123456"} {
		if strings.Contains(string(file), `"`+pin) || strings.Contains(string(file), pin+`"`) {
			t.Errorf("the record holds the PIN %s", pin)
		}
	}
}

func TestStateAnswersWhileATokenWaitsForATouch(t *testing.T) {
	w, s := signing(t, threePeople...)
	v := w.visitor(s, "Alice")
	w.owned["Alice"].onSign = func() {
		if got := s.State().Step(); got != StepSign {
			t.Errorf("step is %q", got)
		}
		if _, err := s.Readers(context.Background()); err != nil {
			t.Error(err)
		}
	}
	if err := s.Sign(context.Background(), v, v.Acts[0], testPIN(t, freshPIN), 0); err != nil {
		t.Fatal(err)
	}
}

func TestMoreSignaturesThanNeededAreTakenAndMarked(t *testing.T) {
	w, s := signing(t, threePeople...)
	w.all = true
	for _, name := range threePeople {
		v := w.visitor(s, name)
		for _, act := range v.Acts {
			if want := name != "Carol"; act.Needed != want {
				t.Errorf("%s on %s: needed is %v, want %v", name, act, act.Needed, want)
			}
		}
		if err := w.visit(s, v, w.owned[v.Holder].pin); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.hold(s); err != nil {
		t.Fatal(err)
	}
	if n := signatures(s.State()); n != 6 {
		t.Errorf("%d signatures, want 6", n)
	}
	if s.State().SignedAt(w.keyID(s, "Carol"), tuf.Root).IsZero() {
		t.Error("Carol's signature has no time")
	}
}
