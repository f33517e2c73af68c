package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// A Store is where a repository lies: metadata/…, targets/… and one mark that says what it is.
// Names are slash-separated and have passed checkName.
//
// Its methods may be called concurrently, by several programs on several hosts.
type Store interface {
	// Get writes the object to w and returns its etag. It fails with ErrNotFound
	// where there is none; w may have got a part when it fails otherwise.
	Get(ctx context.Context, name string, w io.Writer) (ETag, error)
	// PutNew creates an object, whole or not at all. An object of the same content that is
	// there already counts as created; any other is ErrExists. It fails when the content is not what it claims to be.
	PutNew(ctx context.Context, name string, c Content) error
	// PutIf replaces the object whose etag is old, or creates it where old is
	// Absent, and returns the new etag. It fails with ErrChanged where the object is another by now.
	PutIf(ctx context.Context, name string, data []byte, old ETag) (ETag, error)
}

// An ETag names one state of one object.
type ETag string

// Absent is the etag of an object that does not exist.
const Absent ETag = ""

// What a store answers when it does not do as asked.
var (
	ErrNotFound = errors.New("not in the store")
	ErrExists   = errors.New("already in the store")
	ErrChanged  = errors.New("changed in the store meanwhile")
	// ErrBuried says that a store refuses to create an object that is not there: some
	// count one that was deleted, where old versions are kept.
	ErrBuried = errors.New("a deleted object is in the way")
)

// Content is what is to be stored: its length, its hash, and a way to read it, once or more.
type Content struct {
	Length int64
	SHA256 [32]byte
	Open   func() (io.ReadCloser, error)

	parts [][32]byte // hashes of its parts, where it was read before and goes up in parts; nil for not known
}

// Bytes is content that is already in memory.
func Bytes(data []byte) Content {
	return Content{Length: int64(len(data)), SHA256: sum(data), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}}
}

// File is content in a file, which must have this length and hash when it is stored.
func File(path string, length int64, sha256 [32]byte) Content {
	return Content{Length: length, SHA256: sha256, Open: func() (io.ReadCloser, error) {
		info, err := os.Stat(path) // opening a pipe would wait for ever
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is not a file", path)
		}
		return os.Open(path)
	}}
}

// Open returns the store behind a URL: file: or a plain path for a folder, s3: for a bucket.
func Open(url string) (Store, error) {
	if dir, ok := folderPath(url); ok {
		return NewFolder(dir)
	}
	if s, ok, err := openBucket(url); ok {
		return s, err
	}
	scheme, _, _ := strings.Cut(url, ":")
	return nil, withHint(fmt.Errorf("open store: stores of the kind %q are not known", scheme+":"),
		`use "file:" and a path, or s3://BUCKET/PREFIX`)
}

// maxName is the longest name that every kind of store takes.
const maxName = 1024

// maxSegment is the longest file name in common file systems.
const maxSegment = 255

// checkName refuses names that a store could read as another place: S3-like
// stores and file systems differ in what "a//b", "./a" and "../a" are.
func checkName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("name %q: must have 1 to %d bytes", name, maxName)
	}
	for segment := range strings.SplitSeq(name, "/") {
		switch {
		case segment == "" || segment == "." || segment == "..":
			return fmt.Errorf("name %q: has an empty, \".\" or \"..\" part", name)
		case len(segment) > maxSegment:
			return fmt.Errorf("name %q: a part is longer than %d bytes", name, maxSegment)
		case strings.HasPrefix(segment, private):
			return fmt.Errorf("name %q: %q is kept for the store itself", name, private)
		case strings.ContainsFunc(segment, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '\\' || r == '\ufffd' }):
			return fmt.Errorf("name %q: has a character that stores treat differently", name)
		}
	}
	return nil
}

// read gets a whole object of at most max bytes.
func read(ctx context.Context, s Store, name string, max int64) ([]byte, ETag, error) {
	b := bounded{max: max}
	etag, err := s.Get(ctx, name, &b)
	if err != nil {
		return nil, "", fmt.Errorf("read %s: %w", name, err)
	}
	return b.buf.Bytes(), etag, nil
}

// bounded is a buffer that refuses to grow beyond max.
type bounded struct {
	buf bytes.Buffer
	max int64
}

func (b *bounded) Write(p []byte) (int, error) {
	if int64(b.buf.Len()+len(p)) > b.max {
		return 0, &badFile{fmt.Errorf("longer than %d bytes", b.max)}
	}
	return b.buf.Write(p)
}
