package tui

import (
	"slices"
	"strings"
	"unicode"

	tea "charm.land/bubbletea/v2"

	"conclave/tui/say"
	"conclave/tui/text"
)

// A finder looks for text in pages. Space and letter case do not matter, so
// that a hash is found in groups of four, across lines, and as one word.
type finder struct {
	asked *field // what is being typed, nil while nothing is
	want  string // what was looked for last, as squeeze makes it
	typed text.Safe
}

func (f *finder) ask() { f.asked = newField("find") }

// take ends the typing and says whether there is something to look for.
func (f *finder) take() bool {
	f.typed, f.want = text.Clean(f.asked.text()), squeeze(f.asked.text())
	f.asked = nil
	return f.want != ""
}

// in lists the pages that have what is looked for.
func (f *finder) in(pages [][]Line) []int {
	var found []int
	if f.want == "" {
		return nil
	}
	for i, page := range pages {
		var b strings.Builder
		for _, l := range page {
			for _, s := range l.spans {
				b.WriteString(s.text.String())
			}
		}
		if strings.Contains(squeeze(b.String()), f.want) {
			found = append(found, i)
		}
	}
	return found
}

// squeeze is text without space, in lower case.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}

// search moves to the next page with what is looked for, from page at on or after it.
func (s *reviewScreen) search(from int) tea.Cmd {
	pages, _ := s.paged()
	found := s.finder.in(pages)
	if len(found) == 0 {
		s.tell(say.Notice{What: text.F("No page has %s.", s.finder.typed)})
		return nil
	}
	i := max(slices.IndexFunc(found, func(page int) bool { return page >= from }), 0) // after the last comes the first
	s.page, s.app.scroll = found[i], 0
	if len(found) == 1 {
		s.good("%s is on this page and on no other.", s.finder.typed)
	} else {
		s.good("%s is on this page, the %s of %d that have it.", s.finder.typed, text.Ordinal(i+1), len(found))
	}
	return nil
}

// searchKeys end or leave the typing of what is looked for.
func (s *reviewScreen) searchKeys() []Key {
	return []Key{
		on("enter", "find", func() tea.Cmd {
			if !s.finder.take() {
				return nil
			}
			_, at := s.paged()
			return s.search(at)
		}, "enter"),
		back("cancel", func() { s.finder.asked = nil }),
	}
}

// readerKeys are for whoever wants to know more than a page says.
func (s *reviewScreen) readerKeys() []Key {
	keys := []Key{on("/", "find", now(func() { s.clear(); s.finder.ask() }), "/").less()}
	if s.finder.want != "" {
		keys = append(keys, on("n", "find next", func() tea.Cmd {
			_, at := s.paged()
			return s.search(at + 1)
		}, "n").less())
	}
	return append(keys, on("d", "details", func() tea.Cmd { return s.app.open(&detailScreen{app: s.app}) }, "d").less())
}

// A detailScreen shows whole what the review shortens.
type detailScreen struct {
	app  *App
	laid []Line
	w    int
}

func (s *detailScreen) Title() string          { return "details" }
func (s *detailScreen) Update(tea.Msg) tea.Cmd { return nil }
func (s *detailScreen) Keys() []Key            { return []Key{back("back", s.app.shut)} }

// Body lays the details out once for a width: there may be many thousand files.
func (s *detailScreen) Body(w, _ int) Page {
	if s.laid == nil || s.w != w {
		s.laid, s.w = nil, w
		for i, sec := range say.Details(s.app.state) {
			if i > 0 {
				s.laid = append(s.laid, blank)
			}
			s.laid = append(s.laid, sectionLines(sec, w)...)
		}
	}
	return Page{Lines: s.laid}
}
