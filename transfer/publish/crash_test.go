package publish_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/client"
	"conclave/transfer/publish"
)

// A scene is a repository before a push and the bundle to be pushed.
type scene struct {
	name string
	set  func(w *world) *transfer.Bundle
}

var scenes = []scene{
	{"genesis", func(w *world) *transfer.Bundle {
		w.file("tool.tar", "tool 1")
		return w.signed(tuf.Root, tuf.Targets)
	}},
	{"release", func(w *world) *transfer.Bundle {
		w.genesis()
		w.file("tool.tar", "tool 2")
		w.file("more/new", "new")
		return w.signed(tuf.Targets)
	}},
	{"root and release", func(w *world) *transfer.Bundle {
		w.genesis()
		w.file("tool.tar", "tool 2")
		w.roots[2] = newHolder(w.t)
		b := w.bundle(tuf.Root, tuf.Targets)
		return w.sign(b, w.roots[0], w.roots[1])
	}},
}

// At every moment of a push a new client and one that was up to date before must be able to
// verify the repository, and see the old content or the new one. Whoever repeats the push completes it.
func TestAPowerCutBetweenAnyTwoOperationsBreaksNoClient(t *testing.T) {
	for _, s := range scenes {
		for _, when := range []moment{beforeWrite, afterWrite, atNextRead} {
			for nth := 0; ; nth++ {
				done := false
				t.Run(fmt.Sprintf("%s, cut %s write %d", s.name, when, nth), func(t *testing.T) { done = powerCut(t, s, when, nth) })
				if done || t.Failed() {
					break
				}
			}
		}
	}
}

// powerCut runs one scene and reports whether the push was through before the cut.
func powerCut(t *testing.T, s scene, when moment, nth int) bool {
	w := newWorld(t)
	b := s.set(w)
	upToDate := client.Memory{}
	if !b.Genesis() {
		upToDate = w.fresh()
		if _, err := w.download(upToDate, "tool.tar"); err != nil {
			t.Fatal(err)
		}
	}
	power := &cutter{Store: w.store, when: when, nth: nth}
	w.pub.Store = power
	_, err := w.pub.Push(context.Background(), b, w.targetsDir(), trust(b))
	if err != nil && !errors.Is(err, errCut) {
		t.Fatalf("push: %v", err)
	}
	if err != nil && !b.Genesis() {
		for who, cache := range map[string]client.Memory{"a new client": w.fresh(), "a client up to date": maps.Clone(upToDate)} {
			got, err := w.download(cache, "tool.tar")
			if err != nil || got != "tool 1" && got != w.files["tool.tar"] {
				t.Errorf("cut at %s, %s gets %q, %v", power.at, who, got, err)
			}
		}
	}
	w.pub.Store = w.store
	kept := journaled(t, w)
	w.push(b)
	if live := list(t, w.folder.Dir())["metadata/timestamp.json"]; kept != "" && live != kept {
		t.Errorf("cut at %s: the timestamp was signed twice", power.at)
	}
	for who, cache := range map[string]client.Memory{"a new client": w.fresh(), "a client up to date": upToDate} {
		if len(cache) == 0 {
			continue
		}
		if got, err := w.download(cache, "tool.tar"); err != nil || got != w.files["tool.tar"] {
			t.Errorf("cut at %s, completed, %s gets %q, %v", power.at, who, got, err)
		}
	}
	checkNoWaste(t, w, power.at)
	return err == nil
}

// journaled is the timestamp in the journal of an unfinished push.
func journaled(t *testing.T, w *world) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(w.pub.StateDir, "push.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	must(t, err)
	var journal struct {
		Timestamp []byte `json:"timestamp"`
	}
	must(t, json.Unmarshal(raw, &journal))
	return string(journal.Timestamp)
}

