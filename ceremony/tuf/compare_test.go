package tuf

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/exp/golden"
	"github.com/theupdateframework/go-tuf/v2/metadata"
	"pgregory.net/rapid"
)

// script writes a diff as a person would read it.
func script(d *Diff) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d -> %d\n", d.Role, d.From, d.To)
	for _, c := range d.Changes {
		mark := map[string]string{Added: "+", Removed: "-", Changed: "~", Danger: "!", Same: "=", Warning: "?"}[c.Kind]
		if c.Danger != (c.Kind == Danger) {
			mark += " (wrongly marked)"
		}
		fmt.Fprintf(&b, "%s %-11s %s\n", mark, c.Where, c.Text)
	}
	for _, p := range d.Power {
		fmt.Fprintf(&b, "who can sign %s: %s\n  now: %s\n", p.Role, p.Before, p.After)
	}
	for _, m := range d.Meaning {
		fmt.Fprintln(&b, "*", m)
	}
	return b.String()
}

func compareScript(t *testing.T, old, next *Document, at time.Time) []byte {
	t.Helper()
	d, err := Compare(old, next, at)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(script(d))
}

func realRoot(t *testing.T, folder string, version int) *Document {
	t.Helper()
	return parseReal(t, folder, fmt.Sprintf("%d.root.json", version))
}

func TestCompareGenesis(t *testing.T) {
	golden.RequireEqual(t, compareScript(t, nil, threeOfFive(t, 1), now))
}

func TestCompareRotation(t *testing.T) {
	old := rootOf(4, 3, []string{"Alice", "Bob", "Carol", "Erin", "Frank"}, []string{"Alice", "Bob", "Carol"})
	old.Expires = now.AddDate(0, 0, 28)
	next := rootOf(5, 3, []string{"Alice", "Bob", "Dana", "Erin", "Frank"}, []string{"Alice", "Bob", "Dana"})
	golden.RequireEqual(t, compareScript(t, mustRoot(t, old), mustRoot(t, next), now))
}

// Alice comes with a new token; the same person has another key then.
func TestCompareNewTokenOfTheSamePerson(t *testing.T) {
	old := rootOf(1, 2, []string{"Alice", "Bob", "Carol"}, []string{"Alice", "Bob"})
	next := rootOf(2, 2, []string{"Dana", "Bob", "Carol"}, []string{"Dana", "Bob"})
	for i := range next.Keys {
		if next.Keys[i].Holder.Name == "Dana" {
			next.Keys[i].Holder.Name = "Alice"
		}
	}
	golden.RequireEqual(t, compareScript(t, mustRoot(t, old), mustRoot(t, next), now))
}

func TestCompareRenewalOfARealRoot(t *testing.T) {
	golden.RequireEqual(t, compareScript(t, realRoot(t, "sigstore-roots", 14), realRoot(t, "sigstore-roots", 15),
		time.Date(2026, 4, 22, 0, 0, 0, 0, time.UTC)))
}

// All keyids changed in this root and no key did: the case in which a
// line-by-line diff shows seven keys leaving and seven others coming.
func TestCompareRelabelledRealRoot(t *testing.T) {
	golden.RequireEqual(t, compareScript(t, realRoot(t, "sigstore-roots", 8), realRoot(t, "sigstore-roots", 9),
		time.Date(2024, 3, 20, 0, 0, 0, 0, time.UTC)))
}

func TestCompareKeyholderChangeOfARealRoot(t *testing.T) {
	golden.RequireEqual(t, compareScript(t, realRoot(t, "sigstore-roots", 12), realRoot(t, "sigstore-roots", 13),
		time.Date(2025, 8, 1, 0, 0, 0, 0, time.UTC)))
}

func TestCompareThresholdsOfARealRoot(t *testing.T) {
	golden.RequireEqual(t, compareScript(t, realRoot(t, "sigstore-staging-roots", 5), realRoot(t, "sigstore-staging-roots", 6),
		time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)))
}

