// Package armour writes parts of messages as text that every QR symbol carries
// in its densest safe mode, the alphanumeric one, and reads it back.
//
// Its promise: what Parse accepts was written by Dense, UR or Short (or by
// another BC-UR program) and has passed a checksum; upper and lower case do not matter.
//
// There are three forms:
//
//	*DIGITS                   a part: a fragment or a weighted one
//	UR:BYTES/SEQ-K/BYTEWORDS  a part for BC-UR programs; UR:BYTES/BYTEWORDS where it is the only one
//	$DIGITS                   a short message that stands alone: its bytes and their CRC-16
//
// DIGITS are bytes as one little-endian number, in as few of base45's digits
// (RFC 9285) as hold it, lowest first: 3 % fewer than base45 itself takes. Those of a part are
//
//	[CRC-32 of all that follows, CRC-32 of the message, sequence number, data, bytes of the message]
//
// of 4, 4, 2, any and 3 bytes, big-endian but for the last, whose high byte comes last: it is small, so
// that the text never ends in a space, which some scanners would cut off. How many fragments there are follows from the two lengths.
package armour

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"conclave/transfer/qr/ur"
)

const (
	densePrefix = "*"
	urPrefix    = "UR:"
	urBytes     = "UR:BYTES/"
	shortPrefix = "$"
	crcSize     = 4
	headSize    = crcSize + 4 + 2 // of a dense part, before the data
	lengthSize  = 3               // and behind
)

// MaxText is the length of the longest text that a symbol carries: version 40-L, alphanumeric.
const MaxText = 4296

// A Frame is what one text says: a part of a message, or a short message.
type Frame struct {
	Part  ur.Part
	Short []byte // not nil where the text was a short message; there is no part then
}

// Dense is a part that is a fragment or weighted, numbered up to ur.LastSeq.
func Dense(p ur.Part) string {
	b := make([]byte, crcSize, headSize+len(p.Data)+lengthSize)
	b = binary.BigEndian.AppendUint32(b, p.Sum)
	b = binary.BigEndian.AppendUint16(b, uint16(p.Seq))
	b = append(b, p.Data...)
	b = append(b, byte(p.Length), byte(p.Length>>8), byte(p.Length>>16))
	binary.BigEndian.PutUint32(b, crc32.ChecksumIEEE(b[crcSize:]))
	return densePrefix + digits(b)
}

// UR is the part as other BC-UR programs read it, in upper case.
func UR(p ur.Part) string {
	if p.Fragments == 1 {
		return urBytes + strings.ToUpper(ur.Bytewords(p.Data[:p.Length]))
	}
	return fmt.Sprintf("%s%d-%d/%s", urBytes, p.Seq, p.Fragments, strings.ToUpper(ur.Bytewords(p.CBOR())))
}

// Short is a message that stands alone in one symbol.
func Short(message []byte) string {
	return shortPrefix + digits(binary.BigEndian.AppendUint16(message[:len(message):len(message)], crc16(message)))
}

// ErrNotOurs is returned for a text that is no frame at all: some other symbol.
var ErrNotOurs = errors.New("read frame: it is a symbol of something else")

// A CorruptError says why a text that begins like a frame is none.
type CorruptError struct{ Err error }

func (e *CorruptError) Error() string { return fmt.Sprintf("read frame: %v", e.Err) }

// Unwrap gives the reason.
func (e *CorruptError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *CorruptError) Hint() string {
	return "The frame was misread and does no harm: it comes again. If every frame is misread by a keyboard scanner, scan its layout check first."
}

func corrupt(format string, args ...any) error { return &CorruptError{fmt.Errorf(format, args...)} }

// Parse reads the text of one symbol. A text that is no frame is ErrNotOurs, a damaged one a *CorruptError.
func Parse(text string) (Frame, error) {
	text = strings.TrimRight(text, "\r\n\t")
	if len(text) > MaxText+1 {
		return Frame{}, ErrNotOurs
	}
	text = upper(text)
	switch {
	case strings.HasPrefix(text, densePrefix):
		return parseDense(text[len(densePrefix):])
	case strings.HasPrefix(text, urBytes):
		return parseUR(text[len(urBytes):])
	case strings.HasPrefix(text, urPrefix):
		return Frame{}, fmt.Errorf("%w (a UR of another type than bytes)", ErrNotOurs)
	case strings.HasPrefix(text, shortPrefix):
		return parseShort(text[len(shortPrefix):])
	}
	return Frame{}, ErrNotOurs
}

