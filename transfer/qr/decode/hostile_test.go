package decode

import (
	"image"
	"image/draw"
	"math/rand/v2"
	"testing"
	"time"
)

// hostile are pictures that are all work and no symbol, at a camera's size.
func hostile(t testing.TB) map[string]*image.Gray {
	const w, h = 1280, 720
	r := rand.New(rand.NewPCG(1, 2))
	fill := func(v func(x, y int) uint8) *image.Gray {
		img := image.NewGray(image.Rect(0, 0, w, h))
		for i := range img.Pix {
			img.Pix[i] = v(i%w, i/w)
		}
		return img
	}
	var bits [w / 3 * h]bool
	for i := range bits {
		bits[i] = r.IntN(2) == 0
	}
	finder := func(x, y int) uint8 { // a wallpaper of finder patterns
		x, y = x/4%10-4, y/4%10-4
		if max(x, -x, y, -y) <= 4 && finderColour(x, y) == dark {
			return 20
		}
		return 230
	}
	symbols := page(w, h, map[image.Point]*image.Gray{})
	m := drawModules(spoiltModules(t, 10), 4)
	for y := range h { // a wallpaper of symbols that cannot be read
		for x := range w {
			symbols.Pix[y*w+x] = m.Pix[y%m.Rect.Dy()*m.Stride+x%m.Rect.Dx()]
		}
	}
	large := image.NewGray(image.Rect(0, 0, w, h))
	draw.Draw(large, large.Rect, drawModules(spoiltModules(t, 40), 3), image.Pt(-40, 0), draw.Src)
	return map[string]*image.Gray{
		"large":       large,
		"even":        fill(func(int, int) uint8 { return 128 }),
		"noise":       fill(func(int, int) uint8 { return uint8(r.IntN(256)) }),
		"chequered":   fill(func(x, y int) uint8 { return uint8((x/3 + y/3) % 2 * 200) }),
		"blocks":      fill(func(x, y int) uint8 { return uint8(200 * min(1, b2i(bits[y/3*(w/3)+x/3]))) }),
		"finders":     fill(finder),
		"unreadables": symbols,
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// spoiltModules is a symbol with every pattern in place and no sense.
func spoiltModules(t testing.TB, version int) [][]bool {
	m := symbol(t, "NO SENSE", version, false)
	tpl := templateOf(version)
	r := rand.New(rand.NewPCG(5, 5))
	for y := range m {
		for x := range m {
			if tpl.at(x, y) == unknown && x > 8 && y > 8 {
				m[y][x] = r.IntN(2) == 0
			}
		}
	}
	return m
}

// The attack: a poster of finder patterns, or of symbols that make no sense,
// behind the keyholder holds the decoder up until frames are lost. The clock
// here goes on by a little at each look at it, so that no machine is too busy
// for this test; BenchmarkMiss has the real times.
func TestHopelessPicturesEndInTime(t *testing.T) {
	const tick = FrameDeadline / 100
	late := map[string]bool{}
	for name, img := range hostile(t) {
		d, looks := New(Frames()), 0
		began := time.Now()
		d.now = func() time.Time { looks++; return began.Add(time.Duration(looks) * tick) }
		if texts, err := d.Decode(img); err == nil {
			t.Errorf("%s: read %q", name, texts)
		}
		if looks > 100 {
			t.Errorf("%s: looked at the clock %d times, when 100 are the end of its time", name, looks)
		}
		late[name] = looks > 60 // two thirds are for our own locator
	}
	for _, name := range []string{"noise", "finders", "unreadables"} {
		if !late[name] {
			t.Errorf("%s is not hopeless any more", name)
		}
	}
}
