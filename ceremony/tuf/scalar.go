package tuf

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// stringValue reads a string in a value's place.
func (r *reader) stringValue(sh *shape) error {
	at := r.pos
	s, err := r.text()
	if err != nil {
		return err
	}
	allowed := "\n\r\t"
	if sh.kind == text && !sh.lines {
		allowed = ""
	}
	if i := firstControl(s, allowed); i >= 0 {
		return r.fault(at, "the text holds a control character (%U at its byte %d)", firstRune(s[i:]), i)
	}
	if sh.text != nil {
		if what := sh.text(s); what != "" {
			return r.wrong(what)
		}
	}
	r.out = appendString(r.out, s)
	return nil
}

// text reads a string and returns what it says.
func (r *reader) text() ([]byte, error) {
	r.pos++
	start := r.pos
	for r.pos < len(r.src) {
		switch c := r.src[r.pos]; {
		case c == '"':
			s := r.src[start:r.pos]
			r.pos++
			return s, nil
		case c == '\\':
			return r.escaped(start)
		case isPrintable(c):
			r.pos++
		default:
			if err := r.character(c); err != nil {
				return nil, err
			}
		}
	}
	return nil, r.fault(r.pos, "the file ends inside a string")
}

// character steps over one character of a string that stands for itself.
func (r *reader) character(c byte) error {
	if c < 0x20 {
		return r.fault(r.pos, "a control character (U+%04X) stands raw in a string", c)
	}
	if c < utf8.RuneSelf {
		r.pos++
		return nil
	}
	if _, n := utf8.DecodeRune(r.src[r.pos:]); n > 1 {
		r.pos += n
		return nil
	}
	return r.fault(r.pos, "the bytes are not UTF-8 (0x%02x)", c)
}

// escaped goes on with a string in which a backslash was met.
func (r *reader) escaped(start int) ([]byte, error) {
	b := bytes.Clone(r.src[start:r.pos])
	for r.pos < len(r.src) {
		switch c := r.src[r.pos]; c {
		case '"':
			r.pos++
			return b, nil
		case '\\':
			c, err := r.escape()
			if err != nil {
				return nil, err
			}
			b = utf8.AppendRune(b, c)
		default:
			from := r.pos
			if err := r.character(c); err != nil {
				return nil, err
			}
			b = append(b, r.src[from:r.pos]...)
		}
	}
	return nil, r.fault(r.pos, "the file ends inside a string")
}

// escape reads one escape sequence.
func (r *reader) escape() (rune, error) {
	const marks, means = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	at := r.pos
	if at+1 >= len(r.src) {
		return 0, r.fault(len(r.src), "the file ends inside a string")
	}
	r.pos += 2
	if i := strings.IndexByte(marks, r.src[at+1]); i >= 0 {
		return rune(means[i]), nil
	}
	if r.src[at+1] != 'u' {
		return 0, r.fault(at, "the escape \\%c does not exist", firstRune(r.src[at+1:]))
	}
	c, ok := r.hex4()
	if !ok {
		return 0, r.fault(at, `\u wants four hex digits`)
	}
	if c < 0xd800 || c > 0xdfff {
		return c, nil
	}
	if c < 0xdc00 && bytes.HasPrefix(r.src[r.pos:], []byte(`\u`)) {
		r.pos += 2
		if low, ok := r.hex4(); ok && low >= 0xdc00 && low <= 0xdfff {
			return (c-0xd800)<<10 + (low - 0xdc00) + 0x10000, nil
		}
	}
	return 0, r.fault(at, "half a surrogate pair stands alone")
}

// hex4 reads four hex digits.
func (r *reader) hex4() (rune, bool) {
	if len(r.src)-r.pos < 4 {
		return 0, false
	}
	digits := r.src[r.pos : r.pos+4]
	for i := range 4 {
		if !isHex(digits[i]) {
			return 0, false
		}
	}
	v, err := strconv.ParseUint(string(digits), 16, 32)
	r.pos += 4
	return rune(v), err == nil
}

// literal reads true, false or null.
func (r *reader) literal() error {
	for _, word := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(r.src[r.pos:], []byte(word)) {
			r.pos += len(word)
			r.out = append(r.out, word...)
			return nil
		}
	}
	return r.unexpected("true, false or null")
}

// number reads a whole number: canonical JSON knows no others.
func (r *reader) number(sh *shape) error {
	start := r.pos
	if r.src[r.pos] == '-' {
		r.pos++
	}
	digits := r.pos
	for r.pos < len(r.src) && isDigit(r.src[r.pos]) {
		r.pos++
	}
	s := r.src[start:r.pos]
	switch {
	case r.pos == digits:
		return r.unexpected("a digit")
	case r.src[digits] == '0' && r.pos > digits+1:
		return r.fault(start, "the number begins with a zero that it does not need")
	case r.pos < len(r.src) && strings.IndexByte(".eE", r.src[r.pos]) >= 0:
		return r.fault(start, "the number has a fraction or an exponent; metadata holds whole numbers only")
	case string(s) == "-0":
		return r.fault(start, "the number is a negative zero")
	}
	n, err := strconv.ParseInt(string(s), 10, 64)
	if err != nil || n > maxInteger || n < -maxInteger {
		return r.fault(start, "the number %s is beyond 2^53-1, where readers disagree", shorten(string(s), 24))
	}
	if sh.kind == integer && (n < sh.low || n > sh.high) {
		return r.wrong(sh.outOfRange(n))
	}
	r.out = append(r.out, s...)
	return nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLowerHex(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' }

func isHex(c byte) bool { return isLowerHex(c) || 'A' <= c && c <= 'F' }

// isControl tells the characters that move a cursor instead of being read.
func isControl(c rune) bool { return c < 0x20 || 0x7f <= c && c <= 0x9f }

// isPrintable tells what is most of every file: the characters of ASCII that are no control characters.
func isPrintable(c byte) bool { return 0x20 <= c && c < 0x7f }

// firstControl is where the first control character that is not allowed stands in s, -1 for nowhere.
func firstControl(s []byte, allowed string) int {
	if all(s, isPrintable) {
		return -1
	}
	return bytes.IndexFunc(s, func(c rune) bool { return isControl(c) && !strings.ContainsRune(allowed, c) })
}

func firstRune(s []byte) rune {
	c, _ := utf8.DecodeRune(s)
	return c
}
