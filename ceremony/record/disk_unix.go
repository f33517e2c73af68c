//go:build unix

package record

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// foldersSync says that a new name is durable only after its folder was synced.
const foldersSync = true

// lockFile takes the lock of the open file: it ends with the file or the
// program, a power cut included, so that no stale lock is ever left behind.
func lockFile(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errLocked
	}
	return err
}
