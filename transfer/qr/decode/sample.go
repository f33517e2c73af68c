package decode

// grid is a symbol's brightness by module; the first and last rows and columns
// are its quiet zone.
type grid struct {
	n int
	v []float32 // (n + 2)²
}

func newGrid(n int) *grid { return &grid{n: n, v: make([]float32, (n+2)*(n+2))} }

func (g *grid) index(x, y int) int { return (y+1)*(g.n+2) + x + 1 }

func (g *grid) at(x, y int) float32 { return g.v[g.index(x, y)] }

// read samples every module. Large modules are sampled in five places.
func (s *pose) read(p *plane) *grid {
	g := newGrid(s.size())
	wide := s.module() > 3.2
	i := 0
	for y := -1; y <= g.n; y++ {
		for x := -1; x <= g.n; x++ {
			mx, my := float64(x)+.5, float64(y)+.5
			q := s.pointAt(mx, my)
			v := p.at(q.x, q.y)
			if wide {
				v = (v + p.around(s, mx, my)) / 5
			}
			g.v[i] = float32(v)
			i++
		}
	}
	return g
}

// around adds four samples a fifth of a module from a module's centre.
func (p *plane) around(s *pose, mx, my float64) float64 {
	const d = .2
	v := 0.
	for _, o := range [...][2]float64{{-d, -d}, {d, -d}, {-d, d}, {d, d}} {
		q := s.pointAt(mx+o[0], my+o[1])
		v += p.at(q.x, q.y)
	}
	return v
}

// level subtracts from each module the mean of the symbol around it, reach
// modules far: what is left is below zero where it is dark. Masks keep symbols
// half dark everywhere.
func (g *grid) level(reach int) *grid {
	o := newGrid(g.n)
	w := g.n + 2
	leveled(g.v, o.v, w, 1, reach)
	return o
}

// leveled subtracts local means in a square of side w, leaving out a rim of
// the given width when it takes the means.
func leveled(in, out []float32, w, rim, reach int) {
	sum := make([]float64, (w+1)*(w+1))
	for y := range w {
		s := 0.
		for x := range w {
			s += float64(in[y*w+x])
			sum[(y+1)*(w+1)+x+1] = sum[y*(w+1)+x+1] + s
		}
	}
	clip := func(i int) int { return max(rim, min(w-rim, i)) }
	for y := range w {
		y0, y1 := clip(y-reach), clip(y+reach+1)
		for x := range w {
			x0, x1 := clip(x-reach), clip(x+reach+1)
			m := sum[y1*(w+1)+x1] - sum[y0*(w+1)+x1] - sum[y1*(w+1)+x0] + sum[y0*(w+1)+x0]
			out[y*w+x] = in[y*w+x] - float32(m/float64(max(1, (x1-x0)*(y1-y0))))
		}
	}
}
