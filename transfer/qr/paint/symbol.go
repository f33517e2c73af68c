// Package paint draws QR symbols: in a terminal's cells, as pictures and on paper.
//
// Its promise: a symbol is drawn as the standard wants it, black on white whatever
// the terminal's colours are, with a quiet zone, every module of one size; what does not fit is refused.
//
// Symbols are encoded by skip2/go-qrcode. Texts are alphanumeric (capital
// letters, digits and $%*+-./: and space), because some readers guess a character set for anything else.
package paint

import (
	"fmt"
	"image"
	"image/color"

	qrcode "github.com/skip2/go-qrcode"
)

// A Level says how much of a symbol may be damaged.
type Level int

// The levels: for screens and for paper.
const (
	L Level = iota // 7 %
	M              // 15 %
)

// MaxVersion is the largest version of a symbol, with 177 modules a side.
const MaxVersion = 40

// dataBytes is how many data codewords a version holds at a level (ISO/IEC 18004, table 7).
var dataBytes = [...][MaxVersion]int{
	L: {
		19, 34, 55, 80, 108, 136, 156, 194, 232, 274, 324, 370, 428, 461, 523, 589, 647, 721, 795, 861,
		932, 1006, 1094, 1174, 1276, 1370, 1468, 1531, 1631, 1735, 1843, 1955, 2071, 2191, 2306, 2434, 2566, 2702, 2812, 2956,
	},
	M: {
		16, 28, 44, 64, 86, 108, 124, 154, 182, 216, 254, 290, 334, 365, 415, 453, 507, 563, 627, 669,
		714, 782, 860, 914, 1000, 1062, 1128, 1193, 1267, 1373, 1455, 1541, 1631, 1725, 1812, 1914, 1992, 2102, 2216, 2334,
	},
}

// Capacity is how many alphanumeric characters a symbol holds; 0 where there is no such version.
func Capacity(version int, level Level) int {
	if version < 1 || version > MaxVersion {
		return 0
	}
	bits := 8*dataBytes[level][version-1] - 4 // the mode
	switch {                                  // and the count
	case version <= 9:
		bits -= 9
	case version <= 26:
		bits -= 11
	default:
		bits -= 13
	}
	chars := bits / 11 * 2 // two characters in 11 bits
	if bits%11 >= 6 {
		chars++
	}
	return chars
}

// VersionFor is the smallest version that holds so many alphanumeric characters; 0 where none does.
func VersionFor(chars int, level Level) int {
	for v := 1; v <= MaxVersion; v++ {
		if Capacity(v, level) >= chars {
			return v
		}
	}
	return 0
}

// Modules is the number of modules on a side of a version, without quiet zone.
func Modules(version int) int { return 17 + 4*version }

// A Symbol is one QR symbol, without quiet zone.
type Symbol struct {
	Version int
	side    int
	dark    []bool
}

// Encode makes the symbol of a text, in the given version or, where that is
// 0, the smallest that holds it.
func Encode(text string, version int, level Level) (s *Symbol, err error) {
	if version == 0 {
		version = VersionFor(len(text), level)
	}
	if len(text) > Capacity(version, level) {
		return nil, fmt.Errorf("encode symbol: %d characters do not fit into version %d", len(text), version)
	}
	for i := range len(text) {
		if !alphanumeric(text[i]) {
			return nil, fmt.Errorf("encode symbol: character %d (%q) is not alphanumeric", i+1, text[i])
		}
	}
	defer func() { // the encoder panics where it finds itself in error
		if p := recover(); p != nil {
			s, err = nil, fmt.Errorf("encode symbol: version %d: %v", version, p)
		}
	}()
	q, err := qrcode.NewWithForcedVersion(text, version, map[Level]qrcode.RecoveryLevel{L: qrcode.Low, M: qrcode.Medium}[level])
	if err != nil {
		return nil, fmt.Errorf("encode symbol: %w", err)
	}
	q.DisableBorder = true
	s = &Symbol{Version: version, side: Modules(version)}
	bitmap := q.Bitmap() // encodes anew on every call
	if len(bitmap) != s.side {
		return nil, fmt.Errorf("encode symbol: %d modules came out for version %d", len(bitmap), version)
	}
	for _, row := range bitmap {
		s.dark = append(s.dark, row...)
	}
	return s, nil
}

func alphanumeric(c byte) bool {
	switch {
	case c >= '0' && c <= '9', c >= 'A' && c <= 'Z':
		return true
	}
	switch c {
	case ' ', '$', '%', '*', '+', '-', '.', '/', ':':
		return true
	}
	return false
}

// Side is the number of modules on a side.
func (s *Symbol) Side() int { return s.side }

// Dark reports whether a module is dark; everything outside is light.
func (s *Symbol) Dark(x, y int) bool {
	return x >= 0 && y >= 0 && x < s.side && y < s.side && s.dark[y*s.side+x]
}

// QuietZone is how many light modules are around a symbol on the screen. The standard wants 4; on a
// white rectangle on a dark screen every reader tried makes do with 2.
const QuietZone = 2

// LeastQuietZone is how many there are above a symbol that would not fit otherwise: at 80x24, 120x40 and
// 200x60 one version more, with a tenth more content. Ours and three other readers miss no more of them.
const LeastQuietZone = 1

// PaperQuietZone is the standard's.
const PaperQuietZone = 4

// Image is the symbol with a quiet zone, module pixels for each module, in two colours.
func (s *Symbol) Image(module, quiet int) *image.Paletted {
	side := (s.side + 2*quiet) * module
	img := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for y := range side {
		for x := range side {
			if s.Dark(x/module-quiet, y/module-quiet) {
				img.Pix[y*img.Stride+x] = 1
			}
		}
	}
	return img
}
