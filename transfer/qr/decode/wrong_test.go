package decode

import (
	"image"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"conclave/transfer/qr/decode/corpus"
)

// The attack: a screen changes while the shutter is open, a hand moves, light
// falls in, or someone draws over a symbol, and the decoder makes of two
// symbols' halves a third that nobody showed. Whatever is done to the picture,
// only a text that was on the screen may come out.
//
// A quick run is part of the ordinary tests, some thousands are part of CI, and
// `make decodes` is the long run of 100,000.
func TestNoWrongContent(t *testing.T) {
	t.Parallel()
	n := *decodeCount
	switch {
	case n > 0:
	case os.Getenv("CI") == "true":
		n = 3000 / slow
	default:
		n = 400 / slow
	}
	r := rand.New(rand.NewPCG(7, 11))
	const perScene = 200
	read, wrong := 0, 0
	for done := 0; done < n; done += perScene {
		s := sceneOf(t, r)
		opt := Frames()
		opt.Deadline = 40 * time.Millisecond
		d := New(opt)
		for range min(perScene, n-done) {
			texts, err := d.Decode(s.spoil(r))
			if err != nil {
				continue
			}
			read++
			for _, text := range texts {
				if text != s.now.Text && text != s.next.Text {
					wrong++
					t.Errorf("wrong content %q", text)
				}
			}
		}
	}
	t.Logf("%d pictures, %d read, %d wrong", n, read, wrong)
	if read < n/10 {
		t.Errorf("only %d of %d pictures were readable: this tests nothing", read, n)
	}
	if read > n*9/10 {
		t.Errorf("%d of %d pictures were readable: too easy to test anything", read, n)
	}
}

// scene is one view of two symbols that a screen shows in turn.
type scene struct{ now, next *corpus.Picture }

func sceneOf(t *testing.T, r *rand.Rand) *scene {
	s := corpus.Draw(corpus.Typical, r.IntN(1e6))
	s.Version, s.Module, s.Tight = 5+r.IntN(4), 2.5+1.5*r.Float64(), true
	s.Ghost, s.Noise, s.JPEG, s.Glare, s.Contrast = 0, 0, 0, 0, .8
	sc := &scene{now: picture(t, s)}
	other := s
	other.Swap = true
	sc.next = picture(t, other)
	return sc
}

// spoil makes a picture of the scene with several faults at once.
func (s *scene) spoil(r *rand.Rand) *image.Gray {
	a, b := s.now.Gray, s.next.Gray
	out := image.NewGray(a.Rect)
	w, h := a.Rect.Dx(), a.Rect.Dy()
	ghost := max(0, r.Float64()*1.6-.6)
	tear := h
	if r.IntN(2) == 0 {
		tear = r.IntN(h)
	}
	noise := r.Float64() * r.Float64() * 70
	for y := range h {
		g := ghost
		if y > tear {
			g = 1 - ghost
		}
		for x := range w {
			i := y*w + x
			v := float64(a.Pix[i])*(1-g) + float64(b.Pix[i])*g + noise*r.NormFloat64()
			out.Pix[i] = uint8(min(255, max(0, v)))
		}
	}
	if r.IntN(3) == 0 {
		scribble(out, r)
	}
	return out
}

// scribble paints boxes over a picture.
func scribble(img *image.Gray, r *rand.Rand) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	for range 1 + r.IntN(6) {
		x0, y0 := r.IntN(w), r.IntN(h)
		v := uint8(r.IntN(256))
		for y := y0; y < min(h, y0+3+r.IntN(30)); y++ {
			for x := x0; x < min(w, x0+3+r.IntN(30)); x++ {
				img.Pix[y*w+x] = v
			}
		}
	}
}

// The same attack on the modules: errors from few to far beyond what the code
// corrects, and whole blocks exchanged for another symbol's.
func TestSpoiltModulesGiveTheTextOrNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	for _, v := range []int{1, 2, 5, 9} {
		tpl := templateOf(v)
		a := symbol(t, "RIGHT"+string(rune('A'+v)), v, v%2 == 0)
		b := symbol(t, "OTHER"+string(rune('A'+v)), v, v%2 == 0)
		read := 0
		for range 600 / slow {
			g := gridOf(a)
			share := r.Float64() * r.Float64() * .5
			for y := range g.n {
				for x := range g.n {
					if r.Float64() < share {
						c := float32(1)
						if b[y][x] {
							c = -1
						}
						g.v[g.index(x, y)] = c
					}
				}
			}
			text, ok := g.accept(tpl)
			if ok && text != "RIGHT"+string(rune('A'+v)) && text != "OTHER"+string(rune('A'+v)) {
				t.Errorf("version %d: wrong content %q", v, text)
			}
			if ok {
				read++
			}
		}
		if read == 0 || read == 600/slow {
			t.Errorf("version %d: %d of 600 read: this tests nothing", v, read)
		}
	}
}
