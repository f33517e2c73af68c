// Package corpus draws pictures of QR symbols as cameras see them on screens
// and paper, for tests and benchmarks: seeded, so that a failure can be drawn
// again, and with the content at hand, so that a wrong reading is told from a
// missed one.
//
// A [Spec] describes one picture completely. [Draw] picks a Spec from a class
// of hardness; [Spec.Picture] renders it.
package corpus

import (
	"fmt"
	"math/rand/v2"
)

// Class is a degree of hardness.
type Class string

// The classes, from a rendered picture to what a tired hand and a cheap webcam
// make of a terminal in a badly lit room.
const (
	Clean   Class = "clean"
	Good    Class = "good"
	Typical Class = "typical"
	Poor    Class = "poor"
)

// Classes lists all classes, easiest first.
var Classes = []Class{Clean, Good, Typical, Poor}

// Spec describes one picture. Lengths are in pixels of the picture, angles in
// degrees; shares are 0 to 1.
type Spec struct {
	Class   Class
	Seed    uint64
	Swap    bool // show the other frame: the same view with Text and Next exchanged
	Tight   bool // no room around the symbol, instead of 640 by 480 pixels at least
	Version int  // 1 to 40
	LevelM  bool // error correction M instead of L
	Module  float64

	Cell       Cell // zero: square modules, as on paper
	DarkAround bool

	Rotation float64
	Tilt     float64 // of the plane, about a random axis
	Barrel   float64 // displacement at the picture's corner, share of the half diagonal
	Blur     float64 // sigma of the defocus
	Motion   float64 // length of the smear
	Noise    float64 // sigma, in grey levels
	Contrast float64 // (light-dark)/255
	Glare    float64 // peak of the added light, share of 255
	Ghost    float64 // share of another frame's picture
	Tear     float64 // share of the rows that still show another frame
	JPEG     int     // quality, 0: none
}

// Cell is a terminal's cell in its own pixels, how many modules it shows, and
// the gap that some fonts leave below a line.
type Cell struct {
	W, H, Cols, Rows int
	Gap              int
	GapDark          bool
}

// String names the picture in a failure.
func (s Spec) String() string {
	return fmt.Sprintf("%s/%d v%d M=%v %.1fpx cell %v dark=%v rot %.0f tilt %.0f barrel %.3f blur %.2f motion %.1f noise %.1f contrast %.2f glare %.2f ghost %.2f tear %.2f jpeg %d",
		s.Class, s.Seed, s.Version, s.LevelM, s.Module, s.Cell, s.DarkAround, s.Rotation, s.Tilt, s.Barrel, s.Blur, s.Motion, s.Noise, s.Contrast, s.Glare, s.Ghost, s.Tear, s.JPEG)
}

// span is a range to draw from.
type span struct{ lo, hi float64 }

func (s span) draw(r *rand.Rand) float64 { return s.lo + (s.hi-s.lo)*r.Float64() }

// ranges of one class; every picture draws from all of them at once.
type ranges struct {
	rotation, tilt, barrel, blur, motion, noise, contrast, glare, ghost span
	tearOdds                                                            float64
	tear                                                                span
	jpeg                                                                span
	jpegOdds                                                            float64
}

var classes = map[Class]ranges{
	Clean: {contrast: span{.8, 1}},
	Good: {
		rotation: span{-10, 10}, tilt: span{0, 10}, barrel: span{0, .02}, blur: span{.2, .7}, motion: span{0, .5},
		noise: span{1, 4}, contrast: span{.6, .9}, glare: span{0, .1}, ghost: span{0, .05}, jpeg: span{85, 95}, jpegOdds: .5,
	},
	Typical: {
		rotation: span{-45, 45}, tilt: span{0, 20}, barrel: span{0, .05}, blur: span{.4, 1}, motion: span{0, 1.2},
		noise: span{3, 8}, contrast: span{.35, .8}, glare: span{0, .25}, ghost: span{0, .20}, jpeg: span{70, 92}, jpegOdds: .7,
	},
	Poor: {
		rotation: span{-45, 45}, tilt: span{5, 35}, barrel: span{.02, .10}, blur: span{.6, 1.8}, motion: span{.5, 2.5},
		noise: span{6, 14}, contrast: span{.2, .5}, glare: span{.1, .5}, ghost: span{.05, .35},
		tearOdds: .2, tear: span{.01, .04}, jpeg: span{45, 80}, jpegOdds: .8,
	},
}

// cells are cells as fonts have them: half blocks, some with a gap, and the
// denser sextants and octants.
var cells = []Cell{
	{6, 12, 1, 2, 0, false},
	{6, 13, 1, 2, 0, false},
	{7, 14, 1, 2, 0, false},
	{8, 16, 1, 2, 0, false},
	{8, 17, 1, 2, 0, false},
	{9, 18, 1, 2, 0, false},
	{10, 20, 1, 2, 0, false},
	{10, 22, 1, 2, 0, false},
	{8, 16, 1, 2, 1, false},
	{10, 20, 1, 2, 1, false},
	{10, 20, 1, 2, 2, false},
	{10, 20, 1, 2, 1, true},
	{12, 24, 1, 2, 2, true},
	{8, 16, 2, 3, 0, false},
	{10, 21, 2, 3, 0, false},
	{8, 16, 2, 4, 0, false},
	{10, 20, 2, 4, 0, false},
}

// Draw picks the i-th Spec of a class. The same class and number give the same
// Spec on every machine.
func Draw(c Class, i int) Spec {
	seed := uint64(i)
	for _, b := range []byte(c) {
		seed = seed*1099511628211 + uint64(b)
	}
	r := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
	g := classes[c]
	s := Spec{Class: c, Seed: seed, LevelM: r.IntN(2) == 1, Module: 2 + 4*r.Float64(), DarkAround: r.IntN(2) == 1}
	s.Version = drawVersion(r)
	if r.IntN(2) == 1 {
		s.Cell = cells[r.IntN(len(cells))]
	}
	s.Rotation, s.Tilt, s.Barrel = g.rotation.draw(r), g.tilt.draw(r), g.barrel.draw(r)
	s.Blur, s.Motion, s.Noise = g.blur.draw(r), g.motion.draw(r), g.noise.draw(r)
	s.Contrast, s.Glare, s.Ghost = g.contrast.draw(r), g.glare.draw(r), g.ghost.draw(r)
	if r.Float64() < g.tearOdds {
		s.Tear = g.tear.draw(r)
	}
	if r.Float64() < g.jpegOdds {
		s.JPEG = int(g.jpeg.draw(r))
	}
	if c == Clean && r.IntN(2) == 1 {
		s.Module = float64(2 + r.IntN(5))
	}
	return s
}

// drawVersion favours what terminals show (5 to 25) but reaches 40.
func drawVersion(r *rand.Rand) int {
	if r.IntN(4) == 0 {
		return 5 + r.IntN(36)
	}
	return 5 + r.IntN(21)
}
