package decode

import "sort"

// hit is a place where lines through it show a finder's 1:1:3:1:1.
type hit struct {
	c          point
	wide, high float64 // a module, in pixels
	n          int
}

func (h *hit) module() float64 { return (h.wide + h.high) / 2 }

// hits collects places, joining those that mean the same finder.
type hits []hit

func (s *hits) add(c point, wide, high float64) {
	module := (wide + high) / 2
	for i := range *s {
		h := &(*s)[i]
		d := h.c.sub(c)
		if max(d.x, -d.x, d.y, -d.y) < 2*module && module < 1.6*h.module() && h.module() < 1.6*module {
			f := 1 / float64(h.n+1)
			h.c = h.c.plus(c.sub(h.c), f)
			h.wide += (wide - h.wide) * f
			h.high += (high - h.high) * f
			h.n++
			return
		}
	}
	if len(*s) < maxHits {
		*s = append(*s, hit{c, wide, high, 1})
	}
}

// maxHits bounds the work on pictures that are all texture.
const maxHits = 400

// scan looks for finders along rows and columns.
func (b *bitmap) scan(every int) hits {
	var s hits
	for y := every / 2; y < b.h; y += every {
		b.scanLine(&s, y*b.w, 1, b.w, false)
	}
	for x := every / 2; x < b.w; x += every {
		b.scanLine(&s, x, b.w, b.h, true)
	}
	sort.Slice(s, func(i, j int) bool { return s[i].n > s[j].n })
	return s
}

// scanLine walks one row or column: n pixels from start, step apart.
func (b *bitmap) scanLine(s *hits, start, step, n int, down bool) {
	var runs [5]int
	pix := b.pix
	last, begin, k := pix[start], 0, 0
	for i := 1; i <= n; i++ {
		if i < n && pix[start+i*step] == last {
			continue
		}
		runs[0], runs[1], runs[2], runs[3], runs[4] = runs[1], runs[2], runs[3], runs[4], i-begin
		k++
		if last == 1 && k >= 5 {
			if m, ok := ratio(&runs, 0.8); ok {
				centre := float64(i-runs[4]-runs[3]) - float64(runs[2])/2
				b.confirm(s, start, step, n, centre, m, down)
			}
		}
		if i < n {
			last, begin = pix[start+i*step], i
		}
	}
}

// confirm checks a hit across the line that found it.
func (b *bitmap) confirm(s *hits, start, step, n int, centre, m float64, down bool) {
	at := int(centre)
	x, y := at, start/b.w
	if down {
		x, y = start, at
	}
	dx, dy := 0, 1
	if down {
		dx, dy = 1, 0
	}
	off, mm, ok := b.cross(x, y, dx, dy, int(4*m)+2)
	if !ok || mm > 2.5*m || m > 2.5*mm {
		return
	}
	if down {
		s.add(point{float64(x) + off, centre}, mm, m)
		return
	}
	s.add(point{centre, float64(y) + off}, m, mm)
}

// cross measures the five runs through a pixel in a direction. It returns
// their middle relative to the pixel's near edge and the size of a module.
func (b *bitmap) cross(x, y, dx, dy, limit int) (off, module float64, ok bool) {
	if b.pix[y*b.w+x] == 0 {
		return 0, 0, false
	}
	var runs [5]int
	back := b.arm(x-dx, y-dy, -dx, -dy, limit, [3]*int{&runs[2], &runs[1], &runs[0]})
	ahead := b.arm(x, y, dx, dy, limit, [3]*int{&runs[2], &runs[3], &runs[4]})
	m, ok := ratio(&runs, 1)
	return float64(ahead-back) / 2, m, ok
}

// arm counts dark, light and dark pixels outwards and returns the first count.
func (b *bitmap) arm(x, y, dx, dy, limit int, runs [3]*int) int {
	first := 0
	want := uint8(1)
	for i, r := range runs {
		c := 0
		for x >= 0 && y >= 0 && x < b.w && y < b.h && b.pix[y*b.w+x] == want && c <= limit {
			c++
			x, y = x+dx, y+dy
		}
		*r += c
		if i == 0 {
			first = c
		}
		want ^= 1
	}
	return first
}

// ratio tells whether five runs are about 1:1:3:1:1, and the size of one.
// Below three pixels a module a run may be off by a whole pixel.
func ratio(r *[5]int, slack float64) (module float64, ok bool) {
	t := 0
	for _, v := range r {
		if v == 0 {
			return 0, false
		}
		t += v
	}
	if t < 7 {
		return 0, false
	}
	m := float64(t) / 7
	tol := max(slack*m*.75, 1.01)
	for i, v := range r {
		want, tl := m, tol
		if i == 2 {
			want, tl = 3*m, max(2*tol*slack, 1.01)
		}
		if d := float64(v) - want; d > tl || -d > tl {
			return 0, false
		}
	}
	return m, true
}
