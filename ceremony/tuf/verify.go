package tuf

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Verified is proof that a document met every requirement. Only Verify makes one.
type Verified struct {
	doc     *Document
	tallies []Tally
}

// Document returns what was verified.
func (v *Verified) Document() *Document { return v.doc }

// Tallies returns how each requirement was met.
func (v *Verified) Tallies() []Tally { return v.tallies }

// A ThresholdError says which signatures a document still lacks.
type ThresholdError struct {
	Document string // "root 5"
	Tallies  []Tally
}

// Error says how far each requirement is.
func (e *ThresholdError) Error() string {
	parts := make([]string, len(e.Tallies))
	for i, t := range e.Tallies {
		parts[i] = fmt.Sprintf("%s %s", t.Requirement.Name, t.Count())
	}
	return fmt.Sprintf("verify %s: signatures are missing: %s", e.Document, strings.Join(parts, ", "))
}

// Hint says who may still sign.
func (e *ThresholdError) Hint() string {
	var parts []string
	for _, t := range e.Tallies {
		if t.Complete() {
			continue
		}
		var names []string
		for _, s := range t.Signers {
			if !s.Signed {
				names = append(names, t.Requirement.holderName(s.Key))
			}
		}
		parts = append(parts, fmt.Sprintf("%s: %s must sign", t.Requirement.Name, moreOf(t.Missing, names)))
	}
	return strings.Join(parts, "; ")
}

// A DisagreementError says that our own count is complete and go-tuf still
// refuses the document, so that clients built on it would.
type DisagreementError struct {
	Document    string
	Requirement string
	Err         error // go-tuf's

	hint string
}

// Error names both opinions.
func (e *DisagreementError) Error() string {
	return fmt.Sprintf("verify %s for %s: enough signatures verify, but go-tuf refuses it: %v", e.Document, e.Requirement, e.Err)
}

// Unwrap returns go-tuf's error.
func (e *DisagreementError) Unwrap() error { return e.Err }

// Hint says why that can be.
func (e *DisagreementError) Hint() string { return e.hint }

// errNothingAsked is returned where no requirement was given: that proves nothing.
var errNothingAsked = errors.New("no requirement says who must sign it")

// Verify checks that doc meets every requirement as a client sees it, which counts keys: by our
// own count and by go-tuf's VerifyDelegate. The error is a *ThresholdError where signatures are missing.
func Verify(doc *Document, reqs []Requirement) (*Verified, error) { return verify(doc, reqs, byKeys) }

// VerifyPeople is Verify for what is about to be published: every threshold must be met by that many
// people. Two tokens of one person, which clients count as two, count once.
func VerifyPeople(doc *Document, reqs []Requirement) (*Verified, error) {
	return verify(doc, reqs, Tally.Complete)
}

func verify(doc *Document, reqs []Requirement, by func(Tally) bool) (*Verified, error) {
	if doc == nil {
		return nil, errors.New("verify metadata: there is no document")
	}
	if len(reqs) == 0 {
		return nil, fmt.Errorf("verify %s: %w", doc.Title(), errNothingAsked)
	}
	tallies := Count(doc, reqs)
	if !met(tallies, by) {
		return nil, &ThresholdError{doc.Title(), tallies}
	}
	delegated := doc.envelope()
	for _, r := range reqs {
		if _, ok := doc.agreed.Load(r.fingerprint()); ok {
			continue
		}
		if err := verifyDelegate(r, delegated); err != nil {
			return nil, &DisagreementError{doc.Title(), r.Name, err, whyRefused(r)}
		}
		doc.agreed.Store(r.fingerprint(), true)
	}
	return &Verified{doc, tallies}, nil
}

// Recall notes that go-tuf has found reqs met by these very bytes before, as a caller knows who keeps the hash of what it
// verified. Verify counts as ever; it is go-tuf's opinion, a hundred times slower, that it does not ask for again.
func (d *Document) Recall(reqs []Requirement) {
	for _, r := range reqs {
		d.agreed.Store(r.fingerprint(), true)
	}
}

// fingerprint says all of a requirement that go-tuf's opinion depends on. Neither it nor a document ever changes, and go-tuf
// spells a document anew each time that it is asked: it is asked once.
func (r Requirement) fingerprint() [32]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%q %d\n", r.Role, r.Threshold)
	for _, k := range r.Keys {
		object := k.Metadata()
		fmt.Fprintf(h, "%q %q %q %q\n", k.ID, object.Type, object.Scheme, object.Value.PublicKey)
	}
	return [32]byte(h.Sum(nil))
}

// verifyDelegate asks go-tuf for its own opinion, with a root that holds
// nothing but the requirement.
func verifyDelegate(r Requirement, delegated any) error {
	keys := make(map[string]*metadata.Key, len(r.Keys))
	ids := make([]string, len(r.Keys))
	for i, k := range r.Keys {
		keys[k.ID], ids[i] = k.Metadata(), k.ID
	}
	by := &metadata.Metadata[metadata.RootType]{Signed: metadata.RootType{
		Keys:  keys,
		Roles: map[string]*metadata.Role{r.Role: {KeyIDs: ids, Threshold: r.Threshold}},
	}}
	return guard(func() error { return by.VerifyDelegate(r.Role, delegated) })
}

// whyRefused looks for a key of a kind that go-tuf does not know: one of them
// makes it refuse the role outright, even when the others meet the threshold.
func whyRefused(r Requirement) string {
	for _, k := range r.Keys {
		switch object := k.Metadata(); object.Type {
		case typeECDSA, typeP256, typeEd25519, typeRSA:
		default:
			return fmt.Sprintf("the role lists %s with keytype %q, which go-tuf does not know; one such key makes it refuse the whole role: "+
				"plan a root that lists this key as %q", shortKeyID(k.ID), object.Type, k.Type)
		}
	}
	return "do not publish it: clients built on go-tuf would refuse it"
}

// envelope returns the document as go-tuf's type for VerifyDelegate, without
// the entries that are empty.
func (d *Document) envelope() any {
	sigs := make([]metadata.Signature, 0, len(d.entries))
	for _, e := range d.entries {
		if len(e.Sig) > 0 {
			sigs = append(sigs, metadata.Signature{KeyID: e.KeyID, Signature: e.Sig})
		}
	}
	switch v := d.signed.(type) {
	case *metadata.RootType:
		return &metadata.Metadata[metadata.RootType]{Signed: *v, Signatures: sigs}
	case *metadata.TargetsType:
		return &metadata.Metadata[metadata.TargetsType]{Signed: *v, Signatures: sigs}
	case *metadata.SnapshotType:
		return &metadata.Metadata[metadata.SnapshotType]{Signed: *v, Signatures: sigs}
	case *metadata.TimestampType:
		return &metadata.Metadata[metadata.TimestampType]{Signed: *v, Signatures: sigs}
	}
	return nil
}
