package qr_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"conclave/transfer/qr"
	"conclave/transfer/qr/armour"
	"conclave/transfer/qr/paint"
	"conclave/transfer/qr/qrtest"
	"conclave/transfer/qr/source"
)

// zbar is a Decoder that we did not write.
type zbar struct{ t testing.TB }

func (z zbar) Decode(img *image.Gray) ([]string, error) {
	return qrtest.Zbar(z.t, []*image.Gray{img})[0], nil
}

// printed are the symbols of a message for pictures and paper.
func printed(t testing.TB, s *qr.Sender, version int, level paint.Level) (list []*paint.Symbol) {
	t.Helper()
	for _, f := range s.Printed() {
		sym, err := paint.Encode(f.Text, version, level)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, sym)
	}
	return list
}

func TestFilesAreReadBack(t *testing.T) {
	qrtest.Tool(t, "zbarimg", "zbar-tools")
	content := noise(6000, 1)
	m := mustFile(t, content)
	dir := t.TempDir()
	save := func(name string, write func(io.Writer) error) string {
		path := filepath.Join(dir, name)
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := write(f); err != nil {
			t.Fatal(err)
		}
		f.Close()
		return path
	}
	screen := printed(t, mustSender(t, m, qr.Dense, paint.Capacity(14, paint.L)), 14, paint.L)
	paper := mustSender(t, m, qr.Dense, paint.Capacity(paint.PaperVersion, paint.M))
	paths := []string{
		save("moving.gif", func(w io.Writer) error { return paint.GIF(w, screen, time.Second) }),
		save("pages.pdf", func(w io.Writer) error {
			qrtest.Tool(t, "pdftoppm", "poppler-utils")
			return paint.PDF(w, paint.Sheet{Symbols: printed(t, paper, paint.PaperVersion, paint.M), Name: paper.Name(), Printed: qrtest.Today})
		}),
	}
	for _, path := range paths {
		src, err := source.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		r := qr.NewReceiver(newClock().now)
		symbols := 0
		err = qr.Scan(context.Background(), src, zbar{t}, r, func(r qr.Report) {
			if symbols += r.Symbols; r.Picture == nil || r.Err != nil {
				t.Errorf("%s: %+v", path, r)
			}
		})
		if err != nil || symbols == 0 {
			t.Fatalf("%s: %d symbols, %v", path, symbols, err)
		}
		wantContent(t, r, content)
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	}
}

// shown is a source and decoder in one: its pictures have the texts by their width.
type shown [][]string

func (s *shown) Next(context.Context) (*image.Gray, error) {
	if len(*s) == 0 {
		return nil, io.EOF
	}
	if (*s)[0] == nil {
		*s = (*s)[1:]
		return nil, &qr.PictureError{Picture: "picture 3", Err: errors.New("damaged")}
	}
	return image.NewGray(image.Rect(0, 0, 1, 1)), nil
}

func (s *shown) Decode(*image.Gray) ([]string, error) {
	texts := (*s)[0]
	*s = (*s)[1:]
	return texts, nil
}

func TestInterruptedScanGoesOn(t *testing.T) {
	content := noise(2000, 1)
	s := mustSender(t, mustFile(t, content), qr.Dense, 300)
	r := qr.NewReceiver(newClock().now)
	first := shown{{}, {s.At(1).Text, s.At(2).Text}, nil, {"https://example.com"}}
	var reports []qr.Report
	err := qr.Scan(context.Background(), &first, &first, r, func(r qr.Report) { reports = append(reports, r) })
	var cut *qr.IncompleteError
	if !errors.As(err, &cut) || cut.Progress.Rank != 2 || cut.Hint() == "" {
		t.Fatal(err)
	}
	if len(reports) != 4 || reports[0].Symbols != 0 || reports[1].Symbols != 2 || !reports[1].Progress.News || reports[2].Err == nil || !errors.Is(reports[3].Err, armour.ErrNotOurs) {
		t.Errorf("reports: %+v", reports)
	}
	second := shown{}
	for seq := 3; seq <= s.Parts(); seq++ {
		second = append(second, []string{s.At(seq).Text})
	}
	if err := qr.Scan(context.Background(), &second, &second, r, nil); err != nil {
		t.Fatal(err)
	}
	wantContent(t, r, content)
}

func TestScanOfNothingSaysSo(t *testing.T) {
	err := qr.Scan(context.Background(), &shown{}, &shown{}, qr.NewReceiver(newClock().now), nil)
	var cut *qr.IncompleteError
	if !errors.As(err, &cut) || cut.Progress.Need != 0 || !strings.Contains(err.Error(), "no frame") || cut.Hint() == "" {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := qr.Scan(ctx, source.Channel(nil), zbar{t}, qr.NewReceiver(newClock().now), nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestTypedFramesAreRead(t *testing.T) {
	content := noise(2000, 1)
	s := mustSender(t, mustFile(t, content), qr.Compatible, 700)
	var typed bytes.Buffer
	typed.WriteString("some words that somebody typed\r" + armour.LayoutCheck() + "\r")
	for seq := range s.Parts() {
		typed.WriteString(s.At(seq + 1).Text)
		if seq+1 < s.Parts() { // the last line has no end
			typed.WriteByte("\r\t\n"[seq%3])
		}
	}
	r := qr.NewReceiver(newClock().now)
	wrong := 0
	err := qr.ScanText(context.Background(), &typed, r, func(r qr.Report) {
		if r.Err != nil {
			wrong++
		}
	})
	if err != nil || wrong != 1 {
		t.Fatalf("%d lines were wrong, %v", wrong, err)
	}
	wantContent(t, r, content)

	var cut *qr.IncompleteError
	if err := qr.ScanText(context.Background(), strings.NewReader(s.At(1).Text), qr.NewReceiver(newClock().now), nil); !errors.As(err, &cut) || cut.Progress.Rank != 1 {
		t.Error(err)
	}
}
