//go:build linux

package pcscdtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"
	"testing"

	"conclave/hsm"
	"conclave/hsm/attest"
	"conclave/hsm/hsmtest"
	"conclave/hsm/piv"
	"conclave/hsm/virtual"
)

var digest = sha256.Sum256([]byte("what is signed"))

func TestTokensPassTheConformanceTestThroughPCSCD(t *testing.T) {
	if testing.Short() {
		t.Skip("pcscd takes its time to see cards come and go")
	}
	for n, firmware := range virtual.Firmwares() {
		t.Run(firmware, func(t *testing.T) {
			t.Parallel()
			hsmtest.TestToken(t, func(t *testing.T) hsmtest.Fixture { return sit(t, n).fixture(firmware) })
		})
	}
}

func enrolment(t testing.TB, holder string) hsm.Enrolment {
	return hsm.Enrolment{Slot: hsm.SlotSignature, Algorithm: hsm.P256, Holder: holder, CurrentPIN: hsmtest.PIN(t, tokenPIN)}
}

func open(t *testing.T, reader string) hsm.Token {
	t.Helper()
	token, err := piv.New().Open(t.Context(), reader)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = token.Close() })
	return token
}

// Five people put in five tokens at once, and all of them sign at the same time.
func TestFiveTokensAtOnce(t *testing.T) {
	holders := []string{"Alice", "Bob", "Carol", "Dana", "Erin"}
	seats := make([]*seat, readerCount)
	cards := make([]*virtual.Card, readerCount)
	for n := range readerCount {
		seats[n], cards[n] = sit(t, n), newCard(t, "5.7.1")
	}
	var all sync.WaitGroup
	for n, holder := range holders {
		seats[n].insert(cards[n])
		token := open(t, seats[n].name())
		all.Go(func() {
			key, err := token.Enrol(t.Context(), enrolment(t, holder))
			if err != nil {
				t.Error(err)
				return
			}
			e, err := token.Attest(t.Context(), hsm.SlotSignature)
			if err != nil {
				t.Error(err)
				return
			}
			want := attest.Expect{Public: key.Public, Slot: hsm.SlotSignature, Serial: cards[n].Serial(), Firmware: "5.7.1"}
			if _, err := attest.Verify(e, want, attest.WithPractice()); err != nil {
				t.Error(err)
			}
			for range 20 {
				if _, err := token.Sign(t.Context(), hsmtest.PIN(t, tokenPIN), hsm.SlotSignature, digest[:]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	present, err := piv.New().Present(t.Context())
	if err != nil || len(present) != readerCount { // each driver has a second reader, which is empty
		t.Fatalf("present %q, error %v", present, err)
	}
	for _, c := range cards {
		if n := c.Counts().Sign; n != 20 {
			t.Errorf("token %d made %d signatures", c.Serial(), n)
		}
	}
}

// Bob pulls his token while it blinks, and puts it back. Nothing was signed,
// the old connection stays dead, the new one signs, and the watch has counted.
func TestPulledWhileItBlinks(t *testing.T) {
	s := sit(t, 0)
	card := newCard(t, "5.7.1")
	s.insert(card)
	before := s.reader()
	token, err := s.tokens.Open(t.Context(), before.ID())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.Enrol(t.Context(), enrolment(t, "Bob")); err != nil {
		t.Fatal(err)
	}
	card.AutoTouch(false)
	outcome := make(chan error, 1)
	go func() {
		_, err := token.Sign(context.Background(), hsmtest.PIN(t, tokenPIN), hsm.SlotSignature, digest[:])
		outcome <- err
	}()
	<-card.Waiting()
	s.yank()
	if err := <-outcome; !errors.Is(err, hsm.ErrRemoved) {
		t.Fatalf("pulled: %v", err)
	}
	if n := card.Counts().Sign; n != 0 {
		t.Fatalf("%d signatures", n)
	}
	_ = token.Close()
	s.insert(card)
	s.until("that it is another coming", func(r hsm.Reader) bool { return r.Card && r.ID() != before.ID() })
	if _, err := s.tokens.Open(t.Context(), before.ID()); !errors.Is(err, hsm.ErrRemoved) {
		t.Fatalf("opened under the old ID: %v", err)
	}
	card.AutoTouch(true)
	token, err = s.tokens.Open(t.Context(), s.reader().ID())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = token.Close() }()
	if _, err := token.Sign(t.Context(), hsmtest.PIN(t, tokenPIN), hsm.SlotSignature, digest[:]); err != nil {
		t.Fatal(err)
	}
}

// An administrator restarts the smart card service in the middle of a ceremony.
func TestPCSCDDiesAndComesBack(t *testing.T) {
	s := sit(t, 0)
	card := newCard(t, "5.7.1")
	s.insert(card)
	before := s.reader()
	token := open(t, s.name())
	if _, err := token.Enrol(t.Context(), enrolment(t, "Bob")); err != nil {
		t.Fatal(err)
	}
	theDaemon.stop()
	if _, err := token.Sign(t.Context(), hsmtest.PIN(t, tokenPIN), hsm.SlotSignature, digest[:]); !errors.Is(err, hsm.ErrRemoved) {
		t.Errorf("without a service: %v", err)
	}
	if _, err := piv.New().Present(t.Context()); !errors.Is(err, hsm.ErrNoService) {
		t.Errorf("present without a service: %v", err)
	}
	if err := theDaemon.start(); err != nil {
		t.Fatal(err)
	}
	_ = token.Close()
	s.again()
	s.insert(card)
	if r := s.reader(); r.ID() == before.ID() {
		t.Errorf("the ID is still %q", r.ID())
	}
	if _, err := open(t, s.name()).Sign(t.Context(), hsmtest.PIN(t, tokenPIN), hsm.SlotSignature, digest[:]); err != nil {
		t.Fatal(err)
	}
}

// A PIV card of another maker in a plain reader, behind the real pcscd: nobody takes it for a YubiKey. Where cards of any
// maker are wanted it makes a key and signs, also after it was out, and says in one way that it proves nothing.
func TestAnotherMakersCardThroughPCSCD(t *testing.T) {
	s := sit(t, foreignSeat)
	card, err := virtual.NewCard(virtual.Options{Serial: 13_079_999, Firmware: "5.2.7", Foreign: true})
	if err != nil {
		t.Fatal(err)
	}
	card.SetPIN(tokenPIN)
	card.AutoTouch(true)
	reader := s.insert(card)
	yubikeys := piv.New()
	defer func() { _ = yubikeys.Close() }()
	if present, err := yubikeys.Present(t.Context()); err != nil || slices.Contains(present, reader) {
		t.Errorf("taken for a YubiKey: %q, %v", present, err)
	}
	first, err := s.tokens.Open(t.Context(), reader)
	if err != nil {
		t.Fatal(err)
	}
	made, err := first.Enrol(t.Context(), enrolment(t, "Alice"))
	_ = first.Close()
	if err != nil {
		t.Fatal(err)
	}
	s.pull()
	token, err := s.tokens.Open(t.Context(), s.insert(card))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = token.Close() }()
	keys, err := token.Keys(t.Context())
	if err != nil || len(keys) != 1 || keys[0].Holder != "Alice" || keys[0].Generated {
		t.Fatalf("keys %+v, error %v", keys, err)
	}
	if _, err := token.Attest(t.Context(), hsm.SlotSignature); !errors.Is(err, hsm.ErrNotGenuine) {
		t.Errorf("attested: %v", err)
	}
	sig, err := token.Sign(t.Context(), hsmtest.PIN(t, tokenPIN), hsm.SlotSignature, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	if public, ok := made.Public.(*ecdsa.PublicKey); !ok || !ecdsa.VerifyASN1(public, digest[:], sig) {
		t.Error("what it signed does not verify with the key that it made")
	}
}
