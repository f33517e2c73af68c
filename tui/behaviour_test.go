package tui

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"conclave/ceremony"
	"conclave/hsm"
	"conclave/tui/room/roomtest"
)

func calls(s *roomtest.Session, name string) int {
	n := 0
	for _, c := range s.Calls() {
		if strings.HasPrefix(c, name+" ") || c == name {
			n++
		}
	}
	return n
}

// ready brings Bob to the PIN field: his words were typed and match.
func ready(t *testing.T) (*stand, *roomtest.Session) {
	t.Helper()
	r := roomtest.Rotation()
	s := at(t, r, ceremony.StepSign)
	s.insert(r, 1)
	s.sayWords(r)
	s.sees("The words match")
	return s, r
}

func TestWordsThenPINThenTouchesSign(t *testing.T) {
	s, r := ready(t)
	s.typed("271828", "enter")
	s.sees("Bob signed ROOT 5 and TARGETS 18")
	if n := calls(r, "Sign"); n != 2 {
		t.Errorf("%d signatures were asked for, not 2: %v", n, r.Calls())
	}
}

// Somebody gives up at the touch; the token answers a moment later, and signs.
func TestLateAnswerIsDropped(t *testing.T) {
	s, _ := ready(t)
	s.typed("271828")
	s.keep = true
	s.key("enter", "esc")
	s.sees("You stopped waiting")
	s.keep = false
	for _, c := range s.late {
		s.run(c)
	}
	s.sees("You stopped waiting")
	if strings.Contains(s.view(), "[TOUCH]") {
		t.Errorf("the visit went on after it was left:\n%s", s.view())
	}
}

// What a token did although nobody waited any more still counts, and is shown.
func TestLateSignatureIsShown(t *testing.T) {
	s, _ := ready(t)
	s.typed("271828")
	s.keep = true
	s.key("enter", "esc")
	s.keep = false
	for _, c := range s.late {
		s.run(c)
	}
	s.sees("root 4's keys 1 of 3")
}

// A screen opens by itself while somebody types: their keystrokes were meant
// for the one before.
func TestAScreenThatOpensByItselfIgnoresKeysUntilTheyRest(t *testing.T) {
	r := roomtest.Rotation()
	r.Evidence = r.Evidence[:1]
	s := hold(t, r, nil)
	s.key("enter")
	s.typed("Alice", "enter")
	s.typed("Bob", "enter")
	s.sees("roll call")
	for range 20 {
		s.mono = s.mono.Add(quiet - time.Millisecond)
		s.send(keyMsg("h"))
	}
	if n := calls(r, "Arrive"); n != 0 {
		t.Fatalf("%d keys in flight were taken", n)
	}
	s.mono = s.mono.Add(quiet)
	s.send(keyMsg("h"))
	if n := calls(r, "Arrive"); n != 1 {
		t.Errorf("%d arrivals after a rest, not 1", n)
	}
}

func TestATokenThatIsPutInOpensItsCardDeaf(t *testing.T) {
	r := roomtest.Rotation()
	s := at(t, r, ceremony.StepSign)
	r.Tray().Insert(1)
	s.mono = s.mono.Add(pulse)
	s.send(tickMsg{})
	s.send(keyMsg("b"))
	s.sees("word 3 of ROOT 5")
	if got := s.app.screen.(*signScreen).card.form.fields[0].text(); got != "" {
		t.Errorf("a key in flight was typed as %q", got)
	}
}

// mashed is how many keys a random test presses, at most.
func mashed() int {
	if testing.Short() {
		return 12
	}
	return 60
}

