package tui

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/exp/golden"

	"conclave/ceremony"
	"conclave/ceremony/preflight"
	"conclave/tui/room"
	"conclave/tui/room/roomtest"
)

// A stand drives an App by messages, with a clock of its own: every command
// is run to its end before the next message, so a test sees the same frames every time.
type stand struct {
	t    *testing.T
	app  *App
	mono time.Time
	late []tea.Cmd // commands kept back, see hold
	keep bool
}

func newStand(t *testing.T, o Options) *stand {
	t.Helper()
	s := &stand{t: t, mono: time.Unix(1000, 0)}
	if o.Now == nil {
		o.Now = func() time.Time { return roomtest.Noon }
	}
	s.app = newApp(t.Context(), o)
	s.app.mono = func() time.Time { return s.mono }
	s.app.after = func(time.Duration, tea.Msg) tea.Cmd { return nil }
	return s
}

// hold starts an App in a ceremony.
func hold(t *testing.T, session *roomtest.Session, tray Tray) *stand {
	t.Helper()
	s := newStand(t, Options{})
	s.run(s.app.enter(session, tray, nil))
	s.rest()
	return s
}

// at starts an App in a ceremony that stands at step.
func at(t *testing.T, session *roomtest.Session, step ceremony.Step) *stand {
	t.Helper()
	session.At = step
	for i := range session.People {
		session.People[i].Reviewed = step == ceremony.StepSign
		if step == ceremony.StepReview || step == ceremony.StepSign {
			session.People[i].Presence = ceremony.Here
		}
	}
	return hold(t, session, nil)
}

func (s *stand) rest() { s.mono = s.mono.Add(time.Second) }

// run runs a command and everything that follows from it.
func (s *stand) run(cmd tea.Cmd) {
	s.t.Helper()
	if cmd == nil {
		return
	}
	if s.keep {
		s.late = append(s.late, cmd)
		return
	}
	s.take(cmd())
}

func (s *stand) take(msg tea.Msg) {
	s.t.Helper()
	switch msg := msg.(type) {
	case nil:
	case tea.BatchMsg:
		for _, c := range msg {
			s.run(c)
		}
	default:
		s.send(msg)
	}
}

func (s *stand) send(msg tea.Msg) {
	s.t.Helper()
	_, cmd := s.app.Update(msg)
	s.run(cmd)
}

// tick lets a pulse go by: the readers are looked at and their answers come in.
func (s *stand) tick() {
	s.t.Helper()
	s.mono = s.mono.Add(pulse)
	s.send(tickMsg{})
	s.rest()
}

// key presses keys by name, resting before each.
func (s *stand) key(names ...string) {
	s.t.Helper()
	for _, n := range names {
		s.rest()
		s.send(keyMsg(n))
	}
}

// typed types text at a person's speed, then presses keys.
func (s *stand) typed(what string, then ...string) {
	s.t.Helper()
	s.rest()
	for _, r := range what {
		s.mono = s.mono.Add(120 * time.Millisecond)
		s.send(tea.KeyPressMsg{Code: r, Text: string(r)})
	}
	s.key(then...)
}

func keyMsg(name string) tea.KeyPressMsg {
	var mod tea.KeyMod
	if rest, ok := strings.CutPrefix(name, "alt+"); ok {
		name, mod = rest, tea.ModAlt
	}
	if rest, ok := strings.CutPrefix(name, "ctrl+"); ok {
		name, mod = rest, tea.ModCtrl
	}
	if rest, ok := strings.CutPrefix(name, "shift+"); ok {
		name, mod = rest, tea.ModShift
	}
	codes := map[string]rune{
		"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "up": tea.KeyUp, "down": tea.KeyDown,
		"left": tea.KeyLeft, "right": tea.KeyRight, "pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown,
		"backspace": tea.KeyBackspace, "delete": tea.KeyDelete, "home": tea.KeyHome, "end": tea.KeyEnd,
		"f1": tea.KeyF1, "f2": tea.KeyF2, "f9": tea.KeyF9, "f10": tea.KeyF10,
	}
	if c, ok := codes[name]; ok {
		return tea.KeyPressMsg{Code: c, Mod: mod}
	}
	if name == "space" {
		return tea.KeyPressMsg{Code: ' ', Text: " "}
	}
	k := tea.KeyPressMsg{Code: []rune(name)[0], Mod: mod}
	if mod == 0 {
		k.Text = name
	}
	return k
}

