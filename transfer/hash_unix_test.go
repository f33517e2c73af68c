//go:build unix

package transfer

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

// A pipe in the folder would hang the program that opens it.
func TestPipesAreRefusedUnopened(t *testing.T) {
	dir := tree(t, "a.bin")
	path := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(path, 0o644); err != nil {
		t.Skipf("no pipes here: %v", err)
	}
	if _, err := HashFiles(context.Background(), []string{dir}, nil); !errors.Is(err, errNotRegular) {
		t.Errorf("HashFiles = %v", err)
	}
	if _, err := Read(path); !errors.Is(err, errNotRegular) {
		t.Errorf("Read = %v", err)
	}
	if _, err := Adopt([]string{path}); !errors.Is(err, errNotRegular) {
		t.Errorf("Adopt = %v", err)
	}
	if err := WriteNew(path, newBytes); !errors.Is(err, ErrExists) {
		t.Errorf("WriteNew = %v", err)
	}
}
