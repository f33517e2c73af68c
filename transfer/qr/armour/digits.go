package armour

import (
	"fmt"
	"math"
	"math/big"
	"strings"
)

// alphabet are the digits of base45, which are QR's alphanumeric characters.
const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

// worth is the value of each digit, -1 for what is none.
var worth = func() (w [256]int8) {
	for i := range w {
		w[i] = int8(strings.IndexByte(alphabet, byte(i)))
	}
	return w
}()

// bigDigits are the same digits as math/big writes them.
const bigDigits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHI"

// digits writes b, as one little-endian number, in as few digits as hold every b of that length.
func digits(b []byte) string {
	out := []byte(new(big.Int).SetBytes(reversed(b)).Text(len(alphabet)))
	for len(out) < digitsLen(len(b)) {
		out = append([]byte{bigDigits[0]}, out...)
	}
	for i, c := range out {
		out[i] = alphabet[strings.IndexByte(bigDigits, c)]
	}
	return string(reversed(out))
}

// parseDigits finds the length of what was written from the number of digits, which no two lengths share.
func parseDigits(s string) ([]byte, error) {
	n := int(float64(len(s)) * math.Log2(45) / 8)
	if n == 0 || digitsLen(n) != len(s) {
		return nil, fmt.Errorf("%d characters hold no whole number of bytes", len(s))
	}
	number := reversed([]byte(s))
	for i, c := range number {
		if worth[c] < 0 {
			return nil, fmt.Errorf("character %d is none of base45", len(s)-i)
		}
		number[i] = bigDigits[worth[c]]
	}
	value, ok := new(big.Int).SetString(string(number), len(alphabet))
	if !ok || value.BitLen() > 8*n {
		return nil, fmt.Errorf("the number is too large for %d bytes", n)
	}
	return reversed(value.FillBytes(make([]byte, n))), nil
}

// digitsLen is how many digits hold n bytes. No multiple of log2(45) comes near
// enough to a multiple of 8 that rounding could matter below a million bytes.
func digitsLen(n int) int { return int(math.Ceil(8 * float64(n) / math.Log2(45))) }

func reversed(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		out[len(b)-1-i] = c
	}
	return out
}

// crc16 is CRC-16/XMODEM: polynomial 0x1021, nothing reflected.
func crc16(b []byte) (sum uint16) {
	for _, c := range b {
		sum ^= uint16(c) << 8
		for range 8 {
			if sum&0x8000 != 0 {
				sum = sum<<1 ^ 0x1021
			} else {
				sum <<= 1
			}
		}
	}
	return sum
}
