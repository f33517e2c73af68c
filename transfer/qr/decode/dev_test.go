package decode

import (
	"bytes"
	"fmt"
	"image"
	"os"
	"strconv"
	"testing"
	"time"

	"conclave/transfer/qr/decode/corpus"
)

func loadPGM(name string) *image.Gray {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	var w, h, m int
	fmt.Sscanf(string(b[:20]), "P5\n%d %d\n%d", &w, &h, &m)
	return &image.Gray{Pix: b[len(b)-w*h:], Stride: w, Rect: image.Rect(0, 0, w, h)}
}

func TestDev(t *testing.T) {
	dir := os.Getenv("DUMP")
	if dir == "" {
		t.Skip()
	}
	n, _ := strconv.Atoi(os.Getenv("N"))
	verbose := os.Getenv("V") != ""
	for _, c := range corpus.Classes {
		if k := os.Getenv("CLASS"); k != "" && k != string(c) {
			continue
		}
		var ok, big, bigOK, total int
		var zok, gok int
		stages := map[Stage]int{}
		var took, worst time.Duration
		for i := range n {
			name := fmt.Sprintf("%s/%s-%03d", dir, c, i)
			img := loadPGM(name + ".pgm")
			if img == nil {
				continue
			}
			want, _ := os.ReadFile(name + ".txt")
			s := corpus.Draw(c, i)
			total++
			if s.Module >= 3 {
				big++
			}
			d := New(Options{Deadline: 2*time.Second})
			t0 := time.Now()
			texts, err := d.Decode(img)
			dt := time.Since(t0)
			took += dt
			worst = max(worst, dt)
			z, _ := os.ReadFile(name + ".zbar")
			g, _ := os.ReadFile(name + ".gz")
			if bytes.Equal(z, want) {
				zok++
			}
			if bytes.Equal(g, want) {
				gok++
			}
			if err == nil && texts[0] == string(want) {
				ok++
				if s.Module >= 3 {
					bigOK++
				}
			} else if err == nil {
				t.Errorf("WRONG %v", s)
			} else {
				stages[err.(*Miss).Stage]++
				if verbose {
					t.Logf("miss %d %v zbar=%v gz=%v %s %v", i, s, bytes.Equal(z, want), bytes.Equal(g, want), err, dt)
				}
			}
		}
		t.Logf("%-8s ours %d/%d  ≥3px %d/%d (%.1f%%)  zbar %d gz %d stages %v mean %v worst %v", c, ok, total, bigOK, big, 100*float64(bigOK)/float64(max(big,1)), zok, gok, stages, took/time.Duration(max(1,total)), worst)
	}
}

func TestDevGz(t *testing.T) {
	dir := os.Getenv("DUMPGZ")
	if dir == "" {
		t.Skip()
	}
	n, _ := strconv.Atoi(os.Getenv("N"))
	for _, c := range corpus.Classes {
		for i := range n {
			name := fmt.Sprintf("%s/%s-%03d", dir, c, i)
			img := loadPGM(name + ".pgm")
			if _, err := os.Stat(name+".gz"); err == nil || img == nil {
				continue
			}
			texts := cascade(newPlane(img), time.Now().Add(time.Hour))
			out := ""
			if len(texts) > 0 {
				out = texts[0]
			}
			os.WriteFile(name+".gz", []byte(out), 0o600)
		}
	}
}
