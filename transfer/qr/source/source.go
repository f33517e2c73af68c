// Package source gives the pictures in which QR symbols are looked for: from
// picture files and folders, moving pictures, pages, cameras and programs.
//
// Its promise: pictures are grey, at most MaxPixels large, and one at a time
// is in memory, however many a file holds. A damaged picture among many is an
// error of its own, and the next one follows.
package source

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"conclave/transfer/qr"
)

// MaxPixels is the size of the largest picture that is looked at: 8192 x 8192. A page of A4 at 600 dots an inch has 35 million.
const MaxPixels = 64 << 20

// maxPacked is the most bytes that one packed picture may have.
const maxPacked = 64 << 20

// A Source gives pictures, one after the other, and io.EOF after the last. A *qr.PictureError is
// about one of them only. Close ends it.
type Source interface {
	Next(ctx context.Context) (*image.Gray, error)
	Close() error
}

// A SourceError says why nothing can be read from a place.
type SourceError struct {
	Place string
	Err   error
	hint  string
}

func (e *SourceError) Error() string { return fmt.Sprintf("open %s: %v", e.Place, e.Err) }

// Unwrap gives the reason.
func (e *SourceError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *SourceError) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	return "Give PNG, JPEG, GIF or PGM pictures, a folder of them, an MJPEG or Y4M stream, a PDF, a camera such as /dev/video0, or - for standard input."
}

var errUnknown = errors.New("it holds no pictures that this program knows")

