package decode

import (
	"fmt"
	"os"
	"testing"
	"time"
)

func TestDevOne(t *testing.T) {
	if os.Getenv("ONE") == "" {
		t.Skip()
	}
	p := newPlane(loadPGM(os.Getenv("ONE")))
	se := search{p: p, until: time.Now().Add(5 * time.Second), want: 1, tried: map[[3]int]bool{}}
	se.run()
	for _, f := range se.frames {
		fmt.Printf("%+v\n", f)
	}
	for k, tr := range triples(se.frames) {
		if k > 2 {
			break
		}
		fmt.Println(tr.count, tr.cost)
		fmt.Printf(" %+v\n %+v\n %+v\n", tr.tl, tr.tr, tr.bl)
		for _, g := range tr.versions(se.smoothed()) {
			c := float64(10 + 4*g.version)
			a, b := tr.row(c), tr.column(c)
			_, sa := a.follow(se.smoothed())
			_, sb := b.follow(se.smoothed())
			fmt.Println("v", g.version, g.score, sa, sb)
		}
	}
}

func TestDevHit(t *testing.T) {
	if os.Getenv("HIT") == "" {
		t.Skip()
	}
	p := newPlane(loadPGM("/tmp/corpus/clean-002.pgm"))
	sm := p.smooth()
	for _, q := range passes[:1] {
		for _, h := range p.binarize(q.reach, q.margin).scan(1) {
			if h.c.sub(point{119, 83}).abs() < 10 {
				fmt.Printf("%+v\n", h)
				for _, v := range []float64{3.7, 4.2, 4.5, 5, 5.3, 5.67, 6} {
					for _, dy := range []float64{-2, -1, 0, 1, 2} {
						f := frame{c: h.c, u: point{5.33, 0}, v: point{0, v}}
						f.c.y += dy
						f.fit = sm.finderFit(&f)
						g, ok := sm.polish(f)
						fmt.Println(" ", v, dy, f.fit, "->", g.fit, g.c, g.v, ok)
					}
				}
			}
		}
	}
}
