package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"conclave/tui/text"
)

// trayKeys are the tokens that a key can move: F1 to F5 and beyond, and
// alt+1 to alt+9 for consoles without function keys.
const trayKeys = 9

var trayHelp = []text.Safe{
	text.Clean("The tray holds the practice tokens. F1 to F8 put one in or take it out, F9 touches the one that waits, F10 pulls out the one that is at work. Where function keys are missing: alt+1 to alt+9, alt+t, alt+y."),
}

// trayKey moves practice tokens. It works whatever the screen is doing, as a
// hand would, and it never waits for quiet.
func (a *App) trayKey(k tea.KeyPressMsg) (tea.Cmd, bool) {
	if a.tray == nil {
		return nil, false
	}
	switch s := k.String(); s {
	case "f9", "alt+t":
		return a.trayDo(a.tray.Touch), true
	case "f10", "alt+y":
		return a.trayDo(a.tray.Yank), true
	default:
		for i := range min(trayKeys, len(a.tokens)) {
			if s == fmt.Sprintf("alt+%d", i+1) || i < 8 && s == fmt.Sprintf("f%d", i+1) {
				return a.toggle(i), true
			}
		}
	}
	return nil, false
}

func (a *App) toggle(i int) tea.Cmd {
	if a.tokens[i].Inserted {
		return a.trayDo(func() { a.tray.Remove(i) })
	}
	return a.trayDo(func() { a.tray.Insert(i) })
}

// trayMsg says that a hand has moved.
type trayMsg struct{}

// trayDo moves a hand off the event loop. It is no question of the ceremony:
// nothing waits for it and it cannot be dropped.
func (a *App) trayDo(act func()) tea.Cmd {
	return func() tea.Msg {
		act()
		return trayMsg{}
	}
}

// trayLines show the tray at the bottom, in as many lines as the names need.
func (a *App) trayLines(w int) []Line {
	var rows []Line
	row := []span{sp(strong, "tray ")}
	add := func(s span) {
		if ln(append(row, s)...).width() > w {
			rows = append(rows, ln(row...))
			row = []span{sp(plain, "     ")}
		}
		row = append(row, s)
	}
	for i, t := range a.tokens {
		add(trayToken(i, t))
	}
	add(sp(plain, "    F9 touch"))
	add(sp(plain, "  F10 yank"))
	rows = append(rows, ln(row...))
	return append(rows, say1(plain, "       PIN of every practice token: %s", a.tray.PIN()))
}

func trayToken(i int, t TrayToken) span {
	name := text.Cut(text.Clean(t.Name), 12)
	label := strings.TrimSpace(fmt.Sprintf("F%d", i+1))
	if i >= 8 {
		label = fmt.Sprintf("alt+%d", i+1)
	}
	switch {
	case t.WaitingForTouch:
		return sp(touch, "  %s %s [TOUCH]", label, name)
	case t.Inserted:
		return sp(good, "  %s %s [in]", label, name)
	}
	return sp(plain, "  %s %s", label, name)
}
