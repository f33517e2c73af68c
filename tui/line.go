package tui

import (
	"conclave/tui/say"
	"conclave/tui/text"
)

// A tone is how a piece of text stands out. It only repeats what the words say.
type tone int

const (
	plain  tone = iota
	strong      // what the eye should find first
	dim         // what can be left unread
	good        // done and verified
	warn        // wants attention
	touch       // wants a finger
	picked      // the chosen line of a list
)

// A span is a piece of a line in one tone.
type span struct {
	text text.Safe
	tone tone
}

// A Line is one line of a screen. It holds safe text only, and is cut where
// the screen ends: lines never wrap.
type Line struct {
	spans  []span
	focus  bool // stays in view when the body scrolls
	cursor int  // cells before the terminal's cursor, -1 for none
}

// A Page is what a screen has to show: lines that scroll where they are too
// many, and below them some that never do.
type Page struct {
	Lines []Line
	Foot  []Line
}

// ln makes a line of spans.
func ln(spans ...span) Line { return Line{spans: spans, cursor: -1} }

// sp makes a span; arguments may come from outside.
func sp(t tone, format string, args ...any) span { return span{text.F(format, args...), t} }

// say1 makes a line in one tone.
func say1(t tone, format string, args ...any) Line { return ln(sp(t, format, args...)) }

var blank = ln()

// para folds a sentence into lines of width w, indented by in cells.
func para(w, in int, t tone, s text.Safe) []Line {
	var lines []Line
	for _, l := range text.Fold(s, w-in) {
		lines = append(lines, ln(span{text.Pad(text.Safe{}, in), plain}, span{l, t}))
	}
	return lines
}

// paras folds sentences, each from a new line on.
func paras(w, in int, t tone, sentences ...text.Safe) []Line {
	var lines []Line
	for _, s := range sentences {
		lines = append(lines, para(w, in, t, s)...)
	}
	return lines
}

// hanging folds a sentence behind a label: the label is written once, and
// the lines below start where the sentence starts.
func hanging(w int, label span, s text.Safe, t tone) []Line {
	return hangingAt(w, label.text.Width(), label, s, t)
}

// hangingAt is hanging with the sentence at cell in, right of the label.
func hangingAt(w, in int, label span, s text.Safe, t tone) []Line {
	lines := para(w, in, t, s)
	gap := span{text.Pad(text.Safe{}, in-label.text.Width()), plain}
	lines[0].spans = append([]span{label, gap}, lines[0].spans[1:]...)
	return lines
}

// touchIn is where a sentence behind [TOUCH] starts.
const touchIn = len(say.Touch) + 2

// noticeLines lays out what people are told, behind its glyph.
func noticeLines(w int, n say.Notice) []Line {
	var lines []Line
	for i, s := range n.Lines() {
		label := sp(plain, "     ")
		if i == 0 {
			label = sp(warn, "%-5s", say.Stop)
		}
		t := plain
		if i == 0 {
			t = strong
		}
		lines = append(lines, hanging(w, label, s, t)...)
	}
	return lines
}

// okLines lays out good news.
func okLines(w int, s text.Safe) []Line { return hanging(w, sp(good, "%-5s", say.OK), s, plain) }

func (l Line) focused() Line {
	l.focus = true
	return l
}

// width is how many cells the line takes.
func (l Line) width() int {
	n := 0
	for _, s := range l.spans {
		n += s.text.Width()
	}
	return n
}

// cut shortens the line to w cells.
func (l Line) cut(w int) Line {
	if l.width() <= w {
		return l
	}
	out := Line{focus: l.focus, cursor: l.cursor}
	for _, s := range l.spans {
		if s.text.Width() >= w { // this one, or what follows, does not fit
			s.text = text.Cut(text.F("%s   ...", s.text), w)
			out.spans = append(out.spans, s)
			return out
		}
		out.spans, w = append(out.spans, s), w-s.text.Width()
	}
	return out
}

// sides puts one line at the left and another at the right end of w cells; the right one wins.
func sides(w int, left, right Line) Line {
	left = left.cut(max(0, w-right.width()-1))
	gap := span{text.Pad(text.Safe{}, max(0, w-left.width()-right.width())), plain}
	return ln(append(append(append([]span{}, left.spans...), gap), right.spans...)...)
}
