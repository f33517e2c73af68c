package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// An upload is one target file and whether it is to be put.
type upload struct {
	name    string
	content Content
	keep    bool // it is in the store
}

// maxListed is how many missing files one error names.
const maxListed = 5

// A listing is one target file of the goal.
type listing struct {
	tuf.TargetFile
	name      string
	published bool // the live targets, or the live document of its role, list it
}

// files finds every target file of the goal: in the store, or at hand with the
// length and hash that the metadata gives.
func (w *push) files(ctx context.Context, before *live, g *goal) ([]upload, error) {
	listings, err := w.listings(ctx, before, g)
	if err != nil {
		return nil, err
	}
	g.fresh = nil // from here on they are among the uploads
	stored, err := w.stored(ctx, listings)
	if err != nil {
		return nil, err
	}
	uploads := make([]upload, len(listings))
	problems := make([]error, len(listings))
	var todo []int
	for i, f := range listings {
		if !f.published {
			todo = append(todo, i)
			continue
		}
		uploads[i], problems[i] = upload{name: f.name, content: Content{Length: f.Length, SHA256: f.SHA256}, keep: true}, checkTarget(f.TargetFile)
	}
	err = each(ctx, todo, func(ctx context.Context, i int) error {
		uploads[i], problems[i] = w.file(ctx, listings[i], stored)
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	return uploads, missingFiles(slices.DeleteFunc(problems, func(err error) bool { return err == nil }))
}

// seq counts from 0 to n-1.
func seq(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// listings is every file of the goal once, in order.
func (w *push) listings(ctx context.Context, before *live, g *goal) ([]listing, error) {
	var all []listing
	seen := map[string]bool{}
	for _, role := range slices.Sorted(maps.Keys(g.docs)) {
		doc := g.docs[role]
		now, err := w.liveDocument(ctx, before, role)
		if err != nil {
			return nil, err
		}
		isLive := now != nil && now.Digest() == doc.Digest()
		published := map[string]bool{}
		if now != nil && !isLive {
			for _, f := range now.Files() {
				published[targetName(f)] = true
			}
		}
		for _, f := range doc.Files() {
			name := targetName(f)
			if !seen[name] {
				seen[name] = true
				all = append(all, listing{f, name, isLive || published[name]})
			}
		}
	}
	for _, f := range g.fresh {
		if !seen[f.name] {
			seen[f.name] = true
			all = append(all, f)
		}
	}
	return all, nil
}

// A catalogue is a store that knows the lengths of many objects without reading them, and vouches for the
// bytes: each was compared with its SHA-256 when it was put.
type catalogue interface {
	// Lengths returns those of names that are there, all of them below prefix. It may return others. It is faster where
	// the caller expects rightly that most are there.
	Lengths(ctx context.Context, prefix string, names []string, expected bool) (map[string]int64, error)
	// Same compares one object with content by checksums.
	Same(ctx context.Context, name string, c Content) error
}

// stored looks which unpublished files are in the store already, where a push was cut short.
func (w *push) stored(ctx context.Context, all []listing) (map[string]int64, error) {
	catalogue, ok := w.p.Store.(catalogue)
	if !ok {
		return nil, nil
	}
	var names []string
	for _, f := range all {
		if !f.published && checkTarget(f.TargetFile) == nil {
			names = append(names, f.name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	there, err := catalogue.Lengths(ctx, targetsDir, names, false)
	if err != nil {
		return nil, fmt.Errorf("push: look for target files: %w", err)
	}
	return there, nil
}

func missingFiles(problems []error) error {
	if len(problems) == 0 {
		return nil
	}
	more := ""
	if n := len(problems) - maxListed; n > 0 {
		problems = problems[:maxListed]
		more = fmt.Sprintf("\nand %d more", n)
	}
	return withHint(fmt.Errorf("push: target files are not at hand:\n%w%s", errors.Join(problems...), more),
		"nothing was changed; put the files under their target paths into one folder and name it with --targets")
}

// file finds one target file that is not published.
func (w *push) file(ctx context.Context, f listing, stored map[string]int64) (upload, error) {
	if err := checkTarget(f.TargetFile); err != nil {
		return upload{}, err
	}
	local := filepath.Join(w.dir, filepath.FromSlash(f.Path))
	up := upload{name: f.name, content: File(local, f.Length, f.SHA256)}
	content, err := up.content.check(ctx)
	up.content = content
	if n, ok := stored[f.name]; err == nil {
		up.keep = ok && n == f.Length
		return up, nil
	}
	found := same(ctx, w.p.Store, up.name, up.content)
	if found == nil {
		up.keep = true
		return up, nil
	}
	if errors.Is(err, fs.ErrNotExist) && !errors.Is(found, ErrNotFound) {
		return upload{}, fmt.Errorf("%q: in the store: %w", f.Path, found)
	}
	return upload{}, fmt.Errorf("%q: %w", f.Path, err)
}

// same compares an object with content in the cheapest way that the store has.
func same(ctx context.Context, s Store, name string, c Content) error {
	if catalogue, ok := s.(catalogue); ok {
		err := catalogue.Same(ctx, name, c)
		if !errors.Is(err, fs.ErrNotExist) {
			return err // else it needs the file, which is not at hand
		}
	}
	return contains(ctx, s, name, c)
}

// checkTarget refuses paths and entries that cannot be published safely.
func checkTarget(f tuf.TargetFile) error {
	if err := tuf.CheckTargetPath(f.Path); err != nil {
		return err
	}
	if !filepath.IsLocal(filepath.FromSlash(f.Path)) {
		return fmt.Errorf("%q: is not a path inside of a folder", f.Path)
	}
	if f.SHA256 == ([32]byte{}) {
		return fmt.Errorf("%q: has no SHA-256 in the metadata", f.Path)
	}
	return checkName(targetName(f))
}

// targetName is where a file lies: with consistent snapshots its hash stands
// before the last part of the path (TUF 6.2).
func targetName(f tuf.TargetFile) string {
	dir, base := path.Split(f.Path)
	return targetsDir + dir + hex.EncodeToString(f.SHA256[:]) + "." + base
}

// check reads the content once and compares it with what it claims to be. Of a large one it knows the parts then.
func (c Content) check(ctx context.Context) (Content, error) {
	r, err := c.Open()
	if err != nil {
		return c, err
	}
	whole, parts := sha256.New(), newParted(c.Length)
	var sink io.Writer = whole
	if c.Length > multipartAbove {
		sink = alongside{parts, whole}
	}
	n, err := transfer.Copy(sink, io.LimitReader(contextReader{ctx, r}, c.Length+1))
	if err := errors.Join(err, r.Close()); err != nil {
		return c, err
	}
	parts.end()
	c.parts = parts.sums
	return c, c.compare(n, whole)
}

// contains reports whether the object in the store is this content. It costs one read of the object.
func contains(ctx context.Context, s Store, name string, c Content) error {
	count := &counter{}
	h := sha256.New()
	if _, err := s.Get(ctx, name, io.MultiWriter(h, count)); err != nil {
		return err
	}
	return c.compare(count.n, h)
}

// counter counts what is written to it.
type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// parseDigest reads a digest in hex, in groups or together, or in words.
func parseDigest(typed string) (tuf.Digest, error) {
	words := strings.Fields(typed)
	if len(words) == len(tuf.Digest{}) {
		return tuf.ParseWords(words)
	}
	return tuf.ParseDigest(strings.ToLower(strings.Join(words, "")))
}
