// Package hsmtest holds the tests that every hsm.Token must pass.
//
// A test of a Token calls TestToken with a function that prepares one fresh
// token. What a token cannot be made to do on demand (be pulled, be slow,
// lie) is skipped for it, by name.
package hsmtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"conclave/hsm"
)

// A Fixture is one token in its reader: initialised, with a known PIN and
// no ceremony keys.
type Fixture struct {
	Tokens hsm.Tokens
	Reader string
	Serial uint32
	PIN    string

	// TryPINs allows tests that use up PIN tries and block the PIN.
	TryPINs bool
	// Control plays the person and the hardware; nil for a real token, which
	// somebody has to touch.
	Control *Control
}

// A Control makes a token do what tests need of it.
type Control struct {
	AutoTouch    func(bool)
	Touch        func()
	Waiting      <-chan struct{} // signalled when the token starts to wait for a touch
	TouchTimeout func(time.Duration)
	Slow         func(time.Duration)
	Remove       func()
	Insert       func() (reader string)
	Break        func(Break)
	Counts       func() Counts
}

// A Break is what goes wrong at the next signature.
type Break int

// The breaks that a Control must be able to arrange.
const (
	RemovedBeforeSigning Break = iota + 1
	RemovedAwaitingTouch
	RemovedAfterSigning
	FailedAfterSigning
	Garbled
)

// Counts are what the token was asked to do since it was made.
type Counts struct {
	Verify, Sign, Generate int
}

// TestToken runs the tests; open prepares a new token for each of them.
func TestToken(t *testing.T, open func(t *testing.T) Fixture) {
	t.Helper()
	for _, c := range []struct {
		name    string
		control bool
		tries   bool
		run     func(t *testing.T, b *bench)
	}{
		{name: "says who it is", run: saysWhoItIs},
		{name: "an empty token has no keys", run: emptyToken},
		{name: "an enrolled key is listed and signs", run: enrolAndSign},
		{name: "P-384 signs SHA-384", run: signP384},
		{name: "a digest of the wrong length is not sent", run: wrongDigest},
		{name: "an incomplete PIN is not sent", run: incompletePIN},
		{name: "an occupied slot is not written over", run: occupied},
		{name: "the serial allows an occupied slot to be written over", run: eraseBySerial},
		{name: "impossible enrolments change nothing", run: badEnrolments},
		{name: "a new PIN replaces the old one", tries: true, run: newPIN},
		{name: "the attestation speaks of the key", run: attests},
		{name: "an ended context refuses before anything is sent", run: endedContext},
		{name: "a closed token refuses", run: closedToken},
		{name: "one program at a time", run: busy},
		{name: "a wrong PIN counts and is told", tries: true, run: wrongPIN},
		{name: "a blocked PIN is told", tries: true, run: blockedPIN},
		{name: "a wrong PIN enrols nothing", tries: true, run: wrongPINEnrols},
		{name: "each signature sends the PIN once", control: true, run: onePIN},
		{name: "a signature waits for the touch", control: true, run: waitsForTouch},
		{name: "a touch that does not come", control: true, run: noTouch},
		{name: "pulled between signatures", control: true, run: removedBetween},
		{name: "pulled before signing", control: true, run: removedAt(RemovedBeforeSigning, 0)},
		{name: "pulled while waiting for the touch", control: true, run: removedAt(RemovedAwaitingTouch, 0)},
		{name: "pulled by hand while waiting for the touch", control: true, run: removedByHand},
		{name: "pulled after signing", control: true, run: removedAt(RemovedAfterSigning, 1)},
		{name: "connection lost after signing", control: true, run: failedAfter},
		{name: "a garbled signature is caught", control: true, run: garbled},
		{name: "a slow token is waited for", control: true, run: slow},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := open(t)
			switch {
			case c.control && f.Control == nil:
				t.Skip("this token cannot be made to do that")
			case c.tries && !f.TryPINs:
				t.Skip("this token's PIN tries are not for tests")
			}
			if f.Control != nil {
				f.Control.AutoTouch(true)
			}
			c.run(t, &bench{Fixture: f, token: f.open(t)})
		})
	}
}

// A bench is a fixture with its token opened.
type bench struct {
	Fixture
	token hsm.Token
}

func (f Fixture) open(t *testing.T) hsm.Token {
	t.Helper()
	token, err := f.Tokens.Open(context.Background(), f.Reader)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = token.Close() })
	return token
}

// PIN makes a PIN of a string.
func PIN(t testing.TB, s string) *hsm.PIN {
	t.Helper()
	pin, err := hsm.NewPIN([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return pin
}

// wrong returns a PIN that is not the token's.
func (f Fixture) wrong(t *testing.T) *hsm.PIN {
	if f.PIN == "000000" {
		return PIN(t, "111111")
	}
	return PIN(t, "000000")
}

func (f Fixture) enrolment(t *testing.T) hsm.Enrolment {
	return hsm.Enrolment{Slot: hsm.SlotSignature, Algorithm: hsm.P256, Holder: "Alice Ångström", CurrentPIN: PIN(t, f.PIN)}
}

func (b *bench) enrol(t *testing.T) hsm.Key {
	t.Helper()
	key, err := b.token.Enrol(t.Context(), b.enrolment(t))
	if err != nil {
		t.Fatalf("enrol: %v", err)
	}
	return key
}

var digest = sha256.Sum256([]byte("what is signed"))

func (b *bench) sign(t *testing.T) ([]byte, error) {
	t.Helper()
	return b.token.Sign(t.Context(), PIN(t, b.PIN), hsm.SlotSignature, digest[:])
}

func mustVerify(t *testing.T, key hsm.Key, digest, signature []byte) {
	t.Helper()
	if !ecdsa.VerifyASN1(key.Public.(*ecdsa.PublicKey), digest, signature) {
		t.Fatal("the signature does not verify")
	}
}

func mustBe(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

func (b *bench) counts() Counts {
	if b.Control == nil {
		return Counts{}
	}
	return b.Control.Counts()
}

// unchanged fails when the token was asked to do anything since before.
func (b *bench) unchanged(t *testing.T, before Counts) {
	t.Helper()
	if now := b.counts(); now != before {
		t.Fatalf("the token was asked: %+v, before %+v", now, before)
	}
}

// reopen closes the token and opens it anew.
func (b *bench) reopen(t *testing.T) {
	t.Helper()
	if err := b.token.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	b.token = b.open(t)
}