// Whatever is pressed, no token is asked to sign before its holder's words
// and PIN were typed.
func TestRandomKeysNeverSign(t *testing.T) {
	names := []string{
		"enter", "enter", "enter", "esc", "tab", "up", "down", "space", "y", "n", "e", "w", "l", "b", "s", "v", "f", "x", "h", "a",
		"?", "ctrl+g", "ctrl+w", "1", "2", "7", "8", "pgdown", "pgup", "backspace", "alt+x", "ctrl+o", "f9",
	}
	rapid.Check(t, func(rt *rapid.T) {
		r := roomtest.Rotation()
		s := at(t, r, ceremony.StepSign)
		s.insert(r, rapid.IntRange(0, 6).Draw(rt, "token"))
		for range rapid.IntRange(0, mashed()).Draw(rt, "keys") {
			s.key(rapid.SampledFrom(names).Draw(rt, "key"))
			if rapid.IntRange(0, 9).Draw(rt, "tick") == 0 {
				s.tick()
			}
		}
		if n := calls(r, "Sign"); n != 0 {
			rt.Fatalf("a signature was asked for: %v", r.Calls())
		}
	})
}

// The words were typed; from there on only a whole PIN leads to the token.
func TestRandomKeysAfterTheWordsNeverSignWithoutAPIN(t *testing.T) {
	names := []string{"enter", "enter", "tab", "up", "backspace", "ctrl+g", "esc", "y", "space", "1"}
	rapid.Check(t, func(rt *rapid.T) {
		s, r := ready(t)
		typed := 0
		for range rapid.IntRange(0, mashed()).Draw(rt, "keys") {
			k := rapid.SampledFrom(names).Draw(rt, "key")
			if len(k) == 1 || k == "space" {
				if typed++; typed >= hsm.MinPIN {
					continue
				}
			}
			s.key(k)
		}
		if n := calls(r, "Sign"); n != 0 {
			rt.Fatalf("a signature was asked for: %v", r.Calls())
		}
	})
}

func TestThePINIsNeverPartOfAFrame(t *testing.T) {
	s, _ := ready(t)
	const pin = "90817263"
	frames := map[string]bool{}
	for _, r := range pin {
		s.mono = s.mono.Add(200 * time.Millisecond)
		s.send(tea.KeyPressMsg{Code: r, Text: string(r)})
		v := s.view()
		if strings.ContainsAny(strings.ReplaceAll(v, "13078779", ""), "9") {
			t.Fatalf("a digit of the PIN is on the screen:\n%s", v)
		}
		frames[v] = true
	}
	if len(frames) != 1 {
		t.Errorf("the frame tells how many characters were typed: %d different ones", len(frames))
	}
}

// A YubiKey that is touched types its one-time password, 44 characters and
// enter, into whatever has the focus: here, the PIN field.
// A nervous holder types the PIN where the words are asked for.
func TestAPINTypedForAWordIsNotShown(t *testing.T) {
	r := roomtest.Rotation()
	s := at(t, r, ceremony.StepSign)
	s.insert(r, 1)
	s.typed("ab7", "7", "x7")
	if v := strings.ReplaceAll(s.view(), "13078779", ""); strings.ContainsAny(v, "7") {
		t.Errorf("a part of the PIN is on the screen:\n%s", v)
	}
	s.sees("A word has letters only")
	s.sayWords(r)
	s.sees("The words match")
}

func TestAOneTimePasswordIsThrownAway(t *testing.T) {
	for _, gap := range []time.Duration{0, 2 * time.Millisecond, 16 * time.Millisecond, 60 * time.Millisecond} {
		s, r := ready(t)
		for _, c := range "cccccbdefghijklnrtuvcbdefghijklnrtuvcbdefghi" {
			s.mono = s.mono.Add(gap)
			s.send(tea.KeyPressMsg{Code: c, Text: string(c)})
		}
		s.mono = s.mono.Add(gap)
		s.send(keyMsg("enter"))
		if calls(r, "Sign") != 0 {
			t.Fatalf("the token's own password was sent as a PIN (gap %v)", gap)
		}
		s.sees("That came from the token")
		s.rest()
		s.typed("271828", "enter")
		if calls(r, "Sign") != 2 {
			t.Errorf("the PIN was not taken after the burst (gap %v):\n%s", gap, s.view())
		}
	}
}

