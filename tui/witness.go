package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"conclave/tui/say"
	"conclave/tui/text"
)

// A witnessScreen shows every word of every digest, for the conductor who
// reads them aloud and for those who follow on paper: all of them at once, or
// one at a time in letters that can be read from across the table.
type witnessScreen struct {
	app  *App
	doc  int  // which document
	word int  // which word, from 0
	big  bool // one at a time
}

func (s *witnessScreen) Title() string          { return "witness view" }
func (s *witnessScreen) Update(tea.Msg) tea.Cmd { return nil }

func (s *witnessScreen) Body(w, h int) Page {
	docs := s.app.state.Payloads()
	if len(docs) == 0 {
		return Page{Lines: []Line{say1(plain, "Nothing is frozen yet.")}}
	}
	d := docs[min(s.doc, len(docs)-1)]
	words := d.Digest.Words()
	head := sides(w, say1(strong, "%s", say.Heading(d.Role, d.Version)), say1(plain, "document %d of %d", s.doc+1, len(docs)))
	if s.big {
		return bigPage(head, words[s.word], s.word, len(words), w, h)
	}
	p := Page{Lines: []Line{head}}
	grid := wordGrid(words, w, s.word+1)
	for _, l := range grid {
		if h >= 2*len(grid)+3 {
			p.Lines = append(p.Lines, blank)
		}
		p.Lines = append(p.Lines, l)
	}
	for _, l := range text.Fold(text.Clean(d.Digest.String()), 40) {
		p.Lines = append(p.Lines, say1(dim, "%s", l))
	}
	return p
}

// bigPage shows one word in the middle, in large letters and in small ones.
func bigPage(head Line, word string, i, n, w, h int) Page {
	p := Page{Lines: []Line{head}}
	art := bigWord(word, w)
	for range max(1, (h-len(art)-3)/2) {
		p.Lines = append(p.Lines, blank)
	}
	for _, l := range art {
		p.Lines = append(p.Lines, say1(strong, "%s", center(l, w)))
	}
	return Page{Lines: append(p.Lines, blank, say1(plain, "%s", center(text.F("word %d of %d:  %s", i+1, n, word).String(), w)))}
}

func (s *witnessScreen) Keys() []Key {
	docs := s.app.state.Payloads()
	if len(docs) == 0 {
		return []Key{back("back", s.app.shut)}
	}
	last := len(docs[0].Digest.Words()) - 1
	step := func(by int) func() tea.Cmd {
		return now(func() { s.word = min(max(s.word+by, 0), last) })
	}
	keys := []Key{
		on("arrows", "word", step(-1), "left"), on("", "", step(1), "right"),
		on("", "", step(-4), "up"), on("", "", step(4), "down"),
	}
	size := "large"
	if s.big {
		size = "all"
	}
	keys = append(keys, on("enter", size, now(func() { s.big = !s.big }), "enter"))
	if len(docs) > 1 {
		keys = append(keys, on("space", "next document", now(func() { s.doc, s.word = (s.doc+1)%len(docs), 0 }), "space"))
	}
	return append(keys, back("back", s.app.shut))
}

// bigWord draws a word in letters five lines high, or as it is where it does
// not fit or holds anything but letters.
func bigWord(word string, w int) []string {
	rows := make([]string, bigHeight)
	for _, r := range strings.ToUpper(word) {
		if r < 'A' || r > 'Z' {
			return []string{text.Clean(word).String()}
		}
		glyph := strings.Split(bigLetters[r-'A'], "/")
		for i := range rows {
			rows[i] += glyph[i] + "  "
		}
	}
	if len(rows[0]) > w {
		return []string{text.Clean(word).String()}
	}
	return rows
}

const bigHeight = 5

// bigLetters are A to Z, five lines each. Most are four cells wide, so that the longest word
// of the list, eleven letters, takes less than eighty cells.
var bigLetters = [26]string{
	" ## /#  #/####/#  #/#  #", "### /#  #/### /#  #/### ", " ###/#   /#   /#   / ###", "### /#  #/#  #/#  #/### ",
	"####/#   /### /#   /####", "####/#   /### /#   /#   ", " ###/#   /# ##/#  #/ ###", "#  #/#  #/####/#  #/#  #",
	"###/ # / # / # /###", "  ##/   #/   #/#  #/ ## ", "#  #/# # /##  /# # /#  #", "#   /#   /#   /#   /####",
	"#   #/## ##/# # #/#   #/#   #", "#  #/## #/# ##/#  #/#  #", " ## /#  #/#  #/#  #/ ## ", "### /#  #/### /#   /#   ",
	" ## /#  #/#  #/# # / # #", "### /#  #/### /# # /#  #", " ###/#   / ## /   #/### ", "###/ # / # / # / # ",
	"#  #/#  #/#  #/#  #/ ## ", "#  #/#  #/#  #/ ## / ## ", "#   #/#   #/# # #/## ##/#   #", "#  #/#  #/ ## /#  #/#  #",
	"# #/# #/ # / # / # ", "####/  # / #  /#   /####",
}
