package publish

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// A memo is a store whose numbered metadata is read once: it never changes, so a refresh
// need not fetch it again. It remembers on disk too, for refreshes that cron starts.
//
// What it remembers is verified like what it reads. After memoLife it looks again, for a
// numbered file that somebody has removed must not go unnoticed for long.
type memo struct {
	Store
	dir string // "" is to remember nothing longer than this run
	now func() time.Time

	mu        sync.Mutex
	known     map[string][]byte // owned by mu
	forgotten bool              // owned by mu
}

// memoLife is how long a file is taken for unchanged without a look.
const memoLife = 12 * time.Hour

// memorable are the names of numbered metadata. Its bytes are of limited size.
var memorable = regexp.MustCompile(`^metadata/[0-9]+\.[^/]+\.json$`)

// absentMark stands in the memo's folder for a mark that is not there.
const absentMark = "no-" + practiceMark

func newMemo(s Store, dir string, now func() time.Time) *memo {
	return &memo{Store: s, dir: dir, now: now, known: map[string][]byte{}}
}

// memo is the publisher's store with the memory that this host has of it. Each place has a memory of its own: a
// configuration that is pointed elsewhere must not be told what lies there by what lay here. A store that has no
// address is remembered for this run only.
func (p *Publisher) memo() *memo {
	s, ok := p.Store.(interface{ URL() string })
	if !ok {
		return newMemo(p.Store, "", p.now)
	}
	place := sum([]byte(s.URL()))
	return newMemo(p.Store, filepath.Join(p.StateDir, memoDir, hex.EncodeToString(place[:8])), p.now)
}

// Get answers from memory where it can.
func (m *memo) Get(ctx context.Context, name string, w io.Writer) (ETag, error) {
	if name == practiceMark {
		return m.getMark(ctx, w)
	}
	if !memorable.MatchString(name) {
		return m.Store.Get(ctx, name, w)
	}
	if raw := m.recall(name); raw != nil {
		_, err := w.Write(raw)
		return Absent, err
	}
	var copied bytes.Buffer
	etag, err := m.Store.Get(ctx, name, io.MultiWriter(w, &copied))
	if err == nil {
		m.remember(name, copied.Bytes())
	}
	return etag, err
}

// getMark remembers also that there is none: a store is marked when it is new, or never.
func (m *memo) getMark(ctx context.Context, w io.Writer) (ETag, error) {
	if m.recall(absentMark) != nil {
		return Absent, ErrNotFound
	}
	if raw := m.recall(practiceMark); raw != nil {
		_, err := w.Write(raw)
		return Absent, err
	}
	var copied bytes.Buffer
	etag, err := m.Store.Get(ctx, practiceMark, io.MultiWriter(w, &copied))
	switch {
	case err == nil:
		m.remember(practiceMark, copied.Bytes())
	case errors.Is(err, ErrNotFound):
		m.mu.Lock()
		m.known[absentMark] = []byte("none\n") // on disk only when something is live
		m.mu.Unlock()
	}
	return etag, err
}

// PutNew remembers what was put.
func (m *memo) PutNew(ctx context.Context, name string, c Content) error {
	if !memorable.MatchString(name) {
		return m.Store.PutNew(ctx, name, c)
	}
	if m.holds(name, c) {
		return nil
	}
	if err := m.Store.PutNew(ctx, name, c); err != nil {
		return err
	}
	r, err := c.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m.remember(name, raw)
	return nil
}

// holds reports whether this run has read or put the same content under name already: a push
// that plans anew need not put it again.
func (m *memo) holds(name string, c Content) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	raw := m.known[name]
	return raw != nil && sum(raw) == c.SHA256
}

// recall returns what is known of a name, nil for nothing.
func (m *memo) recall(name string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if raw := m.known[name]; raw != nil {
		return raw
	}
	if m.dir == "" {
		return nil
	}
	info, err := os.Stat(m.path(name))
	if err != nil || m.now().Sub(info.ModTime()) > memoLife || info.ModTime().Sub(m.now()) > memoLife {
		return nil
	}
	raw, err := os.ReadFile(m.path(name))
	if err != nil || len(raw) == 0 {
		return nil
	}
	m.known[name] = raw
	return raw
}

