package decode

import (
	"fmt"
	"math/bits"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"
)

// formats are the 32 words that tell level and mask, as printed.
var formats = func() (out [32]uint32) {
	for i := range out {
		r := uint32(i) << 10
		for b := 14; b >= 10; b-- {
			if r>>b&1 == 1 {
				r ^= 0x537 << (b - 10)
			}
		}
		out[i] = (uint32(i)<<10 | r) ^ 0x5412
	}
	return out
}()

// maxFormatErrors is how many of the 15 bits the code corrects.
const maxFormatErrors = 3

// formatErrors is the distance of the best copy of the format word from the
// nearest that exists; a symbol seen in a mirror has it mirrored.
func (g *grid) formatErrors() int {
	best := 15
	for _, mirrored := range []bool{false, true} {
		a, b := g.formatWords(mirrored)
		for _, f := range formats {
			best = min(best, bits.OnesCount32(a^f), bits.OnesCount32(b^f))
		}
	}
	return best
}

// formatWords reads both copies of the format word, least bit first.
func (g *grid) formatWords(mirrored bool) (a, b uint32) {
	dark := func(x, y int) uint32 {
		if mirrored {
			x, y = y, x
		}
		if g.at(x, y) < 0 {
			return 1
		}
		return 0
	}
	for i := range 15 {
		x, y := 8, i
		switch {
		case i == 6 || i == 7:
			y = i + 1
		case i == 8:
			x, y = 7, 8
		case i > 8:
			x, y = 14-i, 8
		}
		a |= dark(x, y) << i
		if i < 8 {
			b |= dark(g.n-1-i, 8) << i
		} else {
			b |= dark(8, g.n-15+i) << i
		}
	}
	return a, b
}

// knownErrors is the share of known modules that read in the wrong colour.
func (g *grid) knownErrors(t *template) float64 {
	bad, n := 0, 0
	for y := range g.n {
		for x := range g.n {
			c := t.at(x, y)
			if c == unknown {
				continue
			}
			n++
			if (g.at(x, y) < 0) != (c == dark) {
				bad++
			}
		}
	}
	return float64(bad) / float64(max(n, 1))
}

// maxKnownErrors is the share of wrong known modules beyond which error
// correction cannot help, and a reading would be chance.
const maxKnownErrors = .2

// text decodes the modules. It returns only what error correction confirmed.
func (g *grid) text() (text string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("decode bits: %v", r)
		}
	}()
	m, err := gozxing.NewSquareBitMatrix(g.n)
	if err != nil {
		return "", fmt.Errorf("decode bits: %w", err)
	}
	for y := range g.n {
		for x := range g.n {
			if g.at(x, y) < 0 {
				m.Set(x, y)
			}
		}
	}
	r, err := decoder.NewDecoder().Decode(m, bitHints)
	if err != nil {
		return "", fmt.Errorf("decode bits: %w", err)
	}
	return plain(r.GetText(), r.GetSymbologyModifier()), nil
}

// bitHints make byte segments come back one rune a byte.
var bitHints = map[gozxing.DecodeHintType]interface{}{
	gozxing.DecodeHintType_CHARACTER_SET: "ISO-8859-1",
}

// plain turns runes back to the bytes that the symbol holds, unless the symbol
// names a character set (modifier 2, 4, 6) or holds characters beyond a byte.
func plain(text string, modifier int) string {
	if modifier%2 == 0 {
		return text
	}
	out := make([]byte, 0, len(text))
	for _, c := range text {
		if c > 255 {
			return text
		}
		out = append(out, byte(c))
	}
	return string(out)
}
