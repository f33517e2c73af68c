package tui

import (
	tea "charm.land/bubbletea/v2"

	"conclave/ceremony"
	"conclave/tui/say"
	"conclave/tui/text"
)

// A stage is what every screen of a ceremony stands on.
type stage struct {
	app    *App
	busy   opID // the effect that is under way, 0 for none
	notice []say.Notice
	news   text.Safe // good news, said once

	seen    *ceremony.Visitor // the token that came last and is still in
	blocked *ceremony.Visitor // the token that is in and whose PIN is blocked
}

// Update has nothing to do for most screens.
func (s *stage) Update(tea.Msg) tea.Cmd { return nil }

// act does one thing to the session; while it is under way no key works. What
// went wrong is shown as trouble says, or as say.Trouble.
func (s *stage) act(work func() error, trouble func(error) say.Notice, then func()) tea.Cmd {
	s.clear()
	cmd := s.app.do(noContext(work), func(err error) tea.Cmd {
		s.busy = 0
		switch {
		case err == nil && then != nil:
			then()
		case err != nil && trouble != nil:
			s.tell(trouble(err))
		case err != nil:
			s.tell(say.Trouble(err))
		}
		return nil
	})
	s.busy = s.app.lastOp
	return cmd
}

func (s *stage) clear() { s.notice, s.news = nil, text.Safe{} }

func (s *stage) tell(n say.Notice) { s.notice, s.news = []say.Notice{n}, text.Safe{} }

func (s *stage) good(format string, args ...any) {
	s.clear()
	s.news = text.F(format, args...)
}

// said lays out what there is to tell, with an empty line before it.
func (s *stage) said(w int) []Line {
	var lines []Line
	if !s.news.Empty() {
		lines = append(lines, okLines(w, s.news)...)
	}
	for _, n := range s.notice {
		lines = append(lines, noticeLines(w, n)...)
	}
	if s.blocked != nil {
		lines = append(lines, noticeLines(w, say.Blocked(*s.blocked))...)
	}
	if len(lines) > 0 {
		lines = append([]Line{blank}, lines...)
	}
	return lines
}

// idle gives keys only while no effect is under way.
func (s *stage) idle(keys ...Key) []Key {
	if s.busy != 0 {
		return nil
	}
	return keys
}

// A waitScreen is there before anything else is.
type waitScreen struct{}

func (*waitScreen) Title() string          { return "" }
func (*waitScreen) Update(tea.Msg) tea.Cmd { return nil }
func (*waitScreen) Keys() []Key            { return nil }
func (*waitScreen) Body(int, int) Page     { return Page{} }
