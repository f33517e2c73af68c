package tui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"conclave/ceremony/calendar"
	"conclave/ceremony/tuf"
	"conclave/tui/say"
	"conclave/tui/text"
)

// A daysScreen shows when clients break, and every day on the way there.
type daysScreen struct {
	stage
	planner Planner
	days    *calendar.Calendar
}

func newDays(a *App, p Planner, live map[string]*tuf.Document) *daysScreen {
	s := &daysScreen{stage: stage{app: a}, planner: p}
	days, err := calendar.New(live, calendar.Settings{Now: a.now})
	if err != nil {
		s.tell(say.Trouble(err))
		days = &calendar.Calendar{}
	}
	s.days = days
	return s
}

func (s *daysScreen) Title() string { return "calendar" }

func (s *daysScreen) Body(w, _ int) Page {
	var p Page
	for i, l := range s.days.Sentences() {
		t := plain
		if i == 0 {
			t = strong
		}
		p.Lines = append(p.Lines, para(w, 0, t, text.Clean(l))...)
	}
	p.Lines = append(p.Lines, blank)
	next := s.days.Next()
	for i, e := range s.days.Entries {
		label := sp(dim, "   %s  ", e.When.UTC().Format("2006-01-02"))
		switch {
		case next == &s.days.Entries[i]:
			label = sp(strong, " > %s  ", e.When.UTC().Format("2006-01-02"))
		case e.Past:
			label = sp(dim, " - %s  ", e.When.UTC().Format("2006-01-02"))
		}
		p.Lines = append(p.Lines, hanging(w, label, say.Day(e), plain)...)
	}
	p.Foot = s.said(w)
	return p
}

func (s *daysScreen) Keys() []Key {
	return s.idle(on("w", "write a calendar file", s.keep, "w"), back("back", s.app.shut))
}

func (s *daysScreen) keep() tea.Cmd {
	s.clear()
	days := s.days
	cmd := ask(s.app, func(ctx context.Context) (string, error) { return s.planner.KeepDays(ctx, days) }, func(path string, err error) tea.Cmd {
		s.busy = 0
		if err != nil {
			s.tell(say.Trouble(err))
			return nil
		}
		s.good("Written: %s. The keyholders' calendars read it.", path)
		return nil
	})
	s.busy = s.app.lastOp
	return cmd
}