// Bob types a digit too many.
func TestALongPINIsThrownAwayAndSaid(t *testing.T) {
	s, r := ready(t)
	s.typed("123456789")
	s.sees("at most 8 characters")
	if calls(r, "Sign") != 0 {
		t.Error("a part of it was sent")
	}
	s.typed("271828", "enter")
	if calls(r, "Sign") != 2 {
		t.Errorf("the right PIN did not sign:\n%s", s.view())
	}
}

// Bob has his PIN in the clipboard.
func TestAPINIsNeverPasted(t *testing.T) {
	s, r := ready(t)
	s.send(tea.PasteMsg{Content: "271828"})
	s.key("enter")
	s.sees("A PIN has 6 to 8 characters")
	if calls(r, "Sign") != 0 {
		t.Error("a pasted PIN was sent")
	}
}

func TestWordsAreNotPasted(t *testing.T) {
	r := roomtest.Rotation()
	s := at(t, r, ceremony.StepSign)
	s.insert(r, 1)
	s.send(tea.PasteMsg{Content: words(r, 0, 3)[0]})
	if got := s.app.screen.(*signScreen).card.form.fields[0].text(); got != "" {
		t.Errorf("pasted: %q", got)
	}
}

func TestTheAskedForWordsAreMasked(t *testing.T) {
	r := roomtest.Rotation()
	s := at(t, r, ceremony.StepSign)
	s.insert(r, 1)
	for _, w := range words(r, 0, 3, 6) {
		if strings.Contains(s.view(), w) {
			t.Errorf("the asked-for word %s is on the screen:\n%s", w, s.view())
		}
	}
}

// Bob mistyped his PIN twice at home. The last try is not sent before he has typed the token's serial.
func TestTheLastTryWantsTheSerial(t *testing.T) {
	r := roomtest.Rotation()
	r.Tokens[1].Retries = 1
	s := at(t, r, ceremony.StepSign)
	s.insert(r, 1)
	s.sayWords(r)
	s.typed("", "enter")
	s.typed("271828", "enter")
	if calls(r, "Sign") != 0 {
		t.Fatal("the last try was used without the serial")
	}
	s.typed("13078779", "enter", "enter")
	if calls(r, "Sign") != 2 {
		t.Errorf("with the serial it did not sign:\n%s", s.view())
	}
}

// Bob mistypes his PIN and hammers Enter: what was refused once is not sent again.
func TestAPINAfterARefusalIsAskedForAgain(t *testing.T) {
	s, r := ready(t)
	s.typed("000000", "enter")
	s.sees("2 tries left")
	s.key("enter", "enter", "enter")
	if n := calls(r, "Sign"); n != 1 {
		t.Errorf("%d tries were made of one PIN", n)
	}
}

func TestATokenThatIsTakenOutEndsItsVisit(t *testing.T) {
	s, r := ready(t)
	s.typed("2718")
	r.Tray().Remove(1)
	s.tick()
	s.sees("Bob's token was taken out")
	if s.app.screen.(*signScreen).card != nil {
		t.Error("the card is still there")
	}
}

func TestNoKeyActsOnATerminalThatIsTooSmall(t *testing.T) {
	s, r := ready(t)
	s.typed("271828")
	s.send(tea.WindowSizeMsg{Width: 79, Height: 24})
	s.key("enter", "esc", "?")
	s.send(tea.WindowSizeMsg{Width: 80, Height: 24})
	if calls(r, "Sign") != 0 {
		t.Error("a key acted that nobody could see")
	}
	s.sees("The words match")
	s.key("enter")
	if calls(r, "Sign") != 2 {
		t.Error("what was typed before is gone")
	}
}

func TestEscapeAndAKeyInQuickSuccessionIsEscape(t *testing.T) {
	s, _ := ready(t)
	s.key("alt+7")
	if s.app.screen.(*signScreen).card != nil {
		t.Errorf("alt+7 did not leave:\n%s", s.view())
	}
}

