package decode

import (
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"conclave/transfer/qr/decode/corpus"
)

func TestDevFinders(t *testing.T) {
	if os.Getenv("F") == "" {
		t.Skip()
	}
	for i := range 200 {
		cl := corpus.Class(os.Getenv("CLASS"))
		s := corpus.Draw(cl, i)
		img := loadPGM(fmt.Sprintf("/tmp/corpus/"+string(cl)+"-%03d.pgm", i))
		p := newPlane(img)
		se := search{p: p, until: time.Now().Add(5 * time.Second), want: 1, tried: map[[3]int]bool{}}
		se.run()
		if len(se.found) > 0 || se.miss.Stage == Unreadable {
			continue
		}
		pic, _ := s.Picture()
		n := float64(17 + 4*s.Version)
		fmt.Printf("%3d v%d %.1fpx rot %.0f tilt %.0f blur %.1f mot %.1f noise %.0f c %.2f: ", i, s.Version, s.Module, s.Rotation, s.Tilt, s.Blur, s.Motion, s.Noise, s.Contrast)
		for _, c := range [][2]float64{{3.5, 3.5}, {n - 3.5, 3.5}, {3.5, n - 3.5}} {
			x, y := pic.Pixel(c[0], c[1])
			ux, uy := pic.Pixel(c[0]+1, c[1])
			vx, vy := pic.Pixel(c[0], c[1]+1)
			f := frame{c: point{x, y}, u: point{ux - x, uy - y}, v: point{vx - x, vy - y}}
			ideal := se.smoothed().finderFit(&f)
			nh := 0
			var got float64 = -1
			for _, q := range passes {
				pp, sc := se.p, 1.
				if q.smooth {
					pp = se.smoothed()
				}
				if q.half {
					pp, sc = se.p.half(), 2
				}
				for _, h := range pp.binarize(q.reach, q.margin).scan(1) {
					h.c, h.wide, h.high = h.c.mul(sc), h.wide*sc, h.high*sc
					if math.Hypot(h.c.x-x, h.c.y-y) < 2*f.module() {
						nh++
						fr, _ := se.smoothed().frameOf(h)
						got = max(got, fr.fit)
					}
				}
			}
			fmt.Printf(" [%.1fpx ideal %.2f hits %d got %.2f]", f.module(), ideal, nh, got)
		}
		fmt.Println()
	}
}
