package tui

import (
	"context"
	"slices"

	tea "charm.land/bubbletea/v2"

	"conclave/ceremony"
	"conclave/ceremony/preflight"
	"conclave/ceremony/tuf"
	"conclave/tui/room"
	"conclave/tui/say"
	"conclave/tui/text"
)

// A freezeScreen says what freezing means, and does it.
type freezeScreen struct{ stage }

func (s *freezeScreen) Title() string { return "freeze" }

func (s *freezeScreen) Body(w, _ int) Page {
	st := s.app.state
	p := Page{Lines: []Line{blank}}
	if p1 := st.Purpose(); p1 != "" {
		p.Lines = append(p.Lines, hanging(w, sp(plain, "purpose   "), text.Clean(p1), plain)...)
	}
	for _, l := range say.Plan(st.Plan()) {
		p.Lines = append(p.Lines, hanging(w, sp(plain, "%-10s", l.Name), l.Text, plain)...)
	}
	p.Lines = append(p.Lines, blank)
	if c, ok := say.Checked(st, ceremony.CheckPolicy); ok && c.Status == preflight.Stop {
		p.Lines = append(append(p.Lines, decidedLines(w, st, c)...), blank)
	}
	for _, l := range say.Freezing() {
		p.Lines = append(append(p.Lines, para(w, 0, plain, l)...), blank)
	}
	p.Foot = s.said(w)
	if open := s.open(); len(open) > 0 {
		p.Foot = append(append(p.Foot, blank), para(w, 0, strong, say.WantDecision(open))...)
	}
	if s.busy != 0 {
		p.Foot = append(p.Foot, say1(plain, "Building the documents ..."))
	}
	return p
}

// open is the policy, where what is to be frozen breaks it and nobody has decided on that.
func (s *freezeScreen) open() []string {
	return slices.DeleteFunc(slices.Clone(s.app.state.Open()), func(name string) bool { return name != ceremony.CheckPolicy })
}

func (s *freezeScreen) Keys() []Key {
	if open := s.open(); len(open) > 0 {
		return s.idle(on("x", "exception", func() tea.Cmd { return s.except(open[0]) }, "x"))
	}
	return s.idle(on("f", "freeze", func() tea.Cmd { return s.act(s.app.session.Freeze, nil, nil) }, "f"))
}

// A reviewScreen is read to the end by everybody who will sign. Its last page
// takes their names.
type reviewScreen struct {
	stage
	only  string // the one holder who reads it later than the others, "" for all
	diffs []*tuf.Diff
	page  int
	laid  [][]Line // the pages but the last, for a size
	size  [2]int
	name  *field
	finder
	done func() // what follows when the late holder has read it
}

func (s *reviewScreen) start() tea.Cmd {
	s.name = newField("your name")
	state, when := s.app.state, s.app.now
	cmd := ask(s.app, func(context.Context) ([]*tuf.Diff, error) { return state.Diffs(when) },
		func(diffs []*tuf.Diff, err error) tea.Cmd {
			s.busy, s.diffs, s.laid = 0, diffs, nil
			if err != nil {
				s.tell(say.Trouble(err))
			}
			return nil
		})
	s.busy = s.app.lastOp
	return cmd
}

func (s *reviewScreen) Title() string { return "review" }

// readers are who must confirm.
func (s *reviewScreen) readers() []ceremony.Participant {
	var out []ceremony.Participant
	for _, p := range s.app.state.Participants() {
		if s.only == p.Name || s.only == "" && p.Presence == ceremony.Here {
			out = append(out, p)
		}
	}
	return out
}

func (s *reviewScreen) allRead() bool {
	return !slices.ContainsFunc(s.readers(), func(p ceremony.Participant) bool { return !p.Reviewed })
}

// pages lays out everything in pages of h lines, the names last. A release
// may have many thousand files: what does not change is laid out once.
func (s *reviewScreen) pages(w, h int) [][]Line {
	if size := [2]int{w, h}; s.laid == nil || s.size != size {
		s.laid, s.size = nil, size
		if lost := say.Dropped(s.app.state); len(lost.Items) > 0 {
			s.laid = paginate([][]Line{sectionLines(lost, w)}, h)
		}
		for _, d := range s.diffs {
			s.laid = append(s.laid, paginate(diffBlocks(d, w), h)...)
		}
		if e := say.Evidence(s.app.state.Proofs()); len(e.Items) > 0 {
			s.laid = append(s.laid, paginate([][]Line{sectionLines(e, w)}, h)...)
		}
		for _, p := range s.app.state.Payloads() {
			s.laid = append(s.laid, paginate([][]Line{digestLines(p, w)}, h)...)
		}
	}
	return append(slices.Clip(s.laid), s.names(w))
}