// upper changes ASCII letters only: some others become ASCII in upper case.
func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

func parseDense(text string) (Frame, error) {
	raw, err := parseDigits(text)
	if err != nil {
		return Frame{}, &CorruptError{err}
	}
	size := len(raw) - headSize - lengthSize
	if size < 1 {
		return Frame{}, corrupt("it is cut off")
	}
	if crc32.ChecksumIEEE(raw[crcSize:]) != binary.BigEndian.Uint32(raw) {
		return Frame{}, corrupt("its checksum is wrong")
	}
	l := raw[headSize+size:]
	length := int(l[0]) | int(l[1])<<8 | int(l[2])<<16
	p := ur.Part{
		Stream: ur.Stream{Fragments: (length + size - 1) / size, Length: length, Size: size, Sum: binary.BigEndian.Uint32(raw[crcSize:])},
		Seq:    uint32(binary.BigEndian.Uint16(raw[2*crcSize:])),
		Data:   raw[headSize : headSize+size],
	}
	p.Weighted = p.Seq > uint32(p.Fragments)
	if p.Seq == 0 {
		return Frame{}, corrupt("its number is 0")
	}
	if err := p.Check(); err != nil {
		return Frame{}, &CorruptError{err}
	}
	return Frame{Part: p}, nil
}

func part(raw []byte) (Frame, error) {
	p, err := ur.ParsePart(raw)
	if err != nil {
		return Frame{}, &CorruptError{err}
	}
	return Frame{Part: p}, nil
}

func parseUR(text string) (Frame, error) {
	numbers, body, multi := strings.Cut(text, "/")
	if !multi {
		return parseWholeUR(text)
	}
	raw, err := ur.ParseBytewords(body)
	if err != nil {
		return Frame{}, &CorruptError{err}
	}
	f, err := part(raw)
	if err != nil {
		return Frame{}, err
	}
	if want := strconv.FormatUint(uint64(f.Part.Seq), 10) + "-" + strconv.Itoa(f.Part.Fragments); numbers != want {
		return Frame{}, corrupt("its heading says %q and its content %s", numbers, want)
	}
	return f, nil
}

// parseWholeUR makes a part of a message that came in one piece.
func parseWholeUR(text string) (Frame, error) {
	message, err := ur.ParseBytewords(text)
	if err != nil {
		return Frame{}, &CorruptError{err}
	}
	s := ur.Stream{Fragments: 1, Length: len(message), Size: len(message), Sum: crc32.ChecksumIEEE(message)}
	return Frame{Part: ur.Part{Stream: s, Seq: 1, Data: message}}, nil
}

func parseShort(text string) (Frame, error) {
	raw, err := parseDigits(text)
	if err != nil { // a scanner may have cut off a space at the end
		if raw, err = parseDigits(text + " "); err != nil {
			return Frame{}, &CorruptError{err}
		}
	}
	if len(raw) <= 2 {
		return Frame{}, corrupt("it is cut off")
	}
	message, sum := raw[:len(raw)-2], raw[len(raw)-2:]
	if crc16(message) != binary.BigEndian.Uint16(sum) {
		return Frame{}, corrupt("its checksum is wrong")
	}
	return Frame{Short: message}, nil
}

// A Form is a way to write parts.
type Form struct {
	Write func(ur.Part) string
	chars func(s ur.Stream) int // of the longest text
}

// The forms of a part.
var (
	DenseForm = Form{Dense, func(s ur.Stream) int { return len(densePrefix) + digitsLen(headSize+s.Size+lengthSize) }}
	URForm    = Form{UR, urChars}
)

func urChars(s ur.Stream) int {
	if s.Fragments == 1 {
		return len(urBytes) + 2*(s.Length+crcSize)
	}
	return len(urBytes) + len(fmt.Sprintf("%d-%d/", ur.LastSeq, s.Fragments)) + 2*(s.LargestPart()+crcSize)
}

// FragmentSize is how much of a message of length bytes fits into each text of at most chars
// characters, as an ur.Encoder wants it. It is 0 where nothing sensible fits.
func (f Form) FragmentSize(length, chars int) int {
	for size := min(length, chars); size >= ur.MinFragment; size-- {
		if f.chars(ur.Cut(length, size)) <= chars {
			return size
		}
	}
	if length < ur.MinFragment && f.chars(ur.Cut(length, ur.MinFragment)) <= chars {
		return ur.MinFragment
	}
	return 0
}