// view is the screen without colour, and checks that it is one.
func (s *stand) view() string {
	s.t.Helper()
	got := ansi.Strip(s.app.View().Content)
	lines := strings.Split(got, "\n")
	if len(lines) != s.app.height && !s.app.tooSmall() {
		s.t.Errorf("%d lines, not %d", len(lines), s.app.height)
	}
	for i, l := range lines {
		if w := ansi.StringWidth(l); w > s.app.width {
			s.t.Errorf("line %d is %d cells wide: %q", i+1, w, l)
		}
		lines[i] = strings.TrimRight(l, " ")
	}
	if !s.app.tooSmall() {
		s.whole()
	}
	return strings.Join(lines, "\n") + "\n"
}

// whole checks that nothing was cut off: no line of the page, and no key.
func (s *stand) whole() {
	s.t.Helper()
	p := s.app.page(s.app.bodyHeight())
	for _, l := range append(append([]Line{keyLine(s.app.inner(), s.app.keys())}, p.Lines...), p.Foot...) {
		if l.width() > s.app.inner() {
			s.t.Errorf("a line is cut: %q", s.app.theme.render(l))
		}
	}
}

// shot compares the screen with its golden, at 80x24 and at 120x40.
func (s *stand) shot() {
	s.t.Helper()
	s.app.width, s.app.height = 120, 40
	if large := s.view(); slices.Contains(largeShots, s.t.Name()) {
		s.t.Run("large", func(t *testing.T) { golden.RequireEqual(t, large) })
	}
	s.app.width, s.app.height = MinWidth, MinHeight
	golden.RequireEqual(s.t, s.view())
}

// largeShots have a golden at 120x40 as well.
var largeShots = []string{"TestScreens/review-1", "TestScreens/sign-table", "TestScreens/sign-words", "TestScreens/witness"}

func (s *stand) sees(want string) {
	s.t.Helper()
	if got := s.view(); !strings.Contains(got, want) {
		s.t.Errorf("no %q on the screen:\n%s", want, got)
	}
}

func words(session *roomtest.Session, doc int, positions ...int) []string {
	var out []string
	all := session.Documents[doc].Digest.Words()
	for _, p := range positions {
		out = append(out, all[p-1])
	}
	return out
}

// insert puts a token in and lets the screen notice.
func (s *stand) insert(session *roomtest.Session, i int) {
	s.t.Helper()
	session.Tray().Insert(i)
	s.tick()
}

// sayWords types the asked-for words of a holder of root and targets.
func (s *stand) sayWords(session *roomtest.Session) {
	s.t.Helper()
	for _, w := range append(words(session, 0, 3, 6), words(session, 1, 9)...) {
		s.typed(w, "enter")
	}
}

// A scene brings the screens to something worth seeing.
type scene struct {
	name string
	play func(t *testing.T) *stand
}

// rotationAt plays on in a change of keys that stands at step.
func rotationAt(step ceremony.Step, play func(*stand, *roomtest.Session)) func(*testing.T) *stand {
	return func(t *testing.T) *stand {
		r := roomtest.Rotation()
		s := at(t, r, step)
		play(s, r)
		return s
	}
}

// genesisAt plays on in a genesis that stands at step, with a tray of tokens.
func genesisAt(step ceremony.Step, play func(*stand, *roomtest.Session)) func(*testing.T) *stand {
	return func(t *testing.T) *stand {
		r := roomtest.Genesis()
		r.At = step
		s := hold(t, r, r.Tray())
		play(s, r)
		return s
	}
}

// nothing is done in a scene whose beginning is worth seeing.
func nothing(*stand, *roomtest.Session) {}

// typedSecrets types what an enrolment asks for, up to the last Enter.
func (s *stand) typedSecrets() {
	s.t.Helper()
	for _, secret := range []string{"123456", "271828", "271828", "31415926"} {
		s.typed(secret, "enter")
	}
	s.typed("31415926")
}

