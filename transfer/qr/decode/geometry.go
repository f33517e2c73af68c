package decode

import "math"

// point is a place in the picture, in pixels, or a difference of two.
type point struct{ x, y float64 }

func (a point) add(b point) point             { return point{a.x + b.x, a.y + b.y} }
func (a point) sub(b point) point             { return point{a.x - b.x, a.y - b.y} }
func (a point) mul(f float64) point           { return point{a.x * f, a.y * f} }
func (a point) dot(b point) float64           { return a.x*b.x + a.y*b.y }
func (a point) cross(b point) float64         { return a.x*b.y - a.y*b.x }
func (a point) abs() float64                  { return math.Hypot(a.x, a.y) }
func (a point) turn(s, c float64) point       { return point{a.x*c - a.y*s, a.x*s + a.y*c} }
func (a point) plus(b point, f float64) point { return point{a.x + b.x*f, a.y + b.y*f} }

// pose is where a symbol of one version lies in a picture: a homography from
// modules to the picture and one radial term about the picture's centre.
//
// Both sides are scaled to about -1 to 1 so that the fit is well conditioned.
type pose struct {
	version int
	half    float64    // of the symbol's side, in modules
	centre  point      // of the picture
	radius  float64    // half the picture's diagonal
	p       [9]float64 // eight of the homography (the ninth is 1), then the radial term
}

// params is the number of values that are fitted.
const params = 9

func newPose(version int, im *plane) pose {
	return pose{
		version: version,
		half:    float64(17+4*version) / 2,
		centre:  point{float64(im.w) / 2, float64(im.h) / 2},
		radius:  math.Hypot(float64(im.w), float64(im.h)) / 2,
	}
}

// at is the pixel of a point in modules from the symbol's corner.
func (s *pose) at(mx, my float64) (x, y float64) {
	h := &s.p
	u, v := mx/s.half-1, my/s.half-1
	d := 1 / (h[6]*u + h[7]*v + 1)
	qx, qy := (h[0]*u+h[1]*v+h[2])*d, (h[3]*u+h[4]*v+h[5])*d
	f := (1 + h[8]*(qx*qx+qy*qy)) * s.radius
	return s.centre.x + qx*f, s.centre.y + qy*f
}

func (s *pose) pointAt(mx, my float64) point {
	x, y := s.at(mx, my)
	return point{x, y}
}

// steps are one module to the right and one down at a place, in pixels.
func (s *pose) steps(mx, my float64) (right, down point) {
	right = s.pointAt(mx+.5, my).sub(s.pointAt(mx-.5, my))
	down = s.pointAt(mx, my+.5).sub(s.pointAt(mx, my-.5))
	return right, down
}

// slopes are the derivatives of at by each parameter.
func (s *pose) slopes(mx, my float64, dx, dy *[params]float64) (x, y float64) {
	h := &s.p
	u, v := mx/s.half-1, my/s.half-1
	d := 1 / (h[6]*u + h[7]*v + 1)
	qx, qy := (h[0]*u+h[1]*v+h[2])*d, (h[3]*u+h[4]*v+h[5])*d
	rr := qx*qx + qy*qy
	f := 1 + h[8]*rr
	xx, xy, yy := s.radius*(f+2*h[8]*qx*qx), s.radius*2*h[8]*qx*qy, s.radius*(f+2*h[8]*qy*qy)
	g := [3]float64{u * d, v * d, d}
	for i, b := range g {
		dx[i], dy[i] = xx*b, xy*b
		dx[3+i], dy[3+i] = xy*b, yy*b
	}
	for i, b := range g[:2] {
		dx[6+i] = -b * (xx*qx + xy*qy)
		dy[6+i] = -b * (xy*qx + yy*qy)
	}
	dx[8], dy[8] = s.radius*qx*rr, s.radius*qy*rr
	return s.centre.x + qx*f*s.radius, s.centre.y + qy*f*s.radius
}

// size is the number of modules on a side.
func (s *pose) size() int { return 17 + 4*s.version }

// module is the mean size of a module in pixels, at the symbol's centre.
func (s *pose) module() float64 {
	r, d := s.steps(s.half, s.half)
	return math.Sqrt(math.Abs(r.cross(d)))
}

// sane tells whether the symbol lies in one piece in front of the camera, with
// modules that can be told apart.
func (s *pose) sane(im *plane) bool {
	n := float64(s.size())
	sign := 0.
	for _, c := range [...][2]float64{{0, 0}, {n, 0}, {0, n}, {n, n}, {n / 2, n / 2}} {
		u, v := c[0]/s.half-1, c[1]/s.half-1
		if d := s.p[6]*u + s.p[7]*v + 1; !(d > .2) {
			return false
		}
		r, d := s.steps(c[0], c[1])
		area := r.cross(d)
		if math.IsNaN(area) || math.Abs(area) < .5 || area*sign < 0 {
			return false
		}
		sign = area
		x, y := s.at(c[0], c[1])
		mx, my := .1*float64(im.w), .1*float64(im.h)
		if x < -mx || y < -my || x > float64(im.w)+mx || y > float64(im.h)+my {
			return false
		}
	}
	return true
}

// solve solves a·x = b in place by elimination with row exchange; b becomes x.
// The matrix is square, row after row. It returns false if it is singular.
func solve(a, b []float64) bool {
	n := len(b)
	for i := range n {
		m := i
		for j := i + 1; j < n; j++ {
			if math.Abs(a[j*n+i]) > math.Abs(a[m*n+i]) {
				m = j
			}
		}
		if !(math.Abs(a[m*n+i]) > 1e-12) {
			return false
		}
		if m != i {
			for k := i; k < n; k++ {
				a[i*n+k], a[m*n+k] = a[m*n+k], a[i*n+k]
			}
			b[i], b[m] = b[m], b[i]
		}
		for j := i + 1; j < n; j++ {
			f := a[j*n+i] / a[i*n+i]
			if f == 0 {
				continue
			}
			for k := i; k < n; k++ {
				a[j*n+k] -= f * a[i*n+k]
			}
			b[j] -= f * b[i]
		}
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			b[i] -= a[i*n+k] * b[k]
		}
		b[i] /= a[i*n+i]
	}
	return true
}
