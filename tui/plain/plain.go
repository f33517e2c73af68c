// Package plain is the ceremony line by line.
package plain

import (
	"context"
	"errors"
	"io"

	"conclave/ceremony"
	"conclave/hsm"
	"conclave/tui/room"
)

// ErrInterrupted says that the input ended or somebody left. Nothing is lost.
var ErrInterrupted = room.ErrInterrupted

// Options say whose ceremony is held, and on which lines.
type Options struct {
	Session *ceremony.Session
	// Tray holds the practice tokens of a rehearsal, nil in earnest.
	Tray room.Tray
	// AutoTouch touches a practice token whenever it waits for it.
	AutoTouch bool
	In        io.Reader
	Out       io.Writer
	// ReadPIN reads one PIN without echo; prompt has been printed already.
	// Where it is nil a PIN is read as a line of In: for scripts only.
	ReadPIN func(prompt string) (*hsm.PIN, error)
}

// Run holds the ceremony until it is closed. It returns ErrInterrupted at the end of the input.
func Run(ctx context.Context, o Options) error { return errors.New("unwritten") }
