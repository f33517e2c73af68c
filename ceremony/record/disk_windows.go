package record

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// foldersSync: Windows writes names through and cannot sync a folder.
const foldersSync = false

// lockFile locks one byte far behind the end: locks are mandatory here, and
// reading the record must stay possible.
func lockFile(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{OffsetHigh: 1 << 30})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return err
}
