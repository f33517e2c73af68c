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

func base45Len(n int) int { return n/2*3 + n%2*2 }

// base45 is RFC 9285: two bytes in three digits, lowest first, a last single byte in two.
// It never ends in a space, which some scanners would cut off.
func base45(b []byte) string {
	out := make([]byte, 0, base45Len(len(b)))
	for ; len(b) >= 2; b = b[2:] {
		n := int(b[0])<<8 | int(b[1])
		out = append(out, alphabet[n%45], alphabet[n/45%45], alphabet[n/2025])
	}
	if len(b) == 1 {
		out = append(out, alphabet[b[0]%45], alphabet[b[0]/45])
	}
	return string(out)
}

func parseBase45(s string) ([]byte, error) {
	if len(s)%3 == 1 {
		return nil, fmt.Errorf("%d characters are no base45", len(s))
	}
	out := make([]byte, 0, len(s)/3*2+1)
	for i := 0; i < len(s); i += 3 {
		group := s[i:min(i+3, len(s))]
		n, scale := 0, 1
		for j := range len(group) {
			if worth[group[j]] < 0 {
				return nil, fmt.Errorf("character %d is none of base45", i+j+1)
			}
			n += int(worth[group[j]]) * scale
			scale *= 45
		}
		switch {
		case len(group) == 3 && n <= math.MaxUint16:
			out = append(out, byte(n>>8), byte(n))
		case len(group) == 2 && n <= math.MaxUint8:
			out = append(out, byte(n))
		default:
			return nil, fmt.Errorf("characters %d to %d are no base45", i+1, i+len(group))
		}
	}
	return out, nil
}

// digits writes b, as one little-endian number, in as few base45 digits as hold every b
// of that length. It is 2 % shorter than base45: two signatures fit where they did not.
func digits(b []byte) string {
	n := digitsLen(len(b))
	text := new(big.Int).SetBytes(reversed(b)).Text(45)
	out := make([]byte, 0, n)
	for i := len(text) - 1; i >= 0; i-- {
		out = append(out, alphabet[bigDigit(text[i])])
	}
	for len(out) < n {
		out = append(out, alphabet[0])
	}
	return string(out)
}

// parseDigits finds the length of what was written from the number of digits, which no two lengths share.
func parseDigits(s string) ([]byte, error) {
	n := int(float64(len(s)) * math.Log2(45) / 8)
	if digitsLen(n) != len(s) {
		return nil, fmt.Errorf("%d characters hold no whole number of bytes", len(s))
	}
	value, base := new(big.Int), big.NewInt(45)
	for i := len(s) - 1; i >= 0; i-- {
		if worth[s[i]] < 0 {
			return nil, fmt.Errorf("character %d is none of base45", i+1)
		}
		value.Add(value.Mul(value, base), big.NewInt(int64(worth[s[i]])))
	}
	if value.BitLen() > 8*n {
		return nil, fmt.Errorf("the number is too large for %d bytes", n)
	}
	return reversed(value.FillBytes(make([]byte, n))), nil
}

// digitsLen is how many digits hold n bytes. No multiple of log2(45) comes near
// enough to a multiple of 8 that rounding could matter below a million bytes.
func digitsLen(n int) int { return int(math.Ceil(8 * float64(n) / math.Log2(45))) }

// bigDigit is the value of a digit that math/big wrote.
func bigDigit(c byte) int {
	switch {
	case c <= '9':
		return int(c - '0')
	case c >= 'a':
		return int(c-'a') + 10
	}
	return int(c-'A') + 36
}

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
