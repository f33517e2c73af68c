package paint

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"codeberg.org/go-pdf/fpdf"

	"conclave/ceremony/tuf"
)

// PaperVersion and level M are what is read well from a scan of 150 dots an inch when
// six symbols are on a page.
const PaperVersion = 25

// PerPage is how many symbols a page has.
const PerPage = across * down

// A Sheet is what is printed.
type Sheet struct {
	Purpose string     // one line, from outside
	Name    string     // of the transfer, as the receiver says it
	Digest  tuf.Digest // SHA-256 of what comes out
	Printed time.Time
	Symbols []*Symbol
	Enough  int // how many symbols suffice
}

// Measures of a page of A4, in millimetres.
const (
	pageWidth, pageHeight = 210.0, 297.0
	margin                = 12.0
	headHeight            = 29.0
	footHeight            = 7.0
	captionHeight         = 4.0
	across, down          = 2, 3
	cellWidth             = (pageWidth - 2*margin) / across
	cellHeight            = (pageHeight - 2*margin - headHeight - footHeight) / down
)

// PDF writes pages of A4 with six symbols each. Every page says what it is for, the digest
// in words to read aloud, and which page of how many it is.
func PDF(w io.Writer, s Sheet) error {
	if len(s.Symbols) == 0 {
		return errors.New("write pages: there are no symbols")
	}
	p := &printer{pdf: fpdf.New("P", "mm", "A4", ""), sheet: s, pages: (len(s.Symbols) + PerPage - 1) / PerPage}
	p.latin = p.pdf.UnicodeTranslatorFromDescriptor("cp1252")
	p.pdf.SetAutoPageBreak(false, 0)
	p.pdf.SetCatalogSort(true) // the same sheet gives the same bytes
	p.pdf.SetCreationDate(s.Printed)
	p.pdf.SetModificationDate(s.Printed)
	p.pdf.SetTitle(p.line(s.Purpose), false)
	for page := range p.pages {
		p.pdf.AddPage()
		p.head()
		for i := page * PerPage; i < min((page+1)*PerPage, len(s.Symbols)); i++ {
			p.symbol(i, i%PerPage)
		}
		p.foot(page)
	}
	if err := p.pdf.Output(w); err != nil {
		return fmt.Errorf("write pages: %w", err)
	}
	return nil
}

// A printer draws one sheet. fpdf keeps its first error itself.
type printer struct {
	pdf   *fpdf.Fpdf
	sheet Sheet
	pages int
	latin func(string) string
}

func (p *printer) font(style string, points float64) { p.pdf.SetFont("Helvetica", style, points) }

// line is text from outside as one line that the font has; what it lacks becomes a dot.
func (p *printer) line(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '.'
		}
		return r
	}, s)
	return p.latin(s)
}

func (p *printer) head() {
	width := pageWidth - 2*margin
	p.pdf.SetXY(margin, margin)
	p.font("B", 12)
	p.pdf.CellFormat(width, 6, p.fit(p.line(p.sheet.Purpose), width), "", 2, "L", false, 0, "")
	p.font("", 8)
	p.pdf.CellFormat(width, 4, p.line(fmt.Sprintf("Transfer %s, printed %s. Scan in any order: conclave qr scan. %d of the %d symbols, or one or two more, are enough.",
		p.sheet.Name, p.sheet.Printed.UTC().Format("2006-01-02 15:04 UTC"), p.sheet.Enough, len(p.sheet.Symbols))), "", 2, "L", false, 0, "")
	p.font("", 7.5)
	words := p.sheet.Digest.Words()
	p.pdf.CellFormat(width, 4, "SHA-256 of the content: "+p.sheet.Digest.String(), "", 2, "L", false, 0, "")
	for rest := words; len(rest) > 0; rest = rest[min(11, len(rest)):] {
		p.pdf.CellFormat(width, 3.6, strings.Join(rest[:min(11, len(rest))], " "), "", 2, "L", false, 0, "")
	}
}

// fit cuts a line to a width.
func (p *printer) fit(s string, width float64) string {
	for len(s) > 0 && p.pdf.GetStringWidth(s) > width-2 {
		s = s[:len(s)-1]
	}
	return s
}

func (p *printer) foot(page int) {
	p.font("B", 10)
	p.pdf.SetXY(margin, pageHeight-margin-footHeight)
	p.pdf.CellFormat(pageWidth-2*margin, footHeight, fmt.Sprintf("Page %d of %d", page+1, p.pages), "", 0, "C", false, 0, "")
}

// symbol draws symbol i at a place of the page.
func (p *printer) symbol(i, place int) {
	s := p.sheet.Symbols[i]
	x0 := margin + float64(place%across)*cellWidth
	y0 := margin + headHeight + float64(place/across)*cellHeight
	module := min(cellWidth, cellHeight-captionHeight) / float64(s.side+2*PaperQuietZone)
	left := x0 + (cellWidth-module*float64(s.side))/2
	top := y0 + module*PaperQuietZone
	p.pdf.SetFillColor(0, 0, 0)
	for y := range s.side {
		for x := 0; x < s.side; {
			run := 0
			for s.Dark(x+run, y) {
				run++
			}
			if run > 0 {
				p.pdf.Rect(left+float64(x)*module, top+float64(y)*module, float64(run)*module, module, "F")
			}
			x += max(run, 1)
		}
	}
	p.font("", 7)
	p.pdf.SetXY(x0, top+module*float64(s.side+1))
	p.pdf.CellFormat(cellWidth, captionHeight, fmt.Sprintf("%d of %d", i+1, len(p.sheet.Symbols)), "", 0, "C", false, 0, "")
}
