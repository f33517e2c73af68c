package decode

import (
	"fmt"
	"os"
	"testing"
	"time"

	"conclave/transfer/qr/decode/corpus"
)

func (g *grid) ber(truth [][]bool) float64 {
	bad := 0
	for y := range g.n {
		for x := range g.n {
			if (g.at(x, y) < 0) != truth[y][x] {
				bad++
			}
		}
	}
	return 100 * float64(bad) / float64(g.n*g.n)
}

func TestDevUnread(t *testing.T) {
	if os.Getenv("U") == "" {
		t.Skip()
	}
	for i := range 200 {
		cl := corpus.Class(os.Getenv("CLASS"))
		name := fmt.Sprintf("/tmp/corpus/"+string(cl)+"-%03d", i)
		img := loadPGM(name + ".pgm")
		want, _ := os.ReadFile(name + ".txt")
		s := corpus.Draw(cl, i)
		p := newPlane(img)
		se := search{p: p, until: time.Now().Add(5 * time.Second), want: 1, tried: map[[3]int]bool{}}
		truth, _ := corpus.Symbol(string(want), s.Version, s.LevelM)
		se.run()
		if len(se.found) > 0 {
			continue
		}
		line := fmt.Sprintf("%3d v%d M=%v %.1fpx frames %d: ", i, s.Version, s.LevelM, s.Module, len(se.frames))
		for k, tr := range triples(se.frames) {
			if k > 3 {
				break
			}
			gs := tr.versions(se.smoothed())
			rank := 99
			for r, g := range gs {
				if g.version == s.Version {
					rank = r
				}
			}
			if rank == 99 {
				line += fmt.Sprintf(" [no v, count %.1f vs %d]", tr.count, 10+4*s.Version)
				continue
			}
			q, agree := tr.place(se.smoothed(), &gs[rank])
			g := q.read(se.p).level(7)
			line += fmt.Sprintf(" [rank %d score %.2f agree %.2f ber %.1f", rank, gs[rank].score, agree, g.ber(truth))
			m := q.mesh(se.p)
			lesson := templateOf(s.Version).at
			for range 3 {
				e, _ := m.train(lesson)
				g := m.apply(&e)
				line += fmt.Sprintf(" %.1f", g.ber(truth))
				lesson = g.lesson(templateOf(s.Version))
			}
			line += "]"
		}
		fmt.Println(line)
	}
}
