package transfer

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
)

var (
	oldBytes = []byte("what was there before")
	newBytes = bytes.Repeat([]byte("what is written now. "), 5000)
)

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWriteNewWritesAndLeavesNothingElse(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.json")
	for range 2 { // the same bytes again count as written
		if err := WriteNew(path, newBytes); err != nil {
			t.Fatal(err)
		}
	}
	wantFile(t, path, newBytes)
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d files in the folder, want 1", len(entries))
	}
}

func TestWriteNewOverwritesNothing(t *testing.T) {
	dir := t.TempDir()
	for name, put := range map[string]func(path string) error{
		"another file":           func(p string) error { return os.WriteFile(p, oldBytes, 0o644) },
		"a file of equal length": func(p string) error { return os.WriteFile(p, bytes.ToUpper(newBytes), 0o644) },
		"an empty file":          func(p string) error { return os.WriteFile(p, nil, 0o644) },
		"a folder":               func(p string) error { return os.Mkdir(p, 0o755) },
		"a link to nowhere":      func(p string) error { return os.Symlink("nowhere", p) },
		"a link to the same": func(p string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "same"), newBytes, 0o644), os.Symlink("same", p))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			if err := put(path); err != nil {
				t.Fatal(err)
			}
			was, _ := os.ReadFile(path)
			err := WriteNew(path, newBytes)
			var exists *ExistsError
			if !errors.Is(err, ErrExists) || !errors.Is(err, fs.ErrExist) || !errors.As(err, &exists) || exists.Hint() == "" {
				t.Errorf("WriteNew = %v, want ErrExists with a hint", err)
			}
			if now, _ := os.ReadFile(path); !bytes.Equal(was, now) {
				t.Error("it was overwritten")
			}
			wantNoTemps(t, dir)
		})
	}
}

func TestOneOfManyWritersWins(t *testing.T) {
	for name, way := range renamers {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "a.json")
			const writers = 8
			var won [writers]bool
			var wait sync.WaitGroup
			for i := range writers {
				wait.Go(func() {
					err := writeNew(wayDisk{way: way}, path, bytes.Repeat([]byte{'a' + byte(i)}, 100))
					if won[i] = err == nil; err != nil && !errors.Is(err, ErrExists) {
						t.Errorf("writer %d: %v", i, err)
					}
				})
			}
			wait.Wait()
			winner := -1
			for i, w := range won {
				if w && winner >= 0 {
					t.Errorf("writers %d and %d both won", winner, i)
				}
				if w {
					winner = i
				}
			}
			if winner < 0 {
				t.Fatal("nobody won")
			}
			wantFile(t, path, bytes.Repeat([]byte{'a' + byte(winner)}, 100))
			wantNoTemps(t, dir)
		})
	}
}

// renamers are the ways of the file systems that lack the better one.
var renamers = map[string]renameWay{
	"the best way here": osDisk{}.renameNew,
	"links":             linkNew,
	"a claim":           claimNew,
	"no links either": func(temp, path string) error {
		no := func(string, string) error { return errUnsupported }
		return tryEach([]renameWay{no, no, claimNew}, temp, path)
	},
}

type wayDisk struct {
	osDisk
	way renameWay
}

func (d wayDisk) renameNew(temp, path string) error { return d.way(temp, path) }

func TestEveryWayOfRenamingOverwritesNothing(t *testing.T) {
	for name, way := range renamers {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			temp, path := filepath.Join(dir, "temp"), filepath.Join(dir, "path")
			put(t, temp, newBytes)
			put(t, path, oldBytes)
			if err := way(temp, path); !errors.Is(err, fs.ErrExist) {
				t.Errorf("rename = %v, want fs.ErrExist", err)
			}
			wantFile(t, path, oldBytes)
			os.Remove(path)
			if err := way(temp, path); err != nil {
				t.Fatal(err)
			}
			wantFile(t, path, newBytes)
			if _, err := os.Stat(temp); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the old name is still there: %v", err)
			}
			if err := way(temp, filepath.Join(dir, "third")); err == nil {
				t.Error("a file that is not there was renamed")
			}
			if _, err := os.Lstat(filepath.Join(dir, "third")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("something was left under the new name: %v", err)
			}
		})
	}
}

