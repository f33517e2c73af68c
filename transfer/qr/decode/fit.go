package decode

import "math"

// sight is one thing seen: the point (x, y) of the symbol lies, in direction
// n, where target lies. A border tells nothing about the place along itself,
// so it fixes one direction only.
type sight struct {
	x, y   float64 // modules
	target point   // pixels
	n      point   // unit vector
	weight float64
}

// sights are what a pose is fitted to.
type sights []sight

// point adds a place known in both directions.
func (s *sights) point(x, y float64, at point, weight float64) {
	*s = append(*s, sight{x, y, at, point{1, 0}, weight}, sight{x, y, at, point{0, 1}, weight})
}

// cornerSights are the corners and centres of a triple's finders.
func (t *triple) cornerSights(n int) (s sights) {
	far := float64(n) - 3.5
	for _, f := range []struct {
		*frame
		x, y float64
	}{{&t.tl, 3.5, 3.5}, {&t.tr, far, 3.5}, {&t.bl, 3.5, far}} {
		s.point(f.x, f.y, f.c, 4)
		for _, d := range [...][2]float64{{-3.5, -3.5}, {3.5, -3.5}, {-3.5, 3.5}, {3.5, 3.5}} {
			s.point(f.x+d[0], f.y+d[1], f.at(d[0], d[1]), 1)
		}
	}
	return s
}

// ticks adds the timing lines' changes of colour.
func (s *sights) ticks(row, column []tick) {
	for _, t := range row {
		*s = append(*s, sight{t.at + 3.5, 6.5, t.p, t.step.mul(1 / t.step.abs()), 1})
	}
	for _, t := range column {
		*s = append(*s, sight{6.5, t.at + 3.5, t.p, t.step.mul(1 / t.step.abs()), 1})
	}
}

// affine places the symbol by its three finders alone.
func (s *pose) affine(t *triple) {
	span := 2 * s.half / (2*s.half - 7) / 2 // from half a centre distance to half a side
	right, down := t.tr.c.sub(t.tl.c).mul(span), t.bl.c.sub(t.tl.c).mul(span)
	mid := t.tr.c.add(t.bl.c).mul(.5).sub(s.centre)
	s.p = [params]float64{right.x, down.x, mid.x, right.y, down.y, mid.y}
	for i := range 6 {
		s.p[i] /= s.radius
	}
}

// priors keep the last three parameters, two of tilt and the lens's, from
// running away where few sights speak about them: real tilts stay below 0.3,
// real lenses below 0.2. They are weak.
var priors = [...]float64{.5, .5, .15}

// fit moves the pose to agree with the sights, by damped least squares whose
// weights fade for sights more than about a third of a module off.
func (s *pose) fit(all sights, rounds int) {
	limit := max(.35*s.module(), .3)
	cost := s.misfit(all, limit)
	damp := 1e-4
	for range rounds {
		a, b := s.normal(all, limit)
		for i := range params {
			a[i*params+i] *= 1 + damp
		}
		if !solve(a[:], b[:]) {
			return
		}
		next := *s
		for i := range params {
			next.p[i] += b[i]
		}
		c := next.misfit(all, limit)
		if c >= cost {
			damp *= 20
			continue
		}
		done := c > .9999*cost
		*s, cost, damp = next, c, damp/5
		if done {
			return
		}
	}
}

// off is how far a pose puts a sight from where it was seen, in pixels.
func (o *sight) off(x, y float64) float64 { return (o.target.x-x)*o.n.x + (o.target.y-y)*o.n.y }

// normal builds the normal equations. A sight's weight is full up to about the
// limit and then falls with the square of how far it is off.
func (s *pose) normal(all sights, limit float64) (a [params * params]float64, b [params]float64) {
	var dx, dy, g [params]float64
	for i := range all {
		o := &all[i]
		r := o.off(s.slopes(o.x, o.y, &dx, &dy))
		w := o.weight / (1 + r*r/(limit*limit))
		for j := range g {
			g[j] = dx[j]*o.n.x + dy[j]*o.n.y
		}
		for j := range g {
			f := w * g[j]
			b[j] += f * r
			row := a[j*params : (j+1)*params]
			for k := j; k < params; k++ {
				row[k] += f * g[k]
			}
		}
	}
	for j := range params {
		for k := range j {
			a[j*params+k] = a[k*params+j]
		}
	}
	for i, p := range priors {
		w := limit * limit / (p * p)
		a[(6+i)*params+6+i] += w
		b[6+i] -= w * s.p[6+i]
	}
	return a, b
}

// misfit is what the fit makes small.
func (s *pose) misfit(all sights, limit float64) float64 {
	c := 0.
	for i := range all {
		o := &all[i]
		r := o.off(s.at(o.x, o.y))
		c += o.weight * math.Log1p(r*r/(limit*limit))
	}
	for i, p := range priors {
		c += s.p[6+i] * s.p[6+i] / (p * p)
	}
	if math.IsNaN(c) {
		return math.Inf(1)
	}
	return c
}

// borderSights looks for every known border near where the pose expects it.
// agree is the share of the contrast that has the right sign: near 1 for a
// symbol in its place, near 0 for texture.
func (s *pose) borderSights(p *plane, t *template) (all sights, agree float64) {
	all = make(sights, 0, len(t.borders))
	var sum, abs float64
	for i := range t.borders {
		e := &t.borders[i]
		q := s.pointAt(e.x, e.y)
		if !p.inside(q.x, q.y) {
			continue
		}
		right, down := s.steps(e.x, e.y)
		step, along := right, down
		if e.down {
			step, along = down, right
		}
		shift, contrast := p.edge(q.x, q.y, step.x, step.y)
		if !e.rise {
			contrast = -contrast
		}
		sum += contrast
		abs += math.Abs(contrast)
		if contrast <= 0 {
			continue
		}
		length := along.abs()
		if length < .1 {
			continue
		}
		n := point{-along.y / length, along.x / length}
		all = append(all, sight{e.x, e.y, q.plus(step, shift), n, contrast})
	}
	if abs == 0 {
		return nil, 0
	}
	mean := abs / float64(len(t.borders))
	for i := range all {
		all[i].weight = min(all[i].weight/mean, 2)
	}
	return all, sum / abs
}

// settle fits the pose to all borders, looking again after each fit. It
// returns the final agreement.
func (s *pose) settle(p *plane, t *template, rounds int) float64 {
	agree := 0.
	for range rounds {
		var all sights
		all, agree = s.borderSights(p, t)
		if len(all) < 40 {
			return 0
		}
		s.fit(all, 3)
	}
	return agree
}
