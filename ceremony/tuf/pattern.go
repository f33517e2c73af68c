package tuf

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
)

// CheckDelegationPath refuses path patterns that clients read in different
// ways or that match nothing. Its error is a *BuildError.
func CheckDelegationPath(pattern string) error {
	what := badPattern(pattern)
	if what == "" {
		return nil
	}
	return &BuildError{
		What: fmt.Sprintf("path pattern %q %s", shorten(pattern, maxPathName), what),
		hint: "use patterns like release/*.tar.gz: * and ? match within one part, [a-z] one character of a range",
	}
}

// badPattern says what is wrong with a path pattern.
func badPattern(pattern string) string {
	for _, odd := range []struct{ text, what string }{
		{"**", "has **, which some clients read as any number of parts"},
		{"[!", "has a negated class, which is written in two ways"},
		{"[^", "has a negated class, which is written in two ways"},
		{`\`, "has a backslash, which only some clients read as an escape"},
		{"{", "has a brace, which some clients expand"},
		{"}", "has a brace, which some clients expand"},
		{"(", "has a parenthesis, which some clients expand"},
		{")", "has a parenthesis, which some clients expand"},
	} {
		if strings.Contains(pattern, odd.text) {
			return odd.what
		}
	}
	if strings.HasPrefix(pattern, "!") || strings.HasPrefix(pattern, "#") {
		return "begins with a mark that some clients read as a negation or a comment"
	}
	if what := badTargetPath(pattern); what != "" {
		return what
	}
	for part := range strings.SplitSeq(pattern, "/") {
		if _, err := path.Match(part, ""); err != nil {
			return "has a class that is not whole within one part, so go-tuf matches nothing with it"
		}
	}
	return ""
}

// A glob is a path pattern in pieces. It is read as go-tuf reads it: no piece
// but a slash matches a slash.
type glob []piece

// A piece matches one character, or any number of them.
type piece struct {
	star   bool
	any    bool
	ranges []runeRange // else: one of these
}

type runeRange struct{ low, high rune }

// parseGlob reads a pattern that badPattern has no objection to.
func parseGlob(pattern string) (glob, bool) {
	if badPattern(pattern) != "" {
		return nil, false
	}
	var g glob
	text := []rune(pattern)
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '*':
			g = append(g, piece{star: true})
		case '?':
			g = append(g, piece{any: true})
		case '[':
			var p piece
			for i++; i < len(text) && text[i] != ']'; i++ {
				r := runeRange{text[i], text[i]}
				if i+2 < len(text) && text[i+1] == '-' {
					r.high = text[i+2]
					i += 2
				}
				p.ranges = append(p.ranges, r)
			}
			g = append(g, p)
		default:
			g = append(g, piece{ranges: []runeRange{{text[i], text[i]}}})
		}
	}
	return g, true
}

func (p piece) takes(c rune) bool {
	if p.star || p.any {
		return c != '/'
	}
	for _, r := range p.ranges {
		if r.low <= c && c <= r.high {
			return true
		}
	}
	return false
}

// places adds the place at and those that are reached from it without a
// character to a set of places in g.
func (g glob) places(set []bool, at int) {
	for ; at <= len(g) && !set[at]; at++ {
		set[at] = true
		if at == len(g) || !g[at].star {
			return
		}
	}
}

// after is the set of places after one more character.
func (g glob) after(set []bool, c rune) []bool {
	next := make([]bool, len(g)+1)
	for at, here := range set[:len(g)] {
		switch {
		case !here || !g[at].takes(c):
		case g[at].star:
			g.places(next, at)
		default:
			g.places(next, at+1)
		}
	}
	return next
}

func (g glob) begin() []bool {
	set := make([]bool, len(g)+1)
	g.places(set, 0)
	return set
}

// matches reports whether the whole of a target path fits g.
func (g glob) matches(path string) bool {
	set := g.begin()
	for _, c := range path {
		set = g.after(set, c)
	}
	return set[len(g)]
}

// letters is one character for every way in which patterns tell characters
// apart: where a path exists that one of them matches and another does not,
// one of these letters exists too.
func letters(globs []glob) []rune {
	seen := map[rune]bool{}
	var all []rune
	add := func(c rune) {
		if c > ' ' && c != 0x7f && c <= unicode.MaxRune && !unicode.IsControl(c) && !seen[c] && (c < 0xd800 || c > 0xdfff) {
			seen[c] = true
			all = append(all, c)
		}
	}
	// The letters of an example come first, the strange neighbours last.
	for _, g := range globs {
		for _, p := range g {
			for _, r := range p.ranges {
				add(r.low)
			}
		}
	}
	for _, c := range "xyz0" {
		add(c)
	}
	for _, g := range globs {
		for _, p := range g {
			for _, r := range p.ranges {
				add(r.high)
				add(r.high + 1)
				add(r.low - 1)
			}
		}
	}
	return all
}

// Hostile patterns can make a question about them grow without end. These bound
// the work for one question and for all questions about a document, in places
// of patterns looked at. Honest patterns need some thousands.
const (
	maxSearch   = 1 << 20
	maxSearches = 1 << 25
)

// A search answers questions about patterns while work is left.
type search struct{ left int }

// find looks for the shortest target path that all of want match and none of
// not matches. known is false where the search was given up.
func (s *search) find(want, not []glob) (path string, found, known bool) {
	globs := append(append([]glob{}, want...), not...)
	alphabet := letters(globs)
	cost := 1
	begin := node{last: '/'}
	for _, g := range globs {
		begin.sets = append(begin.sets, g.begin())
		cost += len(g)
	}
	queue := []node{begin}
	seen := map[string]bool{}
	for left := min(s.left, maxSearch); len(queue) > 0; queue = queue[1:] {
		n := queue[0]
		if n.last != '/' && accepts(n.sets, globs, len(want)) {
			return n.path, true, true
		}
		for _, c := range alphabet {
			s.left -= cost
			if left -= cost; left < 0 {
				return "", false, false
			}
			if c == '/' && n.last == '/' {
				continue // no target has an empty part
			}
			next, alive := n.step(globs, len(want), c)
			if key := keyOf(next.sets, c == '/'); alive && !seen[key] {
				seen[key] = true
				queue = append(queue, next)
			}
		}
	}
	return "", false, true
}

// A node is how far a path leads in every pattern.
type node struct {
	sets [][]bool
	path string
	last rune
}

// step goes on by one character. It is alive while all wanted patterns can
// still match.
func (n node) step(globs []glob, wanted int, c rune) (next node, alive bool) {
	next, alive = node{path: n.path + string(c), last: c}, true
	for i, g := range globs {
		next.sets = append(next.sets, g.after(n.sets[i], c))
		alive = alive && (i >= wanted || slices.Contains(next.sets[i], true))
	}
	return next, alive
}

// accepts reports whether a path that led to sets is matched by the first
// patterns, those that are wanted, and by none of the others.
func accepts(sets [][]bool, globs []glob, wanted int) bool {
	for i, g := range globs {
		if sets[i][len(g)] != (i < wanted) {
			return false
		}
	}
	return true
}

func keyOf(sets [][]bool, slash bool) string {
	var b strings.Builder
	for _, set := range sets {
		for _, here := range set {
			if here {
				b.WriteByte('1')
			} else {
				b.WriteByte('0')
			}
		}
	}
	if slash {
		b.WriteByte('/')
	}
	return b.String()
}

// overlap looks for a path that two patterns share. Where the search is given
// up it says that there may be one.
func (s *search) overlap(a, b glob) (example string, shared bool) {
	if apart(a, b) {
		return "", false
	}
	example, found, known := s.find([]glob{a, b}, nil)
	return example, found || !known
}

// apart is a quick look that settles most pairs: patterns whose beginnings differ.
func apart(a, b glob) bool {
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		if len(x.ranges) != 1 || len(y.ranges) != 1 || x.ranges[0].low != x.ranges[0].high || y.ranges[0].low != y.ranges[0].high {
			return false
		}
		if x.ranges[0].low != y.ranges[0].low {
			return true
		}
	}
	return false
}

// covered reports whether every path that g matches is matched by one of by.
// Where the search is given up it says no.
func (s *search) covered(g glob, by []glob) bool {
	if len(by) == 0 {
		return false
	}
	_, rest, known := s.find([]glob{g}, by)
	return known && !rest
}

// example is a path that g matches.
func (g glob) example() string {
	var b strings.Builder
	for _, p := range g {
		switch {
		case p.star || p.any:
			b.WriteByte('x')
		default:
			b.WriteRune(p.ranges[0].low)
		}
	}
	return b.String()
}
