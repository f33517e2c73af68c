//go:build !offline

package publish_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/client"
	"conclave/transfer/publish"
)

// A remote is a world whose repository lies in a bucket, behind a proxy, and
// whose clients read it over anonymous HTTP.
type remote struct {
	*world
	bucket *bucket
	proxy  *proxy
	prefix string
}

// newRemote has an empty repository under prefix.
func newRemote(t testing.TB, b *bucket, prefix string) *remote {
	w := newWorld(t)
	r := &remote{world: w, bucket: b, proxy: newProxy(t, b.server.url), prefix: prefix}
	r.store = b.open(prefix, r.proxy.URL)
	r.pub.Store = r.store
	return r
}

// learn reads the base of the next bundle from the bucket.
func (r *remote) learn() {
	r.t.Helper()
	r.mirror()
	r.world.learn()
}

// mirror copies the bucket's metadata to where the world looks for it.
func (r *remote) mirror() {
	r.t.Helper()
	must(r.t, os.RemoveAll(r.folder.Dir()))
	for name, content := range r.objects() {
		local := filepath.Join(r.folder.Dir(), filepath.FromSlash(name))
		must(r.t, errors.Join(os.MkdirAll(filepath.Dir(local), 0o755), os.WriteFile(local, []byte(content), 0o644)))
	}
}

// objects returns the repository's files.
func (r *remote) objects() map[string]string {
	files := map[string]string{}
	for key, content := range r.bucket.list(r.prefix + "/") {
		if name, ok := strings.CutPrefix(key, r.prefix+"/"); ok {
			files[name] = content
		}
	}
	return files
}

func (r *remote) push(b *transfer.Bundle) *publish.Report {
	r.t.Helper()
	report, err := r.pub.Push(context.Background(), b, r.targetsDir(), trust(b))
	if err != nil {
		r.t.Fatalf("push: %v", err)
	}
	r.learn()
	return report
}

func (r *remote) genesis() {
	r.t.Helper()
	r.file("tool.tar", "tool 1")
	r.file("docs/guide.txt", "read me")
	r.push(r.signed(tuf.Root, tuf.Targets))
}

// open is the repository as the world sees it.
func (r *remote) open() (client.Repository, error) {
	base := r.bucket.server.url + "/" + r.bucket.name + "/" + r.prefix
	return client.Open(base+"/metadata", base+"/targets")
}

// download gets one file as a client.
func (r *remote) download(cache client.Cache, path string) (string, error) {
	repo, err := r.open()
	if err != nil {
		return "", err
	}
	return r.downloadFrom(repo, cache, path)
}

// check asserts that no numbered file was ever written twice, or removed.
func (r *remote) check() {
	r.t.Helper()
	for key, n := range r.bucket.versions(r.prefix + "/") {
		name, ours := strings.CutPrefix(key, r.prefix+"/")
		if ours && n != 1 && name != "metadata/timestamp.json" {
			r.t.Errorf("%s was written %d times", name, n)
		}
		if ours && !numbered.MatchString(name) && name != "metadata/timestamp.json" {
			r.t.Errorf("%s has no place in a repository", name)
		}
	}
}

// A staged repository is one before a push, to be laid out many times.
type staged struct {
	origin *remote
	files  map[string]string
	bundle *transfer.Bundle
	before client.Memory // of a client that was up to date before the push
	others map[string]clientOf
}

// newStaged publishes a genesis and makes the bundle of a release with a new root.
func newStaged(t testing.TB, b *bucket) *staged {
	r := newRemote(t, b, "origin")
	r.now = time.Now().UTC().Truncate(time.Second) // clients of others know no other day
	r.genesis()
	s := &staged{origin: r, files: r.objects(), before: r.fresh()}
	if _, err := r.download(s.before, "tool.tar"); err != nil {
		t.Fatal(err)
	}
	r.file("tool.tar", "tool 2")
	r.roots[2] = newHolder(t)
	s.bundle = r.sign(r.bundle(tuf.Root, tuf.Targets), r.roots[0], r.roots[1])
	return s
}

// lay makes a copy of the repository under a prefix, with a host of its own.
func (s *staged) lay(t *testing.T, prefix string) *remote {
	t.Helper()
	w := *s.origin.world
	w.t, w.dir = t, t.TempDir()
	folder, err := publish.NewFolder(filepath.Join(w.dir, "repository"))
	must(t, err)
	w.folder = folder
	b := *s.origin.bucket
	b.t = t
	r := &remote{world: &w, bucket: &b, proxy: newProxy(t, b.server.url), prefix: prefix}
	store := b.open(prefix, r.proxy.URL)
	w.store = store
	w.pub = w.publisher("state", s.origin.pub.Snapshot, s.origin.pub.Timestamp)
	must(t, copyTree(s.origin.pub.StateDir, w.pub.StateDir))
	raw, err := os.ReadFile(s.origin.pub.PinnedRoot)
	must(t, err)
	must(t, os.WriteFile(w.pub.PinnedRoot, raw, 0o644))
	for path, content := range w.files {
		local := filepath.Join(w.targetsDir(), filepath.FromSlash(path))
		must(t, errors.Join(os.MkdirAll(filepath.Dir(local), 0o755), os.WriteFile(local, []byte(content), 0o644)))
	}
	direct := b.open(prefix, b.server.url)
	var laying sync.WaitGroup
	errs := make([]error, 0, len(s.files))
	var mu sync.Mutex
	for name, content := range s.files {
		laying.Go(func() {
			err := direct.PutNew(context.Background(), name, publish.Bytes([]byte(content)))
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	laying.Wait()
	must(t, errors.Join(errs...))
	return r
}

func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(from, path)
		if err != nil || d.IsDir() {
			return errors.Join(err, os.MkdirAll(filepath.Join(to, rel), 0o700))
		}
		raw, err := os.ReadFile(path)
		return errors.Join(err, os.WriteFile(filepath.Join(to, rel), raw, 0o600))
	})
}