func TestTheTrayMovesTokensWhateverTheScreenDoes(t *testing.T) {
	r := roomtest.Genesis()
	r.At = ceremony.StepEnrolment
	s := hold(t, r, r.Tray())
	s.send(keyMsg("f1"))
	s.tick()
	s.sees("F1 Alice [in]")
	s.sees("Alice enrols YubiKey 90000001")
	s.send(keyMsg("alt+1"))
	s.tick()
	s.sees("F1 Alice  F2 Bob")
}

func TestCapsLockDoesNotMatterWhereNothingIsTyped(t *testing.T) {
	r := roomtest.Rotation()
	s := at(t, r, ceremony.StepRollCall)
	s.key("H")
	if calls(r, "Arrive") != 1 {
		t.Error("H is not h")
	}
}

func TestTheNumberPadTypesAPIN(t *testing.T) {
	s, r := ready(t)
	for _, d := range "271828" {
		s.rest()
		s.send(tea.KeyPressMsg{Code: tea.KeyKp0 + d - '0'})
	}
	s.send(tea.KeyPressMsg{Code: tea.KeyKpEnter})
	if calls(r, "Sign") != 2 {
		t.Errorf("the number pad does not type:\n%s", s.view())
	}
}

func TestAKeyThatNoPINHasIsSaid(t *testing.T) {
	s, r := ready(t)
	s.send(tea.KeyPressMsg{Code: 'é', Text: "é"})
	s.sees("That key was left out")
	s.typed("271828", "enter")
	if calls(r, "Sign") != 2 {
		t.Error("the rest of the PIN was not taken")
	}
}

// A file name or an error can hold anything.
func TestOutsideTextNeverReachesTheTerminalAsItIs(t *testing.T) {
	const evil = "A\x1b[2J\x1b]0;owned\x07\u202eB\r\nC"
	r := roomtest.Rotation()
	r.Name, r.Reason = "root "+evil, evil
	r.Fail["Look"] = []error{errors.New(evil)}
	r.Evidence[0].Text, r.Evidence[2].Name, r.Evidence[2].Fix, r.Evidence[7].Detail = evil, evil, evil, []string{evil}
	for i := range r.People {
		r.People[i].Name += evil
		r.Tokens[i].Name += evil
		r.Tokens[i].Holder += evil
	}
	for i := range r.Needs {
		r.Needs[i].Name += evil
		for j := range r.Needs[i].Holders {
			r.Needs[i].Holders[j] += evil
		}
	}
	for _, d := range r.Changes {
		for i := range d.Changes {
			d.Changes[i].Text += evil
		}
		for i := range d.Power {
			d.Power[i].After.Names = append(d.Power[i].After.Names, evil)
		}
		d.Meaning = append(d.Meaning, evil)
	}
	r.Sentences = []string{evil}
	for _, step := range append(slices.Clone(r.All), ceremony.StepDone) {
		r.At = step
		s := hold(t, r, r.Tray())
		r.Tray().Insert(1)
		s.tick()
		s.tick()
		raw := s.app.View().Content
		for _, bad := range []string{"\x1b[2J", "\x1b]0", "\x07", "\u202e", "\r"} {
			if strings.Contains(raw, bad) {
				t.Errorf("at %s %q reached the terminal", step, bad)
			}
		}
		if n := strings.Count(raw, "\n"); n != MinHeight-1 {
			t.Errorf("at %s there are %d lines", step, n+1)
		}
	}
}

func TestEveryStepHasItsScreen(t *testing.T) {
	s := newStand(t, Options{})
	seen := map[string]bool{}
	for _, step := range append(roomtest.Genesis().All, ceremony.StepDone) {
		seen[s.app.screenOf(step).Title()] = true
	}
	if len(seen) != 10 {
		t.Errorf("%d different screens for 10 steps: %v", len(seen), seen)
	}
}

func TestCtrlCLeavesFromEverywhere(t *testing.T) {
	s, _ := ready(t)
	_, cmd := s.app.Update(keyMsg("ctrl+c"))
	if _, ok := cmd().(tea.InterruptMsg); !ok {
		t.Error("ctrl+c does not leave")
	}
}

