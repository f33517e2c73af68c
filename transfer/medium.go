package transfer

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// MinFree is the least free space that a medium should have, in bytes: a
// large bundle, its record and its pages fit many times.
const MinFree = 4 << 20

// A Folder is a medium that is mounted: a stick, a card, or any folder.
type Folder struct{ Dir string }

// MediumInfo is what was found out about a medium. What is not known is zero.
type MediumInfo struct {
	Dir        string // absolute
	Mount      string // where the medium is mounted; "/" for a folder of the machine's own disk
	Device     string // "/dev/sda1"
	Label      string // the name that the stick has
	FileSystem string // "vfat", "exfat", "ext4", …
	Free       int64  // bytes for this user
	Total      int64  // bytes
	ReadOnly   bool
}

// A MediumError says why nothing can be exported to a medium.
type MediumError struct {
	Dir  string
	Err  error
	hint string
}

func (e *MediumError) Error() string { return fmt.Sprintf("check medium %s: %v", e.Dir, e.Err) }

// Unwrap gives the reason.
func (e *MediumError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *MediumError) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	var hinted interface{ Hint() string }
	if errors.As(e.Err, &hinted) {
		return hinted.Hint()
	}
	return "Put the medium in again, look that it is mounted, or take another one."
}

// Check looks at the medium, writes a scratch file to it, reads that back and removes it. The
// information is as good as it got also when the error is not nil.
func (f Folder) Check() (MediumInfo, error) { return checkMedium(osDisk{}, f.Dir) }

func checkMedium(d disk, dir string) (MediumInfo, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return MediumInfo{Dir: dir}, &MediumError{Dir: dir, Err: err}
	}
	info := MediumInfo{Dir: abs}
	stat, err := os.Stat(abs)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return info, &MediumError{abs, errors.New("there is no such folder"), "Put the medium in and mount it, or make the folder."}
	case err != nil:
		return info, &MediumError{Dir: abs, Err: err}
	case !stat.IsDir():
		return info, &MediumError{abs, errors.New("it is a file, not a folder"), "Give the folder under which the medium is mounted."}
	}
	if err := info.look(); err != nil {
		return info, &MediumError{Dir: abs, Err: err}
	}
	switch {
	case info.ReadOnly:
		return info, &MediumError{abs, errors.New("it is read-only"), "Look for a write-protect switch on the medium, or mount it for writing."}
	case info.Total > 0 && info.Free < MinFree:
		return info, &MediumError{abs, fmt.Errorf("it has %d bytes free, less than %d", info.Free, MinFree), "Make room on it, or take another one."}
	}
	return info, tryOut(d, abs)
}

// tryOut writes and reads back a scratch file.
func tryOut(d disk, dir string) error {
	const size = 4096 // more than a file system keeps beside its names
	scratch := make([]byte, size)
	_, _ = rand.Read(scratch) // never fails
	path := filepath.Join(dir, fmt.Sprintf("%scheck-%x%s", tempPrefix, scratch[:4], tempSuffix))
	err := writeNew(d, path, scratch)
	if rerr := d.remove(path); err == nil && rerr != nil {
		err = &WriteError{Path: path, Step: "remove", Named: true, Err: rerr}
	}
	if err == nil {
		err = d.syncFolder(dir)
	}
	if err != nil {
		return &MediumError{Dir: dir, Err: err}
	}
	return nil
}

// Export writes a new file durably, reads it back and compares. It overwrites nothing
// (ErrExists); the same bytes already there count as written.
func (f Folder) Export(name string, data []byte) (path string, err error) {
	if !filepath.IsLocal(name) || filepath.Base(name) != name || IsTemp(name) {
		return "", fmt.Errorf("export %q: it is no file name", name)
	}
	path = filepath.Join(f.Dir, name)
	if err := WriteNew(path, data); err != nil {
		return "", err
	}
	return path, nil
}

// unescape reads the form of mountinfo and of udev's links: \040 and \x20 are spaces.
func unescape(s string) string {
	var out bytes.Buffer
	for i := 0; i < len(s); i++ {
		var c byte
		if n, err := fmt.Sscanf(s[i:min(len(s), i+4)], `\x%02x`, &c); err == nil && n == 1 {
			i += 3
		} else if n, err := fmt.Sscanf(s[i:min(len(s), i+4)], `\%03o`, &c); err == nil && n == 1 {
			i += 3
		} else {
			c = s[i]
		}
		out.WriteByte(c)
	}
	return out.String()
}