// checkFault is what must hold whatever failed.
func checkFault(t *testing.T, d *faultyDisk, path string, err error) {
	t.Helper()
	if d.what == "" && err != nil {
		t.Fatalf("without a fault: %v", err)
	}
	if err != nil && !errors.Is(err, errFault) {
		t.Errorf("error %v does not say what failed", err)
	}
	var failed *WriteError
	if err != nil && (!errors.As(err, &failed) || failed.Hint() == "" || !strings.Contains(err.Error(), path)) {
		t.Errorf("error %v names no file or says not what is safe", err)
	}
	if got, rerr := os.ReadFile(path); rerr == nil && failed != nil && !failed.Named && bytes.Equal(got, newBytes) {
		t.Errorf("the file is there, and the error says that it was not begun: %v", err)
	}
	if d.what != "create" { // a temporary file that was made and denied cannot be known
		wantNoTemps(t, filepath.Dir(path))
	}
}

func TestAFaultLeavesTheWholeFileOrNone(t *testing.T) {
	eachFault(t, 20, func(t *testing.T, d *faultyDisk, dir string) {
		path := filepath.Join(dir, "a.json")
		err := writeNew(d, path, newBytes)
		checkFault(t, d, path, err)
		if got, rerr := os.ReadFile(path); rerr == nil && !bytes.Equal(got, newBytes) {
			t.Errorf("half a file has the name: %d bytes", len(got))
		}
		if err := WriteNew(path, newBytes); err != nil {
			t.Errorf("trying again: %v", err)
		}
		wantFile(t, path, newBytes)
	})
}

func TestAFaultLeavesTheOldFileOrTheNew(t *testing.T) {
	eachFault(t, 20, func(t *testing.T, d *faultyDisk, dir string) {
		path := filepath.Join(dir, "a.json")
		put(t, path, oldBytes)
		sum := sha256.Sum256(newBytes)
		err := save(d, path, content{bytes.NewReader(newBytes), int64(len(newBytes)), sum}, d.rename)
		checkFault(t, d, path, err)
		if got, _ := os.ReadFile(path); !bytes.Equal(got, newBytes) && !bytes.Equal(got, oldBytes) {
			t.Errorf("a mixture has the name: %d bytes", len(got))
		}
		if err := Replace(path, newBytes); err != nil {
			t.Errorf("trying again: %v", err)
		}
		wantFile(t, path, newBytes)
	})
}

func TestWhatIsWrittenSurvivesAPowerCut(t *testing.T) {
	dir := t.TempDir()
	d := newFaultyDisk(fault{})
	path := filepath.Join(dir, "a.json")
	if err := writeNew(d, path, newBytes); err != nil {
		t.Fatal(err)
	}
	d.cut(t)
	wantFile(t, path, newBytes)
}

// The first run failed after the file had its name and before the folder was
// synced. The second run finds the same bytes and must not take them for done.
func TestWhatIsThereAlreadySurvivesAPowerCut(t *testing.T) {
	eachFault(t, 20, func(t *testing.T, d *faultyDisk, dir string) {
		path := filepath.Join(dir, "a.json")
		if writeNew(d, path, newBytes) == nil {
			d.cut(t)
			wantFile(t, path, newBytes)
			return
		}
		if err := writeNew(d, path, newBytes); err != nil {
			t.Fatal(err)
		}
		d.cut(t)
		wantFile(t, path, newBytes)
	})
}

// Somebody copied the file there a moment ago, and it is in the system's memory only.
func TestWhatAnotherProgramCopiedSurvivesAPowerCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.json")
	if err := os.WriteFile(path, newBytes, 0o644); err != nil {
		t.Fatal(err)
	}
	d := newFaultyDisk(fault{})
	d.platter[path] = nil
	if err := writeNew(d, path, newBytes); err != nil {
		t.Fatal(err)
	}
	d.cut(t)
	wantFile(t, path, newBytes)
}

// Another program gives its file the name between our look and our renaming.
func TestAFasterWriter(t *testing.T) {
	for name, c := range map[string]struct {
		theirs []byte
		want   error
	}{
		"of the same bytes": {newBytes, nil},
		"of other bytes":    {oldBytes, ErrExists},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "a.json")
			d := &overtaken{newFaultyDisk(fault{}), c.theirs}
			if err := writeNew(d, path, newBytes); !errors.Is(err, c.want) {
				t.Errorf("WriteNew = %v, want %v", err, c.want)
			}
			wantNoTemps(t, dir)
			if c.want == nil {
				d.cut(t)
			}
			wantFile(t, path, c.theirs)
		})
	}
}

// An overtaken disk has another writer on it, who syncs nothing.
type overtaken struct {
	*faultyDisk
	theirs []byte
}

