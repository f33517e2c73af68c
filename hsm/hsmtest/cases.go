package hsmtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"conclave/hsm"
)

func saysWhoItIs(t *testing.T, b *bench) {
	info := b.token.Info()
	if info.Serial != b.Serial || info.Reader != b.Reader || info.Firmware == "" || info.Retries < 1 {
		t.Fatalf("token %d in %q says %+v", b.Serial, b.Reader, info)
	}
	present, err := b.Tokens.Present(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, reader := range present {
		if reader == b.Reader {
			return
		}
	}
	t.Fatalf("%q is not among the present %q", b.Reader, present)
}

func emptyToken(t *testing.T, b *bench) {
	keys, err := b.token.Keys(t.Context())
	if err != nil || len(keys) != 0 {
		t.Fatalf("keys %v, error %v", keys, err)
	}
	before := b.counts()
	_, err = b.sign(t)
	mustBe(t, err, hsm.ErrNoKey)
	_, err = b.token.Attest(t.Context(), hsm.SlotSignature)
	mustBe(t, err, hsm.ErrNoKey)
	b.unchanged(t, before)
}

func enrolAndSign(t *testing.T, b *bench) {
	made := b.enrol(t)
	want := hsm.Key{
		Slot: hsm.SlotSignature, Public: made.Public, Algorithm: hsm.P256,
		PINPolicy: hsm.PolicyAlways, TouchPolicy: hsm.PolicyAlways, Generated: true, Holder: "Alice Ångström",
	}
	if made != want {
		t.Fatalf("made %+v", made)
	}
	b.reopen(t) // what follows comes from the token, not from memory
	keys, err := b.token.Keys(t.Context())
	if err != nil || len(keys) != 1 || !keys[0].Public.(*ecdsa.PublicKey).Equal(made.Public) {
		t.Fatalf("keys %+v, error %v", keys, err)
	}
	keys[0].Public = made.Public
	if keys[0] != want {
		t.Fatalf("listed %+v", keys[0])
	}
	for range 2 {
		signature, err := b.sign(t)
		if err != nil {
			t.Fatal(err)
		}
		mustVerify(t, made, digest[:], signature)
	}
}

func signP384(t *testing.T, b *bench) {
	e := b.enrolment(t)
	e.Algorithm = hsm.P384
	key, err := b.token.Enrol(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	d := sha512.Sum384([]byte("what is signed"))
	signature, err := b.token.Sign(t.Context(), PIN(t, b.PIN), hsm.SlotSignature, d[:])
	if err != nil {
		t.Fatal(err)
	}
	mustVerify(t, key, d[:], signature)
	if _, err := b.sign(t); err == nil {
		t.Fatal("a P-384 key signed a SHA-256 digest")
	}
}

func wrongDigest(t *testing.T, b *bench) {
	b.enrol(t)
	before := b.counts()
	for _, n := range []int{0, 20, 31, 33, 48, 64} {
		if _, err := b.token.Sign(t.Context(), PIN(t, b.PIN), hsm.SlotSignature, make([]byte, n)); err == nil {
			t.Fatalf("%d bytes were signed as a digest", n)
		}
	}
	b.unchanged(t, before)
}

func incompletePIN(t *testing.T, b *bench) {
	b.enrol(t)
	before := b.counts()
	short := new(hsm.PIN)
	short.Append('1')
	for _, pin := range []*hsm.PIN{nil, new(hsm.PIN), short} {
		if _, err := b.token.Sign(t.Context(), pin, hsm.SlotSignature, digest[:]); err == nil {
			t.Fatal("signed without a whole PIN")
		}
	}
	b.unchanged(t, before)
}

func occupied(t *testing.T, b *bench) {
	key := b.enrol(t)
	before := b.counts()
	for _, serial := range []uint32{0, b.Serial + 1} {
		e := b.enrolment(t)
		e.Erase = serial
		_, err := b.token.Enrol(t.Context(), e)
		mustBe(t, err, hsm.ErrOccupied)
	}
	b.unchanged(t, before)
	signature, err := b.sign(t)
	if err != nil {
		t.Fatal(err)
	}
	mustVerify(t, key, digest[:], signature)
}

func eraseBySerial(t *testing.T, b *bench) {
	old := b.enrol(t)
	e := b.enrolment(t)
	e.Erase, e.Holder = b.Serial, "Bob"
	key, err := b.token.Enrol(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if key.Public.(*ecdsa.PublicKey).Equal(old.Public) || key.Holder != "Bob" {
		t.Fatalf("after erasing, the slot holds %+v", key)
	}
	signature, err := b.sign(t)
	if err != nil {
		t.Fatal(err)
	}
	mustVerify(t, key, digest[:], signature)
}

func badEnrolments(t *testing.T, b *bench) {
	before := b.counts()
	for name, spoil := range map[string]func(e *hsm.Enrolment){
		"no holder":                      func(e *hsm.Enrolment) { e.Holder = "" },
		"holder too long":                func(e *hsm.Enrolment) { e.Holder = string(make([]rune, 65)) },
		"holder with an escape sequence": func(e *hsm.Enrolment) { e.Holder = "Al\x1b[2Jice" },
		"holder that turns the text":     func(e *hsm.Enrolment) { e.Holder = "Alice\u202e" },
		"holder in no UTF-8":             func(e *hsm.Enrolment) { e.Holder = "Alice\xff" },
		"unknown algorithm":              func(e *hsm.Enrolment) { e.Algorithm = "ed25519" },
		"slot of the attestation key":    func(e *hsm.Enrolment) { e.Slot = 0xf9 },
		"no PIN":                         func(e *hsm.Enrolment) { e.CurrentPIN = nil },
		"half a new PIN":                 func(e *hsm.Enrolment) { e.NewPIN = new(hsm.PIN) },
	} {
		e := b.enrolment(t)
		spoil(&e)
		if _, err := b.token.Enrol(t.Context(), e); err == nil {
			t.Errorf("%s: enrolled", name)
		}
	}
	b.unchanged(t, before)
}

func newPIN(t *testing.T, b *bench) {
	e := b.enrolment(t)
	e.NewPIN = PIN(t, "86420975")
	key, err := b.token.Enrol(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	var refused *hsm.PINError
	if _, err := b.sign(t); !errors.As(err, &refused) {
		t.Fatalf("the old PIN: %v", err)
	}
	signature, err := b.token.Sign(t.Context(), e.NewPIN, hsm.SlotSignature, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	mustVerify(t, key, digest[:], signature)
	b.reopen(t)
	again := b.enrolment(t) // a token that was enrolled once can be enrolled again
	again.CurrentPIN, again.Erase = e.NewPIN, b.Serial
	if _, err := b.token.Enrol(t.Context(), again); err != nil {
		t.Fatal(err)
	}
}

func attests(t *testing.T, b *bench) {
	key := b.enrol(t)
	a, err := b.token.Attest(t.Context(), hsm.SlotSignature)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(a.Leaf)
	if err != nil {
		t.Fatal(err)
	}
	device, err := x509.ParseCertificate(a.Device)
	if err != nil {
		t.Fatal(err)
	}
	if !leaf.PublicKey.(*ecdsa.PublicKey).Equal(key.Public) {
		t.Fatal("the attestation is of another key")
	}
	if err := leaf.CheckSignatureFrom(device); err != nil {
		t.Fatal(err)
	}
}

func endedContext(t *testing.T, b *bench) {
	b.enrol(t)
	before := b.counts()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.token.Sign(ctx, PIN(t, b.PIN), hsm.SlotSignature, digest[:])
	mustBe(t, err, context.Canceled)
	_, err = b.token.Enrol(ctx, b.enrolment(t))
	mustBe(t, err, context.Canceled)
	_, err = b.token.Keys(ctx)
	mustBe(t, err, context.Canceled)
	_, err = b.Tokens.Present(ctx)
	mustBe(t, err, context.Canceled)
	b.unchanged(t, before)
}

func closedToken(t *testing.T, b *bench) {
	b.enrol(t)
	for range 2 {
		if err := b.token.Close(); err != nil {
			t.Fatal(err)
		}
	}
	before := b.counts()
	if _, err := b.sign(t); err == nil || errors.Is(err, hsm.ErrRemoved) {
		t.Fatalf("a closed token signed, or says that it was removed: %v", err)
	}
	if _, err := b.token.Keys(t.Context()); err == nil || errors.Is(err, hsm.ErrRemoved) {
		t.Fatalf("a closed token listed keys, or says that it was removed: %v", err)
	}
	b.unchanged(t, before)
}

func busy(t *testing.T, b *bench) {
	b.enrol(t)
	_, err := b.Tokens.Open(t.Context(), b.Reader)
	mustBe(t, err, hsm.ErrBusy)
	if _, err := b.sign(t); err != nil {
		t.Fatalf("the holder of the token was disturbed: %v", err)
	}
	b.reopen(t)
}

func (b *bench) refused(t *testing.T, left int) {
	t.Helper()
	_, err := b.token.Sign(t.Context(), b.wrong(t), hsm.SlotSignature, digest[:])
	var refused *hsm.PINError
	if !errors.As(err, &refused) || refused.Retries != left {
		t.Fatalf("a wrong PIN with %d tries left after it: %v", left, err)
	}
	if got := b.token.Info().Retries; got != left {
		t.Fatalf("Info says %d tries are left, not %d", got, left)
	}
}

func wrongPIN(t *testing.T, b *bench) {
	b.enrol(t)
	b.reopen(t)
	all := b.token.Info().Retries
	b.refused(t, all-1)
	if _, err := b.sign(t); err != nil {
		t.Fatal(err)
	}
	if got := b.token.Info().Retries; got != all {
		t.Fatalf("after the right PIN Info says %d tries, not %d", got, all)
	}
	b.refused(t, all-1)
	b.refused(t, all-2)
	b.reopen(t)
	if got := b.token.Info().Retries; got != all-2 {
		t.Fatalf("reopened, the token says %d tries, not %d", got, all-2)
	}
	if _, err := b.sign(t); err != nil {
		t.Fatal(err)
	}
	b.reopen(t)
	if got := b.token.Info().Retries; got != all {
		t.Fatalf("after the right PIN the token says %d tries, not %d", got, all)
	}
}

func blockedPIN(t *testing.T, b *bench) {
	b.enrol(t)
	b.reopen(t)
	for left := b.token.Info().Retries - 1; left > 0; left-- {
		b.refused(t, left)
	}
	_, err := b.token.Sign(t.Context(), b.wrong(t), hsm.SlotSignature, digest[:])
	mustBe(t, err, hsm.ErrBlocked)
	if got := b.token.Info().Retries; got != 0 {
		t.Fatalf("Info says %d tries are left", got)
	}
	_, err = b.sign(t)
	mustBe(t, err, hsm.ErrBlocked)
	b.reopen(t)
	if got := b.token.Info().Retries; got != 0 {
		t.Fatalf("blocked, the token says %d tries", got)
	}
}

func wrongPINEnrols(t *testing.T, b *bench) {
	before := b.counts()
	e := b.enrolment(t)
	e.CurrentPIN = b.wrong(t)
	var refused *hsm.PINError
	if _, err := b.token.Enrol(t.Context(), e); !errors.As(err, &refused) {
		t.Fatalf("enrolled with a wrong PIN: %v", err)
	}
	before.Verify++
	if b.Control != nil {
		b.unchanged(t, before)
	}
	keys, err := b.token.Keys(t.Context())
	if err != nil || len(keys) != 0 {
		t.Fatalf("keys %v, error %v", keys, err)
	}
}

func onePIN(t *testing.T, b *bench) {
	b.enrol(t)
	for _, pin := range []*hsm.PIN{PIN(t, b.PIN), b.wrong(t), PIN(t, b.PIN)} {
		before := b.counts()
		_, _ = b.token.Sign(t.Context(), pin, hsm.SlotSignature, digest[:])
		if n := b.counts().Verify - before.Verify; n != 1 {
			t.Fatalf("the PIN was sent %d times", n)
		}
	}
}

// signing starts a signature and returns where its outcome will be.
func (b *bench) signing(t *testing.T) <-chan error {
	pin := PIN(t, b.PIN)
	outcome := make(chan error, 1)
	go func() {
		_, err := b.token.Sign(context.Background(), pin, hsm.SlotSignature, digest[:])
		outcome <- err
	}()
	return outcome
}

func waitsForTouch(t *testing.T, b *bench) {
	b.enrol(t)
	b.Control.AutoTouch(false)
	outcome := b.signing(t)
	<-b.Control.Waiting
	if b.counts().Sign != 0 {
		t.Fatal("signed before the touch")
	}
	b.Control.Touch()
	if err := <-outcome; err != nil {
		t.Fatal(err)
	}
}

func noTouch(t *testing.T, b *bench) {
	b.enrol(t)
	b.Control.AutoTouch(false)
	b.Control.TouchTimeout(time.Millisecond)
	before := b.counts()
	_, err := b.sign(t)
	mustBe(t, err, hsm.ErrTouchTimeout)
	before.Verify++
	b.unchanged(t, before)
	b.Control.AutoTouch(true) // the token stays usable
	if _, err := b.sign(t); err != nil {
		t.Fatal(err)
	}
}

// stillDead checks that a token whose connection broke stays unusable, also
// when the card is back, and that a newly opened one works.
func (b *bench) stillDead(t *testing.T) {
	t.Helper()
	b.Reader = b.Control.Insert()
	before := b.counts()
	_, err := b.sign(t)
	mustBe(t, err, hsm.ErrRemoved)
	_, err = b.token.Keys(t.Context())
	mustBe(t, err, hsm.ErrRemoved)
	b.unchanged(t, before)
	b.reopen(t)
	if _, err := b.sign(t); err != nil {
		t.Fatalf("opened again: %v", err)
	}
}

func removedBetween(t *testing.T, b *bench) {
	b.enrol(t)
	b.Control.Remove()
	_, err := b.sign(t)
	mustBe(t, err, hsm.ErrRemoved)
	_, err = b.Tokens.Open(t.Context(), b.Reader)
	mustBe(t, err, hsm.ErrRemoved)
	b.stillDead(t)
}

func removedAt(at Break, signed int) func(*testing.T, *bench) {
	return func(t *testing.T, b *bench) {
		b.enrol(t)
		before := b.counts()
		b.Control.Break(at)
		_, err := b.sign(t)
		mustBe(t, err, hsm.ErrRemoved)
		before.Verify, before.Sign = before.Verify+1, before.Sign+signed
		b.unchanged(t, before)
		b.stillDead(t)
	}
}

func removedByHand(t *testing.T, b *bench) {
	b.enrol(t)
	b.Control.AutoTouch(false)
	outcome := b.signing(t)
	<-b.Control.Waiting
	b.Control.Remove()
	mustBe(t, <-outcome, hsm.ErrRemoved)
	b.Control.AutoTouch(true)
	b.stillDead(t)
}

func failedAfter(t *testing.T, b *bench) {
	b.enrol(t)
	before := b.counts()
	b.Control.Break(FailedAfterSigning)
	_, err := b.sign(t)
	mustBe(t, err, hsm.ErrRemoved)
	before.Verify, before.Sign = before.Verify+1, before.Sign+1
	b.unchanged(t, before)
	b.stillDead(t)
}

func garbled(t *testing.T, b *bench) {
	key := b.enrol(t)
	b.Control.Break(Garbled)
	signature, err := b.sign(t)
	mustBe(t, err, hsm.ErrGarbled)
	if signature != nil {
		t.Fatal("the garbled signature was handed out")
	}
	signature, err = b.sign(t)
	if err != nil {
		t.Fatal(err)
	}
	mustVerify(t, key, digest[:], signature)
}

func slow(t *testing.T, b *bench) {
	b.enrol(t)
	const d = 30 * time.Millisecond
	b.Control.Slow(d)
	start := time.Now()
	if _, err := b.sign(t); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < d {
		t.Fatalf("took %v, the token %v", took, d)
	}
}
