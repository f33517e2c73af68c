package tuf

import (
	"fmt"
	"slices"
	"strings"
)

// A Signer is one key of a requirement and what it has done.
type Signer struct {
	Key    Key
	Holder Holder // zero where the root names nobody
	Signed bool
}

// A Tally says how far a document is for one requirement. Distinct keys are counted by SPKI.
type Tally struct {
	Requirement Requirement
	Signers     []Signer
	Signed      int      // distinct keys that signed
	Missing     int      // how many more must sign; 0 is complete
	Warnings    []string // two keys on one token, two tokens of one person
}

// Complete reports whether the threshold is met.
func (t Tally) Complete() bool { return t.Missing == 0 && t.Requirement.Threshold > 0 }

// Count verifies every signature on doc and tallies each requirement. It
// verifies a signature at most once for each distinct key.
func Count(doc *Document, reqs []Requirement) []Tally {
	checks := newChecker(doc)
	tallies := make([]Tally, len(reqs))
	for i, r := range reqs {
		tallies[i] = tally(checks, r)
	}
	return tallies
}

func tally(checks *checker, r Requirement) Tally {
	t := Tally{Requirement: r}
	counted := map[Digest]bool{}
	for _, k := range r.Keys {
		s := Signer{Key: k, Holder: r.Holders[k.ID], Signed: checks.signed(k)}
		if s.Signed {
			counted[k.SPKI] = true
		}
		t.Signers = append(t.Signers, s)
	}
	t.Signed = len(counted)
	// A threshold below 1 is met by nobody at all, so it is never met here.
	t.Missing = max(0, max(1, r.Threshold)-t.Signed)
	t.Warnings = warnings(t.Signers)
	return t
}

// A checker remembers which keys signed a document.
type checker struct {
	doc   *Document
	sigs  map[string][]byte
	known map[checked]bool
}

// A checked names one check: a key and the entry that it was tried on.
type checked struct {
	spki  Digest
	keyid string
}

func newChecker(doc *Document) *checker {
	c := &checker{doc: doc, sigs: map[string][]byte{}, known: map[checked]bool{}}
	for _, e := range doc.entries {
		c.sigs[e.KeyID] = e.Sig
	}
	return c
}

// signed reports whether the entry under the key's keyid verifies with it.
func (c *checker) signed(k Key) bool {
	sig := c.sigs[k.ID]
	if len(sig) == 0 {
		return false
	}
	what := checked{k.SPKI, k.ID}
	ok, done := c.known[what]
	if !done {
		ok = c.doc.verify(k, sig) == nil
		c.known[what] = ok
	}
	return ok
}

// warnings names what a count of keys does not show: that two of those who
// signed are one key, sit on one token or belong to one person.
func warnings(signers []Signer) []string {
	var w []string
	for i, s := range signers {
		for _, earlier := range signers[:i] {
			if s.Key.SPKI == earlier.Key.SPKI {
				w = append(w, fmt.Sprintf("keyids %s and %s are one public key; it counts once",
					shortKeyID(earlier.Key.ID), shortKeyID(s.Key.ID)))
				continue
			}
			if !s.Signed || !earlier.Signed {
				continue
			}
			w = append(w, shared(earlier, s)...)
		}
	}
	return w
}

// shared says what two keys that both signed have in common.
func shared(a, b Signer) []string {
	var w []string
	if a.Holder.Serial != 0 && a.Holder.Serial == b.Holder.Serial {
		w = append(w, fmt.Sprintf("two of the keys that signed sit on one token, %d", a.Holder.Serial))
	}
	if a.Holder.Name != "" && samePerson(a.Holder.Name, b.Holder.Name) {
		w = append(w, fmt.Sprintf("two of the signatures are by one person, %s (tokens %d and %d)",
			a.Holder.Name, a.Holder.Serial, b.Holder.Serial))
	}
	return w
}

// samePerson compares names as people do: without regard to case and spacing.
func samePerson(a, b string) bool {
	return strings.EqualFold(strings.Join(strings.Fields(a), " "), strings.Join(strings.Fields(b), " "))
}

// complete reports whether every tally is.
func complete(tallies []Tally) bool {
	return len(tallies) > 0 && !slices.ContainsFunc(tallies, func(t Tally) bool { return !t.Complete() })
}
