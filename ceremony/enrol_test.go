package ceremony

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"conclave/ceremony/tuf"
	"conclave/hsm"
)

// enrolling is a genesis at enrolment.
func enrolling(t *testing.T) (*world, *Session) {
	t.Helper()
	w := newWorld(t, threePeople...)
	return w, w.until(w.begin(w.planGenesis(), nil), StepEnrolment)
}

func (w *world) enrolOne(s *Session, holder, token string, erase uint32) error {
	v, err := w.look(s, token)
	if err != nil {
		w.t.Fatal(err)
	}
	return s.Enrol(context.Background(), v, Enrolling{Holder: holder, PIN: testPIN(w.t, w.owned[token].pin), NewPIN: testPIN(w.t, freshPIN), Erase: erase})
}

func TestEnrolmentThatFailsCanBeTriedAgain(t *testing.T) {
	tests := []struct {
		name   string
		break_ func(*softToken)
		want   error
		keys   int // that the token makes in all
	}{
		{"token pulled before", func(k *softToken) { k.failOpen = hsm.ErrRemoved }, hsm.ErrRemoved, 1},
		{"token pulled after it has made its key", func(k *softToken) { k.failAfter = hsm.ErrRemoved }, hsm.ErrRemoved, 1},
		{"touch not in time for the proof", func(k *softToken) { k.failSign = hsm.ErrTouchTimeout }, hsm.ErrTouchTimeout, 1},
		{"token pulled before the proof", func(k *softToken) { k.failSign = hsm.ErrRemoved }, hsm.ErrRemoved, 1},
		{"another program holds it", func(k *softToken) { k.failOpen = hsm.ErrBusy }, hsm.ErrBusy, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, s := enrolling(t)
			v, err := w.look(s, "Alice")
			if err != nil {
				t.Fatal(err)
			}
			alice := w.owned["Alice"]
			tt.break_(alice)
			if err := s.Enrol(context.Background(), v, Enrolling{Holder: "Alice", PIN: testPIN(t, "123456"), NewPIN: testPIN(t, freshPIN)}); !errors.Is(err, tt.want) {
				t.Fatalf("error is %v, want %v", err, tt.want)
			}
			if err := w.enrolOne(s, "Alice", "Alice", 0); err != nil {
				t.Fatalf("the next try: %v (%s)", err, hintOf(err))
			}
			if alice.generated != tt.keys {
				t.Errorf("the token made %d keys, want %d", alice.generated, tt.keys)
			}
			if err := w.hold(s); err != nil {
				t.Error(err)
			}
		})
	}
}

// Alice brings a token that was used before and does not remember its PIN. Two tries are hers; the third
// would block it, and is never sent.
func TestWrongPINAtEnrolment(t *testing.T) {
	w, s := enrolling(t)
	v, err := w.look(s, "Alice")
	if err != nil {
		t.Fatal(err)
	}
	enrol := func() error {
		return s.Enrol(context.Background(), v, Enrolling{Holder: "Alice", PIN: testPIN(t, "999999"), NewPIN: testPIN(t, freshPIN)})
	}
	var refused *hsm.PINError
	if err := enrol(); !errors.As(err, &refused) || !strings.Contains(hintOf(err), "A new YubiKey has the PIN 123456") {
		t.Errorf("first try: %v (%s)", err, hintOf(err))
	}
	if fails := w.events(EnrolFailed{}.Kind()); len(fails) != 1 || fails[0].(EnrolFailed).Retries != 2 {
		t.Errorf("on record: %+v", fails)
	}
	if err := enrol(); !errors.As(err, &refused) || !strings.Contains(hintOf(err), "may have set the new PIN already") {
		t.Errorf("second try: %v (%s)", err, hintOf(err))
	}
	if err := enrol(); ruleOf(err) != "last try" {
		t.Errorf("third try: %v, want the rule about the last try", err)
	}
	if got := w.owned["Alice"].info.Retries; got != 1 {
		t.Errorf("%d tries left, want 1", got)
	}
}

// The key is made and the PIN is new, but the person types the old one: it
// costs one try, and no second key is made.
func TestWrongPINForTheProofAfterACutOffEnrolment(t *testing.T) {
	w, s := enrolling(t)
	alice := w.owned["Alice"]
	alice.failSign = hsm.ErrTouchTimeout
	if err := w.enrolOne(s, "Alice", "Alice", 0); !errors.Is(err, hsm.ErrTouchTimeout) || !strings.Contains(hintOf(err), "no second one is made") {
		t.Fatalf("%v (%s)", err, hintOf(err))
	}
	v, err := w.look(s, "Alice")
	if err != nil {
		t.Fatal(err)
	}
	var refused *hsm.PINError
	err = s.Enrol(context.Background(), v, Enrolling{Holder: "Alice", PIN: testPIN(t, freshPIN), NewPIN: testPIN(t, "314159")})
	if !errors.As(err, &refused) || !strings.Contains(hintOf(err), "type as the new PIN the one") {
		t.Errorf("%v (%s)", err, hintOf(err))
	}
	if err := w.enrolOne(s, "Alice", "Alice", 0); err != nil || alice.generated != 1 {
		t.Errorf("%d keys: %v", alice.generated, err)
	}
}

