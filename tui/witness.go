package tui

import (
	"slices"

	tea "charm.land/bubbletea/v2"

	"conclave/tui/say"
	"conclave/tui/text"
)

// A witnessScreen shows every word of every digest, spread over the whole
// screen, for the conductor who reads them aloud and for those who follow on paper.
type witnessScreen struct {
	app *App
	at  int // which document
}

func (s *witnessScreen) Title() string          { return "witness view" }
func (s *witnessScreen) Update(tea.Msg) tea.Cmd { return nil }

func (s *witnessScreen) Body(w, h int) Page {
	docs := s.app.state.Payloads()
	if len(docs) == 0 {
		return Page{Lines: []Line{say1(plain, "Nothing is frozen yet.")}}
	}
	d := docs[min(s.at, len(docs)-1)]
	p := Page{Lines: []Line{
		sides(w, say1(strong, "%s", say.Heading(d.Role, d.Version)), say1(plain, "document %d of %d", s.at+1, len(docs))),
	}}
	grid := bigWords(d.Digest.Words(), w)
	gap := h >= 2*len(grid)+3
	for _, l := range grid {
		if gap {
			p.Lines = append(p.Lines, blank)
		}
		p.Lines = append(p.Lines, l)
	}
	for _, l := range text.Fold(text.Clean(d.Digest.String()), 40) {
		p.Lines = append(p.Lines, say1(dim, "%s", l))
	}
	return p
}

// bigWords spreads words over the width in four columns.
func bigWords(words []string, w int) []Line {
	const cols = 4
	col := w / cols
	var lines []Line
	n := 0
	for row := range slices.Chunk(words, cols) {
		var spans []span
		for _, word := range row {
			n++
			spans = append(spans, sp(plain, "%2d  ", n), span{text.Pad(text.Clean(word), col-4), strong})
		}
		lines = append(lines, ln(spans...))
	}
	return lines
}

func (s *witnessScreen) Keys() []Key {
	keys := []Key{back("back", s.app.shut)}
	if n := len(s.app.state.Payloads()); n > 1 {
		keys = append([]Key{on("space", "next document", now(func() { s.at = (s.at + 1) % n }), "space", "right")}, keys...)
	}
	return keys
}
