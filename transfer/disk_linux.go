package transfer

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

const foldersSync = true

var renameWays = []renameWay{renameNoReplace, linkNew, claimNew}

// renameNoReplace is atomic. ext4, xfs, btrfs, vfat, exfat and overlayfs have
// it; network and FUSE file systems mostly do not.
func renameNoReplace(temp, path string) error {
	err := unix.Renameat2(unix.AT_FDCWD, temp, unix.AT_FDCWD, path, unix.RENAME_NOREPLACE)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EOPNOTSUPP):
		return errUnsupported
	}
	return &os.LinkError{Op: "renameat2", Old: temp, New: path, Err: err}
}

// dropCache asks that the bytes be read from the medium, not from memory. It is
// a request: the system keeps what was not synced.
func dropCache(f *os.File) {
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}
