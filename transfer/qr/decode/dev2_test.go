package decode

import (
	"fmt"
	"image"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"conclave/transfer/qr/decode/corpus"
)

func TestDevTime(t *testing.T) {
	if os.Getenv("T") == "" {
		t.Skip()
	}
	r := rand.New(rand.NewPCG(1, 2))
	noise := image.NewGray(image.Rect(0, 0, 1280, 720))
	for i := range noise.Pix {
		noise.Pix[i] = uint8(r.IntN(256))
	}
	check := image.NewGray(image.Rect(0, 0, 1280, 720))
	for i := range check.Pix {
		check.Pix[i] = uint8(((i%1280)/3+(i/1280)/3)%2) * 200
	}
	flat := image.NewGray(image.Rect(0, 0, 1280, 720))
	blocks := image.NewGray(image.Rect(0, 0, 1280, 720))
	var bits [240 * 430]bool
	for i := range bits {
		bits[i] = r.IntN(2) == 0
	}
	for i := range blocks.Pix {
		if bits[(i/1280)/3*430+(i%1280)/3] {
			blocks.Pix[i] = 200
		}
	}
	for name, im := range map[string]*image.Gray{"noise": noise, "check": check, "flat": flat, "blocks": blocks} {
		for _, o := range []Options{{Deadline: 10 * time.Second}, Frames()} {
			d := New(o)
			t0 := time.Now()
			_, err := d.Decode(im)
			t.Log(name, o.Cascade, time.Since(t0), err)
		}
	}
	for _, v := range []int{6, 14, 24, 40} {
		s := corpus.Draw(corpus.Good, 3)
		s.Version = v
		s.Module = min(6, 640/float64(17+4*v+4))
		s.Rotation = 5
		p, err := s.Picture()
		if err != nil {
			t.Fatal(err)
		}
		im := image.NewGray(image.Rect(0, 0, 1280, 720))
		for y := range min(720, p.Gray.Rect.Dy()) {
			copy(im.Pix[y*1280:(y+1)*1280], p.Gray.Pix[y*p.Gray.Stride:][:min(1280, p.Gray.Rect.Dx())])
		}
		d := New(Options{Track: true})
		t0 := time.Now()
		_, err = d.Decode(im)
		a := time.Since(t0)
		best := time.Hour
		for range 10 {
			t0 = time.Now()
			_, err = d.Decode(im)
			best = min(best, time.Since(t0))
		}
		fmt.Println(v, s.Module, "acquire", a, "track", best, err)
	}
}
