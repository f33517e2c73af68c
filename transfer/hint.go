package transfer

import (
	"errors"
	"io/fs"
	"syscall"
)

// Hint is what to do about an error: what the first one in its chain that knows says, else what helps
// where the file system refused something, else "".
func Hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	switch {
	case errors.Is(err, syscall.EISDIR):
		return "It is a folder: name the file in it."
	case errors.Is(err, syscall.ENOTDIR):
		return "A file stands where a folder must: name another place, or move that file away yourself."
	case errors.Is(err, fs.ErrNotExist):
		return "Look at how it is spelled; a name that does not begin with / counts from the folder in which conclave was started. Is it on a medium that is not mounted?"
	case errors.Is(err, fs.ErrPermission):
		return "This user may not do that there: look who owns it (ls -l), or name another place."
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "The medium is full: make room or take another one, and try again."
	case errors.Is(err, syscall.EROFS):
		return "The medium is read-only: look for a write-protect switch, or mount it for writing, and try again."
	case errors.Is(err, syscall.EIO):
		return "The medium is failing: copy what is on it, and take another one."
	}
	return ""
}
