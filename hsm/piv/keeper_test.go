package piv_test

import (
	"errors"
	"testing"

	"conclave/hsm"
	"conclave/hsm/hsmtest"
	"conclave/hsm/virtual"
)

const (
	freshPIN = "86420975"
	freshPUK = "27182818"
)

func keeper(t testing.TB, token hsm.Token) hsm.Keeper {
	t.Helper()
	k, ok := token.(hsm.Keeper)
	if !ok {
		t.Fatalf("%T is no keeper", token)
	}
	return k
}

func signsWith(t *testing.T, token hsm.Token, pin string) error {
	t.Helper()
	_, err := token.Sign(t.Context(), hsmtest.PIN(t, pin), hsm.SlotSignature, digest[:])
	return err
}

func TestSecretsByFirmware(t *testing.T) {
	for firmware, want := range map[string]hsm.Secrets{
		"4.3.5": {}, "5.2.7": {},
		"5.4.3": {Told: true, PIN: hsm.Tries{Left: 3, Most: 3}, PUK: hsm.Tries{Left: 3, Most: 3, Factory: true}, Management: "3DES", ManagementFactory: true},
		"5.7.1": {Told: true, PIN: hsm.Tries{Left: 3, Most: 3}, PUK: hsm.Tries{Left: 3, Most: 3, Factory: true}, Management: "AES-192", ManagementFactory: true},
	} {
		t.Run(firmware, func(t *testing.T) {
			card, reader := insert(t, firmware)
			before := card.Counts().Verify
			token := open(t, reader)
			if got := keeper(t, token).Secrets(); got != want {
				t.Fatalf("got %+v, want %+v", got, want)
			}
			if card.Counts().Verify != before {
				t.Fatal("a PIN was tried to find that out")
			}
		})
	}
}

// A token comes fresh from its box. That its PIN is the factory's is read, not found out by typing it.
func TestAFactoryPINIsSeenAndNeverTried(t *testing.T) {
	card, err := virtual.NewCard(virtual.Options{Serial: 77})
	if err != nil {
		t.Fatal(err)
	}
	reader, err := service.Insert(card)
	if err != nil {
		t.Fatal(err)
	}
	defer service.Remove(card)
	if s := keeper(t, open(t, reader)).Secrets(); !s.PIN.Factory || !s.PUK.Factory || !s.ManagementFactory {
		t.Fatalf("secrets %+v", s)
	}
	if n := card.Counts().Verify; n != 0 {
		t.Fatalf("%d PINs were sent", n)
	}
}

