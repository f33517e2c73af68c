package tuf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/exp/golden"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"
)

// told writes a simulation as a person would read it.
func told(t *testing.T, u Update) string {
	t.Helper()
	s, err := Simulate(u)
	if err != nil {
		t.Fatal(err)
	}
	return script(&Diff{Role: "clients", Changes: s.Sentences()})
}

var (
	abc = []string{"Alice", "Bob", "Carol"}
	abd = []string{"Alice", "Bob", "Dana"}
)

// threeRoots is a chain in which Dana takes Carol's place with the last root.
func threeRoots(t testing.TB) []*Document {
	t.Helper()
	first := rootOf(1, 2, abc, abc)
	first.Expires = now.AddDate(0, 0, -40)
	second := rootOf(2, 2, abc, abc)
	second.Expires = now.AddDate(0, 0, 20)
	one := signedRoot(t, first, nil, "Alice", "Bob")
	two := signedRoot(t, second, one, "Alice", "Carol")
	return []*Document{one, two, signedRoot(t, rootOf(3, 2, abd, abd), two, "Alice", "Bob", "Dana")}
}

// release is targets metadata that is signed under root.
func release(t testing.TB, root *Document, version int64, expires time.Time, names ...string) *Document {
	t.Helper()
	d := mustTargets(t, TargetsSpec{Version: version, Expires: expires, Files: []TargetFile{{Path: "tool", Length: version, SHA256: digestOf("tool")}}})
	return signed(t, d, mustReqs(t, Targets, d, nil, root), names...)
}

// online are a snapshot and a timestamp over targets, signed under root.
func online(t testing.TB, root *Document, version int64, meta map[string]*Document, names ...string) (snapshot, timestamp *Document) {
	t.Helper()
	names = append(names, "snapshot", "timestamp")
	snapshot, err := NewSnapshot(version, now.AddDate(0, 0, 14), meta, false)
	if err != nil {
		t.Fatal(err)
	}
	snapshot = signed(t, snapshot, mustReqs(t, Snapshot, snapshot, nil, root), names[0])
	timestamp, err = NewTimestamp(version+900, now.AddDate(0, 0, 2), snapshot, false)
	if err != nil {
		t.Fatal(err)
	}
	return snapshot, signed(t, timestamp, mustReqs(t, Timestamp, timestamp, nil, root), names[1])
}

func TestSimulateARotationWithARelease(t *testing.T) {
	roots := threeRoots(t)
	old := release(t, roots[1], 17, now.AddDate(0, 0, 9), "Alice", "Carol")
	snapshot, timestamp := online(t, roots[1], 41, map[string]*Document{"targets.json": old})
	golden.RequireEqual(t, []byte(told(t, Update{
		Roots: roots, OldTargets: old, Targets: release(t, roots[2], 18, now.AddDate(0, 3, 0), "Alice", "Dana"),
		Snapshot: snapshot, Timestamp: timestamp, Now: now,
	})))
}

