//go:build !offline

package publish_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"conclave/ceremony/tuf"
	"conclave/transfer/client"
	"conclave/transfer/publish"
)

// twoReleases publishes a genesis and a release with a new root.
func twoReleases(w *world) {
	w.genesis()
	w.file("tool.tar", "tool 2")
	w.file("dir/deep/new", "new")
	w.roots[2] = newHolder(w.t)
	b := w.sign(w.bundle(tuf.Root, tuf.Targets), w.roots[0], w.roots[1])
	w.push(b)
}

// backup copies the store's folder.
func (w *world) backup(name string) publish.Store {
	w.t.Helper()
	dir := filepath.Join(w.dir, name)
	must(w.t, copyTree(w.folder.Dir(), dir))
	f, err := publish.NewFolder(dir)
	must(w.t, err)
	return f
}

func TestPullMakesAMirrorThatClientsFollow(t *testing.T) {
	w := newWorld(t)
	twoReleases(w)
	s := httptest.NewServer(http.FileServer(http.Dir(w.folder.Dir())))
	defer s.Close()
	root, err := tuf.Parse(w.fresh()[tuf.Root])
	must(t, err)
	from, err := publish.OpenSource(s.URL)
	must(t, err)
	mirror, err := publish.NewFolder(filepath.Join(w.dir, "mirror"))
	must(t, err)
	var last publish.Progress
	done, err := publish.Pull(context.Background(), from, mirror, root, func(p publish.Progress) { last = p })
	must(t, err)
	if done.Versions["targets"] != 2 || done.Versions["root"] != 2 || done.Bytes == 0 || done.Kept != 0 {
		t.Errorf("%+v", done)
	}
	if last.Files == 0 || last.Files != last.AllFiles || last.Bytes != last.AllBytes {
		t.Errorf("progress ends at %+v", last)
	}
	if _, err := w.pub.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	done, err = publish.Pull(context.Background(), from, mirror, root, nil)
	must(t, err)
	if len(done.Copied) != 0 || len(done.Replaced) != 1 || done.Versions["timestamp"] != 3 {
		t.Errorf("after a refresh: %+v", done)
	}
	w.folder = mirror
	if got, err := w.download(w.fresh(), "tool.tar"); err != nil || got != "tool 2" {
		t.Errorf("a client of the mirror gets %q, %v", got, err)
	}
}

func TestPullRefusesWhatDoesNotVerify(t *testing.T) {
	for name, damage := range map[string]func(w *world){
		"a changed target file": func(w *world) { w.spoil("targets/", "tool.tar", "evil") },
		"a missing target file": func(w *world) { w.spoil("targets/", "tool.tar", "") },
		"changed targets":       func(w *world) { w.spoil("metadata/", "2.targets.json", "{}") },
		"a missing snapshot":    func(w *world) { w.spoil("metadata/", "2.snapshot.json", "") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			twoReleases(w)
			root, err := tuf.Parse(w.fresh()[tuf.Root])
			must(t, err)
			from := w.backup("from")
			w.folder = from.(*publish.Folder)
			damage(w)
			mirror, err := publish.NewFolder(filepath.Join(w.dir, "mirror"))
			must(t, err)
			if _, err := publish.Pull(context.Background(), from, mirror, root, nil); err == nil {
				t.Error("it was mirrored")
			}
			if _, err := mirror.Get(context.Background(), "metadata/timestamp.json", io.Discard); !errors.Is(err, publish.ErrNotFound) {
				t.Errorf("clients of the mirror see something: %v", err)
			}
		})
	}
}

// spoil changes or removes the last file of the folder whose name ends so.
func (w *world) spoil(prefix, suffix, content string) {
	w.t.Helper()
	hit := false
	for name := range list(w.t, w.folder.Dir()) {
		if strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix) {
			hit = true
			path := filepath.Join(w.folder.Dir(), filepath.FromSlash(name))
			must(w.t, os.Remove(path))
			if content != "" {
				must(w.t, os.WriteFile(path, []byte(content), 0o644))
			}
		}
	}
	if !hit {
		w.t.Fatalf("there is no %s…%s", prefix, suffix)
	}
}

