// Package qrtest lets tests read what Conclave shows with decoders of other
// projects: zbarimg, jsQR, zxing-wasm, and BC-UR from npm.
//
// Its promise: where a tool is missing, a test is skipped and says what to
// install; in CI (the environment variable CI is "true") it fails.
package qrtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// A MissingError says what is not installed.
type MissingError struct{ What string }

func (e *MissingError) Error() string { return e.What }

// lookPath is the path of a program, from the Debian package that is named.
func lookPath(name, debian string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", &MissingError{fmt.Sprintf("%s is not installed (Debian: %s)", name, debian)}
	}
	return path, nil
}

// Tool is the path of a program, from the Debian package that is named.
func Tool(t testing.TB, name, debian string) string {
	t.Helper()
	path, err := lookPath(name, debian)
	need(t, err)
	return path
}

// need fails the test for an error; where something is missing it skips it.
func need(t testing.TB, err error) {
	t.Helper()
	var missing *MissingError
	if errors.As(err, &missing) {
		Missing(t, "%v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Missing skips the test, or fails it in CI.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// SourceRoot is the root of the source tree.
func SourceRoot() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}

// peers is the folder of the programs from npm. It installs them where they are not yet there.
func peers() (string, error) {
	if _, err := lookPath("node", "nodejs"); err != nil {
		return "", err
	}
	dir := filepath.Join(SourceRoot(), "testdata", "qrpeers")
	if err := install(dir); err != nil {
		return "", &MissingError{fmt.Sprintf("the QR peers are not installed; npm ci --prefix testdata/qrpeers: %v", err)}
	}
	return dir, nil
}

var (
	installMutex sync.Mutex
	installed    error
	tried        bool
)

// install runs npm at most once in a test binary; another one may be at it as well.
func install(dir string) error {
	installMutex.Lock()
	defer installMutex.Unlock()
	if tried {
		return installed
	}
	tried = true
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "jsqr")); err == nil {
		return nil
	}
	lock := filepath.Join(os.TempDir(), "conclave-qrpeers.lock")
	unlock, err := lockFile(lock)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "jsqr")); err == nil {
		return nil
	}
	installed = exec.Command("npm", "ci", "--prefix", dir, "--no-audit", "--no-fund", "--silent").Run()
	return installed
}

// Node runs a script of testdata/qrpeers with stdin and returns its stdout.
func Node(t testing.TB, stdin string, script string, args ...string) string {
	t.Helper()
	out, err := runNode(stdin, script, args...)
	need(t, err)
	return out
}

func runNode(stdin string, script string, args ...string) (string, error) {
	dir, err := peers()
	if err != nil {
		return "", err
	}
	cmd := exec.Command("node", append([]string{filepath.Join(dir, script)}, args...)...)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(stdin)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", script, err, complaints.String())
	}
	return string(out), nil
}
