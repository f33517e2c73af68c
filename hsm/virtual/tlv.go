package virtual

import "errors"

var errTLV = errors.New("malformed TLV")

// tlv encodes one value under a one-byte tag. Values are shorter than 64 KiB,
// which is more than any PIV object holds.
func tlv(tag byte, value []byte) []byte {
	return append(append([]byte{tag}, lengthOf(value)...), value...)
}

// tlv2 encodes one value under a two-byte tag.
func tlv2(tag uint16, value []byte) []byte {
	b := append([]byte{byte(tag >> 8), byte(tag)}, lengthOf(value)...)
	return append(b, value...)
}

func lengthOf(value []byte) []byte {
	switch n := len(value); {
	case n < 0x80:
		return []byte{byte(n)}
	case n <= 0xff:
		return []byte{0x81, byte(n)}
	default:
		return []byte{0x82, byte(n >> 8), byte(n)}
	}
}

// nextTLV takes the first value off b. Values alias b.
func nextTLV(b []byte) (tag byte, value, rest []byte, err error) {
	if len(b) < 2 {
		return 0, nil, nil, errTLV
	}
	tag, n := b[0], int(b[1])
	b = b[2:]
	switch {
	case n == 0x81 && len(b) >= 1:
		n, b = int(b[0]), b[1:]
	case n == 0x82 && len(b) >= 2:
		n, b = int(b[0])<<8|int(b[1]), b[2:]
	case n >= 0x80:
		return 0, nil, nil, errTLV
	}
	if n > len(b) {
		return 0, nil, nil, errTLV
	}
	return tag, b[:n], b[n:], nil
}

// A template is a flat list of values by tag; an empty value is there all the same.
type template map[byte][]byte

// parseTemplate reads b to its end and refuses a tag that comes twice: which
// of the two counts would be anybody's guess.
func parseTemplate(b []byte) (template, error) {
	t := template{}
	for len(b) > 0 {
		tag, value, rest, err := nextTLV(b)
		if err != nil {
			return nil, err
		}
		if _, twice := t[tag]; twice {
			return nil, errTLV
		}
		t[tag], b = value, rest
	}
	return t, nil
}

// parseNested reads a template that is wrapped in one value under tag.
func parseNested(tag byte, b []byte) (template, error) {
	got, inner, rest, err := nextTLV(b)
	if err != nil || got != tag || len(rest) > 0 {
		return nil, errTLV
	}
	return parseTemplate(inner)
}

// one returns a value that must be a single byte, or fallback where the
// template lacks it.
func (t template) one(tag, fallback byte) (byte, error) {
	v, ok := t[tag]
	switch {
	case !ok:
		return fallback, nil
	case len(v) != 1:
		return 0, errTLV
	}
	return v[0], nil
}
