// Package ur cuts a message into BC-UR multipart parts and puts it together
// again from any parts that are enough.
//
// Its promise: the parts are those of BCR-2020-005 and BCR-2024-001, byte for
// byte; whatever parts come in, in whatever order, a message comes out only
// when its length and its CRC-32 are right, and memory stays below the limits.
//
// A part is a CBOR array in its shortest form:
//
//	[sequence number from 1, number of fragments K, bytes of the message, CRC-32 of the message, data]
//
// The message is cut into K fragments of equal size, the last one filled up
// with zeros. Parts 1 to K are the fragments themselves. The data of every later
// part is the exclusive-or of several fragments; which ones follows from the
// sequence number and the CRC-32 alone.
//
// Beside the standard's later parts there are weighted ones, for streams that
// only this package reads: the sum of all fragments over GF(2^8), each times a weight that is never
// zero and follows from the same two numbers. Any K parts of such a stream are nearly always enough; of the standard's it
// takes one or two more.
package ur

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// Limits of what is sent and received. A decoder needs at most
// MaxMessage + MaxFragments² bytes, 24 MiB.
const (
	MaxFragments = 4096    // at 10 frames a second seven minutes
	MaxMessage   = 8 << 20 // bytes: what the largest symbols carry in that time
	MinFragment  = 10      // bytes, as the standard has it, but for messages that are shorter
)

// A Stream is what all parts of one message, cut in one way, have in common.
type Stream struct {
	Fragments int    // K
	Length    int    // bytes of the message
	Size      int    // bytes of a fragment
	Sum       uint32 // CRC-32 of the message
}

// String names the message in eight digits, for people: "1f3a-99c2".
func (s Stream) String() string { return fmt.Sprintf("%04x-%04x", s.Sum>>16, s.Sum&0xffff) }

// SameMessage reports whether the two are of one message, however it was cut.
func (s Stream) SameMessage(o Stream) bool { return s.Sum == o.Sum && s.Length == o.Length }

// LastSeq is the last part's number; two bytes hold it.
const LastSeq = 1<<16 - 1

// After is the number of the part that is shown after part seq, 0 being before the first. Behind LastSeq
// the later parts come again. Where one part is all, it stays.
func (s Stream) After(seq uint32) uint32 {
	switch {
	case s.Fragments == 1:
		return 1
	case seq >= LastSeq:
		return uint32(s.Fragments) + 1
	}
	return seq + 1
}

// Check says what is wrong with the numbers, as a *PartError.
func (s Stream) Check() error {
	switch {
	case s.Length < 1 || s.Length > MaxMessage:
		return partError("the message has %d bytes, not 1 to %d", s.Length, MaxMessage)
	case s.Fragments < 1 || s.Fragments > MaxFragments:
		return partError("the message has %d fragments, not 1 to %d", s.Fragments, MaxFragments)
	case s.Size < 1 || s.Size > s.Length || (s.Length+s.Size-1)/s.Size != s.Fragments:
		return partError("%d bytes do not make %d fragments of %d bytes", s.Length, s.Fragments, s.Size)
	}
	return nil
}

// A Part is one frame's worth of a message.
type Part struct {
	Stream
	Seq      uint32 // from 1
	Data     []byte // Stream.Size bytes
	Weighted bool   // a later part of the kind that is not the standard's
}

// CBOR is the part in the standard's only form, which a weighted part has not.
func (p Part) CBOR() []byte {
	b := make([]byte, 0, len(p.Data)+24)
	b = appendHead(b, majorArray, 5)
	for _, n := range []uint32{p.Seq, uint32(p.Fragments), uint32(p.Length), p.Sum} {
		b = appendHead(b, majorUint, n)
	}
	return append(appendHead(b, majorBytes, uint32(len(p.Data))), p.Data...)
}

// LargestPart is how many bytes the CBOR of the stream's parts has at most, up to LastSeq.
func (s Stream) LargestPart() int {
	s.Sum = math.MaxUint32
	seq := uint32(LastSeq)
	if s.Fragments == 1 {
		seq = 1
	}
	return len(Part{Stream: s, Seq: seq, Data: make([]byte, s.Size)}.CBOR())
}

