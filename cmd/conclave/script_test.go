package main

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"conclave/hsm/virtual"
)

const (
	terminalKey = "terminal"
	deskKey     = "desk"
)

var faults = map[string]virtual.Fault{
	"remove-before-signing": virtual.RemoveBeforeSigning,
	"remove-awaiting-touch": virtual.RemoveAwaitingTouch,
	"remove-after-signing":  virtual.RemoveAfterSigning,
	"error-after-signing":   virtual.ErrorAfterSigning,
	"garbled-signature":     virtual.GarbledSignature,
}

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// TestMain lets the test binary be the program: scripts run "conclave".
func TestMain(m *testing.M) {
	// Scripts wait for people's pace more than for processors.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"conclave": main})
}

// TestScripts plays every script of testdata/script through the real program, with real
// libpcsclite talking to virtual tokens that live in this process.
func TestScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, "testdata/script", newStorage(t), setup)
}

func runScripts(t *testing.T, dir string, storage *storage, setup func(*testscript.Env) error) {
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setup,
		Condition:           storage.condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"tty": ttyCmd, "see": seeCmd, "keys": keysCmd, "press": pressCmd, "leaf": leafCmd, "shot": shotCmd, "resize": resizeCmd, "exits": exitsCmd, "die": dieCmd,
			"token": tokenCmd, "hear": hearCmd, "flip": flipCmd, "replace": replaceCmd, "exit": exitCmd,
			"s3": storage.cmd, "softhsm": softHSMCmd, "words": wordsCmd,
		},
	})
}

func setup(e *testscript.Env) error {
	var term *terminal
	e.Values[terminalKey] = &term
	// A socket's path is short (108 bytes); the script's own folder may not be.
	dir, err := os.MkdirTemp("", "desk")
	if err != nil {
		return err
	}
	desk, err := newTokenDesk(dir)
	if err != nil {
		return err
	}
	e.Values[deskKey] = desk
	e.Defer(func() {
		_ = desk.service.Close()
		_ = os.RemoveAll(dir)
	})
	e.Setenv("PCSCLITE_CSOCK_NAME", desk.service.Socket())
	e.Setenv("NO_COLOR", "1")
	e.Setenv("HOME", e.WorkDir)
	e.Setenv("ESC", "\x1b")
	return nil
}

func exitOf(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return -1
}
