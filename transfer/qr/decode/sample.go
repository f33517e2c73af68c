package decode

// grid is a symbol's brightness by module, with two modules around it.
type grid struct {
	n   int
	row int // n + 2·margin
	v   []float32
}

// margin is how many modules around the symbol are read, for the filter.
const margin = 2

func (g *grid) at(x, y int) float32 { return g.v[(y+margin)*g.row+x+margin] }

// read samples every module. Large modules are sampled in five places.
func (s *pose) read(p *plane) *grid {
	n := s.size()
	g := &grid{n: n, row: n + 2*margin}
	g.v = make([]float32, g.row*g.row)
	wide := s.module() > 3.2
	i := 0
	for y := -margin; y < n+margin; y++ {
		for x := -margin; x < n+margin; x++ {
			mx, my := float64(x)+.5, float64(y)+.5
			q := s.pointAt(mx, my)
			v := p.at(q.x, q.y)
			if wide {
				v += p.around(s, mx, my)
				v /= 5
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

// level subtracts from each module the mean around it, reach modules far, and
// returns what is left: dark below zero. Masks keep symbols half dark.
func (g *grid) level(reach int) *grid {
	w := g.row + 1
	sum := make([]float64, w*w)
	for y := range g.row {
		s := 0.
		for x := range g.row {
			s += float64(g.v[y*g.row+x])
			sum[(y+1)*w+x+1] = sum[y*w+x+1] + s
		}
	}
	o := &grid{n: g.n, row: g.row, v: make([]float32, len(g.v))}
	for y := range g.row {
		y0, y1 := max(margin, y-reach), min(g.row-margin, y+reach+1)
		for x := range g.row {
			x0, x1 := max(margin, x-reach), min(g.row-margin, x+reach+1)
			if y0 >= y1 || x0 >= x1 {
				continue
			}
			m := (sum[y1*w+x1] - sum[y0*w+x1] - sum[y1*w+x0] + sum[y0*w+x0]) / float64((x1-x0)*(y1-y0))
			o.v[y*g.row+x] = g.v[y*g.row+x] - float32(m)
		}
	}
	return o
}
