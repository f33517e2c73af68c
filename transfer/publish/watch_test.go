package publish_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"

	"conclave/transfer/publish"
)

// A watched store enforces the contract of a repository: a numbered file and a
// hash-prefixed file never change and never go, nothing but the timestamp is replaced, and what is
// listed is there. It looks at the folder after every operation.
type watched struct {
	*publish.Folder
	t     testing.TB
	mu    sync.Mutex
	known map[string]string // owned by mu
	puts  []string          // owned by mu: what was created or replaced, in order
}

func watch(t testing.TB, f *publish.Folder) *watched {
	return &watched{Folder: f, t: t, known: map[string]string{}}
}

// numbered are the files that clients and caches may keep for ever.
var numbered = regexp.MustCompile(`^(metadata/[0-9]+\.[^/]+\.json|targets/(.*/)?[0-9a-f]{64}\.[^/]+|PRACTICE\.txt)$`)

func (w *watched) look(put string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	now := list(w.t, w.Dir())
	for name, content := range w.known {
		if now[name] != content {
			w.t.Errorf("%s was changed or removed", name)
		}
	}
	for name, content := range now {
		switch {
		case numbered.MatchString(name):
			w.known[name] = content
		case name != "metadata/timestamp.json":
			w.t.Errorf("%s has no place in a repository", name)
		}
	}
	if put != "" {
		w.puts = append(w.puts, put)
	}
}

// forget lets a test damage the store on purpose.
func (w *watched) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known = map[string]string{}
}

func (w *watched) PutNew(ctx context.Context, name string, c publish.Content) error {
	w.t.Helper()
	err := w.Folder.PutNew(ctx, name, c)
	if err == nil {
		w.look(name)
	}
	return err
}

func (w *watched) PutIf(ctx context.Context, name string, data []byte, old publish.ETag) (publish.ETag, error) {
	w.t.Helper()
	if name != "metadata/timestamp.json" {
		w.t.Errorf("%s is to be replaced", name)
	}
	etag, err := w.Folder.PutIf(ctx, name, data, old)
	if err == nil {
		w.look(name)
	}
	return etag, err
}

// errCut is what an operation answers when the power is cut.
var errCut = errors.New("the power was cut")

// When the power is cut, counted in writes: a read changes nothing, so cuts
// between two reads are all alike.
type moment string

const (
	beforeWrite moment = "before"
	afterWrite  moment = "in the answer to" // it took effect and nobody heard
	atNextRead  moment = "at the read behind"
)

// A cutter stops everything at a moment of its nth write. From then on nothing works any more.
type cutter struct {
	publish.Store
	when moment
	nth  int // from 0

	mu     sync.Mutex
	writes int    // owned by mu
	cut    bool   // owned by mu
	at     string // owned by mu: the operation that was cut
}

func (c *cutter) read(what string, act func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut || c.when == atNextRead && c.writes > c.nth {
		if !c.cut {
			c.cut, c.at = true, what
		}
		return errCut
	}
	return act()
}

func (c *cutter) write(what string, act func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return errCut
	}
	this := c.writes
	c.writes++
	if this != c.nth || c.when == atNextRead {
		return act()
	}
	c.cut, c.at = true, string(c.when)+" "+what
	if c.when == afterWrite {
		if err := act(); err != nil {
			return err
		}
	}
	return errCut
}

func (c *cutter) Get(ctx context.Context, name string, w io.Writer) (etag publish.ETag, err error) {
	err = c.read("get "+name, func() error { etag, err = c.Store.Get(ctx, name, w); return err })
	return etag, err
}

func (c *cutter) PutNew(ctx context.Context, name string, content publish.Content) error {
	return c.write("put "+name, func() error { return c.Store.PutNew(ctx, name, content) })
}

func (c *cutter) PutIf(ctx context.Context, name string, data []byte, old publish.ETag) (etag publish.ETag, err error) {
	err = c.write("swap "+name, func() error { etag, err = c.Store.PutIf(ctx, name, data, old); return err })
	return etag, err
}

// A hook runs before one operation, for another to come in between.
type hooked struct {
	publish.Store
	before func(what string)
}

func (h *hooked) PutNew(ctx context.Context, name string, c publish.Content) error {
	h.before("put " + name)
	return h.Store.PutNew(ctx, name, c)
}

func (h *hooked) PutIf(ctx context.Context, name string, data []byte, old publish.ETag) (publish.ETag, error) {
	h.before("swap " + name)
	return h.Store.PutIf(ctx, name, data, old)
}

// once runs act the first time that what begins with prefix.
func once(prefix string, act func()) func(string) {
	done := false
	return func(what string) {
		if !done && strings.HasPrefix(what, prefix) {
			done = true
			act()
		}
	}
}

func TestTheWatcherSeesWhatItShouldSee(t *testing.T) {
	for name, damage := range map[string]func(*watched){
		"a numbered file replaced": func(w *watched) {
			_, _ = w.PutIf(context.Background(), "metadata/1.root.json", []byte("new"), mustETag(w.Folder, "metadata/1.root.json"))
		},
		"a stray file": func(w *watched) { _ = w.PutNew(context.Background(), "metadata/root.json", publish.Bytes([]byte("x"))) },
	} {
		t.Run(name, func(t *testing.T) {
			folder, err := publish.NewFolder(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			quiet := &recorder{TB: t}
			w := watch(quiet, folder)
			if err := w.PutNew(context.Background(), "metadata/1.root.json", publish.Bytes([]byte("old"))); err != nil {
				t.Fatal(err)
			}
			damage(w)
			if len(quiet.said) == 0 {
				t.Error("it saw nothing")
			}
		})
	}
}

func mustETag(f *publish.Folder, name string) publish.ETag {
	etag, err := f.Get(context.Background(), name, io.Discard)
	if err != nil {
		panic(err)
	}
	return etag
}

// A recorder hears the complaints of a watcher.
type recorder struct {
	testing.TB
	said []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.said = append(r.said, fmt.Sprintf(format, args...))
}
func (r *recorder) Helper() {}