// ParsePart reads a part strictly. Its errors are of type *PartError. The part's data is a piece of raw.
func ParsePart(raw []byte) (Part, error) {
	n, rest, err := readHead(raw, majorArray)
	if err != nil {
		return Part{}, err
	}
	if n != 5 {
		return Part{}, partError("it is a list of %d things, not of 5", n)
	}
	var field [5]uint32
	for i := range field {
		major := byte(majorUint)
		if i == 4 {
			major = majorBytes
		}
		if field[i], rest, err = readHead(rest, major); err != nil {
			return Part{}, err
		}
	}
	if uint64(field[4]) != uint64(len(rest)) {
		return Part{}, partError("%d bytes of data are announced, %d are there", field[4], len(rest))
	}
	if field[0] == 0 {
		return Part{}, partError("its number is 0")
	}
	if field[1] > MaxFragments || field[2] > MaxMessage { // before they become ints
		return Part{}, partError("%d fragments of a message of %d bytes are more than %d and %d", field[1], field[2], MaxFragments, MaxMessage)
	}
	p := Part{Stream: Stream{int(field[1]), int(field[2]), len(rest), field[3]}, Seq: field[0], Data: rest}
	return p, p.Check()
}

// WrapBytes is b as a CBOR byte string: the content of a UR of type "bytes".
func WrapBytes(b []byte) []byte {
	out := make([]byte, 0, len(b)+5)
	return append(appendHead(out, majorBytes, uint32(len(b))), b...)
}

// UnwrapBytes is the inverse of WrapBytes. The result is a piece of raw.
func UnwrapBytes(raw []byte) ([]byte, error) {
	n, rest, err := readHead(raw, majorBytes)
	if err != nil {
		return nil, err
	}
	if uint64(n) != uint64(len(rest)) {
		return nil, partError("%d bytes are announced, %d are there", n, len(rest))
	}
	return rest, nil
}

// Major types of CBOR (RFC 8949, 3.1).
const (
	majorUint  = 0
	majorBytes = 2
	majorArray = 4
)

// appendHead writes a CBOR head in its shortest form.
func appendHead(b []byte, major byte, n uint32) []byte {
	major <<= 5
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n < 1<<8:
		return append(b, major|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, major|26), n)
}

// readHead reads a CBOR head of the given major type, in its shortest form only.
func readHead(b []byte, major byte) (n uint32, rest []byte, err error) {
	if len(b) == 0 {
		return 0, nil, partError("it is cut off")
	}
	if b[0]>>5 != major {
		return 0, nil, partError("CBOR type %d stands where type %d must", b[0]>>5, major)
	}
	info, rest := b[0]&31, b[1:]
	if info < 24 {
		return uint32(info), rest, nil
	}
	if info > 26 {
		return 0, nil, partError("a number of more than 32 bits")
	}
	size := 1 << (info - 24)
	if len(rest) < size {
		return 0, nil, partError("it is cut off")
	}
	for _, c := range rest[:size] {
		n = n<<8 | uint32(c)
	}
	if smallest := []uint32{24, 1 << 8, 1 << 16}[info-24]; n < smallest {
		return 0, nil, partError("a number is not in its shortest form")
	}
	return n, rest[size:], nil
}

// A PartError says why something is not a part of a message.
type PartError struct{ What string }

func (e *PartError) Error() string { return "read part: " + e.What }

func partError(format string, args ...any) error { return &PartError{fmt.Sprintf(format, args...)} }

// Errors of a Decoder.
var (
	// ErrOtherStream is returned for a part of another message, or of the same one cut in another way.
	ErrOtherStream = errors.New("add part: it is of another message")
	// ErrContradiction is returned where parts cannot all be of one message:
	// one of them was misread or forged. The decoder has forgotten all of them.
	ErrContradiction = errors.New("add part: the parts contradict each other, one was misread or forged; starting again")
)

func checksum(b []byte) uint32 { return crc32.ChecksumIEEE(b) }
