package decode

import (
	"flag"
	"image"
	"os"
	"os/exec"
	"testing"
	"time"

	"conclave/transfer/qr/decode/corpus"
)

var (
	pictureCount = flag.Int("pictures", 100, "pictures of each class in the corpus benchmark")
	decodeCount  = flag.Int("decodes", 0, "decodes in TestNoWrongContent, 0 for a quick run")
)

// patient reads one picture with time to spare, by our own locator alone: a
// busy machine must not fail a test of what is readable.
func patient() *Decoder { return New(Options{Deadline: 20 * time.Second}) }

// drawModules renders modules with square pixels and a light border of four modules.
func drawModules(modules [][]bool, size int) *image.Gray {
	n := (len(modules) + 8) * size
	img := image.NewGray(image.Rect(0, 0, n, n))
	for y := range n {
		for x := range n {
			img.Pix[y*img.Stride+x] = 255
			mx, my := x/size-4, y/size-4
			if mx >= 0 && my >= 0 && mx < len(modules) && my < len(modules) && modules[my][mx] {
				img.Pix[y*img.Stride+x] = 0
			}
		}
	}
	return img
}

// symbol encodes a text or fails the test.
func symbol(t testing.TB, text string, version int, levelM bool) [][]bool {
	t.Helper()
	m, err := corpus.Symbol(text, version, levelM)
	if err != nil {
		t.Fatalf("encode symbol: %v", err)
	}
	return m
}

// picture renders a Spec or fails the test.
func picture(t testing.TB, s corpus.Spec) *corpus.Picture {
	t.Helper()
	p, err := s.Picture()
	if err != nil {
		t.Fatalf("render %v: %v", s, err)
	}
	return p
}

// needZbar finds zbarimg. Its absence is a gap on a desk and a failure in CI.
func needZbar(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("zbarimg")
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") == "true":
		t.Fatal("zbarimg is not installed; CI must have it (Debian package zbar-tools)")
	}
	t.Skip("zbarimg is not installed (Debian package zbar-tools): nothing to compare with")
	return ""
}

// grid turns modules into a reading of them.
func gridOf(modules [][]bool) *grid {
	g := newGrid(len(modules))
	for y := -1; y <= g.n; y++ {
		for x := -1; x <= g.n; x++ {
			v := float32(1)
			if x >= 0 && y >= 0 && x < g.n && y < g.n && modules[y][x] {
				v = -1
			}
			g.v[g.index(x, y)] = v
		}
	}
	return g
}
