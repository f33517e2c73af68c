package tui

import (
	"testing"

	"conclave/ceremony"
	"conclave/tui/room"
	"conclave/tui/room/roomtest"
)

// A genesis by keyboard and tray, with the session that keeps the real rules.
func TestGenesisByKeyboardWithARealSession(t *testing.T) {
	d := roomtest.NewDrawer("Alice", "Bob", "Carol")
	session := roomtest.RealGenesis(t, d)
	s := newStand(t, Options{})
	look := func() {
		t.Helper()
		v := s.view()
		if testing.Verbose() {
			t.Log("\n" + v)
		}
	}
	s.run(s.app.enter(room.Live(session), d, nil))
	look()
	s.key("x")
	s.typed("the projector needs it", "enter")
	s.typed("Alice", "enter")
	look()
	s.key("enter")
	s.typed("Alice", "enter")
	s.key("h", "h", "h")
	look()
	s.key("enter")
	for i := range 3 {
		d.Insert(i)
		s.tick()
		s.typed("123456", "enter")
		s.typed("271828", "enter")
		s.typed("271828", "enter")
		s.typed("31415926", "enter")
		s.typed("31415926", "enter")
		look()
		d.Remove(i)
		s.tick()
	}
	look()
	s.key("f")
	look()
	for s.app.step == ceremony.StepReview && !s.app.screen.(*reviewScreen).atEnd() {
		s.key("space")
		look()
	}
	s.typed("Alice", "enter")
	s.typed("2", "enter")
	s.typed("carol", "enter")
	s.key("s")
	for i := range 2 {
		d.Insert(i)
		s.tick()
		look()
		card := s.app.screen.(*signScreen).card
		if card == nil {
			t.Fatal("the token has no card")
		}
		for _, q := range card.asked {
			for _, p := range s.app.state.Payloads() {
				if p.Role == q.Role {
					s.typed(p.Digest.Words()[q.Position-1], "enter")
				}
			}
		}
		look()
		s.typed("271828", "enter")
		look()
		d.Remove(i)
		s.tick()
	}
	s.key("enter")
	look()
	s.key("v")
	look()
	s.key("w")
	look()
	s.typed("we saw it", "enter")
	s.typed("seal", "enter")
	look()
	if st := session.State(); st.Step() != ceremony.StepDone || !st.Complete() {
		t.Errorf("the ceremony is at %s:\n%s", st.Step(), s.view())
	}
}
