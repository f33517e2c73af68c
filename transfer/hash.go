package transfer

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"conclave/ceremony/tuf"
)

// maxFileName is the longest last part of a target path: in a repository
// it gets its SHA-256 and a dot in front, and file systems end at 255 bytes.
const maxFileName = 255 - 2*sha256.Size - 1

// hashChunk is how much is read between two looks at the context.
const hashChunk = 1 << 20

// A FileError says which target file cannot be planned, and why.
type FileError struct {
	Path string // on this machine
	Err  error
	hint string
}

func (e *FileError) Error() string { return fmt.Sprintf("add target file %s: %v", e.Path, e.Err) }

// Unwrap gives the reason.
func (e *FileError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *FileError) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	var hinted interface{ Hint() string }
	if errors.As(e.Err, &hinted) {
		return hinted.Hint()
	}
	return "Nothing was planned. Look after this file and try again."
}

// HashFiles reads target files, in constant memory, and returns them sorted by
// their path in the repository: for a file its own name, for what is in a folder the path below that folder, with
// slashes. Symbolic links, special files, names that are no safe target paths (tuf.CheckTargetPath), two
// files of one path and files that change meanwhile are refused. progress, which may be
// nil, is told bytes.
func HashFiles(ctx context.Context, paths []string, progress func(done, total int64)) ([]PlannedFile, error) {
	found, err := findFiles(ctx, paths)
	if err != nil {
		return nil, err
	}
	h := hasher{progress: progress, buffer: make([]byte, hashChunk)}
	for _, f := range found {
		h.total += f.info.Size()
	}
	files := make([]PlannedFile, len(found))
	for i, f := range found {
		sum, err := h.hash(ctx, f)
		if err != nil {
			return nil, err
		}
		files[i] = PlannedFile{Path: f.target, Length: f.info.Size(), SHA256: sum}
	}
	return files, nil
}

// A foundFile is a target file before it is hashed.
type foundFile struct {
	path   string // on this machine
	target string // in the repository
	info   fs.FileInfo
}

func findFiles(ctx context.Context, paths []string) ([]foundFile, error) {
	var found []foundFile
	for _, path := range paths {
		more, err := findBelow(ctx, path, len(found))
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	slices.SortFunc(found, func(a, b foundFile) int { return strings.Compare(a.target, b.target) })
	for i := 1; i < len(found); i++ {
		if a, b := found[i-1], found[i]; a.target == b.target {
			return nil, &FileError{
				Path: b.path, Err: fmt.Errorf("%s has the same target path %q", a.path, a.target),
				hint: "Two files cannot have one path in the repository. Give the folder above them, or add them one after the other under other names.",
			}
		}
	}
	return found, nil
}

// findBelow is path itself, or the files in it if it is a folder. before have been found already.
func findBelow(ctx context.Context, path string, before int) ([]foundFile, error) {
	var found []foundFile
	err := filepath.WalkDir(path, func(at string, entry fs.DirEntry, err error) error {
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return &FileError{Path: at, Err: err}
		}
		if entry.IsDir() {
			return nil
		}
		f, err := foundAt(path, at, entry)
		if err != nil {
			return err
		}
		if found = append(found, f); before+len(found) > MaxFiles {
			return &FileError{
				Path: path, Err: fmt.Errorf("there are more than %d files", MaxFiles),
				hint: "Sign one archive instead of many small files, or divide them among delegated roles.",
			}
		}
		return nil
	})
	if err == nil && len(found) == 0 {
		err = &FileError{Path: path, Err: errors.New("there is no file in this folder"), hint: "Give the folder that holds the files of the release."}
	}
	return found, err
}

// foundAt checks one file before anything is read of it.
func foundAt(root, at string, entry fs.DirEntry) (foundFile, error) {
	info, err := entry.Info()
	if err != nil {
		return foundFile{}, &FileError{Path: at, Err: err}
	}
	target := filepath.Base(at)
	if at != root {
		if target, err = filepath.Rel(root, at); err != nil {
			return foundFile{}, &FileError{Path: at, Err: err}
		}
	}
	f := foundFile{at, filepath.ToSlash(target), info}
	return f, f.check()
}

func (f foundFile) check() error {
	switch name := filepath.Base(f.path); {
	case f.info.Mode()&fs.ModeSymlink != 0:
		return &FileError{f.path, errors.New("it is a symbolic link"), "What is signed must be what lies there. Give the file or folder that it points to."}
	case !f.info.Mode().IsRegular():
		return &FileError{f.path, errNotRegular, "Only regular files can be target files. Take it out of the folder."}
	case IsTemp(name):
		return &FileError{f.path, errors.New("it is a file that was cut off while being written"), "Delete it; what it should have become is missing or was written again."}
	case len(name) > maxFileName:
		return &FileError{f.path, fmt.Errorf("its name has %d bytes; %d fit behind a hash in a repository", len(name), maxFileName), "Give it a shorter name."}
	}
	if err := tuf.CheckTargetPath(f.target); err != nil {
		return &FileError{Path: f.path, Err: err}
	}
	return nil
}

// A hasher reads one file after the other.
type hasher struct {
	progress    func(done, total int64)
	done, total int64
	buffer      []byte
}

func (h *hasher) hash(ctx context.Context, f foundFile) (sum [32]byte, err error) {
	file, err := os.Open(f.path)
	if err != nil {
		return sum, &FileError{Path: f.path, Err: err}
	}
	defer file.Close() // only read
	digest := sha256.New()
	if err := h.copy(ctx, digest, file, f); err != nil {
		return sum, err
	}
	return [32]byte(digest.Sum(nil)), f.unchanged(file)
}

func (h *hasher) copy(ctx context.Context, digest io.Writer, file io.Reader, f foundFile) error {
	for left := f.info.Size() + 1; ; { // one byte more shows a file that grows
		if err := ctx.Err(); err != nil {
			return &FileError{Path: f.path, Err: err, hint: "Nothing was planned."}
		}
		n, err := file.Read(h.buffer[:min(left, hashChunk)])
		_, _ = digest.Write(h.buffer[:n]) // a hash never fails
		h.done += int64(n)
		if left -= int64(n); left <= 0 {
			return f.changed()
		}
		h.report()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &FileError{Path: f.path, Err: err}
		}
	}
}

func (h *hasher) report() {
	if h.progress != nil {
		h.progress(min(h.done, h.total), h.total)
	}
}

// unchanged compares the open file, and the file of that name, with what was found first.
func (f foundFile) unchanged(file *os.File) error {
	open, err := file.Stat()
	if err != nil {
		return &FileError{Path: f.path, Err: err}
	}
	named, err := os.Lstat(f.path)
	if err != nil {
		return &FileError{Path: f.path, Err: err}
	}
	for _, info := range []fs.FileInfo{open, named} {
		if !os.SameFile(info, f.info) || info.Size() != f.info.Size() || !info.ModTime().Equal(f.info.ModTime()) {
			return f.changed()
		}
	}
	return nil
}

func (f foundFile) changed() error {
	return &FileError{
		f.path, errors.New("it changed while it was being hashed"),
		"Nothing was planned. Wait until whatever writes it has ended, look whether it is the file that you mean, and try again.",
	}
}
