package decode

// equaliser is a filter over a module and its neighbours that undoes what the
// lens, the hand and the compression mixed. It is trained on the modules whose
// colour is known and applied to all.
type equaliser struct{ taps [9]float32 }

// train finds the taps that best turn the known modules' brightness into their
// colour, -1 or 1. colourOf returns 0 for a module that is not to be used.
func train(g *grid, colourOf func(x, y int) colour) (equaliser, bool) {
	var a [81]float64
	var b [9]float64
	n, power := 0, 0.
	for y := -1; y <= g.n; y++ {
		for x := -1; x <= g.n; x++ {
			c := colourOf(x, y)
			if c == unknown {
				continue
			}
			v := g.patch(x, y)
			n++
			for i := range v {
				b[i] += float64(v[i]) * float64(c)
				power += float64(v[i]) * float64(v[i])
				for j := i; j < 9; j++ {
					a[i*9+j] += float64(v[i]) * float64(v[j])
				}
			}
		}
	}
	if n < 30 {
		return equaliser{}, false
	}
	for i := range 9 {
		for j := range i {
			a[i*9+j] = a[j*9+i]
		}
		a[i*9+i] += .01*power/9 + 1e-6
	}
	if !solve(a[:], b[:]) {
		return equaliser{}, false
	}
	var e equaliser
	for i := range b {
		e.taps[i] = float32(b[i])
	}
	return e, true
}

// patch is a module's brightness and that of its eight neighbours.
func (g *grid) patch(x, y int) (v [9]float32) {
	i := (y+margin-1)*g.row + x + margin - 1
	copy(v[0:3], g.v[i:i+3])
	copy(v[3:6], g.v[i+g.row:i+g.row+3])
	copy(v[6:9], g.v[i+2*g.row:i+2*g.row+3])
	return v
}

// apply filters the symbol.
func (e *equaliser) apply(g *grid) *grid {
	o := &grid{n: g.n, row: g.row, v: make([]float32, len(g.v))}
	for y := -1; y <= g.n; y++ {
		for x := -1; x <= g.n; x++ {
			v := g.patch(x, y)
			s := float32(0)
			for i, t := range e.taps {
				s += t * v[i]
			}
			o.v[(y+margin)*g.row+x+margin] = s
		}
	}
	return o
}
