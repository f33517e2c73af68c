package qr

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"conclave/transfer/qr/answer"
	"conclave/transfer/qr/armour"
	"conclave/transfer/qr/envelope"
	"conclave/transfer/qr/ur"
)

// MaxTransfers is how many transfers a Receiver follows at a time. Each needs
// at most what ur.Decoder does, so all of them 96 MiB.
const MaxTransfers = 4

// takeover is how many frames in a row another transfer must have before it counts as the one that is read.
const takeover = 8

// rateWindow is how many useful frames the expected time is reckoned from.
const rateWindow = 16

// A Progress says how far a transfer is.
type Progress struct {
	Name   string        // of the transfer that is read, as the sender shows it
	Rank   int           // useful frames so far
	Need   int           // how many it takes; 0 before the first frame
	Frames int           // good frames so far, repeated ones and those of other transfers included
	News   bool          // the last frame was useful
	Expect time.Duration // until it is complete, as things go; 0 while that is unknown
	Done   bool
}

// A Receiver puts a message together from the texts of symbols. It is not safe for concurrent use.
type Receiver struct {
	now       func() time.Time
	transfers []*incoming // the one that is read first
	streak    int         // frames of another transfer since the last one of this
	frames    int
	done      []byte
	name      string // of what is done
}

// An incoming is one transfer that is not complete.
type incoming struct {
	decoder *ur.Decoder
	news    []time.Time // of the last useful frames
	frames  int
}

// NewReceiver makes a receiver that reckons with the given clock.
func NewReceiver(now func() time.Time) *Receiver { return &Receiver{now: now} }

// Done gives the received envelope, for Unpack, once it is complete.
func (r *Receiver) Done() (envelope []byte, ok bool) { return r.done, r.done != nil }

func (r *Receiver) isDone() bool { return r.done != nil }

// Add takes the text of one symbol. No text does harm; an error says what is wrong with this
// one, and the next may be good: armour.ErrNotOurs, *armour.CorruptError, *ForeignError, *RestartError.
// Progress is right in any case.
func (r *Receiver) Add(text string) (Progress, error) {
	if r.done != nil {
		return r.progress(false), nil
	}
	f, err := armour.Parse(text)
	if err != nil {
		return r.progress(false), err
	}
	r.frames++
	if f.Short != nil {
		return r.addShort(f.Short)
	}
	news, err := r.addPart(f.Part)
	return r.progress(news), err
}

// addShort takes an answer that came in one symbol.
func (r *Receiver) addShort(short []byte) (Progress, error) {
	a, err := answer.ParseShort(short)
	if err != nil {
		return r.progress(false), &armour.CorruptError{Err: err}
	}
	m, err := PackAnswer(a)
	if err != nil {
		return r.progress(false), err
	}
	r.finish(m.Envelope.Bytes(), "one symbol")
	return r.progress(true), nil
}

func (r *Receiver) finish(envelope []byte, name string) {
	r.done, r.name, r.transfers = envelope, name, nil
}

func (r *Receiver) addPart(p ur.Part) (news bool, err error) {
	in, err := r.incoming(p)
	if err != nil {
		return false, err
	}
	foreign := r.lead(in)
	in.frames++
	news, err = in.decoder.Add(p)
	switch {
	case errors.Is(err, ur.ErrContradiction):
		in.news = nil
		return false, &RestartError{p.Stream.String(), err}
	case err != nil:
		return false, err
	}
	if news {
		in.news = append(in.news[max(0, len(in.news)+1-rateWindow):], r.now())
	}
	if in.decoder.Message() != nil {
		return news, r.complete(in)
	}
	return news && foreign == nil, foreign
}

// incoming finds the transfer of a part, or begins one.
func (r *Receiver) incoming(p ur.Part) (*incoming, error) {
	for _, in := range r.transfers {
		if in.decoder.Stream() == p.Stream {
			return in, nil
		}
	}
	decoder, err := ur.NewDecoder(p)
	if err != nil {
		return nil, &armour.CorruptError{Err: err}
	}
	in := &incoming{decoder: decoder}
	for _, other := range r.transfers {
		if err := decoder.Borrow(other.decoder); err != nil {
			return nil, &RestartError{p.Stream.String(), err}
		}
	}
	if len(r.transfers) == MaxTransfers { // the one with the fewest frames gives way, but never the one that is read
		rest := r.transfers[1:]
		least := slices.MinFunc(rest, func(a, b *incoming) int { return a.frames - b.frames })
		r.transfers = slices.DeleteFunc(r.transfers, func(o *incoming) bool { return o == least })
	}
	r.transfers = append(r.transfers, in)
	return in, nil
}

