package ceremony

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// A Need is one threshold that a bundle must meet, and who can help to meet it.
type Need struct {
	Role      string
	Name      string // "root 4's keys", "root 5's keys", "targets keys of root 5"
	Threshold int
	Missing   int // signatures that are not there yet
	Keys      []NeedKey
	Text      string // the same in a sentence
	version   int64  // of the document
}

// A NeedKey is one key of a need.
type NeedKey struct {
	KeyID  string // empty where the key is still to be made
	Holder string // a short keyid where nobody is named
	Serial uint32 // 0 where the token is not known
	New    bool   // it is made at the ceremony
	Backup bool   // the second key of its holder, who counts once
	Signed bool
}

// A Sitting says who must meet for a bundle, and what goes on until they do.
type Sitting struct {
	Needs    []Need
	Power    []tuf.Power // who can sign for each role before and after; empty where no root is part of it
	MustCome []string    // nobody can stand in for them
	Enough   []string    // the smallest company that completes everything, those who must come included
	Gone     []string    // keys that could sign and are said to be out of reach
	Text     []string    // all of it in sentences, in the order in which people ask
}

// Needs lists every threshold of a bundle in signing order: of a draft, or of a
// plan whose keys are still to be made.
func Needs(b *transfer.Bundle) ([]Need, error) {
	if b.Plan != nil {
		return planNeeds(b), nil
	}
	var needs []Need
	for _, d := range b.Documents {
		doc, err := newDocument(b, d.Role)
		if err != nil {
			return nil, err
		}
		for _, t := range doc.tallies {
			n := Need{Role: d.Role, Name: t.Requirement.Name, Threshold: t.Requirement.Threshold, Missing: t.Missing}
			for _, s := range t.Signers {
				n.Keys = append(n.Keys, NeedKey{KeyID: s.Key.ID, Holder: cmp.Or(s.Holder.Name, shortKeyID(s.Key.ID)), Serial: s.Holder.Serial, Signed: s.Signed, Backup: s.Holder.Purpose == backup})
			}
			needs = append(needs, n.worded(doc.version))
		}
	}
	return needs, nil
}

// planNeeds are the needs of documents that do not exist yet.
func planNeeds(b *transfer.Bundle) []Need {
	var needs []Need
	version, trusted := int64(1), b.TrustedRoot()
	if trusted != nil {
		version = trusted.Version() + 1
		need := trusted.Root().Roles[tuf.Root]
		n := Need{Role: tuf.Root, Name: trusted.Title() + "'s keys", Threshold: need.Threshold, Missing: need.Threshold}
		for _, s := range seatsOf(trusted) {
			if s.root {
				n.Keys = append(n.Keys, NeedKey{KeyID: s.key.ID, Holder: s.name, Serial: s.holder.Serial, Backup: s.backup})
			}
		}
		needs = append(needs, n.worded(version))
	}
	next := Need{Role: tuf.Root, Name: fmt.Sprintf("root %d's keys", version), Threshold: b.Plan.RootThreshold, Missing: b.Plan.RootThreshold}
	targets := Need{Role: tuf.Targets, Name: fmt.Sprintf("targets keys of root %d", version), Threshold: b.Plan.TargetsThreshold, Missing: b.Plan.TargetsThreshold}
	signed, people := map[string]bool{}, []string{}
	if doc := signedIn(b, tuf.Targets); doc != nil {
		for _, sig := range doc.Signatures() {
			signed[sig.KeyID] = true
		}
	}
	for _, s := range plannedSeats(b) {
		k := NeedKey{KeyID: s.key.ID, Holder: s.name, Serial: s.holder.Serial, New: s.made, Backup: s.backup}
		if s.root {
			next.Keys = append(next.Keys, k)
		}
		if s.targets {
			k.Signed = !s.made && signed[s.key.ID]
			targets.Keys = append(targets.Keys, k)
		}
		if k.Signed && !containsPerson(people, k.Holder) {
			people = append(people, k.Holder)
			targets.Missing = max(0, targets.Missing-1)
		}
	}
	needs = append(needs, next.worded(version))
	if name := titleOfPlan(b); strings.Contains(name, "targets") {
		at := int64(1)
		if current := b.Base.Document(tuf.Targets); current != nil {
			at = max(current.Version(), b.Base.Seen[tuf.Targets]) + 1
		}
		needs = append(needs, targets.worded(at))
	}
	return needs
}

