package plain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/exp/golden"

	"conclave/ceremony"
	"conclave/ceremony/tuf"
	"conclave/hsm"
	"conclave/transfer/qr/qrtest"
	"conclave/tui/room/roomtest"
)

// talk holds a ceremony with script as its input and returns all that was said.
func talk(t *testing.T, s *roomtest.Session, o Options, script string) (string, error) {
	t.Helper()
	var out strings.Builder
	o.In, o.Out, o.Poll = strings.NewReader(script), &out, time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := run(ctx, o, s)
	for _, line := range strings.Split(out.String(), "\n") {
		for _, r := range line {
			if r < ' ' || r == 0x7f {
				t.Errorf("control character %q in line %q", r, line)
			}
		}
	}
	if strings.Contains(out.String(), "271828") && o.Tray == nil {
		t.Error("a PIN was printed")
	}
	return out.String(), err
}

// lines makes a script of lines.
func lines(l ...string) string { return strings.Join(l, "\n") + "\n" }

var genesisScript = lines(
	"Alice",
	"here Alice, Bob, Carol", "done",
	"insert Alice", "yes", "123456", "271828", "271828", "31415926", "31415926", "remove Alice",
	"insert Bob", "yes", "123456", "271828", "271828", "31415926", "31415926", "remove Bob",
	"insert Carol", "yes", "123456", "271828", "271828", "31415926", "31415926", "remove Carol",
	"freeze",
	"Alice", "Bob", "carol", "sign",
	"insert Alice", "words", "271828", "remove Alice",
	"insert Bob", "words", "271828", "remove Bob",
	"done",
	"confirm",
	"export",
	"seal", "-",
)

func TestGenesisByScript(t *testing.T) {
	s := roomtest.Genesis()
	out, err := talk(t, s, Options{Tray: s.Tray(), AutoTouch: true}, genesisScript)
	if err != nil {
		t.Errorf("got %v", err)
	}
	golden.RequireEqual(t, out)
}

func TestGenesisWithTouchesByScript(t *testing.T) {
	s := roomtest.Genesis()
	s.Manual = true
	script := strings.NewReplacer("271828\nremove", "271828\ntouch\nremove", "31415926\nremove", "31415926\ntouch\nremove").Replace(genesisScript)
	script = strings.ReplaceAll(script, "words\n271828\ntouch\n", "words\n271828\ntouch\ntouch\n")
	if out, err := talk(t, s, Options{Tray: s.Tray()}, script); err != nil {
		t.Errorf("got %v\n%s", err, out)
	}
}

func TestEveryCutOfAScriptLosesNothing(t *testing.T) {
	all := strings.SplitAfter(genesisScript, "\n")
	for n := range len(all) - 1 {
		s := roomtest.Genesis()
		out, err := talk(t, s, Options{Tray: s.Tray(), AutoTouch: true}, strings.Join(all[:n], ""))
		if !errors.Is(err, ErrInterrupted) {
			t.Fatalf("after %d lines: %v", n, err)
		}
		if !strings.Contains(out, "Nothing is lost") {
			t.Errorf("after %d lines nobody says that nothing is lost:\n%s", n, out)
		}
	}
}

func TestRotationByScript(t *testing.T) {
	s := roomtest.Rotation()
	words := func(holder string) string { return wordsFor(t, s, holder) }
	// Everything that goes wrong on a bad day, once.
	s.Fail["Export"] = []error{errors.New("write bundle: no medium")}
	s.Fail["Look"] = []error{hsm.ErrBusy}
	out, err := talk(t, s, Options{Tray: s.Tray(), AutoTouch: true}, lines(
		"maybe", "exception swap", "the machine has no swap partition of its own", "Alice, Bob",
		"Alice", "Alice, Bob",
		"insert Alice", "remove Alice", "insert Alice", "remove Alice",
		"insert Mallory", "remove Mallory", "here Bob, Dana", "done", "away Frank, Erin, carol", "away Zoe", "state", "done",
		"help", "", "freeze",
		"Alice", "bob", "Dana", "again", "sign",
		"insert Mallory", "remove Mallory",
		"insert Bob", "bison", words("Bob")+"x", words("Bob"), "000000", "no", "remove Bob",
		"insert Bob", words("Bob"), "12345", "111111", "yes", "13078779", "271828", "remove Bob",
		"insert Alice", words("Alice"), "271828", "remove Alice",
		"insert Erin", "Erin", words("Erin"), "271828", "remove Erin",
		"insert Bob", "remove Bob",
		"done", "confirm", "export", "export",
		"export", "seal", "We, the witnesses, saw it.\x1b[2J",
	))
	if err != nil {
		t.Errorf("got %v", err)
	}
	golden.RequireEqual(t, out)
}

