package ur

import (
	"crypto/subtle"
	"fmt"
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

// Part is the part of that number, from 1.
func (e *Encoder) Part(seq uint32) Part {
	p := Part{e.stream, max(seq, 1), make([]byte, e.stream.Size)}
	for _, i := range e.mixer.choose(p.Seq) {
		xor(p.Data, e.fragments[i])
	}
	return p
}

// Degree is the number of fragments in the part of that number.
func (e *Encoder) Degree(seq uint32) int { return e.mixer.degree(max(seq, 1)) }

// LastSeq is where a Sequence begins again with the mixed parts: numbers up to it take three bytes in a part.
const LastSeq = 1<<16 - 1

// A Sequence says in which order parts are shown. The zero value is not usable.
type Sequence struct {
	encoder   *Encoder
	low, high int    // fragments that a mixed part may have
	all       uint32 // number of the part of all fragments, which is shown first of the mixed ones; 0 for none
	seq       uint32
}

// Compatible is the standard's order: every part, one after the other. Decoders
// that cannot eliminate need it.
func (e *Encoder) Compatible() *Sequence {
	return &Sequence{encoder: e, low: 1, high: e.stream.Fragments}
}

// smallMessage is up to how many fragments the part of all of them is worth looking for.
const smallMessage = 64

// Dense is the order for decoders that eliminate, as ours does. After the fragments themselves comes the
// part of all of them, so that whoever missed one frame needs only this; then parts of about
// half the fragments, each of which is news to nearly everybody.
func (e *Encoder) Dense() *Sequence {
	k := e.stream.Fragments
	s := &Sequence{encoder: e, low: (2*k + 4) / 5}
	s.high = max(2*k/3, s.low+1)
	if k <= smallMessage {
		s.all = e.firstOfAll()
	}
	return s
}

// firstOfAll is the number of the first part of all fragments, 0 where there is none.
func (e *Encoder) firstOfAll() uint32 {
	k := e.stream.Fragments
	for seq := uint32(k) + 1; seq <= LastSeq; seq++ {
		if e.Degree(seq) == k {
			return seq
		}
	}
	return 0
}

// Next is the number of the next part. Where one part is all, it stays.
func (s *Sequence) Next() uint32 {
	k := uint32(s.encoder.stream.Fragments)
	if k == 1 {
		return 1
	}
	if s.seq == k && s.all != 0 {
		all := s.all
		s.all = 0
		return all
	}
	for {
		if s.seq++; s.seq > LastSeq {
			s.seq = k + 1
		}
		if d := s.encoder.Degree(s.seq); s.seq <= k || d >= s.low && d <= s.high {
			return s.seq
		}
	}
}

// xor adds src, which may be shorter, to dst.
func xor(dst, src []byte) { subtle.XORBytes(dst, dst, src) }
