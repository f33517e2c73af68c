package tui

import (
	"context"
	"strings"

	tea "charm.land/bubbletea/v2"

	"conclave/transfer/qr"
	"conclave/transfer/qr/paint"
	"conclave/tui/light"
	"conclave/tui/say"
	"conclave/tui/text"
)

// A filler draws the whole terminal itself: w by h cells, one string for each line.
type filler interface {
	fill(w, h int) []string
}

// A helper has help of its own.
type helper interface{ helpText() []text.Safe }

// A lightScreen shows QR symbols for another machine's camera. A symbol needs
// every row that there is, so this screen has no frame: what it says stands beside
// the symbol, or below it.
type lightScreen struct {
	app    *App
	offers []*light.Offer
	at     int // the offer that is shown
	style  qr.Style
	player *light.Player
	size   [2]int
	paused bool
	run    int // frames of earlier runs are late and change nothing
	notice []say.Notice
	leave  func() tea.Cmd
	away   string // what leaving is called

	// journal puts on record that an offer is shown, in so many frames, before it is; nil where there is no record.
	journal func(o *light.Offer, frames int) error
}

// A frameMsg says that a frame has been seen long enough.
type frameMsg struct{ run int }

func newLight(a *App, offers []*light.Offer, style qr.Style, away string, leave func() tea.Cmd) *lightScreen {
	return &lightScreen{app: a, offers: offers, style: style, leave: leave, away: away}
}

func (s *lightScreen) Title() string { return "light" }

func (s *lightScreen) start() tea.Cmd { return s.show(0) }

// show begins with an offer.
func (s *lightScreen) show(i int) tea.Cmd {
	s.at, s.paused, s.size = i, false, [2]int{}
	s.player = light.NewPlayer(s.offers[i], s.style)
	s.fit()
	return s.wait()
}

// turn goes over to another offer, once that is on record.
func (s *lightScreen) turn(i int) tea.Cmd {
	if s.journal == nil {
		return s.show(i)
	}
	o, size := s.offers[i], s.size
	return ask(s.app, func(context.Context) (struct{}, error) {
		return struct{}{}, s.journal(o, light.Frames(o, s.style, size[0], size[1]))
	}, func(_ struct{}, err error) tea.Cmd {
		if err != nil {
			s.tell(err)
			return nil
		}
		return s.show(i)
	})
}

// fit follows the size of the terminal.
func (s *lightScreen) fit() {
	if size := [2]int{s.app.width, s.app.height}; s.size != size {
		s.size = size
		s.tell(s.player.Resize(size[0], size[1]))
	}
}

func (s *lightScreen) tell(err error) {
	s.notice = nil
	if err != nil {
		s.notice = []say.Notice{say.Trouble(err)}
	}
}

// wait lets the present frame be seen.
func (s *lightScreen) wait() tea.Cmd {
	s.run++
	if s.paused || s.player.Still() {
		return nil
	}
	return s.app.after(s.player.Each(), frameMsg{s.run})
}

// Update goes on to the next frame when its time has come.
func (s *lightScreen) Update(msg tea.Msg) tea.Cmd {
	m, ok := msg.(frameMsg)
	if !ok || m.run != s.run {
		return nil
	}
	s.tell(s.player.Next())
	return s.wait()
}

func (s *lightScreen) Keys() []Key {
	var keys []Key
	if !s.player.Still() {
		pause := "pause"
		if s.paused {
			pause = "go on"
		}
		keys = append(keys,
			on("+ -", "speed", s.faster(1), "+", "="), on("", "", s.faster(-1), "-"),
			on("space", pause, s.pause, "space"), on(".", "one step", s.step, "."))
	}
	if s.player.CanDenser(1) || s.player.CanDenser(-1) {
		keys = append(keys, on("[ ]", "density", s.denser(-1), "["), on("", "", s.denser(1), "]"))
	}
	if len(s.offers) > 1 {
		other := (s.at + 1) % len(s.offers)
		keys = append(keys, on("t", s.offers[other].Title, func() tea.Cmd { return s.turn(other) }, "t"))
	}
	return append(keys, on("q", s.away, s.leave, "q", "esc", "alt+esc"))
}