func scenes() []scene {
	rotation := roomtest.Rotation
	return []scene{
		{"preflight", func(t *testing.T) *stand { return hold(t, rotation(), nil) }},
		{"preflight exception", func(t *testing.T) *stand {
			s := hold(t, rotation(), nil)
			s.key("x")
			s.typed("no swap file of its own", "tab")
			s.typed("Alice", "tab")
			s.typed("alice", "enter")
			return s
		}},
		{"preflight accepted", func(t *testing.T) *stand {
			s := hold(t, rotation(), nil)
			s.key("x")
			s.typed("no swap file of its own", "tab")
			s.typed("Alice", "tab")
			s.typed("Bob", "enter")
			return s
		}},
		{"clock", func(t *testing.T) *stand {
			r := rotation()
			r.Evidence = r.Evidence[:2]
			s := hold(t, r, nil)
			s.key("enter")
			s.typed("Alice", "enter")
			s.typed("alice", "enter")
			return s
		}},
		{"roll call", rotationAt(ceremony.StepRollCall, func(s *stand, r *roomtest.Session) {
			s.insert(r, 1)
			s.key("up", "h", "a")
		})},
		{"roll call stranger", rotationAt(ceremony.StepRollCall, func(s *stand, r *roomtest.Session) {
			s.insert(r, 6)
		})},
		{"enrolment", func(t *testing.T) *stand {
			r := roomtest.Genesis()
			r.At = ceremony.StepEnrolment
			return hold(t, r, r.Tray())
		}},
		{"enrolment token", genesisAt(ceremony.StepEnrolment, func(s *stand, r *roomtest.Session) {
			s.insert(r, 0)
			s.typed("123456", "enter")
			s.typed("27")
		})},
		{"enrolment occupied", func(t *testing.T) *stand {
			r := roomtest.Genesis()
			r.At = ceremony.StepEnrolment
			r.Tokens[0].Blank = false
			s := hold(t, r, r.Tray())
			s.insert(r, 0)
			return s
		}},
		{"enrolment touch", genesisAt(ceremony.StepEnrolment, func(s *stand, r *roomtest.Session) {
			s.insert(r, 0)
			s.typedSecrets()
			s.keep = true
			s.key("enter")
		})},
		{"enrolment one done", genesisAt(ceremony.StepEnrolment, func(s *stand, r *roomtest.Session) {
			s.insert(r, 0)
			s.typedSecrets()
			s.key("enter")
		})},
		{"enrolment backup", func(t *testing.T) *stand {
			r := roomtest.Genesis()
			r.At = ceremony.StepEnrolment
			r.Backups = map[string]bool{"Alice": true}
			s := hold(t, r, r.Tray())
			s.insert(r, 0)
			s.typedSecrets()
			s.key("enter")
			s.insert(r, 0)
			return s
		}},
		{"enrolment left key", func(t *testing.T) *stand {
			r := roomtest.Genesis()
			r.At = ceremony.StepEnrolment
			r.Tokens[1].Blank, r.Tokens[1].Left = false, "Bob"
			s := hold(t, r, r.Tray())
			s.insert(r, 1)
			return s
		}},
		{"enrolment stray key", func(t *testing.T) *stand {
			r := roomtest.Genesis()
			r.At = ceremony.StepEnrolment
			r.Tokens[1].Blank, r.Tokens[1].Stray = false, true
			s := hold(t, r, r.Tray())
			s.insert(r, 1)
			return s
		}},
		{"roll call blocked", func(t *testing.T) *stand {
			r := roomtest.Rotation()
			r.At = ceremony.StepRollCall
			r.Tokens[0].Retries = 0
			s := hold(t, r, nil)
			s.insert(r, 0)
			return s
		}},
		{"roll call evidence", func(t *testing.T) *stand {
			r := roomtest.Rotation()
			r.At = ceremony.StepRollCall
			old := ceremony.Provenance{Warnings: []string{"firmware 5.4.3 has EUCLEAK (YSA-2024-03): who has the token for a day, its PIN and a laboratory can copy its key"}}
			r.Proved = []ceremony.KeyProof{
				{Holder: "Alice", Serial: 13078777},
				{Holder: "Alice", Serial: 13078790, Backup: true},
				{Holder: "Bob", Serial: 13078778, Provenance: old},
				{Holder: "Carol", Serial: 13078779, Why: "there is no evidence of it"},
			}
			return hold(t, r, nil)
		}},
		{"roll call token", func(t *testing.T) *stand {
			r := roomtest.Rotation()
			r.At = ceremony.StepRollCall
			s := hold(t, r, nil)
			s.insert(r, 0)
			s.key("t")
			return s
		}},
		{"unblock last try", func(t *testing.T) *stand {
			r := roomtest.Rotation()
			r.At = ceremony.StepSign
			r.Tokens[0].Retries, r.Tokens[0].PUKTries = 0, 1
			s := hold(t, r, nil)
			s.insert(r, 0)
			s.key("u")
			return s
		}},
		{"unblock PUK blocked", func(t *testing.T) *stand {
			r := roomtest.Rotation()
			r.At = ceremony.StepSign
			r.Tokens[0].Retries, r.Tokens[0].PUKTries = 0, -1
			s := hold(t, r, nil)
			s.insert(r, 0)
			return s
		}},
		{"freeze", func(t *testing.T) *stand {
			r := roomtest.Genesis()
			r.At = ceremony.StepFreeze
			return hold(t, r, r.Tray())
		}},
		{"freeze against the policy", func(t *testing.T) *stand {
			r := roomtest.Genesis()
			r.At = ceremony.StepFreeze
			r.Evidence = []preflight.Check{{
				Name: "policy", Status: preflight.Stop, Text: "the default policy: 1 rule is broken",
				Detail: []string{"spare-keys: root 1 has 3 of 3 keys for root: 0 to spare, the policy demands 1."},
				Fix:    "plan it again, or go on by an exception that 2 different people decide",
			}}
			r.Unsettled = []string{"policy"}
			return hold(t, r, r.Tray())
		}},
		{"review 1", rotationAt(ceremony.StepReview, nothing)},
		{"review 2", rotationAt(ceremony.StepReview, func(s *stand, _ *roomtest.Session) {
			s.key("space")
		})},
		{"review digest", rotationAt(ceremony.StepReview, func(s *stand, _ *roomtest.Session) {
			s.key("space", "space", "space")
		})},
		{"review names", rotationAt(ceremony.StepReview, func(s *stand, _ *roomtest.Session) {
			s.key("space", "space", "space", "space", "space", "space")
			s.typed("Alice", "enter")
			s.typed("bob", "enter")
			s.typed("Zoe", "enter")
		})},
		{"review find", rotationAt(ceremony.StepReview, func(s *stand, _ *roomtest.Session) {
			s.key("/")
			s.typed("77C019ab 3f9a")
		})},
		{"review found", rotationAt(ceremony.StepReview, func(s *stand, _ *roomtest.Session) {
			s.key("/")
			s.typed("77C019ab 3f9a", "enter")
		})},
		{"review details", rotationAt(ceremony.StepReview, func(s *stand, _ *roomtest.Session) {
			s.key("d")
		})},
		{"review dropped", func(t *testing.T) *stand {
			r := rotation()
			r.Lost = []string{"A signature on root 5 by Alice's key 5cb89d3f was dropped: it does not verify, or that key has no say."}
			return at(t, r, ceremony.StepReview)
		}},
		{"review practice", func(t *testing.T) *stand {
			r := roomtest.Genesis()
			r.At = ceremony.StepReview
			return hold(t, r, r.Tray())
		}},
		{"sign compromise", func(t *testing.T) *stand {
			r := rotation()
			r.Alarm = r.Clock.Add(-12 * time.Minute)
			s := at(t, r, ceremony.StepSign)
			s.key("j")
			s.fill("Grace", "", "she missed her train")
			return s
		}},
		{"confirm refused", func(t *testing.T) *stand {
			r := rotation()
			r.Fail["Confirm"] = []error{&ceremony.RuleError{
				Step: ceremony.StepConfirm, Rule: "clients", What: "a client at root 3 is stuck", Advice: `Plan it again, or record an exception for "clients".`,
			}}
			s := at(t, r, ceremony.StepConfirm)
			s.key("v")
			return s
		}},
		{"sign change", func(t *testing.T) *stand {
			r := rotation()
			r.SignedWhen["Alice/root"], r.SignedWhen["Alice/targets"] = r.Clock, r.Clock
			s := at(t, r, ceremony.StepSign)
			s.key("c")
			return s
		}},
		{"sign change cost", rotationAt(ceremony.StepSign, func(s *stand, _ *roomtest.Session) {
			s.key("c")
			s.fill("Grace:root", "Frank", "", "", "", "", "")
		})},
		{"sign changed", rotationAt(ceremony.StepSign, func(s *stand, _ *roomtest.Session) {
			s.key("c")
			s.fill("Grace:root", "Frank", "", "", "", "", "")
			s.fill("she came after all", "Olga", "Pat")
		})},
		{"sign table", func(t *testing.T) *stand {
			r := rotation()
			r.SignedWhen["Alice/root"], r.SignedWhen["Alice/targets"] = r.Clock, r.Clock
			s := at(t, r, ceremony.StepSign)
			r.People[5].Presence = ceremony.Away
			s.tick()
			s.insert(r, 1)
			s.sayWords(r)
			s.typed("271828", "enter")
			return s
		}},
		{"sign words", rotationAt(ceremony.StepSign, func(s *stand, r *roomtest.Session) {
			s.insert(r, 1)
			s.typed(words(r, 0, 3)[0], "enter")
		})},
		{"sign wrong word", rotationAt(ceremony.StepSign, func(s *stand, r *roomtest.Session) {
			s.insert(r, 1)
			s.typed("bison", "enter")
			s.typed("bison", "enter")
			s.typed("bison", "enter")
		})},
		{"sign PIN", rotationAt(ceremony.StepSign, func(s *stand, r *roomtest.Session) {
			s.insert(r, 1)
			s.sayWords(r)
			s.typed("271")
		})},
		{"sign PIN refused", rotationAt(ceremony.StepSign, func(s *stand, r *roomtest.Session) {
			s.insert(r, 1)
			s.sayWords(r)
			s.typed("000000", "enter")
		})},
		{"sign last try", func(t *testing.T) *stand {
			r := rotation()
			r.Tokens[1].Retries = 1
			s := at(t, r, ceremony.StepSign)
			s.insert(r, 1)
			s.sayWords(r)
			s.typed("13078777", "enter")
			s.typed("271828", "enter")
			return s
		}},
		{"sign touch", rotationAt(ceremony.StepSign, func(s *stand, r *roomtest.Session) {
			s.insert(r, 1)
			s.sayWords(r)
			s.typed("271828")
			s.keep = true
			s.key("enter")
			s.mono = s.mono.Add(8 * time.Second)
		})},
		{"sign pulled out", rotationAt(ceremony.StepSign, func(s *stand, r *roomtest.Session) {
			s.insert(r, 1)
			s.sayWords(r)
			s.typed("271828")
			s.keep = true
			s.key("enter")
			first := s.late
			s.late = nil
			s.take(first[0]()) // ROOT is signed, TARGETS is asked for
			r.Tray().Yank()
			s.keep = false
			for _, c := range s.late {
				s.run(c)
			}
		})},
		{"sign complete", func(t *testing.T) *stand {
			r := rotation()
			for _, h := range []string{"Alice", "Bob", "Erin"} {
				r.SignedWhen[h+"/root"], r.SignedWhen[h+"/targets"] = r.Clock, r.Clock
			}
			return at(t, r, ceremony.StepSign)
		}},
		{"sign late reader", rotationAt(ceremony.StepSign, func(s *stand, r *roomtest.Session) {
			r.People[4].Reviewed = false
			s.key("l")
			s.send(answerMsg{session: room.Session(r), state: r.State()})
			s.insert(r, 4)
		})},
		{"partial", rotationAt(ceremony.StepSign, func(s *stand, _ *roomtest.Session) {
			s.key("e")
		})},
		{"witness", rotationAt(ceremony.StepSign, func(s *stand, _ *roomtest.Session) {
			s.key("w")
		})},
		{"witness large", rotationAt(ceremony.StepSign, func(s *stand, _ *roomtest.Session) {
			s.key("w", "right", "down", "enter")
		})},
		{"confirm", rotationAt(ceremony.StepConfirm, nothing)},
		{"export", rotationAt(ceremony.StepConfirm, func(s *stand, _ *roomtest.Session) {
			s.key("v")
		})},
		{"export failed", func(t *testing.T) *stand {
			r := rotation()
			r.Fail["Export"] = []error{context.DeadlineExceeded}
			s := at(t, r, ceremony.StepConfirm)
			s.key("v", "w")
			return s
		}},
		{"close", rotationAt(ceremony.StepConfirm, func(s *stand, _ *roomtest.Session) {
			s.key("v", "w")
			s.typed("we saw it all", "enter")
			s.typed("sea", "enter")
		})},
		{"done", rotationAt(ceremony.StepConfirm, func(s *stand, _ *roomtest.Session) {
			s.key("v", "w")
			s.typed("we saw it all", "enter")
			s.typed("seal", "enter")
		})},
		{"help", func(t *testing.T) *stand {
			r := roomtest.Genesis()
			r.At = ceremony.StepSign
			s := hold(t, r, r.Tray())
			s.key("?")
			return s
		}},
		{"too small", func(t *testing.T) *stand {
			s := hold(t, rotation(), nil)
			s.send(tea.WindowSizeMsg{Width: 60, Height: 20})
			return s
		}},
	}
}

func TestScreens(t *testing.T) {
	for _, sc := range slices.Concat(scenes(), homeScenes(), lightScenes(), scanScenes(), plannerScenes()) {
		t.Run(strings.ReplaceAll(sc.name, " ", "-"), func(t *testing.T) {
			s := sc.play(t)
			if s.app.tooSmall() {
				golden.RequireEqual(t, s.view())
				return
			}
			s.shot()
		})
	}
}