// A store is damaged in one of many ways. Afterwards a client that was up to date and a new one follow again.
func TestRestoreMendsEveryDamage(t *testing.T) {
	for name, damage := range map[string]func(w *world){
		"everything deleted":            func(w *world) { must(w.t, os.RemoveAll(w.folder.Dir())) },
		"the timestamp deleted":         func(w *world) { w.spoil("metadata/", "timestamp.json", "") },
		"the timestamp overwritten":     func(w *world) { w.spoil("metadata/", "timestamp.json", "garbage") },
		"the timestamp made huge":       func(w *world) { w.spoil("metadata/", "timestamp.json", strings.Repeat("x", 1<<20)) },
		"a root overwritten":            func(w *world) { w.spoil("metadata/", "2.root.json", "{}") },
		"the first root deleted":        func(w *world) { w.spoil("metadata/", "1.root.json", "") },
		"targets deleted":               func(w *world) { w.spoil("metadata/", "2.targets.json", "") },
		"the snapshot overwritten":      func(w *world) { w.spoil("metadata/", "2.snapshot.json", "[]") },
		"a target file overwritten":     func(w *world) { w.spoil("targets/", ".tool.tar", "evil") },
		"a target file cut short":       func(w *world) { w.spoil("targets/", ".new", "n") },
		"nothing, and nothing happened": func(*world) {},
	} {
		for _, refreshed := range []bool{false, true} {
			if refreshed {
				name += ", the backup older than the last refresh"
			}
			t.Run(name, func(t *testing.T) {
				w := newWorld(t)
				twoReleases(w)
				backup := w.backup("backup")
				if refreshed {
					w.now = w.now.Add(4 * day) // a new snapshot, too
					_, err := w.pub.Refresh(context.Background())
					must(t, err)
				}
				upToDate := w.fresh()
				_, err := w.download(upToDate, "tool.tar")
				must(t, err)
				watcher := w.store.(*watched)
				watcher.forget()
				damage(w)
				w.pub.Store = w.folder
				done, err := w.pub.Restore(context.Background(), backup)
				must(t, err)
				if done.Signed != refreshed {
					t.Errorf("signed anew: %v", done.Signed)
				}
				for who, cache := range map[string]client.Memory{"a new client": w.fresh(), "a client up to date": maps.Clone(upToDate)} {
					if got, err := w.download(cache, "tool.tar"); err != nil || got != "tool 2" {
						t.Errorf("%s gets %q, %v", who, got, err)
					}
				}
				w.now = w.now.Add(time.Hour)
				if _, err := w.pub.Refresh(context.Background()); err != nil {
					t.Errorf("refresh afterwards: %v", err)
				}
				if again, err := w.pub.Restore(context.Background(), backup); err != nil || len(again.Copied) > 1 {
					t.Errorf("restored again: %+v, %v", again, err)
				}
			})
		}
	}
}

// A backup from before the last ceremony would send clients back to targets that they refuse.
func TestRestoreRefusesABackupOlderThanTheLastCeremony(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	backup := w.backup("backup")
	w.file("tool.tar", "tool 2")
	w.push(w.signed(tuf.Targets))
	must(t, os.RemoveAll(w.folder.Dir()))
	w.pub.Store = w.folder
	if _, err := w.pub.Restore(context.Background(), backup); !errors.Is(err, publish.ErrRolledBack) {
		t.Errorf("error is %v", err)
	}
	if left := list(t, w.folder.Dir()); len(left) > 0 {
		t.Errorf("%v was put", left)
	}
}

// On a host that has seen nothing the store's own snapshot tells that the backup is too old.
func TestRestoreAsksWhatHasSurvived(t *testing.T) {
	w := newWorld(t)
	w.genesis()
	backup := w.backup("backup")
	w.file("tool.tar", "tool 2")
	w.push(w.signed(tuf.Targets))
	w.store.(*watched).forget()
	w.spoil("metadata/", "2.targets.json", "")
	stranger := w.host("stranger")
	stranger.PinnedRoot, stranger.Store = w.pub.PinnedRoot, w.folder
	if _, err := stranger.Restore(context.Background(), backup); !errors.Is(err, publish.ErrRolledBack) {
		t.Errorf("error is %v", err)
	}
}

// Somebody deletes and overwrites objects in a bucket that keeps old versions.
func TestRestoreFromABucketsOwnPast(t *testing.T) {
	r := newRemote(t, newBucket(t), "past")
	r.genesis()
	_, err := r.pub.Refresh(context.Background())
	must(t, err)
	upToDate := r.fresh()
	_, err = r.download(upToDate, "tool.tar")
	must(t, err)
	ctx := context.Background()
	for name := range r.objects() {
		key := "past/" + name
		switch {
		case strings.HasSuffix(name, "timestamp.json"), strings.HasSuffix(name, "1.targets.json"):
			_, err := r.bucket.api.PutObject(ctx, &s3.PutObjectInput{Bucket: &r.bucket.name, Key: &key, Body: strings.NewReader("garbage")})
			must(t, err)
		default:
			deleteObject(t, r.bucket, key)
		}
	}
	if _, err := r.download(maps.Clone(upToDate), "tool.tar"); err == nil {
		t.Fatal("nothing was damaged")
	}
	past, err := r.pub.PastOf(ctx)
	must(t, err)
	done, err := r.pub.Restore(ctx, past)
	must(t, err)
	if done.Signed || len(done.Replaced) != 2 || done.Versions["timestamp"] != 2 {
		t.Errorf("%+v", done)
	}
	for who, cache := range map[string]client.Memory{"a new client": r.fresh(), "a client up to date": upToDate} {
		if got, err := r.download(cache, "tool.tar"); err != nil || got != "tool 1" {
			t.Errorf("%s gets %q, %v", who, got, err)
		}
	}
}

func TestPullSeedsASecondBucket(t *testing.T) {
	r := newRemote(t, newBucket(t), "first")
	r.genesis()
	root, err := tuf.Parse(r.fresh()[tuf.Root])
	must(t, err)
	second := newBucket(t)
	_, err = publish.Pull(context.Background(), r.bucket.open("first", r.bucket.server.url), second.open("second", second.server.url), root, nil)
	must(t, err)
	r.bucket, r.prefix = second, "second"
	if got, err := r.download(r.fresh(), "docs/guide.txt"); err != nil || got != "read me" {
		t.Errorf("a client of the second bucket gets %q, %v", got, err)
	}
}
