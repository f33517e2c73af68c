// Package envelope wraps what crosses by light: it says what it is, from which
// bases it is rebuilt, and what must come out.
//
// Its promise: Open gives bytes only when their SHA-256 is the one that the
// envelope names. A base is taken only when its SHA-256 is the one that the
// envelope names; with another nothing is decoded. Memory stays below the limits.
//
// An envelope is:
//
//	1 byte    format (1) in the high half, kind in the low half: 1 bundle, 2 answer, 3 file
//	1 byte    codec: 0 plain, 1 zstd, 2 zstd with the bases as its dictionary, 3 patch
//	varint    bytes of the content, unsigned, in its shortest form
//	32 bytes  SHA-256 of the content
//	          only for codecs 2 and 3:
//	1 byte    number of bases, 0 (in a patch only) to 8
//	32 bytes  SHA-256 of each base
//	the rest  the content in its codec
//
// Several bases count as one, in their order, one after the other.
package envelope

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"conclave/ceremony/tuf"
)

// Limits of an envelope. Opening one takes at most MaxContent and twice the bases.
const (
	MaxContent = 128 << 20 // bytes: the largest bundle
	MaxBase    = 256 << 20 // bytes of all bases
	MaxBases   = 8         // each costs 32 bytes in every transfer
)

// A Kind says what the content is.
type Kind byte

// The kinds of content.
const (
	Bundle Kind = 1 // a bundle file
	Answer Kind = 2 // signatures for a bundle that the other side holds
	File   Kind = 3 // any file
)

func (k Kind) String() string {
	switch k {
	case Bundle:
		return "bundle"
	case Answer:
		return "answer"
	case File:
		return "file"
	}
	return fmt.Sprintf("kind %d", byte(k))
}

// A Codec says how the content is written.
type Codec byte

// The codecs.
const (
	Plain      Codec = 0
	Zstd       Codec = 1
	Dictionary Codec = 2
	Patch      Codec = 3
)

func (c Codec) String() string {
	switch c {
	case Plain:
		return "plain"
	case Zstd:
		return "zstd"
	case Dictionary:
		return "zstd with a base"
	case Patch:
		return "patch of a base"
	}
	return fmt.Sprintf("codec %d", byte(c))
}

func (c Codec) hasBases() bool { return c == Dictionary || c == Patch }

const format = 1

// An Envelope is one that was read; its content is still packed.
type Envelope struct {
	Kind   Kind
	Codec  Codec
	Length int          // bytes of the content
	Result tuf.Digest   // SHA-256 of the content
	Bases  []tuf.Digest // SHA-256 of what it is rebuilt from
	packed []byte
}

// Bytes is the envelope in its only form.
func (e *Envelope) Bytes() []byte {
	b := []byte{format<<4 | byte(e.Kind), byte(e.Codec)}
	b = binary.AppendUvarint(b, uint64(e.Length))
	b = append(b, e.Result[:]...)
	if e.Codec.hasBases() {
		b = append(b, byte(len(e.Bases)))
		for _, base := range e.Bases {
			b = append(b, base[:]...)
		}
	}
	return append(b, e.packed...)
}

// Parse reads an envelope without opening it. Its errors are of type *FormatError.
func Parse(raw []byte) (*Envelope, error) {
	r := reader{rest: raw}
	head, codec := r.byte(), r.byte()
	e := &Envelope{Kind: Kind(head & 15), Codec: Codec(codec)}
	if r.err == nil && head>>4 != format {
		return nil, formatError("it is in format %d; this program knows format %d", head>>4, format)
	}
	e.Length = int(r.varint(MaxContent))
	e.Result = r.digest()
	if e.Codec.hasBases() {
		n := r.byte()
		if r.err == nil && (n > MaxBases || n == 0 && e.Codec == Dictionary) {
			return nil, formatError("it has %d bases", n)
		}
		for range n {
			e.Bases = append(e.Bases, r.digest())
		}
	}
	e.packed = r.rest
	switch {
	case r.err != nil:
		return nil, r.err
	case e.Kind < Bundle || e.Kind > File:
		return nil, formatError("it holds something unknown (%v)", e.Kind)
	case e.Codec > Patch:
		return nil, formatError("it is packed in an unknown way (%v)", e.Codec)
	}
	return e, nil
}

// A Find gives the base with a SHA-256, if it is at hand.
type Find func(want tuf.Digest) (base []byte, ok bool)

// Open gives the content. find may be nil where there are no bases. A base
// that find does not know is a *WrongBaseError; content that does not have
// its SHA-256 is ErrResult, and what cannot be unpacked a *FormatError.
func (e *Envelope) Open(find Find) ([]byte, error) {
	bases, err := e.bases(find)
	if err != nil {
		return nil, err
	}
	content, err := e.unpack(bases)
	if err != nil {
		return nil, err
	}
	if len(content) != e.Length || tuf.DigestOf(content) != e.Result {
		return nil, ErrResult
	}
	return content, nil
}

func (e *Envelope) unpack(bases [][]byte) ([]byte, error) {
	switch e.Codec {
	case Plain:
		return bytes.Clone(e.packed), nil
	case Zstd, Dictionary:
		return unzstd(e.packed, bytes.Join(bases, nil), e.Length)
	}
	return unpatch(underBases(bases...), e.packed, e.Length)
}

