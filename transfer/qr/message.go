// Package qr carries bundles and signatures across the air gap by light, as a
// row of QR symbols that one screen or sheet shows and another machine's camera, scanner or picture reader sees.
//
// Its promise: frames may come in any order, from any place, twice, damaged or
// mixed with others; what comes out has the SHA-256 that the sender named, or
// does not come out. What is received goes through the same strict readers as a file from a stick.
//
// Sending is Pack, then a Sender, whose frames package paint draws. Receiving
// is a Receiver, which takes the text of every symbol, then Unpack.
package qr

import (
	"bytes"
	"errors"
	"fmt"

	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/qr/answer"
	"conclave/transfer/qr/envelope"
)

// A Message is what is sent: an envelope, and for an answer its short form as well.
type Message struct {
	Envelope *envelope.Envelope
	short    []byte
}

// Pack packs a bundle. Bases are files that the other side holds as well; what
// they have need not be sent. Bases(b) are the ones that it should have.
func Pack(b *transfer.Bundle, bases ...[]byte) (*Message, error) {
	raw, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("pack bundle: %w", err)
	}
	return pack(envelope.Bundle, raw, bases)
}

// PackFile packs a file that is no bundle.
func PackFile(content []byte, bases ...[]byte) (*Message, error) {
	return pack(envelope.File, content, bases)
}

func pack(kind envelope.Kind, content []byte, bases [][]byte) (*Message, error) {
	e, err := envelope.Seal(kind, content, bases...)
	if err != nil {
		return nil, err
	}
	return &Message{Envelope: e}, nil
}

// PackAnswer packs the signatures of an answer.
func PackAnswer(a *answer.Answer) (*Message, error) {
	m, err := pack(envelope.Answer, a.Bytes(), nil)
	if err != nil {
		return nil, err
	}
	m.short, _ = a.Short()
	return m, nil
}

// Size is the bytes that have to cross.
func (m *Message) Size() int { return len(m.Envelope.Bytes()) }

// A Content is what came out of an envelope.
type Content struct {
	Kind   envelope.Kind
	Bytes  []byte
	Digest tuf.Digest // SHA-256 of Bytes
}

// Unpack opens what a Receiver gave. find gives bases by their SHA-256 (a Shelf
// does); where one is missing, the error is an *envelope.WrongBaseError that names it.
func Unpack(raw []byte, find envelope.Find) (*Content, error) {
	e, err := envelope.Parse(raw)
	if err != nil {
		return nil, err
	}
	content, err := e.Open(find)
	if err != nil {
		return nil, err
	}
	return &Content{e.Kind, content, e.Result}, nil
}

// Bundle reads the content as a bundle, strictly.
func (c *Content) Bundle() (*transfer.Bundle, error) {
	if c.Kind != envelope.Bundle {
		return nil, &KindError{c.Kind, envelope.Bundle}
	}
	return transfer.Parse(c.Bytes)
}

// Answer reads the content as an answer, strictly.
func (c *Content) Answer() (*answer.Answer, error) {
	if c.Kind != envelope.Answer {
		return nil, &KindError{c.Kind, envelope.Answer}
	}
	return answer.Parse(c.Bytes)
}

// A KindError says that something else was received than was wanted.
type KindError struct{ Got, Want envelope.Kind }

func (e *KindError) Error() string {
	return fmt.Sprintf("read what was received: it is a %v, not a %v", e.Got, e.Want)
}

// Hint says what to do.
func (e *KindError) Hint() string {
	return "Have the right one shown. An answer is joined with the bundle that waits for it: conclave join."
}

// Bases are what somebody who holds the state before b has of it: its root chain and the
// documents that it changes.
func Bases(b *transfer.Bundle) [][]byte {
	var bases [][]byte
	if roots := rootBytes(b.Base.Roots); len(roots) > 0 {
		bases = append(bases, bytes.Join(roots, nil))
	}
	if b.RootAlone() {
		return bases // live targets that travel along are sent: nobody has to hold them
	}
	for _, d := range b.Base.Documents {
		bases = append(bases, d.Metadata.Bytes())
	}
	return bases
}

func rootBytes(roots []*tuf.Document) (list [][]byte) {
	for _, r := range roots {
		list = append(list, r.Bytes())
	}
	return list
}

// A Shelf holds the files that envelopes may build on. The zero value is empty.
type Shelf struct {
	items map[tuf.Digest][]byte
}

// maxChain is how many roots of a chain a shelf joins in every way that a bundle may name.
const maxChain = 64

// Add puts a file on the shelf. From a bundle also its documents, and its
// root chains from every root on, as Bases of the next bundle has them.
func (s *Shelf) Add(file []byte) {
	s.put(file)
	b, err := transfer.Parse(file)
	if err != nil {
		return // any other file counts as itself
	}
	roots := b.Base.Roots
	if next := b.Document(tuf.Root); next != nil {
		s.putChains(append(roots[:len(roots):len(roots)], next))
	}
	s.putChains(roots)
	for _, docs := range [][]transfer.Document{b.Base.Documents, b.Documents} {
		for _, d := range docs {
			s.put(d.Metadata.Bytes())
		}
	}
}

func (s *Shelf) putChains(roots []*tuf.Document) {
	for i := max(0, len(roots)-maxChain); i < len(roots); i++ {
		s.put(bytes.Join(rootBytes(roots[i:]), nil))
	}
}

func (s *Shelf) put(b []byte) {
	if s.items == nil {
		s.items = make(map[tuf.Digest][]byte)
	}
	s.items[tuf.DigestOf(b)] = b
}

// Find is an envelope.Find.
func (s *Shelf) Find(want tuf.Digest) ([]byte, bool) {
	b, ok := s.items[want]
	return b, ok
}

// A TooLargeError says that a message cannot be cut into frames of the size that there is room for.
type TooLargeError struct {
	Bytes int // of the message
	Chars int // of a frame
	Err   error
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("show %d bytes in frames of %d characters: %v", e.Bytes, e.Chars, e.Err)
}

// Unwrap gives the reason.
func (e *TooLargeError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *TooLargeError) Hint() string {
	return "Enlarge the window, use a smaller font or denser cells, or send only what is new since a file that the other side has. " +
		"A stick carries any size."
}

var errTooSmall = errors.New("nothing fits into one")
