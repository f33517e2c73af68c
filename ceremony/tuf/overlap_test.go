package tuf

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"pgregory.net/rapid"
)

// chainOf delegates to roles written like "alice! a/* b/*": the mark ends the search.
func chainOf(t testing.TB, files []string, roles ...string) *Document {
	t.Helper()
	var d Delegations
	for _, r := range roles {
		words := strings.Fields(r)
		name, ends := strings.CutSuffix(words[0], "!")
		role := handed(name, 1, words[1:], "Alice")
		role.Terminating = ends
		d.Roles = append(d.Roles, role)
	}
	var targets []TargetFile
	for _, f := range files {
		targets = append(targets, TargetFile{Path: f, Length: 1, SHA256: digestOf(f)})
	}
	return delegating(t, 1, nil, d, targets...)
}

func TestOverlapsSayWhoIsAskedFirst(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		roles []string
		want  []string
	}{
		"paths apart": {nil, []string{"alice! a/*", "bob b/*", "carol a/*/*"}, nil},
		"all of it ends": {
			nil,
			[]string{"alice! projects/a*", "bob projects/ab*"},
			[]string{"projects/ab* is asked of 'alice' first and ends there; 'bob' gets nothing of it."},
		},
		"all of it is asked of both": {
			nil,
			[]string{"alice projects/*", "bob projects/b*"},
			[]string{"projects/b* is asked of 'alice' first; 'bob' is asked for what 'alice' does not list."},
		},
		"a part ends": {
			nil,
			[]string{"alice! projects/a*", "bob projects/*"},
			[]string{"What projects/a* and projects/* share, like projects/a, is asked of 'alice' first and ends there; 'bob' gets the rest of projects/*."},
		},
		"a part is asked of both": {
			nil,
			[]string{"alice a*", "bob *z"},
			[]string{"What a* and *z share, like az, is asked of 'alice' first; 'bob' is asked for what 'alice' does not list."},
		},
		"several together": {
			nil,
			[]string{"alice! [a-m]*", "carol! [n-z]*", "bob [a-z]*"},
			[]string{
				"What [a-m]* and [a-z]* share, like a, is asked of 'alice' first and ends there; 'bob' gets the rest of [a-z]*.",
				"What [n-z]* and [a-z]* share, like n, is asked of 'carol' first and ends there; 'bob' gets the rest of [a-z]*.",
				"Together 'alice' and 'carol' take all of [a-z]*, and the search ends there; 'bob' gets nothing of it.",
			},
		},
		"files of the document itself": {
			[]string{"a/x", "a/y", "b"},
			[]string{"alice a/*"},
			[]string{"a/x and a/y are listed by the document itself; 'alice' is never asked for them."},
		},
	} {
		t.Run(name, func(t *testing.T) {
			all := Overlaps(chainOf(t, c.files, c.roles...))
			var got []string
			for _, o := range all {
				got = append(got, o.Text)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s", strings.Join(got, "\n"))
			}
			if len(all) > 0 && all[len(all)-1].Nothing != strings.Contains(got[len(got)-1], "nothing") && c.files == nil {
				t.Errorf("marked wrongly: %+v", all[len(all)-1])
			}
		})
	}
	if Overlaps(nil) != nil || Overlaps(threeOfFive(t, 1)) != nil || Overlaps(mustTargets(t, TargetsSpec{Version: 1, Expires: now})) != nil {
		t.Error("overlaps of nothing")
	}
}

func TestRolesForAPath(t *testing.T) {
	doc := chainOf(t, []string{"a/own"}, "alice a/*", "bob! a/b*", "carol a/*")
	for path, want := range map[string]string{
		"a/c": "alice carol", "a/bc": "alice bob", "a/own": "", "b": "", "a/b/c": "",
	} {
		if got := strings.Join(RolesFor(doc, path), " "); got != want {
			t.Errorf("%s is asked of %q, want %q", path, got, want)
		}
	}
	bins := delegating(t, 1, nil, Delegations{Bins: &Bins{"bin", 8, []HeldKey{who("Alice").held()}, 1}})
	if got := RolesFor(bins, "a"); len(got) != 1 || !strings.HasPrefix(got[0], "bin-") {
		t.Errorf("%v", got)
	}
	if RolesFor(nil, "a") != nil {
		t.Error("roles of nothing")
	}
}

// pattern draws patterns over few letters, so that they meet often.
func patterns(t *rapid.T, name string) string {
	part := rapid.StringOfN(rapid.SampledFrom([]rune("ab*?")), 1, 4, -1)
	parts := rapid.SliceOfN(part, 1, 2).Draw(t, name)
	p := strings.ReplaceAll(strings.Join(parts, "/"), "?", rapid.SampledFrom([]string{"?", "[ab]", "[a-c]", "[b-z]"}).Draw(t, name+" class"))
	for strings.Contains(p, "**") {
		p = strings.ReplaceAll(p, "**", "*")
	}
	return p
}

