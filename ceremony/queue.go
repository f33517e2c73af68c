package ceremony

import (
	"fmt"
	"slices"

	"conclave/ceremony/tuf"
)

// Queued puts somebody who came too late for this draft on the list for the
// next one. What is frozen does not change, and nobody's signature is lost.
type Queued struct {
	Holder string   `json:"holder"`
	Roles  []string `json:"roles"`
	Reason string   `json:"reason"`
}

// Kind names the event.
func (Queued) Kind() string { return "queued" }

func (e Queued) apply(s *State) error {
	if err := checkName(e.Holder); err != nil {
		return s.ruleErr("holder", err)
	}
	if err := checkText("the reason", e.Reason); err != nil {
		return s.ruleErr("queue", err)
	}
	if len(e.Roles) == 0 || slices.ContainsFunc(e.Roles, func(role string) bool { return role != tuf.Root && role != tuf.Targets }) {
		return s.rule("queue", fmt.Sprintf("%s is to join %q", e.Holder, e.Roles), "Name the roles: root, targets, or both.")
	}
	if i, err := s.find(e.Holder); err == nil && !s.people[i].leaving && !slices.ContainsFunc(e.Roles, func(role string) bool { return !slices.Contains(s.people[i].roles, role) }) {
		return s.rule("queue", fmt.Sprintf("%s is in this draft already", s.people[i].name), "")
	}
	if slices.ContainsFunc(s.queue, func(q Queued) bool { return samePerson(q.Holder) == samePerson(e.Holder) }) {
		return s.rule("queue", fmt.Sprintf("%s is on the list already", e.Holder), "")
	}
	s.queue = append(slices.Clone(s.queue), e)
	return nil
}

// Queue puts somebody on the list for the next draft.
func (s *Session) Queue(holder string, roles []string, reason string) error {
	return s.step("put "+holder+" on the list for the next draft", Queued{Holder: holder, Roles: roles, Reason: reason})
}

// Queued lists who joins with the next draft, as PlanRotation takes them.
func (s State) Queued() []Joining {
	var all []Joining
	for _, q := range s.queue {
		all = append(all, Joining{Name: q.Holder, Roles: slices.Clone(q.Roles)})
	}
	return all
}