// In practice one person is enough; two in the one field are taken as two.
func TestTheClockTakesTwoNamesInOneField(t *testing.T) {
	r := roomtest.Genesis()
	s := hold(t, r, r.Tray())
	s.key("enter")
	s.typed("Alice, Bob", "enter")
	if n := calls(r, "PassPreflight [Alice Bob]"); n != 1 {
		t.Errorf("the clock was not read by Alice and Bob: %v", r.Calls())
	}
}

// A whole genesis by keyboard and tray.
func TestGenesisByKeyboard(t *testing.T) {
	r := roomtest.Genesis()
	s := hold(t, r, r.Tray())
	s.key("enter")
	s.typed("Alice", "enter")
	s.key("h", "h", "h", "enter")
	for i := range 3 {
		s.insert(r, i)
		s.typed("123456", "enter")
		s.typed("271828", "enter")
		s.typed("271828", "enter")
		s.typed("31415926", "enter")
		s.typed("31415926", "enter")
		r.Tray().Remove(i)
		s.tick()
	}
	s.key("f")
	for s.app.step == ceremony.StepReview && !s.app.screen.(*reviewScreen).atEnd() {
		s.key("space")
	}
	s.typed("Alice", "enter")
	s.typed("2", "enter")
	s.typed("carol", "enter")
	s.key("s")
	for i := range 2 {
		s.insert(r, i)
		s.sayWords(r)
		s.typed("271828", "enter")
		r.Tray().Remove(i)
		s.tick()
	}
	s.key("enter", "v", "w", "enter")
	s.typed("seal", "enter")
	s.sees("The ceremony is closed")
}

// Leaving the last screen ends a program that has no home; its last frame is
// drawn after that.
func TestTheLastFrameIsDrawnAfterLeaving(t *testing.T) {
	s := at(t, roomtest.Rotation(), ceremony.StepDone)
	_, cmd := s.app.Update(keyMsg("q"))
	if _, ok := cmd().(tea.QuitMsg); !ok {
		t.Error("q does not leave")
	}
	s.sees("The ceremony is closed")
}

func TestLeavingACeremonyGoesHome(t *testing.T) {
	s := newStand(t, Options{Desk: stick()})
	closed := 0
	r := roomtest.Rotation()
	r.At = ceremony.StepDone
	s.run(s.app.enter(r, r.Tray(), func() error { closed++; return nil }))
	s.key("q")
	s.sees("What do you want to do?")
	if closed != 1 {
		t.Errorf("the session was closed %d times", closed)
	}
}

// A footer that is cut hides what works. Keys without room are on the help page, and
// the footer says that there are more.
func TestNoFooterIsCut(t *testing.T) {
	for _, sc := range slices.Concat(scenes(), homeScenes(), lightScenes(), scanScenes(), plannerScenes()) {
		t.Run(strings.ReplaceAll(sc.name, " ", "-"), func(t *testing.T) {
			s := sc.play(t)
			if s.app.tooSmall() {
				return
			}
			s.app.width, s.app.height = MinWidth, MinHeight
			keys := s.app.keys()
			if s.app.overflow() == 0 { // as if the page were longer
				tail := len(keys) - 2
				keys = append(append(slices.Clone(keys[:tail]), s.app.scrollKeys()...), keys[tail:]...)
			}
			l := keyLine(s.app.inner(), keys)
			if l.width() > s.app.inner() {
				t.Errorf("cut: %q", s.app.theme.render(l))
			}
			shown := ansi.Strip(s.app.theme.render(l))
			whole := !slices.ContainsFunc(keys, func(k Key) bool { return !strings.Contains(shown, k.Help().Key+" ") })
			switch {
			case !strings.HasSuffix(shown, "ctrl+c leave"):
				t.Errorf("nothing says how to leave: %q", shown)
			case !whole && !strings.Contains(shown, "more keys"):
				t.Errorf("nothing says that there are more keys: %q", shown)
			case whole && strings.Contains(shown, "more keys"):
				t.Errorf("there are no more keys: %q", shown)
			}
		})
	}
}

