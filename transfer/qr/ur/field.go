package ur

// The field GF(2^8): bytes are polynomials over GF(2), modulo x^8+x^4+x^3+x^2+1. Adding is exclusive-or.

// products[a][b] is a times b; inverses[a] times a is 1.
var products, inverses = func() (p [256][256]byte, inv [256]byte) {
	for a := range 256 {
		for b := range 256 {
			p[a][b] = times(byte(a), byte(b))
			if p[a][b] == 1 {
				inv[a] = byte(b)
			}
		}
	}
	return p, inv
}()

func times(a, b byte) (product byte) {
	for ; b != 0; b >>= 1 {
		if b&1 != 0 {
			product ^= a
		}
		if overflow := a&0x80 != 0; overflow {
			a = a<<1 ^ 0x1d
		} else {
			a <<= 1
		}
	}
	return product
}

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
