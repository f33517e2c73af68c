package ceremony

import (
	"fmt"
	"maps"
	"slices"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

func (e Frozen) apply(s *State) error {
	draft, err := s.drafted()
	if err != nil {
		return err
	}
	if err := s.checkPolicyOpen(); err != nil {
		return err
	}
	b, want := draft.bundle, draft.frozen
	if len(e.Documents) != len(want) {
		return s.rule("freeze", fmt.Sprintf("%d documents were frozen, the draft has %d", len(e.Documents), len(want)), "")
	}
	for i, d := range e.Documents {
		built := b.Document(want[i].Role).Bytes()
		if d.Role != want[i].Role || d.Digest != want[i].Digest || !slices.Equal(d.Dropped, want[i].Dropped) ||
			len(d.Metadata) > 0 && string(d.Metadata) != string(built) {
			return s.rule("freeze", fmt.Sprintf("the frozen %s is not what the draft says", d.Role), "")
		}
	}
	docs, err := newDocuments(b)
	if err != nil {
		return s.ruleErr("freeze", err)
	}
	s.bundle, s.documents, s.frozenAt, s.drafted = b, docs, s.clock, nil
	s.result = newResult(b, s.trusted(), s.head)
	s.dropped = droppedSentences(e.Documents, docs)
	s.step = StepReview
	return nil
}

// droppedSentences name the signatures that did not survive the freeze.
func droppedSentences(frozen []FrozenDocument, docs []document) []string {
	var lines []string
	for i, f := range frozen {
		for _, keyid := range f.Dropped {
			by := "key " + shortID(keyid)
			for _, t := range docs[i].tallies {
				if h := t.Requirement.Holders[keyid]; h.Name != "" {
					by = h.Name + "'s key " + shortID(keyid)
				}
			}
			lines = append(lines, fmt.Sprintf("A signature on %s %d by %s was dropped: it does not verify, or that key has no say.", f.Role, docs[i].version, by))
		}
	}
	return lines
}

// checkDigests wants the digests of frozen documents, of all of them or of at least one.
func (s State) checkDigests(digests map[string]string, all bool) error {
	for role, digest := range digests {
		d, ok := s.document(role)
		if !ok || d.digest.Hex() != digest {
			return s.rule("digest", fmt.Sprintf("the digest of %q is not the frozen one", role),
				"Something shows another document than the one that is signed. Sign nothing, and find out why.")
		}
	}
	if len(digests) == 0 || all && len(digests) != len(s.documents) {
		return s.rule("digest", fmt.Sprintf("%d of %d documents were read", len(digests), len(s.documents)), "Read all of them.")
	}
	return nil
}

func (e Reviewed) apply(s *State) error {
	i, err := s.findHere(e.Holder)
	if err != nil {
		return err
	}
	if err := s.checkDigests(e.Digests, true); err != nil {
		return err
	}
	s.change(i, func(p *person) { p.reviewed = true })
	return nil
}

func (e ReviewClosed) apply(s *State) error {
	readers := 0
	for _, p := range s.people {
		switch {
		case p.reviewed:
			readers++
		case p.presence == Here:
			return s.rule("review", fmt.Sprintf("%s is here and has not read what changes", p.name),
				"Everybody who is here reads to the end before anybody signs.")
		}
	}
	if readers == 0 {
		return s.rule("review", "nobody has read what changes", "At least one keyholder reads to the end.")
	}
	s.step = StepSign
	return nil
}

func (e Approved) apply(s *State) error {
	i, err := s.findHere(e.Holder)
	if err != nil {
		return err
	}
	if err := s.checkReviewed(i); err != nil {
		return err
	}
	if err := s.checkDigests(e.Digests, false); err != nil {
		return err
	}
	s.change(i, func(p *person) {
		roles := maps.Clone(p.approved[e.Serial])
		if roles == nil {
			roles = map[string]string{}
		}
		maps.Copy(roles, e.Digests)
		p.approved = with(p.approved, e.Serial, roles)
	})
	return nil
}

func (s State) checkReviewed(i int) error {
	if s.people[i].reviewed {
		return nil
	}
	return s.rule("review", fmt.Sprintf("%s has not read what changes", s.people[i].name),
		"Nobody signs what they have not read: review first.")
}

func (e SignBegun) apply(s *State) error {
	if err := s.checkOpen(); err != nil {
		return err
	}
	i, err := s.findHere(e.Holder)
	if err != nil {
		return err
	}
	if err := s.checkReviewed(i); err != nil {
		return err
	}
	d, ok := s.document(e.Role)
	if !ok || d.digest.Hex() != e.Digest {
		return s.checkDigests(map[string]string{e.Role: e.Digest}, false)
	}
	if s.people[i].approved[e.Serial][e.Role] != e.Digest {
		return s.rule("approval", fmt.Sprintf("%s has not approved %s %d with token %d", s.people[i].name, d.role, d.version, e.Serial),
			"Type the asked-for words first.")
	}
	if err := s.checkKey(s.people[i], d, e.KeyID); err != nil {
		return err
	}
	s.signing = with(s.signing, keyRole{e.KeyID, e.Role}, e.Serial)
	return nil
}

// checkKey says whether p's key keyid may sign d.
func (s State) checkKey(p person, d document, keyid string) error {
	k := slices.IndexFunc(p.keys, func(k tuf.Key) bool { return k.ID == keyid })
	if k < 0 {
		return s.rule("key", fmt.Sprintf("key %s is not %s's", shortID(keyid), p.name), "Use the holder's own token.")
	}
	claims := d.claims(p.keys[k].SPKI)
	i := slices.IndexFunc(claims, func(c claim) bool { return c.keyid == keyid })
	switch {
	case i < 0:
		return s.rule("key", fmt.Sprintf("%s's key is in no role that signs %s %d", p.name, d.role, d.version), "Use another token.")
	case claims[i].signed:
		return s.rule("signed", fmt.Sprintf("%s's key has signed %s %d already", p.name, d.role, d.version),
			"It counts once. Another keyholder must sign.")
	case !claims[i].open:
		return s.rule("signed", fmt.Sprintf("another key of %s counts for %s already", p.name, claims[i].another),
			"One person counts once. Another keyholder must sign.")
	}
	return nil
}

func shortID(keyid string) string {
	if len(keyid) > 8 {
		return keyid[:8]
	}
	return keyid
}

// checkSigning wants a token that was asked for exactly this signature.
func (s State) checkSigning(serial uint32, keyid, role string) error {
	if asked, ok := s.signing[keyRole{keyid, role}]; !ok || asked != serial {
		return s.rule("order", fmt.Sprintf("token %d was not asked to sign %s with key %s", serial, role, shortID(keyid)), "")
	}
	return nil
}

func (e Signed) apply(s *State) error {
	if err := s.checkSigning(e.Serial, e.KeyID, e.Role); err != nil {
		return err
	}
	i, err := s.find(e.Holder)
	if err != nil {
		return err
	}
	d, ok := s.document(e.Role)
	if !ok || d.digest.Hex() != e.Digest {
		return s.checkDigests(map[string]string{e.Role: e.Digest}, false)
	}
	if err := s.checkKey(s.people[i], d, e.KeyID); err != nil {
		return err
	}
	signed, err := tuf.Attach(s.bundle.Document(e.Role), d.requirements(), e.KeyID, e.Sig)
	if err != nil {
		return s.ruleErr("signature", err)
	}
	return e.attached(s, signed)
}

// attached puts the signed document in its place and counts it anew.
func (e Signed) attached(s *State, signed *tuf.Document) error {
	b := s.bundle.With(e.Role, signed)
	d, err := newDocument(b, e.Role)
	if err != nil {
		return s.ruleErr("signature", err)
	}
	s.bundle = b
	s.documents = slices.Clone(s.documents)
	s.documents[slices.IndexFunc(s.documents, func(d document) bool { return d.role == e.Role })] = d
	key := keyRole{e.KeyID, e.Role}
	s.signedAt = with(s.signedAt, key, s.clock)
	s.signing = without(s.signing, key)
	s.result = newResult(b, s.trusted(), s.head)
	return nil
}

func (e SignFailed) apply(s *State) error {
	if err := s.checkSigning(e.Serial, e.KeyID, e.Role); err != nil {
		return err
	}
	s.signing = without(s.signing, keyRole{e.KeyID, e.Role})
	return nil
}

func (e SigningClosed) apply(s *State) error {
	s.signing = nil
	s.step = StepConfirm
	return nil
}

func (e SigningReopened) apply(s *State) error {
	if s.Complete() {
		return s.rule("order", "no signature is missing", "Go on.")
	}
	s.head, s.writing = transfer.RecordHead{}, nil
	s.result = newResult(s.bundle, s.trusted(), s.head)
	s.step = StepSign
	return nil
}
