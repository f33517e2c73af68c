//go:build !offline

package publish_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/publish"
)

// binsBundle makes the next targets, which delegate to bins that w's publisher signs; with moves they list no file themselves.
func (w *world) binsBundle(prefix string, bits int, moves bool) *transfer.Bundle {
	w.t.Helper()
	if w.pub.Bins == nil {
		w.pub.Bins, _ = onlineKeys(w.t)
		w.pub.BinsLife = 30 * day
	}
	base := w.base.Document(tuf.Targets)
	spec := tuf.TargetsSpec{
		Version: base.Version() + 1, Expires: w.now.Add(90 * day), Practice: w.practice, Base: base, Files: base.Files(),
		Delegations: &tuf.Delegations{Bins: &tuf.Bins{Prefix: prefix, Bits: bits, Keys: []tuf.HeldKey{{Key: w.pub.Bins.Key()}}, Threshold: 1}},
	}
	if moves {
		spec.Files = nil
	}
	doc, err := tuf.NewTargets(spec)
	must(w.t, err)
	return w.sign(w.bundle(tuf.Targets).With(tuf.Targets, doc))
}

// add lists files in bins, with their content in a folder.
func (w *world) add(files map[string]string, remove ...string) (*publish.Report, error) {
	w.t.Helper()
	dir, err := os.MkdirTemp(w.dir, "add-")
	must(w.t, err)
	c := publish.Change{Remove: remove}
	for path, content := range files {
		local := filepath.Join(dir, filepath.FromSlash(path))
		must(w.t, errors.Join(os.MkdirAll(filepath.Dir(local), 0o755), os.WriteFile(local, []byte(content), 0o644)))
		c.Add = append(c.Add, tuf.TargetFile{Path: path, Length: int64(len(content)), SHA256: sha256.Sum256([]byte(content))})
	}
	return w.pub.Add(context.Background(), c, dir, false)
}

// gets asserts what clients download.
func (w *world) gets(files map[string]string) {
	w.t.Helper()
	for path, want := range files {
		if got, err := w.download(w.fresh(), path); err != nil || got != want {
			w.t.Errorf("download %s: %q, %v", path, got, err)
		}
	}
}

func TestFilesAreAddedToBinsWithoutACeremony(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	w.push(w.binsBundle("bins", 3, true))
	old := map[string]string{"tool.tar": "tool 1", "docs/guide.txt": "read me"} // moved from the targets
	w.gets(old)
	if n := len(w.base.Document(tuf.Targets).Files()); n != 0 {
		t.Errorf("the targets still list %d files", n)
	}
	files := map[string]string{}
	for i := range 20 {
		files[fmt.Sprintf("nightly/%d", i)] = fmt.Sprint("night ", i)
	}
	report, err := w.add(files)
	must(t, err)
	if report.Already || report.Versions[tuf.Targets] != 2 || report.Versions[tuf.Snapshot] != 3 {
		t.Errorf("%+v", report)
	}
	w.gets(files)
	w.gets(old)
	puts := len(w.store.(*watched).puts)
	if report, err = w.add(files); err != nil || !report.Already || len(w.store.(*watched).puts) != puts {
		t.Errorf("the same again: %+v, %v", report, err)
	}
	// One new content touches one bin, and the rest stays.
	report, err = w.add(map[string]string{"nightly/7": "night 7 again"}, "nightly/8")
	must(t, err)
	w.gets(map[string]string{"nightly/7": "night 7 again", "nightly/9": "night 9", "tool.tar": "tool 1"})
	if _, err := w.download(w.fresh(), "nightly/8"); err == nil {
		t.Error("a file that was removed is still there")
	}
	signed := 0
	for _, a := range report.Actions {
		if strings.Contains(a.Name, ".bins-") {
			signed++
		}
	}
	if signed > 2 {
		t.Errorf("%d bins were signed for two files", signed)
	}
}

func TestABinIsSignedAnewBeforeItExpires(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	w.push(w.binsBundle("bins", 2, true))
	for range 30 { // days; a bin lives for 30
		w.now = w.now.Add(23 * time.Hour)
		_, err := w.pub.Refresh(context.Background())
		must(t, err)
	}
	w.gets(map[string]string{"tool.tar": "tool 1", "docs/guide.txt": "read me"})
	w.now = w.now.Add(10 * day)
	_, err := w.pub.Refresh(context.Background())
	must(t, err)
	w.gets(map[string]string{"tool.tar": "tool 1", "docs/guide.txt": "read me"})
}

// A ceremony doubles the bins, and calls them otherwise. No file is lost on the way.
func TestFilesMoveFromBinsToOtherBins(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	w.push(w.binsBundle("bins", 1, true))
	files := map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}
	_, err := w.add(files)
	must(t, err)
	w.learn()
	w.push(w.binsBundle("more", 3, true))
	w.gets(files)
	w.gets(map[string]string{"tool.tar": "tool 1"})
}

// The power is cut at every write of an addition; whoever runs it again completes it, and clients follow all the time.
func TestAnAdditionThatIsCutShortIsCompleted(t *testing.T) {
	for nth := 0; ; nth++ {
		w := newWorld(t)
		w.genesis()
		w.push(w.binsBundle("bins", 2, true))
		files := map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}
		c := &cutter{Store: w.store, when: []moment{beforeWrite, afterWrite}[nth%2], nth: nth / 2}
		w.pub.Store = c
		_, err := w.add(files)
		w.pub.Store = w.store
		if err == nil {
			if nth < 10 {
				t.Errorf("only %d moments", nth)
			}
			return
		}
		w.gets(map[string]string{"tool.tar": "tool 1"})
		w.now = w.now.Add(time.Minute) // whoever comes a minute later would sign other bytes
		if _, err := w.add(files); err != nil {
			t.Errorf("%s: the same again: %v", c.at, err)
		}
		w.gets(files)
		w.gets(map[string]string{"tool.tar": "tool 1"})
	}
}

