// Package answer carries new signatures back to a bundle that waits for them:
// nothing but the signatures, and enough of the draft's digest to know it again.
//
// Its promise: Apply gives a bundle only when every signature of the answer
// verifies for one of its documents, by a key that may sign it.
//
// Which key made a signature over which document is not said: it is found by
// verifying. ECDSA signatures lose their DER around r and s. So two of P-256, in
// the short form, fit the smallest symbol that a terminal shows.
//
//	short form: 3 bytes of the draft's digest, then signatures of 64 bytes
//	long form:  1 byte n, 3 to 32; n bytes of the draft's digest; then for each
//	            signature its length as a varint and its bytes
//
// The draft's digest is the SHA-256 over every document's role, a zero byte and the payload's digest.
package answer

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// Limits of an answer.
const (
	MaxSignatures = 1024    // more than people ever sign in one sitting
	maxSignature  = 1 << 10 // bytes: RSA of 8192 bits
	maxTries      = 50_000  // verifications in Apply: some seconds
)

const (
	shortDraft = 3  // bytes of the digest in the short form
	shortSig   = 64 // bytes of a P-256 or Ed25519 signature
)

// An Answer is signatures without their keys.
type Answer struct {
	draft      []byte // the first bytes of the draft's digest
	signatures [][]byte
}

// Of collects the signatures that after has and before has not. before may be nil. Dead
// signatures and those of strangers are left out. The bundles must be of one draft: what
// else changed (a plan that was built, evidence of new tokens) only the bundle itself can carry.
func Of(before, after *transfer.Bundle) (*Answer, error) {
	digest := Draft(after)
	if before != nil && Draft(before) != digest {
		return nil, &Error{
			What: "the two bundles are of different drafts",
			hint: "Send the bundle itself: an answer has nothing but signatures.",
		}
	}
	a := &Answer{draft: digest[:]}
	for _, d := range after.Documents {
		reqs, err := after.Requirements(d.Role)
		if err != nil {
			return nil, fmt.Errorf("make answer: %w", err)
		}
		live, _ := tuf.Clean(d.Metadata, reqs)
		for _, s := range live.Signatures() {
			if before == nil || !has(before.Document(d.Role), s) {
				a.signatures = append(a.signatures, compact(s.Sig, keyOf(reqs, s.KeyID)))
			}
		}
	}
	if len(a.signatures) == 0 {
		return nil, &Error{What: "there are no new signatures", hint: "Sign first, or send the bundle itself."}
	}
	return a, nil
}

func has(doc *tuf.Document, s tuf.Signature) bool {
	for _, o := range doc.Signatures() {
		if o.KeyID == s.KeyID && bytes.Equal(o.Sig, s.Sig) {
			return true
		}
	}
	return false
}

func keyOf(reqs []tuf.Requirement, keyid string) tuf.Key {
	for _, k := range keys(reqs) {
		if k.ID == keyid {
			return k
		}
	}
	return tuf.Key{}
}

// keys are the requirements' keys, each once.
func keys(reqs []tuf.Requirement) (list []tuf.Key) {
	seen := make(map[string]bool)
	for _, r := range reqs {
		for _, k := range r.Keys {
			if !seen[k.ID] {
				seen[k.ID] = true
				list = append(list, k)
			}
		}
	}
	return list
}

// Draft is the digest over all documents that a bundle wants signed.
func Draft(b *transfer.Bundle) tuf.Digest {
	h := sha256.New()
	for _, d := range b.Documents {
		digest := d.Metadata.Digest()
		h.Write([]byte(d.Role))
		h.Write([]byte{0})
		h.Write(digest[:])
	}
	return tuf.Digest(h.Sum(nil))
}

// Len is the number of signatures.
func (a *Answer) Len() int { return len(a.signatures) }

// Short is the short form; ok is false where the signatures do not have it.
func (a *Answer) Short() (raw []byte, ok bool) {
	raw = append(raw, a.draft[:shortDraft]...)
	for _, s := range a.signatures {
		if len(s) != shortSig {
			return nil, false
		}
		raw = append(raw, s...)
	}
	return raw, true
}

// Bytes is the long form.
func (a *Answer) Bytes() []byte {
	raw := append([]byte{byte(len(a.draft))}, a.draft...)
	for _, s := range a.signatures {
		raw = append(binary.AppendUvarint(raw, uint64(len(s))), s...)
	}
	return raw
}

// ParseShort reads the short form. Its errors are of type *Error.
func ParseShort(raw []byte) (*Answer, error) {
	n := (len(raw) - shortDraft) / shortSig
	if n < 1 || len(raw) != shortDraft+n*shortSig || n > MaxSignatures {
		return nil, damaged("%d bytes are no signatures", len(raw))
	}
	a := &Answer{draft: raw[:shortDraft]}
	for raw = raw[shortDraft:]; len(raw) > 0; raw = raw[shortSig:] {
		a.signatures = append(a.signatures, raw[:shortSig])
	}
	return a, nil
}

