package publish_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer/client"
	"conclave/transfer/publish"
)

func TestRefreshSignsTheTimestampAndInTimeTheSnapshot(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	for _, step := range []struct {
		later               time.Duration
		timestamp, snapshot int64
	}{
		{0, 2, 1}, {12 * time.Hour, 3, 1}, {3 * day, 4, 1}, {day, 5, 2}, {time.Hour, 6, 2}, {30 * day, 7, 3},
	} {
		w.now = w.now.Add(step.later)
		report, err := w.pub.Refresh(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int64{"root": 1, "targets": 1, "snapshot": step.snapshot, "timestamp": step.timestamp}
		if !maps.Equal(report.Versions, want) {
			t.Errorf("after %v: versions %v, want %v", step.later, report.Versions, want)
		}
		if _, err := w.download(w.fresh(), "tool.tar"); err != nil {
			t.Errorf("after %v: %v", step.later, err)
		}
	}
}

func TestRefreshRefusesAndTouchesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(w *world)
		want error
	}{
		"before the first push": {func(w *world) {
			must(w.t, os.Remove(w.pub.PinnedRoot))
		}, publish.ErrNoPin},
		"with a clock that has stepped back": {func(w *world) { w.now = w.now.Add(-time.Hour) }, publish.ErrClock},
		"on a new host with a clock of long ago": {func(w *world) {
			w.now = w.now.Add(-40 * day)
			w.pub.StateDir += "-new"
		}, publish.ErrClock},
		"with a timestamp key that the root does not list": {func(w *world) { _, w.pub.Timestamp = onlineKeys(w.t) }, nil},
		"with a snapshot key that the root does not list":  {func(w *world) { w.pub.Snapshot, _ = onlineKeys(w.t) }, nil},
		"when the targets have expired":                    {func(w *world) { w.now = w.now.Add(91 * day) }, publish.ErrExpired},
		"when the root has expired":                        {func(w *world) { w.now = w.now.Add(366 * day) }, publish.ErrExpired},
		"a store for rehearsals":                           {func(w *world) { w.pub.Practice = true }, publish.ErrPractice},
		"a store that does not begin with the pinned root": {func(w *world) {
			other := newWorld(w.t)
			must(w.t, os.WriteFile(w.pub.PinnedRoot, other.signed(tuf.Root).Root().Bytes(), 0o644))
		}, publish.ErrUnsound},
		// What does not change is looked at twice a day.
		"a store without a snapshot": {func(w *world) {
			w.damage("metadata/1.snapshot.json", nil)
			w.now = w.now.Add(13 * time.Hour)
		}, publish.ErrUnsound},
		"a store with a changed targets file": {func(w *world) {
			w.damage("metadata/1.targets.json", func(raw []byte) []byte { return append(raw, '\n') })
			w.now = w.now.Add(13 * time.Hour)
		}, publish.ErrUnsound},
		"a store with a root that does not follow": {func(w *world) {
			b := newWorld(w.t)
			b.genesis()
			must(w.t, os.WriteFile(filepath.Join(w.folder.Dir(), "metadata", "2.root.json"), b.signed(tuf.Root).Root().Bytes(), 0o644))
			w.store.(*watched).forget()
		}, publish.ErrUnsound},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.genesis()
			c.set(w)
			before := list(t, w.folder.Dir())
			_, err := w.pub.Refresh(context.Background())
			if err == nil {
				t.Fatal("it was refreshed")
			}
			if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("error is %v", err)
			}
			if !maps.Equal(before, list(t, w.folder.Dir())) {
				t.Error("the store changed")
			}
		})
	}
}

// damage changes or, where change is nil, removes a file behind the store's back.
func (w *world) damage(name string, change func([]byte) []byte) {
	w.t.Helper()
	path := filepath.Join(w.folder.Dir(), filepath.FromSlash(name))
	raw, err := os.ReadFile(path)
	must(w.t, err)
	if change == nil {
		must(w.t, os.Remove(path))
	} else {
		must(w.t, os.WriteFile(path, change(raw), 0o644))
	}
	w.store.(*watched).forget()
}

func TestRefreshBeforeAnythingIsPublished(t *testing.T) {
	w := newWorld(t)
	must(t, os.WriteFile(w.pub.PinnedRoot, w.signed(tuf.Root, tuf.Targets).Root().Bytes(), 0o644))
	if _, err := w.pub.Refresh(context.Background()); !errors.Is(err, publish.ErrUnpublished) {
		t.Errorf("error is %v", err)
	}
}

