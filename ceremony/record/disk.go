package record

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A file is what a Log needs of an open file. An error says that the operation
// may have taken effect, wholly, in part or not at all.
type file interface {
	io.ReaderAt
	io.WriterAt
	Stat() (fs.FileInfo, error)
	Sync() error
	Truncate(size int64) error
	Close() error
}

// A disk is what a Log needs of the file system.
type disk interface {
	create(path string) (file, error) // fs.ErrExist where something is there
	open(path string) (file, error)   // for reading and writing
	lock(f file) error                // errLocked where another program has it
	stat(path string) (fs.FileInfo, error)
	syncFolder(path string) error
	remove(path string) error
}

// errLocked says that another program holds the lock.
var errLocked = errors.New("locked by another program")

// osDisk is the real one.
type osDisk struct{}

func (osDisk) create(path string) (file, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
}

func (osDisk) open(path string) (file, error) {
	if err := checkRegular(path); err != nil {
		return nil, err
	}
	// Not O_APPEND: Linux then ignores the offset of a WriteAt.
	return os.OpenFile(path, os.O_RDWR, 0)
}

func (osDisk) lock(f file) error {
	real, ok := f.(*os.File)
	if !ok {
		return errors.New("lock something that is not a file")
	}
	return lockFile(real)
}

func (osDisk) stat(path string) (fs.FileInfo, error) { return os.Stat(path) }
func (osDisk) remove(path string) error              { return os.Remove(path) }

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

// checkRegular keeps a program from hanging on a pipe or filling memory from a device.
func checkRegular(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", filepath.Base(path))
	}
	return nil
}