// Parse reads the long form. Its errors are of type *Error.
func Parse(raw []byte) (*Answer, error) {
	if len(raw) == 0 || int(raw[0]) < shortDraft || int(raw[0]) > len(tuf.Digest{}) || len(raw) <= int(raw[0]) {
		return nil, damaged("it does not begin with a draft's digest")
	}
	a := &Answer{draft: raw[1 : 1+raw[0]]}
	for raw = raw[1+raw[0]:]; len(raw) > 0; {
		n, size := binary.Uvarint(raw)
		switch {
		case size <= 0 || size > 1 && raw[size-1] == 0:
			return nil, damaged("the length of a signature is malformed")
		case n < 1 || n > maxSignature || n > uint64(len(raw)-size):
			return nil, damaged("a signature of %d bytes", n)
		case len(a.signatures) == MaxSignatures:
			return nil, damaged("there are more than %d signatures", MaxSignatures)
		}
		a.signatures = append(a.signatures, raw[size:size+int(n)])
		raw = raw[size+int(n):]
	}
	if len(a.signatures) == 0 {
		return nil, damaged("it has no signatures")
	}
	return a, nil
}

// Apply gives waiting with all signatures of the answer attached, each verified.
// Where one fits nothing, or the answer is for another draft, the error is an *Error and there is no bundle.
func (a *Answer) Apply(waiting *transfer.Bundle) (*transfer.Bundle, error) {
	digest := Draft(waiting)
	if !bytes.HasPrefix(digest[:], a.draft) {
		return nil, &Error{
			What: fmt.Sprintf("it is for the draft %x…, and this bundle is the draft %x…", a.draft[:shortDraft], digest[:shortDraft]),
			hint: "Give the bundle that was sent to be signed. If the draft was changed since, these signatures are worth nothing for it.",
		}
	}
	m, err := newMatcher(waiting)
	if err != nil {
		return nil, fmt.Errorf("apply answer: %w", err)
	}
	for i, sig := range a.signatures {
		if err := m.attach(sig); err != nil {
			return nil, fmt.Errorf("apply answer: signature %d of %d: %w", i+1, len(a.signatures), err)
		}
	}
	signed := waiting
	for _, p := range m.places {
		signed = signed.With(p.role, p.doc)
	}
	return signed, nil
}

// A matcher finds the document and the key that a signature belongs to.
type matcher struct {
	places []place
	tries  int
}

type place struct {
	role string
	doc  *tuf.Document
	reqs []tuf.Requirement
}

func newMatcher(b *transfer.Bundle) (*matcher, error) {
	m := new(matcher)
	for _, d := range b.Documents {
		reqs, err := b.Requirements(d.Role)
		if err != nil {
			return nil, err
		}
		m.places = append(m.places, place{d.Role, d.Metadata, reqs})
	}
	return m, nil
}

var errNoPlace = &Error{
	What: "it fits no document of this bundle by any key that may sign it",
	hint: "It was misread, or made by a stranger. Have the answer shown again; if it stays, find out which token made it.",
}

func (m *matcher) attach(sig []byte) error {
	for i := range m.places {
		p := &m.places[i]
		for _, k := range keys(p.reqs) {
			for _, whole := range expand(sig, k) {
				if m.tries++; m.tries > maxTries {
					return errors.New("too many keys to try; send the bundle itself")
				}
				if k.Verify(p.doc.Payload(), whole) != nil {
					continue
				}
				signed, err := tuf.Attach(p.doc, p.reqs, k.ID, whole)
				if err != nil {
					return err
				}
				p.doc = signed
				return nil
			}
		}
	}
	return errNoPlace
}

// An ecdsaSignature is what DER has around r and s (RFC 3279, 2.2.3).
type ecdsaSignature struct{ R, S *big.Int }

// compact drops the DER of an ECDSA signature where that can be put back exactly.
func compact(sig []byte, k tuf.Key) []byte {
	size := ecdsaSize(k)
	var v ecdsaSignature
	if rest, err := asn1.Unmarshal(sig, &v); size == 0 || err != nil || len(rest) > 0 {
		return sig
	}
	if v.R.Sign() < 0 || v.S.Sign() < 0 || v.R.BitLen() > 8*size || v.S.BitLen() > 8*size {
		return sig
	}
	short := make([]byte, 2*size)
	v.R.FillBytes(short[:size])
	v.S.FillBytes(short[size:])
	if whole := expand(short, k); !bytes.Equal(whole[0], sig) {
		return sig
	}
	return short
}

// expand lists what sig can mean for a key: r and s without their DER, or the signature itself.
func expand(sig []byte, k tuf.Key) [][]byte {
	size := ecdsaSize(k)
	if size == 0 || len(sig) != 2*size {
		return [][]byte{sig}
	}
	whole, err := asn1.Marshal(ecdsaSignature{new(big.Int).SetBytes(sig[:size]), new(big.Int).SetBytes(sig[size:])})
	if err != nil {
		return [][]byte{sig}
	}
	return [][]byte{whole, sig}
}

// ecdsaSize is the bytes of r or s, 0 for keys of another kind.
func ecdsaSize(k tuf.Key) int {
	if public, ok := k.Public.(*ecdsa.PublicKey); ok {
		return (public.Curve.Params().BitSize + 7) / 8
	}
	return 0
}

// An Error says why there is no answer, or why it does not apply.
type Error struct {
	What string
	hint string
}

func (e *Error) Error() string { return "answer: " + e.What }

// Hint says what to do.
func (e *Error) Hint() string { return e.hint }

func damaged(format string, args ...any) error {
	return &Error{fmt.Sprintf(format, args...), "It was made by another program, or misread. Have it shown again. Nothing of it was used."}
}