// paginate puts blocks into pages of h lines; a block that fits is not torn.
func paginate(blocks [][]Line, h int) [][]Line {
	h = max(h, 1)
	var pages [][]Line
	var page []Line
	for _, b := range blocks {
		if len(page) > 0 && len(page)+1+len(b) > h {
			pages, page = append(pages, page), nil
		}
		if len(page) > 0 {
			page = append(page, blank)
		}
		page = append(page, b...)
		for len(page) > h {
			pages, page = append(pages, page[:h]), page[h:]
		}
	}
	if len(page) > 0 {
		pages = append(pages, page)
	}
	return pages
}

// diffBlocks are the sections of a diff as blocks of lines.
func diffBlocks(d *tuf.Diff, w int) [][]Line {
	first := []Line{say1(strong, "%s", say.Move(d))}
	var blocks [][]Line
	if len(d.Power) > 0 {
		first = append(first, powerLines(d, w)...)
	}
	blocks = append(blocks, first)
	for _, sec := range say.Review(d) {
		blocks = append(blocks, sectionLines(sec, w))
	}
	return blocks
}

func sectionLines(sec say.Section, w int) []Line {
	lines := []Line{say1(strong, "%s", sec.Title)}
	for _, item := range sec.Items {
		t := plain
		if item.Danger {
			t = warn
		}
		lines = append(lines, hanging(w, sp(t, " %-2s", item.Mark), item.Text, t)...)
	}
	return lines
}

// powerLines show who can sign before and after, side by side.
func powerLines(d *tuf.Diff, w int) []Line {
	const label = 24
	if d.From == 0 {
		lines := []Line{say1(strong, "WHO CAN SIGN")}
		for _, p := range d.Power {
			lines = append(lines, hanging(w, sp(plain, "   %-10s", p.Role), say.Quorum(p.After), plain)...)
		}
		return lines
	}
	col := (w - label - 2) / 2
	lines := []Line{ln(sp(strong, "%-*s", label, "WHO CAN SIGN"), sp(strong, "%-*s", col+2, "before"), sp(strong, "after"))}
	for _, p := range d.Power {
		before, after := text.Fold(say.Column(p.Before), col), text.Fold(say.Column(p.After), col)
		for i := range max(len(before), len(after)) {
			head := sp(plain, "%-*s", label, "")
			if i == 0 {
				head = span{text.Pad(text.F("   %-10s%s", p.Role, say.Any(p)), label), plain}
			}
			lines = append(lines, ln(head, span{text.Pad(lineAt(before, i), col+2), plain}, span{lineAt(after, i), plain}))
		}
	}
	return lines
}

func lineAt(lines []text.Safe, i int) text.Safe {
	if i < len(lines) {
		return lines[i]
	}
	return text.Safe{}
}

// digestLines show a digest in hex and as numbered words.
func digestLines(p room.Payload, w int) []Line {
	lines := []Line{
		ln(sp(strong, "%s", say.Heading(p.Role, p.Version)), sp(plain, "   SHA-256 of what is signed, in hex and in words to read aloud")),
		blank,
	}
	for _, l := range text.Fold(text.Clean(p.Digest.String()), 40) {
		lines = append(lines, ln(sp(plain, "   %s", l)))
	}
	lines = append(lines, blank)
	return append(lines, wordGrid(p.Digest.Words(), w, 0)...)
}

// wordGrid spreads words over the width in four columns, numbered from 1 along
// the rows. The one at chosen, from 1, is marked.
func wordGrid(words []string, w, chosen int) []Line {
	const cols = 4
	var lines []Line
	n := 0
	for row := range slices.Chunk(words, cols) {
		var spans []span
		for _, word := range row {
			n++
			mark := " "
			if n == chosen {
				mark = ">"
			}
			spans = append(spans, sp(plain, "%s%2d  ", mark, n), span{text.Pad(text.Clean(word), w/cols-5), strong})
		}
		lines = append(lines, ln(spans...))
	}
	return lines
}

// names is the last page: who has confirmed.
func (s *reviewScreen) names(w int) []Line {
	lines := []Line{
		say1(strong, "WHO HAS READ THIS"),
	}
	for i, p := range s.readers() {
		state := sp(warn, "not confirmed")
		if p.Reviewed {
			state = sp(good, "%s  has read and understood all of it", say.OK)
		}
		lines = append(lines, ln(sp(plain, " %2d ", i+1), span{text.Pad(text.Clean(p.Name), 18), plain}, sp(plain, "  "), state))
	}
	lines = append(lines, blank)
	if s.allRead() {
		return append(lines, say1(plain, "Everybody who is here has read it. Nothing is signed yet."))
	}
	lines = append(lines, paras(w, 0, plain, text.Clean("Whoever has read all pages and understood them types their name, or their number where the keyboard lacks a letter."))...)
	l := s.name.line(w, s.name.label.Width(), true)
	return append(lines, blank, l)
}

