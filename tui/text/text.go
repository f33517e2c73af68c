// Package text makes text from outside safe to show.
//
// Its promise: a Safe holds no character that a terminal would act on, that
// hides, or that changes the order or place of the characters around it.
// Whatever does is made visible: an escape character is shown as <U+001B>, a
// byte that is not UTF-8 as <0xFF>. A Safe is one line, and its width in
// terminal cells is known. Only this package can make one.
package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// A Safe is one line of text that can be put on a terminal. The zero value is empty.
type Safe struct{ s string }

// String returns the text. It is safe to print; it is not what came in.
func (t Safe) String() string { return t.s }

// Width is the number of terminal cells that the text takes.
func (t Safe) Width() int { return Width(t.s) }

// Empty reports whether there is nothing to show.
func (t Safe) Empty() bool { return t.s == "" }

// Width is the number of terminal cells that s takes.
func Width(s string) int { return ansi.StringWidth(s) }

// maxMarks is how many combining marks one letter may carry: Vietnamese and
// Hebrew need two. More of them spill over the lines above and below.
const maxMarks = 2

// Clean makes s safe to show. Clean(Clean(s).String()) is Clean(s).
func Clean(s string) Safe {
	if isPlain(s) {
		return Safe{s}
	}
	var b strings.Builder
	c := cleaner{out: &b}
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, "<0x%02X>", s[0])
			c.bare = true
		} else {
			c.add(r)
		}
		s = s[n:]
	}
	return Safe{b.String()}
}

// isPlain reports printable ASCII, which needs no second look.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

type cleaner struct {
	out   *strings.Builder
	marks int  // combining marks on the letter so far
	bare  bool // the last thing written is one that a mark must not sit on
}

func (c *cleaner) add(r rune) {
	if !shown(r) {
		c.name(r)
		return
	}
	if unicode.Is(unicode.M, r) {
		c.mark(r)
		return
	}
	c.marks, c.bare = 0, r < 0x80 && !unicode.IsLetter(r)
	c.out.WriteRune(r)
}

// mark writes a combining mark where it belongs to a letter, else its name: at
// the start it would sit on whatever was printed before.
func (c *cleaner) mark(r rune) {
	if c.out.Len() == 0 || c.bare || c.marks == maxMarks {
		c.name(r)
		return
	}
	c.marks++
	c.out.WriteRune(r)
}

func (c *cleaner) name(r rune) {
	fmt.Fprintf(c.out, "<U+%04X>", r)
	c.bare = true
}

// shown reports whether r appears as itself. unicode.IsPrint leaves out all
// control, format (bidi, zero width), private and unassigned characters and
// every space but the plain one; odd holds those that it lets through.
func shown(r rune) bool {
	return unicode.IsPrint(r) && !unicode.Is(odd, r)
}

// odd are characters that count as printable and yet are blank, join their
// neighbours into one, or take a width that terminals disagree about.
var odd = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x034f, Hi: 0x034f, Stride: 1}, // combining grapheme joiner
		{Lo: 0x0d4e, Hi: 0x0d4e, Stride: 1}, // joins what follows, as those of the higher planes below
		{Lo: 0x115f, Hi: 0x11ff, Stride: 1}, // Hangul fillers, joining vowels and finals
		{Lo: 0x17b4, Hi: 0x17b5, Stride: 1}, // Khmer inherent vowels, invisible
		{Lo: 0x180b, Hi: 0x180f, Stride: 1}, // Mongolian variation selectors
		{Lo: 0x20d0, Hi: 0x20ff, Stride: 1}, // marks that enclose or strike their neighbour
		{Lo: 0x2800, Hi: 0x2800, Stride: 1}, // blank Braille pattern
		{Lo: 0x3164, Hi: 0x3164, Stride: 1}, // Hangul filler
		{Lo: 0xd7b0, Hi: 0xd7ff, Stride: 1}, // joining Hangul vowels and finals
		{Lo: 0xfe00, Hi: 0xfe0f, Stride: 1}, // variation selectors
		{Lo: 0xffa0, Hi: 0xffa0, Stride: 1}, // half width Hangul filler
	},
	R32: []unicode.Range32{
		{Lo: 0x111c2, Hi: 0x111c3, Stride: 1},
		{Lo: 0x113d1, Hi: 0x113d1, Stride: 1},
		{Lo: 0x1193f, Hi: 0x1193f, Stride: 1},
		{Lo: 0x11941, Hi: 0x11941, Stride: 1},
		{Lo: 0x11a3a, Hi: 0x11a3a, Stride: 1},
		{Lo: 0x11a84, Hi: 0x11a89, Stride: 1},
		{Lo: 0x11d46, Hi: 0x11d46, Stride: 1},
		{Lo: 0x11f02, Hi: 0x11f02, Stride: 1},
		{Lo: 0x1d159, Hi: 0x1d159, Stride: 1}, // blank note head
		{Lo: 0x1f1e6, Hi: 0x1f1ff, Stride: 1}, // regional indicators, two make a flag
		{Lo: 0x1f3fb, Hi: 0x1f3ff, Stride: 1}, // skin tones
		{Lo: 0xe0100, Hi: 0xe01ef, Stride: 1}, // variation selectors
	},
}

// F formats like fmt.Sprintf and cleans what comes out, so arguments may come
// from outside; each string, error and Stringer among them is cleaned by itself first.
func F(format string, args ...any) Safe {
	clean := make([]any, len(args))
	for i, a := range args {
		clean[i] = cleanArg(a)
	}
	return Clean(fmt.Sprintf(format, clean...))
}

func cleanArg(a any) any {
	switch a := a.(type) {
	case Safe:
		return a.s
	case string:
		return Clean(a).s
	case error:
		return Clean(a.Error()).s
	case fmt.Stringer:
		return Clean(a.String()).s
	}
	return a
}

// Concat puts texts behind each other.
func Concat(parts ...Safe) Safe {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.s)
	}
	return Clean(b.String())
}