// plannedSeats are the keys of the root that a plan will make.
func plannedSeats(b *transfer.Bundle) []seat {
	var seats []seat
	if r, trusted := b.Plan.Rotation, b.TrustedRoot(); r != nil && trusted != nil {
		keys, holders := trusted.Keys(), trusted.Holders()
		for _, k := range r.Keep {
			seats = append(seats, seat{
				name: cmp.Or(holders[k.KeyID].Name, shortKeyID(k.KeyID)), key: keys[k.KeyID], holder: holders[k.KeyID], root: k.Root, targets: k.Targets,
				backup: holders[k.KeyID].Purpose == backup,
			})
		}
		for _, k := range r.Join {
			seats = append(seats, seat{name: k.Holder, key: k.Key, holder: tuf.Holder{Name: k.Holder, Serial: k.Serial}, root: k.Root, targets: k.Targets, backup: k.Backup})
		}
	}
	for _, h := range b.Plan.Holders {
		seats = append(seats, seat{name: h.Name, made: true, root: h.Root, targets: h.Targets, backup: h.Backup})
	}
	return seats
}

// worded gives a need its sentence. It speaks of people: one with two tokens comes once.
func (n Need) worded(version int64) Need {
	n.version = version
	var signed, may []string
	for i, k := range n.Keys {
		again := slices.ContainsFunc(n.Keys[:i], func(o NeedKey) bool { return samePerson(o.Holder) == samePerson(k.Holder) })
		switch {
		case n.hasSigned(k.Holder) && !containsPerson(signed, k.Holder):
			signed = append(signed, k.Holder)
		case !n.hasSigned(k.Holder) && !again:
			may = append(may, n.label(k))
		}
	}
	keys := n.Name
	if n.Role != tuf.Root {
		keys = "its keys"
	}
	what := fmt.Sprintf("%s %d", capital(n.Role), version)
	switch {
	case n.Missing == 0:
		n.Text = fmt.Sprintf("%s has all signatures that it needs by %s: %s.", what, keys, both(signed))
	case len(signed) > 0:
		n.Text = fmt.Sprintf("%s needs %s more by %s: of %s. Signed already: %s.", what, countWord(n.Missing), keys, either(may), both(signed))
	case n.Missing >= len(may):
		n.Text = fmt.Sprintf("%s needs signatures by %s: of %s, all of them.", what, keys, both(may))
	default:
		n.Text = fmt.Sprintf("%s needs %s by %s: any %s of %s.", what, counted(n.Missing, "signature"), keys, countWord(n.Missing), both(may))
	}
	return n
}

// hasSigned reports whether any key of a person has signed.
func (n Need) hasSigned(name string) bool {
	return slices.ContainsFunc(n.Keys, func(k NeedKey) bool { return k.Signed && samePerson(k.Holder) == samePerson(name) })
}

// label names a person by all their tokens: "Ann (1111 or backup 2222)".
func (n Need) label(first NeedKey) string {
	var tokens []string
	for _, k := range n.Keys {
		if t := k.token(); t != "" && samePerson(k.Holder) == samePerson(first.Holder) {
			tokens = append(tokens, t)
		}
	}
	if len(tokens) == 0 {
		return first.Holder
	}
	return fmt.Sprintf("%s (%s)", first.Holder, either(tokens))
}

// token says which token it is, "" where nobody knows.
func (k NeedKey) token() string {
	var words []string
	if k.New {
		words = append(words, "new")
	}
	if k.Backup {
		words = append(words, backup)
	}
	switch {
	case k.New:
		words = append(words, "token")
	case k.Serial != 0:
		words = append(words, fmt.Sprint(k.Serial))
	}
	return strings.Join(words, " ")
}

