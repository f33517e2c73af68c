package transfer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// tree writes files, named by their paths, into a new folder. Each holds its own name.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFilesAreHashedUnderTheirPathBelowTheFolder(t *testing.T) {
	dir := tree(t, "release/z.bin", "release/a/b.bin", "release/a.bin", "notes.txt")
	files, err := HashFiles(context.Background(), []string{filepath.Join(dir, "release"), filepath.Join(dir, "notes.txt")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, f.Path)
	}
	if want := []string{"a.bin", "a/b.bin", "notes.txt", "z.bin"}; !slices.Equal(got, want) {
		t.Fatalf("paths are %v, want %v", got, want)
	}
	if f := files[1]; f.Length != int64(len("release/a/b.bin")) || f.SHA256 != sha256.Sum256([]byte("release/a/b.bin")) {
		t.Errorf("a/b.bin is %+v", f)
	}
}

func TestAnEmptyFileIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	files, err := HashFiles(context.Background(), []string{path}, nil)
	if err != nil || len(files) != 1 || files[0].Length != 0 || files[0].SHA256 != sha256.Sum256(nil) {
		t.Errorf("HashFiles = %+v, %v", files, err)
	}
}

func TestProgressCountsToTheEnd(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), make([]byte, hashChunk+i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var last, calls int64
	const total = 3*hashChunk + 3
	_, err := HashFiles(context.Background(), []string{dir}, func(done, of int64) {
		if done < last || of != total {
			t.Errorf("progress went from %d to %d of %d", last, done, of)
		}
		last = done
		calls++
	})
	if err != nil || last != total || calls < 6 {
		t.Errorf("progress ended at %d of %d after %d calls, %v", last, int64(total), calls, err)
	}
}

func TestHashFilesRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(dir string) []string
		says    string
	}{
		"what is not there":    {func(dir string) []string { return []string{filepath.Join(dir, "none")} }, "no such file"},
		"an empty folder":      {func(dir string) []string { return []string{mkdir(t, dir, "empty")} }, "no file in this folder"},
		"a link in the folder": {func(dir string) []string { link(t, "a.bin", filepath.Join(dir, "b.bin")); return []string{dir} }, "symbolic link"},
		"a link to a folder": {func(dir string) []string {
			link(t, ".", filepath.Join(dir, "b"))
			return []string{filepath.Join(dir, "b")}
		}, "symbolic link"},
		"two files of one path": {func(dir string) []string { return []string{dir, filepath.Join(dir, "a.bin")} }, "has the same target path"},
		"a name that is no target path": {func(dir string) []string {
			return []string{write(t, filepath.Join(dir, `back\slash`))}
		}, "backslash"},
		"a name with a line break": {func(dir string) []string { return []string{write(t, filepath.Join(dir, "a\nb"))} }, "control character"},
		"a name too long to have a hash before it": {func(dir string) []string {
			return []string{write(t, filepath.Join(dir, strings.Repeat("x", maxFileName+1)))}
		}, "fit behind a hash"},
		"a file that was cut off": {func(dir string) []string {
			return []string{write(t, filepath.Join(dir, tempPrefix+"1"+tempSuffix))}
		}, "cut off"},
	} {
		t.Run(name, func(t *testing.T) {
			files, err := HashFiles(context.Background(), c.prepare(tree(t, "a.bin")), nil)
			if err == nil || files != nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("HashFiles = %v, %v; want a refusal that says %q", files, err, c.says)
			}
			wantHint(t, err)
		})
	}
}

func mkdir(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Skipf("no links here: %v", err)
	}
}

func write(t *testing.T, path string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
		t.Skipf("no such names here: %v", err)
	}
	return path
}

// A build is still writing the file, or replaces it, while it is hashed: what
// would be signed is nothing that ever was.
func TestAFileThatChangesMeanwhileIsRefused(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"it grows":      func(path string) error { return appendTo(path, "x") },
		"it shrinks":    func(path string) error { return os.Truncate(path, 1) },
		"it is touched": func(path string) error { return os.Chtimes(path, time.Time{}, today) },
		"it is replaced": func(path string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, make([]byte, 3*hashChunk), 0o644))
		},
		"it is taken away":      os.Remove,
		"it becomes a folder":   func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o755)) },
		"its bytes are changed": func(path string) error { return overwrite(path) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "app.bin")
			if err := os.WriteFile(path, make([]byte, 3*hashChunk), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, time.Time{}, today.Add(-time.Hour)); err != nil {
				t.Fatal(err)
			}
			changed := false
			files, err := HashFiles(context.Background(), []string{path}, func(int64, int64) {
				if changed {
					return
				}
				changed = true
				if err := change(path); err != nil {
					t.Fatal(err)
				}
			})
			var failed *FileError
			if files != nil || !errors.As(err, &failed) || failed.Path != path {
				t.Fatalf("HashFiles = %v, %v; want a *FileError", files, err)
			}
			wantHint(t, err)
		})
	}
}

func appendTo(path, s string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(s)
	return errors.Join(err, f.Close())
}

func overwrite(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte("x"), 0)
	return errors.Join(err, f.Close())
}

func TestHashingCanBeCancelled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.bin")
	if err := os.WriteFile(path, make([]byte, 5*hashChunk), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done int64
	_, err := HashFiles(ctx, []string{path}, func(d, _ int64) { done = d; cancel() })
	if !errors.Is(err, context.Canceled) || done > hashChunk {
		t.Errorf("HashFiles = %v after %d bytes, want context.Canceled after the first piece", err, done)
	}
}
