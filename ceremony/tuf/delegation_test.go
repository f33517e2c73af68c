package tuf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/exp/golden"
	"github.com/theupdateframework/go-tuf/v2/metadata"
	"pgregory.net/rapid"
)

// handed is a delegation that the named people hold.
func handed(name string, threshold int, paths []string, people ...string) Delegation {
	d := Delegation{Name: name, Threshold: threshold, Paths: paths}
	for _, p := range people {
		d.Keys = append(d.Keys, who(p).held())
	}
	return d
}

func delegating(t testing.TB, version int64, base *Document, to Delegations, files ...TargetFile) *Document {
	t.Helper()
	return mustTargets(t, TargetsSpec{Version: version, Expires: now.AddDate(0, 3, 0), Base: base, Delegations: &to, Files: files})
}

func kept(t testing.TB) func(Delegations, error) Delegations {
	t.Helper()
	return func(d Delegations, err error) Delegations {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
}

func namesOf(d Delegations) string {
	var names []string
	for _, r := range d.Roles {
		names = append(names, r.Name)
	}
	return strings.Join(names, " ")
}

func TestDelegationsAreAddedChangedRevokedAndReordered(t *testing.T) {
	ok := kept(t)
	var none Delegations
	one := ok(none.Add(handed("tools", 1, []string{"tools/*"}, "Alice"), ""))
	two := ok(one.Add(handed("docs", 2, []string{"docs/*"}, "Bob", "Carol"), ""))
	three := ok(two.Add(handed("urgent", 1, []string{"*/urgent"}, "Dana"), "docs"))
	if got := namesOf(three); got != "tools urgent docs" {
		t.Error(got)
	}
	if namesOf(one) != "tools" || namesOf(two) != "tools docs" {
		t.Error("an older list changed")
	}
	if got := namesOf(ok(three.Reorder([]string{"docs", "tools", "urgent"}))); got != "docs tools urgent" {
		t.Error(got)
	}
	if got := namesOf(ok(three.Revoke("urgent"))); got != "tools docs" {
		t.Error(got)
	}
	changed := ok(three.Change(handed("docs", 1, []string{"docs/*", "man/*"}, "Bob")))
	doc := delegating(t, 1, nil, changed)
	back := doc.Delegations()
	if namesOf(back) != "tools urgent docs" || back.Roles[2].Threshold != 1 || len(back.Roles[2].Paths) != 2 {
		t.Errorf("%+v", back)
	}
	if h := back.Roles[2].Keys[0].Holder; h.Name != "Bob" || h.Serial != who("Bob").serial {
		t.Errorf("holder %+v", h)
	}
	// What was read, written again, is the same document.
	if again := delegating(t, 1, doc, back); again.Digest() != doc.Digest() {
		t.Error("reading and writing delegations changes them")
	}
	if gone := delegating(t, 2, doc, Delegations{}); gone.Targets().Delegations != nil || len(gone.Holders()) != 0 {
		t.Error("something is left of revoked delegations")
	}
	if kept := mustTargets(t, TargetsSpec{Version: 2, Expires: now, Base: doc}); namesOf(kept.Delegations()) != "tools urgent docs" {
		t.Error("a release lost delegations")
	}
}

func TestDelegationEditsThatMakeNoSense(t *testing.T) {
	tools := handed("tools", 1, []string{"tools/*"}, "Alice")
	l := Delegations{Roles: []Delegation{tools, handed("docs", 1, []string{"docs/*"}, "Bob")}}
	bins := Delegations{Bins: &Bins{Prefix: "bin", Bits: 4, Keys: tools.Keys, Threshold: 1}}
	last := func(_ Delegations, err error) error { return err }
	for name, err := range map[string]error{
		"a role twice":            last(l.Add(tools, "")),
		"before an unknown role":  last(l.Add(handed("x", 1, []string{"x"}, "Bob"), "y")),
		"a role beside bins":      last(bins.Add(tools, "")),
		"change an unknown role":  last(l.Change(handed("x", 1, []string{"x"}, "Bob"))),
		"revoke an unknown role":  last(l.Revoke("x")),
		"reorder an unknown role": last(l.Reorder([]string{"x", "docs"})),
		"reorder one twice":       last(l.Reorder([]string{"docs", "docs"})),
		"reorder only some":       last(l.Reorder([]string{"docs"})),
	} {
		var build *BuildError
		if !errors.As(err, &build) || build.Hint() == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, err := bins.Revoke("bin-*"); err != nil || left.Bins != nil {
		t.Errorf("bins are not revoked: %v", err)
	}
}

func TestDelegationsThatClientsReadInDifferentWaysAreNotBuilt(t *testing.T) {
	good := func() Delegation { return handed("tools", 1, []string{"tools/*"}, "Alice") }
	with := func(change func(*Delegation)) Delegations {
		d := good()
		change(&d)
		return Delegations{Roles: []Delegation{d}}
	}
	path := func(p string) Delegations { return with(func(d *Delegation) { d.Paths = []string{p} }) }
	name := func(n string) Delegations { return with(func(d *Delegation) { d.Name = n }) }
	other := good()
	other.Name, other.Keys[0].Holder.Name = "others", "Mallory"
	folded := good()
	folded.Name = "Tools"
	for what, c := range map[string]struct {
		d    Delegations
		says string
	}{
		"any number of parts":     {path("tools/**"), "**"},
		"a negated class":         {path("tools/[!a]"), "negated class"},
		"another negated class":   {path("tools/[^a]"), "negated class"},
		"a backslash":             {path(`tools/\*`), "backslash"},
		"braces":                  {path("tools/{a,b}"), "brace"},
		"parentheses":             {path("tools/+(a)"), "parenthesis"},
		"a leading exclamation":   {path("!tools"), "negation"},
		"a class that is open":    {path("tools/[a"), "class that is not whole"},
		"a class across parts":    {path("tools/[a/b]"), "class that is not whole"},
		"a leading slash":         {path("/tools"), "slash"},
		"no path":                 {with(func(d *Delegation) { d.Paths = nil }), "no path"},
		"a path twice":            {with(func(d *Delegation) { d.Paths = []string{"a", "a"} }), "twice"},
		"no key":                  {with(func(d *Delegation) { d.Keys = nil }), "threshold of 1 with 0 keys"},
		"a threshold of none":     {with(func(d *Delegation) { d.Threshold = 0 }), "threshold of 0"},
		"a key twice":             {with(func(d *Delegation) { d.Keys = append(d.Keys, d.Keys[0]) }), "twice"},
		"no name":                 {name(""), "is empty"},
		"the name of targets":     {name("Targets"), "top-level"},
		"a name with a slash":     {name("a/b"), "not plain"},
		"a name with an escape":   {name("a\x1b[2J"), "not plain"},
		"a hidden name":           {name(".a"), "dot"},
		"a long name":             {name(strings.Repeat("a", 101)), "101 bytes"},
		"names equal but in case": {Delegations{Roles: []Delegation{good(), folded}}, "fold case"},
		"two holders of one key":  {Delegations{Roles: []Delegation{good(), other}}, "two holders"},
		"bins and roles":          {Delegations{Roles: []Delegation{good()}, Bins: &Bins{"b", 4, good().Keys, 1}}, "do not go together"},
		"too many bins":           {Delegations{Bins: &Bins{"b", 17, good().Keys, 1}}, "17 bits"},
		"bins without a key":      {Delegations{Bins: &Bins{"b", 4, nil, 1}}, "0 keys"},
	} {
		_, err := NewTargets(TargetsSpec{Version: 1, Expires: now, Delegations: &c.d})
		var build *BuildError
		if !errors.As(err, &build) || !strings.Contains(build.What, c.says) {
			t.Errorf("%s: got %v, want it to say %q", what, err, c.says)
		}
	}
}

func TestDelegatedRoleSignsOnlyForItsPaths(t *testing.T) {
	top := delegating(t, 1, nil, Delegations{Roles: []Delegation{handed("tools", 2, []string{"tools/*"}, "Alice", "Bob")}})
	file := func(path string) TargetFile { return TargetFile{Path: path, Length: 1, SHA256: digestOf(path)} }
	spec := TargetsSpec{Version: 3, Expires: now.AddDate(0, 1, 0), Files: []TargetFile{file("tools/saw")}}
	doc, err := NewDelegated("tools", top, spec)
	if err != nil {
		t.Fatal(err)
	}
	reqs := mustReqs(t, "tools", doc, nil, top)
	if _, err := Verify(signed(t, doc, reqs, "Alice", "Bob"), reqs); err != nil {
		t.Error(err)
	}
	if got := Count(doc, reqs)[0].Signers[1].Holder.Name; got != "Bob" {
		t.Errorf("the second signer is %q", got)
	}
	foreign := spec
	foreign.Files = []TargetFile{file("docs/saw")}
	for name, err := range map[string]error{
		"a foreign path":   second(NewDelegated("tools", top, foreign)),
		"an unknown role":  second(NewDelegated("docs", top, spec)),
		"no delegator":     second(NewDelegated("tools", nil, spec)),
		"a root delegates": second(NewDelegated("tools", threeOfFive(t, 1), spec)),
		"its own base":     second(NewDelegated("tools", top, TargetsSpec{Version: 2, Expires: now, Base: top})),
	} {
		var build *BuildError
		if !errors.As(err, &build) || build.Hint() == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestBinsAreThoseOfGoTUF(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Bins{Prefix: "bin", Bits: rapid.IntRange(1, maxBinBits).Draw(t, "bits")}
		path := rapid.StringN(1, 40, -1).Draw(t, "path")
		s := &metadata.SuccinctRoles{BitLength: b.Bits, NamePrefix: b.Prefix}
		if got, want := b.Role(path), s.GetRolesForTarget(path)[0].Name; got != want {
			t.Fatalf("%d bits: %s, go-tuf says %s", b.Bits, got, want)
		}
		if !isBin(s, b.Role(path)) {
			t.Fatalf("%s is no bin", b.Role(path))
		}
	})
	for bits := 1; bits <= 9; bits++ {
		b := Bins{Prefix: "x", Bits: bits}
		if want := (&metadata.SuccinctRoles{BitLength: bits, NamePrefix: "x"}).GetRoles(); !slices.Equal(b.Roles(), want) {
			t.Errorf("%d bits: %v", bits, b.Roles())
		}
	}
	for _, bits := range []int{-1, 0, 33, 64} {
		if b := (Bins{Bits: bits}); b.Role("a") != "" || b.Roles() != nil {
			t.Errorf("%d bits have bins", bits)
		}
	}
}

func TestFilesAreSortedIntoBins(t *testing.T) {
	b := Bins{Prefix: "bin", Bits: 2, Keys: []HeldKey{who("Alice").held()}, Threshold: 1}
	var files []TargetFile
	for i := range 40 {
		files = append(files, TargetFile{Path: fmt.Sprint("file", i), Length: 1, SHA256: digestOf("x")})
	}
	top := delegating(t, 1, nil, Delegations{Bins: &b})
	sorted := b.Sort(files)
	if len(sorted) != 4 {
		t.Fatalf("%d bins", len(sorted))
	}
	total := 0
	for role, some := range sorted {
		total += len(some)
		if _, err := NewDelegated(role, top, TargetsSpec{Version: 1, Expires: now.AddDate(0, 1, 0), Files: some}); err != nil {
			t.Error(err)
		}
	}
	if total != len(files) {
		t.Errorf("%d files are in bins", total)
	}
	if back := top.Delegations().Bins; back == nil || back.Bits != 2 || back.Keys[0].Holder.Name != "Alice" {
		t.Errorf("%+v", back)
	}
}

func TestCompareExplainsDelegations(t *testing.T) {
	ok := kept(t)
	old := Delegations{Roles: []Delegation{
		handed("tools", 2, []string{"tools/*", "bin/*"}, "Alice", "Bob", "Carol"),
		handed("docs", 1, []string{"docs/*", "man/*"}, "Dana"),
		handed("legacy", 1, []string{"old/*"}, "Erin"),
	}}
	tools := handed("tools", 1, []string{"bin/*", "tools/*"}, "Alice", "Bob", "Frank")
	tools.Terminating = true
	next := ok(old.Change(tools))
	next = ok(next.Change(handed("docs", 1, []string{"docs/*", "tools/*.pdf"}, "Dana")))
	next = ok(next.Revoke("legacy"))
	next = ok(next.Add(handed("urgent", 1, []string{"*/urgent"}, "Erin"), "tools"))
	next = ok(next.Reorder([]string{"urgent", "docs", "tools"}))
	golden.RequireEqual(t, compareScript(t, delegating(t, 4, nil, old), delegating(t, 5, nil, next), now))
}

func TestOnePersonWithSeveralKeysOfADelegatedRoleIsADanger(t *testing.T) {
	d := handed("tools", 2, []string{"tools/*"}, "Alice", "Bob", "Carol")
	d.Keys[1].Holder.Name = "Alice"
	diff := mustCompare(t, delegating(t, 1, nil, Delegations{}), delegating(t, 2, nil, Delegations{Roles: []Delegation{d}}))
	if !slices.ContainsFunc(diff.Dangers(), func(c Change) bool { return strings.Contains(c.Text, "alone") }) {
		t.Errorf("not said:\n%s", script(diff))
	}
	if q := Quorums(delegating(t, 2, nil, Delegations{Roles: []Delegation{d}}))["tools"]; q.Threshold != 2 || len(q.Names) != 3 {
		t.Errorf("%v", q)
	}
}