// Open opens a camera (/dev/videoN), a folder, or a file of any kind that Read knows.
func Open(path string) (Source, error) {
	if isCamera(path) {
		return OpenCamera(path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, &SourceError{Place: path, Err: err}
	}
	if info.IsDir() {
		return folder(path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, &SourceError{Place: path, Err: err}
	}
	src, err := Read(f, path)
	if err != nil {
		f.Close()
		return nil, err
	}
	return src, nil
}

func isCamera(path string) bool { return strings.HasPrefix(path, "/dev/video") }

// Files gives the pictures of several places, one after the other. Each is
// opened when it is its turn; one that cannot be opened is a *qr.PictureError.
func Files(paths ...string) Source { return &sequence{paths: paths} }

type sequence struct {
	paths []string
	now   Source
}

func (s *sequence) Next(ctx context.Context) (*image.Gray, error) {
	for {
		if s.now == nil {
			if len(s.paths) == 0 {
				return nil, io.EOF
			}
			path := s.paths[0]
			s.paths = s.paths[1:]
			src, err := Open(path)
			if err != nil {
				return nil, &qr.PictureError{Picture: path, Err: err}
			}
			s.now = src
		}
		img, err := s.now.Next(ctx)
		if !errors.Is(err, io.EOF) {
			return img, err
		}
		if err := s.Close(); err != nil {
			return nil, err
		}
	}
}

func (s *sequence) Close() error {
	if s.now == nil {
		return nil
	}
	err := s.now.Close()
	s.now = nil
	return err
}

// folder gives the pictures of a folder in the order of their names.
func folder(dir string) (Source, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, &SourceError{Place: dir, Err: err}
	}
	var paths []string
	for _, e := range entries {
		known := slices.Contains([]string{".png", ".jpg", ".jpeg", ".gif", ".pgm", ".pdf", ".y4m", ".mjpeg", ".mjpg"}, strings.ToLower(filepath.Ext(e.Name())))
		if known && e.Type().IsRegular() {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	if len(paths) == 0 {
		return nil, &SourceError{Place: dir, Err: errors.New("there are no pictures in it")}
	}
	return Files(paths...), nil
}

// IsText reports whether what comes is text, such as frames that a scanner types, rather than a
// picture. It takes nothing from in.
func IsText(in *bufio.Reader) bool {
	head, _ := in.Peek(512)
	return len(head) > 0 && kindOf(head) == nil && !slices.ContainsFunc(head, func(c byte) bool { return c < ' ' && !strings.ContainsRune("\t\r\n\x1b", rune(c)) })
}

// Read gives the pictures in a stream of bytes, whose kind it finds out: PNG, JPEG (any number, one
// after the other, which is MJPEG), GIF, PGM, Y4M or PDF. name is for messages. Close closes in where it can be closed.
func Read(in io.Reader, name string) (Source, error) {
	buffered := bufio.NewReaderSize(in, 1<<16)
	head, err := buffered.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, &SourceError{Place: name, Err: err}
	}
	open := kindOf(head)
	if open == nil {
		return nil, &SourceError{Place: name, Err: errUnknown}
	}
	pictures, err := open(buffered)
	if err != nil {
		return nil, &SourceError{Place: name, Err: err}
	}
	return &stream{name: name, in: in, pictures: pictures}, nil
}

// A reading gives the pictures of one stream. An error ends it, but for a *damage.
type reading interface {
	next(ctx context.Context) (*image.Gray, error)
	stop() error
}

// A nexter is a reading that has nothing to stop.
type nexter func(ctx context.Context) (*image.Gray, error)

func (n nexter) next(ctx context.Context) (*image.Gray, error) { return n(ctx) }

func (n nexter) stop() error { return nil }

// kindOf finds how to read what begins so, nil if it is nothing known.
func kindOf(head []byte) func(*bufio.Reader) (reading, error) {
	for _, kind := range []struct {
		magic string
		open  func(*bufio.Reader) (reading, error)
	}{
		{"\x89PNG\r\n\x1a\n", readPNG},
		{"\xff\xd8\xff", readJPEG},
		{"GIF87a", readGIF},
		{"GIF89a", readGIF},
		{"P5", readPGM},
		{"YUV4MPEG2 ", readY4M},
		{"%PDF-", readPDF},
	} {
		if bytes.HasPrefix(head, []byte(kind.magic)) {
			return kind.open
		}
	}
	return nil
}

// A damage is an error of one picture, after which the stream goes on.
type damage struct{ err error }

func (d *damage) Error() string { return d.err.Error() }

func (d *damage) Unwrap() error { return d.err }

type stream struct {
	name     string
	in       io.Reader
	pictures reading
	count    int
	ended    bool
}

func (s *stream) Next(ctx context.Context) (*image.Gray, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.ended {
		return nil, io.EOF
	}
	img, err := s.pictures.next(ctx)
	if err == nil {
		s.count++
		return img, nil
	}
	var one *damage
	if !errors.As(err, &one) {
		s.ended = true
	}
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, io.EOF
	}
	s.count++
	return nil, &qr.PictureError{Picture: fmt.Sprintf("picture %d of %s", s.count, s.name), Err: err}
}

func (s *stream) Close() error {
	s.ended = true
	err := s.pictures.stop()
	if c, ok := s.in.(io.Closer); ok {
		err = errors.Join(err, c.Close())
	}
	return err
}

// readPNG reads one picture.
func readPNG(in *bufio.Reader) (reading, error) {
	return nexter(func(context.Context) (*image.Gray, error) {
		if _, err := in.Peek(1); err != nil {
			return nil, err
		}
		packed, err := readAll(in)
		if err != nil {
			return nil, err
		}
		return decodeStill(packed, png.DecodeConfig, png.Decode)
	}), nil
}

// decodeStill decodes a picture whose size is one that this program looks at.
func decodeStill(packed []byte, config func(io.Reader) (image.Config, error), decode func(io.Reader) (image.Image, error)) (*image.Gray, error) {
	c, err := config(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	if err := checkSize(c.Width, c.Height); err != nil {
		return nil, err
	}
	img, err := decode(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return Gray(img), nil
}

func readAll(in io.Reader) ([]byte, error) {
	packed, err := io.ReadAll(io.LimitReader(in, maxPacked+1))
	if err == nil && len(packed) > maxPacked {
		err = fmt.Errorf("it has more than %d bytes", maxPacked)
	}
	return packed, err
}

func checkSize(width, height int) error {
	if width < 1 || height < 1 || width > MaxPixels/height {
		return fmt.Errorf("%d x %d is no size for a picture that this program looks at", width, height)
	}
	return nil
}

// Gray gives any picture in grey, with its upper left corner at the origin. Transparency counts as white.
func Gray(img image.Image) *image.Gray {
	b := img.Bounds()
	out := image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := range b.Dy() {
		row := out.Pix[y*out.Stride : y*out.Stride+b.Dx()]
		switch img := img.(type) {
		case *image.Gray:
			copy(row, img.Pix[img.PixOffset(b.Min.X, b.Min.Y+y):])
		case *image.YCbCr:
			copy(row, img.Y[img.YOffset(b.Min.X, b.Min.Y+y):])
		default:
			for x := range row {
				row[x] = onWhite(img.At(b.Min.X+x, b.Min.Y+y))
			}
		}
	}
	return out
}

func onWhite(c color.Color) uint8 {
	r, g, b, a := c.RGBA() // already multiplied by a
	luma := (19595*r + 38470*g + 7471*b + 1<<15) >> 16
	return uint8((luma + 0xffff - a) >> 8)
}

// Channel gives the pictures that somebody sends, until the channel is closed.
func Channel(pictures <-chan image.Image) Source { return channel(pictures) }

type channel <-chan image.Image

func (c channel) Next(ctx context.Context) (*image.Gray, error) {
	select {
	case img, ok := <-c:
		if !ok {
			return nil, io.EOF
		}
		return Gray(img), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c channel) Close() error { return nil }