func TestCompareRelease(t *testing.T) {
	file := func(path, content string) TargetFile {
		return TargetFile{Path: path, Length: int64(len(content)), SHA256: digestOf(content)}
	}
	described := file("described", "same")
	old := mustTargets(t, TargetsSpec{Version: 17, Expires: now.AddDate(0, 0, 30), Base: parseReal(t, "docker", "targets.json"), Files: []TargetFile{
		file("stays", "stays"), file("tool-1.0.tar.gz", "one"), file("latest", "one"), described,
	}})
	described.Custom = json.RawMessage(`{"note": "now with words"}`)
	next := mustTargets(t, TargetsSpec{Version: 18, Expires: now.AddDate(0, 3, 0), Base: old, Files: []TargetFile{
		file("stays", "stays"), file("tool-1.1.tar.gz", "one point one"), file("latest", "one point one"), file("read me.txt", ""), described,
	}})
	golden.RequireEqual(t, compareScript(t, old, next, now))
}

func TestCompareDelegations(t *testing.T) {
	old := parseReal(t, "docker", "targets.json")
	v := *old.Targets()
	delegations := *v.Delegations
	v.Version, v.Expires, v.Delegations = 8, now.AddDate(1, 0, 0), &delegations
	doi, rekor := delegations.Roles[0], delegations.Roles[2]
	doi.Threshold, doi.Paths = 1, []string{"doi/*"}
	delegations.Roles = []metadata.DelegatedRole{rekor, doi, {
		Name: "extra", KeyIDs: doi.KeyIDs[:1], Threshold: 1, Paths: []string{"extra/*"},
	}}
	file, err := encodePretty(unsigned{&v})
	if err != nil {
		t.Fatal(err)
	}
	golden.RequireEqual(t, compareScript(t, old, mustParse(t, file), now))
}

func TestCompareSnapshots(t *testing.T) {
	parse := func(version int, meta string) *Document {
		return mustParse(t, fmt.Appendf(nil, `{"signatures":[],"signed":{"_type":"snapshot","expires":"2026-12-22T00:00:00Z","meta":{%s},"spec_version":"1.0.31","version":%d}}`, meta, version))
	}
	old := parse(4, `"targets.json":{"version":7},"doi.json":{"version":3},"gone.json":{"version":1},"same.json":{"version":1}`)
	next := parse(5, `"targets.json":{"version":8,"length":100,"hashes":{"sha256":"`+strings.Repeat("ab", 32)+`"}},"doi.json":{"version":2},"new.json":{"version":1},"same.json":{"version":1}`)
	golden.RequireEqual(t, compareScript(t, old, next, now))
}

func TestCompatOfARealRoot(t *testing.T) {
	d := &Diff{Role: "compat", Changes: Compat(parseReal(t, "docker", "root.json"))}
	golden.RequireEqual(t, []byte(script(d)))
}

func TestCompatOfRealTargets(t *testing.T) {
	d := &Diff{Role: "compat", Changes: Compat(parseReal(t, "docker", "targets.json"))}
	golden.RequireEqual(t, []byte(script(d)))
}

