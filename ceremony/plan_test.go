package ceremony

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

func TestGenesisThatCannotBeMeantIsNotPlanned(t *testing.T) {
	w := newWorld(t, fivePeople...)
	file := func(path string) transfer.PlannedFile { return transfer.PlannedFile{Path: path} }
	tests := []struct {
		name   string
		change func(*Genesis)
	}{
		{"root threshold of 0", func(g *Genesis) { g.RootThreshold = 0 }},
		{"root threshold of -1", func(g *Genesis) { g.RootThreshold = -1 }},
		{"root threshold above the number of holders", func(g *Genesis) { g.RootThreshold = 6 }},
		{"targets threshold of 0", func(g *Genesis) { g.TargetsThreshold = 0 }},
		{"targets threshold above the number of holders", func(g *Genesis) { g.TargetsThreshold = 4 }},
		{"no root holders", func(g *Genesis) { g.RootHolders = nil }},
		{"no targets holders", func(g *Genesis) { g.TargetsHolders = nil }},
		{"one name twice", func(g *Genesis) { g.RootHolders = []string{"Alice", "Bob", "Alice"} }},
		{"one name twice in other cases", func(g *Genesis) { g.RootHolders = []string{"Alice", "Bob", "ALICE"} }},
		{"one name twice with more space", func(g *Genesis) { g.RootHolders = []string{"Alice B", "Bob", " Alice  B"} }},
		{"one name twice for targets", func(g *Genesis) { g.TargetsHolders = []string{"Alice", "Bob", "bob"} }},
		{"empty name", func(g *Genesis) { g.RootHolders = []string{"Alice", "Bob", " "} }},
		{"escape sequence in a name", func(g *Genesis) { g.RootHolders = []string{"Alice", "Bob", "Eve\x1b[2J"} }},
		{"bidi override in a name", func(g *Genesis) { g.RootHolders = []string{"Alice", "Bob", "Eve\u202e"} }},
		{"zero width joiner in a name", func(g *Genesis) { g.RootHolders = []string{"Alice", "Bob", "Ali\u200dce"} }},
		{"invisible letter in a name", func(g *Genesis) { g.RootHolders = []string{"Alice", "Bob", "Alice\u3164"} }},
		{"no-break space in a name", func(g *Genesis) { g.RootHolders = []string{"Alice", "Bob", "Al\u00a0Ice"} }},
		{"half a character in a name", func(g *Genesis) { g.RootHolders = []string{"Alice", "Bob", "Eve\xc3"} }},
		{"endless name", func(g *Genesis) { g.RootHolders = []string{"Alice", "Bob", strings.Repeat("e", 65)} }},
		{"more holders than a role has keys", func(g *Genesis) {
			for i := range 65 {
				g.RootHolders = append(g.RootHolders, fmt.Sprint("holder ", i))
			}
		}},
		{"root that expires now", func(g *Genesis) { g.RootExpires = w.now }},
		{"root that expired", func(g *Genesis) { g.RootExpires = w.now.Add(-time.Second) }},
		{"root that expires in a minute", func(g *Genesis) { g.RootExpires = w.now.Add(time.Minute) }},
		{"root that outlives everybody", func(g *Genesis) { g.RootExpires = w.now.AddDate(50, 0, 0) }},
		{"root without an expiry", func(g *Genesis) { g.RootExpires = time.Time{} }},
		{"targets that expired", func(g *Genesis) { g.TargetsExpires = w.now.Add(-day) }},
		{"unknown algorithm", func(g *Genesis) { g.Algorithm = "rsa" }},
		{"no algorithm", func(g *Genesis) { g.Algorithm = "" }},
		{"no snapshot key", func(g *Genesis) { g.Snapshot = tuf.Key{} }},
		{"no timestamp key", func(g *Genesis) { g.Timestamp = tuf.Key{} }},
		{"one file twice", func(g *Genesis) { g.Files = []transfer.PlannedFile{file("a"), file("a")} }},
		{"file outside of the folder", func(g *Genesis) { g.Files = []transfer.PlannedFile{file("../a")} }},
		{"file without a name", func(g *Genesis) { g.Files = []transfer.PlannedFile{file("")} }},
		{"file that is a folder too", func(g *Genesis) { g.Files = []transfer.PlannedFile{file("a/b"), file("a")} }},
		{"negative length", func(g *Genesis) { g.Files = []transfer.PlannedFile{{Path: "a", Length: -1}} }},
		{"purpose of two lines", func(g *Genesis) { g.Purpose = "a\nb" }},
		{"escape sequence in the purpose", func(g *Genesis) { g.Purpose = "a\x1bb" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := w.genesis()
			tt.change(&g)
			var plan *PlanError
			if _, err := PlanGenesis(g, w.now); !errors.As(err, &plan) {
				t.Errorf("error is %v, want a plan error", err)
			}
		})
	}
}