func TestOccupiedTokenIsErasedOnlyByItsSerial(t *testing.T) {
	w, s := enrolling(t)
	alice := w.owned["Alice"]
	if _, err := alice.Enrol(context.Background(), hsm.Enrolment{Holder: "somebody", CurrentPIN: testPIN(t, "123456")}); err != nil {
		t.Fatal(err)
	}
	for _, erase := range []uint32{0, 1001} {
		err := w.enrolOne(s, "Alice", "Alice", erase)
		if !errors.Is(err, hsm.ErrOccupied) || !strings.Contains(hintOf(err), "type the serial 1000") {
			t.Errorf("erase %d: %v (%s)", erase, err, hintOf(err))
		}
	}
	if n := len(w.events(EnrolBegun{}.Kind())); n != 0 {
		t.Errorf("%d enrolments were begun", n)
	}
	if err := w.enrolOne(s, "Alice", "Alice", 1000); err != nil {
		t.Error(err)
	}
}

// Alice gives up the old key of her token, and the light goes out before the token has made a new one. What was to be
// destroyed is not taken for the new key, though the token made it and it bears her name.
func TestTheKeyThatWasGivenUpIsNotTaken(t *testing.T) {
	w, s := enrolling(t)
	alice := w.owned["Alice"]
	if _, err := alice.Enrol(context.Background(), hsm.Enrolment{Holder: "Alice", CurrentPIN: testPIN(t, "123456")}); err != nil {
		t.Fatal(err)
	}
	old := alice.key
	alice.failEnrol = hsm.ErrRemoved
	if err := w.enrolOne(s, "Alice", "Alice", 1000); !errors.Is(err, hsm.ErrRemoved) {
		t.Fatal(err)
	}
	v, err := s.Look(context.Background(), alice.info.Reader)
	if err != nil || v.Left != "" || !v.Stray {
		t.Errorf("left for %q, stray %v, %v", v.Left, v.Stray, err)
	}
	if err := w.enrolOne(s, "Alice", "Alice", 0); !errors.Is(err, hsm.ErrOccupied) {
		t.Errorf("error is %v, want that the slot is occupied", err)
	}
	if err := w.enrolOne(s, "Alice", "Alice", 1000); err != nil || alice.key.Equal(old) {
		t.Errorf("%v; the old key is there: %v", err, alice.key.Equal(old))
	}
}

// The key on a token that was asked for one may be taken without a new one
// being made. It must not be a way to slip in a key from elsewhere.
func TestOnlyTheKeyOfACutOffEnrolmentIsTaken(t *testing.T) {
	tests := []struct {
		name   string
		change func(*world, *softToken)
	}{
		{"labelled for somebody else", func(_ *world, k *softToken) { k.holder = "Eve" }},
		{"without a label", func(_ *world, k *softToken) { k.holder = "" }},
		{"imported", func(_ *world, k *softToken) { k.imported = true }},
		{"somebody else's key", func(w *world, k *softToken) { k.key = w.owned["Bob"].key }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, s := enrolling(t)
			if err := w.enrolOne(s, "Bob", "Bob", 0); err != nil {
				t.Fatal(err)
			}
			alice := w.owned["Alice"]
			alice.failAfter = hsm.ErrRemoved
			if err := w.enrolOne(s, "Alice", "Alice", 0); !errors.Is(err, hsm.ErrRemoved) {
				t.Fatal(err)
			}
			tt.change(w, alice)
			if err := w.enrolOne(s, "Alice", "Alice", 0); !errors.Is(err, hsm.ErrOccupied) && ruleOf(err) != "key" {
				t.Errorf("error is %v, want that the slot is occupied", err)
			}
		})
	}
}

func TestEnrolmentRules(t *testing.T) {
	w, s := enrolling(t)
	if err := w.enrolOne(s, "Alice", "Alice", 0); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, holder, token, rule string }{
		{"a second time", "Alice", "Carol", "enrolment"},
		{"on somebody else's token", "Bob", "Alice", "serial"},
		{"by somebody who is not planned", "Mallory", "Carol", "holder"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := w.enrolOne(s, tt.holder, tt.token, 1000); ruleOf(err) != tt.rule {
				t.Errorf("error is %v, want the rule about the %s", err, tt.rule)
			}
		})
	}
	if err := s.Freeze(); ruleOf(err) != "order" {
		t.Errorf("freeze with people missing: %v", err)
	}
}

