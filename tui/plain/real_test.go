package plain

import (
	"context"
	"strings"
	"testing"
	"time"

	"conclave/ceremony"
	"conclave/tui/room/roomtest"
)

// The whole dialogue once more, with the session that keeps the real rules.
func TestGenesisByScriptWithARealSession(t *testing.T) {
	d := roomtest.NewDrawer("Alice", "Bob", "Carol")
	s := roomtest.RealGenesis(t, d)
	script := lines("exception", "the cable is needed for the projector", "Alice",
		"Alice",
		"here Alice, Bob", "away Carol", "done",
		"insert Alice", "yes", "123456", "271828", "271828", "31415926", "31415926", "remove Alice",
		"insert Bob", "yes", "123456", "271828", "271828", "31415926", "31415926", "remove Bob",
		"insert Carol", "yes", "123456", "271828", "271828", "31415926", "31415926", "remove Carol",
		"freeze",
		"Alice", "Bob", "carol", "sign",
		"insert Alice", "words", "000000", "yes", "271828", "remove Alice",
		"insert Bob", "words", "271828", "remove Bob",
		"done", "confirm", "export", "seal", "We saw it.",
	)
	var out strings.Builder
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := Run(ctx, Options{Session: s, Tray: d, AutoTouch: true, In: strings.NewReader(script), Out: &out, Poll: time.Millisecond})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	st := s.State()
	if st.Step() != ceremony.StepDone || !st.Complete() {
		t.Errorf("the ceremony is at %s:\n%s", st.Step(), out.String())
	}
	if testing.Verbose() {
		t.Log(out.String())
	}
}
