package source

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"conclave/transfer/qr"
	"conclave/transfer/qr/paint"
	"conclave/transfer/qr/qrtest"
)

// pattern is a small picture that no two numbers share.
func pattern(n int) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, 32, 24))
	for i := range img.Pix {
		img.Pix[i] = uint8(255 * ((i/8*(n+3) + i/256) % 2))
	}
	return img
}

// files are three pictures in every form.
func files(t testing.TB) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	add := func(name string, write func(w *bytes.Buffer) error) {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		all[name] = b.Bytes()
	}
	add("mjpeg", func(w *bytes.Buffer) error {
		for n := range 3 {
			if err := jpeg.Encode(w, pattern(n), &jpeg.Options{Quality: 100}); err != nil {
				return err
			}
			fmt.Fprint(w, "\r\n--boundary\r\n") // what web cameras send in between
		}
		return nil
	})
	add("gif", func(w *bytes.Buffer) error {
		anim := new(gif.GIF)
		for n := range 3 {
			img := image.NewPaletted(pattern(n).Rect, color.Palette{color.White, color.Black})
			draw.Draw(img, img.Rect, pattern(n), image.Point{}, draw.Src)
			anim.Image, anim.Delay = append(anim.Image, img), append(anim.Delay, 10)
		}
		return gif.EncodeAll(w, anim)
	})
	add("pgm", func(w *bytes.Buffer) error {
		for n := range 3 {
			fmt.Fprintf(w, "P5\n# a comment\n32 24\n255\n%s", pattern(n).Pix)
		}
		return nil
	})
	add("y4m", func(w *bytes.Buffer) error {
		fmt.Fprint(w, "YUV4MPEG2 W32 H24 F10:1 Ip C420jpeg\n")
		for n := range 3 {
			fmt.Fprintf(w, "FRAME\n%s%s", pattern(n).Pix, make([]byte, 2*16*12))
		}
		return nil
	})
	return all
}

// near reports whether two pictures are the same but for what a lossy packing does.
func near(a, b *image.Gray) bool {
	if a.Rect != b.Rect {
		return false
	}
	for i := range a.Pix {
		if d := int(a.Pix[i]) - int(b.Pix[i]); d > 40 || d < -40 {
			return false
		}
	}
	return true
}

