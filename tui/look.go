package tui

import (
	"cmp"
	"context"

	tea "charm.land/bubbletea/v2"

	"conclave/tui/say"
	"conclave/tui/text"
)

// A lookScreen asks which file to describe.
type lookScreen struct {
	app    *App
	home   *homeScreen
	at     int
	path   *field
	busy   bool
	notice []say.Notice
}

func newLook(h *homeScreen) *lookScreen {
	f := newField("or type a path")
	return &lookScreen{app: h.app, home: h, path: f}
}

func (s *lookScreen) Title() string          { return "look" }
func (s *lookScreen) Update(tea.Msg) tea.Cmd { return nil }

func (s *lookScreen) files() []FoundFile {
	return append(append([]FoundFile{}, s.home.found.Bundles...), s.home.found.Records...)
}

func (s *lookScreen) Body(w, _ int) Page {
	p := Page{Lines: []Line{blank, say1(strong, "  Look at what? Nothing is changed."), blank}}
	files := s.files()
	for i, f := range files {
		mark := sp(plain, "   ")
		if i == s.at {
			mark = sp(strong, ">  ")
		}
		l := ln(mark, span{text.Pad(text.Clean(f.Name), 36), plain}, sp(plain, "  %s", f.Place))
		if i == s.at {
			l = l.focused()
		}
		p.Lines = append(p.Lines, l)
	}
	p.Lines = append(p.Lines, blank, s.path.line(w, s.path.label.Width(), s.at == len(files)))
	for _, n := range s.notice {
		p.Foot = append(append(p.Foot, blank), noticeLines(w, n)...)
	}
	return p
}

func (s *lookScreen) Keys() []Key {
	if s.busy {
		return nil
	}
	return []Key{
		on("up/down", "choose", now(func() { s.at = max(0, s.at-1) }), "up"),
		on("", "", now(func() { s.at = min(len(s.files()), s.at+1) }), "down"),
		on("enter", "look", s.look, "enter"), back("back", s.app.shut),
	}
}

func (s *lookScreen) look() tea.Cmd {
	path := s.path.text()
	if files := s.files(); s.at < len(files) {
		path = files[s.at].Path
	}
	if path == "" {
		return nil
	}
	s.busy, s.notice = true, nil
	desk := s.app.desk
	return ask(s.app, func(ctx context.Context) (Sheet, error) { return desk.Look(ctx, path) }, func(sheet Sheet, err error) tea.Cmd {
		s.busy = false
		if err != nil {
			s.notice = []say.Notice{say.Trouble(err)}
			return nil
		}
		return s.app.open(&sheetScreen{app: s.app, sheet: sheet})
	})
}

func (s *lookScreen) typing() bool            { return !s.busy && s.at == len(s.files()) }
func (s *lookScreen) typed(k tea.KeyPressMsg) { s.path.typed(k) }
func (s *lookScreen) pasted(t string)         { s.path.pasted(t) }

// A sheetScreen shows a description to scroll through.
type sheetScreen struct {
	app   *App
	title string // for the header; "look" if empty
	sheet Sheet
}

func (s *sheetScreen) Title() string          { return cmp.Or(s.title, "look") }
func (s *sheetScreen) Update(tea.Msg) tea.Cmd { return nil }
func (s *sheetScreen) Keys() []Key            { return []Key{back("back", s.app.shut)} }

func (s *sheetScreen) Body(w, _ int) Page {
	p := Page{Lines: append(para(w, 0, strong, text.Clean(s.sheet.Title)), blank)}
	for _, l := range s.sheet.Lines {
		p.Lines = append(p.Lines, para(w, 0, plain, text.Clean(l))...)
	}
	return p
}