// maxSearched is up to how many people the smallest company is searched for; beyond, one person is added after the other.
const maxSearched = 16

// PlanSitting works out who must come for a bundle, and says it. Keys of the trusted root that absent
// names, by holder or keyid, cannot sign: somebody who brings a new token comes with that one alone.
func PlanSitting(b *transfer.Bundle, now time.Time, absent ...string) (*Sitting, error) {
	needs, err := Needs(b)
	if err != nil {
		return nil, err
	}
	s := &Sitting{Needs: needs, Power: powers(b, now)}
	if len(absent) > 0 && b.TrustedRoot() != nil {
		s.without(goneKeys(b.TrustedRoot(), absent))
	}
	if b.Plan != nil {
		for _, h := range b.Plan.Holders {
			s.MustCome = append(s.MustCome, h.Name) // nobody else can make their key
		}
	}
	s.company()
	s.word(b, now)
	return s, nil
}

// goneKeys are the keyids of a root's keys that names say.
func goneKeys(root *tuf.Document, names []string) []string {
	var ids []string
	for _, s := range seatsOf(root) {
		if slices.ContainsFunc(names, s.is) {
			ids = append(ids, s.key.ID)
		}
	}
	return ids
}

// without takes keys that cannot sign any more out of every need.
func (s *Sitting) without(ids []string) {
	for i, n := range s.Needs {
		n.Keys = slices.DeleteFunc(n.Keys, func(k NeedKey) bool {
			gone := !k.Signed && slices.Contains(ids, k.KeyID)
			if label := (Need{Keys: []NeedKey{k}}).label(k); gone && !slices.Contains(s.Gone, label) {
				s.Gone = append(s.Gone, label)
			}
			return gone
		})
		s.Needs[i] = n.worded(n.version)
	}
}

// powers says who can do what before and after; nil where no root changes.
func powers(b *transfer.Bundle, now time.Time) []tuf.Power {
	if b.Plan == nil {
		root := b.Document(tuf.Root)
		if root == nil {
			return nil
		}
		diff, err := tuf.Compare(b.TrustedRoot(), root, now)
		if err != nil {
			return nil
		}
		return diff.Power
	}
	before := tuf.Quorums(b.TrustedRoot())
	power := func(role string, threshold int) tuf.Power {
		seats, after := plannedSeats(b), tuf.Quorum{Threshold: threshold}
		h := holdingOf(role, threshold, seats)
		for _, s := range seats {
			if s.sits(role) {
				after.Names = append(after.Names, s.powerName(len(before) > 0, h.each[samePerson(s.name)] > 1))
			}
		}
		slices.Sort(after.Names)
		return tuf.Power{Role: role, Before: before[role], After: after}
	}
	return []tuf.Power{power(tuf.Root, b.Plan.RootThreshold), power(tuf.Targets, b.Plan.TargetsThreshold)}
}

// powerName is what tuf.Quorums will call a key: by its holder, and by more where they have several.
func (s seat) powerName(rotation, several bool) string {
	switch {
	case s.made && s.backup:
		return s.name + " (new backup token)"
	case s.made && (rotation || several):
		return s.name + " (new token)"
	case several && s.backup:
		return fmt.Sprintf("%s (backup %d)", s.name, s.holder.Serial)
	case several:
		return fmt.Sprintf("%s (token %d)", s.name, s.holder.Serial)
	}
	return s.name
}

// company finds who must come, and the smallest company that is enough.
func (s *Sitting) company() {
	var people []string
	for _, n := range s.Needs {
		for _, k := range n.Keys {
			if !k.Signed && n.Missing > 0 && !containsPerson(people, k.Holder) {
				people = append(people, k.Holder)
			}
		}
	}
	for _, name := range people {
		without := slices.DeleteFunc(slices.Clone(people), func(n string) bool { return n == name })
		if !containsPerson(s.MustCome, name) && !s.enough(without) && s.enough(people) {
			s.MustCome = append(s.MustCome, name)
		}
	}
	if !s.enough(people) {
		return // Still says what cannot be completed
	}
	s.Enough = s.smallest(people)
}