// What is built here gives no reason to warn.
func TestBuiltMetadataIsCompatible(t *testing.T) {
	root := threeOfFive(t, 1)
	targets := mustTargets(t, TargetsSpec{Version: 1, Expires: now, Files: manyFiles(20)})
	snapshot, err := NewSnapshot(1, now, map[string]*Document{"targets.json": targets}, false)
	if err != nil {
		t.Fatal(err)
	}
	timestamp, err := NewTimestamp(1, now, snapshot, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []*Document{root, targets, snapshot, timestamp} {
		if c := Compat(d); len(c) > 0 {
			t.Errorf("%s: %v", d.Title(), c)
		}
	}
}

// Attack: a keyid that people know by heart names another key in the new root.
func TestSameKeyIDForAnotherKeyIsDanger(t *testing.T) {
	old := mustRoot(t, rootOf(1, 1, []string{"Alice", "Bob"}, []string{"Alice"}))
	v := *mustRoot(t, rootOf(2, 1, []string{"Alice", "Bob"}, []string{"Alice"})).Root()
	v.Keys[who("Alice").key.ID] = who("Frank").key.Metadata()
	file, err := encodePretty(unsigned{&v})
	if err != nil {
		t.Fatal(err)
	}
	d := mustCompare(t, old, mustParse(t, file))
	if !slices.ContainsFunc(d.Dangers(), func(c Change) bool {
		return c.Where == InKeys && strings.HasPrefix(c.Text, "SAME keyid, DIFFERENT key")
	}) {
		t.Errorf("not said:\n%s", script(d))
	}
}

func TestDangersOfRoots(t *testing.T) {
	base := func() RootSpec {
		return rootOf(4, 2, []string{"Alice", "Bob", "Carol"}, []string{"Alice", "Bob", "Carol"})
	}
	for name, c := range map[string]struct {
		change func(*RootSpec)
		says   string
	}{
		"a gap in the versions":   {func(s *RootSpec) { s.Version = 6 }, "does not follow"},
		"the same version":        {func(s *RootSpec) { s.Version = 4 }, "not higher"},
		"a lower threshold":       {func(s *RootSpec) { s.Roles[Targets] = RoleSpec{s.Roles[Targets].KeyIDs, 1} }, "Targets: 1 of 3 keys must sign (was 2 of 3)"},
		"a threshold of 1":        {func(s *RootSpec) { s.Roles[Targets] = RoleSpec{s.Roles[Targets].KeyIDs, 1} }, "One stolen key is enough to release software"},
		"all root keys needed":    {func(s *RootSpec) { s.Roles[Root] = RoleSpec{s.Roles[Root].KeyIDs, 3} }, "One lost key ends this repository"},
		"an expiry in the past":   {func(s *RootSpec) { s.Expires = now.AddDate(0, 0, -3) }, "expired 2026-11-19, 3 days ago"},
		"practice upon the real":  {func(s *RootSpec) { s.Practice = true }, "PRACTICE"},
		"another name for a key":  {func(s *RootSpec) { s.Keys[2].Holder.Name = "Mallory" }, "was said to be"},
		"one person, enough keys": {func(s *RootSpec) { s.Keys[2].Holder.Name = s.Keys[3].Holder.Name }, "can meet its threshold of 2 alone"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := base()
			spec.Version = 5
			c.change(&spec)
			d := mustCompare(t, mustRoot(t, base()), mustRoot(t, spec))
			if !slices.ContainsFunc(d.Dangers(), func(danger Change) bool { return strings.Contains(danger.Text, c.says) }) {
				t.Errorf("%q is not said:\n%s", c.says, script(d))
			}
		})
	}
	spec := base()
	spec.Version = 5
	if d := mustCompare(t, mustRoot(t, base()), mustRoot(t, spec)); len(d.Dangers()) != 0 {
		t.Errorf("a plain renewal is a danger: %v", d.Dangers())
	}
}

func TestCompareRefusesOtherKinds(t *testing.T) {
	root, targets := threeOfFive(t, 1), mustTargets(t, TargetsSpec{Version: 1, Expires: now})
	if _, err := Compare(root, targets, now); err == nil {
		t.Error("a root was compared with targets")
	}
	if _, err := Compare(root, nil, now); err == nil {
		t.Error("a root was compared with nothing")
	}
}

