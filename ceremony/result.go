package ceremony

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// A result is what can be worked out of a bundle at some cost. It is worked out
// once, when somebody first asks; states share it.
type result struct {
	verify func() (*transfer.Complete, error)
	file   func() ([]byte, error)
}

// newResult is about b as it is exported: with the head of the record that confirmed it.
func newResult(b *transfer.Bundle, anchor *tuf.Document, head transfer.RecordHead) *result {
	return &result{
		verify: sync.OnceValues(func() (*transfer.Complete, error) { return verify(b, anchor) }),
		file: sync.OnceValues(func() ([]byte, error) {
			out := *b
			if head.Entries > 0 {
				out.Record = &head
			}
			return out.Bytes()
		}),
	}
}

// A built draft is worked out once as well: by the session, which writes it
// down, and the rules, which hold what was written against it.
type built struct {
	bundle *transfer.Bundle
	frozen []FrozenDocument
}

func newDraft(s State) func() (built, error) {
	return sync.OnceValues(func() (built, error) {
		b, frozen, err := s.draft()
		return built{b, frozen}, err
	})
}

// verify proves that b is complete, and plays a client that trusts anchor: it
// walks the roots one by one (TUF 5.3) and checks each document with the newest.
func verify(b *transfer.Bundle, anchor *tuf.Document) (*transfer.Complete, error) {
	if anchor == nil {
		anchor = b.Document(tuf.Root)
	}
	complete, err := b.Verify(anchor)
	if err != nil {
		return nil, err
	}
	chain, err := tuf.NewChain(complete.Chain().First())
	if err != nil {
		return nil, fmt.Errorf("play a client: %w", err)
	}
	for _, root := range complete.Chain().Roots()[1:] {
		if chain, err = chain.Extend(root); err != nil {
			return nil, fmt.Errorf("play a client: %w", err)
		}
	}
	if root := b.Document(tuf.Root); root != nil && chain.Latest().Digest() != root.Digest() {
		return nil, fmt.Errorf("play a client: it ends at root %d, not at the bundle's root %d", chain.Latest().Version(), root.Version())
	}
	return complete, nil
}

// Verdict works out what Confirm would say now, in sentences: what a client
// will make of the bundle, or what is still missing.
func (s State) Verdict(now time.Time) (verdict []string, complete bool, err error) {
	if len(s.documents) == 0 {
		return nil, false, s.rule("order", "nothing is frozen yet", "")
	}
	if !s.Complete() {
		return s.partialVerdict(), false, nil
	}
	proof, err := s.result.verify()
	if err != nil {
		return nil, false, s.ruleErr("verify", err)
	}
	for _, d := range s.documents {
		verdict = append(verdict, d.sentence())
	}
	verdict = append(verdict, s.clientSentences(proof)...)
	verdict = append(verdict, s.liveSentences()...)
	for _, d := range s.bundle.Documents {
		verdict = append(verdict, expirySentence(d, now))
	}
	verdict = append(verdict, s.At(now).timeMachine()...)
	if at := s.Declared(); !at.IsZero() {
		verdict = append(verdict, fmt.Sprintf("It answers the compromise that was %s.", Since(at, now)))
	}
	return append(verdict, "Nothing is missing: it can be published."), true, nil
}

func (s State) partialVerdict() []string {
	verdict := []string{"Not complete: no client accepts it yet."}
	for _, d := range s.documents {
		verdict = append(verdict, d.sentence())
	}
	return append(verdict, s.Still()...)
}

// sentence says how far one document is.
func (d document) sentence() string {
	parts := make([]string, 0, len(d.tallies))
	for _, t := range d.tallies {
		count := t.Count()
		if t.Signed > t.Requirement.Threshold {
			count += ","
		}
		parts = append(parts, fmt.Sprintf("%s by %s", count, t.Requirement.Name))
	}
	return fmt.Sprintf("%s %d is signed: %s.", capital(d.role), d.version, strings.Join(parts, ", "))
}

// clientSentences say who will accept the result.
func (s State) clientSentences(proof *transfer.Complete) []string {
	first, latest, names := proof.Chain().First(), proof.Chain().Latest(), titleOf(s.bundle)
	switch {
	case len(s.bundle.Base.Roots) == 0:
		return []string{
			fmt.Sprintf("A client that is given root %d accepts %s.", first.Version(), names),
			fmt.Sprintf("Root %d is %s.", first.Version(), first.Digest()),
		}
	case latest.Version() == first.Version():
		return []string{fmt.Sprintf("A client that trusts root %d accepts %s.", first.Version(), names)}
	}
	return []string{fmt.Sprintf("A client that trusts root %d walks to root %d and accepts %s.", first.Version(), latest.Version(), names)}
}

// liveSentences say what becomes of the live targets where only the root changes: whose signatures on them count from
// then on. Where the bundle does not hold them, that is left to the publisher.
func (s State) liveSentences() []string {
	next, trusted := s.bundle.Document(tuf.Root), s.bundle.TrustedRoot()
	if next == nil || trusted == nil || s.bundle.Document(tuf.Targets) != nil {
		return nil
	}
	live := s.bundle.Base.Document(tuf.Targets)
	if live == nil {
		return []string{fmt.Sprintf("The live targets are not in this bundle: that clients take them with root %d is proved when it is published.", next.Version())}
	}
	before, now := signersOf(live, trusted), signersOf(live, next)
	said := fmt.Sprintf("Targets %d stay as they are: %d of their signatures count with root %d, which wants %d.",
		live.Version(), len(now), next.Version(), next.Root().Roles[tuf.Targets].Threshold)
	var gone []string
	for id, name := range before {
		if _, counts := now[id]; !counts {
			gone = append(gone, name)
		}
	}
	if len(gone) > 0 {
		slices.Sort(gone)
		said += fmt.Sprintf(" What the key of %s signed counts no more.", both(gone))
	}
	return []string{said}
}

// signersOf names whose signatures on targets count with a root, by keyid.
func signersOf(targets, root *tuf.Document) map[string]string {
	reqs, err := tuf.Requirements(tuf.Targets, targets, nil, root)
	if err != nil {
		return nil
	}
	names := map[string]string{}
	for _, signer := range tuf.Count(targets, reqs)[0].Signers {
		if signer.Signed {
			names[signer.Key.ID] = cmp.Or(signer.Holder.Name, shortKeyID(signer.Key.ID))
		}
	}
	return names
}

func expirySentence(d transfer.Document, now time.Time) string {
	expires := d.Metadata.Expires().UTC()
	name := fmt.Sprintf("%s %d", capital(d.Role), d.Metadata.Version())
	if !expires.After(now) {
		return fmt.Sprintf("%s expired on %s.", name, expires.Format(time.DateOnly))
	}
	return fmt.Sprintf("%s expires on %s, in %s.", name, expires.Format(time.DateOnly), span(expires.Sub(now)))
}

// counted is a number of things: "1 day", "2 days".
func counted(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// span is a length of time in the words that people use.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return counted(int(d/(24*time.Hour)), "day")
	case d >= 2*time.Hour:
		return counted(int(d/time.Hour), "hour")
	case d >= 2*time.Minute:
		return counted(int(d/time.Minute), "minute")
	}
	return counted(int(d/time.Second), "second")
}
