//go:build linux

package pcscdtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"conclave/hsm/piv"
)

const (
	readerCount = 5
	foreignSeat = readerCount // a reader of no YubiKey
	firstPort   = 36200
	portStep    = 10 // each driver takes two
	// patience is long: nothing waits longer than it must.
	patience = 30 * time.Second
)

// A daemon is the one pcscd of this process.
type daemon struct {
	config string
	cmd    *exec.Cmd
}

var theDaemon daemon

// readerName is what PC/SC calls the nth reader.
func readerName(n int) string { return friendly(n) + " 00 00" }

func friendly(n int) string {
	if n == foreignSeat {
		return "Generic Smart Card Reader"
	}
	return fmt.Sprintf("Yubico YubiKey OTP+FIDO+CCID %d", n)
}

func address(n int) string { return fmt.Sprintf("127.0.0.1:%d", port(n)) }

func port(n int) int { return firstPort + portStep*n }

// configure writes what pcscd reads: a driver for each reader.
func (d *daemon) configure(dir string) error {
	var conf strings.Builder
	for n := range foreignSeat + 1 {
		library, err := copyDriver(dir, n)
		if err != nil {
			return err
		}
		fmt.Fprintf(&conf, "FRIENDLYNAME %q\nDEVICENAME /dev/null:%d\nLIBPATH %s\nCHANNELID %d\n\n",
			friendly(n), port(n), library, port(n))
	}
	d.config = filepath.Join(dir, "reader.conf.d")
	if err := os.Mkdir(d.config, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(d.config, "vpcd"), []byte(conf.String()), 0o644)
}

// start runs pcscd and returns when it answers with all its readers.
func (d *daemon) start() error {
	args := []string{"--foreground", "--error", "--config", d.config}
	if help, err := exec.Command("pcscd", "--help").CombinedOutput(); err == nil && strings.Contains(string(help), "disable-polkit") {
		args = append(args, "--disable-polkit")
	}
	d.cmd = exec.Command("pcscd", args...)
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	d.cmd.Stderr = os.Stderr
	if err := d.cmd.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return d.ready(ctx)
}

func (d *daemon) ready(ctx context.Context) error {
	tokens := piv.New()
	defer func() { _ = tokens.Close() }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		readers, err := tokens.Seen(ctx)
		if err == nil {
			var names []string
			for _, r := range readers {
				names = append(names, r.Name)
			}
			all := true
			for n := range readerCount {
				all = all && slices.Contains(names, readerName(n))
			}
			if all {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errors.Join(errors.New("pcscd does not show its readers"), err)
		case <-tick.C:
		}
	}
}

func (d *daemon) stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	_ = d.cmd.Wait() // it tells of the signal
}
