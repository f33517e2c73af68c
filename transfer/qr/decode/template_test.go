package decode

import (
	"testing"
)

// What a template claims to know must be so in symbols that another program
// made.
func TestTemplatesAgreeWithAnEncoder(t *testing.T) {
	for _, v := range someVersions {
		m := symbol(t, "TEMPLATE", v, false)
		tpl := templateOf(v)
		if tpl.n != len(m) {
			t.Fatalf("version %d has %d modules, want %d", v, tpl.n, len(m))
		}
		known := 0
		for y := range m {
			for x := range m {
				c := tpl.at(x, y)
				if c == unknown {
					continue
				}
				known++
				if (c == dark) != m[y][x] {
					t.Errorf("version %d: module %d,%d is taken for %v", v, x, y, c)
				}
			}
		}
		if least := 3*64 + 2*(tpl.n-16); known < least {
			t.Errorf("version %d: %d known modules, want %d at least", v, known, least)
		}
		if e := gridOf(m).knownErrors(tpl); e != 0 {
			t.Errorf("version %d: %.3f of the known modules read wrong", v, e)
		}
	}
}

func TestFormatWordIsFoundInBothCopies(t *testing.T) {
	m := symbol(t, "FORMAT", 8, true)
	g := gridOf(m)
	if a, b := g.formatWords(false); a != b {
		t.Fatalf("copies differ: %015b, %015b", a, b)
	}
	if e := g.formatErrors(); e != 0 {
		t.Fatalf("clean symbol has %d errors in its format word", e)
	}
	for x := range 9 { // spoil the copy at the upper left
		g.v[g.index(x, 8)] = 1
	}
	if e := g.formatErrors(); e != 0 {
		t.Errorf("the second copy does not count: %d errors", e)
	}
}

func TestBordersLieBetweenKnownColours(t *testing.T) {
	tpl := templateOf(7)
	seen := map[border]bool{}
	for _, b := range tpl.borders {
		if seen[b] {
			t.Errorf("border twice: %+v", b)
		}
		seen[b] = true
		x, y := int(b.x-.5), int(b.y)
		x2, y2 := x+1, y
		if b.down {
			x, y = int(b.x), int(b.y-.5)
			x2, y2 = x, y+1
		}
		// int rounds the quiet zone's -½ to 0: skip the outermost
		if b.x < 1 || b.y < 1 {
			continue
		}
		if a, c := tpl.at(x, y), tpl.at(x2, y2); a*c != -1 || (c == light) != b.rise {
			t.Errorf("border %+v between %v and %v", b, a, c)
		}
	}
	if len(tpl.borders) < 300 {
		t.Errorf("only %d borders", len(tpl.borders))
	}
}
