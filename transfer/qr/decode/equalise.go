package decode

// mesh is a symbol's brightness at every half module, for a filter that works
// finer than the modules do.
type mesh struct {
	n int // modules
	w int // samples in a row
	v []float32
}

// meshRim is how many modules around the symbol a mesh covers.
const meshRim = 2

// mesh samples the picture.
func (s *pose) mesh(p *plane) *mesh {
	n := s.size()
	m := &mesh{n: n, w: 2*(n+2*meshRim) - 1}
	raw := make([]float32, m.w*m.w)
	for y := range m.w {
		for x := range m.w {
			q := s.pointAt(float64(x+1)/2-meshRim, float64(y+1)/2-meshRim)
			raw[y*m.w+x] = float32(p.at(q.x, q.y))
		}
	}
	m.v = make([]float32, len(raw))
	leveled(raw, m.v, m.w, 2*meshRim, 2*levelReach)
	return m
}

// taps is the number of samples that decide about a module: five by five, half
// a module apart.
const taps = 25

// patch collects the samples around a module.
func (m *mesh) patch(x, y int, out *[taps]float32) {
	i := 2*(y+meshRim-1)*m.w + 2*(x+meshRim-1)
	for k := range 5 {
		copy(out[5*k:5*k+5], m.v[i:i+5])
		i += m.w
	}
}

// equaliser is a filter that undoes what the lens, the hand and the
// compression mixed. It is trained on modules whose colour is known and
// applied to all.
type equaliser [taps]float32

// maxLessons bounds how many modules a filter is trained on; more add nothing.
const maxLessons = 6000

// train finds the filter that best turns brightness into colour, -1 or 1.
// colourOf returns unknown for a module that is not to be learned from.
func (m *mesh) train(colourOf func(x, y int) colour) (equaliser, bool) {
	var a [taps * taps]float64
	var b [taps]float64
	var v [taps]float32
	n, every, k := 0, 1+m.n*m.n/maxLessons, 0
	for y := range m.n {
		for x := range m.n {
			c := colourOf(x, y)
			if c == unknown {
				continue
			}
			if k++; k%every != 0 {
				continue
			}
			m.patch(x, y, &v)
			learn(&a, &b, &v, float32(c))
			n++
		}
	}
	if n < 2*taps {
		return equaliser{}, false
	}
	return finish(&a, &b)
}

// learn adds one module to the normal equations' upper half.
func learn(a *[taps * taps]float64, b *[taps]float64, v *[taps]float32, c float32) {
	for i, x := range v {
		b[i] += float64(x * c)
		row := a[i*taps : (i+1)*taps]
		for j := i; j < taps; j++ {
			row[j] += float64(x * v[j])
		}
	}
}

// stiffness keeps the filter from amplifying noise that the lessons happen
// not to show.
const stiffness = .02

func finish(a *[taps * taps]float64, b *[taps]float64) (equaliser, bool) {
	power := 0.
	for i := range taps {
		power += a[i*taps+i] / taps
		for j := range i {
			a[i*taps+j] = a[j*taps+i]
		}
	}
	for i := range taps {
		a[i*taps+i] += stiffness*power + 1e-6
	}
	var e equaliser
	if !solve(a[:], b[:]) {
		return e, false
	}
	for i := range b {
		e[i] = float32(b[i])
	}
	return e, true
}

// apply filters the symbol.
func (m *mesh) apply(e *equaliser) *grid {
	g := newGrid(m.n)
	var v [taps]float32
	for y := range m.n {
		for x := range m.n {
			m.patch(x, y, &v)
			s := float32(0)
			for i, t := range e {
				s += t * v[i]
			}
			g.v[g.index(x, y)] = s
		}
	}
	return g
}