func (d *overtaken) renameNew(temp, path string) error {
	if err := os.WriteFile(path, d.theirs, 0o644); err != nil {
		return err
	}
	d.platter[path] = nil
	return d.faultyDisk.renameNew(temp, path)
}

// A worn stick takes the bytes and gives back others.
func TestAMediumThatForgetsIsNoticed(t *testing.T) {
	d := newFaultyDisk(fault{})
	d.garble = true
	err := writeNew(d, filepath.Join(t.TempDir(), "a.json"), newBytes)
	var failed *WriteError
	if !errors.As(err, &failed) || failed.Step != "read back" {
		t.Errorf("WriteNew = %v, want it to fail when reading back", err)
	}
}

func TestWriteStream(t *testing.T) {
	sum := sha256.Sum256(newBytes)
	length := int64(len(newBytes))
	for name, c := range map[string]struct {
		r      io.Reader
		length int64
		sum    [32]byte
		want   func(error) bool
	}{
		"the right bytes":         {bytes.NewReader(newBytes), length, sum, func(err error) bool { return err == nil }},
		"one byte at a time":      {iotest.OneByteReader(bytes.NewReader(newBytes)), length, sum, func(err error) bool { return err == nil }},
		"one byte too many":       {io.MultiReader(bytes.NewReader(newBytes), strings.NewReader("x")), length, sum, isMismatch},
		"one byte too few":        {bytes.NewReader(newBytes[1:]), length, sum, isMismatch},
		"bytes without end":       {endless{}, length, sum, isMismatch},
		"other bytes":             {bytes.NewReader(bytes.ToUpper(newBytes)), length, sum, isMismatch},
		"a length below zero":     {bytes.NewReader(newBytes), -5, sum, isMismatch},
		"a source that fails":     {io.MultiReader(bytes.NewReader(newBytes[:10]), iotest.ErrReader(errFault)), length, sum, isSourceFault},
		"a source that times out": {iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(newBytes))), length, sum, func(err error) bool { return errors.Is(err, iotest.ErrTimeout) }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "app.bin")
			err := WriteStream(path, c.r, c.length, c.sum)
			if !c.want(err) {
				t.Errorf("WriteStream = %v", err)
			}
			if err != nil {
				if _, serr := os.Stat(path); !errors.Is(serr, fs.ErrNotExist) {
					t.Errorf("it was refused, and a file is there: %v", serr)
				}
			}
			wantNoTemps(t, dir)
		})
	}
}

func isMismatch(err error) bool {
	var m *MismatchError
	return errors.As(err, &m) && m.Hint() != ""
}

func isSourceFault(err error) bool {
	var w *WriteError
	return errors.Is(err, errFault) && !errors.As(err, &w)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestWriteStreamReadsNothingWhenTheFileIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.bin")
	if err := os.WriteFile(path, newBytes, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := WriteStream(path, iotest.ErrReader(errFault), int64(len(newBytes)), sha256.Sum256(newBytes)); err != nil {
		t.Error(err)
	}
}

func TestAWriteErrorSaysWhatToDo(t *testing.T) {
	for want, err := range map[string]error{
		"full":                                syscall.ENOSPC,
		"read-only":                           syscall.EROFS,
		"may not":                             syscall.EACCES,
		"pulled out":                          syscall.EIO,
		"exFAT":                               syscall.EFBIG,
		"is not there: was the medium pulled": syscall.ENOENT,
	} {
		hint := (&WriteError{Path: "/media/stick/a.json", Step: "write", Err: &os.PathError{Op: "write", Path: "x", Err: err}}).Hint()
		if !strings.Contains(hint, want) || !strings.Contains(hint, "Nothing that was there before was changed") {
			t.Errorf("the hint for %v is %q, want it to say %q", err, hint, want)
		}
	}
}

func TestWriteNewWithoutAFolder(t *testing.T) {
	err := WriteNew(filepath.Join(t.TempDir(), "none", "a.json"), newBytes)
	var failed *WriteError
	if !errors.As(err, &failed) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("WriteNew = %v", err)
	}
}

func TestUnfinishedFilesAreRecognised(t *testing.T) {
	dir := t.TempDir()
	f, path, err := osDisk{}.createTemp(dir)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	put(t, filepath.Join(dir, "a.tmp"), nil)
	if stale, err := StaleTemps(dir); err != nil || len(stale) != 1 || stale[0] != path {
		t.Errorf("StaleTemps = %v, %v; want %s", stale, err, path)
	}
}
