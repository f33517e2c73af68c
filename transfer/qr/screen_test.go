package qr_test

import (
	"image"
	"slices"
	"testing"

	"github.com/hinshun/vt10x"

	"conclave/transfer/qr"
	"conclave/transfer/qr/paint"
	"conclave/transfer/qr/qrtest"
)

// show draws a frame on a terminal and gives the terminal's lines.
func show(t testing.TB, screen paint.Screen, text string) []string {
	t.Helper()
	sym, err := paint.Encode(text, screen.Largest(), paint.L)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := screen.Draw(sym)
	if err != nil {
		t.Fatal(err)
	}
	term := vt10x.New(vt10x.WithSize(screen.Cols, screen.Rows))
	for i, line := range lines {
		if i > 0 {
			_, _ = term.Write([]byte("\r\n"))
		}
		_, _ = term.Write([]byte(paint.BlackOnWhite + line + paint.Reset))
	}
	return painted(t, term)
}

// painted gives those cells of a terminal that are black on white; all others are missing.
func painted(t testing.TB, term vt10x.Terminal) (lines []string) {
	t.Helper()
	cols, rows := term.Size()
	for y := range rows {
		var line []rune
		for x := range cols {
			if c := term.Cell(x, y); c.FG == 16 && c.BG == 231 {
				line = append(line, c.Char)
			}
		}
		if len(line) > 0 {
			lines = append(lines, string(line))
		}
	}
	return lines
}

// A bundle crosses from the terminal's own screen to programs of others, and back into a bundle.
func TestOthersReadTheBundleFromTheScreen(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds, and shares nothing")
	}
	waiting := qrtest.Waiting(t, 40, 3)
	m := mustPack(t, waiting)
	font := qrtest.Font{Width: 8, Height: 16}
	var texts [][]string // by terminal
	var pictures []*image.Gray
	names := []string{"80x24", "120x40", "200x60"}
	for _, name := range names {
		s := mustSender(t, m, qr.Dense, chars(name))
		var shown []string
		for range s.Parts() {
			pictures = append(pictures, qrtest.Raster(show(t, terminals[name], s.Frame().Text), font))
			shown = append(shown, s.Frame().Text)
			s.Next()
		}
		texts = append(texts, shown)
	}
	for _, reader := range qrtest.Readers {
		t.Run(reader.Name, func(t *testing.T) {
			read := reader.Read(t, pictures)
			for i, name := range names {
				mine := read[:len(texts[i])]
				read = read[len(texts[i]):]
				r := qr.NewReceiver(newClock().now)
				for j, got := range mine {
					if !slices.Equal(got, texts[i][j:j+1]) {
						t.Fatalf("%s, frame %d: read %.80q", name, j+1, got)
					}
					if _, err := r.Add(got[0]); err != nil {
						t.Fatal(err)
					}
				}
				raw, ok := r.Done()
				if !ok {
					t.Fatalf("%s: not complete", name)
				}
				c, err := qr.Unpack(raw, nil)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(c.Bytes, qrtest.Bytes(t, waiting)) {
					t.Fatalf("%s: another bundle came out", name)
				}
			}
		})
	}
}
