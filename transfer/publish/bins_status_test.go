//go:build !offline

package publish_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"conclave/ceremony/tuf"
	"conclave/transfer/publish"
)

// binsStatus looks at the bins, which must be there.
func (w *world) binsStatus() (*publish.Status, *publish.BinsStatus) {
	w.t.Helper()
	s, err := w.pub.Status(context.Background())
	must(w.t, err)
	if s.Bins == nil {
		w.t.Fatal("the status says nothing of bins")
	}
	return s, s.Bins
}

// binFile is where the live document of a bin lies.
func (w *world) binFile(role, version string) string {
	return filepath.Join(w.folder.Dir(), "metadata", version+"."+role+".json")
}

// Nobody refreshes any more. The bins, which live for 30 days, are warned about before they expire.
func TestStatusTellsWhenBinsMustBeSigned(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	w.push(w.binsBundle("bins", 3, true))
	begin, ends := w.now, w.now.Add(30*day)
	for _, c := range []struct {
		after   time.Duration
		level   publish.Level
		expired int
		says    string
	}{
		{time.Hour, publish.OK, 0, ""},
		{19 * day, publish.OK, 0, ""},
		{22 * day, publish.Warn, 0, "expires in 8 days and should be signed anew: run conclave publish refresh"},
		{27 * day, publish.Critical, 0, "expires in 3 days: then clients refuse the files in it"},
		{31 * day, publish.Critical, 8, "has expired on 2030-06-16T12:00:00Z, and 8 in all"},
	} {
		w.now = begin.Add(c.after)
		s, b := w.binsStatus()
		if b.Level != c.level || b.Expired != c.expired || !b.Expires.Equal(ends) || !b.Sign.Equal(ends.Add(-15*day)) || s.Level < b.Level {
			t.Errorf("after %v: %+v of %+v", c.after, b, s)
		}
		if said := strings.Join(s.Problems, "\n"); c.says == "" && strings.Contains(said, "bins") || !strings.Contains(said, c.says) {
			t.Errorf("after %v: %q", c.after, s.Problems)
		}
		if b.Read != 8 || b.Looked() != "all were read" || b.First != "bins-0" || b.Version != 1 || !b.Online || b.Threshold != 1 || len(b.KeyIDs) != 1 {
			t.Errorf("after %v: %+v", c.after, b)
		}
	}
}

// A refresher that does its work never makes a monitor wake anybody.
func TestStatusIsQuietWhileBinsAreSignedInTime(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	w.push(w.binsBundle("bins", 1, true))
	for range 110 { // more than the lives of three bins
		w.now = w.now.Add(11 * time.Hour)
		_, err := w.pub.Refresh(context.Background())
		must(t, err)
		if _, b := w.binsStatus(); b.Level != publish.OK {
			t.Fatalf("%s: %+v", w.now, b)
		}
	}
}

// Somebody changes one bin in the store, and deletes another one. The rest of the status is said all the same.
func TestStatusNamesBinsThatDoNotVerify(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	w.push(w.binsBundle("bins", 3, true))
	must(t, os.WriteFile(w.binFile("bins-2", "1"), []byte("{}"), 0o644))
	must(t, os.Remove(w.binFile("bins-5", "1")))
	s, b := w.binsStatus()
	if s.Level != publish.Critical || b.Level != publish.Critical || b.Broken != 2 || b.Read != 8 || len(s.Roles) != 4 {
		t.Errorf("%+v, %+v", s, b)
	}
	if said := strings.Join(s.Problems, "\n"); len(s.Problems) != 2 || !strings.Contains(said, "bins-2: ") || !strings.Contains(said, "bins-5: ") {
		t.Errorf("%q", s.Problems)
	}
}

// A thief of the snapshot's key, who does not have that of the bins, lists a bin of his own.
func TestStatusNamesABinThatWasSignedByNobody(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	w.push(w.binsBundle("bins", 1, true))
	doc, err := tuf.NewTargets(tuf.TargetsSpec{Version: 2, Expires: w.now.Add(30 * day)})
	must(t, err)
	must(t, w.store.PutNew(t.Context(), "metadata/2.bins-1.json", publish.Bytes(doc.Bytes())))
	w.steal(func(meta map[string]*metadata.MetaFiles) { meta["bins-1.json"] = listed(2, doc.Bytes()) })
	s, b := w.binsStatus()
	if b.Broken != 1 || b.Level != publish.Critical || len(s.Problems) != 1 || !strings.Contains(s.Problems[0], "bins-1: ") {
		t.Errorf("%+v, %q", b, s.Problems)
	}
}

// Targets delegate to bins and nobody has signed them.
func TestStatusTellsOfBinsThatNobodySigned(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	b := w.binsBundle("bins", 2, false)
	w.pub.Bins = nil
	w.push(b)
	s, bins := w.binsStatus()
	if s.Level != publish.Warn || bins.Missing != 4 || bins.Read != 0 || !bins.Expires.IsZero() || !strings.Contains(s.Problems[0], "4 of 4 bins are not published") {
		t.Errorf("%+v, %q", bins, s.Problems)
	}
}

// Of more bins than one look reads, the host that signed them remembers the rest. A stranger says how few it saw.
func TestStatusSaysHowManyBinsItLookedAt(t *testing.T) {
	if testing.Short() {
		t.Skip("512 bins are signed")
	}
	w := newWorld(t)
	w.genesis()
	w.push(w.binsBundle("bins", 9, true))
	if _, b := w.binsStatus(); b.Read != 256 || b.Remembered != 256 || b.Unseen != 0 || b.Looked() != "256 were read, 256 remembered" {
		t.Errorf("the host that signed: %+v", b)
	}
	root, err := tuf.Parse(w.fresh()[tuf.Root])
	must(t, err)
	s, err := publish.StatusFrom(context.Background(), w.folder, nil, root, w.now)
	must(t, err)
	if b := s.Bins; b.Read != 256 || b.Remembered != 0 || b.Looked() != "256 were read, 256 not looked at" {
		t.Errorf("a stranger: %+v", b)
	}
	// Most bins are signed anew by another host, and one of the rest stays the first to expire.
	w.now = w.now.Add(time.Hour)
	other := w.host("other")
	other.PinnedRoot, other.Bins, other.BinsLife = w.pub.PinnedRoot, w.pub.Bins, w.pub.BinsLife
	first := w.pub
	w.pub = other
	_, err = w.add(map[string]string{"a": "1"})
	must(t, err)
	w.pub = first
	if _, b := w.binsStatus(); b.Remembered < 255 || b.Unseen != 0 || !b.Expires.Equal(w.now.Add(30*day-time.Hour)) {
		t.Errorf("after another host: %+v", b)
	}
}
