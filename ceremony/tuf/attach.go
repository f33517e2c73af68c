package tuf

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// ErrStranger is returned where a signature comes from a key that has no say
// over the document.
var ErrStranger = errors.New("it is a key of none of the roles that must sign this")

// An AttachError says why a signature was not attached. The document is as it was.
type AttachError struct {
	Document string // "root 5"
	KeyID    string
	Err      error // ErrStranger, ErrSignature or another

	hint string
}

// Error names the document and the key.
func (e *AttachError) Error() string {
	return fmt.Sprintf("attach signature to %s by %s: %v", e.Document, shortKeyID(e.KeyID), e.Err)
}

// Unwrap returns the reason.
func (e *AttachError) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *AttachError) Hint() string { return e.hint }

// Attach verifies sig by the key keyid over doc's payload and returns doc with
// that signature, replacing one by the same keyid. It refuses a key that is in none of the requirements.
// Entries by keys of the requirements that do not verify, empty ones among them, are
// dropped on the way: no file that is written here holds a dead signature. Its
// errors are of type *AttachError.
func Attach(doc *Document, reqs []Requirement, keyid string, sig []byte) (*Document, error) {
	known := false
	for _, r := range reqs {
		k, ok := r.find(keyid)
		if !ok {
			continue
		}
		known = true
		// One keyid may name two keys, the old root's and the new root's: a
		// signature must then verify with both.
		if err := doc.verify(k, sig); err != nil {
			return nil, &AttachError{
				doc.Title(), keyid, err,
				"nothing was changed; sign again, and look whether the token holds the key that this document lists",
			}
		}
	}
	if !known {
		return nil, &AttachError{
			doc.Title(), keyid, ErrStranger,
			"nothing was changed; this token may sign another document, or belong to an older root",
		}
	}
	entries := slices.DeleteFunc(living(doc, reqs), func(e entry) bool { return e.KeyID == keyid })
	if len(entries) >= MaxSignatures {
		return nil, &AttachError{
			doc.Title(), keyid, fmt.Errorf("it has %d signatures already", len(entries)),
			"drop the signatures that are not needed first",
		}
	}
	entries = append(entries, entry{Signature: Signature{keyid, slices.Clone(sig)}})
	return doc.with(entries), nil
}

// living returns doc's entries without those that are known to be dead: empty,
// or by a key of reqs and not verifying.
func living(doc *Document, reqs []Requirement) []entry {
	checks := newChecker(doc)
	var alive []entry
	for _, e := range doc.entries {
		if len(e.Sig) == 0 {
			continue
		}
		if known, good := judge(checks, reqs, e.KeyID); good || !known {
			alive = append(alive, e)
		}
	}
	return alive
}

// judge reports whether a keyid is one of the requirements', and whether the
// entry under it verifies with such a key.
func judge(checks *checker, reqs []Requirement, keyid string) (known, good bool) {
	for _, r := range reqs {
		if k, ok := r.find(keyid); ok {
			known = true
			good = good || checks.signed(k)
		}
	}
	return known, good
}

// Clean returns doc without every signature that is by no key of reqs or does not
// verify, and the signatures that were dropped.
func Clean(doc *Document, reqs []Requirement) (*Document, []Signature) {
	checks := newChecker(doc)
	var kept []entry
	var dropped []Signature
	for _, e := range doc.entries {
		if _, good := judge(checks, reqs, e.KeyID); good {
			kept = append(kept, e)
		} else {
			dropped = append(dropped, Signature{e.KeyID, slices.Clone(e.Sig)})
		}
	}
	if len(dropped) == 0 {
		return doc, nil
	}
	return doc.with(kept), dropped
}

// Unsigned returns doc without any signature.
func Unsigned(doc *Document) *Document { return doc.with(nil) }

// with returns d with other signatures. Only the value of "signatures" is
// written anew, in the layout that the file has.
func (d *Document) with(entries []entry) *Document {
	entries = slices.Clone(entries)
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.KeyID, b.KeyID) })
	indent, pretty := indentAt(d.src, d.list.start)
	var b strings.Builder
	b.WriteByte('[')
	for i := range entries {
		if i > 0 {
			b.WriteByte(',')
		}
		newline(&b, pretty, indent+indent)
		writeEntry(&b, entries[i], pretty, indent)
	}
	if len(entries) > 0 {
		newline(&b, pretty, indent)
	}
	b.WriteByte(']')

	next := *d
	next.src = d.src[:d.list.start] + b.String() + d.src[d.list.end:]
	next.list.end = d.list.start + b.Len()
	next.entries, next.agreed = entries, new(sync.Map)
	return &next
}

// writeEntry writes one signature: as it was read, or in our form.
func writeEntry(b *strings.Builder, e entry, pretty bool, indent string) {
	if e.text != "" {
		b.WriteString(e.text)
		return
	}
	keyid, err := json.Marshal(e.KeyID)
	if err != nil { // a string always marshals
		keyid = []byte(`""`)
	}
	b.WriteByte('{')
	newline(b, pretty, indent+indent+indent)
	b.WriteString(`"keyid":`)
	if pretty {
		b.WriteByte(' ')
	}
	b.Write(keyid)
	b.WriteByte(',')
	newline(b, pretty, indent+indent+indent)
	b.WriteString(`"sig":`)
	if pretty {
		b.WriteByte(' ')
	}
	b.WriteString(`"` + hex.EncodeToString(e.Sig) + `"`)
	newline(b, pretty, indent+indent)
	b.WriteByte('}')
}

func newline(b *strings.Builder, pretty bool, indent string) {
	if pretty {
		b.WriteByte('\n')
		b.WriteString(indent)
	}
}

// indentAt looks how the file is laid out at the name before offset: what
// white space begins its line, and whether it begins one at all.
func indentAt(src string, offset int) (string, bool) {
	line := src[strings.LastIndexByte(src[:offset], '\n')+1 : offset]
	indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	if len(line) == offset || len(indent) > 8 || !strings.HasPrefix(line[len(indent):], `"`) {
		return "", false
	}
	return indent, true
}
