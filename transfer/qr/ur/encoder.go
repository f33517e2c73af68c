package ur

import (
	"crypto/subtle"
	"fmt"
	"slices"
)

// An Encoder cuts one message into parts.
type Encoder struct {
	stream    Stream
	fragments [][]byte
	mixer     *mixer
}

// NewEncoder cuts message into fragments of at most size bytes (at least
// MinFragment), evenly. It keeps message, which must not change.
func NewEncoder(message []byte, size int) (*Encoder, error) {
	if len(message) < 1 || len(message) > MaxMessage {
		return nil, fmt.Errorf("cut message: it has %d bytes, not 1 to %d", len(message), MaxMessage)
	}
	if size < MinFragment {
		return nil, fmt.Errorf("cut message: fragments of %d bytes are smaller than %d", size, MinFragment)
	}
	e := &Encoder{stream: Cut(len(message), size)}
	size = e.stream.Size
	if k := e.stream.Fragments; k > MaxFragments {
		return nil, fmt.Errorf("cut message: %d bytes make %d fragments of %d bytes, more than %d", len(message), k, size, MaxFragments)
	}
	e.stream.Sum = checksum(message)
	for rest := message; len(rest) > 0; rest = rest[min(size, len(rest)):] {
		e.fragments = append(e.fragments, rest[:min(size, len(rest))])
	}
	e.mixer = newMixer(e.stream)
	return e, nil
}

// Cut is the stream, without its Sum, that a message of length bytes makes in fragments of at most limit bytes.
func Cut(length, limit int) Stream {
	size := evenSize(length, limit)
	return Stream{Fragments: (length + size - 1) / size, Length: length, Size: size}
}

// evenSize is the largest size up to limit that the standard gives to fragments of a message.
func evenSize(length, limit int) int {
	size := length
	for count := 1; size > limit && count <= (length+MinFragment-1)/MinFragment; count++ {
		size = (length + count - 1) / count
	}
	return size
}

// Stream is what all parts have in common.
func (e *Encoder) Stream() Stream { return e.stream }

// Part is the standard's part of that number, from 1.
func (e *Encoder) Part(seq uint32) Part {
	p := Part{Stream: e.stream, Seq: max(seq, 1), Data: make([]byte, e.stream.Size)}
	for _, i := range e.mixer.choose(p.Seq) {
		xor(p.Data, e.fragments[i])
	}
	return p
}

// Weighted is the part of that number, from 1: a fragment, or weighted.
func (e *Encoder) Weighted(seq uint32) Part {
	if seq <= uint32(e.stream.Fragments) {
		return e.Part(seq)
	}
	p := Part{Stream: e.stream, Seq: seq, Data: make([]byte, e.stream.Size), Weighted: true}
	for i, w := range e.mixer.weights(seq) {
		addTimes(p.Data, e.fragments[i], w)
	}
	return p
}

// Spare are the numbers of n of the standard's later parts that are good for whoever lost a few frames and can have no
// others: first the one of the most fragments, so that it fills any one gap; then some of about half.
func (e *Encoder) Spare(n int) []uint32 {
	const within = 2000
	k := e.stream.Fragments
	most, best := uint32(0), 0
	var list []uint32
	for seq := uint32(k) + 1; seq <= uint32(k)+within; seq++ {
		d := e.mixer.degree(seq)
		if d > best {
			most, best = seq, d
		}
		if 5*d >= 2*k && 3*d <= 2*k+3 && len(list) < n {
			list = append(list, seq)
		}
	}
	list = append([]uint32{most}, slices.DeleteFunc(list, func(seq uint32) bool { return seq == most })...)
	return list[:min(n, len(list))]
}

// xor adds src, which may be shorter, to dst.
func xor(dst, src []byte) { subtle.XORBytes(dst, dst, src) }