// thorough says whether every case is to be run, or a choice that takes seconds.
func thorough() bool { return os.Getenv("CI") == "true" && !testing.Short() }

// Between the publisher and the bucket anything can go wrong with any request, before or after it took effect. At every such moment a
// client that was up to date and a new one must still verify what is live, whoever repeats the push completes it, and
// no numbered file is ever written twice.
//
// The clients are ours and those of others, over HTTP without credentials.
func TestAFaultInAnyRequestBreaksNoClient(t *testing.T) {
	s := newStaged(t, newBucket(t))
	s.others = map[string]clientOf{"go-tuf": goTUF}
	if js, err := startTufJS(t); err == nil {
		s.others["tuf-js"] = js
	} else if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	count := s.lay(t, "count")
	harmful := map[string]func(*http.Request) bool{"write": writes, "read": reads}
	number := map[string]int{}
	for kind, wants := range harmful {
		w := s.lay(t, "count-"+kind)
		w.proxy.harm("", 0, 0, wants)
		w.push(s.bundle)
		number[kind] = w.proxy.peace()
	}
	count.check()
	if number["write"] < 5 || number["read"] < 10 {
		t.Fatalf("only %v requests were counted", number)
	}
	nr := 0
	for _, what := range faults {
		for kind, wants := range harmful {
			for nth := range number[kind] {
				if nr++; !thorough() && nr%7 != 0 {
					continue
				}
				t.Run(fmt.Sprintf("%s %d %s", kind, nth, what), func(t *testing.T) {
					t.Parallel()
					s.fault(t, what, nth, wants)
				})
			}
		}
	}
}

// fault plays one fault.
func (s *staged) fault(t *testing.T, what fault, nth int, wants func(*http.Request) bool) {
	r := s.lay(t, strings.ReplaceAll(t.Name()[strings.Index(t.Name(), "/")+1:], " ", "-"))
	r.proxy.harm(what, nth, 1, wants)
	_, first := r.pub.Push(context.Background(), s.bundle, r.targetsDir(), publish.PushOptions{})
	r.proxy.peace()
	s.clients(r, s.others, func(who, got string, err error) {
		if err != nil || got != "tool 1" && got != "tool 2" || first == nil && got != "tool 2" {
			t.Errorf("%s gets %q, %v (push: %v)", who, got, err, first)
		}
	})
	if _, err := r.pub.Push(context.Background(), s.bundle, r.targetsDir(), publish.PushOptions{}); err != nil {
		t.Fatalf("the same push again: %v (first: %v)", err, first)
	}
	s.clients(r, map[string]clientOf{"go-tuf": goTUF}, func(who, got string, err error) {
		if err != nil || got != "tool 2" {
			t.Errorf("completed, %s gets %q, %v (first: %v)", who, got, err, first)
		}
	})
	r.check()
}

// clients lets our client and others download, as new ones and as ones that were up to date before the push, and hands over
// what each gets.
func (s *staged) clients(r *remote, others map[string]clientOf, judge func(who, got string, err error)) {
	for who, cache := range map[string]client.Memory{"a new client": r.fresh(), "a client up to date": s.before} {
		got, err := r.download(maps.Clone(cache), "tool.tar")
		judge(who, got, err)
		for name, other := range others {
			got, err := r.visit(other, cache)
			judge(who+" ("+name+")", got, err)
		}
	}
}

// visit downloads tool.tar as a client of others, which has kept cache.
func (r *remote) visit(c clientOf, cache client.Memory) (string, error) {
	v, err := r.keep(cache)
	if err != nil {
		return "", err
	}
	if err := c(v); err != nil {
		return "", err
	}
	got, err := os.ReadFile(v.out)
	return string(got), err
}

// keep is a visit of a client that has kept cache in a folder.
func (r *remote) keep(cache client.Memory) (visit, error) {
	dir, err := os.MkdirTemp(r.dir, "visit-")
	if err != nil {
		return visit{}, err
	}
	for role, raw := range cache {
		if err := os.WriteFile(filepath.Join(dir, role+".json"), raw, 0o600); err != nil {
			return visit{}, err
		}
	}
	base := r.bucket.server.url + "/" + r.bucket.name + "/" + r.prefix
	return visit{base + "/metadata", base + "/targets", dir, "tool.tar", filepath.Join(dir, "out")}, nil
}