func (s *lightScreen) faster(by int) func() tea.Cmd {
	return func() tea.Cmd {
		s.player.Faster(by)
		return s.wait()
	}
}

func (s *lightScreen) denser(by int) func() tea.Cmd {
	return func() tea.Cmd {
		s.tell(s.player.Denser(by))
		return s.wait()
	}
}

func (s *lightScreen) pause() tea.Cmd {
	s.paused = !s.paused
	return s.wait()
}

// step pauses and goes on by one frame.
func (s *lightScreen) step() tea.Cmd {
	s.paused = true
	s.tell(s.player.Next())
	return s.wait()
}

// Body is empty: the screen fills the terminal itself.
func (s *lightScreen) Body(int, int) Page { return Page{} }

func (s *lightScreen) helpText() []text.Safe {
	lines := []text.Safe{
		text.Clean("Another machine's camera reads the symbols with: conclave qr scan. It may begin at any frame, and miss some: all of them come again, in other mixtures."),
		text.Clean("Turn the brightness of this screen up, and keep reflections off it. The symbol with its white border should fill the camera's picture."),
		text.Clean("Where the camera does not keep up, show fewer frames a second; where it does not see the modules, choose sparser symbols or a larger font. Sextants and octants need a font that has them."),
	}
	o := s.offers[s.at]
	lines = append(lines, text.F("SHA-256 of what comes out: %s", o.Message.Envelope.Result))
	return append(lines, say.Needs(o.Needs)...)
}

// fill draws the symbol and what there is to say of it.
func (s *lightScreen) fill(w, h int) []string {
	s.fit()
	symbol := s.player.Lines()
	if !s.player.Beside() && len(s.notice) == 0 {
		return s.below(symbol, w, h)
	}
	width := 0
	if len(symbol) > 0 {
		width = text.Width(symbol[0])
	}
	panel := s.panel(min(max(w-width-light.Gap, 0), 2*light.PanelWidth), h)
	rows := make([]string, h)
	for i := range rows {
		row := strings.Repeat(" ", width)
		if i < len(symbol) {
			row = paint.BlackOnWhite + symbol[i] + paint.Reset
		}
		if i < len(panel) {
			row += strings.Repeat(" ", light.Gap) + s.app.theme.render(panel[i])
		}
		rows[i] = row
	}
	return rows
}

// below puts two lines of text under the symbol, for terminals that are higher than wide.
func (s *lightScreen) below(symbol []string, w, h int) []string {
	rows := make([]string, h)
	for i, l := range symbol {
		rows[i] = paint.BlackOnWhite + l + paint.Reset
	}
	st := s.player.Status()
	line := ln(sp(strong, "%s", s.name()), sp(plain, "  %s", s.count(st)))
	if s.app.practice() {
		line = ln(append([]span{sp(touch, "PRACTICE"), sp(plain, "  ")}, line.spans...)...)
	}
	rows[h-2] = s.app.theme.render(line.cut(w))
	rows[h-1] = s.app.theme.render(keyLine(w, s.app.keys()).cut(w))
	return rows
}

func (s *lightScreen) name() text.Safe {
	o := s.offers[s.at]
	if o.File == "" {
		return text.F("%s", o.Title)
	}
	return text.F("%s, %s", o.File, o.Title)
}

func (s *lightScreen) count(st light.Status) text.Safe {
	if s.player.Still() {
		return text.Clean("one symbol is all")
	}
	return text.F("frame %d, %d are enough", st.Shown, st.Enough)
}

// panel is the text beside the symbol in w by h cells: what is shown and the keys always, the rest as far as there is room.
func (s *lightScreen) panel(w, h int) []Line {
	top := s.heading(w)
	keys := s.keyTable(w)
	for _, n := range s.notice {
		top = append(append(top, blank), noticeLines(w, n)...)
	}
	for _, extra := range s.extras(w) {
		if len(top)+1+len(extra)+1+len(keys) <= h {
			top = append(append(top, blank), extra...)
		}
	}
	for len(top)+len(keys) < h {
		top = append(top, blank)
	}
	all := append(top, keys...)
	for i := range all {
		all[i] = all[i].cut(w)
	}
	return all[:min(len(all), h)]
}

