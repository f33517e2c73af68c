package ur

import (
	"bytes"
	"math/bits"
)

// A Decoder puts one message together. It solves the parts as equations over
// fragments, so that every part which is not a combination of earlier ones counts.
type Decoder struct {
	stream  Stream
	mixer   *mixer
	rows    []row // by their first fragment
	rank    int
	message []byte
}

// A row says that the fragments of mix, exclusive-ored, are data.
type row struct {
	mix  []uint64
	data []byte
}

// NewDecoder makes a decoder for the message that p is a part of. It does not add p.
func NewDecoder(p Part) (*Decoder, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	d := &Decoder{stream: p.Stream, mixer: newMixer(p.Stream)}
	d.forget()
	return d, nil
}

func (d *Decoder) forget() {
	d.rows = make([]row, d.stream.Fragments)
	d.rank = 0
	d.message = nil
}

// Stream is what all parts of the message have in common.
func (d *Decoder) Stream() Stream { return d.stream }

// Rank is how many independent parts are there; the message needs Stream().Fragments.
func (d *Decoder) Rank() int { return d.rank }

// Message is the whole message, nil until it is complete. It must not be changed.
func (d *Decoder) Message() []byte { return d.message }

// Add takes a part and reports whether it was news. A part of another
// message is ErrOtherStream and changes nothing; parts that contradict each other are ErrContradiction.
func (d *Decoder) Add(p Part) (news bool, err error) {
	if p.Stream != d.stream || len(p.Data) != d.stream.Size || p.Seq == 0 {
		return false, ErrOtherStream
	}
	if d.message != nil {
		return false, nil
	}
	mix := make([]uint64, (d.stream.Fragments+63)/64)
	for _, i := range d.mixer.choose(p.Seq) {
		mix[i/64] |= 1 << (i % 64)
	}
	news, err = d.eliminate(row{mix, bytes.Clone(p.Data)})
	if err == nil && d.rank == d.stream.Fragments {
		err = d.solve()
	}
	if err != nil {
		d.forget()
	}
	return news && err == nil, err
}

// eliminate takes every known row out of r. What is left is news, nothing, or a contradiction.
func (d *Decoder) eliminate(r row) (news bool, err error) {
	for w := range r.mix {
		for r.mix[w] != 0 {
			first := 64*w + bits.TrailingZeros64(r.mix[w])
			known := d.rows[first]
			if known.mix == nil {
				d.rows[first] = r
				d.rank++
				return true, nil
			}
			for i := w; i < len(r.mix); i++ {
				r.mix[i] ^= known.mix[i]
			}
			xor(r.data, known.data)
		}
	}
	for _, c := range r.data {
		if c != 0 {
			return false, ErrContradiction
		}
	}
	return false, nil
}

// solve takes later fragments out of earlier rows, and checks what comes out.
func (d *Decoder) solve() error {
	message := make([]byte, d.stream.Fragments*d.stream.Size)
	for first := d.stream.Fragments - 1; first >= 0; first-- {
		r := d.rows[first]
		r.mix[first/64] &^= 1 << (first % 64)
		for w := first / 64; w < len(r.mix); w++ {
			for ; r.mix[w] != 0; r.mix[w] &= r.mix[w] - 1 {
				xor(r.data, d.rows[64*w+bits.TrailingZeros64(r.mix[w])].data)
			}
		}
		copy(message[first*d.stream.Size:], r.data)
	}
	for _, c := range message[d.stream.Length:] {
		if c != 0 {
			return ErrContradiction
		}
	}
	if message = message[:d.stream.Length:d.stream.Length]; checksum(message) != d.stream.Sum {
		return ErrContradiction
	}
	d.message, d.rows = message, nil
	return nil
}

// Borrow takes from another decoder what it knows of the same message, cut in another way,
// so that a change of the frames' size loses little. A part that was misread there misleads here.
func (d *Decoder) Borrow(from *Decoder) error {
	if !d.stream.SameMessage(from.stream) || d.message != nil {
		return nil
	}
	known, message := from.known()
	for i := range d.stream.Fragments {
		start, end := i*d.stream.Size, min((i+1)*d.stream.Size, d.stream.Length)
		if !known(start, end) {
			continue
		}
		p := Part{d.stream, uint32(i + 1), make([]byte, d.stream.Size)}
		copy(p.Data, message[start:end])
		if _, err := d.Add(p); err != nil {
			return err
		}
	}
	return nil
}

// known says which stretches of the message are solved already, and gives it with zeros elsewhere.
func (d *Decoder) known() (covers func(start, end int) bool, message []byte) {
	if d.message != nil {
		return func(int, int) bool { return true }, d.message
	}
	message = make([]byte, d.stream.Fragments*d.stream.Size)
	have := make([]bool, d.stream.Fragments)
	for i, r := range d.rows {
		if r.mix != nil && single(r.mix) {
			have[i] = true
			copy(message[i*d.stream.Size:], r.data)
		}
	}
	return func(start, end int) bool {
		for i := start / d.stream.Size; i*d.stream.Size < end; i++ {
			if !have[i] {
				return false
			}
		}
		return true
	}, message
}

// single reports whether one bit is set.
func single(mix []uint64) bool {
	n := 0
	for _, w := range mix {
		n += bits.OnesCount64(w)
	}
	return n == 1
}