func TestSimulatedClientsSayWhatHappens(t *testing.T) {
	roots := threeRoots(t)
	s, err := Simulate(Update{Roots: roots, Targets: release(t, roots[2], 18, now.AddDate(0, 3, 0), "Alice", "Dana"), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Clients[0].String(); got != "A client at root 1 on 2026-11-22 walks 2, 3 and accepts targets 18." {
		t.Error(got)
	}
	if err := s.Err(); err != nil || len(s.Breaks()) != 0 {
		t.Errorf("a sound update breaks: %v", err)
	}
	for _, c := range s.Clients {
		if want := !c.Moment.At.Before(roots[2].Expires()) || !c.Moment.At.Before(now.AddDate(0, 3, 0)); (c.Fate == Ends) != want {
			t.Errorf("%v", c)
		}
	}
}

// Every way in which an update leaves clients behind.
func TestSimulateFindsWhatBreaks(t *testing.T) {
	roots := threeRoots(t)
	two, three := roots[1], roots[2]
	old := release(t, two, 17, now.AddDate(0, 0, 30), "Alice", "Carol")
	next := release(t, three, 18, now.AddDate(0, 3, 0), "Alice", "Dana")
	late := rootOf(3, 2, abd, abd)
	late.Expires = now.Add(-time.Hour)
	for name, c := range map[string]struct {
		u     Update
		says  string
		alike int // how many clients break at once
	}{
		"the new root lacks the old keys' threshold": {
			Update{Roots: []*Document{roots[0], two, signedRoot(t, rootOf(3, 2, abd, abd), two, "Alice", "Dana")}},
			"at any root from 1 to 2", 2,
		},
		"a historic root is missing": {
			Update{Roots: []*Document{roots[0], three}}, "root 2 is not there, so it takes root 1 for the newest", 1,
		},
		"targets lose a key and are not signed again": {
			Update{Roots: roots, OldTargets: old}, "it refuses targets 17 (verify targets 17: signatures are missing: targets keys of root 3 1 of 2)", 3,
		},
		"targets go back": {
			Update{Roots: roots, OldTargets: next, Targets: release(t, three, 16, now.AddDate(0, 3, 0), "Alice", "Bob")},
			"it refuses targets 16, because it has version 18 already", 3,
		},
		"another document under the same version": {
			Update{Roots: roots, OldTargets: next, Targets: release(t, three, 18, now.AddDate(0, 4, 0), "Alice", "Bob")},
			"it has another targets 18 already", 3,
		},
		"the new root has expired already": {
			Update{Roots: []*Document{roots[0], two, signedRoot(t, late, two, "Alice", "Bob")}, Targets: next}, "root 3 expired on 2026-11-22", 3,
		},
		"targets have expired already": {
			Update{Roots: roots, Targets: release(t, three, 18, now, "Alice", "Dana")}, "targets 18 expired on 2026-11-22", 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.u.Now = now
			s, err := Simulate(c.u)
			if err != nil {
				t.Fatal(err)
			}
			var broken *BreakError
			if !errors.As(s.Err(), &broken) || broken.Hint() == "" {
				t.Fatalf("nothing breaks: %s", told(t, c.u))
			}
			var atOnce int
			for _, b := range s.Breaks() {
				if b.Moment.What == "" {
					atOnce++
				}
			}
			if atOnce != c.alike || !strings.Contains(told(t, c.u), c.says) {
				t.Errorf("%d clients break at once, want %d, and %q is to be said:\n%s", atOnce, c.alike, c.says, told(t, c.u))
			}
			for _, said := range s.Sentences() {
				if said.Danger != (said.Rule == RuleSimulation) {
					t.Errorf("a danger without a rule, or a rule without a danger: %+v", said)
				}
			}
		})
	}
}

func TestSimulateRefusesNonsense(t *testing.T) {
	roots := threeRoots(t)
	targets := release(t, roots[2], 18, now.AddDate(0, 3, 0))
	for name, u := range map[string]Update{
		"no root":              {Now: now},
		"no time":              {Roots: roots},
		"targets among roots":  {Roots: []*Document{targets}, Now: now},
		"a nil root":           {Roots: []*Document{nil}, Now: now},
		"roots in disorder":    {Roots: []*Document{roots[1], roots[0]}, Now: now},
		"a root as targets":    {Roots: roots, Targets: roots[0], Now: now},
		"targets as snapshot":  {Roots: roots, Snapshot: targets, Now: now},
		"targets as timestamp": {Roots: roots, Timestamp: targets, Now: now},
		"a root as delegated":  {Roots: roots, Delegated: map[string]*Document{"a": roots[0]}, Now: now},
	} {
		if _, err := Simulate(u); err == nil {
			t.Errorf("%s: simulated", name)
		}
	}
}

// Clients differ in what happens in the second of the expiry itself, so they
// are looked at before and after it.
func TestSimulateLooksAroundEveryExpiry(t *testing.T) {
	roots := threeRoots(t)
	targets := release(t, roots[2], 18, roots[2].Expires(), "Alice", "Dana")
	s, err := Simulate(Update{Roots: roots, Targets: targets, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range s.Moments {
		got = append(got, fmt.Sprintf("%s %s", m.At.Format(time.RFC3339), m.What))
	}
	want := []string{
		"2026-11-22T14:02:00Z ",
		"2026-12-12T14:01:59Z one second before root 2 expires", "2026-12-12T14:02:01Z after root 2 has expired",
		"2027-11-22T14:01:59Z one second before root 3 and targets 18 expire", "2027-11-22T14:02:01Z after root 3 and targets 18 have expired",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	fates := map[time.Time]string{}
	for _, c := range s.Clients {
		fates[c.Moment.At] = c.Fate
	}
	for i, want := range []string{Updates, Updates, Updates, Updates, Ends} {
		if got := fates[s.Moments[i].At]; got != want {
			t.Errorf("%s: %s, want %s", s.Moments[i], got, want)
		}
	}
}

// The real repositories, whole: root chain, timestamp, snapshot, targets and
// delegated roles.
func TestSimulateRealRepositories(t *testing.T) {
	docker := func(name string) *Document { return parseReal(t, "docker", name+".json") }
	demo := func(name string) *Document { return parseReal(t, "tuf-demo", name+".json") }
	for _, c := range []struct {
		name  string
		roots []*Document
		read  func(string) *Document
		roles []string
	}{
		{"docker", realChain(t, "docker/root_history", 1, 1).Roots(), docker, []string{"doi", "rekor", "testing"}},
		{"tuf-demo", realChain(t, "tuf-demo/root_history", 1, 5).Roots(), demo, []string{"jku", "kommendorkapten", "rdimitrov"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := Update{
				Roots: c.roots, OldTargets: c.read(Targets), OldDelegated: map[string]*Document{},
				Snapshot: c.read(Snapshot), Timestamp: c.read(Timestamp),
			}
			u.Now = u.Timestamp.Expires().Add(-time.Hour)
			for _, role := range c.roles {
				u.OldDelegated[role] = c.read(role)
			}
			golden.RequireEqual(t, []byte(told(t, u)))
		})
	}
}

func TestSimulateRealRootChain(t *testing.T) {
	golden.RequireEqual(t, []byte(told(t, Update{
		Roots: realChain(t, "sigstore-roots", 5, 15).Roots(), Now: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC),
	})))
}

// Signatures are stripped from each root of a real chain: the simulated walk
// must end exactly where go-tuf's own walk ends from that start.
func TestSimulatedWalksEndWhereGoTUFEnds(t *testing.T) {
	real := realChain(t, "sigstore-roots", 5, 15).Roots()
	for _, broken := range []int{0, 3, 10} {
		for _, left := range []int{2, 3} {
			roots := slices.Clone(real)
			entries := roots[broken].entries
			roots[broken] = roots[broken].with(entries[:min(left, len(entries))])
			s, err := Simulate(Update{Roots: roots, Now: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)})
			if err != nil {
				t.Fatal(err)
			}
			for i := range roots {
				end, err := walkWithGoTUF(roots[i:])
				if c := s.Clients[i]; c.Newest != end || (c.Why == "") != (err == nil) {
					t.Fatalf("root %d with %d signatures: %v; go-tuf ends at %d (%v)", roots[broken].Version(), left, c, end, err)
				}
			}
		}
	}
}

func walkWithGoTUF(roots []*Document) (int64, error) {
	trusted, err := trustedmetadata.New(roots[0].Bytes())
	if err != nil {
		return roots[0].Version(), err
	}
	for _, r := range roots[1:] {
		if _, err := trusted.UpdateRoot(r.Bytes()); err != nil {
			return trusted.Root.Signed.Version, err
		}
	}
	return trusted.Root.Signed.Version, nil
}

func TestSimulateWarnsOfLongWalks(t *testing.T) {
	last := signedRoot(t, rootOf(1, 1, abc, abc), nil, "Alice")
	roots := []*Document{last}
	for v := int64(2); v <= 40; v++ {
		last = signedRoot(t, rootOf(v, 1, abc, abc), last, "Alice")
		roots = append(roots, last)
	}
	s, err := Simulate(Update{Roots: roots, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(s.Notes, func(c Change) bool { return c.Rule == RuleRootWalk }) {
		t.Errorf("39 roots in one go are not mentioned: %v", s.Notes)
	}
	if got := s.Clients[0].String(); got != "A client at root 1 on 2026-11-22 walks 2 to 40 and has nothing more to check." {
		t.Error(got)
	}
}

// Nobody has released anything for months, and now a key of root alone changes: that breaks nothing.
func TestTargetsThatHadExpiredBeforeBreakNothing(t *testing.T) {
	roots := threeRoots(t)
	s, err := Simulate(Update{Roots: roots, OldTargets: release(t, roots[2], 17, now.AddDate(0, 0, -1), "Alice", "Dana"), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Err(); err != nil || s.Clients[0].Fate != Ends || !strings.Contains(s.Clients[0].String(), "targets 17 expired") {
		t.Errorf("%v; %s", err, s.Clients[0])
	}
}

// Online keys change: what is live counts no more, and the publisher must sign
// before anything else happens.
func TestSimulateTellsThePublisherAboutNewOnlineKeys(t *testing.T) {
	one := signedRoot(t, rootOf(1, 2, abc, abc), nil, "Alice", "Bob")
	spec := rootOf(2, 2, abc, abc)
	spec.Keys = append(spec.Keys, HeldKey{Key: who("Frank").key})
	spec.Roles[Timestamp] = RoleSpec{[]string{who("Frank").key.ID}, 1}
	spec.Keys = slices.DeleteFunc(spec.Keys, func(k HeldKey) bool { return k.Key.ID == who("timestamp").key.ID })
	two := signedRoot(t, spec, one, "Alice", "Bob")
	targets := release(t, one, 3, now.AddDate(0, 1, 0), "Alice", "Bob")
	snapshot, timestamp := online(t, one, 8, map[string]*Document{"targets.json": targets})
	text := told(t, Update{Roots: []*Document{one, two}, OldTargets: targets, Snapshot: snapshot, Timestamp: timestamp, Now: now})
	if want := "Timestamp 908 is not signed by the keys that root 2 gives this role"; !strings.Contains(text, want) {
		t.Errorf("%q is not said:\n%s", want, text)
	}
	text = told(t, Update{Roots: []*Document{one}, OldTargets: targets, Snapshot: snapshot, Timestamp: timestamp, Now: now.AddDate(0, 0, 3)})
	if want := "Timestamp 908 expired on 2026-11-24: no client updates"; !strings.Contains(text, want) {
		t.Errorf("%q is not said:\n%s", want, text)
	}
}
