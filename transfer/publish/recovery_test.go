package publish_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"testing"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer/client"
	"conclave/transfer/publish"
)

// highest is the largest version that metadata can hold: there is no room above it.
const highest = 1<<53 - 1

// newTimestampKey gives the world's publisher another timestamp key, which the next root lists.
func (w *world) newTimestampKey() {
	_, w.pub.Timestamp = onlineKeys(w.t)
	w.online = maps.Clone(w.online)
	w.online[tuf.Timestamp] = w.pub.Timestamp.Key()
}

// A thief of the timestamp key sets the highest version there is, and some clients take it. A root that takes the key away lets
// everybody go on from the versions that were really published: that is no rollback.
func TestARootWithANewTimestampKeyRecoversAStoreThatHasJumpedAhead(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	other := w.host("other")
	other.PinnedRoot = w.pub.PinnedRoot
	for range 5 { // up to timestamp 6, which only it remembers
		_, err := other.Refresh(context.Background())
		must(t, err)
	}
	w.forge(highest)
	misled := w.fresh()
	if _, err := w.download(misled, "tool.tar"); err != nil {
		t.Fatal(err)
	}
	before := list(t, w.folder.Dir())
	w.learn()
	b := w.signed(tuf.Root)
	if _, err := w.pub.Push(context.Background(), b, w.targetsDir(), publish.PushOptions{}); !errors.Is(err, publish.ErrFastForward) {
		t.Errorf("a root that leaves the key: %v", err)
	}
	if !maps.Equal(before, list(t, w.folder.Dir())) {
		t.Error("the store changed")
	}
	w.newTimestampKey()
	b = w.signed(tuf.Root)
	w.push(b)
	if live := w.live(); live[tuf.Timestamp] != 2 || live[tuf.Root] != 2 {
		t.Errorf("live is %v", live)
	}
	for who, cache := range map[string]client.Memory{"a new client": w.fresh(), "a client that took the forgery": misled} {
		if got, err := w.download(cache, "tool.tar"); err != nil || got != "tool 1" {
			t.Errorf("%s gets %q, %v", who, got, err)
		}
	}
	if report := w.push(b); !report.Already {
		t.Error("the same push again publishes something")
	}
	_, err := w.pub.Refresh(context.Background())
	must(t, err)
	other.Timestamp = w.pub.Timestamp
	if s, err := other.Status(context.Background()); err != nil || s.Alarm != "" {
		t.Errorf("another host takes it for an accident: %+v, %v", s, err)
	}
	_, err = other.Refresh(context.Background())
	must(t, err)
	// From here on its versions count again.
	for name, content := range before {
		if name == "metadata/timestamp.json" {
			w.damage(name, func([]byte) []byte { return []byte(content) })
		}
	}
	if s, err := other.Status(context.Background()); err != nil || s.Alarm == "" {
		t.Errorf("the forged timestamp is back: %+v, %v", s, err)
	}
}

// The push that recovers a store is cut short after its root, and run again.
func TestARecoveryThatWasCutShortIsCompleted(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	w.forge(highest)
	w.learn()
	w.newTimestampKey()
	b := w.signed(tuf.Root)
	c := &cutter{Store: w.store, when: beforeWrite, nth: 1}
	w.pub.Store = c
	if _, err := w.pub.Push(context.Background(), b, w.targetsDir(), publish.PushOptions{}); !errors.Is(err, errCut) {
		t.Fatalf("error is %v at %q", err, c.at)
	}
	if _, err := os.Stat(w.folder.Dir() + "/metadata/2.root.json"); err != nil {
		t.Fatalf("it was cut elsewhere: %q, %v", c.at, err)
	}
	w.pub.Store = w.store
	w.push(b)
	if live := w.live(); live[tuf.Timestamp] != 2 {
		t.Errorf("live is %v", live)
	}
}

func TestStatusRaisesTheAlarmsOfAStore(t *testing.T) {
	for name, harm := range map[string]func(w *world, old []byte){
		"emptied":      func(w *world, _ []byte) { must(w.t, os.RemoveAll(w.folder.Dir()+"/metadata")) },
		"rolled back":  func(w *world, old []byte) { w.damage("metadata/timestamp.json", func([]byte) []byte { return old }) },
		"jumped ahead": func(w *world, _ []byte) { w.forge(1 << 40) },
		"forked":       func(w *world, _ []byte) { w.forge(2) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.genesis()
			old, err := os.ReadFile(w.folder.Dir() + "/metadata/timestamp.json")
			must(t, err)
			w.now = w.now.Add(time.Hour)
			_, err = w.pub.Refresh(context.Background())
			must(t, err)
			if s, err := w.pub.Status(context.Background()); err != nil || s.Alarm != "" || s.Level != publish.OK {
				t.Fatalf("%+v, %v", s, err)
			}
			seen := list(t, w.pub.StateDir)
			harm(w, bytes.Clone(old))
			s, err := w.pub.Status(context.Background())
			if err != nil || s.Alarm == "" || s.Level != publish.Critical {
				t.Errorf("%+v, %v", s, err)
			}
			if !maps.Equal(seen, list(t, w.pub.StateDir)) {
				t.Error("a look has changed this host's memory")
			}
		})
	}
}

// Somebody points a configuration at another store, a real one, and keeps the folder of the state.
func TestTheMarkOfOneStoreIsNotTakenForAnothers(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	_, err := w.pub.Refresh(context.Background())
	must(t, err)
	elsewhere, err := publish.NewFolder(w.dir + "/elsewhere")
	must(t, err)
	must(t, publish.MarkPractice(context.Background(), elsewhere))
	w.pub.Store = elsewhere
	if _, err := w.pub.Refresh(context.Background()); !errors.Is(err, publish.ErrPractice) {
		t.Errorf("error is %v", err)
	}
}
