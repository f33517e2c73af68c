// Conclave walks keyholders through signing TUF root and targets metadata on
// hardware tokens, offline and together, and publishes what they signed.
//
// Results go to standard output; everything for people goes to standard error
// or to the screen. With --json, standard output is one JSON document and a
// failure is one on standard error. A failure says what happened, then a hint
// says what is safe and what to do. Exit codes are in exit.go.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// version is set by the linker.
var version = "unknown"

// A program is the world that commands run in: values, so that tests bring their own.
type program struct {
	in       io.Reader
	out, err io.Writer
	now      func() time.Time
	policy   string   // --policy of what plans
	notes    []string // what was said about what a command made
	json     bool     // --json: failures are JSON as well
	begun    bool     // the command line was understood and its command has begun
}

func main() {
	// Bubble Tea writes every keystroke, a PIN included, to the files that these name.
	for _, name := range []string{"TEA_TRACE", "TEA_DEBUG", "UV_DEBUG"} {
		_ = os.Unsetenv(name)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	p := &program{in: os.Stdin, out: os.Stdout, err: os.Stderr, now: time.Now}
	code := p.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// run executes one command line and returns its exit code.
func (p *program) run(ctx context.Context, args []string) int {
	cmd := p.root()
	cmd.SetArgs(args)
	cmd.SetIn(p.in)
	cmd.SetOut(p.out)
	cmd.SetErr(p.err)
	called, err := cmd.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	if !p.begun {
		err = &usageError{cmd: called.CommandPath(), err: err}
	}
	code := exitCode(err)
	if ctx.Err() != nil && code == exitFailed {
		code = exitInterrupted
	}
	if code == exitInterrupted && hintOf(err) == "" && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))) {
		err = &statusError{code, "interrupted", "nothing is half-written; the same command again completes the work"}
	}
	p.report(err, code)
	return code
}