// Whoever leaves the PUK as it came leaves the PIN open: 12345678 sets a new one.
func TestEnrolmentReplacesEverySecret(t *testing.T) {
	for _, firmware := range virtual.Firmwares() {
		t.Run(firmware, func(t *testing.T) {
			card, reader := insert(t, firmware)
			card.AutoTouch(true)
			token := open(t, reader)
			e := enrolment(t)
			e.NewPIN, e.NewPUK = hsmtest.PIN(t, freshPIN), hsmtest.PIN(t, freshPUK)
			if !keeper(t, token).Secrets().Told {
				// Old firmware does not say whether its PUK is the factory's.
				if _, err := token.Enrol(t.Context(), e); !errors.Is(err, hsm.ErrPUKNeeded) {
					t.Fatalf("the PUK was guessed: %v", err)
				}
				if n := card.Counts(); n.Verify != 0 || n.Generate != 0 {
					t.Fatalf("something was sent: %+v", n)
				}
				e.CurrentPUK = hsmtest.PIN(t, virtual.FactoryPUK)
			}
			if _, err := token.Enrol(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			if s := keeper(t, token).Secrets(); s.PIN.Factory || s.PUK.Factory || s.ManagementFactory {
				t.Fatalf("secrets %+v", s)
			}
			_ = token.Close()
			token = open(t, reader)
			if s := keeper(t, token).Secrets(); s.PIN.Factory || s.PUK.Factory || s.ManagementFactory {
				t.Fatalf("the token says %+v", s)
			}
			if err := signsWith(t, token, freshPIN); err != nil {
				t.Fatal(err)
			}
			var refused *hsm.PUKError
			err := keeper(t, token).Unblock(t.Context(), hsmtest.PIN(t, virtual.FactoryPUK), hsmtest.PIN(t, "314159"))
			if !errors.As(err, &refused) {
				t.Fatalf("the factory's PUK still works: %v", err)
			}
			if err := keeper(t, token).Unblock(t.Context(), hsmtest.PIN(t, freshPUK), hsmtest.PIN(t, "16180339")); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A PUK that somebody changed already is not guessed, not even by the one that is
// to be set.
func TestAChangedPUKIsAskedFor(t *testing.T) {
	card, reader := insert(t, "5.7.1")
	token := open(t, reader)
	if err := keeper(t, token).ChangePUK(t.Context(), hsmtest.PIN(t, virtual.FactoryPUK), hsmtest.PIN(t, freshPUK)); err != nil {
		t.Fatal(err)
	}
	e := enrolment(t)
	e.NewPUK = hsmtest.PIN(t, "16180339")
	if _, err := token.Enrol(t.Context(), e); !errors.Is(err, hsm.ErrPUKNeeded) {
		t.Fatalf("enrolled: %v", err)
	}
	if n := card.Counts(); n.Verify != 0 || n.Generate != 0 {
		t.Fatalf("something was sent: %+v", n)
	}
	e.CurrentPUK = hsmtest.PIN(t, "31415926")
	var refused *hsm.PUKError
	if _, err := token.Enrol(t.Context(), e); !errors.As(err, &refused) || refused.Retries != 2 {
		t.Fatalf("a wrong PUK: %v", err)
	}
	if got := keeper(t, token).Secrets().PUK.Left; got != 2 || card.Counts().Generate != 0 {
		t.Fatalf("%d PUK tries left, %d keys made", got, card.Counts().Generate)
	}
	e.CurrentPUK = hsmtest.PIN(t, freshPUK)
	if _, err := token.Enrol(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

// A keyholder wants a PIN that everybody guesses, or the same secret twice. The token hears nothing of it.
func TestWeakSecretsAreRefusedBeforeAnythingIsSent(t *testing.T) {
	card, reader := insert(t, "5.7.1")
	token := open(t, reader)
	before := card.Counts()
	for name, spoil := range map[string]func(*hsm.Enrolment){
		"a PIN that is trivial": func(e *hsm.Enrolment) { e.NewPIN = hsmtest.PIN(t, "111111") },
		"a PUK that is trivial": func(e *hsm.Enrolment) { e.NewPUK = hsmtest.PIN(t, "11111111") },
		"a PUK that is the new PIN": func(e *hsm.Enrolment) {
			e.NewPIN, e.NewPUK = hsmtest.PIN(t, freshPUK), hsmtest.PIN(t, freshPUK)
		},
		"a PUK that begins with the old PIN": func(e *hsm.Enrolment) { e.NewPUK = hsmtest.PIN(t, practicePIN+"26") },
	} {
		e := enrolment(t)
		spoil(&e)
		var weak *hsm.WeakError
		if _, err := token.Enrol(t.Context(), e); !errors.As(err, &weak) {
			t.Errorf("%s: %v", name, err)
		}
	}
	k := keeper(t, token)
	var weak *hsm.WeakError
	for _, err := range []error{
		k.ChangePIN(t.Context(), hsmtest.PIN(t, practicePIN), hsmtest.PIN(t, "123456")),
		k.ChangePUK(t.Context(), hsmtest.PIN(t, virtual.FactoryPUK), hsmtest.PIN(t, "12345678")),
		k.Unblock(t.Context(), hsmtest.PIN(t, virtual.FactoryPUK), hsmtest.PIN(t, "000000")),
	} {
		if !errors.As(err, &weak) {
			t.Errorf("taken: %v", err)
		}
	}
	if n := card.Counts(); n != before {
		t.Fatalf("something was sent: %+v, before %+v", n, before)
	}
}

// Carol changes her PIN and mistypes the present one first: one try is gone, and the right one gives it back.
func TestChangingThePIN(t *testing.T) {
	_, token := enrolled(t, "5.7.1")
	k := keeper(t, token)
	var refused *hsm.PINError
	if err := k.ChangePIN(t.Context(), hsmtest.PIN(t, "000000"), hsmtest.PIN(t, freshPIN)); !errors.As(err, &refused) || refused.Retries != 2 {
		t.Fatalf("a wrong PIN: %v", err)
	}
	if got := token.Info().Retries; got != 2 {
		t.Fatalf("%d tries left", got)
	}
	if err := k.ChangePIN(t.Context(), hsmtest.PIN(t, practicePIN), hsmtest.PIN(t, freshPIN)); err != nil {
		t.Fatal(err)
	}
	if got := token.Info().Retries; got != 3 {
		t.Fatalf("%d tries left", got)
	}
	if err := signsWith(t, token, freshPIN); err != nil {
		t.Fatal(err)
	}
}

// Bob typed a wrong PIN three times. His PUK is in the safe.
func TestABlockedPINIsUnblockedByThePUK(t *testing.T) {
	_, token := enrolled(t, "5.7.1")
	k := keeper(t, token)
	for range 3 {
		if signsWith(t, token, "000000") == nil {
			t.Fatal("signed with a wrong PIN")
		}
	}
	if err := signsWith(t, token, practicePIN); !errors.Is(err, hsm.ErrBlocked) {
		t.Fatalf("not blocked: %v", err)
	}
	if err := k.Unblock(t.Context(), hsmtest.PIN(t, virtual.FactoryPUK), hsmtest.PIN(t, freshPIN)); err != nil {
		t.Fatal(err)
	}
	if got := token.Info().Retries; got != 3 {
		t.Fatalf("%d tries left", got)
	}
	if err := signsWith(t, token, freshPIN); err != nil {
		t.Fatal(err)
	}
}

// Dana found a PUK in the wrong envelope and types it three times: each try is told, the third is the last, and a
// fourth changes nothing.
func TestABlockedPUKIsTold(t *testing.T) {
	_, reader := insert(t, "5.7.1")
	k := keeper(t, open(t, reader))
	wrong := func() error {
		return k.Unblock(t.Context(), hsmtest.PIN(t, "99999999"), hsmtest.PIN(t, freshPIN))
	}
	for left := 2; left > 0; left-- {
		var refused *hsm.PUKError
		if err := wrong(); !errors.As(err, &refused) || refused.Retries != left {
			t.Fatalf("with %d tries left: %v", left, err)
		}
	}
	for range 2 {
		if err := wrong(); !errors.Is(err, hsm.ErrPUKBlocked) {
			t.Fatalf("not blocked: %v", err)
		}
	}
	if got := k.Secrets().PUK.Left; got != 0 {
		t.Fatalf("%d tries left", got)
	}
}
