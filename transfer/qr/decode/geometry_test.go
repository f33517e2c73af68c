package decode

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// anyPose draws a pose that a camera can see.
func anyPose(t *rapid.T) pose {
	im := &plane{w: 1280, h: 720}
	s := newPose(rapid.IntRange(1, 40).Draw(t, "version"), im)
	f := func(name string, lo, hi float64) float64 { return rapid.Float64Range(lo, hi).Draw(t, name) }
	a, size := f("turn", -math.Pi, math.Pi), f("size", .15, .4)
	sin, cos := math.Sincos(a)
	s.p = [params]float64{
		size * cos, -size * sin, f("x", -.2, .2), size * sin, size * cos, f("y", -.1, .1),
		f("tilt x", -.15, .15), f("tilt y", -.15, .15), f("lens", -.1, .1),
	}
	return s
}

func TestSlopesAreDerivatives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyPose(t)
		n := float64(s.size())
		mx, my := rapid.Float64Range(0, n).Draw(t, "mx"), rapid.Float64Range(0, n).Draw(t, "my")
		var dx, dy [params]float64
		x, y := s.slopes(mx, my, &dx, &dy)
		if ax, ay := s.at(mx, my); math.Hypot(ax-x, ay-y) > 1e-9 {
			t.Fatalf("slopes says (%g, %g), at says (%g, %g)", x, y, ax, ay)
		}
		const h = 1e-6
		for i := range params {
			q := s
			q.p[i] += h
			qx, qy := q.at(mx, my)
			if math.Abs((qx-x)/h-dx[i]) > .05 || math.Abs((qy-y)/h-dy[i]) > .05 {
				t.Fatalf("parameter %d: got (%g, %g), want (%g, %g)", i, dx[i], dy[i], (qx-x)/h, (qy-y)/h)
			}
		}
	})
}

// A pose that is off by some pixels comes back from points alone, though one
// in ten lies.
func TestFitFindsThePose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		truth := anyPose(t)
		n := float64(truth.size())
		var all sights
		lies := 0
		for y := 0.; y <= n; y += n / 9 {
			for x := 0.; x <= n; x += n / 9 {
				p := truth.pointAt(x, y)
				if lies++; lies%11 == 0 {
					p = p.add(point{40, -30})
				}
				all.point(x, y, p, 1)
			}
		}
		s := truth
		s.p[8] = 0
		for i := range 6 {
			s.p[i] *= 1.01
		}
		s.fit(all, 30)
		for _, c := range [...][2]float64{{0, 0}, {n, 0}, {0, n}, {n, n}, {n / 2, n / 2}} {
			if d := s.pointAt(c[0], c[1]).sub(truth.pointAt(c[0], c[1])).abs(); d > .3+.15*truth.module() {
				t.Fatalf("corner %v is %.2f pixels of %.1f a module off", c, d, truth.module())
			}
		}
	})
}

func TestSolveSolves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 9).Draw(t, "n")
		a := make([]float64, n*n)
		x := make([]float64, n)
		for i := range x {
			x[i] = rapid.Float64Range(-10, 10).Draw(t, "x")
			for j := range n {
				a[i*n+j] = rapid.Float64Range(-1, 1).Draw(t, "a")
			}
			a[i*n+i] += 3 * float64(n) // far from singular
		}
		b := make([]float64, n)
		for i := range n {
			for j := range n {
				b[i] += a[i*n+j] * x[j]
			}
		}
		if !solve(a, b) {
			t.Fatal("called singular")
		}
		for i := range x {
			if math.Abs(x[i]-b[i]) > 1e-6 {
				t.Fatalf("got %v, want %v", b, x)
			}
		}
	})
	if solve([]float64{1, 2, 2, 4}, []float64{1, 1}) {
		t.Error("solved a singular system")
	}
}

func TestEdgeIsFoundWhereverItIsBlurred(t *testing.T) {
	for _, blur := range []float64{.1, 1, 2, 4} {
		p := &plane{w: 60, h: 9, pix: make([]uint8, 60*9)}
		for i := range p.pix {
			d := (float64(i%60) + .5 - 30.6) / blur
			p.pix[i] = uint8(40 + 160*min(1, max(0, .5+d/2)))
		}
		shift, contrast := p.edge(30, 4, 8, 0)
		if math.Abs(shift*8-.6) > .45 || contrast < 100 {
			t.Errorf("blur %g: shift %.2f pixels, contrast %.0f; want 0.6, 160", blur, shift*8, contrast)
		}
	}
}
