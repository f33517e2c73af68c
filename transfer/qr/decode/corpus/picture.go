package corpus

import (
	"image"
	"math"
	"math/rand/v2"
)

// quiet is the quiet zone in modules that a terminal is given.
const quiet = 2

// Picture is a rendered Spec.
type Picture struct {
	Gray *image.Gray
	Text string // what the symbol holds
	Next string // what the ghost or the torn rows hold, if there are any
	view *view
}

// Pixel is where a point of the symbol, in modules from its corner, appears.
func (p *Picture) Pixel(mx, my float64) (x, y float64) { return p.view.pixelAt(mx, my) }

// Picture renders the Spec.
func (s Spec) Picture() (*Picture, error) {
	r := rand.New(rand.NewPCG(s.Seed, 1))
	pic := &Picture{Text: text(r, s.Version, s.LevelM), Next: text(r, s.Version, s.LevelM)}
	if s.Swap {
		pic.Text, pic.Next = pic.Next, pic.Text
	}
	now, err := Symbol(pic.Text, s.Version, s.LevelM)
	if err != nil {
		return nil, err
	}
	next := now
	if s.Ghost > 0 || s.Tear > 0 {
		if next, err = Symbol(pic.Next, s.Version, s.LevelM); err != nil {
			return nil, err
		}
	}
	v := newView(s, r)
	pic.view = v
	scr := screen{spec: s, now: now, next: next, clutter: clutter(r)}
	pic.Gray = s.expose(v.shoot(&scr), v.w, v.h, r)
	return pic, nil
}

// screen is the plane that is photographed: the symbol, its quiet zone, and
// what surrounds it. Coordinates are modules from the symbol's corner.
type screen struct {
	spec      Spec
	now, next [][]bool
	clutter   [64]uint64
}

// clutter is a pattern that looks like text.
func clutter(r *rand.Rand) (c [64]uint64) {
	for i := range c {
		c[i] = r.Uint64() & r.Uint64()
	}
	return c
}

// light is the brightness at a point, 0 to 1.
func (s *screen) light(x, y float64) float64 {
	n := float64(len(s.now))
	switch {
	case x < -quiet || y < -quiet || x >= n+quiet || y >= n+quiet:
		return s.around(x, y)
	case x < 0 || y < 0 || x >= n || y >= n:
		return 1
	}
	ix, iy, gap := s.spec.Cell.module(x, y, len(s.now))
	if gap {
		return bright(s.spec.Cell.GapDark)
	}
	a, b := bright(s.now[iy][ix]), bright(s.next[iy][ix])
	if float64(iy) >= n*(1-s.spec.Tear) {
		a = b
	}
	return a*(1-s.spec.Ghost) + b*s.spec.Ghost
}

// module is the module that a cell shows at a point of an ideal grid, or that
// the point lies in a gap. A cell's pixels go to the module that their middle
// lies in, so modules differ by a pixel where the cell does not divide.
func (c Cell) module(x, y float64, n int) (ix, iy int, gap bool) {
	if c.H == 0 {
		return int(x), int(y), false
	}
	share := func(v float64, modules, pixels, pitch int) (int, bool) {
		cell := math.Floor(v / float64(modules))
		in := math.Floor((v/float64(modules) - cell) * float64(pitch))
		at := int((in + .5) * float64(modules) / float64(pixels))
		return min(n-1, int(cell)*modules+at), in >= float64(pixels)
	}
	ix, _ = share(x, c.Cols, c.W, c.W)
	iy, gap = share(y, c.Rows, c.H, c.H+c.Gap)
	return ix, iy, gap
}

func bright(dark bool) float64 {
	if dark {
		return 0
	}
	return 1
}

// around is a desktop or terminal: dark or light, with marks like text.
func (s *screen) around(x, y float64) float64 {
	back, ink := .92, .2
	if s.spec.DarkAround {
		back, ink = .1, .75
	}
	ix, iy := int(math.Floor(x*1.5)), int(math.Floor(y*1.5))
	if iy%3 != 0 && s.clutter[iy&63]>>(ix&63)&1 == 1 && s.clutter[(iy>>3)&63]>>((ix>>3)&63)&1 == 1 {
		return ink
	}
	return back
}

// aspect is a module's height over its width on the screen.
func (s Spec) aspect() float64 {
	c := s.Cell
	if c.H == 0 {
		return 1
	}
	return float64(c.H+c.Gap) / float64(c.Rows) * float64(c.Cols) / float64(c.W)
}

