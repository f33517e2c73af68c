package publish

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"conclave/ceremony/tuf"
)

// An upload is one target file and whether it is to be put.
type upload struct {
	name    string
	content Content
	keep    bool // it is in the store
}

// maxListed is how many missing files one error names.
const maxListed = 5

// files finds every target file of the goal: in the store, or at hand with the
// length and hash that the metadata gives.
func (w *push) files(ctx context.Context, before *live, g *goal) ([]upload, error) {
	var uploads []upload
	var problems []error
	seen := map[string]bool{}
	for role, doc := range g.docs {
		published := map[string]bool{}
		if now, err := w.liveDocument(ctx, before, role); err != nil {
			return nil, err
		} else if now != nil {
			for _, f := range now.Files() {
				published[targetName(f)] = true
			}
		}
		for _, f := range doc.Files() {
			name := targetName(f)
			if seen[name] {
				continue
			}
			seen[name] = true
			up, err := w.file(ctx, f, published[name])
			if err != nil {
				problems = append(problems, err)
				continue
			}
			uploads = append(uploads, up)
		}
	}
	return uploads, missingFiles(problems)
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

// file finds one target file.
func (w *push) file(ctx context.Context, f tuf.TargetFile, published bool) (upload, error) {
	if err := checkTarget(f); err != nil {
		return upload{}, err
	}
	local := filepath.Join(w.dir, filepath.FromSlash(f.Path))
	up := upload{targetName(f), File(local, f.Length, f.SHA256), published}
	if published {
		return up, nil
	}
	err := up.content.check(ctx)
	if err == nil {
		return up, nil
	}
	stored := contains(ctx, w.p.Store, up.name, up.content)
	if stored == nil {
		up.keep = true
		return up, nil
	}
	if errors.Is(err, fs.ErrNotExist) && !errors.Is(stored, ErrNotFound) {
		return upload{}, fmt.Errorf("%q: in the store: %w", f.Path, stored)
	}
	return upload{}, fmt.Errorf("%q: %w", f.Path, err)
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
	return fmt.Sprintf("%s%s%x.%s", targetsDir, dir, f.SHA256, base)
}

// check reads the content once and compares it with what it claims to be.
func (c Content) check(ctx context.Context) error {
	r, err := c.Open()
	if err != nil {
		return err
	}
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(contextReader{ctx, r}, c.Length+1))
	if err := errors.Join(err, r.Close()); err != nil {
		return err
	}
	return c.compare(n, h)
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
