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

// A Tally says how far a document is for one requirement. It counts people, where clients
// count keys: two tokens of one person count once, and so the threshold is that many people.
// Only where fewer people than that hold keys of the role do further keys of theirs fill the gap.
type Tally struct {
	Requirement Requirement
	Signers     []Signer
	Signed      int      // people who signed; a key that nobody is named for is somebody of its own
	Keys        int      // distinct keys that signed, by SPKI: what clients count
	Missing     int      // how many more people must sign; 0 is complete
	Warnings    []string // two keys on one token, two tokens of one person
	spare       int      // further keys of people who signed that still count
}

// Complete reports whether the threshold is met.
func (t Tally) Complete() bool { return t.Missing == 0 && t.Requirement.Threshold > 0 }

// Count says how many have signed: "2 of 3", or with more than are needed "3 signatures, 2 needed".
func (t Tally) Count() string {
	if t.Signed <= t.Requirement.Threshold {
		return fmt.Sprintf("%d of %d", t.Signed, t.Requirement.Threshold)
	}
	return fmt.Sprintf("%d signatures, %d needed", t.Signed, t.Requirement.Threshold)
}

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
	all, keys, people := map[string]bool{}, map[Digest]bool{}, map[string]bool{}
	holders := r.holders()
	for _, k := range r.Keys {
		s := Signer{Key: k, Holder: r.Holders[k.ID], Signed: checks.signed(k)}
		all[holders[k.SPKI]] = true
		if s.Signed {
			keys[k.SPKI], people[holders[k.SPKI]] = true, true
		}
		t.Signers = append(t.Signers, s)
	}
	// A threshold below 1 is met by nobody at all, so it is never met here.
	need := max(1, r.Threshold)
	gap := max(0, need-len(all)) // what people alone can never meet
	extra := len(keys) - len(people)
	t.Keys, t.Signed = len(keys), len(people)+min(extra, gap)
	t.spare = max(0, gap-extra)
	t.Missing = max(0, need-t.Signed)
	t.Warnings = warnings(t.Signers)
	return t
}

// holders says who holds each key: a person by the name in its common form, or
// the key itself where nobody is named.
func (r Requirement) holders() map[Digest]string {
	who := map[Digest]string{}
	for _, k := range r.Keys {
		if name := r.Holders[k.ID].Name; name != "" && who[k.SPKI] == "" {
			who[k.SPKI] = "person " + sameName(name)
		}
	}
	for _, k := range r.Keys {
		if who[k.SPKI] == "" {
			who[k.SPKI] = "key " + k.SPKI.Hex()
		}
	}
	return who
}

// CountedBy is the key by which the holder of s counts already, where s itself would add nothing.
func (t Tally) CountedBy(s Signer) (Signer, bool) {
	if s.Holder.Name == "" || s.Signed || t.spare > 0 {
		return Signer{}, false
	}
	i := slices.IndexFunc(t.Signers, func(o Signer) bool {
		return o.Signed && o.Key.SPKI != s.Key.SPKI && samePerson(o.Holder.Name, s.Holder.Name)
	})
	if i < 0 {
		return Signer{}, false
	}
	return t.Signers[i], true
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
		w = append(w, fmt.Sprintf("two of the signatures are by one person, %s (tokens %d and %d), who counts once",
			a.Holder.Name, a.Holder.Serial, b.Holder.Serial))
	}
	return w
}

// samePerson compares names as people do: without regard to case and spacing.
func samePerson(a, b string) bool {
	return sameName(a) == sameName(b)
}

// sameName is the form in which two spellings of one name are equal.
func sameName(name string) string {
	return strings.ToLower(strings.ToUpper(strings.Join(strings.Fields(name), " ")))
}

// met reports whether every tally is complete in the eyes of somebody.
func met(tallies []Tally, by func(Tally) bool) bool {
	return len(tallies) > 0 && !slices.ContainsFunc(tallies, func(t Tally) bool { return !by(t) })
}

// byKeys is how clients count (TUF 5.3.4: a threshold of keys).
func byKeys(t Tally) bool { return t.Requirement.Threshold > 0 && t.Keys >= t.Requirement.Threshold }
