package tuf

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Role names of TUF's four top-level roles (TUF 2.1).
const (
	Root      = "root"
	Targets   = "targets"
	Snapshot  = "snapshot"
	Timestamp = "timestamp"
)

// HoldersField is the unrecognized field of a signed root, or of targets that
// delegate, in which Conclave keeps who holds which key: keyid → Holder. PracticeField marks metadata
// that was made in a rehearsal (its value is true).
const (
	HoldersField  = "x-conclave-holders"
	PracticeField = "x-conclave-practice"
)

// ownerField is where tuf-on-ci keeps the name of a key's owner.
const ownerField = "x-tuf-on-ci-keyowner"

// A Signature is one entry of an envelope.
type Signature struct {
	KeyID string
	Sig   []byte // empty where a tool left room for somebody to sign
}

// A Holder is one person's claim on one key, as signed in the root.
type Holder struct {
	Name    string `json:"name"`
	Serial  uint32 `json:"serial,omitempty"`  // of the token
	Purpose string `json:"purpose,omitempty"` // "primary" or "backup"
}

// A Document is one piece of TUF metadata. It never changes.
type Document struct {
	src     string // the whole file
	list    span   // of the value of "signatures" in src
	entries []entry
	payload []byte
	digest  Digest
	sha384  func() []byte // made when the first P-384 key asks
	agreed  *sync.Map     // requirements that go-tuf has found met by these entries

	kind     string
	version  int64
	expires  time.Time
	practice bool
	signed   any            // go-tuf's view, a pointer
	keys     map[string]Key // a root's keys or the keys of delegations
	holders  map[string]Holder
}

// A span is a piece of the source.
type span struct{ start, end int }

// An entry is a signature with the text it was read from.
type entry struct {
	Signature
	text string // one JSON object; empty when made here
}

// Parse reads one metadata file strictly. Its errors are *SyntaxError or
// *FormatError and name the place.
func Parse(raw []byte) (*Document, error) {
	r, err := read(raw)
	if err != nil {
		return nil, err
	}
	// The string is the document's own copy: it cannot change under its feet.
	d := &Document{src: string(raw)}
	if err := d.decode(r); err != nil {
		return nil, err
	}
	return d, nil
}

// Check reads one metadata file as strictly as Parse does before go-tuf sees it, and keeps nothing of it.
func Check(raw []byte) error {
	_, err := read(raw)
	return err
}

// read makes the one strict pass over a metadata file.
func read(raw []byte) (*reader, error) {
	if len(raw) > MaxSize {
		return nil, tooLarge(len(raw))
	}
	r := &reader{src: raw}
	return r, r.file(envelopeShape)
}

func tooLarge(size int) error {
	return &FormatError{
		Path: "file",
		What: fmt.Sprintf("has %d bytes; %d are read at most", size, MaxSize),
		hint: "split the targets with hash bins, or look whether this is the right file",
	}
}

// decode fills d from what the reader marked.
func (d *Document) decode(r *reader) error {
	var signed, targets span
	for _, m := range r.marks {
		text := d.src[m.start:m.end]
		switch m.name {
		case "_type":
			d.kind = text[1 : len(text)-1]
		case "signed":
			signed = span{m.start, m.end}
		case "targets":
			targets = span{m.start, m.end}
		case "signature":
			if err := d.readSignature(text); err != nil {
				return err
			}
		case "signatures":
			d.list = span{m.start, m.end}
		}
	}
	d.payload = r.payload
	d.digest = sha256.Sum256(d.payload)
	d.agreed = new(sync.Map)
	payload := d.payload
	d.sha384 = sync.OnceValue(func() []byte {
		sum := sha512.Sum384(payload)
		return sum[:]
	})
	if d.signed = newSigned(d.kind); d.signed == nil {
		return formatf("signed._type", "is %q, must be root, targets, snapshot or timestamp", shorten(d.kind, 40))
	}
	if err := d.checkFields(r.seen); err != nil {
		return err
	}
	if err := guard(func() error { return d.decodeSigned(signed, targets, r.cuts) }); err != nil {
		return formatf("signed", "is refused by go-tuf: %v", err)
	}
	if err := d.check(); err != nil {
		return err
	}
	return d.agree()
}

// readSignature adds one entry of the envelope.
func (d *Document) readSignature(text string) error {
	var s struct {
		KeyID string `json:"keyid"`
		Sig   string `json:"sig"`
	}
	path := pathString([]step{{"signatures", -1}, {"", len(d.entries)}})
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return formatf(path, "cannot be decoded: %v", err)
	}
	sig, err := hex.DecodeString(s.Sig)
	if err != nil {
		return formatf(path, "must be a signature in hex")
	}
	for i, e := range d.entries {
		if e.KeyID == s.KeyID {
			return formatf(path+".keyid", "is the keyid of entry %d again; one key signs once", i)
		}
	}
	d.entries = append(d.entries, entry{Signature{s.KeyID, sig}, text})
	return nil
}

// newSigned is go-tuf's type for one of TUF's, nil for none.
func newSigned(kind string) any {
	switch kind {
	case Root:
		return new(metadata.RootType)
	case Targets:
		return new(metadata.TargetsType)
	case Snapshot:
		return new(metadata.SnapshotType)
	case Timestamp:
		return new(metadata.TimestampType)
	}
	return nil
}

