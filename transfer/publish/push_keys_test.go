//go:build !offline

package publish_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"conclave/ceremony/tuf"
	"conclave/transfer/publish"
)

// longest is how long a test waits for what comes at once, even on a busy machine.
const longest = 20 * time.Second

// A signal is given once, and waited for with patience.
type signal chan struct{}

func (s signal) give() {
	select {
	case s <- struct{}{}:
	default:
	}
}

func (s signal) await(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, longest)
	defer stop()
	select {
	case <-s:
		return nil
	case <-ctx.Done():
		return errors.New("it never came")
	}
}

// A meeting is a store whose timestamp is not read before the keys are being opened.
type meeting struct {
	publish.Store
	keys, store signal
}

func (m *meeting) Get(ctx context.Context, name string, w io.Writer) (publish.ETag, error) {
	if name == "metadata/timestamp.json" {
		m.store.give()
		if err := m.keys.await(ctx); err != nil {
			return "", errors.New("the keys are not opened while the store is looked at")
		}
		m.keys.give() // for who reads it again
	}
	return m.Store.Get(ctx, name, w)
}

// closeKeys shuts the keys of w's publisher: opening counts, and does what before does first.
func (w *world) closeKeys(before func() error) *atomic.Int64 {
	opened := new(atomic.Int64)
	keys := &publish.Keys{Snapshot: w.pub.Snapshot, Timestamp: w.pub.Timestamp, Bins: w.pub.Bins}
	w.pub.Snapshot, w.pub.Timestamp, w.pub.Bins = nil, nil, nil
	w.pub.Keys = func() (*publish.Keys, error) {
		opened.Add(1)
		return keys, before()
	}
	return opened
}

// To open a key takes as long as to look at the store; neither waits for the other.
func TestKeysAreOpenedWhileTheStoreIsLookedAt(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	w.file("new", "new")
	b := w.signed(tuf.Targets)
	m := &meeting{w.pub.Store, make(signal, 1), make(signal, 1)}
	w.pub.Store = m
	opened := w.closeKeys(func() error {
		m.keys.give()
		if err := m.store.await(t.Context()); err != nil {
			return errors.New("the store is not looked at while the keys are opened")
		}
		return nil
	})
	w.push(b)
	if opened.Load() != 1 {
		t.Errorf("the keys were opened %d times", opened.Load())
	}
}

func TestAPushOfWhatIsLiveOpensNoKey(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	w.file("new", "new")
	b := w.signed(tuf.Targets)
	w.push(b)
	opened := w.closeKeys(func() error { return nil })
	if report := w.push(b); !report.Already || opened.Load() != 0 {
		t.Errorf("the keys were opened %d times for %+v", opened.Load(), report)
	}
}

// A new host's push will need the keys; they are being opened while the bundle is still read, once. On any other host nothing is
// known yet.
func TestANewHostOpensItsKeysEarly(t *testing.T) {
	w := newWorld(t)
	w.file("old", "old")
	b := w.signed(tuf.Root, tuf.Targets)
	begun := make(signal, 1)
	opened := w.closeKeys(func() error { begun.give(); return nil })
	w.pub.OpenEarly()
	must(t, begun.await(t.Context()))
	w.push(b)
	if opened.Load() != 1 {
		t.Errorf("the keys were opened %d times", opened.Load())
	}
	opened = w.closeKeys(func() error { return nil })
	w.pub.OpenEarly()
	if report := w.push(b); !report.Already || opened.Load() != 0 {
		t.Errorf("the keys were opened %d times for %+v", opened.Load(), report)
	}
}

// A token takes few wrong PINs: whoever waits for keys that did not open early has their error, and does not try again.
func TestKeysThatDoNotOpenAreTriedOnce(t *testing.T) {
	w := newWorld(t)
	w.file("old", "old")
	b := w.signed(tuf.Root, tuf.Targets)
	wrong := errors.New("the PIN is wrong")
	opened := w.closeKeys(func() error { return wrong })
	w.pub.OpenEarly()
	digest := b.Root().Digest().String()
	if _, err := w.pub.Push(t.Context(), b, w.targetsDir(), publish.PushOptions{RootDigest: digest}); !errors.Is(err, wrong) {
		t.Errorf("push: %v", err)
	}
	if opened.Load() != 1 {
		t.Errorf("the keys were tried %d times", opened.Load())
	}
}

