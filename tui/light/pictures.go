package light

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"conclave/transfer"
	"conclave/transfer/qr"
	"conclave/transfer/qr/paint"
)

// PictureVersion is the version of symbols in pictures: a phone's screen shows it well.
const PictureVersion = 20

// A Print is all the symbols that pictures or paper need.
type Print struct {
	Name    string // of the transfer
	Enough  int    // how many of the symbols suffice
	Symbols []*paint.Symbol
}

// NewPrint makes the symbols of a message in one version; one that is enough is as small as it can be.
func NewPrint(m *qr.Message, style qr.Style, version int, level paint.Level) (*Print, error) {
	s, err := qr.NewSender(m, style, paint.Capacity(version, level))
	if err != nil {
		return nil, err
	}
	if s.Parts() == 1 {
		version = 0
	}
	p := &Print{Name: s.Name(), Enough: s.Parts()}
	for _, f := range s.Printed() {
		sym, err := paint.Encode(f.Text, version, level)
		if err != nil {
			return nil, err
		}
		p.Symbols = append(p.Symbols, sym)
	}
	return p, nil
}

// WritePNG writes one picture for each symbol into dir, which is made where it is
// not there. Nothing is overwritten.
func WritePNG(dir string, p *Print) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write pictures: %w", err)
	}
	for i, s := range p.Symbols {
		var b bytes.Buffer
		if err := paint.PNG(&b, s); err != nil {
			return err
		}
		if err := transfer.WriteNew(filepath.Join(dir, fmt.Sprintf("%s-%03d.png", p.fileName(), i+1)), b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// WriteGIF writes one moving picture.
func WriteGIF(path string, p *Print, each time.Duration) error {
	var b bytes.Buffer
	if err := paint.GIF(&b, p.Symbols, each); err != nil {
		return err
	}
	return transfer.WriteNew(path, b.Bytes())
}

// WritePDF writes pages to print.
func WritePDF(path string, p *Print, purpose string, m *qr.Message, printed time.Time) error {
	var b bytes.Buffer
	sheet := paint.Sheet{
		Purpose: purpose, Name: p.Name, Digest: m.Envelope.Result, Printed: printed, Symbols: p.Symbols, Enough: p.Enough,
	}
	if err := paint.PDF(&b, sheet); err != nil {
		return err
	}
	return transfer.WriteNew(path, b.Bytes())
}

// fileName is the transfer's name as part of a file's.
func (p *Print) fileName() string {
	if p.Enough == 1 {
		return "qr"
	}
	return "qr-" + p.Name
}
