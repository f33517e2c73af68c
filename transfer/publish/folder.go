package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"conclave/transfer"
)

// private begins the names that the folder keeps for itself: the lock and files that are being written.
const private = ".conclave"

// A Folder is a store in the file system, as a web server serves it. Its etags are SHA-256.
//
// New objects appear whole under a name that nothing had before. Compare-and-swap holds an
// advisory lock that every Conclave honours, so the folder may be shared by programs on one host.
type Folder struct{ dir string }

// NewFolder returns the store in dir. A folder that is missing is an empty store: the first write creates it.
func NewFolder(dir string) (*Folder, error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("open store: %s is not a folder", dir)
	}
	return &Folder{dir}, nil
}

// folderPath understands file:///absolute, file:relative and plain paths.
func folderPath(raw string) (string, bool) {
	rest, ok := strings.CutPrefix(raw, "file:")
	if !ok {
		scheme, _, found := strings.Cut(raw, ":")
		return raw, !found || len(scheme) < 2 || strings.ContainsAny(scheme, `/\`)
	}
	rest = strings.TrimPrefix(strings.TrimPrefix(rest, "//localhost"), "//")
	if unquoted, err := url.PathUnescape(rest); err == nil {
		rest = unquoted
	}
	if runtime.GOOS == "windows" {
		rest = strings.TrimPrefix(rest, "/")
	}
	return filepath.FromSlash(rest), true
}

// Dir is the folder that the store is in.
func (f *Folder) Dir() string { return f.dir }

// URL is the folder's address.
func (f *Folder) URL() string {
	if dir, err := filepath.Abs(f.dir); err == nil {
		return "file:" + dir
	}
	return "file:" + f.dir
}

// Get implements Store.
func (f *Folder) Get(ctx context.Context, name string, w io.Writer) (ETag, error) {
	path, err := f.path(name)
	if err != nil {
		return "", err
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", ErrNotFound
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := transfer.Copy(io.MultiWriter(h, w), contextReader{ctx, file}); err != nil {
		return "", err
	}
	return etagOf(h), nil
}

// PutNew implements Store.
func (f *Folder) PutNew(ctx context.Context, name string, c Content) (err error) {
	path, err := f.path(name)
	if err != nil {
		return err
	}
	if err := makeParents(path); err != nil {
		return err
	}
	r, err := c.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	err = transfer.WriteStream(path, contextReader{ctx, r}, c.Length, c.SHA256)
	if errors.Is(err, transfer.ErrExists) {
		return fmt.Errorf("%w: %w", ErrExists, err)
	}
	return err
}

// PutIf implements Store.
func (f *Folder) PutIf(ctx context.Context, name string, data []byte, old ETag) (etag ETag, err error) {
	path, err := f.path(name)
	if err != nil {
		return "", err
	}
	lockFile := filepath.Join(f.dir, private+".lock")
	if err := makeParents(lockFile); err != nil {
		return "", err
	}
	unlock, err := lock(ctx, lockFile)
	if err != nil {
		return "", fmt.Errorf("lock store: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	switch live, err := f.Get(ctx, name, io.Discard); {
	case err != nil && !errors.Is(err, ErrNotFound):
		return "", err
	case live != old:
		return "", ErrChanged
	}
	if err := makeParents(path); err != nil {
		return "", err
	}
	if err := transfer.Replace(path, data); err != nil {
		return "", err
	}
	digest := sum(data)
	return ETag(hex.EncodeToString(digest[:])), nil
}

func (f *Folder) path(name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	local := filepath.FromSlash(name)
	if !filepath.IsLocal(local) {
		return "", fmt.Errorf("name %q: is not a file name here", name)
	}
	return filepath.Join(f.dir, local), nil
}

// compare says whether n bytes with the hash h are this content.
func (c Content) compare(n int64, h hash.Hash) error {
	if n > c.Length {
		return fmt.Errorf("longer than the %d bytes expected", c.Length)
	}
	if n < c.Length {
		return fmt.Errorf("%d bytes where %d were expected", n, c.Length)
	}
	if got := h.Sum(nil); string(got) != string(c.SHA256[:]) {
		return fmt.Errorf("SHA-256 is %x where %x was expected", got, c.SHA256)
	}
	return nil
}

// makeParents creates the folders above path, durably.
func makeParents(path string) error {
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := makeParents(dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(filepath.Dir(dir))
}

func etagOf(h hash.Hash) ETag { return ETag(hex.EncodeToString(h.Sum(nil))) }

func sum(data []byte) [32]byte { return sha256.Sum256(data) }

// ignore returns err unless it is expected.
func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// contextReader stops a long copy when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
