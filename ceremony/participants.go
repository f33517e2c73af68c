package ceremony

import (
	"fmt"
	"slices"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// A Presence says whether somebody is in the room.
type Presence string

// Unknown until the roll call has asked.
const (
	Unknown Presence = "unknown"
	Here    Presence = "here"
	Away    Presence = "away"
)

// A Participant is one holder and how far they are.
type Participant struct {
	Name     string
	Roles    []string // roles of the new root that their keys are in
	Leaving  bool     // only the old root knows them
	Presence Presence
	Serials  []uint32 // of their tokens, as far as known
	Enrolled bool     // no key must be made for them at this ceremony, or all are made
	Backup   bool     // the next key to be made for them is their backup
	Made     []uint32 // tokens that made a key for them here, in order
	Backups  []uint32 // those of Serials that are backups
	Reviewed bool     // has read exactly the frozen payloads
}

// Participants lists everybody whose key counts, or will count, for a document
// of this ceremony, in the bundle's order.
func (s State) Participants() []Participant {
	list := make([]Participant, 0, len(s.people))
	for _, p := range s.people {
		serials := slices.Clone(p.serials)
		if p.brought != 0 && !slices.Contains(serials, p.brought) {
			serials = append(serials, p.brought)
		}
		list = append(list, Participant{
			Name:     p.name,
			Roles:    slices.Clone(p.roles),
			Leaving:  p.leaving,
			Presence: p.presence,
			Serials:  serials,
			Enrolled: len(p.toMake) == 0,
			Backup:   len(p.toMake) > 0 && p.toMake[0].Backup,
			Made:     p.madeOn(),
			Backups:  slices.Clone(p.backups),
			Reviewed: p.reviewed,
		})
	}
	return list
}

// A person is a participant as the state knows them. Its slices and maps are
// replaced, never changed.
type person struct {
	name     string
	roles    []string
	leaving  bool
	presence Presence
	serials  []uint32                 // of tokens that the root lists, or that made a key here
	brought  uint32                   // the token they came with, as the roll call heard; 0 for none
	keys     []tuf.Key                // a key that the old and the new root list under two keyids stands here twice
	toMake   []transfer.PlannedHolder // keys that must still be made for them, in order
	made     []madeKey                // at this ceremony
	backups  []uint32                 // serials of their tokens whose keys are backups
	reviewed bool
	approved map[uint32]map[string]string // serial → role → digest
}

func (p person) is(name string) bool { return samePerson(p.name) == samePerson(name) }

func (p person) hasKey(spki tuf.Digest) bool {
	return slices.ContainsFunc(p.keys, func(k tuf.Key) bool { return k.SPKI == spki })
}

// madeOn lists the tokens that made a key for p here.
func (p person) madeOn() []uint32 {
	var serials []uint32
	for _, m := range p.made {
		serials = append(serials, m.evidence.Serial)
	}
	return serials
}

// find gives the place of a person, or the rule that there must be one of that name.
func (s State) find(name string) (int, error) {
	i := slices.IndexFunc(s.people, func(p person) bool { return p.is(name) })
	if i < 0 {
		return 0, s.rule("holder", fmt.Sprintf("%q holds no key that counts in this ceremony", name),
			"Only keyholders of the bundle's roles take part; others can be named as witnesses when it is closed.")
	}
	return i, nil
}

// findHere is find for what only people in the room can do.
func (s State) findHere(name string) (int, error) {
	i, err := s.find(name)
	if err != nil {
		return 0, err
	}
	if s.people[i].presence != Here {
		return 0, s.rule("roll call", fmt.Sprintf("%s is not in the room", s.people[i].name),
			"Record the arrival first.")
	}
	return i, nil
}

// change replaces one person, in a copy of the list.
func (s *State) change(i int, f func(*person)) {
	s.people = slices.Clone(s.people)
	f(&s.people[i])
}

// ownerOf is the person whose token has the serial, by the root or by a key made here.
func (s State) ownerOf(serial uint32) (person, bool) {
	i := slices.IndexFunc(s.people, func(p person) bool { return slices.Contains(p.serials, serial) })
	if serial == 0 || i < 0 {
		return person{}, false
	}
	return s.people[i], true
}

// broughtBy is the person who came with the token, as the roll call heard.
func (s State) broughtBy(serial uint32) (person, bool) {
	i := slices.IndexFunc(s.people, func(p person) bool { return p.brought == serial })
	if serial == 0 || i < 0 {
		return person{}, false
	}
	return s.people[i], true
}

// holderOf is the person whose key it is.
func (s State) holderOf(spki tuf.Digest) (person, bool) {
	i := slices.IndexFunc(s.people, func(p person) bool { return p.hasKey(spki) })
	if i < 0 {
		return person{}, false
	}
	return s.people[i], true
}

// planned lists the people of a plan: those of the root to come, then those
// whose keys go and must sign once more.
func planned(b *transfer.Bundle) []person {
	plan, trusted := b.Plan, b.TrustedRoot()
	var people []person
	sit := func(k tuf.Key, h tuf.Holder, root, targets bool) {
		var i int
		people, i = withKey(people, k, h)
		people[i].sit(root, targets)
	}
	if trusted != nil {
		keys, holders := trusted.Keys(), trusted.Holders()
		for _, k := range plan.Rotation.Keep {
			sit(keys[k.KeyID], holders[k.KeyID], k.Root, k.Targets)
		}
		for _, k := range plan.Rotation.Join {
			sit(k.Key, tuf.Holder{Name: k.Holder, Serial: k.Serial, Purpose: purposeOf(k.Backup)}, k.Root, k.Targets)
		}
	}
	for _, h := range plan.Holders {
		i := slices.IndexFunc(people, func(p person) bool { return p.is(h.Name) })
		if i < 0 {
			i = len(people)
			people = append(people, person{name: h.Name, presence: Unknown})
		}
		people[i].toMake = append(people[i].toMake, h)
		people[i].sit(h.Root, h.Targets)
	}
	if trusted != nil {
		keys, holders := trusted.Keys(), trusted.Holders()
		for _, id := range trusted.Root().Roles[tuf.Root].KeyIDs {
			sit(keys[id], holders[id], false, false)
		}
	}
	for i := range people {
		people[i].leaving = len(people[i].roles) == 0
	}
	return people
}

// sit gives a person roles of the root to come.
func (p *person) sit(root, targets bool) {
	var roles []string
	if root || slices.Contains(p.roles, tuf.Root) {
		roles = append(roles, tuf.Root)
	}
	if targets || slices.Contains(p.roles, tuf.Targets) {
		roles = append(roles, tuf.Targets)
	}
	p.roles = roles
}

// holders lists the people whose keys count for documents: those of the new
// root first, then those whom only the old one knows.
func holders(documents []document, newRoot *tuf.Document) []person {
	var people []person
	for _, d := range documents {
		for _, r := range slices.Backward(d.requirements()) { // a root's own keys come after the old root's
			for _, k := range r.Keys {
				people, _ = withKey(people, k, r.Holders[k.ID])
			}
		}
	}
	for i := range people {
		people[i].roles = rolesOf(people[i], newRoot)
		people[i].leaving = onlyOldRoot(people[i], documents)
	}
	return people
}

// withKey adds a key to the person it belongs to: the one who has it already
// under another keyid, the one of the same name, or a new one. It returns that person's place.
func withKey(people []person, k tuf.Key, h tuf.Holder) ([]person, int) {
	name := h.Name
	if name == "" {
		name = shortKeyID(k.ID)
	}
	i := slices.IndexFunc(people, func(p person) bool { return p.hasKey(k.SPKI) })
	if i < 0 {
		i = slices.IndexFunc(people, func(p person) bool { return p.is(name) })
	}
	if i < 0 {
		i = len(people)
		people = append(people, person{name: name, presence: Unknown})
	}
	p := &people[i]
	if !slices.ContainsFunc(p.keys, func(have tuf.Key) bool { return have.ID == k.ID && have.SPKI == k.SPKI }) {
		p.keys = append(p.keys, k)
	}
	if h.Serial != 0 && !slices.Contains(p.serials, h.Serial) {
		p.serials = append(p.serials, h.Serial)
		if h.Purpose == backup {
			p.backups = append(p.backups, h.Serial)
		}
	}
	return people, i
}

// shortKeyID names a key that belongs to nobody.
func shortKeyID(id string) string {
	if len(id) > 8 {
		id = id[:8]
	}
	return "key " + id
}

// rolesOf lists the roles of root that p's keys are in.
func rolesOf(p person, root *tuf.Document) []string {
	if root == nil || root.Root() == nil {
		return nil
	}
	var roles []string
	for _, role := range []string{tuf.Root, tuf.Targets} {
		r := root.Root().Roles[role]
		if r != nil && slices.ContainsFunc(p.keys, func(k tuf.Key) bool { return slices.Contains(r.KeyIDs, k.ID) }) {
			roles = append(roles, role)
		}
	}
	return roles
}

// onlyOldRoot reports whether p signs only because the old root wants it.
func onlyOldRoot(p person, documents []document) bool {
	for _, d := range documents {
		reqs := d.requirements()
		for i, r := range reqs {
			old := d.role == tuf.Root && len(reqs) == 2 && i == 0
			if !old && slices.ContainsFunc(r.Keys, func(k tuf.Key) bool { return p.hasKey(k.SPKI) }) {
				return false
			}
		}
	}
	return true
}