func mustRead(t testing.TB, raw []byte) Source {
	t.Helper()
	src, err := Read(bytes.NewReader(raw), "test")
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// wantPictures fails the test unless the source gives these patterns and then io.EOF, also when asked again.
func wantPictures(t *testing.T, name string, src Source, want ...int) {
	t.Helper()
	for _, n := range want {
		img, err := src.Next(context.Background())
		if err != nil || !near(img, pattern(n)) {
			t.Errorf("%s: picture %d: %v", name, n, err)
			return
		}
	}
	for range 2 {
		if img, err := src.Next(context.Background()); img != nil || !errors.Is(err, io.EOF) {
			t.Errorf("%s: after the last: %v", name, err)
		}
	}
	if err := src.Close(); err != nil {
		t.Errorf("%s: close: %v", name, err)
	}
}

func TestEveryKindGivesItsPictures(t *testing.T) {
	for name, raw := range files(t) {
		wantPictures(t, name, mustRead(t, raw), 0, 1, 2)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, pattern(7)); err != nil {
		t.Fatal(err)
	}
	wantPictures(t, "png", mustRead(t, b.Bytes()), 7)
}

func TestFoldersAreReadInTheOrderOfTheirNames(t *testing.T) {
	dir := t.TempDir()
	all := files(t)
	for name, raw := range map[string][]byte{"b.GIF": all["gif"], "a.pgm": all["pgm"], "notes.txt": []byte("hello"), "c.png": []byte("no picture")} {
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	src, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 2, 0, 1, 2} {
		if img, err := src.Next(context.Background()); err != nil || !near(img, pattern(n)) {
			t.Fatalf("picture %d: %v", n, err)
		}
	}
	var one *qr.PictureError
	if _, err := src.Next(context.Background()); !errors.As(err, &one) || !strings.HasSuffix(one.Picture, "c.png") {
		t.Errorf("what is no picture: %v", err)
	}
	if _, err := src.Next(context.Background()); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestWhatHoldsNoPicturesIsRefused(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "x.png")
	if err := os.WriteFile(text, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{text, filepath.Join(dir, "missing"), t.TempDir(), "/dev/video-none"} {
		var refused *SourceError
		if _, err := Open(path); !errors.As(err, &refused) || refused.Hint() == "" {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestOneDamagedPictureDoesNotEndTheStream(t *testing.T) {
	one := func(n int) []byte {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, pattern(n), nil); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	otherPrecision, noMarker := one(1), one(1)
	otherPrecision[bytes.Index(otherPrecision, []byte{0xff, 0xc0})+4] = 7
	noMarker[bytes.Index(noMarker, []byte{0xff, 0xc0})] = 0
	for name, bad := range map[string][]byte{"a precision that nobody uses": otherPrecision, "a segment without its marker": noMarker} {
		src := mustRead(t, slices.Concat(one(0), bad, one(2)))
		for i, want := range []bool{true, false, true} {
			_, err := src.Next(context.Background())
			var damaged *qr.PictureError
			if (err == nil) != want || err != nil && (!errors.As(err, &damaged) || damaged.Picture != "picture 2 of test") {
				t.Errorf("%s: picture %d: %v", name, i+1, err)
			}
		}
	}
}

func TestCutOffStreamsSaySo(t *testing.T) {
	for name, raw := range files(t) {
		src := mustRead(t, raw[:len(raw)*5/6])
		var err error
		n := 0
		for ; err == nil; n++ {
			_, err = src.Next(context.Background())
		}
		var damaged *qr.PictureError
		if n != 3 || !errors.As(err, &damaged) {
			t.Errorf("%s: picture %d: %v", name, n, err)
		}
		if _, err := src.Next(context.Background()); !errors.Is(err, io.EOF) {
			t.Errorf("%s: it goes on: %v", name, err)
		}
	}
}

// The attack: a small file that promises a picture of gigabytes.
func TestHugePicturesAreRefused(t *testing.T) {
	gifHead := []byte("GIF89a\xff\xff\xff\xff\x00\x00\x00")
	var b bytes.Buffer
	if err := png.Encode(&b, pattern(0)); err != nil {
		t.Fatal(err)
	}
	pngHead := b.Bytes()
	copy(pngHead[16:], []byte{0, 1, 0, 0, 0, 1, 0, 0}) // the checksum is wrong as well
	for name, raw := range map[string][]byte{
		"gif": gifHead, "png": pngHead, "pgm": []byte("P5 99999 99999 255 "), "y4m": []byte("YUV4MPEG2 W99999 H99999 C420\nFRAME\n"),
		"pgm with an endless number": []byte("P5 " + strings.Repeat("1", 100)), "y4m without an end": []byte("YUV4MPEG2 " + strings.Repeat("W1 ", 1000)),
		"y4m of ten bits": []byte("YUV4MPEG2 W32 H24 C420p10\nFRAME\n"), "y4m of unknown colours": []byte("YUV4MPEG2 W32 H24 C123\nFRAME\n"),
		"pgm of many levels": []byte("P5 32 24 65535 "),
	} {
		src, err := Read(bytes.NewReader(raw), name)
		if err == nil {
			_, err = src.Next(context.Background())
		}
		if err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestJPEGWithoutTablesGetsTheStandardOnes(t *testing.T) {
	var b bytes.Buffer
	colourful := image.NewRGBA(image.Rect(0, 0, 64, 48))
	for i := range colourful.Pix {
		colourful.Pix[i] = uint8(i * i / 97)
	}
	if err := jpeg.Encode(&b, colourful, nil); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	at := bytes.Index(whole, []byte{0xff, markDHT})
	n := int(whole[at+2])<<8 | int(whole[at+3])
	bare := slices.Concat(whole[:at], whole[at+2+n:])
	if _, err := jpeg.Decode(bytes.NewReader(bare)); err == nil {
		t.Fatal("the tables are not needed")
	}
	got, err := decodeJPEG(bare)
	if err != nil {
		t.Fatal(err)
	}
	want, err := decodeJPEG(whole)
	if err != nil || !bytes.Equal(got.Pix, want.Pix) {
		t.Errorf("another picture came out: %v", err)
	}
}

// Pictures of an animation may cover a part of the canvas, and vanish in three ways.
func TestAnimationsArePutTogether(t *testing.T) {
	square := func(x, y, side int) *image.Paletted {
		img := image.NewPaletted(image.Rect(x, y, x+side, y+side), color.Palette{color.Transparent, color.Black})
		for i := range img.Pix {
			img.Pix[i] = 1
		}
		img.Pix[0] = 0 // the corner lets the canvas through
		return img
	}
	anim := &gif.GIF{
		Image:    []*image.Paletted{square(0, 0, 4), square(4, 4, 4), square(0, 4, 4), square(4, 0, 4)},
		Delay:    make([]int, 4),
		Disposal: []byte{gif.DisposalNone, gif.DisposalPrevious, gif.DisposalBackground, gif.DisposalNone},
		Config:   image.Config{Width: 8, Height: 8, ColorModel: color.Palette{color.Transparent, color.Black}},
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, anim); err != nil {
		t.Fatal(err)
	}
	src := mustRead(t, b.Bytes())
	for i, want := range []string{"10 00", "10 01", "10 10", "11 00"} { // upper and lower row
		img, err := src.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, p := range []image.Point{{2, 2}, {6, 2}, {2, 6}, {6, 6}} {
			if p.X == 2 && p.Y == 6 {
				got += " "
			}
			got += fmt.Sprint((255 - int(img.GrayAt(p.X, p.Y).Y)) / 255)
		}
		if got != want || img.GrayAt(0, 0).Y != 255 {
			t.Errorf("picture %d: %s, want %s", i, got, want)
		}
	}
}

func TestPagesOfAPDFAreRead(t *testing.T) {
	qrtest.Tool(t, "pdftoppm", "poppler-utils")
	var symbols []*paint.Symbol
	var want []string
	for i := range paint.PerPage + 1 {
		text := fmt.Sprintf("SYMBOL %d", i)
		s, err := paint.Encode(text, paint.PaperVersion, paint.M)
		if err != nil {
			t.Fatal(err)
		}
		symbols, want = append(symbols, s), append(want, text)
	}
	path := filepath.Join(t.TempDir(), "pages.pdf")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := paint.PDF(f, paint.Sheet{Symbols: symbols, Printed: qrtest.Today}); err != nil {
		t.Fatal(err)
	}
	f.Close()
	src, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var pages []*image.Gray
	for {
		img, err := src.Next(context.Background())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, img)
	}
	got := slices.Concat(qrtest.Zbar(t, pages)...)
	slices.Sort(got)
	if len(pages) != 2 || !slices.Equal(got, want) {
		t.Errorf("%d pages, read %q", len(pages), got)
	}

	early, err := Open(path) // somebody has enough after the first page
	if err != nil {
		t.Fatal(err)
	}
	if _, err := early.Next(context.Background()); err != nil {
		t.Error(err)
	}
	if err := early.Close(); err != nil {
		t.Error(err)
	}
	broken := mustRead(t, []byte("%PDF-1.4 and no more"))
	var bad *qr.PictureError
	if _, err := broken.Next(context.Background()); !errors.As(err, &bad) {
		t.Errorf("a broken one: %v", err)
	}
}

func TestTextIsToldFromPictures(t *testing.T) {
	for name, c := range map[string]struct {
		head []byte
		want bool
	}{
		"a frame":         {[]byte("*ABC\n"), true},
		"a paste":         {[]byte("\x1b[200~*ABC"), true},
		"nothing":         {nil, false},
		"a GIF":           {files(t)["gif"], false},
		"a PGM":           {files(t)["pgm"], false},
		"any other bytes": {[]byte{'C', 0, 1}, false},
	} {
		in := bufio.NewReader(bytes.NewReader(c.head))
		if got := IsText(in); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if rest, _ := io.ReadAll(in); !bytes.Equal(rest, c.head) {
			t.Errorf("%s: something was taken from it", name)
		}
	}
}

func TestGrayCutsAndBlends(t *testing.T) {
	wide := image.NewYCbCr(image.Rect(0, 0, 40, 40), image.YCbCrSubsampleRatio420) // rows are longer than what is seen
	for i := range wide.Y {
		wide.Y[i] = uint8(i % 40)
	}
	part := Gray(wide.SubImage(image.Rect(8, 8, 20, 20)))
	if part.Rect != image.Rect(0, 0, 12, 12) || part.GrayAt(0, 0).Y != 8 || part.GrayAt(11, 11).Y != 19 {
		t.Errorf("a part: %v, %v", part.Rect, part.GrayAt(0, 0))
	}
	clear := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	if got := Gray(clear).Pix[0]; got != 255 {
		t.Errorf("nothing at all is %d", got)
	}
	clear.Set(0, 0, color.NRGBA{0, 0, 0, 128})
	if got := Gray(clear).Pix[0]; got < 125 || got > 130 {
		t.Errorf("half of black is %d", got)
	}
}

func TestChannelGivesWhatIsSent(t *testing.T) {
	c := make(chan image.Image, 1)
	src := Channel(c)
	c <- pattern(1)
	if img, err := src.Next(context.Background()); err != nil || !near(img, pattern(1)) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := src.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(c)
	if _, err := src.Next(context.Background()); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func FuzzRead(f *testing.F) {
	for _, raw := range files(f) {
		f.Add(raw)
		f.Add(raw[:len(raw)/2])
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if bytes.HasPrefix(raw, []byte("%PDF-")) {
			return // a child process for each would take too long
		}
		src, err := Read(bytes.NewReader(raw), "fuzz")
		if err != nil {
			return
		}
		for range 10 {
			img, err := src.Next(context.Background())
			if (img == nil) == (err == nil) {
				t.Fatalf("picture %v and error %v", img != nil, err)
			}
		}
	})
}
