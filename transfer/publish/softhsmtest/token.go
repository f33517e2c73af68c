// Package softhsmtest makes PKCS#11 tokens for tests: SoftHSM's, which need no hardware.
package softhsmtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// ErrMissing says that SoftHSM is not installed.
var ErrMissing = errors.New("SoftHSM2 is not installed (Debian: softhsm2)")

// A Token is one that was made. Its module finds it where the environment variable SOFTHSM2_CONF names Conf.
type Token struct {
	Module string // path of the PKCS#11 module
	Conf   string // path of its configuration
}

// modules are where distributions put it.
var modules = []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"}

// New makes a token in the folder dir, or fails with ErrMissing.
func New(dir, label, pin string) (*Token, error) {
	t := &Token{Conf: filepath.Join(dir, "softhsm2.conf")}
	for _, path := range modules {
		if _, err := os.Stat(path); err == nil {
			t.Module = path
		}
	}
	if t.Module == "" {
		return nil, ErrMissing
	}
	tokens := filepath.Join(dir, "tokens")
	if err := os.MkdirAll(tokens, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(t.Conf, []byte("directories.tokendir = "+tokens+"\nlog.level = ERROR\n"), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command("softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "87654321", "--pin", pin)
	cmd.Env = append(os.Environ(), "SOFTHSM2_CONF="+t.Conf)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make token: %w: %s", err, out)
	}
	return t, nil
}
