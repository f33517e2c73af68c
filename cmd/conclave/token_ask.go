package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"

	"conclave/hsm"
	"conclave/tui/text"
)

// An asker asks the person at the terminal. Questions go to standard error,
// and what is secret is not shown.
type asker struct {
	in  *os.File
	out io.Writer
}

// asker refuses anything but a terminal: a PIN never comes from a file, a flag or the environment.
func (p *program) asker(cmd string) (*asker, error) {
	in, ok := p.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return nil, &usageError{cmd, &advised{errors.New("it asks for a PIN and needs a terminal to ask at"), "go to a terminal: a PIN comes from no file, no pipe and no variable; nothing was asked of the token"}}
	}
	return &asker{in: in, out: p.err}, nil
}

func (a *asker) say(format string, args ...any) {
	fmt.Fprintln(a.out, text.Clean(fmt.Sprintf(format, args...)))
}

// line asks for a line of text.
func (a *asker) line(ctx context.Context, format string, args ...any) (string, error) {
	fmt.Fprintf(a.out, "%s: ", text.Clean(fmt.Sprintf(format, args...)))
	b, err := a.wait(ctx, func() ([]byte, error) { return readLine(a.in) })
	return strings.TrimSpace(string(b)), err
}

// longestLine is more than any answer here has.
const longestLine = 1024

// readLine takes byte by byte, so that what was typed ahead stays for the next question.
func readLine(r io.Reader) ([]byte, error) {
	var line []byte
	b := make([]byte, 1)
	for len(line) < longestLine {
		n, err := r.Read(b)
		switch {
		case err != nil:
			return nil, err
		case n == 1 && b[0] == '\n':
			return line, nil
		}
		line = append(line, b[:n]...)
	}
	return nil, fmt.Errorf("the answer has more than %d characters", longestLine)
}

// wait reads in the background, so that an interruption is not held up by a
// read that nothing can end; the terminal is left as it was.
func (a *asker) wait(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	state, err := term.GetState(int(a.in.Fd()))
	if err != nil {
		return nil, fmt.Errorf("read from the terminal: %w", err)
	}
	type answer struct {
		b   []byte
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		b, err := read()
		answers <- answer{b, err}
	}()
	select {
	case <-ctx.Done():
		_ = term.Restore(int(a.in.Fd()), state)
		fmt.Fprintln(a.out)
		return nil, ctx.Err()
	case got := <-answers:
		if errors.Is(got.err, io.EOF) {
			return nil, context.Canceled // somebody left
		}
		return got.b, got.err
	}
}

// secret asks for a PIN or PUK. One of a wrong length, or typed by a touch, is
// asked for again: nothing was sent. The caller wipes it.
func (a *asker) secret(ctx context.Context, format string, args ...any) (*hsm.PIN, error) {
	for {
		fmt.Fprintf(a.out, "%s, not shown: ", text.Clean(fmt.Sprintf(format, args...)))
		b, err := a.wait(ctx, func() ([]byte, error) { return term.ReadPassword(int(a.in.Fd())) })
		fmt.Fprintln(a.out)
		if err != nil {
			return nil, err
		}
		pin, err := hsm.NewPIN(b) // which wipes b
		if err == nil {
			return pin, nil
		}
		a.refused(err)
	}
}

// fresh asks for a new PIN or PUK until it is a good one, twice the same.
func (a *asker) fresh(ctx context.Context, what string, check func(*hsm.PIN) error) (*hsm.PIN, error) {
	for {
		first, err := a.secret(ctx, "New %s", what)
		if err != nil {
			return nil, err
		}
		if err := check(first); err != nil {
			first.Wipe()
			a.refused(err)
			continue
		}
		second, err := a.secret(ctx, "New %s again", what)
		if err != nil {
			first.Wipe()
			return nil, err
		}
		same := first.Equal(second)
		second.Wipe()
		if same {
			return first, nil
		}
		first.Wipe()
		a.refused(fmt.Errorf("the two are not the same; nothing was sent to the token"))
	}
}

func (a *asker) refused(err error) {
	a.say("[!] %v", err)
	if hint := hintOf(err); hint != "" {
		a.say("    %s", hint)
	}
}

var errNo = &statusError{code: exitInterrupted, text: "left as it was", hint: "nothing was sent to the token"}

// yes asks a question whose answer is No unless it is yes.
func (a *asker) yes(ctx context.Context, format string, args ...any) error {
	got, err := a.line(ctx, format+" Type yes or no", args...)
	if err != nil {
		return err
	}
	if !strings.EqualFold(got, "yes") {
		return errNo
	}
	return nil
}

// serial has the token's serial number typed, which is on its back.
func (a *asker) serial(ctx context.Context, serial uint32, why string) error {
	a.say("[!] %s", why)
	got, err := a.line(ctx, "Type the serial number that is printed on the token to go on")
	if err != nil {
		return err
	}
	if got != strconv.FormatUint(uint64(serial), 10) {
		return errNo
	}
	return nil
}

// lastTry has the serial typed before the last try of a PIN or PUK.
func (a *asker) lastTry(ctx context.Context, what string, left int, serial uint32) error {
	if left != 1 {
		return nil
	}
	return a.serial(ctx, serial, fmt.Sprintf("One try of the %s is left: a wrong one blocks it.", what))
}
