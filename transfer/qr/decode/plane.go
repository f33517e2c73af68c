package decode

import "image"

// plane is a grey picture without padding between its rows.
type plane struct {
	pix  []uint8
	w, h int
}

// newPlane copies a picture. Decoders of JPEG and video pad their rows, and
// callers reuse their buffers.
func newPlane(img *image.Gray) *plane {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	p := &plane{pix: make([]uint8, w*h), w: w, h: h}
	for y := range h {
		copy(p.pix[y*w:(y+1)*w], img.Pix[y*img.Stride:])
	}
	return p
}

// at reads between pixels; pixel (i, j) has its centre at (i+½, j+½). Outside
// the picture its border continues.
func (p *plane) at(x, y float64) float64 {
	x -= .5
	y -= .5
	if !(x >= 0) {
		x = 0
	}
	if !(y >= 0) {
		y = 0
	}
	ix, iy := int(x), int(y)
	if x >= float64(p.w-1) || y >= float64(p.h-1) {
		return p.border(x, y)
	}
	fx, fy := int32((x-float64(ix))*256), int32((y-float64(iy))*256)
	row := p.pix[iy*p.w+ix : iy*p.w+ix+p.w+2]
	a := int32(row[0])*(256-fx) + int32(row[1])*fx
	b := int32(row[p.w])*(256-fx) + int32(row[p.w+1])*fx
	return float64(a*(256-fy)+b*fy) * (1. / 65536)
}

// border is the nearest pixel at the right and lower border.
func (p *plane) border(x, y float64) float64 {
	ix, iy := int(min(x+.5, float64(p.w-1))), int(min(y+.5, float64(p.h-1)))
	return float64(p.pix[iy*p.w+ix])
}

// inside tells whether a point lies in the picture.
func (p *plane) inside(x, y float64) bool {
	return x >= 0 && y >= 0 && x < float64(p.w) && y < float64(p.h)
}

// smooth is a 3x3 binomial filter against noise.
func (p *plane) smooth() *plane {
	w, h := p.w, p.h
	if w < 3 || h < 3 {
		return p
	}
	o := &plane{pix: make([]uint8, w*h), w: w, h: h}
	col := make([]int32, w)
	for y := range h {
		a, b, c := p.pix[max(0, y-1)*w:], p.pix[y*w:], p.pix[min(h-1, y+1)*w:]
		a, b, c = a[:w], b[:w], c[:w]
		for x := range col {
			col[x] = int32(a[x]) + 2*int32(b[x]) + int32(c[x])
		}
		out := o.pix[y*w : (y+1)*w]
		out[0] = uint8((3*col[0] + col[1] + 8) >> 4)
		for x := 1; x < w-1; x++ {
			out[x] = uint8((col[x-1] + 2*col[x] + col[x+1] + 8) >> 4)
		}
		out[w-1] = uint8((3*col[w-1] + col[w-2] + 8) >> 4)
	}
	return o
}

// half is the picture at half its size, each pixel the mean of four.
func (p *plane) half() *plane {
	o := &plane{w: p.w / 2, h: p.h / 2}
	o.pix = make([]uint8, o.w*o.h)
	for y := range o.h {
		a, b := p.pix[2*y*p.w:][:p.w], p.pix[(2*y+1)*p.w:][:p.w]
		out := o.pix[y*o.w:][:o.w]
		for x := range out {
			out[x] = uint8((int(a[2*x]) + int(a[2*x+1]) + int(b[2*x]) + int(b[2*x+1]) + 2) >> 2)
		}
	}
	return o
}

// invert swaps light and dark.
func (p *plane) invert() *plane {
	o := &plane{pix: make([]uint8, len(p.pix)), w: p.w, h: p.h}
	for i, v := range p.pix {
		o.pix[i] = 255 - v
	}
	return o
}

// edge looks at a border that should lie at (x, y) between a module and its
// neighbour one step (dx, dy) on. It returns how far along the step the border
// really is, in steps from -½ to ½, and the contrast across it, positive where
// the neighbour is lighter.
//
// The place follows from the mean along the step, which does not care how
// sharp the border is.
func (p *plane) edge(x, y, dx, dy float64) (shift, contrast float64) {
	a := p.at(x-dx/2, y-dy/2)
	b := p.at(x-dx/4, y-dy/4)
	c := p.at(x, y)
	d := p.at(x+dx/4, y+dy/4)
	e := p.at(x+dx/2, y+dy/2)
	contrast = e - a
	if contrast > -1 && contrast < 1 {
		return 0, 0
	}
	mean := (a + 2*b + 2*c + 2*d + e) / 8
	shift = ((a+e)/2 - mean) / contrast
	return max(-.5, min(.5, shift)), contrast
}
