package decode

import (
	"math"
	"sort"
)

// triple is three finders that may be one symbol's: upper left, upper right
// and lower left, with u pointing right and v down in each.
type triple struct {
	tl, tr, bl frame
	count      float64 // modules from centre to centre, estimated
	cost       float64 // how badly they go together
}

// link is one finder seen from another.
type link struct {
	alongU bool
	sign   float64
	count  float64 // modules between them
	cost   float64
}

// slant is the sine-like limit for how far off a finder's own direction its
// neighbour may lie, by perspective and distortion.
const slant = .35

func linkOf(a, b *frame) (link, bool) {
	d := b.c.sub(a.c)
	i, j, ok := inFrame(a, d)
	if !ok {
		return link{}, false
	}
	l := link{alongU: math.Abs(i) > math.Abs(j), sign: 1, count: math.Abs(i)}
	off := math.Abs(j / i)
	if !l.alongU {
		off = math.Abs(i / j)
		l.count = math.Abs(j)
		i = j
	}
	if i < 0 {
		l.sign = -1
	}
	bi, bj, ok := inFrame(b, d)
	if !ok {
		return link{}, false
	}
	bi, bj = math.Abs(bi), math.Abs(bj)
	back, bOff := max(bi, bj), min(bi, bj)/max(bi, bj)
	skew := math.Abs(math.Log(l.count / back))
	if off > slant || bOff > slant || skew > .7 {
		return link{}, false
	}
	l.count = math.Sqrt(l.count * back)
	l.cost = off + bOff + skew
	// 14 modules from centre to centre is version 1, 170 is version 40
	return l, l.count > 11 && l.count < 200
}

// inFrame expresses a difference in modules of a frame.
func inFrame(f *frame, d point) (i, j float64, ok bool) {
	det := f.u.cross(f.v)
	if math.Abs(det) < .25 {
		return 0, 0, false
	}
	i, j = d.cross(f.v)/det, f.u.cross(d)/det
	return i, j, math.Abs(i)+math.Abs(j) > 1
}

// neighbour is a finder seen from another, by its index.
type neighbour struct {
	i int
	l link
}

// maxNeighbours bounds how many finders in one direction are combined, so that
// a page full of finders does not cost the cube of their number.
const maxNeighbours = 6

// neighbours are the finders in line with one, along its two directions.
func neighbours(fs []frame, a int) (us, vs []neighbour) {
	for b := range fs {
		if a == b {
			continue
		}
		l, ok := linkOf(&fs[a], &fs[b])
		switch {
		case !ok:
		case l.alongU:
			us = append(us, neighbour{b, l})
		default:
			vs = append(vs, neighbour{b, l})
		}
	}
	return nearest(us, fs), nearest(vs, fs)
}

// nearest keeps those that go together best, with a slight liking for near.
func nearest(ns []neighbour, fs []frame) []neighbour {
	rate := func(n *neighbour) float64 { return n.l.cost - 2*fs[n.i].fit + n.l.count/200 }
	sort.SliceStable(ns, func(i, j int) bool { return rate(&ns[i]) < rate(&ns[j]) })
	return ns[:min(len(ns), maxNeighbours)]
}

// triples finds all plausible triples, best first.
func triples(fs []frame) []triple {
	var out []triple
	for a := range fs {
		us, vs := neighbours(fs, a)
		for _, u := range us {
			for _, v := range vs {
				if t, ok := newTriple(&fs[a], &fs[u.i], &fs[v.i], u.l, v.l); ok {
					out = append(out, t)
				}
			}
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].cost < out[j].cost })
	return out
}

// newTriple orders three finders and turns their frames to agree.
func newTriple(a, b, c *frame, lb, lc link) (triple, bool) {
	ratio := math.Abs(math.Log(lb.count / lc.count))
	if ratio > .4 {
		return triple{}, false
	}
	t := triple{tl: *a, tr: *b, bl: *c, count: math.Sqrt(lb.count * lc.count)}
	t.tl.u, t.tl.v = a.u.mul(lb.sign), a.v.mul(lc.sign)
	if t.tl.u.cross(t.tl.v) < 0 {
		t.tr, t.bl = t.bl, t.tr
		t.tl.u, t.tl.v = t.tl.v, t.tl.u
	}
	t.tr.align(&t.tl)
	t.bl.align(&t.tl)
	t.cost = lb.cost + lc.cost + 2*ratio + 3*(3-a.fit-b.fit-c.fit)
	return t, true
}

// align exchanges and turns a frame's directions to those of another.
func (f *frame) align(to *frame) {
	if math.Abs(f.u.dot(to.u)*f.v.abs()) < math.Abs(f.v.dot(to.u)*f.u.abs()) {
		f.u, f.v = f.v, f.u
	}
	if f.u.dot(to.u) < 0 {
		f.u = f.u.mul(-1)
	}
	if f.v.dot(to.v) < 0 {
		f.v = f.v.mul(-1)
	}
}
