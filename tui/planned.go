package tui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"conclave/transfer"
	"conclave/tui/room"
	"conclave/tui/say"
	"conclave/tui/text"
)

// A plannedScreen shows what a plan takes before it becomes a bundle, and writes it.
type plannedScreen struct {
	stage
	planner  Planner
	title    string // for the header
	what     text.Safe
	name     string // of the bundle's file, without its ending
	sections []say.Section
	lines    []string // for people, written beside the bundle
	bundle   *transfer.Bundle
	judged   bool // the policy lets it be written
	kept     Kept
}

// start asks what the policy says of it; before that nothing is written.
func (s *plannedScreen) start() tea.Cmd {
	if s.judged {
		return nil
	}
	at := s.app.where
	cmd := ask(s.app, func(ctx context.Context) ([]string, error) { return s.planner.Judge(ctx, at, s.bundle) }, func(lines []string, err error) tea.Cmd {
		s.busy = 0
		if err != nil {
			s.tell(say.Trouble(err))
			return nil
		}
		s.judged = true
		if len(lines) > 0 {
			s.sections = append([]say.Section{say.Policy(lines)}, s.sections...) // first: it may end the plan
		}
		return nil
	})
	s.busy = s.app.lastOp
	return cmd
}

func (s *plannedScreen) Title() string { return s.title }

func (s *plannedScreen) Body(w, _ int) Page {
	p := Page{Lines: append(para(w, 0, strong, s.what), blank)}
	for _, sec := range s.sections {
		p.Lines = append(append(p.Lines, sectionLines(sec, w)...), blank)
	}
	p.Foot = s.said(w)
	if s.kept.Bundle != "" {
		p.Foot = append(p.Foot, blank)
		p.Foot = append(p.Foot, okLines(w, text.F("Written: %s. It is unsigned.", s.kept.Bundle))...)
		if s.kept.Lines != "" {
			p.Foot = append(p.Foot, okLines(w, text.F("The checklist and the texts: %s", s.kept.Lines))...)
		}
	}
	return p
}

func (s *plannedScreen) Keys() []Key {
	if s.kept.Bundle != "" {
		return s.idle(on("s", "begin its ceremony", s.begin, "s"), on("q", "back to the start", s.app.goHome, "q"), back("back", s.app.shut))
	}
	if !s.judged {
		return s.idle(back("back", s.app.shut))
	}
	return s.idle(on("w", "write the bundle", s.keep, "w"), back("back", s.app.shut))
}

func (s *plannedScreen) keep() tea.Cmd {
	s.clear()
	cmd := ask(s.app, func(ctx context.Context) (Kept, error) { return s.planner.Keep(ctx, s.name, s.bundle, s.lines) }, func(k Kept, err error) tea.Cmd {
		s.busy = 0
		if err != nil {
			s.tell(say.Trouble(err))
			return nil
		}
		s.kept = k
		return nil
	})
	s.busy = s.app.lastOp
	return cmd
}

// begin goes into the ceremony of what was written.
func (s *plannedScreen) begin() tea.Cmd {
	s.clear()
	desk, path, root := s.app.desk, s.kept.Bundle, s.app.where.Root
	cmd := ask(s.app, func(ctx context.Context) (Started, error) { return desk.Sign(ctx, path, root) }, func(st Started, err error) tea.Cmd {
		s.busy = 0
		if err != nil {
			s.tell(say.Trouble(err))
			return nil
		}
		return s.app.enter(room.Live(st.Session), st.Tray, st.Close)
	})
	s.busy = s.app.lastOp
	return cmd
}
