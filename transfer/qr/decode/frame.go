package decode

import (
	"math"
	"sort"
)

// frame is a finder pattern as the picture shows it: its centre and one module
// in its two directions.
type frame struct {
	c, u, v point
	fit     float64 // correlation with the ideal pattern, up to 1
}

// at is the pixel at an offset from the centre, in modules.
func (f *frame) at(x, y float64) point { return f.c.plus(f.u, x).plus(f.v, y) }

// module is the mean size of a module in pixels.
func (f *frame) module() float64 { return math.Sqrt(math.Abs(f.u.cross(f.v))) }

// finderBorders are the changes of colour in a finder pattern, from its centre.
var finderBorders = func() (out []border) {
	for y := -4; y <= 4; y++ {
		for x := -4; x <= 4; x++ {
			c := finderColour(x, y)
			if r := finderColour(x+1, y); x < 4 && c != r {
				out = append(out, border{x: float64(x) + .5, y: float64(y), rise: r == light})
			}
			if d := finderColour(x, y+1); y < 4 && c != d {
				out = append(out, border{x: float64(x), y: float64(y) + .5, down: true, rise: d == light})
			}
		}
	}
	return out
}()

// minFit is the correlation below which a place is no finder. Real ones at two
// blurred pixels a module reach 0.6, texture rarely 0.5.
const minFit = .5

// frameOf turns a hit into a frame. A line scan tells little about direction
// and, between the gaps of a terminal's lines, not even the size; so several
// starts are refined by the borders they find, and the best result is kept.
func (p *plane) frameOf(h hit) (frame, bool) {
	best := frame{fit: -1}
	starts := p.starts(h)
	for i := 0; i < len(starts) && i < maxStarts; i++ {
		g, ok := p.polish(starts[i])
		if ok && g.fit > goodFit {
			return g, true
		}
		if g.fit > best.fit {
			best = g
		}
	}
	if best.fit < hopeless {
		return best, false
	}
	p.climb(&best)
	return p.polish(best)
}

// maxStarts bounds how many starts are refined.
const maxStarts = 4

// starts are frames at a hit in several directions and sizes, best first.
func (p *plane) starts(h hit) (out []frame) {
	for i := range 4 {
		s, c := math.Sincos(float64(i) * math.Pi / 8)
		k := max(s, math.Abs(c)) // a line across a turned square is longer
		for _, m := range [...][2]float64{{h.wide, h.high}, {h.wide, h.wide}, {h.high, h.high}} {
			f := frame{c: h.c, u: point{c, s}.mul(m[0] * k), v: point{-s, c}.mul(m[1] * k)}
			if f.fit = p.finderFit(&f); f.fit > hopeless {
				out = append(out, f)
			}
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].fit > out[j].fit })
	return out
}

// hopeless is the correlation below which a start is not followed, and goodFit
// the one from which no other is tried.
const (
	hopeless = .25
	goodFit  = .85
)

func (p *plane) try(best *frame, f frame) {
	if f.fit = p.finderFit(&f); f.fit > best.fit {
		*best = f
	}
}

// climb moves, turns and resizes a frame while that makes it fit better.
func (p *plane) climb(f *frame) {
	const turn, grow = .2, 1.12
	s, c := math.Sincos(turn)
	for range 8 {
		o := *f
		for _, d := range [...][2]float64{{.5, 0}, {-.5, 0}, {0, .5}, {0, -.5}} {
			p.try(f, frame{c: o.at(d[0], d[1]), u: o.u, v: o.v})
		}
		p.try(f, frame{c: o.c, u: o.u.mul(grow), v: o.v})
		p.try(f, frame{c: o.c, u: o.u, v: o.v.mul(grow)})
		p.try(f, frame{c: o.c, u: o.u.mul(1 / grow), v: o.v})
		p.try(f, frame{c: o.c, u: o.u, v: o.v.mul(1 / grow)})
		p.try(f, frame{c: o.c, u: o.u.turn(s, c), v: o.v.turn(s, c)})
		p.try(f, frame{c: o.c, u: o.u.turn(-s, c), v: o.v.turn(-s, c)})
		if f.fit <= o.fit {
			return
		}
	}
}

// polish refines a frame by its borders until it stands still. It returns the
// last frame unless one on the way fitted much better.
func (p *plane) polish(f frame) (frame, bool) {
	best := f
	for range 8 {
		next, ok := p.refineFrame(&f)
		if !ok {
			break
		}
		moved := next.c.sub(f.c).abs() + next.u.sub(f.u).abs() + next.v.sub(f.v).abs()
		f = next
		f.fit = p.finderFit(&f)
		if f.fit > best.fit-.02 {
			best = f
		}
		if moved < .01*f.module() || f.fit < 0 {
			break
		}
	}
	return best, best.fit >= minFit
}

// finderFit correlates the picture with a finder pattern, separator included.
func (p *plane) finderFit(f *frame) float64 {
	var c correlation
	for y := -4; y <= 4; y++ {
		for x := -4; x <= 4; x++ {
			q := f.at(float64(x), float64(y))
			c.add(p.at(q.x, q.y), float64(finderColour(x, y)))
		}
	}
	return c.value()
}

// correlation gathers pairs for a normalised correlation.
type correlation struct{ n, a, aa, b, bb, ab float64 }

func (c *correlation) add(a, b float64) {
	c.n++
	c.a += a
	c.aa += a * a
	c.b += b
	c.bb += b * b
	c.ab += a * b
}

func (c *correlation) value() float64 {
	va, vb := c.n*c.aa-c.a*c.a, c.n*c.bb-c.b*c.b
	if va < 4*c.n*c.n || vb <= 0 { // less than two grey levels of spread is no pattern
		return 0
	}
	return (c.n*c.ab - c.a*c.b) / math.Sqrt(va*vb)
}

// refineFrame moves the frame so that the finder's borders lie where the
// picture has them: a linear problem in six unknowns.
func (p *plane) refineFrame(f *frame) (frame, bool) {
	var a [36]float64
	var b [6]float64
	for _, e := range finderBorders {
		step, along := f.u, f.v
		if e.down {
			step, along = f.v, f.u
		}
		q := f.at(e.x, e.y)
		shift, contrast := p.edge(q.x, q.y, step.x, step.y)
		if !e.rise {
			contrast = -contrast
		}
		if contrast <= 0 || along.abs() == 0 {
			continue
		}
		n := point{-along.y, along.x}.mul(1 / along.abs())
		g := [6]float64{n.x, n.y, n.x * e.x, n.y * e.x, n.x * e.y, n.y * e.y}
		d := shift * step.dot(n) * contrast
		for i := range g {
			b[i] += g[i] * d
			for j := range g {
				a[i*6+j] += g[i] * g[j] * contrast
			}
		}
	}
	if !solve(a[:], b[:]) {
		return *f, false
	}
	g := frame{c: f.c.add(point{b[0], b[1]}), u: f.u.add(point{b[2], b[3]}), v: f.v.add(point{b[4], b[5]})}
	return g, g.plausible(f)
}

// plausible refuses a frame that ran away from the one before or collapsed.
func (f *frame) plausible(before *frame) bool {
	m, mb := f.module(), before.module()
	return m > .7 && m < 1.7*mb && mb < 1.7*m && f.c.sub(before.c).abs() < 3*mb &&
		math.Abs(f.u.cross(f.v)) > .5*f.u.abs()*f.v.abs() &&
		f.u.abs() < 2.2*f.v.abs() && f.v.abs() < 2.2*f.u.abs()
}
