package transfer

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A disk is what durable writing needs of the file system. An error says that
// the operation may have taken effect or not.
type disk interface {
	createTemp(folder string) (f tempFile, path string, err error)
	open(path string) (f io.ReadCloser, size int64, err error) // reads from the medium where the system allows it
	rename(temp, path string) error                            // replaces
	renameNew(temp, path string) error                         // fs.ErrExist where path is taken
	remove(path string) error
	syncFile(path string) error
	syncFolder(path string) error
}

// A tempFile is a file that is being written.
type tempFile interface {
	io.WriteCloser
	Sync() error
}

// errNotRegular says that a folder, a link or a device stands where a file was expected.
var errNotRegular error = notRegular{}

type notRegular struct{}

func (notRegular) Error() string { return "not a regular file" }

// Hint says what to do.
func (notRegular) Hint() string {
	return "Name the file itself: folders, links and devices are not read."
}

// osDisk is the real one.
type osDisk struct{}

func (osDisk) createTemp(folder string) (tempFile, string, error) {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	path := filepath.Join(folder, tempPrefix+hex.EncodeToString(random[:])+tempSuffix)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, "", err
	}
	return f, path, nil
}

// open looks before it opens, so that a pipe does not hang it; a symbolic link is not followed.
func (osDisk) open(path string) (io.ReadCloser, int64, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, errNotRegular
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	dropCache(f)
	return f, info.Size(), nil
}

func (osDisk) rename(temp, path string) error { return os.Rename(temp, path) }
func (osDisk) remove(path string) error       { return os.Remove(path) }

func (osDisk) syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0) // Windows syncs only what is open for writing
	if errors.Is(err, fs.ErrPermission) {
		f, err = os.Open(path)
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (osDisk) syncFolder(path string) error {
	if !foldersSync {
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// renameNew gives temp its name only if nobody has it. It tries the ways of
// doing so from the safest on: sticks come with file systems that lack one or the other.
func (osDisk) renameNew(temp, path string) error { return tryEach(renameWays, temp, path) }

// A renameWay renames without overwriting, or says that the file system cannot do it so.
type renameWay func(temp, path string) error

// errUnsupported makes tryEach go on to the next way.
var errUnsupported = errors.New("the file system cannot do that")

func tryEach(ways []renameWay, temp, path string) error {
	err := errUnsupported
	for _, way := range ways {
		if err = way(temp, path); !errors.Is(err, errUnsupported) {
			return err
		}
	}
	return err
}

// linkNew makes a second name, which fails if it is taken, and drops the first.
func linkNew(temp, path string) error {
	err := os.Link(temp, path)
	switch {
	case err == nil:
		// The file has its name. A first name that stays is only litter.
		_ = os.Remove(temp)
		return nil
	case errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrNotExist):
		return err
	}
	return errors.Join(errUnsupported, err) // vfat says EPERM, others what they like
}

// claimNew takes the name with an empty file of its own, then replaces that.
func claimNew(temp, path string) error {
	claim, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if err := claim.Close(); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
