package ceremony

import (
	"strings"
	"testing"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

func TestGenesisReleaseAndRenewalEndToEnd(t *testing.T) {
	w := newWorld(t, fivePeople...)
	first := w.done(w.planGenesis(), nil)
	root1 := first.Document(tuf.Root)
	if _, err := first.Verify(root1); err != nil {
		t.Fatalf("genesis does not verify: %v", err)
	}
	if got := len(first.Tokens); got != 5 {
		t.Errorf("bundle has evidence of %d tokens, want 5", got)
	}
	if holder := root1.Holders()[first.Tokens[0].KeyID]; holder.Name != "Alice" || holder.Serial != 1000 {
		t.Errorf("root names %+v as the first holder", holder)
	}

	w = w.next()
	release, err := PlanTargets(baseOf(first), TargetsChange{
		Purpose: "release 2", Add: []transfer.PlannedFile{{Path: "app/two", Length: 3, SHA256: [32]byte{7}}},
		Expires: w.now.Add(90 * day),
	}, w.now)
	if err != nil {
		t.Fatal(err)
	}
	second := w.done(release, root1)
	if _, err := second.Verify(root1); err != nil {
		t.Fatalf("release does not verify: %v", err)
	}
	if files := second.Document(tuf.Targets).Targets().Targets; len(files) != 2 {
		t.Errorf("targets 2 have %d files, want 2", len(files))
	}

	w = w.next()
	base := baseOf(first)
	base.Documents = baseOf(second).Documents
	renewal, err := PlanRoot(base, "renew the root", w.now.Add(365*day), w.now)
	if err != nil {
		t.Fatal(err)
	}
	third := w.done(renewal, root1)
	if _, err := third.Verify(root1); err != nil {
		t.Fatalf("renewal does not verify: %v", err)
	}
	if v := third.Document(tuf.Root).Version(); v != 2 {
		t.Errorf("root has version %d, want 2", v)
	}
	for name := range w.medium.files {
		if !strings.HasPrefix(name, "root-2.complete.bundle") && !strings.HasPrefix(name, "root-2.record") {
			t.Errorf("exported %q", name)
		}
	}
	if len(w.medium.files) != 2 {
		t.Errorf("%d files on the stick, want bundle and record", len(w.medium.files))
	}
}