// checkNoWaste looks for what a second set of signatures would have left: more
// snapshots than timestamps have named.
func checkNoWaste(t *testing.T, w *world, at string) {
	t.Helper()
	live := w.live()
	snapshots := 0
	for name := range list(t, w.folder.Dir()) {
		if strings.HasSuffix(name, ".snapshot.json") {
			snapshots++
		}
	}
	if int64(snapshots) != live["snapshot"] || live["timestamp"] != live["snapshot"] {
		t.Errorf("cut at %s: %d snapshots are there, live is %v: something was signed twice", at, snapshots, live)
	}
}

// The host is lost together with its journal while its snapshot lies in the
// store already. Another host completes the push: the version is skipped, nothing is overwritten.
func TestALostJournalSkipsASnapshotVersion(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	w.file("tool.tar", "tool 2")
	b := w.signed(tuf.Targets)
	w.pub.Store = &hooked{w.store, func(what string) {
		if what == "swap metadata/timestamp.json" {
			panic(errCut)
		}
	}}
	func() {
		defer func() { _ = recover() }()
		_, _ = w.pub.Push(context.Background(), b, w.targetsDir(), publish.PushOptions{})
	}()
	other := w.host("other")
	other.PinnedRoot = w.pub.PinnedRoot
	report, err := other.Push(context.Background(), b, w.targetsDir(), publish.PushOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]int64{"root": 1, "targets": 2, "snapshot": 3, "timestamp": 2}; !maps.Equal(report.Versions, want) {
		t.Errorf("versions %v, want %v", report.Versions, want)
	}
	if got, err := w.download(w.fresh(), "tool.tar"); err != nil || got != "tool 2" {
		t.Errorf("download %q, %v", got, err)
	}
}

// liar does as asked and says that somebody else was faster, as a store does when
// the answer was lost and the request is repeated by the library below.
type liar struct {
	publish.Store
	lies int
}

func (l *liar) PutIf(ctx context.Context, name string, data []byte, old publish.ETag) (publish.ETag, error) {
	etag, err := l.Store.PutIf(ctx, name, data, old)
	if err == nil && l.lies > 0 {
		l.lies--
		return "", publish.ErrChanged
	}
	return etag, err
}

func TestALostAnswerIsNotTakenForARival(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	w.pub.Store = &liar{w.store, 1}
	w.file("tool.tar", "tool 2")
	if report := w.push(w.signed(tuf.Targets)); report.Versions["timestamp"] != 2 || report.Already {
		t.Errorf("report is %+v", report)
	}
}

// A push is cut short; before the operator repeats it, cron refreshes on the same host.
func TestARefreshBetweenTwoTriesOfAPushWastesNothing(t *testing.T) {
	for nth := range 6 {
		t.Run(fmt.Sprintf("cut before write %d", nth), func(t *testing.T) {
			w := newWorld(t)
			w.genesis()
			w.file("tool.tar", "tool 2")
			b := w.signed(tuf.Targets)
			w.pub.Store = &cutter{Store: w.store, when: beforeWrite, nth: nth}
			if _, err := w.pub.Push(context.Background(), b, w.targetsDir(), publish.PushOptions{}); err != nil && !errors.Is(err, errCut) {
				t.Fatal(err)
			}
			w.pub.Store = w.store
			w.now = w.now.Add(time.Hour)
			if _, err := w.pub.Refresh(context.Background()); err != nil {
				t.Fatal(err)
			}
			w.push(b)
			if live := w.live(); live["snapshot"] != 2 || live["timestamp"] != 3 {
				t.Errorf("live is %v", live)
			}
		})
	}
}

