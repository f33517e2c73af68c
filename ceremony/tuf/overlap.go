package tuf

import (
	"fmt"
	"slices"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// An Overlap is a set of paths that clients ask of one role before another.
type Overlap struct {
	First   string // the role that is asked first; "targets" for the document itself
	Second  string // the role that is asked later, or never
	Pattern string // of the second role
	Example string // a path that both have; empty where none was found
	Ends    bool   // the search ends with First: Second is never asked for these paths
	Nothing bool   // Second gets nothing of Pattern
	Text    string // the same in one sentence
}

// maxOverlaps is how many overlaps are listed: a person reads no more, and a
// hostile document cannot ask for more work.
const maxOverlaps = 500

// maxLooks bounds how often a file or pattern is held against a role.
const maxLooks = 2_000_000

// Overlaps says which paths of delegated roles are asked of another role first.
// Only what a document says itself counts: a role further down can hold back
// paths too.
func Overlaps(targets *Document) []Overlap {
	if targets == nil || targets.Targets() == nil || targets.Targets().Delegations == nil {
		return nil
	}
	v := targets.Targets()
	o := &overlaps{search: search{maxSearches}, looks: maxLooks}
	o.own(v)
	o.roles(v.Delegations.Roles)
	return o.all
}

// overlaps gathers what Overlaps finds.
type overlaps struct {
	all    []Overlap
	search search
	looks  int // that are left
}

func (o *overlaps) add(l Overlap) {
	if len(o.all) < maxOverlaps {
		o.all = append(o.all, l)
	}
}

// own looks for files that the document lists itself: no role is asked for them.
func (o *overlaps) own(v *metadata.TargetsType) {
	shadowed := map[string][]string{}
	for _, path := range sortedNames(v.Targets) {
		if o.looks -= len(v.Delegations.Roles) + 1; o.looks < 0 {
			break
		}
		for _, r := range v.Delegations.GetRolesForTarget(path) {
			shadowed[r.Name] = append(shadowed[r.Name], path)
		}
	}
	for _, name := range sortedNames(shadowed) {
		paths := shadowed[name]
		verb := "is"
		if len(paths) > 1 {
			verb = "are"
		}
		o.add(Overlap{
			First: Targets, Second: name, Pattern: paths[0], Example: paths[0], Ends: true, Nothing: true,
			Text: fmt.Sprintf("%s %s listed by the document itself; '%s' is never asked for %s.", few(paths), verb, name, them(len(paths))),
		})
	}
}

func them(n int) string {
	if n == 1 {
		return "it"
	}
	return "them"
}

// A stretch is one pattern of a role.
type stretch struct {
	role string
	ends bool
	text string
	glob glob
}

// roles compares every pattern with those of the roles before it.
func (o *overlaps) roles(roles []metadata.DelegatedRole) {
	var before []stretch
	for _, r := range roles {
		var mine []stretch
		for _, p := range r.Paths {
			g, ok := parseGlob(p)
			if !ok {
				continue // Compat speaks of these
			}
			s := stretch{r.Name, r.Terminating, p, g}
			mine = append(mine, s)
			o.pattern(s, before)
		}
		before = append(before, mine...)
	}
}

// pattern says what of one pattern is asked of roles before its own.
func (o *overlaps) pattern(s stretch, before []stretch) {
	var ends []glob
	var enders []string
	single := false // one role alone takes all of it
	first := len(o.all)
	for _, b := range before {
		if o.looks--; o.looks < 0 || o.search.left < 0 {
			return
		}
		example, shared := o.search.overlap(b.glob, s.glob)
		if !shared {
			continue
		}
		l := Overlap{First: b.role, Second: s.role, Pattern: s.text, Example: example, Ends: b.ends}
		whole := o.search.covered(s.glob, []glob{b.glob})
		l.Nothing = b.ends && whole
		l.Text = l.sentence(b.text, whole)
		if b.ends {
			ends = append(ends, b.glob)
			if !slices.Contains(enders, b.role) {
				enders = append(enders, b.role)
			}
			single = single || whole
		}
		o.add(l)
	}
	if single || len(ends) < 2 || !o.search.covered(s.glob, ends) {
		return
	}
	for i := range o.all[min(first, len(o.all)):] {
		o.all[first+i].Nothing = true
	}
	o.add(Overlap{
		First: join(enders, "and"), Second: s.role, Pattern: s.text, Ends: true, Nothing: true,
		Text: fmt.Sprintf("Together %s take all of %s, and the search ends there; '%s' gets nothing of it.", quoted(enders), s.text, s.role),
	})
}

// sentence says an overlap of a pattern of the first role with the second's.
func (l Overlap) sentence(first string, whole bool) string {
	paths := l.Pattern
	switch {
	case whole:
	case l.Example == "":
		paths = fmt.Sprintf("What %s and %s may share", first, l.Pattern)
	default:
		paths = fmt.Sprintf("What %s and %s share, like %s,", first, l.Pattern, l.Example)
	}
	switch {
	case whole && l.Ends:
		return fmt.Sprintf("%s is asked of '%s' first and ends there; '%s' gets nothing of it.", paths, l.First, l.Second)
	case l.Ends:
		return fmt.Sprintf("%s is asked of '%s' first and ends there; '%s' gets the rest of %s.", paths, l.First, l.Second, l.Pattern)
	}
	return fmt.Sprintf("%s is asked of '%s' first; '%s' is asked for what '%s' does not list.", paths, l.First, l.Second, l.First)
}

func quoted(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = "'" + n + "'"
	}
	return join(q, "and")
}

// RolesFor lists the delegated roles that a client asks for a path, in its
// order, as far as targets itself says. A role that ends the search is the last.
func RolesFor(targets *Document, path string) []string {
	if targets == nil || targets.Targets() == nil || targets.Targets().Delegations == nil {
		return nil
	}
	v := targets.Targets()
	if v.Targets[path] != nil {
		return nil // it is listed here; nobody is asked
	}
	if s := v.Delegations.SuccinctRoles; s != nil {
		return []string{Bins{Prefix: s.NamePrefix, Bits: s.BitLength}.Role(path)}
	}
	var names []string
	for _, r := range v.Delegations.Roles {
		if !handsPath(r, path) {
			continue
		}
		names = append(names, r.Name)
		if r.Terminating {
			break
		}
	}
	return names
}

// maxSamples is how many patterns mostAsked looks at.
const maxSamples = 256

// mostAsked finds the pattern for whose paths the most roles are asked, as far
// as an example of each tells.
func mostAsked(roles []metadata.DelegatedRole) (pattern string, asked int) {
	if len(roles) <= maxDelegations {
		return "", 0
	}
	every := max(1, len(roles)/maxSamples)
	for i := 0; i < len(roles); i += every {
		if len(roles[i].Paths) == 0 {
			continue
		}
		g, ok := parseGlob(roles[i].Paths[0])
		if !ok {
			continue
		}
		example, n := g.example(), 0
		for _, r := range roles {
			if !handsPath(r, example) {
				continue
			}
			n++
			if r.Terminating {
				break
			}
		}
		if n > asked {
			pattern, asked = roles[i].Paths[0], n
		}
	}
	return pattern, asked
}
