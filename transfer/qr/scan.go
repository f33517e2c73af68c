package qr

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
)

// A Decoder finds the texts of the symbols in a picture; none is no error.
type Decoder interface {
	Decode(img *image.Gray) ([]string, error)
}

// A Source gives pictures, one after the other, and io.EOF after the last.
type Source interface {
	Next(ctx context.Context) (*image.Gray, error)
}

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

// Scan reads pictures until the receiver is done, the pictures end (*IncompleteError) or ctx does.
// report, which may be nil, is told after every picture how far it is, how many symbols were in
// the picture, and what was wrong with one of them.
func Scan(ctx context.Context, src Source, dec Decoder, r *Receiver, report func(p Progress, symbols int, err error)) error {
	for {
		if _, done := r.Done(); done {
			return nil
		}
		img, err := src.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return &IncompleteError{r.progress(false)}
		case err != nil:
			return err
		}
		texts, err := dec.Decode(img)
		p := r.progress(false)
		for _, text := range texts {
			got, failed := r.Add(text)
			p, err = got, errors.Join(err, failed)
		}
		if report != nil {
			report(p, len(texts), err)
		}
	}
}