// bases finds all bases, and takes no other for any of them.
func (e *Envelope) bases(find Find) (bases [][]byte, err error) {
	total := 0
	for _, want := range e.Bases {
		if find == nil {
			return nil, &WrongBaseError{Want: want}
		}
		b, ok := find(want)
		if !ok {
			return nil, &WrongBaseError{Want: want}
		}
		if got := tuf.DigestOf(b); got != want {
			return nil, &WrongBaseError{Want: want, Got: &got}
		}
		if total += len(b); total > MaxBase {
			return nil, formatError("its bases have more than %d bytes", MaxBase)
		}
		bases = append(bases, b)
	}
	return bases, nil
}

// Seal wraps content, in whatever codec makes it smallest. Only the bases that are worth their name are used.
func Seal(kind Kind, content []byte, bases ...[]byte) (*Envelope, error) {
	if len(content) > MaxContent {
		return nil, fmt.Errorf("pack %v: it has %d bytes, more than %d", kind, len(content), MaxContent)
	}
	best := &Envelope{Kind: kind, Length: len(content), Result: tuf.DigestOf(content), packed: content}
	try := func(codec Codec, packed []byte, bases ...[]byte) {
		e := *best
		e.Codec, e.packed, e.Bases = codec, packed, nil
		for _, b := range bases {
			e.Bases = append(e.Bases, tuf.DigestOf(b))
		}
		if len(e.Bytes()) < len(best.Bytes()) {
			best = &e
		}
	}
	packed, err := zstandard(content, nil)
	if err != nil {
		return nil, fmt.Errorf("pack %v: %w", kind, err)
	}
	try(Zstd, packed)
	bases = worth(content, usable(bases))
	base := underBases(bases...)
	try(Patch, patch(base, content), bases...)
	if base = base[len(skeleton):]; len(base) > 0 && len(base)+len(content) <= maxDictionary {
		if packed, err = zstandard(content, base); err != nil {
			return nil, fmt.Errorf("pack %v: %w", kind, err)
		}
		try(Dictionary, packed, bases...)
	}
	return best, nil
}

// usable drops what cannot help: nothing, the same twice, and what would be too much.
func usable(bases [][]byte) (list [][]byte) {
	total := 0
	for _, b := range bases {
		if len(b) == 0 || total+len(b) > MaxBase || slices.ContainsFunc(list, func(o []byte) bool { return bytes.Equal(o, b) }) {
			continue
		}
		total += len(b)
		list = append(list, b)
	}
	return list
}

// worth chooses the bases from which so much is taken that naming them pays.
func worth(content []byte, bases [][]byte) (list [][]byte) {
	const fee = 4 * len(tuf.Digest{}) // what is copied would take some bytes in any case
	if len(bases) == 0 {
		return nil
	}
	used := coverage(bases, bytes.Join(bases, nil), content)
	order := make([]int, len(bases))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return used[b] - used[a] })
	for _, i := range order {
		if used[i] >= fee && len(list) < MaxBases {
			list = append(list, bases[i])
		}
	}
	return list
}

// ErrResult is returned where an envelope opens and something else comes out than it names.
var ErrResult = errors.New("open envelope: what came out does not have the digest that the envelope names; it was thrown away")

// A WrongBaseError names the base that an envelope is rebuilt from, and that is not at hand. Nothing was decoded.
type WrongBaseError struct {
	Want tuf.Digest
	Got  *tuf.Digest // what was offered for it, nil where there was nothing
}

func (e *WrongBaseError) Error() string {
	if e.Got != nil {
		return fmt.Sprintf("open envelope: it builds on a file with the digest %s, and %s was offered for it", e.Want.Short(), e.Got.Short())
	}
	return fmt.Sprintf("open envelope: it builds on a file with the digest %s, which is not here", e.Want.Short())
}

// Hint says what to do.
func (e *WrongBaseError) Hint() string {
	return "The other side sent only what is new since a file that it thinks is here. Give that file (the bundle before, or the published metadata), " +
		"or have it sent whole. The file's SHA-256 is " + e.Want.Hex() + "."
}

// A FormatError says why something is no envelope, or cannot be opened.
type FormatError struct{ What string }

func (e *FormatError) Error() string { return "open envelope: " + e.What }

// Hint says what to do.
func (e *FormatError) Hint() string {
	return "It was made by another program, or by a newer version of this one. Nothing of it was used."
}

func formatError(format string, args ...any) error { return &FormatError{fmt.Sprintf(format, args...)} }

// A reader takes things off the front and keeps the first error.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) take(n int) []byte {
	if r.err != nil {
		return nil
	}
	if len(r.rest) < n {
		r.err = formatError("it is cut off")
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) digest() (d tuf.Digest) {
	copy(d[:], r.take(len(d)))
	return d
}

// varint is a number up to limit, in its shortest form.
func (r *reader) varint(limit uint64) uint64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.rest)
	switch {
	case n <= 0:
		r.err = formatError("a number is cut off or too large")
	case n > 1 && r.rest[n-1] == 0:
		r.err = formatError("a number is not in its shortest form")
	case v > limit:
		r.err = formatError("%d is more than %d", v, limit)
	}
	if r.err != nil {
		return 0
	}
	r.rest = r.rest[n:]
	return v
}
