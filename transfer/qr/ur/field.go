package ur

// The field GF(2^8): bytes are polynomials over GF(2), modulo x^8+x^4+x^3+x^2+1. Adding is exclusive-or.

// products[a][b] is a times b; inverses[a] times a is 1. Every other element is a power of two: that makes them quickly,
// for they are made whenever the program starts.
var products, inverses = func() (p [256][256]byte, inv [256]byte) {
	var powers [2 * 255]byte
	var exponents [256]int
	for i, power := 0, 1; i < 255; i++ {
		powers[i], powers[i+255], exponents[power] = byte(power), byte(power), i
		if power <<= 1; power > 0xff {
			power ^= 0x11d
		}
	}
	for a := 1; a < 256; a++ {
		for b := 1; b < 256; b++ {
			p[a][b] = powers[exponents[a]+exponents[b]]
		}
		inv[a] = powers[255-exponents[a]]
	}
	return p, inv
}()

// addTimes adds weight times src, which may be shorter, to dst.
func addTimes(dst, src []byte, weight byte) {
	switch weight {
	case 0:
	case 1:
		xor(dst, src)
	default:
		row := &products[weight]
		dst = dst[:len(src)]
		for i, c := range src {
			dst[i] ^= row[c]
		}
	}
}

// scale multiplies every byte by weight.
func scale(b []byte, weight byte) {
	if weight == 1 {
		return
	}
	row := &products[weight]
	for i, c := range b {
		b[i] = row[c]
	}
}