// Two people, one key: whoever has it would count twice.
func TestKeyThatIsEnrolledAlreadyOrOnlineIsRefused(t *testing.T) {
	w, s := enrolling(t)
	if err := w.enrolOne(s, "Alice", "Alice", 0); err != nil {
		t.Fatal(err)
	}
	state := s.State()
	state, err := state.Apply(EnrolBegun{Holder: "Bob", Serial: 1001})
	if err != nil {
		t.Fatal(err)
	}
	bob := newSoftToken(1001)
	if _, err := bob.Enrol(context.Background(), hsm.Enrolment{Holder: "Bob", CurrentPIN: testPIN(t, "123456")}); err != nil {
		t.Fatal(err)
	}
	good, err := newEnrolled("Bob", bob.info, bob.public(), hsm.Attestation{})
	if err != nil {
		t.Fatal(err)
	}
	proofBy := func(token *softToken, statement string) Possession {
		hashed := sha256.Sum256([]byte(statement))
		sig, err := token.key.Sign(rand.Reader, hashed[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		return Possession{Statement: []byte(statement), Sig: sig}
	}
	const fresh = possessionMark + "0123456789abcdef0123456789abcdef"
	good.Proof = proofBy(bob, fresh+state.Title())
	alices, err := newEnrolled("Bob", bob.info, w.owned["Alice"].public(), hsm.Attestation{})
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := w.owned["Alice"].Attest(context.Background(), hsm.SlotSignature)
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(*Enrolled)) Enrolled {
		e := good
		f(&e)
		return e
	}
	tests := []struct {
		name string
		e    Enrolled
		rule string
	}{
		{"the key of another holder", alices, "key"},
		{"no key", change(func(e *Enrolled) { e.Key = "" }), "key"},
		{"evidence about another key", change(func(e *Enrolled) { e.Evidence.KeyID = alices.Evidence.KeyID }), "evidence"},
		{"attestation of another key", change(func(e *Enrolled) { e.Evidence.Leaf = foreign.Leaf }), "evidence"},
		{"attestation that is no certificate", change(func(e *Enrolled) { e.Evidence.Leaf = []byte("x") }), "evidence"},
		{"no touch", change(func(e *Enrolled) { e.Evidence.TouchPolicy = "never" }), "evidence"},
		{"PIN once", change(func(e *Enrolled) { e.Evidence.PINPolicy = "once" }), "evidence"},
		{"another slot", change(func(e *Enrolled) { e.Evidence.Slot = "9a" }), "evidence"},
		{"a token that was not asked", change(func(e *Enrolled) { e.Evidence.Serial = 1002 }), "order"},
		{"no proof that the token has the key", change(func(e *Enrolled) { e.Proof = Possession{} }), "possession"},
		{"proof by another key", change(func(e *Enrolled) { e.Proof = proofBy(w.owned["Alice"], fresh+state.Title()) }), "possession"},
		{"proof for another ceremony", change(func(e *Enrolled) { e.Proof = proofBy(bob, fresh+"root 9") }), "possession"},
		{"proof that is too short to be random", change(func(e *Enrolled) { e.Proof = proofBy(bob, possessionMark+"x") }), "possession"},
		{"proof over something else", change(func(e *Enrolled) { e.Proof = proofBy(bob, `{"_type":"root"}`) }), "possession"},
		{"signature over another statement", change(func(e *Enrolled) { e.Proof.Statement = []byte(fresh[:len(fresh)-1] + "x" + state.Title()) }), "possession"},
		{"another holder than was begun", change(func(e *Enrolled) { e.Holder = "Carol" }), "order"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := state.Apply(tt.e); ruleOf(err) != tt.rule {
				t.Errorf("error is %v (rule %q), want the rule about the %s", err, ruleOf(err), tt.rule)
			}
		})
	}
	if _, err := state.Apply(good); err != nil {
		t.Errorf("the good one: %v", err)
	}
	bundle := *state.bundle
	plan := *bundle.Plan
	key, err := tuf.ParsePublicKey([]byte(good.Key))
	if err != nil {
		t.Fatal(err)
	}
	plan.Snapshot = []tuf.Key{key}
	bundle.Plan = &plan
	state.bundle = &bundle
	if _, err := state.Apply(good); ruleOf(err) != "key" {
		t.Errorf("a key that is an online key: %v", err)
	}
}

func TestDroppedHolderLeavesTheDraft(t *testing.T) {
	w, s := enrolling(t)
	if err := s.Drop("Carol", "", []string{"Olga", "Pat"}); ruleOf(err) != "exception" {
		t.Errorf("without a reason: %v", err)
	}
	if err := s.Drop("Carol", "the token is broken", nil); ruleOf(err) != "exception" {
		t.Errorf("by nobody: %v", err)
	}
	for _, name := range []string{"Alice", "Bob"} {
		if err := w.enrolOne(s, name, name, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Drop("Carol", "the token is broken", []string{"Olga", "Pat"}); err != nil {
		t.Fatal(err)
	}
	if err := w.hold(s); err != nil {
		t.Fatal(err)
	}
	if n := len(s.State().Bundle().Document(tuf.Root).Holders()); n != 2 {
		t.Errorf("root 1 names %d holders, want 2", n)
	}
	if len(s.State().Exceptions()) == 0 {
		t.Error("it is no exception on record")
	}
}

func TestHolderWithoutWhomAThresholdCannotBeMetStays(t *testing.T) {
	_, s := enrolling(t)
	if err := s.Drop("Carol", "ill", []string{"Olga", "Pat"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Drop("Bob", "ill too", []string{"Olga", "Pat"}); ruleOf(err) != "threshold" {
		t.Errorf("error is %v, want the rule about the threshold", err)
	}
}
