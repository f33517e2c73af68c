package corpus

import (
	"math/rand/v2"
	"strings"

	"github.com/makiuchi-d/gozxing/qrcode/decoder"
	qrcode "github.com/skip2/go-qrcode"
)

// alphabet is QR's alphanumeric mode, which base45 uses.
const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

// capacity is how many alphanumeric characters a symbol holds.
func capacity(version int, levelM bool) int {
	v, err := decoder.Version_GetVersionForNumber(version)
	if err != nil {
		return 0
	}
	level := decoder.ErrorCorrectionLevel_L
	if levelM {
		level = decoder.ErrorCorrectionLevel_M
	}
	blocks := v.GetECBlocksForLevel(level)
	bits := 8 * (v.GetTotalCodewords() - blocks.GetTotalECCodewords())
	count := 9
	if version > 26 {
		count = 13
	} else if version > 9 {
		count = 11
	}
	bits -= 4 + count
	n := bits / 11 * 2
	if bits%11 >= 6 {
		n++
	}
	return n
}

// text is random content that fills the symbol, or most of it.
func text(r *rand.Rand, version int, levelM bool) string {
	n := capacity(version, levelM)
	if r.IntN(3) == 0 {
		n -= r.IntN(n/4 + 1)
	}
	var b strings.Builder
	for range n {
		b.WriteByte(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}

// Symbol encodes a text: rows of modules, true is dark, without quiet zone.
func Symbol(text string, version int, levelM bool) ([][]bool, error) {
	level := qrcode.Low
	if levelM {
		level = qrcode.Medium
	}
	q, err := qrcode.NewWithForcedVersion(text, version, level)
	if err != nil {
		return nil, err
	}
	q.DisableBorder = true
	return q.Bitmap(), nil
}
