package tui

import (
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"conclave/tui/say"
	"conclave/tui/text"
)

// View draws the frame and the screen in it: exactly height lines, none wider
// than width.
func (a *App) View() tea.View {
	v := tea.View{AltScreen: true, WindowTitle: "conclave"}
	if a.tooSmall() {
		v.SetContent(a.smallNotice())
		return v
	}
	if f, ok := a.top().(filler); ok && !a.help {
		v.SetContent(strings.Join(f.fill(a.width, a.height), "\n"))
		return v
	}
	body, cur := a.body(a.bodyHeight()) // first: it scrolls, and the footer says how far
	head, foot := a.header(), a.footer()
	all := append(append(head, body...), foot...)
	var b strings.Builder
	for i, l := range all {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteByte(' ')
		b.WriteString(a.theme.render(l.cut(a.inner())))
	}
	v.SetContent(b.String())
	if cur != nil {
		v.Cursor = tea.NewCursor(cur.X+1, cur.Y+len(head))
	}
	return v
}

// inner is the width without the margins.
func (a *App) inner() int { return a.width - 2 }

func (a *App) smallNotice() string {
	lines := []text.Safe{
		text.F("This terminal is %d by %d.", a.width, a.height),
		text.F("Conclave needs %d by %d.", MinWidth, MinHeight),
		text.Clean("Make it larger: nothing is lost."),
		text.Clean("No key works until then but ctrl+c."),
	}
	var s []string
	for _, l := range lines[:min(len(lines), max(a.height, 1))] {
		s = append(s, text.Cut(l, max(a.width, 1)).String())
	}
	return strings.Join(s, "\n")
}

// header says what is going on, where it stands, and whether it is practice.
func (a *App) header() []Line {
	w := a.inner()
	var lines []Line
	if a.practice() {
		lines = append(lines, practiceLine(w))
	}
	if since := say.Declared(a.alarm(), a.now); !since.Empty() {
		lines = append(lines, ln(span{since, warn}))
	}
	if a.session == nil {
		return append(lines, sides(w, say1(strong, "conclave"), a.homeRight()), rule(w, ""))
	}
	left := ln(sp(strong, "conclave"), sp(plain, "  %s", a.state.Title()))
	steps := a.state.Steps()
	right := say1(strong, "%s", a.title())
	if i := slices.Index(steps, a.step); i >= 0 {
		right = ln(sp(plain, "step %d of %d  ", i+1, len(steps)), sp(strong, "%s", a.title()))
	}
	return append(lines, sides(w, left, right), sides(w, a.counts(w-10), say1(plain, "%s", text.Clock(a.now))), rule(w, ""))
}

func (a *App) title() string {
	if a.help {
		return "help"
	}
	return a.top().Title()
}

func (a *App) practice() bool { return a.tray != nil || a.state != nil && a.state.Practice() }

// alarm is when the compromise was declared that is being answered; zero where none is.
func (a *App) alarm() time.Time {
	if a.state != nil {
		return a.state.Declared()
	}
	return a.declared
}

func practiceLine(w int) Line {
	const word = "PRACTICE"
	middle := "nothing here is real"
	n := max(1, (w-len(middle)-4)/2/(len(word)+1))
	side := strings.TrimSpace(strings.Repeat(word+" ", n))
	return say1(touch, "%s", center(side+"  "+middle+"  "+side, w))
}

func center(s string, w int) string {
	gap := max(0, w-text.Width(s))
	return strings.Repeat(" ", gap/2) + s + strings.Repeat(" ", gap-gap/2)
}

// counts says how many signatures there are per requirement, in w cells.
func (a *App) counts(w int) Line {
	tallies := a.state.Tallies()
	if len(tallies) == 0 {
		return say1(dim, "nothing is signed yet")
	}
	for _, gap := range []int{4, 2} {
		var spans []span
		for i, t := range tallies {
			if i > 0 {
				spans = append(spans, sp(plain, "%*s", gap, ""))
			}
			s := sp(plain, "%s %d of %d", say.Requirement(t), t.Tally.Signed, t.Tally.Requirement.Threshold)
			if t.Tally.Complete() {
				s = sp(good, "%s %s", say.Requirement(t), say.OK)
			}
			spans = append(spans, s)
		}
		if l := ln(spans...); l.width() <= w || gap == 2 {
			return l
		}
	}
	return blank
}

func (a *App) homeRight() Line {
	clock := sp(plain, "%s", a.now.UTC().Format("Mon 2 Jan 2006 15:04 UTC"))
	if h, ok := a.screen.(*homeScreen); ok && h.found.AirGap != "" {
		return ln(sp(plain, "%s    ", h.found.AirGap), clock)
	}
	return ln(clock)
}