// lead decides which transfer is the one that is read, and names a frame of another.
func (r *Receiver) lead(in *incoming) error {
	first := r.transfers[0]
	if in == first {
		r.streak = 0
		return nil
	}
	r.streak++
	same := in.decoder.Stream().SameMessage(first.decoder.Stream())
	if same || r.streak >= takeover {
		r.streak = 0
		r.transfers = slices.DeleteFunc(r.transfers, func(o *incoming) bool { return o == in })
		r.transfers = slices.Insert(r.transfers, 0, in)
	}
	if same {
		return nil
	}
	return &ForeignError{Reading: first.decoder.Stream().String(), Got: in.decoder.Stream().String(), Switched: r.transfers[0] == in}
}

// complete checks that the message is an envelope. Another program's is forgotten.
func (r *Receiver) complete(in *incoming) error {
	raw, err := ur.UnwrapBytes(in.decoder.Message())
	if err == nil {
		_, err = envelope.Parse(raw)
	}
	if err != nil {
		r.transfers = slices.DeleteFunc(r.transfers, func(o *incoming) bool { return o == in })
		return &NotEnvelopeError{in.decoder.Stream().String(), err}
	}
	r.finish(raw, in.decoder.Stream().String())
	return nil
}

func (r *Receiver) progress(news bool) Progress {
	p := Progress{Frames: r.frames, News: news}
	switch {
	case r.done != nil:
		p.Done, p.Name, p.Rank, p.Need = true, r.name, 1, 1
	case len(r.transfers) > 0:
		in := r.transfers[0]
		s := in.decoder.Stream()
		p.Name, p.Rank, p.Need = s.String(), in.decoder.Rank(), s.Fragments
		p.Expect = in.expect(p.Need-p.Rank, r.now())
	}
	return p
}

// expect reckons from how fast useful frames came lately. Silence makes it longer.
func (in *incoming) expect(missing int, now time.Time) time.Duration {
	if len(in.news) < 2 {
		return 0
	}
	each := now.Sub(in.news[0]) / time.Duration(len(in.news)-1)
	return max(each*time.Duration(missing), 1)
}

// A ForeignError names a frame of another transfer than the one that is read. It is kept, in case.
type ForeignError struct {
	Reading, Got string
	Switched     bool // from now on the other one is read
}

func (e *ForeignError) Error() string {
	if e.Switched {
		return fmt.Sprintf("read frame: only frames of transfer %s come now, none of %s; reading %s", e.Got, e.Reading, e.Got)
	}
	return fmt.Sprintf("read frame: it is of transfer %s; transfer %s is being read", e.Got, e.Reading)
}

// Hint says what to do.
func (e *ForeignError) Hint() string {
	return "Two transfers are in view. Compare the name with the one beside the symbols, and show only the right one."
}

// A RestartError says that frames of a transfer contradict each other, so that it begins again.
type RestartError struct {
	Name string
	Err  error
}

func (e *RestartError) Error() string {
	return fmt.Sprintf("read transfer %s: a frame was misread or forged; starting again", e.Name)
}

// Unwrap gives the reason.
func (e *RestartError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *RestartError) Hint() string {
	return "Go on reading. If it happens again, look whether another symbol is in view, or use larger modules."
}

// A NotEnvelopeError says that a message of another program was received whole.
type NotEnvelopeError struct {
	Name string
	Err  error
}

func (e *NotEnvelopeError) Error() string {
	return fmt.Sprintf("read transfer %s: it is complete, and nothing that Conclave sends: %v", e.Name, e.Err)
}

// Unwrap gives the reason.
func (e *NotEnvelopeError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *NotEnvelopeError) Hint() string {
	return "Have the right transfer shown. Nothing of this one was used."
}
