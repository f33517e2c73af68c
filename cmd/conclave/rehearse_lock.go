package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"conclave/transfer"
)

const (
	lockName     = ".lock"              // in a rehearsal's folder: one program at a time
	runtimeStart = "conclave-practice-" // of the folder for the socket of virtual tokens
	ownerName    = "owner"              // in that folder: locked as long as its program lives
)

// lock keeps every other program out of the rehearsal until this one closes it or ends.
func (r *rehearsal) lock() error {
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return fmt.Errorf("open rehearsal: %w", err)
	}
	unlock, err := transfer.Lock(r.path(lockName))
	switch {
	case errors.Is(err, transfer.ErrHeld):
		return &statusError{
			code: exitFailed,
			text: fmt.Sprintf("another program is practising in %s", r.dir),
			hint: "leave that one first, or practise in another folder; nothing was written",
		}
	case err != nil:
		return fmt.Errorf("open rehearsal: %w", err)
	}
	r.unlock = unlock
	return nil
}

// sweep takes away what a killed run left half-written. The lock says that its owner has gone; what lies in the
// repository may belong to a publisher that is at work, and stays.
func (r *rehearsal) sweep() error {
	records, err := filepath.Glob(r.path("record", "*"))
	if err != nil {
		return err
	}
	for _, dir := range append(records, r.dir, r.path("bundles"), r.path("tokens"), r.path("trusted")) {
		stale, err := transfer.StaleTemps(dir)
		if err != nil {
			continue // it is not there yet
		}
		for _, path := range stale {
			if err := os.Remove(path); err != nil {
				return fmt.Errorf("open rehearsal: %w", err)
			}
		}
	}
	return nil
}

// newRuntime makes the folder of this program's socket, and takes away those of programs that were killed.
func newRuntime() (dir string, unlock func() error, err error) {
	sweepRuntimes()
	if dir, err = os.MkdirTemp("", runtimeStart); err != nil {
		return "", nil, err
	}
	// Nobody else takes a lock whose file has not got its name yet.
	unlock, err = transfer.Lock(filepath.Join(dir, "."+ownerName))
	if err == nil {
		err = os.Rename(filepath.Join(dir, "."+ownerName), filepath.Join(dir, ownerName))
	}
	return dir, unlock, err
}

// sweepRuntimes removes the folders whose program has gone: nobody holds their lock.
func sweepRuntimes() {
	owners, _ := filepath.Glob(filepath.Join(os.TempDir(), runtimeStart+"*", ownerName))
	for _, owner := range owners {
		if unlock, err := transfer.Lock(owner); err == nil {
			_ = os.RemoveAll(filepath.Dir(owner))
			_ = unlock()
		}
	}
}
