package decode

import "sort"

// place finds the pose of a symbol of a guessed version: first from its
// finders and timing lines, then alignment pattern by alignment pattern
// outwards from the timing lines, then from all borders at once.
func (t *triple) place(p *plane, g *guess) (pose, float64) {
	tpl := templateOf(g.version)
	s := newPose(g.version, p)
	s.affine(t)
	known := t.cornerSights(s.size())
	known.ticks(g.row, g.column)
	s.fit(known, 10)
	if !s.sane(p) {
		return s, 0
	}
	s.spread(p, tpl, known)
	if !s.sane(p) {
		return s, 0
	}
	agree := s.settle(p, tpl, 4)
	if !s.sane(p) {
		return s, 0
	}
	return s, agree
}

// spread looks for the alignment patterns, nearest to the timing lines first,
// and fits the pose anew after each diagonal.
func (s *pose) spread(p *plane, t *template, known sights) {
	order := append([][2]int(nil), t.centres...)
	sort.SliceStable(order, func(i, j int) bool { return far(order[i]) < far(order[j]) })
	for i := 0; i < len(order); {
		wave := far(order[i])
		found := false
		for ; i < len(order) && far(order[i]) == wave; i++ {
			c := order[i]
			reach := 1.5
			if t.version < 7 {
				reach = 3
			}
			at, fit := s.alignmentNear(p, float64(c[0])+.5, float64(c[1])+.5, reach)
			if fit > minAlignment {
				known.point(float64(c[0])+.5, float64(c[1])+.5, at, 8*fit)
				found = true
			}
		}
		if found {
			s.fit(known, 4)
		}
	}
}

// far orders alignment patterns: those on the timing lines first, then by the
// distance from the upper left.
func far(c [2]int) int {
	if c[0] == 6 || c[1] == 6 {
		return 0
	}
	return c[0] + c[1]
}

// minAlignment is the correlation from which a place is taken for an alignment
// pattern.
const minAlignment = .6

// alignmentNear searches for an alignment pattern up to reach modules from
// where the pose expects it.
func (s *pose) alignmentNear(p *plane, mx, my, reach float64) (point, float64) {
	c := s.pointAt(mx, my)
	right, down := s.steps(mx, my)
	best, at := -1., c
	try := func(q point) {
		if f := alignmentFit(p, q, right, down); f > best {
			best, at = f, q
		}
	}
	for y := -reach; y <= reach; y += .5 {
		for x := -reach; x <= reach; x += .5 {
			try(c.plus(right, x).plus(down, y))
		}
	}
	for step := .25; step > .1; step /= 2 {
		o := at
		for _, d := range [...][2]float64{{-1, 0}, {1, 0}, {0, -1}, {0, 1}} {
			try(o.plus(right, d[0]*step).plus(down, d[1]*step))
		}
	}
	return at, best
}

// alignmentFit correlates the picture with an alignment pattern.
func alignmentFit(p *plane, c, right, down point) float64 {
	var k correlation
	for y := -2; y <= 2; y++ {
		for x := -2; x <= 2; x++ {
			q := c.plus(right, float64(x)).plus(down, float64(y))
			k.add(p.at(q.x, q.y), float64(alignmentColour(x, y)))
		}
	}
	return k.value()
}

// limitAgree is the agreement below which a pose is not worth reading.
const limitAgree = .55
