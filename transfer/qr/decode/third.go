package decode

import (
	"slices"
	"sort"
)

// pair is two finders that may belong to one symbol whose third was not seen.
type pair struct {
	a, b *frame
	l    link
	cost float64
}

// maxPairs bounds how many pairs are completed.
const maxPairs = 6

// complete looks for the third finder of the likeliest pairs, where they say
// it must be: glare, smear and noise hide it from a line scan sooner than from
// a comparison with the whole pattern.
func (s *search) complete() {
	fs := slices.DeleteFunc(slices.Clone(s.frames), func(f frame) bool { return s.read(f.c) })
	var pairs []pair
	for i := range fs {
		for j := i + 1; j < len(fs); j++ {
			if l, ok := linkOf(&fs[i], &fs[j]); ok {
				pairs = append(pairs, pair{&fs[i], &fs[j], l, l.cost + 3*(2-fs[i].fit-fs[j].fit)})
			}
		}
	}
	sort.SliceStable(pairs, func(i, j int) bool { return pairs[i].cost < pairs[j].cost })
	for i := 0; i < len(pairs) && i < maxPairs; i++ {
		for _, f := range [...]*frame{pairs[i].a, pairs[i].b} {
			for _, sign := range [...]float64{1, -1} {
				if s.stop() {
					return
				}
				s.addThird(f, &pairs[i].l, sign)
			}
		}
	}
}

// The third finder lies about as far from the corner as the second, at a right
// angle; tilt and lens move it by up to these shares of the distance.
const (
	thirdAlong  = .25
	thirdAcross = .14
)

// addThird searches one of the four places where a pair's third finder may be.
func (s *search) addThird(corner *frame, l *link, sign float64) {
	f := *corner
	if l.alongU {
		f.u, f.v = f.v, f.u
	}
	f.u, f.v = f.u.mul(sign), f.v.mul(sign)
	p := s.smoothed()
	best := frame{fit: -1}
	const step = .75
	along, across := max(3, thirdAlong*l.count), max(3, thirdAcross*l.count)
	for x := l.count - along; x <= l.count+along; x += step {
		for y := -across; y <= across; y += step {
			c := f.at(x, y)
			if p.inside(c.x, c.y) {
				p.try(&best, frame{c: c, u: f.u, v: f.v})
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