// view maps pixels of the picture to the screen.
type view struct {
	spec    Spec
	w, h    int
	rot     [3][3]float64 // camera orientation
	dist    float64       // of the camera, in pixels at the symbol's centre
	ox, oy  float64       // where the symbol's centre appears
	modules float64
}

func newView(s Spec, r *rand.Rand) *view {
	n := float64(17 + 4*s.Version)
	side := (n + 2*quiet) * s.Module
	a := s.Rotation * math.Pi / 180
	reach := side * max(1, s.aspect()) * (math.Abs(math.Cos(a)) + math.Abs(math.Sin(a))) * 1.08
	v := &view{spec: s, modules: n}
	v.w, v.h = max(640, int(reach*1.25)), max(480, int(reach*1.05))
	if s.Tight {
		v.w, v.h = int(reach*1.15), int(reach*1.05)
	}
	v.dist = 3 * max(side, float64(v.w)/2)
	v.ox = float64(v.w)/2 + (r.Float64()-.5)*max(0, float64(v.w)-reach)*.8
	v.oy = float64(v.h)/2 + (r.Float64()-.5)*max(0, float64(v.h)-reach)*.8
	axis := r.Float64() * 2 * math.Pi
	v.rot = mul(tilt(axis, s.Tilt*math.Pi/180), turn(a))
	return v
}

func turn(a float64) [3][3]float64 {
	c, s := math.Cos(a), math.Sin(a)
	return [3][3]float64{{c, -s, 0}, {s, c, 0}, {0, 0, 1}}
}

// tilt turns the plane by t about an axis in it.
func tilt(axis, t float64) [3][3]float64 {
	c, s := math.Cos(t), math.Sin(t)
	x := [3][3]float64{{1, 0, 0}, {0, c, -s}, {0, s, c}}
	return mul(turn(axis), mul(x, turn(-axis)))
}

func mul(a, b [3][3]float64) (m [3][3]float64) {
	for i := range 3 {
		for j := range 3 {
			for k := range 3 {
				m[i][j] += a[i][k] * b[k][j]
			}
		}
	}
	return m
}

// screenAt is the point of the screen seen at a pixel, in modules.
func (v *view) screenAt(px, py float64) (float64, float64) {
	cx, cy := float64(v.w)/2, float64(v.h)/2
	dx, dy := px-cx, py-cy
	f := 1 + v.spec.Barrel*(dx*dx+dy*dy)/(cx*cx+cy*cy)
	// the ray through the pixel meets the tilted plane
	x, y := cx+dx*f-v.ox, cy+dy*f-v.oy
	m := &v.rot
	// plane point (a,b,0) turns to a*col0+b*col1; projection: X*d/(d+Z) = x
	a11, a12 := m[0][0]*v.dist-x*m[2][0], m[0][1]*v.dist-x*m[2][1]
	a21, a22 := m[1][0]*v.dist-y*m[2][0], m[1][1]*v.dist-y*m[2][1]
	det := a11*a22 - a12*a21
	a := (x*a22 - y*a12) * v.dist / det
	b := (a11*y - a21*x) * v.dist / det
	return a/v.spec.Module + v.modules/2, b/(v.spec.Module*v.spec.aspect()) + v.modules/2
}

// pixelAt inverts screenAt by Newton's method.
func (v *view) pixelAt(mx, my float64) (px, py float64) {
	px, py = v.ox, v.oy
	for range 30 {
		x, y := v.screenAt(px, py)
		ax, ay := v.screenAt(px+.5, py)
		bx, by := v.screenAt(px, py+.5)
		a, b, c, d := 2*(ax-x), 2*(bx-x), 2*(ay-y), 2*(by-y)
		det := a*d - b*c
		ex, ey := mx-x, my-y
		px, py = px+(d*ex-b*ey)/det, py+(a*ey-c*ex)/det
	}
	return px, py
}

// oversample is the number of rays a pixel averages, in each direction.
const oversample = 3

// shoot renders the scene without the camera's faults, brightness 0 to 1.
func (v *view) shoot(scr *screen) []float32 {
	out := make([]float32, v.w*v.h)
	for y := range v.h {
		for x := range v.w {
			sum := 0.0
			for i := range oversample * oversample {
				ox := (float64(i%oversample) + .5) / oversample
				oy := (float64(i/oversample) + .5) / oversample
				sum += scr.light(v.screenAt(float64(x)+ox, float64(y)+oy))
			}
			out[y*v.w+x] = float32(sum / (oversample * oversample))
		}
	}
	return out
}
