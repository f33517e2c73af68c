package hsm

import (
	"errors"
	"fmt"
)

// What can go wrong with a token.
var (
	ErrBlocked      = errors.New("the PIN of this token is blocked")
	ErrRemoved      = errors.New("the token was removed")
	ErrTouchTimeout = errors.New("the token was not touched in time")
	ErrNotGenuine   = errors.New("the token cannot prove what it is")
	ErrNoKey        = errors.New("no key in this slot")
	ErrOccupied     = errors.New("the slot already holds a key")
	ErrBusy         = errors.New("another program holds the token")
	ErrNotPIV       = errors.New("not a PIV token")
	ErrGarbled      = errors.New("the token returned a signature that does not verify; it may be defective")
	ErrNoService    = errors.New("the smart card service does not answer")
)

// A PINError says that the token refused a PIN and how often it may still be tried.
type PINError struct {
	Retries int // tries left, at least 1; a blocked PIN is ErrBlocked
}

func (e *PINError) Error() string {
	if e.Retries == 1 {
		return "the token refused the PIN; 1 try left"
	}
	return fmt.Sprintf("the token refused the PIN; %d tries left", e.Retries)
}
