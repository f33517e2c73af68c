package transfer

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Expected system calls.
//
//	WriteNew:     openat(PATH) (ENOENT)
//	              openat(FOLDER/.conclave-R.tmp, O_WRONLY|O_CREAT|O_EXCL)  write…  fsync  close
//	              renameat2(TEMP, PATH, RENAME_NOREPLACE)
//	                or, where the file system lacks it:  linkat(TEMP, PATH)  unlinkat(TEMP)
//	                or, where it lacks that too:         openat(PATH, O_CREAT|O_EXCL)  renameat(TEMP, PATH)
//	              openat(FOLDER)  fsync
//	              openat(PATH)  fadvise64(POSIX_FADV_DONTNEED)  read…
//	WriteStream:  the same, with many writes
//	Replace:      the same, with a plain renameat
//
// Whatever fails, the file of that name is whole, old or new, or it is not
// there. BUG: on a file system that has neither RENAME_NOREPLACE nor links, a
// power cut at the wrong moment leaves an empty file of the name.

// ErrExists is returned where a file of that name with other content stands already. Nothing was overwritten.
var ErrExists = errors.New("a different file of that name is there already")

// Names of files that are being written. One that is left behind was cut off
// by a crash or a pulled stick, and may be deleted.
const (
	tempPrefix = ".conclave-"
	tempSuffix = ".tmp"
)

// WriteNew writes a new file durably, then reads it back and compares. A file of the
// same bytes that is there already counts as written; any other is ErrExists.
func WriteNew(path string, data []byte) error { return writeNew(osDisk{}, path, data) }

// Replace is WriteNew for the few files that change (a timestamp, a pin): readers see the
// old file or the new one, never a mixture. It compares nothing with what was
// there: whoever needs that holds a lock.
func Replace(path string, data []byte) error {
	return save(osDisk{}, path, content{bytes.NewReader(data), int64(len(data)), sha256.Sum256(data)}, osDisk{}.rename)
}

// WriteStream is WriteNew for files too large for memory. What r gives must have exactly that length and
// SHA-256, else nothing is written and the error is a *MismatchError. Where the
// file is there already, r is not read.
func WriteStream(path string, r io.Reader, wantLength int64, wantSHA256 [32]byte) error {
	return writeStream(osDisk{}, path, content{r, wantLength, wantSHA256})
}

// StaleTemps lists the files in dir that a crash or a pulled stick cut off.
func StaleTemps(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look for unfinished files: %w", err)
	}
	var stale []string
	for _, e := range entries {
		if IsTemp(e.Name()) {
			stale = append(stale, filepath.Join(dir, e.Name()))
		}
	}
	return stale, nil
}

// IsTemp reports the name of a file that is being written, or was cut off.
func IsTemp(name string) bool {
	return strings.HasPrefix(name, tempPrefix) && strings.HasSuffix(name, tempSuffix)
}

// content is what a file must hold in the end.
type content struct {
	r      io.Reader
	length int64
	sum    [32]byte
}

func writeNew(d disk, path string, data []byte) error {
	return writeStream(d, path, content{bytes.NewReader(data), int64(len(data)), sha256.Sum256(data)})
}

func writeStream(d disk, path string, c content) error {
	found, err := compare(d, path, c)
	if err != nil {
		return &WriteError{Path: path, Step: "look at what is there", Err: err}
	}
	switch found {
	case other:
		return &ExistsError{Path: path}
	case same:
		return settle(d, path, c)
	}
	err = save(d, path, c, d.renameNew)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	// Another program was faster.
	if found, _ := compare(d, path, c); found == same {
		return settle(d, path, c)
	}
	return &ExistsError{Path: path}
}

// save brings c under the name path by way of a temporary file.
func save(d disk, path string, c content, rename func(temp, path string) error) error {
	temp, err := writeTemp(d, path, c)
	if err != nil {
		return err
	}
	if err := rename(temp, path); err != nil {
		_ = d.remove(temp) // best effort: the name says that it may go
		return &WriteError{Path: path, Step: "give it its name", Named: true, Err: err}
	}
	return confirm(d, path, c)
}

// writeTemp writes c beside path and syncs it. On failure nothing is left.
func writeTemp(d disk, path string, c content) (string, error) {
	f, temp, err := d.createTemp(filepath.Dir(path))
	if err != nil {
		return "", &WriteError{Path: path, Step: "create", Err: err}
	}
	err = fill(f, path, c)
	if cerr := f.Close(); err == nil && cerr != nil {
		err = &WriteError{Path: path, Step: "close", Err: cerr}
	}
	if err != nil {
		_ = d.remove(temp) // best effort, as above
		return "", err
	}
	return temp, nil
}

// fill copies c into f and checks on the way that it is what it should be.
func fill(f tempFile, path string, c content) error {
	hash := sha256.New()
	in := &source{r: io.LimitReader(c.r, c.length+1)} // one more shows that there is more
	n, err := Copy(io.MultiWriter(f, hash), in)
	switch {
	case in.err != nil:
		return fmt.Errorf("read what is to be written to %s: %w", path, in.err)
	case err != nil:
		return &WriteError{Path: path, Step: "write", Err: err}
	case n != c.length || [32]byte(hash.Sum(nil)) != c.sum:
		return &MismatchError{Path: path, Length: n, Want: c.length}
	}
	if err := f.Sync(); err != nil {
		return &WriteError{Path: path, Step: "sync", Err: err}
	}
	return nil
}

// A source remembers whether it was reading that failed, not writing.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// confirm makes the name durable and reads the file back from the medium.
func confirm(d disk, path string, c content) error {
	if err := d.syncFolder(filepath.Dir(path)); err != nil {
		return &WriteError{Path: path, Step: "sync the folder", Named: true, Err: err}
	}
	found, err := compare(d, path, c)
	if err == nil && found != same {
		err = errors.New("the medium gave back other bytes than were written")
	}
	if err != nil {
		return &WriteError{Path: path, Step: "read back", Named: true, Err: err}
	}
	return nil
}

// settle makes sure that a file which was there already is on the medium too:
// an earlier run may have been cut off between naming and syncing it.
func settle(d disk, path string, c content) error {
	if err := d.syncFile(path); err != nil {
		return &WriteError{Path: path, Step: "sync", Named: true, Err: err}
	}
	return confirm(d, path, c)
}

// What compare finds.
type finding int

const (
	nothing finding = iota
	same
	other
)

// compare says what stands at path, in constant memory.
func compare(d disk, path string, c content) (finding, error) {
	f, size, err := d.open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nothing, nil
	}
	if errors.Is(err, errNotRegular) {
		return other, nil
	}
	if err != nil {
		return nothing, err
	}
	defer f.Close() // only read
	if size != c.length {
		return other, nil
	}
	hash := sha256.New()
	if _, err := Copy(hash, f); err != nil {
		return nothing, err
	}
	if [32]byte(hash.Sum(nil)) != c.sum {
		return other, nil
	}
	return same, nil
}
