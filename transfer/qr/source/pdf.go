package source

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"os/exec"
)

// pageResolution is the dots an inch at which pages are looked at: six pixels a module of the
// pages that package paint writes, and enough for most scans.
const pageResolution = "200"

var errNoPdftoppm = errors.New("pdftoppm, which makes pictures of its pages, is not installed (Debian: poppler-utils)")

// A pdfReader makes pictures of pages with a child process, one after the other.
type pdfReader struct {
	program    string
	in         io.Reader
	cmd        *exec.Cmd
	out        io.ReadCloser
	complaints limited
	pages      reading
}

func readPDF(in *bufio.Reader) (reading, error) {
	program, err := exec.LookPath("pdftoppm")
	if err != nil {
		return nil, errNoPdftoppm
	}
	return &pdfReader{program: program, in: in}, nil
}

func (p *pdfReader) next(ctx context.Context) (*image.Gray, error) {
	if p.pages == nil {
		if err := p.start(ctx); err != nil {
			return nil, err
		}
	}
	img, err := p.pages.next(ctx)
	if err == nil {
		return img, nil
	}
	if failed := p.wait(); failed != nil && errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("pdftoppm: %w: %s", failed, bytes.TrimSpace(p.complaints.text))
	}
	return nil, err
}

// start starts the child, which lives at most as long as the ctx of the first page.
func (p *pdfReader) start(ctx context.Context) error {
	file, err := readAll(p.in)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, p.program, "-r", pageResolution, "-gray", "-") // from and to the pipes
	cmd.Stdin = bytes.NewReader(file)
	p.complaints.limit = 1 << 10
	cmd.Stderr = &p.complaints
	if p.out, err = cmd.StdoutPipe(); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd = cmd
	p.pages, err = readPGM(bufio.NewReader(p.out))
	return err
}

// stop ends the child. That it was cut off is no error.
func (p *pdfReader) stop() error {
	_ = p.wait()
	return nil
}

// wait ends the child, which may still be drawing, and says how it went.
func (p *pdfReader) wait() error {
	if p.cmd == nil {
		return nil
	}
	_ = p.out.Close() // it cannot go on writing
	err := p.cmd.Wait()
	p.cmd = nil
	return err
}

// limited keeps the first bytes of what is written.
type limited struct {
	text  []byte
	limit int
}

func (l *limited) Write(b []byte) (int, error) {
	l.text = append(l.text, b[:min(len(b), l.limit-len(l.text))]...)
	return len(b), nil
}
