package qrtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// A Reader reads picture files with a program that we did not write, and gives the texts of each.
type Reader struct {
	Name  string
	Files func(paths []string) ([][]string, error) // a *MissingError where it is not installed
}

// Readers are zbarimg, jsQR and zxing-wasm. The last two read PGM only.
var Readers = []Reader{{"zbarimg", zbar}, {"jsQR", peer("jsqr")}, {"zxing-wasm", peer("zxing")}}

// ReaderOf is the reader of that name; ok is false where there is none.
func ReaderOf(name string) (r Reader, ok bool) {
	i := slices.IndexFunc(Readers, func(r Reader) bool { return r.Name == name })
	if i < 0 {
		return Reader{}, false
	}
	return Readers[i], true
}

// Read reads pictures. Where the reader is missing, the test is skipped, in CI it fails.
func (r Reader) Read(t testing.TB, pictures []*image.Gray) [][]string {
	t.Helper()
	dir := t.TempDir()
	paths := make([]string, len(pictures))
	for i, img := range pictures {
		paths[i] = filepath.Join(dir, fmt.Sprintf("%04d.pgm", i))
		if err := os.WriteFile(paths[i], PGM(img), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return r.mustFiles(t, paths)
}

func (r Reader) mustFiles(t testing.TB, paths []string) [][]string {
	t.Helper()
	texts, err := r.Files(paths)
	need(t, err)
	return texts
}

// Zbar reads pictures with zbarimg.
func Zbar(t testing.TB, pictures []*image.Gray) (texts [][]string) {
	t.Helper()
	return Readers[0].Read(t, pictures)
}

// ZbarFile reads a picture file with zbarimg.
func ZbarFile(t testing.TB, path string) []string {
	t.Helper()
	return Readers[0].mustFiles(t, []string{path})[0]
}

func zbar(paths []string) (texts [][]string, err error) {
	zbarimg, err := lookPath("zbarimg", "zbar-tools")
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		out, err := exec.Command(zbarimg, "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", path).Output()
		var exit *exec.ExitError
		if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 4) { // 4: nothing found
			return nil, fmt.Errorf("zbarimg %s: %w", path, err)
		}
		texts = append(texts, lines(string(out)))
	}
	return texts, nil
}

// peer reads with a program of testdata/qrpeers.
func peer(name string) func(paths []string) ([][]string, error) {
	return func(paths []string) (texts [][]string, err error) {
		if len(paths) == 0 {
			_, err := peers()
			return nil, err
		}
		out, err := runNode(strings.Join(paths, "\n"), "read.mjs", name)
		if err != nil {
			return nil, err
		}
		for _, line := range lines(out) {
			var found []string
			if err := json.Unmarshal([]byte(line), &found); err != nil {
				return nil, fmt.Errorf("read what %s found: %w", name, err)
			}
			texts = append(texts, found)
		}
		if len(texts) != len(paths) {
			return nil, fmt.Errorf("%s read %d pictures of %d", name, len(texts), len(paths))
		}
		return texts, nil
	}
}

func lines(s string) (list []string) {
	for line := range strings.Lines(s) {
		list = append(list, strings.TrimRight(line, "\r\n"))
	}
	return list
}

// PGM is a picture in netpbm's binary form.
func PGM(img *image.Gray) []byte {
	b := img.Bounds()
	out := fmt.Appendf(nil, "P5\n%d %d\n255\n", b.Dx(), b.Dy())
	for y := b.Min.Y; y < b.Max.Y; y++ {
		at := img.PixOffset(b.Min.X, y)
		out = append(out, img.Pix[at:at+b.Dx()]...)
	}
	return out
}
