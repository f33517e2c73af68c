package transfer

import (
	"errors"
	"fmt"
	"os"
)

// ErrHeld says that another program holds a lock.
var ErrHeld = errors.New("another program holds it")

// Lock takes the lock that the file at path stands for, and makes the file where there is none. It does not
// wait: the error is ErrHeld where another program has it. The lock ends with unlock or with the
// program, however that ends; the file stays.
func Lock(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return f.Close, nil
}