// rule draws a line; what it says stands at its right end.
func rule(w int, says string) Line {
	if says != "" {
		says = " " + says + " --"
	}
	return say1(dim, "%s%s", strings.Repeat("-", max(0, w-text.Width(says))), says)
}

// footer shows the keys that work, and the tray of a rehearsal.
func (a *App) footer() []Line {
	w := a.inner()
	more := ""
	if left := a.overflow() - a.scroll; left > 0 {
		more = text.F("%s more, pgdn", text.Count(left, "line")).String()
	} else if a.overflow() > 0 {
		more = "pgup for the lines above"
	}
	lines := append([]Line{rule(w, more)}, keyLine(w, a.keys()))
	if a.tray != nil {
		lines = append(lines, a.trayLines(w)...)
	}
	return lines
}

// keyLine shows keys and their help, closer together where they are many. Where they are too many
// for w cells, minor ones and then the last ones are left to the help, which says so; help and leave always stay.
func keyLine(w int, keys []Key) Line {
	shown := slices.DeleteFunc(slices.Clone(keys), func(k Key) bool { return k.Help().Key == "" })
	for _, gap := range []int{4, 3, 2} {
		if l := keySpans(gap, shown); l.width() <= w {
			return l
		}
	}
	for len(shown) > 2 {
		i := expendable(shown)
		shown = slices.Delete(shown, i, i+1)
		if help := len(shown) - 2; help >= 0 {
			h := shown[help].Help()
			shown[help].SetHelp(h.Key, "more keys")
		}
		if l := keySpans(2, shown); l.width() <= w {
			return l
		}
	}
	return keySpans(2, shown)
}

// expendable is the key that a line without room does without first. The last two are help and leave.
func expendable(keys []Key) int {
	last := len(keys) - 3
	for i := last; i >= 0; i-- {
		if keys[i].minor {
			return i
		}
	}
	return last
}

func keySpans(gap int, keys []Key) Line {
	var spans []span
	for i, k := range keys {
		if i > 0 {
			spans = append(spans, sp(plain, "%*s", gap, ""))
		}
		h := k.Help()
		spans = append(spans, sp(strong, "%s", h.Key), sp(plain, " %s", h.Desc))
	}
	return ln(spans...)
}

// body lays the screen's page into h lines, scrolled so that the focus is in view.
func (a *App) body(h int) ([]Line, *tea.Position) {
	p := a.page(h)
	foot := p.Foot
	room := max(0, h-len(foot))
	over := max(0, len(p.Lines)-room)
	a.scroll = min(a.scroll, over)
	if i := slices.IndexFunc(p.Lines, func(l Line) bool { return l.focus }); i >= 0 && a.follow {
		a.scroll = min(max(a.scroll, i-room+1), max(i, 0))
	}
	lines := slices.Clone(p.Lines[a.scroll:min(len(p.Lines), a.scroll+room)])
	for len(lines) < room {
		lines = append(lines, blank)
	}
	lines = append(lines, foot...)
	lines = lines[:min(len(lines), h)]
	for y, l := range lines {
		if l.cursor >= 0 {
			return lines, &tea.Position{X: l.cursor, Y: y}
		}
	}
	return lines, nil
}

func (a *App) page(h int) Page {
	if a.help {
		return a.helpPage()
	}
	return a.top().Body(a.inner(), h)
}

// bodyHeight is how many lines a screen has.
func (a *App) bodyHeight() int {
	n := 4 // title, counts, two rules
	if a.session == nil {
		n = 3
	}
	if a.practice() {
		n++
	}
	if !a.alarm().IsZero() {
		n++
	}
	if a.tray != nil {
		n += len(a.trayLines(a.inner()))
	}
	return a.height - n - 1 // the keys
}

// overflow is how many lines of the page do not fit.
func (a *App) overflow() int {
	h := a.bodyHeight()
	p := a.page(h)
	return max(0, len(p.Lines)+len(p.Foot)-h)
}

// helpPage explains the step and the keys.
func (a *App) helpPage() Page {
	w := a.inner()
	lines := paras(w, 0, plain, say.Help(a.step)...)
	if h, ok := a.top().(helper); ok {
		lines = paras(w, 0, plain, h.helpText()...)
	} else if a.session == nil {
		lines = paras(w, 0, plain, homeHelp...)
	}
	lines = append(lines, blank)
	a.help = false // the keys below are those of the screen, not of the help
	keys := a.keys()
	a.help = true
	for _, k := range keys {
		if h := k.Help(); h.Key != "" {
			lines = append(lines, ln(sp(strong, "   %-10s", h.Key), sp(plain, " %s", h.Desc)))
		}
	}
	if a.tray != nil {
		lines = append(lines, blank)
		lines = append(lines, paras(w, 0, plain, trayHelp...)...)
	}
	return Page{Lines: lines}
}
