package piv_test

import (
	"errors"
	"strings"
	"testing"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"conclave/hsm"
	"conclave/hsm/hsmtest"
	"conclave/hsm/virtual"
)

func TestEnrolmentHidesTheManagementKey(t *testing.T) {
	for _, firmware := range virtual.Firmwares() {
		t.Run(firmware, func(t *testing.T) {
			_, reader := insert(t, firmware)
			token := open(t, reader)
			if _, err := token.Enrol(t.Context(), enrolment(t)); err != nil {
				t.Fatal(err)
			}
			_ = token.Close()
			yk, err := gopiv.Open(reader)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = yk.Close() }()
			if err := yk.SetManagementKey(gopiv.DefaultManagementKey, gopiv.DefaultManagementKey); err == nil {
				t.Error("the default management key still opens the token")
			}
			m, err := yk.Metadata(practicePIN)
			if err != nil || m.ManagementKey == nil {
				t.Fatalf("no management key behind the PIN: %v", err)
			}
			if err := yk.SetManagementKey(*m.ManagementKey, *m.ManagementKey); err != nil {
				t.Errorf("the management key behind the PIN does not open the token: %v", err)
			}
		})
	}
}

func TestForeignManagementKeyIsRefusedBeforeAnyChange(t *testing.T) {
	card, reader := insert(t, "5.7.1")
	yk, err := gopiv.Open(reader)
	if err != nil {
		t.Fatal(err)
	}
	foreign := []byte("a key of another program")
	if err := yk.SetManagementKey(gopiv.DefaultManagementKey, foreign); err != nil {
		t.Fatal(err)
	}
	_ = yk.Close()
	token := open(t, reader)
	e := enrolment(t)
	e.NewPIN = hsmtest.PIN(t, "314159")
	if _, err = token.Enrol(t.Context(), e); err == nil || !strings.Contains(err.Error(), "management key") {
		t.Fatalf("enrolled without the management key: %v", err)
	}
	if n := card.Counts().Generate; n != 0 {
		t.Fatalf("%d keys were made", n)
	}
	_ = token.Close()
	if yk, err = gopiv.Open(reader); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = yk.Close() }()
	if err := yk.VerifyPIN(practicePIN); err != nil {
		t.Fatalf("the PIN was changed: %v", err)
	}
}

// TestEnrolmentSurvivesThePull pulls the token after each change that an
// enrolment makes. Whatever was done by then, the holder can enrol again
// with the old or the new PIN, and loses no token.
func TestEnrolmentSurvivesThePull(t *testing.T) {
	for _, firmware := range virtual.Firmwares() {
		t.Run(firmware, func(t *testing.T) {
			for pulled := 1; ; pulled++ {
				if done := enrolAndPull(t, firmware, pulled); done {
					if pulled < 6 {
						t.Fatalf("only %d changes were seen", pulled-1)
					}
					return
				}
			}
		})
	}
}

// enrolAndPull pulls the token after the given change; it reports whether the
// enrolment was over before.
func enrolAndPull(t *testing.T, firmware string, after int) (done bool) {
	t.Helper()
	card, reader := insert(t, firmware)
	card.AutoTouch(true)
	defer service.Remove(card)
	token := open(t, reader)
	changes := 0
	card.OnChange(func() {
		if changes++; changes == after {
			service.Remove(card)
		}
	})
	e := enrolment(t)
	e.NewPIN = hsmtest.PIN(t, "86420975")
	_, err := token.Enrol(t.Context(), e)
	_ = token.Close()
	if err == nil {
		return true
	}
	if !errors.Is(err, hsm.ErrRemoved) {
		t.Fatalf("pulled after change %d: %v", after, err)
	}
	card.OnChange(nil)
	if _, err := service.Insert(card); err != nil {
		t.Fatal(err)
	}
	token = open(t, reader)
	defer func() { _ = token.Close() }()
	again := enrolment(t)
	again.Erase = card.Serial()
	_, err = token.Enrol(t.Context(), again)
	var refused *hsm.PINError
	if errors.As(err, &refused) {
		again.CurrentPIN = e.NewPIN
		_, err = token.Enrol(t.Context(), again)
	}
	if err != nil {
		t.Fatalf("pulled after change %d, then enrolled again: %v", after, err)
	}
	if _, err := token.Sign(t.Context(), again.CurrentPIN, hsm.SlotSignature, digest[:]); err != nil {
		t.Fatalf("pulled after change %d, then signing: %v", after, err)
	}
	return false
}

// A printed-information object that is not a management key belongs to
// somebody else.
func TestForeignPrintedInformationIsNotOverwritten(t *testing.T) {
	card, _ := insert(t, "5.7.1")
	saved, err := card.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	service.Remove(card)
	text := strings.Replace(string(saved), `"objects":{`, `"objects":{"5fc109":"AQVBTElDRQ==",`, 1)
	if card, err = virtual.LoadCard([]byte(text)); err != nil {
		t.Fatal(err)
	}
	reader, err := service.Insert(card)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { service.Remove(card) })
	token := open(t, reader)
	if _, err := token.Enrol(t.Context(), enrolment(t)); err == nil || !strings.Contains(err.Error(), "printed information") {
		t.Fatalf("enrolled: %v", err)
	}
	if now, err := card.MarshalJSON(); err != nil || string(now) != text && !strings.Contains(string(now), "AQVBTElDRQ==") {
		t.Fatalf("the object is gone: %v", err)
	}
}

func TestEnrolmentSendsThePINOnce(t *testing.T) {
	card, token := enrolled(t, "5.7.1")
	if n := card.Counts().Verify; n != 1 {
		t.Fatalf("the PIN was sent %d times", n)
	}
	_ = token
}
