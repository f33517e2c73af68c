package text

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain ASCII stays", "root 5 + targets 18", "root 5 + targets 18"},
		{"letters of the world stay", "Łukasz Ünal 花子 Ελένη", "Łukasz Ünal 花子 Ελένη"},
		{"an escape sequence", "a\x1b[2Jb", "a<U+001B>[2Jb"},
		{"a C1 control sequence", "a\u009b2Jb", "a<U+009B>2Jb"},
		{"line ends", "one\r\ntwo", "one<U+000D><U+000A>two"},
		{"a tab", "a\tb", "a<U+0009>b"},
		{"a delete character", "a\x7fb", "a<U+007F>b"},
		{"text turned around", "user\u202egnp.exe", "user<U+202E>gnp.exe"},
		{"an isolate", "\u2066a\u2069", "<U+2066>a<U+2069>"},
		{"direction marks", "\u200e\u200f\u061c", "<U+200E><U+200F><U+061C>"},
		{"zero width", "Ali\u200bce\u200d\ufeff\u2060", "Ali<U+200B>ce<U+200D><U+FEFF><U+2060>"},
		{"a soft hyphen", "co\u00adop", "co<U+00AD>op"},
		{"line and paragraph separators", "a\u2028b\u2029c", "a<U+2028>b<U+2029>c"},
		{"spaces that are not the space", "a\u00a0b\u3000c", "a<U+00A0>b<U+3000>c"},
		{"blanks that count as letters", "a\u3164b\u2800", "a<U+3164>b<U+2800>"},
		{"bytes that are not UTF-8", "a\xffb\xc3", "a<0xFF>b<0xC3>"},
		{"a surrogate half", "\xed\xa0\x80", "<0xED><0xA0><0x80>"},
		{"an accent on a letter", "e\u0301", "e\u0301"},
		{"an accent on nothing", "\u0301e", "<U+0301>e"},
		{"an accent on a space", "a \u0301", "a <U+0301>"},
		{"a pile of accents", "e\u0301\u0302\u0303\u0304", "e\u0301\u0302<U+0303><U+0304>"},
		{"an enclosing mark", "a\u20dd", "a<U+20DD>"},
		{"a flag", "\U0001f1e9\U0001f1ea", "<U+1F1E9><U+1F1EA>"},
		{"a variation selector", "a\ufe0f", "a<U+FE0F>"},
		{"a private character", "\ue000", "<U+E000>"},
		{"a tag character", "\U000e0041", "<U+E0041>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Clean(tt.in).String(); got != tt.want {
				t.Errorf("Clean(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestFormatCleansItsArguments(t *testing.T) {
	got := F("%s|%v|%d|%s", "a\x1b", errors.New("b\n"), 3, Clean("c\x07")).String()
	if want := "a<U+001B>|b<U+000A>|3|c<U+0007>"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFormatKeepsAMarkOffTheTextBeforeIt(t *testing.T) {
	if got, want := F("holder%s", "\u0336x").String(), "holder<U+0336>x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		name, in    string
		width       int
		want, start string
	}{
		{"what fits stays", "hamburger", 9, "hamburger", "hamburger"},
		{"what does not is marked", "hamburger", 8, "hambu...", "...urger"},
		{"wide characters are not halved", "花子花子", 6, "花...", "...子"},
		{"three cells are all dots", "hamburger", 3, "...", "..."},
		{"one cell is one dot", "hamburger", 1, ".", "."},
		{"no cell is nothing", "hamburger", 0, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Cut(Clean(tt.in), tt.width).String(); got != tt.want {
				t.Errorf("Cut: %q, want %q", got, tt.want)
			}
			if got := CutStart(Clean(tt.in), tt.width).String(); got != tt.start {
				t.Errorf("CutStart: %q, want %q", got, tt.start)
			}
		})
	}
}

func TestPad(t *testing.T) {
	if got := Pad(Clean("花"), 4).String(); got != "花  " {
		t.Errorf("Pad: %q", got)
	}
	if got := PadLeft(Clean("7"), 3).String(); got != "  7" {
		t.Errorf("PadLeft: %q", got)
	}
	if got := Pad(Clean("hamburger"), 5).String(); got != "ha..." {
		t.Errorf("Pad: %q", got)
	}
}

func TestFold(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		width    int
		want     string
	}{
		{"between words", "any two of Alice and Bob", 10, "any two of|Alice and|Bob"},
		{"a word that is too long", "a 0123456789abc b", 5, "a|01234|56789|abc b"},
		{"nothing is one empty line", "", 5, ""},
		{"wide characters", "花子花子", 5, "花子|花子"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, l := range Fold(Clean(tt.in), tt.width) {
				got = append(got, l.String())
			}
			if s := strings.Join(got, "|"); s != tt.want {
				t.Errorf("got %q, want %q", s, tt.want)
			}
		})
	}
}

// The text of a hostile file must not reach the terminal as anything but
// visible characters, must take the cells it says, and must survive cutting
// and folding with that.
// TestNoCharacterSwallowsTheNext looks at every character there is: one that joins what
// stands after it would move all the columns behind it.
func TestNoCharacterSwallowsTheNext(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		c := Clean(string(r))
		if got, want := Width(c.String()+" |"), c.Width()+2; got != want {
			t.Errorf("%U before a space: %d cells, want %d", r, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{
		"Alice", "a\x1b[2Jb", "user\u202egnp.exe", "e\u0301\u0302\u0303", "\u0301", "花子", "\U0001f468\u200d\U0001f469",
		"\U0001f1e9\U0001f1ea", "\xff\xfe", "क्षि", "한국", "\u1100\u1161\u11a8", "a\u0e33", "\U0001f3fb", "<U+001B>",
	} {
		f.Add(s, 7)
	}
	f.Add(strings.Repeat("\x03", 4000), 103) // long: each step may look at a little of it only
	f.Fuzz(func(t *testing.T, s string, width int) {
		width %= 200
		c := Clean(s)
		checkShown(t, c.String())
		if again := Clean(c.String()); again != c {
			t.Errorf("cleaning twice changes %q to %q", c, again)
		}
		for _, cut := range []Safe{Cut(c, width), CutStart(c, width)} {
			checkShown(t, cut.String())
			if cut.Width() > max(width, 0) {
				t.Errorf("%q cut to %d is %d wide", c, width, cut.Width())
			}
		}
		if width >= 0 && Pad(c, width).Width() != width {
			t.Errorf("%q padded to %d is %d wide", c, width, Pad(c, width).Width())
		}
		checkFold(t, c, width)
	})
}

func checkFold(t *testing.T, c Safe, width int) {
	t.Helper()
	var all strings.Builder
	for _, l := range Fold(c, width) {
		checkShown(t, l.String())
		if l.Width() > max(width, 2) {
			t.Errorf("folded line %q is %d wide, not %d", l, l.Width(), width)
		}
		all.WriteString(l.String())
	}
	none := strings.NewReplacer(" ", "")
	if none.Replace(all.String()) != none.Replace(c.String()) {
		t.Errorf("folding %q lost text: %q", c, all.String())
	}
}

func checkShown(t *testing.T, s string) {
	t.Helper()
	if !utf8.ValidString(s) {
		t.Fatalf("%q is not UTF-8", s)
	}
	for _, r := range s {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || !unicode.IsPrint(r) {
			t.Fatalf("%q holds %U", s, r)
		}
	}
}