// An addition is cut short when its bins lie there already, and given up. What it wanted is not published with the next one.
func TestAnAdditionThatWasGivenUpStaysUnpublished(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	w.push(w.binsBundle("bins", 1, true))
	c := &cutter{Store: w.store, when: beforeWrite, nth: 6} // 4 files and 2 bins are through
	w.pub.Store = c
	if _, err := w.add(map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}); !errors.Is(err, errCut) || !strings.Contains(c.at, "snapshot") {
		t.Fatalf("%v at %q", err, c.at)
	}
	w.pub.Store = w.store
	files := map[string]string{"a": "another 1", "e": "5", "f": "6", "g": "7", "h": "8"}
	_, err := w.add(files)
	must(t, err)
	w.gets(files)
	for _, path := range []string{"b", "c", "d"} {
		if _, err := w.download(w.fresh(), path); err == nil {
			t.Errorf("%s was published", path)
		}
	}
}

// Another host adds files at the moment before the timestamp. Both additions are live in the end.
func TestTwoHostsAddFilesAtOnce(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	w.push(w.binsBundle("bins", 1, true))
	other := w.host("other")
	other.PinnedRoot, other.Bins, other.BinsLife = w.pub.PinnedRoot, w.pub.Bins, w.pub.BinsLife
	mine, theirs := map[string]string{"a": "1", "b": "2", "c": "3"}, map[string]string{"d": "4", "e": "5", "f": "6"}
	first := w.pub
	w.pub.Store = &hooked{w.store, once("swap", func() {
		w.pub = other
		_, err := w.add(theirs)
		must(t, err)
		w.pub = first
	})}
	_, err := w.add(mine)
	must(t, err)
	w.gets(mine)
	w.gets(theirs)
}

func TestNothingIsAddedWhereNobodyAllowsIt(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(w *world)
		path string
	}{
		"targets that delegate to no bins": {func(w *world) { w.pub.Bins, _ = onlineKeys(w.t) }, "a"},
		"a publisher without the key": {func(w *world) {
			w.push(w.binsBundle("bins", 2, false))
			w.pub.Bins = nil
		}, "a"},
		"another key": {func(w *world) {
			w.push(w.binsBundle("bins", 2, false))
			w.pub.Bins, _ = onlineKeys(w.t)
		}, "a"},
		"a path that stores read in two ways": {func(w *world) { w.push(w.binsBundle("bins", 2, false)) }, "a//b"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.genesis()
			c.set(w)
			before := list(t, w.folder.Dir())
			add := publish.Change{Add: []tuf.TargetFile{{Path: c.path, Length: 1, SHA256: sha256.Sum256([]byte("1"))}}}
			if _, err := w.pub.Add(context.Background(), add, w.targetsDir(), false); err == nil {
				t.Error("it was added")
			}
			if after := list(t, w.folder.Dir()); len(after) != len(before) {
				t.Error("the store changed")
			}
		})
	}
}

// A target is found through its bin by every client, and a bin with one changed bit is refused.
func TestEveryClientDownloadsThroughABin(t *testing.T) {
	w := newWorld(t)
	w.now = time.Now().UTC().Truncate(time.Second)
	w.genesis()
	w.push(w.binsBundle("bins", 4, true))
	_, err := w.add(map[string]string{"nightly/tool.tar": "tool of the night"})
	must(t, err)
	files := list(t, w.folder.Dir())
	bin := "metadata/2." + tuf.Bins{Prefix: "bins", Bits: 4}.Role("nightly/tool.tar") + ".json"
	for name, c := range map[string]func(*testing.T) clientOf{
		"our client": func(*testing.T) clientOf { return ourClient }, "go-tuf": func(*testing.T) clientOf { return goTUF }, "tuf-js": tufJS,
	} {
		t.Run(name, func(t *testing.T) {
			visitor := c(t)
			m := newMuseum(t, files)
			v := m.visit(t, "whole", "nightly/tool.tar")
			must(t, visitor(v))
			if got, err := os.ReadFile(v.out); err != nil || string(got) != "tool of the night" {
				t.Errorf("%q, %v", got, err)
			}
			if err := visitor(m.visit(t, m.add(flip{bin, len(files[bin]) / 2}), "nightly/tool.tar")); err == nil {
				t.Error("a changed bin was accepted")
			}
		})
	}
}

// A bin takes some ten times its JSON while it is made: few large ones are made at once, and many small ones.
func TestTheMemoryOfBinsThatAreMadeIsBounded(t *testing.T) {
	for _, c := range []struct{ bins, files, want int }{
		{0, 0, 1}, {256, 0, 64}, {256, 390, 64}, {256, 4000, 6}, {16, 100_000, 1}, {16384, 60, 64},
	} {
		if got := publish.BinsAtOnce(c.bins, c.files); got != c.want {
			t.Errorf("%d bins of %d files: %d at once, want %d", c.bins, c.files, got, c.want)
		}
	}
}
