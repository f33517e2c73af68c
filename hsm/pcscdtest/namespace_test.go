//go:build linux

package pcscdtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// inside is set in the process that lives in namespaces of its own.
const inside = "CONCLAVE_TEST_PCSCD"

// driver is where Debian puts vpcd's driver.
const driver = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"

// missing says why the tests cannot run, "" when they can.
var missing string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv(inside) != "" {
		return runInside(m)
	}
	missing = lacking()
	if missing != "" {
		return m.Run() // each test says so
	}
	err := again(os.Args[1:])
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	missing = fmt.Sprintf("this process may not make namespaces: %v", err)
	return m.Run()
}

func lacking() string {
	var names []string
	for _, tool := range []string{"pcscd", "yubico-piv-tool", "pkcs11-tool", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			names = append(names, tool)
		}
	}
	if _, err := os.Stat(driver); err != nil {
		names = append(names, driver)
	}
	if len(names) == 0 {
		return ""
	}
	return "not installed: " + strings.Join(names, ", ") +
		" (Debian: apt-get install pcscd vsmartcard-vpcd yubico-piv-tool opensc openssl)"
}

// again runs this test binary in namespaces of its own. Its tests wait for
// pcscd most of the time, so more of them than processors can go on at once.
func again(args []string) error {
	c := exec.Command("/proc/self/exe", append(args, fmt.Sprintf("-test.parallel=%d", readerCount))...)
	c.Env = append(os.Environ(), inside+"=1")
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
	}
	if os.Getuid() != 0 {
		c.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		c.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return c.Run()
}

func runInside(m *testing.M) int {
	dir, err := settle()
	if err != nil {
		fmt.Fprintln(os.Stderr, "settle in namespaces:", err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := theDaemon.configure(dir); err != nil {
		fmt.Fprintln(os.Stderr, "configure pcscd:", err)
		return 1
	}
	if err := theDaemon.start(); err != nil {
		fmt.Fprintln(os.Stderr, "start pcscd:", err)
		return 1
	}
	defer theDaemon.stop()
	return m.Run()
}

// settle makes the namespaces private and usable.
func settle() (dir string, err error) {
	_ = os.Unsetenv("PCSCLITE_CSOCK_NAME") // the real one's path is the default
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return "", fmt.Errorf("keep mounts to itself: %w", err)
	}
	const runtime = "/run/pcscd"
	if os.MkdirAll(runtime, 0o755) == nil {
		err = syscall.Mount("tmpfs", runtime, "tmpfs", 0, "")
	} else if err = syscall.Mount("tmpfs", "/run", "tmpfs", 0, ""); err == nil {
		err = os.MkdirAll(runtime, 0o755)
	}
	if err != nil {
		return "", fmt.Errorf("hide %s: %w", runtime, err)
	}
	if err := loopbackUp(); err != nil {
		return "", fmt.Errorf("bring lo up: %w", err)
	}
	return os.MkdirTemp("", "pcscd")
}

func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(s) }()
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, r)
}

// needPCSCD skips where pcscd cannot be had; on the machines that decide, that is a failure.
func needPCSCD(t *testing.T) {
	t.Helper()
	switch {
	case missing == "" && os.Getenv(inside) != "":
	case os.Getenv("CI") == "true":
		t.Fatal(missing)
	default:
		t.Skip(missing)
	}
}

// copyDriver makes the driver's own copy for one reader: two readers that share a file
// get each other's cards.
func copyDriver(dir string, n int) (string, error) {
	b, err := os.ReadFile(driver)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, fmt.Sprintf("vpcd%d.so", n))
	return path, os.WriteFile(path, b, 0o755)
}
