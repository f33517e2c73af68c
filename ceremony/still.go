package ceremony

import (
	"fmt"
	"slices"
	"strings"

	"conclave/ceremony/tuf"
)

// Still says in sentences what would complete each requirement: "One more of
// Erin or Frank completes root 4's keys." It is empty when nothing is missing.
func (s State) Still() []string {
	var lines []string
	var open []gap
	for _, d := range s.documents {
		for _, t := range d.tallies {
			if !t.Complete() {
				g := newGap(d, t)
				open = append(open, g)
				lines = append(lines, g.sentence())
			}
		}
	}
	if names := completeAll(open); len(names) > 0 {
		lines = append(lines, fmt.Sprintf("%s alone completes %s.", either(names), bothOrAll(len(open))))
	}
	if absent, all := s.mustCome(open); len(all) > 0 {
		lines = append(lines, fmt.Sprintf("Not enough keyholders are here: %s must come.", both(all)))
	} else if len(absent) > 0 {
		lines = append(lines, fmt.Sprintf("Not enough keyholders are here: %s must come.", either(absent)))
	}
	return lines
}

// A gap is a requirement that is not met, and whose signatures could meet it.
type gap struct {
	name    string
	missing int
	may     []string // names, each person once
}

func newGap(d document, t tuf.Tally) gap {
	g := gap{name: requirementName(d, t.Requirement), missing: t.Missing}
	for _, s := range t.Signers {
		name := s.Holder.Name
		if name == "" {
			name = shortKeyID(s.Key.ID)
		}
		same := func(n string) bool { return samePerson(n) == samePerson(name) }
		_, counted := t.CountedBy(s)
		if !s.Signed && !counted && !slices.ContainsFunc(g.may, same) {
			g.may = append(g.may, name)
		}
	}
	return g
}

// requirementName says which keys must sign which document.
func requirementName(d document, r tuf.Requirement) string {
	if d.role == tuf.Root {
		return r.Name
	}
	return fmt.Sprintf("%s %d", d.role, d.version)
}

func (g gap) sentence() string {
	switch {
	case len(g.may) < g.missing:
		who := "nobody"
		if len(g.may) > 0 {
			who = "only " + both(g.may)
		}
		return fmt.Sprintf("%s cannot be completed: %s missing, and %s could still sign.", capital(g.name), isAre(g.missing), who)
	case len(g.may) == g.missing && g.missing == 1:
		return fmt.Sprintf("%s completes %s.", g.may[0], g.name)
	case len(g.may) == g.missing:
		return fmt.Sprintf("%s together complete %s.", both(g.may), g.name)
	case g.missing == 1:
		return fmt.Sprintf("One more of %s completes %s.", either(g.may), g.name)
	}
	return fmt.Sprintf("%s more of %s complete %s.", capital(countWord(g.missing)), either(g.may), g.name)
}

// completeAll names the people whose one visit meets every gap, where there is more than one.
func completeAll(open []gap) []string {
	if len(open) < 2 {
		return nil
	}
	var names []string
	for _, name := range open[0].may {
		all := !slices.ContainsFunc(open, func(g gap) bool { return g.missing != 1 || !containsPerson(g.may, name) })
		if all {
			names = append(names, name)
		}
	}
	return names
}

// mustCome names people who are away and could close a gap that those who are here
// cannot, and of them those without whom one stays open.
func (s State) mustCome(open []gap) (some, all []string) {
	for _, g := range open {
		here := 0
		var away []string
		for _, name := range g.may {
			i, err := s.find(name)
			if err == nil && s.people[i].presence == Here {
				here++
			} else {
				away = append(away, name)
			}
		}
		if here >= g.missing || len(g.may) < g.missing {
			continue
		}
		for _, name := range away {
			if !containsPerson(some, name) {
				some = append(some, name)
			}
			if here+len(away) == g.missing && !containsPerson(all, name) {
				all = append(all, name)
			}
		}
	}
	return some, all
}

func containsPerson(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return samePerson(n) == samePerson(name) })
}

func bothOrAll(n int) string {
	if n == 2 {
		return "both"
	}
	return fmt.Sprintf("all %s", countWord(n))
}

// either joins names with or, both with and.
func either(names []string) string { return join(names, "or") }
func both(names []string) string   { return join(names, "and") }

func join(names []string, word string) string {
	switch n := len(names); n {
	case 0:
		return "nobody"
	case 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], ", ") + " " + word + " " + names[n-1]
	}
}

var countWords = []string{"none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"}

func countWord(n int) string {
	if n >= 0 && n < len(countWords) {
		return countWords[n]
	}
	return fmt.Sprint(n)
}

func isAre(n int) string {
	if n == 1 {
		return "one signature is"
	}
	return countWord(n) + " signatures are"
}

func capital(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
