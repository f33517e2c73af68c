package record

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// Read verifies a record without opening it for writing. torn reports a last
// line that a power cut left half written: it is no entry. With a *BrokenError
// come the entries before the broken line, which are good.
func Read(path string) (entries []Entry, torn bool, err error) {
	if err := checkRegular(path); err != nil {
		return nil, false, fmt.Errorf("read record: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, false, fmt.Errorf("read record: %w", err)
	}
	defer f.Close() // nothing was written
	c, err := readChain(f, path)
	return c.entries, len(c.tail) > 0, err
}

// Verify is Read for a record that did not come from a file.
func Verify(r io.Reader) (entries []Entry, torn bool, err error) {
	c, err := readChain(r, "")
	return c.entries, len(c.tail) > 0, err
}

// A chain is what was read of a record.
type chain struct {
	entries []Entry
	size    int64  // of the complete lines
	last    []byte // the last complete line
	tail    []byte // what a power cut left behind the last complete line
}

// head is the hash of the last entry.
func (c *chain) head() string {
	if len(c.entries) == 0 {
		return Start
	}
	return c.entries[len(c.entries)-1].Hash
}

// add takes one complete line.
func (c *chain) add(line []byte) error {
	e, err := decode(line)
	if err != nil {
		return err
	}
	if want := len(c.entries) + 1; e.Seq != want {
		return fmt.Errorf("entry has number %d where %d must stand: entries are missing, doubled or out of order", e.Seq, want)
	}
	if e.Prev != c.head() {
		return fmt.Errorf("chain is broken: the line before hashes to %s, the entry says %s", c.head(), e.Prev)
	}
	c.entries = append(c.entries, e)
	c.size += int64(len(line))
	c.last = line
	return nil
}

// readChain reads and verifies all of r. It returns what is good also when the error is not nil.
func readChain(r io.Reader, path string) (*chain, error) {
	c := new(chain)
	in := bufio.NewReader(io.LimitReader(r, MaxRecord+1))
	for {
		line, err := readLine(in)
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return c, &BrokenError{Path: path, Line: len(c.entries) + 1, Err: err}
		case c.size+int64(len(line)) > MaxRecord:
			return c, &BrokenError{Path: path, Line: len(c.entries) + 1, Err: fmt.Errorf("the record has more than %d bytes", MaxRecord)}
		case isTorn(line, in):
			c.tail = line
			return c, nil
		case len(line) == 0:
			return c, nil
		}
		if err := c.add(line); err != nil {
			return c, &BrokenError{Path: path, Line: len(c.entries) + 1, Err: err}
		}
	}
}

// isTorn says whether line is what a power cut leaves: the last line, without
// its newline, or with bytes that were allotted and never filled (file systems
// fill them with zeros; JSON holds none).
func isTorn(line []byte, rest *bufio.Reader) bool {
	if len(line) == 0 {
		return false
	}
	if line[len(line)-1] != '\n' {
		return true
	}
	_, err := rest.Peek(1)
	return errors.Is(err, io.EOF) && bytes.IndexByte(line, 0) >= 0
}

// readLine reads up to and with the next newline, at most MaxLine bytes. At
// the end of the record it returns what is left and io.EOF.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > MaxLine {
			return nil, fmt.Errorf("the line has more than %d bytes", MaxLine)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}
