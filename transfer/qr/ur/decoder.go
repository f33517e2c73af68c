package ur

import "bytes"

// A Decoder puts one message together. It solves the parts as equations over
// fragments, so that every part which is not a combination of earlier ones counts.
type Decoder struct {
	stream  Stream
	mixer   *mixer
	rows    []row // by their first fragment
	rank    int
	message []byte
}

// A row is data = a fragment + the fragments behind it, each times its weight in mix. Where mix is nil it is the
// fragment itself.
type row struct {
	mix  []byte
	data []byte // nil where there is no row
}

// NewDecoder makes a decoder for the message that p is a part of. It does not add p.
func NewDecoder(p Part) (*Decoder, error) {
	if err := p.Check(); err != nil {
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
	news, err = d.eliminate(d.mixer.mix(p), bytes.Clone(p.Data))
	if err == nil && d.rank == d.stream.Fragments {
		err = d.solve()
	}
	if err != nil {
		d.forget()
	}
	return news && err == nil, err
}

// eliminate takes every known row out of an equation. What is left is news, nothing, or a contradiction.
func (d *Decoder) eliminate(mix, data []byte) (news bool, err error) {
	for i := range mix {
		weight := mix[i]
		if weight == 0 {
			continue
		}
		known := d.rows[i]
		if known.data == nil {
			d.rows[i] = newRow(mix[i:], data)
			d.rank++
			return true, nil
		}
		addTimes(mix[i+1:], known.mix, weight)
		addTimes(data, known.data, weight)
	}
	if !zero(data) {
		return false, ErrContradiction
	}
	return false, nil
}

// newRow divides an equation by its first weight, which is not zero.
func newRow(mix, data []byte) row {
	inverse := inverses[mix[0]]
	scale(data, inverse)
	if mix = mix[1:]; zero(mix) {
		return row{nil, data}
	}
	scale(mix, inverse)
	return row{mix, data}
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// solve takes later fragments out of earlier rows, and checks what comes out.
func (d *Decoder) solve() error {
	message := make([]byte, d.stream.Fragments*d.stream.Size)
	for first := d.stream.Fragments - 1; first >= 0; first-- {
		r := d.rows[first]
		for i, weight := range r.mix {
			addTimes(r.data, d.rows[first+1+i].data, weight)
		}
		copy(message[first*d.stream.Size:], r.data)
	}
	if !zero(message[d.stream.Length:]) {
		return ErrContradiction
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
		p := Part{Stream: d.stream, Seq: uint32(i + 1), Data: make([]byte, d.stream.Size)}
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
		if r.data != nil && r.mix == nil {
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
