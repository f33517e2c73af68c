package ceremony

import (
	"context"
	"errors"
	"strings"
	"testing"

	"conclave/hsm"
	"conclave/hsm/virtual"
)

// An accident is what somebody at sign does with a PIN, and what it may cost on the token.
type accident struct {
	prose string
	do    func(t *testing.T, w *world, s *Session, v Visitor) error
	rule  string // that stops it before the token, or "" where the token refuses
	hint  string // part of what to do
	sent  int    // PINs that the token sees
	left  int    // tries after it; three before
}

func pinAccidents() []accident {
	typed := func(pin string) func(*testing.T, *world, *Session, Visitor) error {
		return func(t *testing.T, _ *world, s *Session, v Visitor) error {
			return s.Sign(context.Background(), v, v.Acts[0], testPIN(t, pin), 0)
		}
	}
	return []accident{
		{
			"Carol mistypes one digit of her PIN.",
			typed("84210975"), "", "Is this really Carol's token", 1, 2,
		},
		{
			"Carol types the PIN that her YubiKey came with, from habit; she chose another one an hour ago.",
			typed(virtual.FactoryPIN), "pin", "no try was lost", 0, 3,
		},
		{
			"Carol presses Enter in an empty field.",
			func(_ *testing.T, _ *world, s *Session, v Visitor) error {
				return s.Sign(context.Background(), v, v.Acts[0], new(hsm.PIN), 0)
			}, "pin", "Nothing was sent", 0, 3,
		},
		{
			"Carol stops after four characters and presses Enter.",
			func(t *testing.T, _ *world, s *Session, v Visitor) error {
				pin := new(hsm.PIN)
				for _, c := range []byte("8642") {
					pin.Append(c)
				}
				return s.Sign(context.Background(), v, v.Acts[0], pin, 0)
			}, "pin", "Nothing was sent", 0, 3,
		},
		{
			"Bob puts his token into the reader while Carol looks for her PIN, and she types it.",
			func(t *testing.T, w *world, s *Session, v Visitor) error {
				v.Reader = w.owned["Bob"].info.Reader
				return s.Sign(context.Background(), v, v.Acts[0], testPIN(t, freshPIN), 0)
			}, "token", "Put the right token in", 0, 3,
		},
	}
}

// TestAccidentsOfAPINCostNoTryThatTheyNeedNot plays them with the production token code, and counts
// what every card in the room saw. The ceremony then goes on.
func TestAccidentsOfAPINCostNoTryThatTheyNeedNot(t *testing.T) {
	w, s, cards := atSign(t)
	v := w.visitor(s, "Carol")
	if err := w.approve(s, v); err != nil {
		t.Fatal(err)
	}
	for _, a := range pinAccidents() {
		carol, bob := cards["Carol"].Counts().Verify, cards["Bob"].Counts().Verify
		if left := w.visitorAt(s, "Carol").Info.Retries; left != 3 {
			t.Fatalf("%s Before it there are %d tries", a.prose, left)
		}
		err := a.do(t, w, s, v)
		if err == nil || ruleOf(err) != a.rule || !strings.Contains(hintOf(err), a.hint) {
			t.Errorf("%s It ends with %v (%s)", a.prose, err, hintOf(err))
		}
		var refused *hsm.PINError
		if a.sent > 0 && (!errors.As(err, &refused) || refused.Retries != a.left) {
			t.Errorf("%s It does not say that %d tries are left: %v", a.prose, a.left, err)
		}
		if n := cards["Carol"].Counts().Verify - carol; n != a.sent {
			t.Errorf("%s Her token saw %d PINs, want %d", a.prose, n, a.sent)
		}
		if n := cards["Bob"].Counts().Verify - bob; n != 0 {
			t.Errorf("%s Bob's token saw %d PINs", a.prose, n)
		}
		if left := w.visitorAt(s, "Carol").Info.Retries; left != a.left {
			t.Errorf("%s %d tries are left, want %d", a.prose, left, a.left)
		}
		if a.left < 3 { // the right PIN gives the tries back
			if err := s.Sign(context.Background(), v, v.Acts[0], testPIN(t, freshPIN), 0); err != nil {
				t.Fatal(err)
			}
			v.Acts = v.Acts[1:]
		}
	}
	if err := w.hold(s); err != nil {
		t.Errorf("the ceremony cannot go on: %v", err)
	}
}
