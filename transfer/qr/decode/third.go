package decode

import (
	"math"
	"slices"
	"sort"
)

// spot is a place where two finders that were seen promise a third.
type spot struct {
	f             frame   // one of the two
	x, y          float64 // the place, in modules from it
	along, across float64 // how far it may lie off
	cost          float64 // how badly the two go together
}

// maxSpots bounds how many spots are searched.
const maxSpots = 24

// complete looks for the third finder where the likeliest pairs say it must
// be: glare, smear and noise hide it from a line scan sooner than from a
// comparison with the whole pattern.
func (s *search) complete() {
	fs := slices.DeleteFunc(slices.Clone(s.frames), func(f frame) bool { return s.covered(f.c) })
	var spots []spot
	for i := range fs {
		for j := i + 1; j < len(fs); j++ {
			spots = append(spots, sideSpots(&fs[i], &fs[j])...)
			spots = append(spots, diagonalSpots(&fs[i], &fs[j])...)
		}
	}
	sort.SliceStable(spots, func(i, j int) bool { return spots[i].cost < spots[j].cost })
	for i := 0; i < len(spots) && i < maxSpots && !s.stop(); i++ {
		s.compare(&spots[i])
	}
}

// Tilt and lens move the third finder by up to these shares of its distance.
const (
	spotAlong  = .25
	spotAcross = .14
)

// doubt is the cost of finders that do not look like much.
func doubt(a, b *frame) float64 { return 3 * (2 - a.fit - b.fit) }

// sideSpots are where the third is if the two lie on one side of the symbol:
// at a right angle at either, up or down.
func sideSpots(a, b *frame) (out []spot) {
	l, ok := linkOf(a, b)
	if !ok {
		return nil
	}
	for _, f := range [...]*frame{a, b} {
		turned := *f
		if l.alongU {
			turned.u, turned.v = f.v, f.u
		}
		for _, sign := range [...]float64{1, -1} {
			out = append(out, spot{turned, sign * l.count, 0, max(3, spotAlong*l.count), max(3, spotAcross*l.count), l.cost + doubt(a, b)})
		}
	}
	return out
}

// diagonalSpots are where the third is if the two lie across the symbol.
func diagonalSpots(a, b *frame) []spot {
	d := b.c.sub(a.c)
	i, j, ok := inFrame(a, d)
	bi, bj, ok2 := inFrame(b, d)
	if !ok || !ok2 {
		return nil
	}
	lean := math.Abs(math.Log(math.Abs(i / j)))
	bLean := math.Abs(math.Log(math.Abs(bi / bj)))
	skew := math.Abs(math.Log(math.Hypot(i, j) / math.Hypot(bi, bj)))
	if !(lean < .5) || !(bLean < .5) || skew > .7 || math.Abs(i) < 11 || math.Abs(i) > 200 {
		return nil
	}
	reach := max(3, spotAcross*math.Abs(i))
	cost := lean + bLean + skew + doubt(a, b)
	return []spot{{*a, i, 0, reach, reach, cost}, {*a, 0, j, reach, reach, cost}}
}

// compare compares everything around a spot with a finder pattern.
func (s *search) compare(w *spot) {
	p := s.smoothed()
	best := frame{fit: -1}
	const step = .75
	for x := w.x - w.along; x <= w.x+w.along; x += step {
		for y := w.y - w.across; y <= w.y+w.across; y += step {
			if c := w.f.at(x, y); p.inside(c.x, c.y) {
				p.try(&best, frame{c: c, u: w.f.u, v: w.f.v})
			}
		}
	}
	if best.fit < hopeless {
		return
	}
	p.climb(&best)
	if g, ok := p.polish(best); ok && !s.seen(g.c, g.module()) {
		s.frames = append(s.frames, g)
	}
}