// Nothing that a document says may go unmentioned: any change of the payload
// makes at least one change in the diff.
func TestNoChangeGoesUnmentioned(t *testing.T) {
	quiet := func(d *Diff) bool {
		return !slices.ContainsFunc(d.Changes, func(c Change) bool { return c.Kind != Same })
	}
	old := mustParse(t, []byte(broken(t, `"version": 7`, `"version": 6`)))
	if d := mustCompare(t, old, mustParse(t, []byte(small))); !quiet(d) {
		t.Fatalf("a new version alone is a change:\n%s", script(d))
	}
	for _, c := range []struct{ old, with string }{
		{`2027-11-22`, `2027-11-23`},
		{`"1.0.31"`, `"1.0.32"`},
		{`"free"`, `"freed"`},
		{`,
  "x-note": "free"`, ``},
		{`"x-note": "free"`, `"x-note": "free", "x-more": null`},
		{`{"n": 1}`, `{"n": 2}`},
		{`"custom": {"n": 1}, `, ``},
		{`"sha256": "cd"`, `"sha256": "ce"`},
		{`"sha256": "cd"`, `"sha256": "cd", "sha512": "cd"`},
		{`"length": 2`, `"length": 3`},
		{`"length": 2`, `"length": 2, "x": 1`},
		{`"b": {`, `"c": {`},
		{`"d/*"`, `"d/**"`},
		{`"terminating": false`, `"terminating": true`},
		{`"name": "d"`, `"name": "e"`},
		{`"scheme": "ed25519"`, `"scheme": "ed25519", "x": 1`},
		{`"0101`, `"0201`},
		{`"threshold": 1`, `"threshold": 1, "x": 1`},
		{`"delegations": {`, `"delegations": {"x": 1,`},
		{`"keyval": {`, `"keyval": {"x": 1,`},
	} {
		next := mustParse(t, []byte(broken(t, c.old, c.with)))
		if d := mustCompare(t, old, next); quiet(d) {
			t.Errorf("%s becoming %s is not mentioned:\n%s", c.old, c.with, script(d))
		}
	}
}

// The same with documents of the world: one value somewhere in a real file is
// changed, removed or moved, and whatever can still be read must be mentioned.
func TestNoRandomChangeGoesUnmentioned(t *testing.T) {
	var olds []*Document
	for _, file := range allReal(t) {
		if tooOld[file] == "" {
			olds = append(olds, parseReal(t, file))
		}
	}
	var read int
	rapid.Check(t, func(rt *rapid.T) {
		old := rapid.SampledFrom(olds).Draw(rt, "file")
		var envelope map[string]any
		if err := json.Unmarshal(old.Bytes(), &envelope); err != nil {
			rt.Fatal(err)
		}
		signed, _ := envelope["signed"].(map[string]any)
		disturb(rt, signed)
		signed["version"] = old.Version() + 1
		raw, err := json.Marshal(envelope)
		if err != nil {
			rt.Fatal(err)
		}
		next, err := Parse(raw)
		if err != nil || string(next.Payload()) == strings.Replace(string(old.Payload()),
			fmt.Sprintf(`"version":%d`, old.Version()), fmt.Sprintf(`"version":%d`, old.Version()+1), 1) {
			return
		}
		read++
		d, err := Compare(old, next, old.Expires().AddDate(0, 0, -3))
		if err != nil {
			rt.Fatal(err)
		}
		if !slices.ContainsFunc(d.Changes, func(c Change) bool { return c.Kind != Same }) {
			rt.Fatalf("a change is not mentioned:\n%s\nfrom %s\nto   %s", script(d), old.Payload(), next.Payload())
		}
	})
	if read == 0 {
		t.Error("no disturbed file could be read: the test tests nothing")
	}
}