// decodeSigned lets go-tuf read the signed part. Where it lists many files, go-tuf reads these by themselves, in pieces
// and all at once: read with the rest it would decode each of them twice more.
func (d *Document) decodeSigned(signed, targets span, cuts []int) error {
	v := d.Targets()
	if v == nil || len(cuts) == 0 {
		return json.Unmarshal([]byte(d.src[signed.start:signed.end]), d.signed)
	}
	rest := d.src[signed.start:targets.start] + "{}" + d.src[targets.end:signed.end]
	if err := json.Unmarshal([]byte(rest), v); err != nil {
		return err
	}
	return decodeFiles(d.src, span{targets.start + 1, targets.end - 1}, cuts, v.Targets)
}

// pieceSize is how many files of a targets document go-tuf decodes at a time.
const pieceSize = 512

// decodeFiles reads the members of "targets", which stand between the braces in src, into files.
func decodeFiles(src string, members span, cuts []int, files map[string]*metadata.TargetFiles) error {
	pieces := make([]map[string]*metadata.TargetFiles, len(cuts)+1)
	errs := make([]error, len(pieces))
	var running sync.WaitGroup
	start := members.start
	for i := range pieces {
		end := members.end
		if i < len(cuts) {
			end = cuts[i]
		}
		piece := src[start:end]
		running.Go(func() {
			errs[i] = guard(func() error { return json.Unmarshal([]byte("{"+piece+"}"), &pieces[i]) })
		})
		start = end + 1
	}
	running.Wait()
	for _, piece := range pieces {
		for path, file := range piece {
			file.Path = path // as go-tuf does it
			files[path] = file
		}
	}
	return errors.Join(errs...)
}

// agree demands that go-tuf read the signed part as it is written: its view,
// encoded again, is the payload.
func (d *Document) agree() error {
	again, err := encodeSized(d.signed, len(d.payload))
	if err != nil {
		return formatf("signed", "is not what go-tuf reads from it: %v", err)
	}
	if !bytes.Equal(again, d.payload) {
		return differs(d.payload, again)
	}
	return nil
}

// guard runs a piece of foreign code and turns a panic into an error.
func guard(run func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panicked: %v", p)
		}
	}()
	return run()
}

// Type is the document's _type: a delegated role has type targets.
func (d *Document) Type() string { return d.kind }

// Version is the document's version, at least 1.
func (d *Document) Version() int64 { return d.version }

// Expires is when clients stop accepting the document.
func (d *Document) Expires() time.Time { return d.expires }

// Payload returns the canonical bytes that signatures are over. Do not show them and do not change them.
func (d *Document) Payload() []byte { return slices.Clip(d.payload) }

// Digest is the SHA-256 of the payload.
func (d *Document) Digest() Digest { return d.digest }

// Bytes returns the whole file as it was read or, after Attach, with only the
// signatures rewritten: the bytes of "signed" never change.
func (d *Document) Bytes() []byte { return []byte(d.src) }

// Signatures lists the envelope's signatures in file order, places that are
// still empty included.
func (d *Document) Signatures() []Signature {
	all := make([]Signature, len(d.entries))
	for i, e := range d.entries {
		all[i] = Signature{e.KeyID, slices.Clone(e.Sig)}
	}
	return all
}

// Practice reports whether the document is marked as made in a rehearsal.
func (d *Document) Practice() bool { return d.practice }

// Root returns the typed view of a root, or nil for another type. It must not be changed.
func (d *Document) Root() *metadata.RootType { return view[metadata.RootType](d) }

// Targets is like Root for targets and delegated roles.
func (d *Document) Targets() *metadata.TargetsType { return view[metadata.TargetsType](d) }

// Snapshot is like Root for a snapshot.
func (d *Document) Snapshot() *metadata.SnapshotType { return view[metadata.SnapshotType](d) }

// Timestamp is like Root for a timestamp.
func (d *Document) Timestamp() *metadata.TimestampType { return view[metadata.TimestampType](d) }

func view[T any](d *Document) *T {
	v, _ := d.signed.(*T)
	return v
}

// Keys returns the public keys that the document lists: of a root, or of the
// delegations of a targets document. The result is the caller's.
func (d *Document) Keys() map[string]Key { return maps.Clone(d.keys) }

// Holders returns who holds which key according to a root, or to targets that delegate: keyid → holder.
// Keys that only tuf-on-ci names an owner of have that owner. The result is the caller's.
func (d *Document) Holders() map[string]Holder { return maps.Clone(d.holders) }

// Title names the document in a sentence: "root 5".
func (d *Document) Title() string { return title(d.kind, d.version) }

func title(role string, version int64) string { return fmt.Sprintf("%s %d", role, version) }

// verify checks one signature by k, hashing the payload once for all keys.
func (d *Document) verify(k Key, sig []byte) error {
	switch k.hash() {
	case crypto.SHA256:
		return k.check(d.digest[:], sig)
	case crypto.SHA384:
		return k.check(d.sha384(), sig)
	}
	return k.check(d.payload, sig)
}
