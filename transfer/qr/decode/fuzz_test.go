package decode

import (
	"bytes"
	"errors"
	"image"
	"testing"
	"time"
)

// fuzzPatience is how long a small picture may take under a fuzzer on a busy
// machine. It is also the deadline: one that is reached now and then would
// make the fuzzer see new paths where there are none.
const fuzzPatience = 5 * time.Second

// pictureOf makes a picture of at most 127 by 127 pixels from any bytes: its
// sides and a stretch, then pixels, repeated as often as needed.
func pictureOf(data []byte) *image.Gray {
	if len(data) < 4 {
		return image.NewGray(image.Rect(0, 0, 30, 30))
	}
	w, h, stretch := int(data[0]&127), int(data[1]&127), 1+int(data[2]%4)
	pix := data[3:]
	img := image.NewGray(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		x, y := i%max(1, w)/stretch, i/max(1, w)/stretch
		img.Pix[i] = pix[(y*((w+stretch-1)/stretch)+x)%len(pix)]
	}
	return img
}

// seedOf is the inverse for a picture with whole modules.
func seedOf(modules [][]bool, stretch int) []byte {
	small := drawModules(modules, 1)
	side := small.Rect.Dx() * stretch
	if side > 127 {
		panic("picture too large for a seed")
	}
	return append([]byte{byte(side), byte(side), byte(stretch - 1)}, small.Pix...)
}

// A run of some length wants -fuzzminimizetime 10x.
//
// Whatever the picture, the answer comes in time, is not a panic, and is never
// both texts and an error.
func FuzzDecode(f *testing.F) {
	for _, v := range []int{1, 2, 7, 9} {
		m := symbol(f, "SEED", v, false)
		for stretch := 1; stretch <= 4 && (len(m)+8)*stretch <= 127; stretch++ {
			f.Add(seedOf(m, stretch))
		}
	}
	f.Add([]byte{127, 127, 0, 0, 255})
	f.Add([]byte{127, 100, 2, 255, 0, 0, 255, 0, 0, 0, 255})
	f.Add([]byte{21, 21, 0, 9})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		opt := Frames()
		opt.Symbols, opt.Inverted, opt.Deadline = 3, true, fuzzPatience
		d := New(opt)
		for range 2 { // the second time it may track
			began := time.Now()
			texts, err := d.Decode(pictureOf(data))
			if took := time.Since(began); took > fuzzPatience {
				t.Errorf("took %v", took)
			}
			var miss *Miss
			if err != nil && !errors.As(err, &miss) || (len(texts) > 0) == (err != nil) {
				t.Errorf("got %q and %v", texts, err)
			}
		}
	})
}

func TestFuzzSeedsAreSymbols(t *testing.T) {
	texts, err := patient().Decode(pictureOf(seedOf(symbol(t, "SEED", 7, false), 2)))
	if err != nil || len(texts) != 1 || texts[0] != "SEED" {
		t.Errorf("got %q, %v", texts, err)
	}
}

// Modules of any colours go through the bit decoder without a panic and give
// the same answer twice.
func FuzzModules(f *testing.F) {
	pack := func(modules [][]bool) []byte {
		out := []byte{byte((len(modules) - 17) / 4)}
		var b, n byte
		for _, row := range modules {
			for _, c := range row {
				b <<= 1
				if c {
					b |= 1
				}
				if n++; n == 8 {
					out, b, n = append(out, b), 0, 0
				}
			}
		}
		return append(out, b<<(8-n))
	}
	for _, v := range []int{1, 7, 14} {
		f.Add(pack(symbol(f, "SEED", v, true)))
	}
	f.Add([]byte{3, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 2 {
			return
		}
		g := newGrid(17 + 4*int(1+data[0]%40))
		bits := data[1:]
		for i := range g.v {
			x, y := i%(g.n+2)-1, i/(g.n+2)-1
			k := y*g.n + x
			if x < 0 || y < 0 || x >= g.n || y >= g.n || bits[k/8%len(bits)]>>(7-k%8)&1 == 0 {
				g.v[i] = 1
			} else {
				g.v[i] = -1
			}
		}
		a, errA := g.text()
		b, errB := g.text()
		if a != b || (errA == nil) != (errB == nil) {
			t.Errorf("got %q, %v and then %q, %v", a, errA, b, errB)
		}
	})
}

func TestPicturesAreNotChanged(t *testing.T) {
	img := drawModules(symbol(t, "LEAVE IT", 5, false), 3)
	before := bytes.Clone(img.Pix)
	if _, err := patient().Decode(img); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, img.Pix) {
		t.Error("the picture was written to")
	}
}