// While a push is under way a refresher on another host replaces the timestamp, or also the snapshot.
func TestARefreshInTheMiddleOfAPushLosesNothing(t *testing.T) {
	for _, at := range []string{"put targets/", "put metadata/2.targets.json", "put metadata/2.snapshot.json", "swap "} {
		for name, age := range map[string]int{"timestamp": 0, "timestamp and snapshot": 5} {
			t.Run(name+" before "+at, func(t *testing.T) {
				w := newWorld(t)
				w.genesis()
				w.file("tool.tar", "tool 2")
				b := w.signed(tuf.Targets)
				for range age {
					w.now = w.now.Add(day)
				}
				other := w.host("other")
				other.PinnedRoot = w.pub.PinnedRoot
				w.pub.Store = &hooked{w.store, once(at, func() {
					if _, err := other.Refresh(context.Background()); err != nil {
						t.Errorf("refresh: %v", err)
					}
				})}
				w.push(b)
				if got, err := w.download(w.fresh(), "tool.tar"); err != nil || got != "tool 2" {
					t.Errorf("download %q, %v", got, err)
				}
				if live := w.live(); live["timestamp"] != 3 {
					t.Errorf("live is %v, want timestamp 3: both have published", live)
				}
			})
		}
	}
}

// Two operators push the same bundle at once, or two different ones that build on the same base.
func TestOfTwoPublishersOneWinsAndTheOtherNotices(t *testing.T) {
	for _, at := range []string{"put targets/", "put metadata/2.targets.json", "put metadata/2.snapshot.json", "swap "} {
		t.Run("the same bundle, the other one before "+at, func(t *testing.T) {
			w := newWorld(t)
			w.genesis()
			w.file("tool.tar", "tool 2")
			b := w.signed(tuf.Targets)
			w.interrupt(at, b)
			w.push(b)
			if got, err := w.download(w.fresh(), "tool.tar"); err != nil || got != "tool 2" {
				t.Errorf("download %q, %v", got, err)
			}
		})
		t.Run("another bundle, the other one before "+at, func(t *testing.T) {
			w := newWorld(t)
			w.genesis()
			w.file("tool.tar", "tool of b")
			b := w.signed(tuf.Targets)
			w.file("tool.tar", "tool 2")
			a := w.signed(tuf.Targets)
			rival := w.interrupt(at, b)
			_, err := w.pub.Push(context.Background(), a, w.targetsDir(), publish.PushOptions{})
			won := err == nil
			if !won && !errors.Is(err, publish.ErrMoved) {
				t.Errorf("error is %v", err)
			}
			if won == (rival.err == nil) {
				t.Errorf("one must win: %v, %v", err, rival.err)
			}
			if _, err := w.download(w.fresh(), "tool.tar"); err != nil {
				t.Error(err)
			}
		})
	}
}

// A rival has pushed its own bundle in the middle of another push.
type rival struct{ err error }

// interrupt lets another host push b, with the files as that bundle wants them, before the operation at.
func (w *world) interrupt(at string, b *transfer.Bundle) *rival {
	other := w.host("other")
	other.PinnedRoot = w.pub.PinnedRoot
	r := &rival{}
	w.pub.Store = &hooked{w.store, once(at, func() {
		mine := w.files["tool.tar"]
		if strings.Contains(string(b.Document(tuf.Targets).Bytes()), `"length": 9`) {
			w.file("tool.tar", "tool of b")
		}
		_, r.err = other.Push(context.Background(), b, w.targetsDir(), publish.PushOptions{})
		w.file("tool.tar", mine)
	})}
	return r
}

// Four refreshers and two publishers of the same bundle work at the same time.
func TestManyHostsAtOnce(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	w.file("tool.tar", "tool 2")
	b := w.signed(tuf.Targets)
	errs := make(chan error)
	run := func(i int) {
		host := w.host(fmt.Sprint("host", i))
		host.PinnedRoot = w.pub.PinnedRoot
		var err error
		if i < 2 {
			_, err = host.Push(context.Background(), b, w.targetsDir(), publish.PushOptions{})
		} else {
			_, err = host.Refresh(context.Background())
		}
		errs <- err
	}
	const hosts = 6
	for i := range hosts {
		go run(i)
	}
	for range hosts {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if got, err := w.download(w.fresh(), "tool.tar"); err != nil || got != "tool 2" {
		t.Errorf("download %q, %v", got, err)
	}
	// Every refresh has made its own timestamp; of the pushes at least one.
	if live := w.live(); live["timestamp"] < 1+hosts-2+1 || live["targets"] != 2 {
		t.Errorf("live is %v", live)
	}
}
