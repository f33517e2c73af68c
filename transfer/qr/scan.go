package qr

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"

	"conclave/transfer/qr/armour"
)

// A Decoder finds the texts of the symbols in a picture; none is no error.
type Decoder interface {
	Decode(img *image.Gray) ([]string, error)
}

// A Source gives pictures, one after the other, and io.EOF after the last. A
// *PictureError is about one picture; the next may be good.
type Source interface {
	Next(ctx context.Context) (*image.Gray, error)
}

// A PictureError says why one picture of a source cannot be looked at.
type PictureError struct {
	Picture string // a file, or "picture 7 of FILE"
	Err     error
}

func (e *PictureError) Error() string { return fmt.Sprintf("read %s: %v", e.Picture, e.Err) }

// Unwrap gives the reason.
func (e *PictureError) Unwrap() error { return e.Err }

// An IncompleteError says that the pictures ended before the message was complete. The receiver
// keeps what it has; more pictures may follow.
type IncompleteError struct{ Progress Progress }

func (e *IncompleteError) Error() string {
	if e.Progress.Need == 0 {
		return "read frames: the pictures ended, and no frame was in them"
	}
	return fmt.Sprintf("read frames: the pictures ended with %d useful frames of %d", e.Progress.Rank, e.Progress.Need)
}

// Hint says what to do.
func (e *IncompleteError) Hint() string {
	if e.Progress.Need == 0 {
		return "Look whether the whole symbol with its white border is in the picture, sharp, and without glare."
	}
	return "Give more pictures of the same transfer: any further frames will do."
}

// A Report says what was seen in one picture.
type Report struct {
	Progress Progress
	Picture  *image.Gray // nil where it could not be looked at
	Symbols  int         // read in it
	Err      error       // what was wrong with the picture or one of its symbols; nothing to stop for
}

// Scan reads pictures until the receiver is done, the pictures end (*IncompleteError) or ctx does.
// report, which may be nil, is told after every picture.
func Scan(ctx context.Context, src Source, dec Decoder, r *Receiver, report func(Report)) error {
	if report == nil {
		report = func(Report) {}
	}
	for !r.isDone() {
		img, err := src.Next(ctx)
		var bad *PictureError
		switch {
		case errors.Is(err, io.EOF):
			return &IncompleteError{r.progress(false)}
		case errors.As(err, &bad):
			report(Report{Progress: r.progress(false), Err: err})
			continue
		case err != nil:
			return err
		}
		report(r.look(img, dec))
	}
	return nil
}

// look takes the symbols of one picture.
func (r *Receiver) look(img *image.Gray, dec Decoder) Report {
	texts, err := dec.Decode(img)
	report := Report{r.progress(false), img, len(texts), err}
	for _, text := range texts {
		news := report.Progress.News
		p, err := r.Add(text)
		p.News = p.News || news
		report.Progress, report.Err = p, errors.Join(report.Err, err)
	}
	return report
}

// ScanText takes typed frames until the receiver is done, the text ends (*IncompleteError) or ctx
// does: from a keyboard-wedge scanner, or from another program's output. report is as in Scan, without pictures.
func ScanText(ctx context.Context, in io.Reader, r *Receiver, report func(Report)) error {
	if report == nil {
		report = func(Report) {}
	}
	var w armour.Wedge
	buffer := make([]byte, 4096)
	for !r.isDone() {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, failed := in.Read(buffer)
		typed := string(buffer[:n])
		if failed != nil {
			typed += "\n" // the last line may have no end
		}
		frames, err := w.Type(typed)
		if err != nil {
			report(Report{Progress: r.progress(false), Err: err})
		}
		for _, text := range frames {
			p, err := r.Add(text)
			report(Report{Progress: p, Symbols: 1, Err: err})
		}
		switch {
		case r.isDone():
		case errors.Is(failed, io.EOF):
			return &IncompleteError{r.progress(false)}
		case failed != nil:
			return fmt.Errorf("read frames: %w", failed)
		}
	}
	return nil
}
