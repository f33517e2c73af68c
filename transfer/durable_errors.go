package transfer

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// A WriteError says which step of writing a file failed.
type WriteError struct {
	Path  string
	Step  string // "create", "write", "sync", …
	Named bool   // the file may have its name already, and be on the medium or not
	Err   error
}

func (e *WriteError) Error() string { return fmt.Sprintf("write %s: %s: %v", e.Path, e.Step, e.Err) }

// Unwrap gives the reason.
func (e *WriteError) Unwrap() error { return e.Err }

// Hint says what is safe and what to do.
func (e *WriteError) Hint() string {
	safe := "Nothing that was there before was changed, and no file of that name was begun."
	if e.Named {
		safe = "Nothing that was there before was changed, but whether the new file is whole on the medium is not certain: do not use it yet."
	}
	return safe + " " + e.advice() + " The same file already there counts as written, so that trying again does no harm."
}

// advice guesses what happened from what the system said.
func (e *WriteError) advice() string {
	switch {
	case errors.Is(e.Err, syscall.ENOSPC), errors.Is(e.Err, syscall.EDQUOT):
		return "The medium is full: make room or take another one, and try again."
	case errors.Is(e.Err, syscall.EROFS):
		return "The medium is read-only: look for a write-protect switch, or mount it for writing, and try again."
	case errors.Is(e.Err, fs.ErrPermission):
		return "This user may not write there: choose another folder, or mount the medium for this user."
	case errors.Is(e.Err, fs.ErrNotExist):
		return fmt.Sprintf("The folder %s is not there: was the medium pulled out? Put it in again, look that it is mounted, and try again.", filepath.Dir(e.Path))
	case errors.Is(e.Err, syscall.EFBIG):
		return "The file is too large for the medium's file system: take one that is formatted as exFAT or ext4."
	}
	return "Was the medium pulled out, or is it failing? Put it in again, or take another one, and try again."
}

// An ExistsError is an ErrExists that names the file.
type ExistsError struct{ Path string }

func (e *ExistsError) Error() string { return fmt.Sprintf("write %s: %v", e.Path, ErrExists) }

// Is makes errors.Is(err, ErrExists) and errors.Is(err, fs.ErrExist) hold.
func (e *ExistsError) Is(target error) bool { return target == ErrExists || target == fs.ErrExist }

// Hint says what to do.
func (e *ExistsError) Hint() string {
	return "Nothing was overwritten. Choose another name or folder, or look what the file there is and move it away yourself."
}

// A MismatchError says that what was to be written is not what it should be: a file changed or was damaged since it was hashed.
type MismatchError struct {
	Path   string
	Length int64 // what there was to read; at most one byte more than Want is read
	Want   int64
}

func (e *MismatchError) Error() string {
	if e.Length > e.Want {
		return fmt.Sprintf("write %s: the source has more than the expected %d bytes", e.Path, e.Want)
	}
	if e.Length < e.Want {
		return fmt.Sprintf("write %s: the source has %d bytes, %d were expected", e.Path, e.Length, e.Want)
	}
	return fmt.Sprintf("write %s: the source has the expected length and another SHA-256", e.Path)
}

// Hint says what to do.
func (e *MismatchError) Hint() string {
	return "The source is not the file that was signed: it was changed, damaged or copied only in part. Nothing was written. Get the right file, or sign the new one."
}
