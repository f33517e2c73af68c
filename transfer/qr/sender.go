package qr

import (
	"conclave/transfer/qr/armour"
	"conclave/transfer/qr/ur"
)

// A Style says for whom frames are written.
type Style int

// The styles.
const (
	Dense      Style = iota // for Conclave: all that a symbol holds, and weighted parts, nearly each of which is news
	Compatible              // for other BC-UR programs and keyboard scanners: ur:bytes text, every part in turn
)

func (s Style) form() armour.Form {
	if s == Compatible {
		return armour.URForm
	}
	return armour.DenseForm
}

// A Frame is the text of one symbol.
type Frame struct {
	Seq  int // number of the part, from 1
	Of   int // parts that are enough when none is lost
	Text string
}

// A Sender gives the frames of one message, one after the other and without end.
type Sender struct {
	message *Message
	style   Style
	chars   int
	encoder *ur.Encoder
	seq     uint32 // of the frame
	short   string
	frame   Frame
}

// NewSender makes a sender whose frames have at most chars alphanumeric characters each: what
// the symbol holds that the screen has room for.
func NewSender(m *Message, style Style, chars int) (*Sender, error) {
	s := &Sender{message: m, style: style}
	if err := s.Resize(chars); err != nil {
		return nil, err
	}
	return s, nil
}

// Resize begins again with frames of another size, for example when the
// terminal's changed. A receiver keeps most of what it knows.
func (s *Sender) Resize(chars int) error {
	s.short = ""
	if s.message.short != nil && s.style == Dense {
		if text := armour.Short(s.message.short); len(text) <= chars {
			s.short = text
		}
	}
	message := ur.WrapBytes(s.message.Envelope.Bytes())
	size := s.style.form().FragmentSize(len(message), chars)
	encoder, err := (*ur.Encoder)(nil), errTooSmall
	if size > 0 {
		encoder, err = ur.NewEncoder(message, size)
	}
	if err != nil {
		return &TooLargeError{len(message), chars, err}
	}
	s.chars, s.encoder, s.seq = chars, encoder, 0
	s.Next()
	return nil
}

// Frame is the frame that is to be shown now.
func (s *Sender) Frame() Frame { return s.frame }

// Next goes on to the next frame and returns it. Where one frame is all, it stays.
func (s *Sender) Next() Frame {
	s.seq = s.encoder.Stream().After(s.seq)
	s.frame = s.At(int(s.seq))
	return s.frame
}

// At is the frame of the part of that number, from 1 to ur.LastSeq.
func (s *Sender) At(seq int) Frame {
	if s.short != "" {
		return Frame{1, 1, s.short}
	}
	p := s.part(uint32(max(seq, 1)))
	return Frame{int(p.Seq), p.Fragments, s.style.form().Write(p)}
}

func (s *Sender) part(seq uint32) ur.Part {
	if s.style == Compatible {
		return s.encoder.Part(seq)
	}
	return s.encoder.Weighted(seq)
}

// Parts is how many frames are enough when none is lost.
func (s *Sender) Parts() int {
	if s.short != "" {
		return 1
	}
	return s.encoder.Stream().Fragments
}

// Chars is the size of the frames that was asked for.
func (s *Sender) Chars() int { return s.chars }

// Name names the transfer in eight digits, as the receiver does.
func (s *Sender) Name() string {
	if s.short != "" {
		return "one symbol"
	}
	return s.encoder.Stream().String()
}

// Printed are the frames for pictures and paper, which cannot go on without end: all that are needed, and
// some to spare, so that a few may be lost. One that is enough stands alone.
func (s *Sender) Printed() []Frame {
	n := s.Parts()
	if n == 1 {
		return []Frame{s.At(1)}
	}
	spare := max(2, n/5)
	seqs := s.encoder.Spare(spare)
	if s.style == Dense {
		seqs = upTo(n, spare)
	}
	var list []Frame
	for _, seq := range append(upTo(0, n), seqs...) {
		list = append(list, s.At(int(seq)))
	}
	return list
}

// upTo are the n numbers after start.
func upTo(start, n int) (list []uint32) {
	for i := range n {
		list = append(list, uint32(start+i+1))
	}
	return list
}
