package decode

import (
	"sync"

	"github.com/makiuchi-d/gozxing/qrcode/decoder"
)

// colour is what is known of a module before it is read.
type colour int8

const (
	dark    colour = -1
	unknown colour = 0
	light   colour = 1
)

// border is a known change of colour between two neighbours: between modules
// left and right of it, or above and below.
type border struct {
	x, y float64 // in modules from the symbol's corner
	down bool    // the change is downwards, not to the right
	rise bool    // from dark to light
}

// template is what all symbols of one version have in common.
type template struct {
	version int
	n       int
	colours []colour // (n+2)² with one row of quiet zone on each side
	borders []border
	centres [][2]int // of the alignment patterns
}

var (
	templates    [41]*template
	templateOnce [41]sync.Once
)

// templateOf returns the template of a version from 1 to 40.
func templateOf(version int) *template {
	templateOnce[version].Do(func() { templates[version] = newTemplate(version) })
	return templates[version]
}

func newTemplate(version int) *template {
	n := 17 + 4*version
	t := &template{version: version, n: n, colours: make([]colour, (n+2)*(n+2))}
	for i := range n {
		t.set(-1, i, light)
		t.set(n, i, light)
		t.set(i, -1, light)
		t.set(i, n, light)
	}
	for i := 8; i < n-8; i++ {
		t.set(i, 6, darkIf(i%2 == 0))
		t.set(6, i, darkIf(i%2 == 0))
	}
	t.finder(3, 3)
	t.finder(n-4, 3)
	t.finder(3, n-4)
	t.set(8, n-8, dark)
	t.alignment()
	t.versionInfo()
	t.findBorders()
	return t
}

func darkIf(b bool) colour {
	if b {
		return dark
	}
	return light
}

func (t *template) set(x, y int, c colour) { t.colours[(y+1)*(t.n+2)+x+1] = c }

// at is the colour of a module; the quiet zone is one module wide.
func (t *template) at(x, y int) colour { return t.colours[(y+1)*(t.n+2)+x+1] }

// finder draws a finder pattern and its separator.
func (t *template) finder(cx, cy int) {
	for y := -4; y <= 4; y++ {
		for x := -4; x <= 4; x++ {
			px, py := cx+x, cy+y
			if px < -1 || py < -1 || px > t.n || py > t.n {
				continue
			}
			t.set(px, py, finderColour(x, y))
		}
	}
}

// finderColour is the colour at an offset from a finder's centre, up to 4.
func finderColour(x, y int) colour {
	d := max(x, -x, y, -y)
	return darkIf(d <= 1 || d == 3)
}

// alignmentColour is the same for an alignment pattern, up to 2.
func alignmentColour(x, y int) colour {
	return darkIf(max(x, -x, y, -y) != 1)
}

func (t *template) alignment() {
	v, err := decoder.Version_GetVersionForNumber(t.version)
	if err != nil {
		return
	}
	c := v.GetAlignmentPatternCenters()
	last := len(c) - 1
	for i, cy := range c {
		for j, cx := range c {
			if i == 0 && j == 0 || i == 0 && j == last || i == last && j == 0 {
				continue
			}
			t.centres = append(t.centres, [2]int{cx, cy})
			for y := -2; y <= 2; y++ {
				for x := -2; x <= 2; x++ {
					t.set(cx+x, cy+y, alignmentColour(x, y))
				}
			}
		}
	}
}

// versionInfo draws the version, which symbols from version 7 on tell twice.
func (t *template) versionInfo() {
	if t.version < 7 {
		return
	}
	bits := decoder.VERSION_DECODE_INFO[t.version-7]
	for i := range 18 {
		c := darkIf(bits>>i&1 == 1)
		t.set(t.n-11+i%3, i/3, c)
		t.set(i/3, t.n-11+i%3, c)
	}
}

func (t *template) findBorders() {
	for y := -1; y <= t.n; y++ {
		for x := -1; x <= t.n; x++ {
			c := t.at(x, y)
			if c == unknown {
				continue
			}
			if x < t.n {
				t.addBorder(c, t.at(x+1, y), float64(x)+1, float64(y)+.5, false)
			}
			if y < t.n {
				t.addBorder(c, t.at(x, y+1), float64(x)+.5, float64(y)+1, true)
			}
		}
	}
}

func (t *template) addBorder(a, b colour, x, y float64, down bool) {
	if a*b == -1 {
		t.borders = append(t.borders, border{x: x, y: y, down: down, rise: b == light})
	}
}