// disturb changes one thing somewhere in a JSON value.
func disturb(t *rapid.T, v any) any {
	switch v := v.(type) {
	case map[string]any:
		names := sortedNames(v)
		names = slices.DeleteFunc(names, func(n string) bool { return n == "version" && len(v) > 4 })
		if len(names) == 0 || rapid.IntRange(0, 9).Draw(t, "add") == 0 {
			v["x-new"] = "new"
			return v
		}
		name := rapid.SampledFrom(names).Draw(t, "name")
		switch rapid.IntRange(0, 9).Draw(t, "act") {
		case 0:
			delete(v, name)
		case 1:
			v[name+"x"] = v[name]
			delete(v, name)
		default:
			v[name] = disturb(t, v[name])
		}
	case []any:
		if len(v) > 1 && rapid.Bool().Draw(t, "swap") {
			v[0], v[1] = v[1], v[0]
		} else if len(v) > 0 {
			i := rapid.IntRange(0, len(v)-1).Draw(t, "entry")
			v[i] = disturb(t, v[i])
		}
	case string:
		if rapid.Bool().Draw(t, "longer") {
			return v + "x"
		}
		return strings.NewReplacer("1", "2", "2", "1").Replace(v)
	case float64:
		return v + 1
	case bool:
		return !v
	}
	return v
}

func TestRelativeTimes(t *testing.T) {
	for _, c := range []struct {
		t    time.Time
		want string
	}{
		{now.AddDate(1, 0, 0), "in 365 days"},
		{time.Date(2027, 11, 22, 0, 0, 0, 0, time.UTC), "in 365 days"},
		{now.Add(49 * time.Hour), "in 2 days"},
		{now.Add(47 * time.Hour), "in 47 hours"},
		{now.Add(time.Hour), "in 1 hour"},
		{now.Add(59 * time.Minute), "in 59 minutes"},
		{now, "in 0 minutes"},
		{now.Add(-time.Minute), "1 minute ago"},
		{now.AddDate(0, 0, -3), "3 days ago"},
	} {
		if got := relative(c.t, now); got != c.want {
			t.Errorf("%v: %s, want %s", c.t, got, c.want)
		}
	}
}

func TestSentences(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{join(nil, "and"), "nobody"},
		{join([]string{"A"}, "and"), "A"},
		{join([]string{"A", "B"}, "or"), "A or B"},
		{join([]string{"A", "B", "C"}, "and"), "A, B and C"},
		{moreOf(1, []string{"A", "B"}), "one of A or B"},
		{moreOf(2, []string{"A", "B", "C"}), "two of A, B and C"},
		{moreOf(2, []string{"A", "B"}), "A and B"},
		{numeral(12), "twelve"},
		{numeral(13), "13"},
		{Quorum{}.String(), "nobody"},
		{Quorum{1, []string{"A"}}.String(), "A alone"},
		{Quorum{2, []string{"A", "B"}}.String(), "A and B together"},
		{Quorum{2, []string{"A", "B", "C"}}.String(), "any two of A, B and C"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestCompareBinsAndPaths(t *testing.T) {
	keys := []HeldKey{who("Alice").held()}
	bins := func(bits int) *Document { return delegating(t, 1, nil, Delegations{Bins: &Bins{"bin", bits, keys, 1}}) }
	ending := handed("tools", 1, []string{"a", "b"}, "Alice")
	ending.Terminating = true
	roles := func(r ...Delegation) *Document { return delegating(t, 1, nil, Delegations{Roles: r}) }
	for want, pair := range map[string][2]*Document{
		"bin-*: covers all paths, spread over 16 bins (was all paths, spread over 4 bins).": {bins(2), bins(4)},
		"tools: is no longer terminating": {roles(ending), roles(handed("tools", 1, []string{"a", "b"}, "Alice"))},
		"tools: becomes terminating":      {roles(handed("tools", 1, []string{"a", "b"}, "Alice")), roles(ending)},
		"another order":                   {roles(handed("tools", 1, []string{"a", "b"}, "Alice")), roles(handed("tools", 1, []string{"b", "a"}, "Alice"))},
	} {
		if text := script(mustCompare(t, pair[0], pair[1])); !strings.Contains(text, want) {
			t.Errorf("%q is not said:\n%s", want, text)
		}
	}
}