// The passphrase's file holds another one by now. What is live is still looked at, and nothing else is touched.
func TestAWrongPassphraseRefusesBeforeAnythingIsTouched(t *testing.T) {
	w := newWorld(t)
	dir := filepath.Join(w.dir, "online")
	made, err := publish.Init(context.Background(), publish.InitOptions{
		Dir: dir, Store: w.folder.URL(), PassphraseFile: filepath.Join(dir, "passphrase"),
	})
	must(t, err)
	w.online = map[string]tuf.Key{tuf.Snapshot: made.Snapshot, tuf.Timestamp: made.Timestamp}
	lazy := func() {
		cfg, err := publish.LoadConfig(made.Config)
		must(t, err)
		w.pub, err = cfg.LazyPublisher()
		must(t, err)
		w.pub.Now = func() time.Time { return w.now }
	}
	lazy()
	w.file("old", "old")
	first := w.signed(tuf.Root, tuf.Targets)
	w.push(first)
	must(t, os.WriteFile(filepath.Join(dir, "passphrase"), []byte("another one, mistyped\n"), 0o600))
	lazy()
	w.file("new", "new")
	b := w.signed(tuf.Targets)
	before, state := list(t, w.folder.Dir()), list(t, w.pub.StateDir)
	if _, err := w.pub.Push(context.Background(), b, w.targetsDir(), publish.PushOptions{}); err == nil || !strings.Contains(err.Error(), "open key") {
		t.Errorf("push: %v", err)
	}
	if !maps.Equal(before, list(t, w.folder.Dir())) {
		t.Error("the store changed")
	}
	for name := range list(t, w.pub.StateDir) {
		if _, ok := state[name]; !ok && !strings.HasPrefix(name, "metadata/") { // what refreshes need not read again
			t.Errorf("%s was left behind", name)
		}
	}
	if report := w.push(first); !report.Already {
		t.Errorf("a push of what is live: %+v", report)
	}
}

// Another host, whose clock is three days slow, refreshes right behind the push: every client takes its timestamp for expired.
func TestAPushFailsWhereAClientRefusesWhatIsLive(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	slow := w.host("slow")
	slow.PinnedRoot, slow.Now = w.pub.PinnedRoot, func() time.Time { return w.now.Add(-3 * day) }
	w.file("new", "new")
	b := w.signed(tuf.Targets)
	w.pub.Store = &tail{w.store, func() {
		_, err := slow.Refresh(context.Background())
		must(t, err)
	}}
	_, err := w.pub.Push(context.Background(), b, w.targetsDir(), publish.PushOptions{})
	if err == nil || !strings.Contains(err.Error(), "read back: a ") || !strings.Contains(err.Error(), "expired") {
		t.Errorf("push: %v", err)
	}
}

// signOnline signs an online document with one of the publisher's keys.
func (w *world) signOnline(s *publish.Signer, role string, doc *tuf.Document) *tuf.Document {
	w.t.Helper()
	reqs, err := tuf.Requirements(role, doc, nil, w.base.Document(tuf.Root))
	must(w.t, err)
	sig, err := s.Sign(doc.Payload())
	must(w.t, err)
	signed, err := tuf.Attach(doc, reqs, s.Key().ID, sig)
	must(w.t, err)
	return signed
}

// listed is how a snapshot lists a document.
func listed(version int64, raw []byte) *metadata.MetaFiles {
	digest := sha256.Sum256(raw)
	return &metadata.MetaFiles{Version: version, Length: int64(len(raw)), Hashes: metadata.Hashes{"sha256": digest[:]}}
}

// steal publishes, as a thief of the online keys can, a snapshot that lists something else.
func (w *world) steal(change func(map[string]*metadata.MetaFiles)) {
	w.t.Helper()
	ctx, dir := context.Background(), filepath.Join(w.folder.Dir(), "metadata")
	raw, err := os.ReadFile(filepath.Join(dir, "timestamp.json"))
	must(w.t, err)
	timestamp, err := tuf.Parse(raw)
	must(w.t, err)
	next := *timestamp.Timestamp()
	version := next.Meta["snapshot.json"].Version
	raw, err = os.ReadFile(filepath.Join(dir, fmt.Sprintf("%d.snapshot.json", version)))
	must(w.t, err)
	snapshot, err := tuf.Parse(raw)
	must(w.t, err)
	other := *snapshot.Snapshot()
	other.Version++
	other.Meta = maps.Clone(other.Meta)
	change(other.Meta)
	doc, err := tuf.From(&other)
	must(w.t, err)
	doc = w.signOnline(w.pub.Snapshot, tuf.Snapshot, doc)
	must(w.t, w.store.PutNew(ctx, fmt.Sprintf("metadata/%d.snapshot.json", other.Version), publish.Bytes(doc.Bytes())))
	next.Version++
	next.Meta = map[string]*metadata.MetaFiles{"snapshot.json": listed(other.Version, doc.Bytes())}
	doc, err = tuf.From(&next)
	must(w.t, err)
	doc = w.signOnline(w.pub.Timestamp, tuf.Timestamp, doc)
	_, err = w.store.PutIf(ctx, "metadata/timestamp.json", doc.Bytes(), mustETag(w.folder, "metadata/timestamp.json"))
	must(w.t, err)
}

// A thief of the online keys drops a bin right behind the push. New clients do not miss it; one that knew it refuses (TUF 5.5.5),
// and the push says which.
func TestAPushNamesTheClientThatRefusesWhatIsLive(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	w.push(w.binsBundle("bins", 1, false))
	w.file("new", "new")
	b := w.signed(tuf.Targets)
	w.pub.Bins = nil
	w.pub.Store = &tail{w.store, func() {
		w.steal(func(meta map[string]*metadata.MetaFiles) { delete(meta, "bins-0.json") })
	}}
	_, err := w.pub.Push(context.Background(), b, w.targetsDir(), publish.PushOptions{})
	if err == nil || !strings.Contains(err.Error(), "read back: a client at the live version would refuse this update") || !strings.Contains(err.Error(), "bins-0") {
		t.Errorf("push: %v", err)
	}
}