// smallest searches by size where that is quick.
func (s *Sitting) smallest(people []string) []string {
	others := slices.DeleteFunc(slices.Clone(people), func(n string) bool { return containsPerson(s.MustCome, n) })
	if len(others) > maxSearched {
		company := slices.Clone(s.MustCome)
		for _, name := range others {
			if !s.enough(company) {
				company = append(company, name)
			}
		}
		return company
	}
	var best []string
	for set := range uint32(1) << len(others) {
		if best != nil && len(s.MustCome)+bits.OnesCount32(set) >= len(best) {
			continue
		}
		company := slices.Clone(s.MustCome)
		for i, name := range others {
			if set&(1<<i) != 0 {
				company = append(company, name)
			}
		}
		if s.enough(company) {
			best = company
			if best == nil {
				best = []string{}
			}
		}
	}
	return best
}

// enough reports whether these people can complete every need.
func (s *Sitting) enough(people []string) bool {
	return !slices.ContainsFunc(s.Needs, func(n Need) bool {
		var can []string
		for _, k := range n.Keys {
			if !k.Signed && containsPerson(people, k.Holder) && !containsPerson(can, k.Holder) {
				can = append(can, k.Holder)
			}
		}
		return len(can) < n.Missing
	})
}

func (s *Sitting) word(b *transfer.Bundle, now time.Time) {
	for _, n := range s.Needs {
		s.Text = append(s.Text, n.Text)
	}
	if len(s.Gone) > 0 {
		s.Text = append(s.Text, fmt.Sprintf("Not counted, because they cannot sign: %s.", both(s.Gone)))
	}
	if len(s.MustCome) > 0 {
		s.Text = append(s.Text, fmt.Sprintf("Nobody can stand in for %s.", both(s.MustCome)))
	}
	switch {
	case len(s.Enough) > 0:
		s.Text = append(s.Text, fmt.Sprintf("%s enough: %s.", capital(peopleAre(len(s.Enough))), both(s.Enough)))
	case !s.enough(s.Enough):
		s.Text = append(s.Text, "The keys that are left cannot complete it.")
	}
	for _, p := range s.Power {
		if !p.Before.Equal(p.After) {
			s.Text = append(s.Text, fmt.Sprintf("From then on %s can sign %s; before, %s.", p.After, p.Role, p.Before))
		}
	}
	s.Text = append(s.Text, orderOf(b, len(s.Gone) > 0)...)
	s.Text = append(s.Text, meanwhile(b, now)...)
}

func peopleAre(n int) string {
	if n == 1 {
		return "one person is"
	}
	return countWord(n) + " people are"
}

// orderOf says what comes after what.
func orderOf(b *transfer.Bundle, someGone bool) []string {
	var lines []string
	if b.Plan != nil {
		old := "the old tokens"
		if someGone {
			old = "the old tokens that are left"
		}
		lines = append(lines, fmt.Sprintf("The new keys are made first; then everything is frozen, read and signed. Bring %s as well.", old))
	}
	if strings.Contains(titleOf(b), " + ") {
		lines = append(lines, "Each token signs root first, then the others; they are published together or not at all.")
	}
	return lines
}

// meanwhile says what still works until the bundle is published.
func meanwhile(b *transfer.Bundle, now time.Time) []string {
	trusted := b.TrustedRoot()
	if trusted == nil {
		return nil
	}
	var lines []string
	if left := trusted.Expires().Sub(now); left > 0 {
		lines = append(lines, fmt.Sprintf("Until it is published everything goes on with %s, which expires on %s, in %s.",
			trusted.Title(), trusted.Expires().UTC().Format(time.DateOnly), span(left)))
	} else {
		lines = append(lines, fmt.Sprintf("%s expired on %s: clients stand still until this is published.", capital(trusted.Title()), trusted.Expires().UTC().Format(time.DateOnly)))
	}
	if !b.RootAlone() {
		lines = append(lines, "Release nothing until then: targets that are published in between make this bundle stale.")
	} else {
		lines = append(lines, "Releases go on meanwhile.")
	}
	return lines
}