func TestGenesisPlan(t *testing.T) {
	w := newWorld(t, threePeople...)
	g := w.genesis()
	g.RootHolders = []string{" Alice ", "Bob", "Carol"}
	g.TargetsHolders = []string{"bob", "Zoë Müller"}
	g.Timestamp = g.Snapshot
	b, err := PlanGenesis(g, w.now.Add(123*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	want := []transfer.PlannedHolder{
		{Name: "Alice", Root: true}, {Name: "Bob", Root: true, Targets: true}, {Name: "Carol", Root: true}, {Name: "Zoë Müller", Targets: true},
	}
	if !slices.Equal(b.Plan.Holders, want) {
		t.Errorf("holders are %+v", b.Plan.Holders)
	}
	raw, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := transfer.Parse(raw); err != nil {
		t.Errorf("the plan does not read back: %v", err)
	}
}

// released is a repository with root 1 and targets 1.
func released(t *testing.T) (*world, transfer.Base) {
	t.Helper()
	w := newWorld(t, threePeople...)
	base := baseOf(w.done(w.planGenesis(), nil))
	return w.next(), base
}

func TestTargetsThatChangeNothingOrCannotBeAreNotPlanned(t *testing.T) {
	w, base := released(t)
	listed := transfer.PlannedFile{Path: "app/conclave.tar.gz", Length: 12, SHA256: [32]byte{1, 2, 3}}
	same := base.Documents[0].Metadata.Expires()
	later := w.now.Add(120 * day)
	tests := []struct {
		name string
		c    TargetsChange
	}{
		{"nothing", TargetsChange{Expires: same}},
		{"the same file again", TargetsChange{Add: []transfer.PlannedFile{listed}, Expires: same}},
		{"remove what is not there", TargetsChange{Remove: []string{"app/none"}, Expires: later}},
		{"remove twice", TargetsChange{Remove: []string{listed.Path, listed.Path}, Expires: later}},
		{"add and remove", TargetsChange{Add: []transfer.PlannedFile{listed}, Remove: []string{listed.Path}, Expires: later}},
		{"file in place of a folder", TargetsChange{Add: []transfer.PlannedFile{{Path: "app"}}, Expires: later}},
		{"expired", TargetsChange{Add: []transfer.PlannedFile{{Path: "b"}}, Expires: w.now.Add(-day)}},
		{"bad path", TargetsChange{Add: []transfer.PlannedFile{{Path: "/b"}}, Expires: later}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := PlanTargets(base, tt.c, w.now); err == nil {
				t.Error("it was planned")
			}
		})
	}
	t.Run("without the current targets", func(t *testing.T) {
		if _, err := PlanTargets(transfer.Base{Roots: base.Roots}, TargetsChange{Add: []transfer.PlannedFile{{Path: "b"}}, Expires: later}, w.now); err == nil {
			t.Error("it was planned")
		}
	})
	if b, err := PlanTargets(base, TargetsChange{Expires: later}, w.now); err != nil || b.Document(tuf.Targets).Version() != 2 {
		t.Errorf("another expiry alone: %v", err)
	}
}

func TestPlannedTargets(t *testing.T) {
	w, base := released(t)
	base.Seen[tuf.Targets] = 7 // somebody has seen a newer one
	later := w.now.Add(120 * day)
	before := string(base.Documents[0].Metadata.Bytes())
	b, err := PlanTargets(base, TargetsChange{
		Add:     []transfer.PlannedFile{{Path: "app/new", Length: 9, SHA256: [32]byte{9}}},
		Expires: later.Add(5 * time.Millisecond),
	}, w.now)
	if err != nil {
		t.Fatal(err)
	}
	next := b.Document(tuf.Targets)
	if next.Version() != 8 || !next.Expires().Equal(later) || len(next.Targets().Targets) != 2 || len(next.Signatures()) != 0 {
		t.Errorf("version %d, expires %s, %d files, %d signatures", next.Version(), next.Expires(), len(next.Targets().Targets), len(next.Signatures()))
	}
	if string(base.Documents[0].Metadata.Bytes()) != before {
		t.Error("the base was changed")
	}
	if b.Base.Seen[tuf.Root] != 1 || b.Base.Seen[tuf.Snapshot] != 1 {
		t.Errorf("seen: %v", b.Base.Seen)
	}
}

func TestRootThatDoesNotFollowIsNotPlanned(t *testing.T) {
	w, base := released(t)
	other, foreign := released(t)
	if _, err := PlanRoot(transfer.Base{}, "", w.now.Add(day), w.now); err == nil {
		t.Error("planned on nothing")
	}
	if _, err := PlanRoot(transfer.Base{Roots: []*tuf.Document{base.Roots[0], foreign.Roots[0]}}, "", other.now.Add(day), w.now); err == nil {
		t.Error("planned on two roots of two repositories")
	}
	if _, err := PlanRoot(transfer.Base{Roots: []*tuf.Document{tuf.Unsigned(base.Roots[0])}}, "", w.now.Add(day), w.now); err == nil {
		t.Error("planned on a root that nobody signed")
	}
	if _, err := PlanRoot(base, "", w.now.Add(-day), w.now); err == nil {
		t.Error("planned with an expiry in the past")
	}
}

func TestAdoptedMetadataKeepsWhatVerifies(t *testing.T) {
	st := newStage()
	root2, err := st.rootOf(2, "Alice", "Bob", "Dana")
	if err != nil {
		t.Fatal(err)
	}
	reqs, err := tuf.Requirements(tuf.Root, root2, st.root1, root2)
	if err != nil {
		t.Fatal(err)
	}
	if root2, err = tuf.Attach(root2, reqs, st.key("Alice").ID, st.sign("Alice", root2)); err != nil {
		t.Fatal(err)
	}
	if root2, err = tuf.Attach(root2, reqs, st.key("Dana").ID, st.sign("Dana", root2)); err != nil {
		t.Fatal(err)
	}
	raw := strings.Replace(string(root2.Bytes()), `"keyid": "`+st.key("Dana").ID, `"keyid": "`+st.key("Bob").ID, 1)
	if root2, err = tuf.Parse([]byte(raw)); err != nil {
		t.Fatal(err)
	}
	base := transfer.Base{Roots: []*tuf.Document{st.root1}}
	b, dropped, err := Adopt(base, []transfer.Document{{Role: tuf.Root, Metadata: root2}}, "from elsewhere", day0)
	if err != nil {
		t.Fatal(err)
	}
	if sigs := b.Document(tuf.Root).Signatures(); len(sigs) != 1 || sigs[0].KeyID != st.key("Alice").ID {
		t.Errorf("kept %d signatures", len(sigs))
	}
	want := fmt.Sprintf("dropped a signature on root 2 by key %s: it does not verify", st.key("Bob").ID[:8])
	if len(dropped) != 1 || dropped[0] != want {
		t.Errorf("dropped %q, want %q", dropped, want)
	}
}

func TestMetadataThatCannotFollowIsNotAdopted(t *testing.T) {
	st := newStage()
	root := func(version int64) transfer.Document {
		r, err := st.rootOf(version, "Alice", "Bob", "Dana")
		if err != nil {
			t.Fatal(err)
		}
		return transfer.Document{Role: tuf.Root, Metadata: r}
	}
	snapshotOf := func() transfer.Document {
		targets, err := tuf.NewTargets(tuf.TargetsSpec{Version: 1, Expires: day0.Add(day)})
		if err != nil {
			t.Fatal(err)
		}
		s, err := tuf.NewSnapshot(1, day0.Add(day), map[string]*tuf.Document{"targets.json": targets}, false)
		if err != nil {
			t.Fatal(err)
		}
		return transfer.Document{Role: tuf.Snapshot, Metadata: s}
	}
	based := transfer.Base{Roots: []*tuf.Document{st.root1}}
	tests := []struct {
		name string
		base transfer.Base
		docs []transfer.Document
	}{
		{"nothing", based, nil},
		{"a root that leaves one out", based, []transfer.Document{root(3)}},
		{"a root that goes back", based, []transfer.Document{root(1)}},
		{"two roots", based, []transfer.Document{root(2), root(2)}},
		{"an online role", based, []transfer.Document{snapshotOf()}},
		{"root 2 without a base", transfer.Base{}, []transfer.Document{root(2)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := PlanAdopt(tt.base, tt.docs, "", day0); err == nil {
				t.Error("it was adopted")
			}
		})
	}
	b, err := PlanAdopt(transfer.Base{}, []transfer.Document{root(1)}, "", day0)
	if err != nil || title(b) != "genesis: root 1" {
		t.Errorf("a first root: %v", err)
	}
}