// Somebody restores yesterday's copy of the whole folder, or of the timestamp alone.
func TestARolledBackStoreIsAnAlarm(t *testing.T) {
	for name, restore := range map[string]func(w *world, old map[string]string){
		"everything": func(w *world, old map[string]string) {
			for name := range list(w.t, w.folder.Dir()) {
				if _, ok := old[name]; !ok {
					must(w.t, os.Remove(filepath.Join(w.folder.Dir(), filepath.FromSlash(name))))
				}
			}
			must(w.t, os.WriteFile(filepath.Join(w.folder.Dir(), "metadata", "timestamp.json"), []byte(old["metadata/timestamp.json"]), 0o644))
		},
		"the timestamp": func(w *world, old map[string]string) {
			must(w.t, os.WriteFile(filepath.Join(w.folder.Dir(), "metadata", "timestamp.json"), []byte(old["metadata/timestamp.json"]), 0o644))
		},
		"an empty folder": func(w *world, _ map[string]string) {
			must(w.t, os.RemoveAll(filepath.Join(w.folder.Dir(), "metadata")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.genesis()
			old := list(t, w.folder.Dir())
			w.push(w.signed(tuf.Root, tuf.Targets))
			restore(w, old)
			w.store.(*watched).forget()
			if _, err := w.pub.Refresh(context.Background()); !errors.Is(err, publish.ErrRolledBack) {
				t.Errorf("refresh: %v", err)
			}
			b := w.signed(tuf.Targets)
			if _, err := w.pub.Push(context.Background(), b, w.targetsDir(), publish.PushOptions{}); !errors.Is(err, publish.ErrRolledBack) {
				t.Errorf("push: %v", err)
			}
		})
	}
}

// A thief of the timestamp key sets a huge version, so that the repository's
// own timestamps are refused from then on; or replaces the timestamp under the same version.
func TestAStoreThatOthersHaveSignedIsAnAlarm(t *testing.T) {
	for name, c := range map[string]struct {
		version int64
		want    error
	}{
		"jumped ahead":                 {1 << 40, publish.ErrFastForward},
		"another file of this version": {1, publish.ErrForked},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.genesis()
			w.forge(c.version)
			if _, err := w.pub.Refresh(context.Background()); !errors.Is(err, c.want) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// forge replaces the timestamp as somebody does who has its key and may write to the store.
func (w *world) forge(version int64) {
	w.t.Helper()
	w.damage("metadata/timestamp.json", func(raw []byte) []byte {
		doc, err := tuf.Parse(raw)
		must(w.t, err)
		forged := *doc.Timestamp()
		forged.Version = version
		forged.Expires = forged.Expires.Add(time.Hour)
		next, err := tuf.From(&forged)
		must(w.t, err)
		reqs, err := tuf.Requirements(tuf.Timestamp, next, nil, w.base.Document(tuf.Root))
		must(w.t, err)
		sig, err := w.pub.Timestamp.Sign(next.Payload())
		must(w.t, err)
		next, err = tuf.Attach(next, reqs, w.pub.Timestamp.Key().ID, sig)
		must(w.t, err)
		return next.Bytes()
	})
}

func TestEveryGoesOnAfterAFailureIfItIsTold(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	runs := 0
	err := w.pub.Every(ctx, time.Nanosecond, func(_ *publish.Report, err error) error {
		runs++
		switch runs {
		case 1:
			w.pub.Practice = true
		case 2:
			if !errors.Is(err, publish.ErrPractice) {
				t.Errorf("second run: %v", err)
			}
			w.pub.Practice = false
		case 3:
			if err != nil {
				t.Errorf("third run: %v", err)
			}
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || runs != 3 {
		t.Errorf("%d runs, %v", runs, err)
	}
	if live := w.live(); live["timestamp"] != 3 {
		t.Errorf("live is %v", live)
	}
}

// A web server serves a copy of the day before; the files in the store are in order.
func TestThePublicAddressMustServeWhatWasPublished(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	public := filepath.Join(w.dir, "public")
	must(t, os.CopyFS(public, os.DirFS(w.folder.Dir())))
	stale, err := client.Open(filepath.Join(public, "metadata"), "")
	must(t, err)
	w.pub.Public = stale
	b := w.signed(tuf.Targets)
	_, err = w.pub.Push(context.Background(), b, w.targetsDir(), publish.PushOptions{})
	if err == nil || !strings.Contains(err.Error(), "serves timestamp 1, in the store is 2") {
		t.Errorf("error is %v", err)
	}
	w.pub.Public, err = client.Open(filepath.Join(w.folder.Dir(), "metadata"), "")
	must(t, err)
	if report := w.push(b); !report.Already {
		t.Error("it was published a second time")
	}
}

func TestStatusTellsVersionsAndTheNextDeadline(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	w.now = w.now.Add(12 * time.Hour)
	s, err := w.pub.Status(context.Background())
	must(t, err)
	if s.Next.Role != "timestamp" || len(s.Roles) != 4 || s.Roles[0].Role != "root" || s.Roles[0].Threshold != 2 || len(s.Roles[0].KeyIDs) != 3 {
		t.Errorf("status is %+v", s)
	}
	w.now = w.now.Add(10 * day)
	s, err = w.pub.Status(context.Background())
	must(t, err)
	raw, err := json.Marshal(s)
	must(t, err)
	for _, want := range []string{`"role":"timestamp","version":1,`, `"expired":true,"days_left":-9`, `"next_deadline":{"role":"timestamp"`} {
		if !bytes.Contains(raw, []byte(want)) {
			t.Errorf("%s lacks %s", raw, want)
		}
	}
}

// A tail acts right behind the first swap of the timestamp.
type tail struct {
	publish.Store
	act func()
}

func (s *tail) PutIf(ctx context.Context, name string, data []byte, old publish.ETag) (publish.ETag, error) {
	etag, err := s.Store.PutIf(ctx, name, data, old)
	if act := s.act; err == nil && act != nil {
		s.act = nil
		act()
	}
	return etag, err
}

// Another host publishes a root behind the timestamp of a refresh: the public address serves more than this host has left there,
// which is no reason for an alarm.
func TestARootThatFollowsARefreshIsNoAlarm(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	b := w.signed(tuf.Root)
	other := w.host("other")
	other.PinnedRoot = w.pub.PinnedRoot
	var err error
	w.pub.Public, err = client.Open(filepath.Join(w.folder.Dir(), "metadata"), "")
	must(t, err)
	w.pub.Store = &tail{w.store, func() {
		_, err := other.Push(context.Background(), b, w.targetsDir(), publish.PushOptions{})
		must(t, err)
	}}
	report, err := w.pub.Refresh(context.Background())
	must(t, err)
	if report.Versions[tuf.Root] != 1 {
		t.Errorf("the other host came first: %+v", report)
	}
}
