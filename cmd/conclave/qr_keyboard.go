package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// A terminal brackets what is pasted while this is on.
const (
	pasteOn  = "\x1b[?2004h"
	pasteOff = "\x1b[?2004l"
)

// interruptKey is what ctrl+c types on a raw terminal; a keyboard scanner types it never.
const interruptKey = "\x03"

// keyboard takes frames from a scanner that types them. The terminal is raw: a
// line of a terminal that edits ends at 4095 characters, and a tab would be spaces.
func (p *program) keyboard(ctx context.Context, s *scan) error {
	in := p.in.(*os.File)
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return fmt.Errorf("read keyboard: %w", err)
	}
	// Said only now: what is typed before would still be edited and echoed.
	fmt.Fprint(p.err, pasteOn+"Scan the symbols with the keyboard scanner: any frame first. For its layout check: conclave qr check. ctrl+c stops.\r\n")
	defer func() {
		fmt.Fprint(p.err, pasteOff)
		_ = term.Restore(int(in.Fd()), before)
	}()
	keys := make(chan typedKeys)
	go readKeys(ctx, in, keys)
	for !s.done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case k := <-keys:
			before, _, stopped := strings.Cut(k.keys, interruptKey)
			s.typed(before)
			switch {
			case stopped:
				return context.Canceled
			case errors.Is(k.err, io.EOF):
				return nil
			case k.err != nil:
				return fmt.Errorf("read keyboard: %w", k.err)
			}
		}
	}
	return nil
}

type typedKeys struct {
	keys string
	err  error
}

// readKeys gives what is typed to whoever takes it. It ends with the input or ctx, but for the
// read that it then waits in: the program is over by that time.
func readKeys(ctx context.Context, in io.Reader, to chan<- typedKeys) {
	buffer := make([]byte, 4096)
	for {
		n, err := in.Read(buffer)
		select {
		case to <- typedKeys{string(buffer[:n]), err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}
