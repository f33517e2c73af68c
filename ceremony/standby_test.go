package ceremony

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

func TestStandbyIsCheckedForStaleness(t *testing.T) {
	w, base, s := partial(t, true, "Alice", "Erin")
	b := s.State().Bundle()
	check := func(base transfer.Base, after int) *Standby {
		t.Helper()
		got, err := CheckStandby(b, base, w.now.AddDate(0, 0, after))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	fresh := check(base, 0)
	if len(fresh.Stale) != 0 || len(fresh.Warn) != 1 || !strings.Contains(fresh.Warn[0], "One signature makes it valid") {
		t.Errorf("fresh: %+v", fresh)
	}
	if old := check(base, 100); len(old.Stale) != 1 || !strings.Contains(old.Stale[0], "Targets 2 expired") {
		t.Errorf("after 100 days: %q", old.Stale)
	}
	next := w.next()
	next.away = nil
	renewal, err := PlanRoot(base, "", next.now.Add(400*day), next.now)
	if err != nil {
		t.Fatal(err)
	}
	moved := base
	moved.Roots = append(moved.Roots[:1:1], next.done(renewal, base.Roots[0]).Document(tuf.Root))
	if stale := check(moved, 1); len(stale.Stale) != 1 || !strings.Contains(stale.Stale[0], "root 2 is live") {
		t.Errorf("after another root: %q", stale.Stale)
	}
	again := next.next()
	release, err := PlanTargets(base, TargetsChange{Remove: []string{"app/conclave.tar.gz"}, Expires: again.now.Add(90 * day)}, again.now)
	if err != nil {
		t.Fatal(err)
	}
	if stale := check(baseOf(again.done(release, base.Roots[0])), 1); len(stale.Stale) != 1 || !strings.Contains(stale.Stale[0], "files of later releases") {
		t.Errorf("after a release: %q", stale.Stale)
	}
	if _, err := CheckStandby(w.planGenesis(), base, w.now); err == nil {
		t.Error("a plan passes for a stand-by")
	}
}

// Rotations that really happened, with signatures taken away one by one: the
// counts of both thresholds follow.
func TestTalliesOfRealRotations(t *testing.T) {
	dir := filepath.Join("..", "..", "shared", "data", "real", "sigstore-roots")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the real roots are not at hand in %s", dir)
	}
	roots := map[int64]*tuf.Document{}
	for version := int64(11); version <= 14; version++ { // the oldest are spelled as no client reads them any more
		raw, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%d.root.json", version)))
		if err != nil {
			t.Fatal(err)
		}
		if roots[version], err = tuf.Parse(raw); err != nil {
			t.Fatal(err)
		}
	}
	for _, version := range []int64{12, 13, 14} {
		old, next := roots[version-1], roots[version]
		t.Run(fmt.Sprintf("root %d to %d", version-1, version), func(t *testing.T) {
			b, err := PlanAdopt(transfer.Base{Roots: []*tuf.Document{old}}, []transfer.Document{{Role: tuf.Root, Metadata: next}}, "", next.Expires().AddDate(0, -5, 0))
			if err != nil {
				t.Fatal(err)
			}
			reqs, err := b.Requirements(tuf.Root)
			if err != nil {
				t.Fatal(err)
			}
			sigs := b.Document(tuf.Root).Signatures()
			doc := tuf.Unsigned(next)
			for n := 0; ; n++ {
				needs, err := Needs(b.With(tuf.Root, doc))
				if err != nil {
					t.Fatal(err)
				}
				for i, r := range reqs {
					by := 0
					for _, k := range r.Keys {
						for _, s := range sigs[:n] {
							if s.KeyID == k.ID {
								by++
							}
						}
					}
					if want := max(0, r.Threshold-by); needs[i].Missing != want {
						t.Errorf("with %d signatures %s lack %d, want %d", n, r.Name, needs[i].Missing, want)
					}
				}
				if n == len(sigs) {
					break
				}
				if doc, err = tuf.Attach(doc, reqs, sigs[n].KeyID, sigs[n].Sig); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