// remember keeps a copy. A disk that takes none costs time later and nothing else.
func (m *memo) remember(name string, raw []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known[name] = bytes.Clone(raw)
	if m.dir == "" {
		return
	}
	if os.MkdirAll(m.dir, 0o700) == nil && transfer.Replace(m.path(name), raw) == nil {
		_ = os.Chtimes(m.path(name), time.Time{}, m.now())
	}
}

func (m *memo) path(name string) string {
	return filepath.Join(m.dir, strings.TrimPrefix(name, metadataDir))
}

// forget drops everything once, and reports whether there was anything from earlier runs.
func (m *memo) forget() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.known)
	if m.dir == "" || m.forgotten {
		return false
	}
	m.forgotten = true
	entries, err := os.ReadDir(m.dir)
	return err == nil && len(entries) > 0 && os.RemoveAll(m.dir) == nil
}

// prune drops all numbered files but those that keep names, so that the memo does not grow for years. It is called when
// these are live: from now on the store cannot be marked any more.
func (m *memo) prune(keep map[string]bool) {
	if raw := m.recall(absentMark); raw != nil {
		m.remember(absentMark, raw)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	entries, err := os.ReadDir(m.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		name := metadataDir + e.Name()
		if memorable.MatchString(name) && !keep[name] {
			delete(m.known, name)
			_ = os.Remove(filepath.Join(m.dir, e.Name()))
		}
	}
}

// A still is a store as it was at one moment: every metadata file is read at most once, and one
// that was not there stays absent. Clients that are tried out on it all see the same.
type still struct {
	Store
	mu    sync.Mutex
	files map[string]stillFile       // owned by mu
	known map[[32]byte]*tuf.Document // owned by mu: by the SHA-256 of their bytes
}

type stillFile struct {
	raw  []byte
	etag ETag
	err  error
}

// newStill looks at s from now on. What turns out to hold the bytes of a document that is known is that document.
func newStill(s Store, known ...*tuf.Document) *still {
	now := &still{Store: s, files: map[string]stillFile{}, known: map[[32]byte]*tuf.Document{}}
	for _, doc := range known {
		if doc != nil {
			now.known[sum(doc.Bytes())] = doc
		}
	}
	return now
}

// parse reads a document strictly, each once: thousands of files take their time.
func (s *still) parse(raw []byte) (*tuf.Document, error) {
	digest := sum(raw)
	s.mu.Lock()
	doc := s.known[digest]
	s.mu.Unlock()
	if doc != nil {
		return doc, nil
	}
	doc, err := tuf.Parse(raw)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[digest] = doc
	return doc, nil
}

// prefetch reads several files at once. What fails is read again when it is needed.
func (s *still) prefetch(ctx context.Context, names []string) {
	_ = each(ctx, names, func(ctx context.Context, name string) error {
		_, _ = s.Get(ctx, name, &bounded{max: tuf.MaxSize})
		return nil
	})
}

// Get reads metadata once; other objects pass through.
func (s *still) Get(ctx context.Context, name string, w io.Writer) (ETag, error) {
	if !strings.HasPrefix(name, metadataDir) {
		return s.Store.Get(ctx, name, w)
	}
	s.mu.Lock()
	f, ok := s.files[name]
	s.mu.Unlock()
	if !ok {
		buf := bounded{max: tuf.MaxSize}
		f.etag, f.err = s.Store.Get(ctx, name, &buf)
		f.raw = buf.buf.Bytes()
		if f.err == nil || errors.Is(f.err, ErrNotFound) {
			s.mu.Lock()
			s.files[name] = f
			s.mu.Unlock()
		}
	}
	if f.err != nil {
		return "", f.err
	}
	_, err := w.Write(f.raw)
	return f.etag, err
}
