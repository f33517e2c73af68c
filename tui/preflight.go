package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"conclave/ceremony/preflight"
	"conclave/tui/room"
	"conclave/tui/say"
	"conclave/tui/text"
)

// A preflightScreen shows the evidence about the machine and asks for
// decisions until nothing is open.
type preflightScreen struct{ stage }

func (s *preflightScreen) start() tea.Cmd { return s.check() }
func (s *preflightScreen) Title() string  { return "preflight" }

func (s *preflightScreen) check() tea.Cmd {
	s.clear()
	cmd := ask(s.app, s.app.session.Preflight, func(_ []preflight.Check, err error) tea.Cmd {
		s.busy = 0
		if err != nil {
			s.tell(say.Trouble(err))
		}
		return nil
	})
	s.busy = s.app.lastOp
	return cmd
}

func (s *preflightScreen) Body(w, _ int) Page {
	st := s.app.state
	var p Page
	for _, c := range st.Checks() {
		p.Lines = append(p.Lines, decidedLines(w, st, c)...)
	}
	p.Foot = append(s.said(w), blank)
	switch open := st.Open(); {
	case s.busy != 0:
		p.Foot = append(p.Foot, say1(plain, "Looking at this machine ..."))
	case len(st.Checks()) == 0:
		p.Foot = append(p.Foot, say1(plain, "Nothing has been looked at."))
	case len(open) == 0:
		p.Foot = append(p.Foot, say1(plain, "No line wants a decision. Next, the clock is read aloud."))
	default:
		p.Foot = append(p.Foot, para(w, 0, strong, say.WantDecision(open))...)
	}
	return p
}

// decidedLines show a check, and what people decided on it.
func decidedLines(w int, st room.State, c preflight.Check) []Line {
	lines := checkLines(w, c)
	for _, e := range st.Exceptions() {
		if e.What == c.Name {
			lines = append(lines, hanging(w, sp(plain, "%15s", ""), say.Exception(e), strong)...)
		}
	}
	return lines
}

// checkLines shows one line of evidence: glyph, name, what was seen.
func checkLines(w int, c preflight.Check) []Line {
	t := good
	if c.Status != preflight.OK {
		t = warn
	}
	label := sp(t, "%-5s", say.Mark(c.Status))
	name := span{text.Pad(text.Clean(c.Name), 10), plain}
	lines := hanging(w, span{text.Pad(text.Concat(label.text, name.text), 15), plain}, text.Clean(c.Text), plain)
	lines[0].spans = append([]span{label, name}, lines[0].spans[1:]...)
	for _, d := range c.Detail {
		lines = append(lines, hanging(w, sp(plain, "%15s", ""), text.Clean(d), plain)...)
	}
	if c.Fix != "" {
		lines = append(lines, hanging(w, sp(plain, "%15s", ""), text.F("to mend it: %s", c.Fix), strong)...)
	}
	return lines
}

func (s *preflightScreen) Keys() []Key {
	keys := []Key{on("s", "check again", s.check, "s")}
	if st := s.app.state; len(st.Open()) > 0 {
		keys = append(keys, on("x", "exception", func() tea.Cmd { return s.except(st.Open()[0]) }, "x"))
	} else if len(st.Checks()) > 0 {
		keys = append(keys, on("enter", "continue", s.readClock, "enter"))
	}
	return s.idle(keys...)
}

// except asks for a decision on a line that wants one.
func (s *stage) except(what string) tea.Cmd {
	about := []text.Safe{
		text.F("Go on in spite of: %s", what),
		text.Clean("This is an exception. What was found, why it is accepted, and by whom, goes on record and is read by everybody who checks it later."),
	}
	for _, c := range s.app.state.Checks() {
		if c.Name == what {
			about[0] = text.F("Go on in spite of: %s. %s", what, c.Text)
		}
	}
	if s.app.state.Deciders(what) == 0 {
		s.tell(say.Notice{What: say.Deciding(0, false)})
		return nil
	}
	return s.app.open(decide(*s, decision{
		title: "exception", on: what, about: about,
		do:    func(why string, by []string) error { return s.app.session.Except(what, why, by) },
		after: func() { s.good("On record: %s is accepted.", what) },
	}))
}

// readClock asks for the people who have compared the clock.
func (s *preflightScreen) readClock() tea.Cmd {
	first, second := newField("read by"), newField("and by")
	fields := []*field{first, second}
	if s.app.state.Practice() {
		fields = fields[:1]
	}
	session := s.app.session
	a := &askScreen{stage: stage{app: s.app}, form: form{fields: fields}, title: "clock", verb: "we have compared it"}
	a.intro = func() []text.Safe {
		return []text.Safe{
			text.F("The clock of this machine:   %s", text.Moment(s.app.now)),
			text.Clean("Read it aloud and compare it with a watch. A wrong clock signs wrong dates. If it is wrong: esc, set the clock, check again."),
		}
	}
	a.commit = func() error { return session.PassPreflight(say.Names(strings.Join(texts(fields), ","))) }
	a.check = func() string {
		if twice(fields) != "" {
			return "Two different people are needed."
		}
		return ""
	}
	return s.app.open(a)
}
