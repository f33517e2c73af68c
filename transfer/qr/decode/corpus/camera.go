package corpus

import (
	"bytes"
	"image"
	"image/draw"
	"image/jpeg"
	"math"
	"math/rand/v2"
)

// expose adds what lens, sensor and compression do.
func (s Spec) expose(scene []float32, w, h int, r *rand.Rand) *image.Gray {
	blur(scene, w, h, s.Blur)
	smear(scene, w, h, s.Motion, r.Float64()*math.Pi)
	dark := 20 + r.Float64()*max(0, 215-255*s.Contrast)
	gx, gy := float64(w)*r.Float64(), float64(h)*r.Float64()
	gr := float64(min(w, h)) * (.15 + .25*r.Float64())
	if s.Class == Clean {
		dark = 0
	}
	img := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			v := dark + 255*s.Contrast*float64(scene[y*w+x])
			if s.Glare > 0 {
				dx, dy := (float64(x)-gx)/gr, (float64(y)-gy)/gr
				v += 255 * s.Glare * math.Exp(-(dx*dx+dy*dy)/2)
			}
			if s.Noise > 0 {
				v += r.NormFloat64() * s.Noise
			}
			img.Pix[y*w+x] = uint8(min(255, max(0, v+.5)))
		}
	}
	return s.compress(img)
}

// compress passes the picture through JPEG.
func (s Spec) compress(img *image.Gray) *image.Gray {
	if s.JPEG == 0 {
		return img
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: s.JPEG}); err != nil {
		return img
	}
	back, err := jpeg.Decode(&b)
	if err != nil {
		return img
	}
	out := image.NewGray(img.Rect)
	draw.Draw(out, out.Rect, back, image.Point{}, draw.Src)
	return out
}

// blur is a gaussian, in both directions.
func blur(p []float32, w, h int, sigma float64) {
	if sigma <= 0 {
		return
	}
	n := int(math.Ceil(3 * sigma))
	k := make([]float32, 2*n+1)
	sum := float32(0)
	for i := range k {
		k[i] = float32(math.Exp(-float64((i-n)*(i-n)) / (2 * sigma * sigma)))
		sum += k[i]
	}
	for i := range k {
		k[i] /= sum
	}
	line := make([]float32, max(w, h))
	for y := range h {
		convolve(p[y*w:], 1, w, k, line)
	}
	for x := range w {
		convolve(p[x:], w, h, k, line)
	}
}

func convolve(p []float32, step, n int, k, line []float32) {
	m := len(k) / 2
	for i := range n {
		line[i] = p[i*step]
	}
	for i := range n {
		s := float32(0)
		for j, f := range k {
			s += f * line[min(n-1, max(0, i+j-m))]
		}
		p[i*step] = s
	}
}

// smear averages along a line: the hand moved during the exposure.
func smear(p []float32, w, h int, length, angle float64) {
	if length <= 0 {
		return
	}
	src := append([]float32(nil), p...)
	const steps = 7
	dx, dy := length*math.Cos(angle)/(steps-1), length*math.Sin(angle)/(steps-1)
	for y := range h {
		for x := range w {
			s := float32(0)
			for i := range steps {
				t := float64(i) - (steps-1)/2.
				s += at(src, w, h, float64(x)+t*dx, float64(y)+t*dy)
			}
			p[y*w+x] = s / steps
		}
	}
}

// at reads between pixels.
func at(p []float32, w, h int, x, y float64) float32 {
	x, y = min(float64(w-2), max(0, x)), min(float64(h-2), max(0, y))
	ix, iy := int(x), int(y)
	fx, fy := float32(x-float64(ix)), float32(y-float64(iy))
	i := iy*w + ix
	return (p[i]*(1-fx)+p[i+1]*fx)*(1-fy) + (p[i+w]*(1-fx)+p[i+w+1]*fx)*fy
}
