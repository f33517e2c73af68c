package tui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"conclave/tui/say"
	"conclave/tui/text"
)

// An askScreen asks for a few answers before something is done on record. It
// goes away when that was done, or with esc.
type askScreen struct {
	stage
	form
	title  string
	intro  func() []text.Safe // said above the fields
	verb   string             // of enter in the last field
	commit func() error       // reads the fields; called off the event loop
	check  func() string      // says what is wrong with the fields, "" if nothing
	after  func()             // once it is done
	then   func() tea.Cmd     // likewise, where that takes its time
	empty  bool               // fields may be left empty
}

func (s *askScreen) Title() string { return s.title }

func (s *askScreen) Body(w, _ int) Page {
	lines := append([]Line{blank}, paras(w, 0, plain, s.intro()...)...)
	lines = append(lines, blank)
	lines = append(lines, s.form.lines(w)...)
	return Page{Lines: lines, Foot: s.said(w)}
}

func (s *askScreen) Keys() []Key {
	keys := append(s.form.keys(s.verb, s.submit), back("cancel", s.app.shut))
	return s.idle(keys...)
}

func (s *askScreen) submit() tea.Cmd {
	if !s.empty && s.missing() {
		s.tell(say.Notice{What: text.F("Please fill in: %s.", s.current().label)})
		return nil
	}
	if s.check != nil {
		if wrong := s.check(); wrong != "" {
			s.tell(say.Notice{What: text.Clean(wrong)})
			return nil
		}
	}
	s.clear()
	cmd := s.app.do(noContext(s.commit), func(err error) tea.Cmd {
		s.busy = 0
		if err != nil {
			s.tell(say.Trouble(err))
			return nil
		}
		s.app.shut()
		if s.after != nil {
			s.after()
		}
		if s.then != nil {
			return s.then()
		}
		return nil
	})
	s.busy = s.app.lastOp
	return cmd
}

func (s *askScreen) typing() bool            { return s.busy == 0 }
func (s *askScreen) typed(k tea.KeyPressMsg) { s.current().typed(k) }
func (s *askScreen) pasted(t string)         { s.current().pasted(t) }

// A decision is an exception that people are asked for.
type decision struct {
	title string
	on    string      // what the exception is for, as State.Deciders takes it
	about []text.Safe // said above the fields
	do    func(why string, by []string) error
	after func()
}

// decide asks why something is done against the rules, and for everybody who decides it in a field of their own.
func decide(s stage, d decision) *askScreen {
	n, practice := s.app.state.Deciders(d.on), s.app.state.Practice()
	why := newField("why")
	fields, by := []*field{why}, []*field{}
	for i := range max(n, 1) {
		f := newField("decided by")
		if i > 0 {
			f = newField("and by")
		}
		fields, by = append(fields, f), append(by, f)
	}
	a := &askScreen{stage: stage{app: s.app}, form: form{fields: fields}, title: d.title, verb: "put on record", after: d.after}
	a.intro = func() []text.Safe { return append(slices.Clone(d.about), say.Deciding(n, practice)) }
	a.check = func() string { return twice(by) }
	a.commit = func() error { return d.do(why.text(), texts(by)) }
	return a
}

// twice says that two fields name the same person, "" where none do.
func twice(fields []*field) string {
	for i, f := range fields {
		for _, other := range fields[:i] {
			if say.SameName(f.text(), other.text()) {
				return "Different people are needed: each name once."
			}
		}
	}
	return ""
}

func texts(fields []*field) []string {
	var all []string
	for _, f := range fields {
		all = append(all, strings.TrimSpace(f.text()))
	}
	return all
}

// queueKey puts somebody who came too late on the list for the next draft.
func (s *stage) queueKey() Key {
	return on("j", "late joiner", s.queue, "j").less()
}

func (s *stage) queue() tea.Cmd {
	name, roles, why := newField("who came too late"), newField("joins").with("root, targets"), newField("why not with this draft")
	session := s.app.session
	return s.app.open(&askScreen{
		stage: stage{app: s.app}, form: form{fields: []*field{name, roles, why}}, title: "late joiner", verb: "put on the list",
		intro: func() []text.Safe {
			return append([]text.Safe{text.Clean("What is frozen does not change, and nobody's signature is lost: whoever comes now joins with the next draft.")},
				say.Queued(s.app.state.Queued())...)
		},
		commit: func() error { return session.Queue(name.text(), say.Roles(roles.text()), why.text()) },
		after:  func() { s.good("%s is on the list for the next draft.", name.text()) },
	})
}

// A sureScreen asks once more. The answer is No unless it is y.
type sureScreen struct {
	stage
	title  string
	says   []text.Safe
	yes    string // what y does, in a word or two
	commit func() error
	after  func()
}

func (s *sureScreen) start() tea.Cmd { s.app.rest(); return nil }
func (s *sureScreen) Title() string  { return s.title }

func (s *sureScreen) Body(w, _ int) Page {
	lines := []Line{blank}
	for _, p := range s.says {
		lines = append(append(lines, para(w, 0, plain, p)...), blank)
	}
	return Page{Lines: lines, Foot: s.said(w)}
}

func (s *sureScreen) Keys() []Key {
	y := on("y", s.yes, func() tea.Cmd {
		return s.act(s.commit, nil, func() {
			s.app.shut()
			if s.after != nil {
				s.after()
			}
		})
	}, "y")
	return s.idle(y, on("n", "no", now(s.app.shut), "n", "esc", "alt+esc"))
}