// wordsFor is what a holder hears from the conductor.
func wordsFor(t *testing.T, s *roomtest.Session, holder string) string {
	t.Helper()
	root, targets := s.Documents[0].Digest.Words(), s.Documents[1].Digest.Words()
	if holder == "Erin" {
		return root[2] + " " + root[5]
	}
	return root[2] + " " + root[5] + " " + targets[8]
}

// Somebody comes while the others sign. They join with the next draft, and nothing that is signed is lost.
func TestWhoComesTooLateIsPutOnTheList(t *testing.T) {
	s := roomtest.Rotation()
	s.At, s.Alarm = ceremony.StepSign, s.Clock.Add(-12*time.Minute)
	out, err := talk(t, s, Options{}, lines("queue", "queue Grace", "Root", "she missed her train", "state", "quit"))
	if !errors.Is(err, ErrInterrupted) {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{
		"COMPROMISE declared 13:50, 12 minutes ago", "Type queue and the name", "Nothing that is frozen changes",
		"Grace joins root with the next draft",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if got := strings.Join(s.Calls(), "; "); got != `Queue Grace [root] "she missed her train"` {
		t.Errorf("it called %s", got)
	}
}

// A change after the first signature: what it costs is said first, and no is the answer of an empty line.
func TestAChangeOfTheDraftSaysItsCostFirst(t *testing.T) {
	s := roomtest.Rotation()
	s.At = ceremony.StepSign
	s.SignedWhen["Alice/root"], s.SignedWhen["Alice/targets"] = s.Clock, s.Clock
	change := []string{"change", "Grace:root", "Frank", "", "", "", "", "/media/SANDISK/metadata"}
	out, err := talk(t, s, Options{}, lines(slices.Concat(
		[]string{"change", "", "", "", "", "three", "", ""}, change, []string{""}, change, []string{"yes", "she came after all", "Olga, Pat", "quit"},
	)...))
	if !errors.Is(err, ErrInterrupted) {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{"whoever made them must come back", "three is no number of people", "Alice must come back", "root-5.redraft.bundle.json"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	draft := "Redraft /media/SANDISK/metadata +[{Grace [root] <nil>}] -[{Frank []}]"
	if got := strings.Join(s.Calls(), "; "); got != draft+"; "+draft+`; KeepDraft "she came after all" [Olga Pat]` {
		t.Errorf("it called %s", got)
	}
}

// A result that would leave clients behind is refused; it leaves the room by a decision on record alone.
func TestABreakOfClientsLeavesTheRoomByAnExceptionAlone(t *testing.T) {
	s := roomtest.Rotation()
	s.At = ceremony.StepConfirm
	broken := &ceremony.RuleError{Step: ceremony.StepConfirm, Rule: "clients", What: "a client at root 3 is stuck"}
	s.Fail["Confirm"] = []error{broken, broken}
	out, err := talk(t, s, Options{}, lines("confirm", "", "confirm", "exception", "they are told by mail", "Olga, Pat", "confirm", "quit"))
	if !errors.Is(err, ErrInterrupted) {
		t.Errorf("got %v", err)
	}
	want := `Confirm; Confirm; Except clients "they are told by mail" [Olga Pat]; Confirm`
	if got := strings.Join(s.Calls(), "; "); got != want || !strings.Contains(out, "root 3 is stuck") {
		t.Errorf("it called %s\n%s", got, out)
	}
}

func TestNoIsTheAnswerOfAnEmptyLine(t *testing.T) {
	s := roomtest.Genesis()
	_, err := talk(t, s, Options{Tray: s.Tray(), AutoTouch: true}, lines(
		"Alice", "here Alice, Bob, Carol", "done", "insert Alice", "", "", "", "", "", ""))
	if !errors.Is(err, ErrInterrupted) {
		t.Errorf("got %v", err)
	}
	for _, c := range s.Calls() {
		if strings.HasPrefix(c, "Enrol ") || c == "Freeze" {
			t.Errorf("empty lines led to %s", c)
		}
	}
}

func TestPINsAreReadWithoutEchoOnATerminal(t *testing.T) {
	s := roomtest.Genesis()
	asked := 0
	pins := []string{"123456", "271828", "271828", "31415926", "31415926"}
	read := func(prompt string) (*hsm.PIN, error) {
		if asked == len(pins) {
			return nil, io.EOF
		}
		asked++
		return hsm.NewPIN([]byte(pins[asked-1]))
	}
	_, err := talk(t, s, Options{Tray: s.Tray(), AutoTouch: true, ReadPIN: read}, lines(
		"Alice", "here Alice, Bob, Carol", "done", "insert Alice", "yes", "insert Bob", "yes"))
	if !errors.Is(err, ErrInterrupted) {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(strings.Join(s.Calls(), "\n"), "Enrol Alice 90000001") {
		t.Errorf("Alice was not enrolled: %v", s.Calls())
	}
}

func TestALineOfAScriptWaitsForTheToken(t *testing.T) {
	s := roomtest.Rotation()
	s.At = "sign"
	for i := range s.People {
		s.People[i].Reviewed = true
	}
	r, w := io.Pipe()
	var out strings.Builder
	done := make(chan error, 1)
	go func() {
		done <- run(t.Context(), Options{In: r, Out: &out, Poll: time.Millisecond}, s)
	}()
	// The words are there before the token is.
	if _, err := io.WriteString(w, lines(wordsFor(t, s, "Bob"), "271828")); err != nil {
		t.Fatal(err)
	}
	s.Tray().Insert(1)
	go func() { _ = w.Close() }()
	if err := <-done; !errors.Is(err, ErrInterrupted) {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(out.String(), "Signed and verified: ROOT 5 by Bob") {
		t.Errorf("Bob did not sign:\n%s", out.String())
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestAnOutputThatIsGoneEndsIt(t *testing.T) {
	err := run(t.Context(), Options{In: strings.NewReader(genesisScript), Out: brokenPipe{}}, roomtest.Genesis())
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}

func TestPicturesBesideTheExport(t *testing.T) {
	s := roomtest.Rotation()
	s.Opened = qrtest.Waiting(t, 20)
	s.Carried = qrtest.Sign(t, s.Opened, tuf.Targets, "Alice")
	s.At = ceremony.StepExport
	dir := filepath.Join(t.TempDir(), "light")
	out, err := talk(t, s, Options{}, lines("png", "png "+dir, "export", "png "+dir, "seal", "-"))
	if err != nil {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{
		"Which folder?",
		"[OK] The new signature alone in " + filepath.Join(dir, "answer") + ": 1 picture.",
		"[OK] The whole bundle in " + filepath.Join(dir, "bundle"),
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	shown := `Show answer, 1 frames, "` + filepath.Join(dir, "answer") + `"`
	if !slices.Contains(s.Calls(), shown) {
		t.Errorf("not on record: %s in %q", shown, s.Calls())
	}
	if texts := qrtest.ZbarFile(t, filepath.Join(dir, "answer", "qr-001.png")); len(texts) != 1 || !strings.HasPrefix(texts[0], "$") {
		t.Errorf("the picture says %q", texts)
	}
}

// The third wrong PIN blocks Bob's token; the PUK is offered, mistyped once, and gives it a new PIN.
func TestBlockedPINIsSetAnewWithThePUK(t *testing.T) {
	s := roomtest.Rotation()
	s.At = ceremony.StepSign
	for i := range s.People {
		s.People[i].Reviewed = true
	}
	bob := s.Tokens[slices.IndexFunc(s.Tokens, func(k *roomtest.Token) bool { return k.Holder == "Bob" })]
	bob.PIN, bob.PUK, bob.Retries = "271828", "31415926", 1
	out, err := talk(t, s, Options{Tray: s.Tray(), AutoTouch: true}, lines(
		"insert Bob", wordsFor(t, s, "Bob"), fmt.Sprint(bob.Serial), "111111",
		"yes", "99999999", "111111", "161803", "161803",
		"yes", "31415926", "161803", "161804", "161803", "161803",
		wordsFor(t, s, "Bob"), "161803"))
	if !errors.Is(err, ErrInterrupted) {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{
		"with the PUK now? PUK: 3 tries left.", "Refuse the new PIN: it has fewer than 3 different digits",
		"The token refused the PUK; 2 tries left.", "PUK: 2 tries left.", "The two new PINs differ.",
		"has its new PIN", "That is all of Bob.",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q was not said:\n%s", want, out)
		}
	}
}

// The enrolment was cut off after the token had made its key: it is taken, and nobody is asked to lose it.
func TestKeyOfACutOffEnrolmentIsTaken(t *testing.T) {
	s := roomtest.Genesis()
	s.At = ceremony.StepEnrolment
	s.Tokens[0].Blank, s.Tokens[0].Left, s.Tokens[0].PIN = false, "Alice", "271828"
	out, _ := talk(t, s, Options{Tray: s.Tray(), AutoTouch: true}, lines("insert Alice", "yes", "271828"))
	if !strings.Contains(out, "That key is taken as it is") || strings.Contains(out, "lost for ever") {
		t.Errorf("it says:\n%s", out)
	}
	if !strings.Contains(out, "Alice's token 90000001 has made its key.") {
		t.Errorf("it was not taken:\n%s", out)
	}
}