// Every key that a footer leaves out is on the help page.
func TestTheHelpNamesEveryKey(t *testing.T) {
	s := at(t, roomtest.Rotation(), ceremony.StepReview)
	s.app.screen.(*reviewScreen).finder.want = "x"
	keys := s.app.keys()
	s.key("?")
	var help strings.Builder
	for _, l := range s.app.helpPage().Lines {
		help.WriteString(ansi.Strip(s.app.theme.render(l)) + "\n")
	}
	for _, k := range keys {
		if h := k.Help(); !strings.Contains(help.String(), h.Key) || !strings.Contains(help.String(), h.Desc) {
			t.Errorf("%s %s is not on the help page", h.Key, h.Desc)
		}
	}
}

func TestFindingGoesRoundThePages(t *testing.T) {
	s := at(t, roomtest.Rotation(), ceremony.StepReview)
	s.key("/")
	s.typed("expires", "enter")
	s.sees("page 1 of 6")
	s.sees("expires is on this page, the 1st of 2 that have it.")
	s.key("n")
	s.sees("expires is on this page, the 2nd of 2 that have it.")
	s.key("n")
	s.sees("page 1 of 6")
	s.key("/")
	s.typed("Mallory", "enter")
	s.sees("No page has Mallory.")
	s.key("/", "esc", "space")
	s.sees("page 2 of 6")
}

// Bob's third wrong PIN blocks his token in the middle of the ceremony. Nothing is
// tried by itself: he is offered the PUK, mistypes it once, and signs in the end.
func TestBlockedPINIsSetAnewWithThePUK(t *testing.T) {
	r := roomtest.Rotation()
	r.At = ceremony.StepSign
	for i := range r.People {
		r.People[i].Reviewed = true
	}
	bob := r.Tokens[slices.IndexFunc(r.Tokens, func(k *roomtest.Token) bool { return k.Holder == "Bob" })]
	bob.PIN, bob.PUK, bob.Retries = "271828", "31415926", 1
	s := hold(t, r, nil)
	s.insert(r, slices.Index(r.Tokens, bob))
	s.sayWords(r)
	s.typed(fmt.Sprint(bob.Serial), "enter")
	s.typed("111111", "enter")
	s.sees("is blocked")
	s.sees("PUK: 3 tries left.")
	s.sees("u unblock with PUK")
	try := func(puk string) {
		s.key("u")
		s.typed(puk, "enter")
		s.typed("161803", "enter")
		s.typed("161803", "enter")
	}
	try("99999999")
	s.sees("The token refused the PUK; 2 tries left.")
	s.tick()
	s.sees("PUK: 2 tries left.")
	try("31415926")
	s.sees(fmt.Sprintf("Token %d has its new PIN.", bob.Serial))
	s.tick()
	s.sayWords(r)
	s.typed("161803", "enter")
	s.sees("Bob signed")
	if got := strings.Count(strings.Join(r.Calls(), "\n"), "Unblock"); got != 2 {
		t.Errorf("the PUK was sent %d times, want twice", got)
	}
}

// A weak or mistyped new PIN must not cost a try of the PUK.
func TestNothingIsSentBeforeTheNewPINIsGood(t *testing.T) {
	r := roomtest.Rotation()
	r.At = ceremony.StepSign
	r.Tokens[0].Retries = 0
	s := hold(t, r, nil)
	s.insert(r, 0)
	s.key("u")
	s.typed("31415926", "enter")
	s.typed("111111", "enter")
	s.typed("111111", "enter")
	s.sees("fewer than 3 different digits")
	s.typed("271828", "enter")
	s.typed("271829", "enter")
	s.sees("The two new PINs differ.")
	s.key("esc")
	if calls := strings.Join(r.Calls(), "\n"); strings.Contains(calls, "Unblock") {
		t.Errorf("something was sent:\n%s", calls)
	}
}
