package tui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"conclave/ceremony"
	"conclave/tui/say"
)

// sheetKeys offer everything that the token which came last says of itself.
func (s *stage) sheetKeys() []Key {
	if s.seen == nil {
		return nil
	}
	return []Key{on("t", "token", s.inspect, "t")}
}

// inspect reads the token once more and shows what it says.
func (s *stage) inspect() tea.Cmd {
	session, v := s.app.session, *s.seen
	cmd := ask(s.app, func(ctx context.Context) (ceremony.TokenSheet, error) { return session.Inspect(ctx, v) },
		func(t ceremony.TokenSheet, err error) tea.Cmd {
			s.busy = 0
			if err != nil {
				s.tell(say.Trouble(err))
				return nil
			}
			lines := say.Sheet(t)
			sheet := Sheet{Title: lines[0].String()}
			for _, l := range lines[1:] {
				sheet.Lines = append(sheet.Lines, l.String())
			}
			return s.app.open(&sheetScreen{app: s.app, title: "token", sheet: sheet})
		})
	s.busy = s.app.lastOp
	return cmd
}
