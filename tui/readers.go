package tui

import (
	"context"
	"slices"

	tea "charm.land/bubbletea/v2"

	"conclave/ceremony"
	"conclave/tui/say"
)

// readers is what is known of the readers that hold a token. Tokens are
// looked at once, when they come; nothing is opened in between.
type readers struct {
	busy  bool            // a question is under way
	seen  map[string]bool // readers whose token was looked at
	blind *say.Notice     // why tokens cannot be seen
}

// lookAround asks for the readers where a screen wants tokens.
func (a *App) lookAround() tea.Cmd {
	h, ok := a.screen.(host)
	if !ok || a.session == nil || a.readers.busy || len(a.over) > 0 {
		return nil
	}
	a.readers.busy = true
	return ask(a, a.session.Readers, func(now []string, err error) tea.Cmd {
		a.readers.busy = false
		if err != nil {
			n := say.Trouble(err)
			a.readers.blind = &n
			return nil
		}
		a.readers.blind = nil
		return a.compare(h, now)
	})
}

// compare tells the screen of tokens that left, and looks at one that came.
func (a *App) compare(h host, now []string) tea.Cmd {
	var cmds []tea.Cmd
	for r := range a.readers.seen {
		if !slices.Contains(now, r) {
			delete(a.readers.seen, r)
			cmds = append(cmds, h.left(r))
		}
	}
	if h.waiting() {
		for _, r := range now {
			if !a.readers.seen[r] {
				cmds = append(cmds, a.look(h, r))
				break // one at a time
			}
		}
	}
	return tea.Batch(cmds...)
}

// look opens the token in a reader for a moment.
func (a *App) look(h host, r string) tea.Cmd {
	if a.readers.seen == nil {
		a.readers.seen = map[string]bool{}
	}
	a.readers.seen[r] = true
	a.readers.busy = true
	s := a.session
	return ask(a, func(ctx context.Context) (ceremony.Visitor, error) { return s.Look(ctx, r) },
		func(v ceremony.Visitor, err error) tea.Cmd {
			a.readers.busy = false
			v.Reader = r
			a.rest()
			return h.arrived(v, err)
		})
}

// lookAgain forgets that tokens were looked at, so that they are once more.
func (a *App) lookAgain() { a.readers.seen = nil }

// blindLines says why tokens cannot be seen, if so.
func (a *App) blindLines(w int) []Line {
	if a.readers.blind == nil {
		return nil
	}
	return noticeLines(w, *a.readers.blind)
}
