package qrtest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A Font says how large a terminal's cells are, in pixels, and how many dark rows lie between lines.
type Font struct{ Width, Height, Gap int }

// Raster draws lines of block characters as a terminal with dark colours shows
// them that sets black on white for these lines. It knows half blocks, sextants and octants.
func Raster(lines []string, f Font) *image.Gray {
	cols := 0
	for _, line := range lines {
		cols = max(cols, len([]rune(line)))
	}
	const margin = 24
	img := image.NewGray(image.Rect(0, 0, cols*f.Width+2*margin, len(lines)*(f.Height+f.Gap)+2*margin))
	for i := range img.Pix {
		img.Pix[i] = 20
	}
	for row, line := range lines {
		for col, r := range []rune(line) {
			at := image.Pt(margin+col*f.Width, margin+row*(f.Height+f.Gap))
			drawCell(img, at, f, r)
		}
	}
	return img
}

func drawCell(img *image.Gray, at image.Point, f Font, r rune) {
	across, down, mask := Ink(r)
	for y := range f.Height {
		for x := range f.Width {
			bit := y*down/f.Height*across + x*across/f.Width
			level := uint8(250)
			if mask>>bit&1 == 1 {
				level = 5
			}
			img.SetGray(at.X+x, at.Y+y, color.Gray{Y: level})
		}
	}
}

// Ink says which parts of a cell a character fills, row by row from the upper left.
func Ink(r rune) (across, down, mask int) {
	const octantsOf = 0x1cd00
	switch i := strings.IndexRune(" ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█", r); {
	case i >= 0:
		quarter := len([]rune(" ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"[:i]))
		return 2, 2, quarter
	case r >= 0x1fb00 && r <= 0x1fb3b: // sextants, without the two that are half blocks
		mask = int(r-0x1fb00) + 1
		if mask >= 0b010101 {
			mask++
		}
		if mask >= 0b101010 {
			mask++
		}
		return 2, 3, mask
	case r >= octantsOf && r <= 0x1cde5:
		n := int(r) - octantsOf
		for mask = range 256 {
			if !olderOctant(mask) {
				if n--; n < 0 {
					return 2, 4, mask
				}
			}
		}
	}
	for m, older := range map[int]rune{
		1: 0x1cea8, 2: 0x1ceab, 64: 0x1cea3, 128: 0x1cea0, 3: 0x1fb82, 63: 0x1fb85, 192: 0x2582, 252: 0x2586, 20: 0x1fbe6, 40: 0x1fbe7,
	} {
		if older == r {
			return 2, 4, m
		}
	}
	return 1, 1, 1 // as good as wrong
}

// olderOctant reports whether a pattern of octants had a character before Unicode 16.
func olderOctant(mask int) bool {
	switch mask {
	case 1, 2, 3, 20, 40, 63, 64, 128, 192, 252:
		return true
	}
	return mask>>2&0x33 == mask&0x33 && (mask&0x0f == 0 || mask&3 == mask>>2&3) && mask>>4&3 == mask>>6&3
}

// Gray is any picture in grey.
func Gray(img image.Image) *image.Gray {
	out := image.NewGray(img.Bounds())
	for y := out.Rect.Min.Y; y < out.Rect.Max.Y; y++ {
		for x := out.Rect.Min.X; x < out.Rect.Max.X; x++ {
			out.Set(x, y, img.At(x, y))
		}
	}
	return out
}

// A Reader reads pictures with a program that we did not write.
type Reader struct {
	Name string
	Read func(t testing.TB, pictures []*image.Gray) [][]string
}

// Readers are zbarimg, jsQR and zxing-wasm.
var Readers = []Reader{
	{"zbarimg", Zbar},
	{"jsQR", func(t testing.TB, p []*image.Gray) [][]string { return node(t, "jsqr", p) }},
	{"zxing-wasm", func(t testing.TB, p []*image.Gray) [][]string { return node(t, "zxing", p) }},
}

// Zbar reads pictures with zbarimg.
func Zbar(t testing.TB, pictures []*image.Gray) (texts [][]string) {
	t.Helper()
	zbarimg := Tool(t, "zbarimg", "zbar-tools")
	for _, path := range writePGM(t, pictures) {
		texts = append(texts, zbarFile(t, zbarimg, path))
	}
	return texts
}

// ZbarFile reads a picture file with zbarimg.
func ZbarFile(t testing.TB, path string) []string {
	t.Helper()
	return zbarFile(t, Tool(t, "zbarimg", "zbar-tools"), path)
}

func zbarFile(t testing.TB, zbarimg, path string) []string {
	t.Helper()
	out, err := exec.Command(zbarimg, "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", path).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == 4 { // nothing found
			return nil
		}
		t.Fatalf("zbarimg %s: %v", path, err)
	}
	return lines(string(out))
}

func lines(s string) (list []string) {
	for line := range strings.Lines(s) {
		list = append(list, strings.TrimRight(line, "\r\n"))
	}
	return list
}

func node(t testing.TB, reader string, pictures []*image.Gray) (texts [][]string) {
	t.Helper()
	out := Node(t, strings.Join(writePGM(t, pictures), "\n"), "read.mjs", reader)
	for _, line := range lines(out) {
		var found []string
		if err := json.Unmarshal([]byte(line), &found); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, found)
	}
	if len(texts) != len(pictures) {
		t.Fatalf("%s read %d pictures of %d", reader, len(texts), len(pictures))
	}
	return texts
}

func writePGM(t testing.TB, pictures []*image.Gray) (paths []string) {
	t.Helper()
	dir := t.TempDir()
	for i, img := range pictures {
		path := filepath.Join(dir, fmt.Sprintf("%04d.pgm", i))
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		w := bufio.NewWriter(f)
		b := img.Bounds()
		fmt.Fprintf(w, "P5\n%d %d\n255\n", b.Dx(), b.Dy())
		for y := b.Min.Y; y < b.Max.Y; y++ {
			at := img.PixOffset(b.Min.X, y)
			_, _ = w.Write(img.Pix[at : at+b.Dx()])
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		f.Close()
		paths = append(paths, path)
	}
	return paths
}
