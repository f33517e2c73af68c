package plain

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxLine is the longest line that is read, far beyond any answer. What is
// longer is cut there: nobody types that, and memory stays bounded.
const maxLine = 4096

// An input hands out lines one at a time, and reads one only when it is asked
// for, so that nothing that was typed for somebody else is taken.
type input struct {
	r    *bufio.Reader
	next chan answer // a read that is under way, or nil
	kept []byte      // a line that was read and is still to be answered with
	has  bool
}

type answer struct {
	line []byte
	err  error
}

func newInput(r io.Reader) *input { return &input{r: bufio.NewReaderSize(r, maxLine)} }

// wait returns where the next line will arrive. Whoever receives calls got.
func (in *input) wait() <-chan answer {
	if in.next != nil {
		return in.next
	}
	in.next = make(chan answer, 1)
	if in.has {
		in.next <- answer{line: in.kept}
		in.kept, in.has = nil, false
		return in.next
	}
	go func(to chan<- answer) {
		line, err := readLine(in.r)
		to <- answer{line, err}
	}(in.next)
	return in.next
}

// got says that the line was received.
func (in *input) got() { in.next = nil }

// keep gives a line back, to be the next one.
func (in *input) keep(line []byte) { in.kept, in.has = line, true }

func (in *input) wipe() { clear(in.kept) }

// readLine reads up to the next line end, without it. The last line may lack one.
func readLine(r *bufio.Reader) ([]byte, error) {
	part, err := r.ReadSlice('\n')
	line := bytes.Clone(part)
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = r.ReadSlice('\n')
	}
	if err != nil && (len(line) == 0 || !errors.Is(err, io.EOF)) {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}
