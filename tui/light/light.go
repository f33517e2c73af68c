// Package light packs what is to cross the air gap as QR symbols, and says which
// symbol is to be seen when, on a terminal of a given size, in pictures and on paper.
//
// Its promise: an offer says what the other side must hold to read it; and what
// it shows is the bytes that package qr packed, nothing else.
package light

import (
	"fmt"
	"slices"

	"conclave/ceremony"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/qr"
	"conclave/transfer/qr/answer"
	"conclave/transfer/qr/envelope"
)

// An Offer is one message that can be shown.
type Offer struct {
	Kind    string // ceremony.ShownAnswer, ceremony.ShownBundle or "file"
	Title   string // what it is, in a few words: "the new signatures alone"
	File    string // the name of the file that it is of; may be ""
	Message *qr.Message
	Needs   []Held // what the other side must hold to read it
}

// Held is a file that the other side has.
type Held struct {
	Name  string // for people: "root 4", "root-5.bundle.json"
	Bytes []byte
}

// wholeFactor is how many times larger than its delta a message may be and still go whole:
// needing nothing of the other side is worth some frames.
const wholeFactor = 2

// Bundle offers a bundle. What the other side holds need not be sent; a bundle
// that is hardly larger without that is offered whole.
func Bundle(b *transfer.Bundle, held ...Held) (*Offer, error) {
	whole, err := qr.Pack(b)
	if err != nil {
		return nil, err
	}
	return smaller(&Offer{Kind: ceremony.ShownBundle, Title: "the whole bundle", Message: whole}, held, func(bases [][]byte) (*qr.Message, error) {
		return qr.Pack(b, bases...)
	})
}

// File offers a file that is no bundle.
func File(content []byte, held ...Held) (*Offer, error) {
	whole, err := qr.PackFile(content)
	if err != nil {
		return nil, err
	}
	return smaller(&Offer{Kind: "file", Title: "a file", Message: whole}, held, func(bases [][]byte) (*qr.Message, error) {
		return qr.PackFile(content, bases...)
	})
}

// smaller makes an offer one against what is held, where that is worth it.
func smaller(o *Offer, held []Held, pack func(bases [][]byte) (*qr.Message, error)) (*Offer, error) {
	if len(held) == 0 {
		return o, nil
	}
	var bases [][]byte
	for _, h := range held[:min(len(held), envelope.MaxBases)] {
		bases = append(bases, h.Bytes)
	}
	delta, err := pack(bases)
	if err != nil {
		return nil, err
	}
	if o.Message.Size() <= wholeFactor*delta.Size() {
		return o, nil
	}
	o.Message, o.Needs = delta, needed(delta, held)
	return o, nil
}

// needed are those of held that a message is rebuilt from.
func needed(m *qr.Message, held []Held) (list []Held) {
	for _, digest := range m.Envelope.Bases {
		i := slices.IndexFunc(held, func(h Held) bool { return tuf.DigestOf(h.Bytes) == digest })
		if i >= 0 {
			list = append(list, held[i])
		}
	}
	return list
}

// Answer offers the signatures that after has and before has not. before may
// be nil: then all of them. Bundles of different drafts are an *answer.Error.
func Answer(before, after *transfer.Bundle) (*Offer, error) {
	a, err := answer.Of(before, after)
	if err != nil {
		return nil, err
	}
	return Signatures(a)
}

// Signatures offers an answer that is there already.
func Signatures(a *answer.Answer) (*Offer, error) {
	m, err := qr.PackAnswer(a)
	if err != nil {
		return nil, err
	}
	title := fmt.Sprintf("the %d new signatures alone", a.Len())
	if a.Len() == 1 {
		title = "the new signature alone"
	}
	return &Offer{Kind: ceremony.ShownAnswer, Title: title, Message: m}, nil
}

// Below is what somebody who holds the state before b has of it, by name: its root chain and
// the documents that it changes.
func Below(b *transfer.Bundle) []Held {
	var names []string
	if roots := b.Base.Roots; len(roots) == 1 {
		names = append(names, fmt.Sprintf("root %d", roots[0].Version()))
	} else if len(roots) > 1 {
		names = append(names, fmt.Sprintf("roots %d to %d", roots[0].Version(), roots[len(roots)-1].Version()))
	}
	docs := b.Base.Documents
	if b.RootAlone() {
		docs = nil
	}
	for _, d := range docs {
		names = append(names, fmt.Sprintf("%s %d", d.Role, d.Metadata.Version()))
	}
	var held []Held
	for i, base := range qr.Bases(b) {
		held = append(held, Held{names[i], base})
	}
	return held
}

// Has is what somebody who holds b has of it besides the file itself: its documents, and what is below them.
func Has(b *transfer.Bundle) []Held {
	held := Below(b)
	for _, d := range b.Documents {
		held = append(held, Held{fmt.Sprintf("%s %d", d.Role, d.Metadata.Version()), d.Metadata.Bytes()})
	}
	return held
}

// Export offers what a ceremony has made: the new signatures alone, where the
// other side has the draft that came in, and the whole bundle.
func Export(came, signed *transfer.Bundle) ([]*Offer, error) {
	var offers []*Offer
	if came.Plan == nil { // the draft of a plan is known here only
		if o, err := Answer(came, signed); err == nil {
			offers = append(offers, o)
		}
	}
	raw, err := came.Bytes()
	if err != nil {
		return nil, err
	}
	whole, err := Bundle(signed, Held{"the bundle that came in", raw}) // which has all that is below it
	if err != nil {
		return nil, err
	}
	return append(offers, whole), nil
}

// A Made is a ceremony that has confirmed its bundle.
type Made interface {
	Came() *transfer.Bundle
	Result() (name string, file []byte, err error)
}

// Offers is Export of what a ceremony has made, as its file is.
func Offers(m Made) ([]*Offer, error) {
	name, file, err := m.Result()
	if err != nil {
		return nil, err
	}
	signed, err := transfer.Parse(file)
	if err != nil {
		return nil, err
	}
	offers, err := Export(m.Came(), signed)
	for _, o := range offers {
		o.File = name
	}
	return offers, err
}

// Digest is the SHA-256 of what a reader gets, in hex.
func (o *Offer) Digest() string { return o.Message.Envelope.Result.Hex() }
