package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"conclave/ceremony"
	"conclave/ceremony/record"
	"conclave/ceremony/tuf"
	"conclave/hsm"
	"conclave/transfer"
	"conclave/transfer/qr/answer"
	"conclave/transfer/qr/envelope"
	"conclave/tui/text"
)

// Exit codes. They are part of the command line and never change.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnverified  = 3
	exitToken       = 4
	exitIncomplete  = 5
	exitMoved       = 6
	exitInterrupted = 130
)

const exitCodeHelp = `Exit codes:
  0    done
  1    failed
  2    the command line is wrong
  3    something does not verify
  4    a token is absent, refused the PIN, is blocked or was removed
  5    valid so far, more signatures needed
  6    the repository has moved on
  130  interrupted`

// A usageError says that the command line is wrong.
type usageError struct {
	cmd string
	err error
}

func (e *usageError) Error() string {
	var inner *usageError
	if errors.As(e.err, &inner) {
		return inner.Error() // named once is enough
	}
	return e.cmd + ": " + e.err.Error()
}

func (e *usageError) Unwrap() error { return e.err }

// Hint says where help is, unless the mistake has a remedy of its own.
func (e *usageError) Hint() string {
	return cmp.Or(transfer.Hint(e.err), e.cmd+" --help says what it takes")
}

// A coded error knows its exit code.
type coded interface {
	error
	ExitCode() int
}

// A statusError ends a command that worked with a code other than 0.
type statusError struct {
	code int
	text string
	hint string
}

func (e *statusError) Error() string { return e.text }
func (e *statusError) ExitCode() int { return e.code }
func (e *statusError) Hint() string  { return e.hint }

// exitCode maps what happened to what the shell learns.
func exitCode(err error) int {
	var usage *usageError
	var own coded
	var pin *hsm.PINError
	var stale *transfer.StaleError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &own):
		return own.ExitCode()
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &pin), is[*hsm.PUKError](err), is[*hsm.WeakError](err), isToken(err):
		return exitToken
	case errors.As(err, &stale):
		return exitMoved
	case is[*tuf.ThresholdError](err) && !is[*ceremony.RuleError](err): // a ceremony refuses a base that is not signed
		return exitIncomplete
	case isUnverified(err):
		return exitUnverified
	}
	return moreCodes(err)
}

func isToken(err error) bool {
	for _, e := range []error{
		hsm.ErrBlocked, hsm.ErrRemoved, hsm.ErrTouchTimeout, hsm.ErrNotGenuine, hsm.ErrNoKey,
		hsm.ErrOccupied, hsm.ErrBusy, hsm.ErrPUKBlocked, hsm.ErrPUKNeeded, hsm.ErrOTP, hsm.ErrGarbled, hsm.ErrNotPIV, hsm.ErrNoService,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// isUnverified reports whether something was read and is not what it must be.
func isUnverified(err error) bool {
	return is[*tuf.ThresholdError](err) || is[*tuf.DisagreementError](err) || is[*tuf.VersionError](err) ||
		is[*tuf.SyntaxError](err) || is[*tuf.FormatError](err) || is[*tuf.AttachError](err) ||
		is[*transfer.SyntaxError](err) || is[*transfer.ContentError](err) || is[*transfer.AnchorError](err) ||
		is[*transfer.ConflictError](err) || is[*record.BrokenError](err) ||
		is[*envelope.FormatError](err) || is[*answer.Error](err) || errors.Is(err, envelope.ErrResult)
}

func is[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// An advised error is another one with what to do about it.
type advised struct {
	error
	hint string
}

func (e *advised) Unwrap() error { return e.error }
func (e *advised) Hint() string  { return e.hint }

// advise adds what to do to an error that does not know it itself.
func advise(err error, hint string) error {
	if err == nil || hintOf(err) != "" {
		return err
	}
	return &advised{err, hint}
}

// hintOf is what a person can do about an error.
func hintOf(err error) string { return cmp.Or(transfer.Hint(err), moreHints(err)) }

// people is where lines for people go: standard error, which with --json holds a failure and nothing else.
func (p *program) people() io.Writer {
	if p.json {
		return io.Discard
	}
	return p.err
}

// note says something about what a command made; with --json it is part of its document.
func (p *program) note(format string, args ...any) {
	line := text.F(format, args...).String()
	p.notes = append(p.notes, line)
	fmt.Fprintln(p.people(), line)
}

// report tells a person, or with --json a program, what went wrong. What an
// error quotes from a file cannot act on the terminal.
func (p *program) report(err error, code int) {
	hint := hintOf(err)
	if p.json {
		doc := struct {
			Error string `json:"error"`
			Hint  string `json:"hint,omitempty"`
			Code  int    `json:"exit_code"`
		}{err.Error(), hint, code}
		_ = json.NewEncoder(p.err).Encode(doc)
		return
	}
	fmt.Fprintf(p.err, "conclave: %s\n", text.Clean(err.Error()))
	if hint != "" {
		fmt.Fprintf(p.err, "hint: %s\n", text.Clean(hint))
	}
}
