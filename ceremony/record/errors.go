package record

import (
	"errors"
	"fmt"
)

// ErrPoisoned is what Append returns after an Append that failed: nobody knows
// what of it reached the disk until the record has been opened again.
var ErrPoisoned = errors.New("record takes no more entries until it is opened again")

// A BrokenError says that a record is not what was written.
type BrokenError struct {
	Path string // "" when the record did not come from a file
	Line int    // from 1; the lines before it are good
	Err  error
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("read record %s: line %d: %v", e.Path, e.Line, e.Err)
}

// Unwrap gives the reason.
func (e *BrokenError) Unwrap() error { return e.Err }

// Hint says what is safe and what to do.
func (e *BrokenError) Hint() string {
	if e.Line == 1 {
		return "The record was changed after it was written, or it is another kind of file. Leave it as it is and look for another copy."
	}
	return fmt.Sprintf("The record was changed after it was written, or copied badly. Lines 1 to %d are good. "+
		"Leave the file as it is, look for another copy, and note this as an exception.", e.Line-1)
}

// A LockedError says that another program has the record open for writing.
type LockedError struct{ Path string }

func (e *LockedError) Error() string {
	return fmt.Sprintf("open record %s: another program is writing to it", e.Path)
}

// Hint says what to do.
func (e *LockedError) Hint() string {
	return "Conclave already runs with this record, perhaps in another terminal. Go on there, or end it and try again. Nothing was changed."
}

// An AppendError says that an entry could not be brought to the disk.
type AppendError struct {
	Path string
	Seq  int // of the entry
	Err  error
}

func (e *AppendError) Error() string {
	return fmt.Sprintf("write entry %d of record %s: %v", e.Seq, e.Path, e.Err)
}

// Unwrap gives the reason.
func (e *AppendError) Unwrap() error { return e.Err }

// Hint says what is safe and what to do.
func (e *AppendError) Hint() string {
	return fmt.Sprintf("Entries 1 to %d are safe, and what entry %d announces was not done. "+
		"Look after the disk (full, pulled out, read-only?), then resume the ceremony from this record.", e.Seq-1, e.Seq)
}

// An ExistsError says that a record stands where a new one was to begin.
type ExistsError struct {
	Path string
	Err  error
}

func (e *ExistsError) Error() string {
	return fmt.Sprintf("create record %s: there is one already", e.Path)
}

// Unwrap gives the reason.
func (e *ExistsError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *ExistsError) Hint() string {
	return "Resume the ceremony that it belongs to, or choose another folder for a new one. Nothing was overwritten."
}
