package ceremony

import (
	"fmt"
	"slices"
	"strings"

	"conclave/ceremony/preflight"
	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// Purposes of a key in x-conclave-holders.
const (
	primary = "primary"
	backup  = "backup"
)

func purposeOf(isBackup bool) string {
	if isBackup {
		return backup
	}
	return primary
}

// CheckHolders is the name of the check for people who hold several keys.
const CheckHolders = "holders"

// A holding says what the keys of one role mean where people hold several of
// them. Clients count keys; Conclave counts people.
type holding struct {
	role      string
	threshold int
	keys      int
	names     []string       // of the people, in order; a key that nobody is named for is somebody of its own
	each      map[string]int // keys by person, in the form of samePerson
}

// holdingOf counts the seats of a role.
func holdingOf(role string, threshold int, seats []seat) holding {
	h := holding{role: role, threshold: threshold, each: map[string]int{}}
	for _, s := range seats {
		if !s.sits(role) {
			continue
		}
		h.keys++
		if h.each[samePerson(s.name)]++; h.each[samePerson(s.name)] == 1 {
			h.names = append(h.names, s.name)
		}
	}
	return h
}

// several names the people with more than one key.
func (h holding) several() []string {
	return slices.DeleteFunc(slices.Clone(h.names), func(n string) bool { return h.each[samePerson(n)] < 2 })
}

// single names the people with one key: nothing stands in for their token.
func (h holding) single() []string {
	return slices.DeleteFunc(slices.Clone(h.names), func(n string) bool { return h.each[samePerson(n)] > 1 })
}

// alone names the people whose keys alone are enough for clients, although more
// than one key is asked for. A threshold of 1 is another matter.
func (h holding) alone() []string {
	if h.threshold < 2 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(h.names), func(n string) bool { return h.each[samePerson(n)] < h.threshold })
}

// fewest is how many people can meet the threshold in the eyes of clients: those with the most keys.
func (h holding) fewest() int {
	var counts []int
	for _, n := range h.each {
		counts = append(counts, n)
	}
	slices.Sort(counts)
	keys, people := 0, 0
	for _, n := range slices.Backward(counts) {
		if keys < h.threshold {
			keys, people = keys+n, people+1
		}
	}
	return people
}

// sentence states the power honestly: what clients accept, and what Conclave asks for.
func (h holding) sentence() string {
	var held []string
	for _, n := range h.several() {
		held = append(held, fmt.Sprintf("%s holds %s", n, countWord(h.each[samePerson(n)])))
	}
	return fmt.Sprintf("%s asks for %s; to clients any %d of its %d keys are enough, and %s",
		h.role, peopleCounted(h.threshold), h.threshold, h.keys, both(held))
}

func peopleCounted(n int) string {
	if n == 1 {
		return "one person"
	}
	return countWord(n) + " people"
}

// checkAlone refuses a plan in which one person alone could sign for clients.
func checkAlone(accepted bool, holdings ...holding) error {
	if accepted {
		return nil
	}
	for _, h := range holdings {
		if names := h.alone(); len(names) > 0 {
			return planf(fmt.Sprintf("Raise the threshold above %d, keep the backup out of %s, or plan it with --accept-one-person: the ceremony then stops until people put the exception on record.",
				h.threshold, h.role), "%s could sign %s alone: clients count keys, not people, and %d keys are enough", either(names), h.role, h.threshold)
		}
	}
	return nil
}

// holdings are those of root and targets that the ceremony puts in force.
func (s State) holdings() []holding {
	return holdingsOf(s.bundle)
}

func holdingsOf(b *transfer.Bundle) []holding {
	if p := b.Plan; p != nil {
		seats := plannedSeats(b)
		return []holding{holdingOf(tuf.Root, p.RootThreshold, seats), holdingOf(tuf.Targets, p.TargetsThreshold, seats)}
	}
	root := b.Document(tuf.Root)
	if root == nil || root.Root() == nil {
		return nil
	}
	var all []holding
	for _, role := range []string{tuf.Root, tuf.Targets} {
		if r := root.Root().Roles[role]; r != nil {
			all = append(all, holdingOf(role, r.Threshold, seatsOf(root)))
		}
	}
	return all
}

// Holdings says in sentences what it means that people hold several keys of what a
// bundle puts in force; empty where nobody does.
func Holdings(b *transfer.Bundle) []string {
	var lines []string
	for _, h := range holdingsOf(b) {
		if len(h.several()) > 0 {
			lines = append(lines, capital(h.sentence())+".")
		}
	}
	return lines
}

// checkHolders looks for people whose several keys count for more with clients than they do.
func (s State) checkHoldings() (preflight.Check, bool) {
	c := preflight.Check{Name: CheckHolders, Status: preflight.Note, Fix: "plan it again with a higher threshold or without that backup, or decide to go on with it"}
	var stops, notes []string
	for _, h := range s.holdings() {
		switch alone := h.alone(); {
		case len(h.several()) == 0:
			continue
		case len(alone) > 0:
			stops = append(stops, fmt.Sprintf("%s can sign %s alone in the eyes of clients", either(alone), h.role))
		case len(h.names) < h.threshold:
			stops = append(stops, fmt.Sprintf("%s needs %d keys and only %s hold any", h.role, h.threshold, peopleCounted(len(h.names))))
		}
		if single := h.single(); h.role == tuf.Root && len(h.names) == h.threshold && len(single) > 0 {
			stops = append(stops, fmt.Sprintf("root needs all of its %s: one lost token of %s ends the repository", peopleCounted(len(h.names)), either(single)))
		}
		notes = append(notes, h.sentence())
		if n := h.fewest(); n < h.threshold {
			notes = append(notes, fmt.Sprintf("stolen from %s, both tokens included, %d keys would be enough for %s", peopleCounted(n), h.threshold, h.role))
		}
	}
	if len(notes) == 0 {
		return c, false
	}
	c.Text, c.Detail = strings.Join(notes[:1], ""), notes[1:]
	if len(stops) > 0 {
		c.Status, c.Text, c.Detail = preflight.Stop, strings.Join(stops, "; "), notes
		return c, true
	}
	c.Fix = ""
	return c, true
}