// Every short path over the letters that the patterns know, and one more.
func shortPaths() []string {
	var all []string
	for _, letters := range []string{"abcy"} {
		level := []string{""}
		for range 4 {
			var next []string
			for _, p := range level {
				for _, c := range letters {
					next = append(next, p+string(c))
				}
				if p != "" && !strings.HasSuffix(p, "/") {
					next = append(next, p+"/")
				}
			}
			all = append(all, next...)
			level = next
		}
	}
	return slices.DeleteFunc(all, func(p string) bool { return strings.HasSuffix(p, "/") })
}

// Our reading of patterns is go-tuf's; what two patterns share and what one
// covers is what trying all short paths finds.
func TestPatternsAreComparedAsClientsMatchThem(t *testing.T) {
	paths := shortPaths()
	rapid.Check(t, func(t *rapid.T) {
		one, two := patterns(t, "one"), patterns(t, "two")
		a, ok1 := parseGlob(one)
		b, ok2 := parseGlob(two)
		if !ok1 || !ok2 {
			t.Skip("not a pattern that is built")
		}
		theirs := func(p string) metadata.DelegatedRole { return metadata.DelegatedRole{Paths: []string{p}} }
		var share, escape string
		for _, p := range paths {
			inA, inB := handsPath(theirs(one), p), handsPath(theirs(two), p)
			if inA != a.matches(p) {
				t.Fatalf("%s matches %s: %v, go-tuf says %v", one, p, a.matches(p), inA)
			}
			if inA && inB {
				share = p
			}
			if inB && !inA {
				escape = p
			}
		}
		s := &search{maxSearches}
		example, shared := s.overlap(a, b)
		if share != "" && !shared {
			t.Fatalf("%s and %s share %s, which was not found", one, two, share)
		}
		if shared && !(handsPath(theirs(one), example) && handsPath(theirs(two), example)) {
			t.Fatalf("%s and %s do not share %s", one, two, example)
		}
		if all := s.covered(b, []glob{a}); all && escape != "" {
			t.Fatalf("%s does not cover %s: %s escapes", one, two, escape)
		}
		if !a.matches(a.example()) {
			t.Fatalf("%s does not match its example %s", one, a.example())
		}
	})
	for _, c := range []struct {
		wide, narrow string
		covers       bool
	}{
		{"*", "a", true},
		{"a/*", "a/b*", true},
		{"a/b*", "a/*", false},
		{"a?", "a[b-d]", true},
		{"a[b-d]", "a?", false},
		{"a*", "a*a*", true},
		{"*/*", "a/b", true},
		{"*", "a/b", false},
	} {
		wide, _ := parseGlob(c.wide)
		narrow, _ := parseGlob(c.narrow)
		if got := (&search{maxSearches}).covered(narrow, []glob{wide}); got != c.covers {
			t.Errorf("%s covers %s: %v", c.wide, c.narrow, got)
		}
	}
}

// A hostile targets document lists patterns whose comparison grows without
// end: the analysis must give up in time and not say that nothing is left.
func TestHostilePatternsCostNoMoreThanAMoment(t *testing.T) {
	evil := "*a" + strings.Repeat("?", 400)
	g, _ := parseGlob(evil)
	h, _ := parseGlob("*b" + strings.Repeat("?", 401))
	s := &search{maxSearches}
	if s.covered(g, []glob{h}) {
		t.Error("a search that was given up says that nothing is left")
	}
	var roles []string
	for i := range 120 {
		roles = append(roles, fmt.Sprintf("r%d! *a%s *b%s", i, strings.Repeat("?", i), strings.Repeat("?", i+1)))
	}
	if n := len(Overlaps(chainOf(t, nil, roles...))); n > maxOverlaps {
		t.Errorf("%d overlaps", n)
	}
}

func TestTooManyRolesForOnePath(t *testing.T) {
	var roles []string
	for i := range 40 {
		roles = append(roles, fmt.Sprintf("r%d a/*", i))
	}
	if !slices.ContainsFunc(Compat(chainOf(t, nil, roles...)), func(c Change) bool { return c.Rule == RuleDelegations }) {
		t.Error("40 roles for one path are not mentioned")
	}
	roles[3] = "r3! a/*"
	if slices.ContainsFunc(Compat(chainOf(t, nil, roles...)), func(c Change) bool { return c.Rule == RuleDelegations }) {
		t.Error("a search that ends early is mentioned")
	}
}
