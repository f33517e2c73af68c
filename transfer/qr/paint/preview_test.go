package paint

import (
	"image"
	"strings"
	"testing"

	"github.com/hinshun/vt10x"
)

func TestPreviewShowsThePicture(t *testing.T) {
	img := image.NewGray(image.Rect(10, 10, 650, 490)) // light on the right
	for y := 10; y < 490; y++ {
		for x := 330; x < 650; x++ {
			img.Pix[img.PixOffset(x, y)] = 255
		}
	}
	lines := Preview(img, 80, 20)
	if len(lines) != 20 {
		t.Fatalf("%d lines", len(lines))
	}
	term := vt10x.New(vt10x.WithSize(80, 24))
	_, _ = term.Write([]byte(strings.Join(lines, "\r\n")))
	for _, c := range []struct {
		x, y int
		want vt10x.Color
	}{{0, 0, 232}, {20, 19, 232}, {30, 5, 255}, {52, 19, 255}} {
		if got := term.Cell(c.x, c.y); got.FG != c.want || got.BG != c.want {
			t.Errorf("cell %d,%d is %v on %v, want %v", c.x, c.y, got.FG, got.BG, c.want)
		}
	}
}

func TestPreviewFitsAnySize(t *testing.T) {
	for _, c := range []struct{ w, h, cols, rows int }{{1, 1, 1, 1}, {1000, 2, 80, 24}, {2, 1000, 80, 24}, {0, 0, 80, 24}, {10, 10, 0, 0}} {
		lines := Preview(image.NewGray(image.Rect(0, 0, c.w, c.h)), c.cols, c.rows)
		if len(lines) > c.rows {
			t.Errorf("%+v: %d lines", c, len(lines))
		}
		for _, l := range lines {
			if n := strings.Count(l, "▀"); n > c.cols {
				t.Errorf("%+v: %d columns", c, n)
			}
		}
	}
}
