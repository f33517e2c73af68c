package paint

import (
	"fmt"
	"image"
	"strings"
)

// Preview shows a picture in a terminal's cells, as large as fits, in the 24 greys that terminals of 256
// colours have: what a camera sees, so that a person can hold it right. Each line sets and resets its colours.
func Preview(img *image.Gray, cols, rows int) []string {
	b := img.Bounds()
	if b.Empty() || cols < 1 || rows < 1 {
		return nil
	}
	// A cell shows two pixels, one above the other.
	width, height := cols, max(1, b.Dy()*cols/b.Dx())
	if height > 2*rows {
		width, height = max(1, b.Dx()*2*rows/b.Dy()), 2*rows
	}
	var lines []string
	for y := 0; y < height; y += 2 {
		var line strings.Builder
		for x := range width {
			upper, lower := shade(img, x, y, width, height), shade(img, x, min(y+1, height-1), width, height)
			fmt.Fprintf(&line, "\x1b[38;5;%d;48;5;%dm▀", upper, lower)
		}
		lines = append(lines, line.String()+Reset)
	}
	return lines
}

// shade is the colour number of the mean of a piece of the picture.
func shade(img *image.Gray, x, y, width, height int) int {
	b := img.Bounds()
	x0, x1 := b.Min.X+x*b.Dx()/width, b.Min.X+(x+1)*b.Dx()/width
	y0, y1 := b.Min.Y+y*b.Dy()/height, b.Min.Y+(y+1)*b.Dy()/height
	sum, n := 0, 0
	const step = 2 // every second pixel says enough
	for py := y0; py < max(y1, y0+1); py += step {
		for px := x0; px < max(x1, x0+1); px += step {
			sum += int(img.GrayAt(px, py).Y)
			n++
		}
	}
	const black, greys = 232, 24
	return black + sum/n*(greys-1)/255
}