// paged is the pages and the current one for the screen's real size.
func (s *reviewScreen) paged() (pages [][]Line, at int) {
	pages = s.pages(s.app.inner(), s.app.bodyHeight()-2)
	return pages, min(s.page, len(pages)-1)
}

func (s *reviewScreen) Body(w, h int) Page {
	if s.busy != 0 && s.diffs == nil {
		return Page{Lines: []Line{say1(plain, "Comparing ...")}}
	}
	pages, at := s.paged()
	who := "read together, by everybody who signs"
	if s.only != "" {
		who = text.F("%s reads", s.only).String()
	}
	head := sides(w, say1(plain, "%s", who), say1(strong, "page %d of %d", at+1, len(pages)))
	p := Page{Lines: append([]Line{head, blank}, pages[at]...)}
	p.Foot = s.said(w)
	if s.finder.asked != nil {
		p.Foot = []Line{blank, s.finder.asked.line(w, s.finder.asked.label.Width(), true)}
	}
	return p
}

func (s *reviewScreen) atEnd() bool {
	pages, at := s.paged()
	return at == len(pages)-1
}

func (s *reviewScreen) Keys() []Key {
	if s.busy != 0 {
		return nil
	}
	if s.finder.asked != nil {
		return s.searchKeys()
	}
	prev := on("b", "back", now(func() { s.turn(-1) }), "b", "pgup", "left")
	if !s.atEnd() {
		keys := []Key{on("space", "next page", now(func() { s.turn(1) }), "space", "right", "pgdown")}
		if s.page > 0 {
			keys = append(keys, prev)
		}
		return append(append(keys, s.readerKeys()...), s.away()...)
	}
	if s.typing() {
		return append([]Key{
			on("enter", "I have read and understood it", s.confirm, "enter"),
			on("pgup", "back", now(func() { s.turn(-1) }), "pgup"),
		}, s.away()...)
	}
	open := on("s", "open signing", func() tea.Cmd { return s.act(s.app.session.CloseReview, nil, nil) }, "s")
	return append([]Key{open, prev}, s.readerKeys()...)
}

// away lets a late reader leave without confirming.
func (s *reviewScreen) away() []Key {
	if s.only == "" {
		return nil
	}
	return []Key{back("not now", s.app.shut)}
}

func (s *reviewScreen) turn(by int) {
	pages, at := s.paged()
	s.page = min(max(at+by, 0), len(pages)-1)
	s.app.scroll = 0
	s.clear()
}

func (s *reviewScreen) typing() bool {
	return s.finder.asked != nil || s.busy == 0 && s.diffs != nil && s.atEnd() && !s.allRead()
}

// typed takes a name, or what is looked for.
func (s *reviewScreen) typed(k tea.KeyPressMsg) {
	if s.finder.asked != nil {
		s.finder.asked.typed(k)
		return
	}
	s.name.typed(k)
}

// pasted takes what is looked for. A name is typed by whom it belongs to.
func (s *reviewScreen) pasted(t string) {
	if s.finder.asked != nil {
		s.finder.asked.pasted(t)
	}
}

// confirm takes a name.
func (s *reviewScreen) confirm() tea.Cmd {
	typed := s.name.text()
	s.name = newField("your name")
	if typed == "" {
		return nil
	}
	name, ok := s.called(typed)
	if !ok {
		s.tell(say.Notice{What: text.F("No keyholder of this ceremony is called %s.", typed)})
		return nil
	}
	session := s.app.session
	return s.act(func() error { return session.Review(name) }, nil, func() {
		if s.only != "" {
			s.app.shut()
			s.done()
		}
	})
}

// called finds whom people mean: by the number on this page, or by name; also
// somebody who has just come, unless the page is for one alone.
func (s *reviewScreen) called(typed string) (string, bool) {
	who := s.readers()
	for i, p := range who {
		if text.F("%d", i+1).String() == typed {
			return p.Name, true
		}
	}
	if s.only == "" {
		who = s.app.state.Participants()
	}
	for _, p := range who {
		if say.SameName(p.Name, typed) {
			return p.Name, true
		}
	}
	return "", false
}
