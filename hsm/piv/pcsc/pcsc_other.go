//go:build !linux || !cgo

package pcsc

import "time"

// A Context cannot be had in this build.
type Context struct{}

// Establish returns ErrUnsupported.
func Establish() (*Context, error) { return nil, ErrUnsupported }

// Release does nothing.
func (*Context) Release() error { return nil }

// Cancel does nothing.
func (*Context) Cancel() {}

// Look returns ErrUnsupported.
func (*Context) Look() ([]State, error) { return nil, ErrUnsupported }

// Wait returns ErrUnsupported.
func (*Context) Wait([]State, time.Duration) ([]State, error) { return nil, ErrUnsupported }

// A Card cannot be had in this build.
type Card struct{}

// Connect returns ErrUnsupported.
func (*Context) Connect(string) (*Card, error) { return nil, ErrUnsupported }

// Disconnect does nothing.
func (*Card) Disconnect() error { return nil }

// Transmit returns ErrUnsupported.
func (*Card) Transmit([]byte) ([]byte, uint16, error) { return nil, 0, ErrUnsupported }