// heading says what is shown, and how.
func (s *lightScreen) heading(w int) []Line {
	var lines []Line
	if s.app.practice() {
		lines = append(lines, paras(w, 0, touch, text.Clean("PRACTICE  nothing here is real"))...)
	}
	o := s.offers[s.at]
	lines = append(lines, paras(w, 0, strong, text.Clean(o.File))...)
	lines = append(lines, paras(w, 0, plain, text.Clean(o.Title))...)
	st := s.player.Status()
	if st.Enough == 0 {
		return lines
	}
	lines = append(lines, blank, say1(plain, "transfer %s", st.Name), say1(plain, "%s", s.count(st)))
	if !s.player.Still() {
		speed := sp(plain, "%d a second", s.player.Speed())
		if s.paused {
			speed = sp(strong, "paused")
		}
		lines = append(lines, ln(speed))
	}
	return append(lines, say1(plain, "version %d, %s", st.Density.Version, st.Density.Cells.String()))
}

// extras are worth saying where there is room, the most important first.
func (s *lightScreen) extras(w int) [][]Line {
	o := s.offers[s.at]
	var all [][]Line
	if needs := say.Needs(o.Needs); len(needs) > 0 {
		all = append(all, paras(w, 0, warn, needs...))
	}
	hint := "Turn the brightness up. The symbol with its white border should fill the camera's picture."
	all = append(all, para(w, 0, plain, text.Clean(hint)))
	if s.player.Status().Density.Cells != paint.HalfBlocks {
		all = append(all, para(w, 0, plain, text.Clean("If the symbol has gaps or boxes, the font lacks these cells: press [")))
	}
	hash := append([]Line{say1(plain, "SHA-256 of what comes out")}, paras(w, 0, plain, text.Clean(o.Message.Envelope.Result.String()))...)
	return append(all, hash)
}

// keyTable shows the keys that work, two in a row where they fit.
func (s *lightScreen) keyTable(w int) []Line {
	var lines []Line
	var row []span
	for _, k := range s.app.keys() {
		h := k.Help()
		if h.Key == "" {
			continue
		}
		cell := text.F("%s %s", h.Key, h.Desc)
		if len(row) > 0 && cell.Width() > w-w/2 || cell.Width() >= w/2 && len(row) == 0 {
			if len(row) > 0 {
				lines, row = append(lines, ln(row...)), nil
			}
			if cell.Width() >= w/2 {
				lines = append(lines, ln(sp(strong, "%s", h.Key), sp(plain, " %s", h.Desc)))
				continue
			}
		}
		row = append(row, sp(strong, "%s", h.Key), sp(plain, " %s%*s", h.Desc, w/2-cell.Width(), ""))
		if len(row) == 4 {
			lines, row = append(lines, ln(row...)), nil
		}
	}
	if len(row) > 0 {
		lines = append(lines, ln(row...))
	}
	return lines
}

// light packs what the ceremony has made and shows it as QR symbols, once that is on record.
func (s *stage) light() tea.Cmd {
	s.clear()
	state, session, cols, rows := s.app.state, s.app.session, s.app.width, s.app.height
	journal := func(o *light.Offer, frames int) error { return session.Show(o.Kind, o.Digest(), frames, "") }
	cmd := ask(s.app, func(context.Context) ([]*light.Offer, error) {
		offers, err := light.Offers(state)
		if err == nil {
			err = journal(offers[0], light.Frames(offers[0], qr.Dense, cols, rows))
		}
		return offers, err
	},
		func(offers []*light.Offer, err error) tea.Cmd {
			s.busy = 0
			if err != nil {
				s.tell(say.Trouble(err))
				return nil
			}
			screen := newLight(s.app, offers, qr.Dense, "back", now(s.app.shut))
			screen.journal = journal
			return s.app.open(screen)
		})
	s.busy = s.app.lastOp
	return cmd
}

// lightKey offers the way by light.
func (s *stage) lightKey(names ...string) Key {
	return on(names[0], "show as light", s.light, names...).less()
}
