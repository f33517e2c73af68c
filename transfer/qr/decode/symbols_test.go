package decode

import (
	"errors"
	"image"
	"image/color"
	"image/draw"
	"slices"
	"strings"
	"testing"

	qrcode "github.com/skip2/go-qrcode"
)

func TestEveryVersionIsRead(t *testing.T) {
	for _, v := range someVersions {
		text := strings.Repeat("CONCLAVE ", 3)[:8+v/4]
		texts, err := patient().Decode(draw2(symbol(t, text, v, v%2 == 0)))
		if err != nil || len(texts) != 1 || texts[0] != text {
			t.Errorf("version %d: got %q, %v", v, texts, err)
		}
	}
}

// draw2 renders two pixels a module.
func draw2(m [][]bool) *image.Gray { return draw4(m, 2) }

// draw4 renders modules off centre on grey.
func draw4(m [][]bool, size int) *image.Gray {
	in := drawModules(m, size)
	out := image.NewGray(image.Rect(0, 0, in.Rect.Dx()+40, in.Rect.Dy()+10))
	draw.Draw(out, out.Rect, image.NewUniform(color.Gray{180}), image.Point{}, draw.Src)
	draw.Draw(out, in.Rect.Add(image.Pt(25, 3)), in, image.Point{}, draw.Src)
	return out
}

// pixels makes a picture of the same size with each pixel taken from another.
func pixels(in *image.Gray, from func(x, y int) (int, int)) *image.Gray {
	out := image.NewGray(in.Rect)
	for y := range in.Rect.Dy() {
		for x := range in.Rect.Dx() {
			fx, fy := from(x, y)
			out.SetGray(x, y, in.GrayAt(fx, fy))
		}
	}
	return out
}

func TestSymbolIsReadHoweverItIsHeld(t *testing.T) {
	const text = "HELD UPSIDE DOWN"
	in := drawModules(symbol(t, text, 7, false), 4)
	n := in.Rect.Dx() - 1
	for _, c := range []struct {
		name string
		from func(x, y int) (int, int)
	}{
		{"a quarter turned", func(x, y int) (int, int) { return y, n - x }},
		{"upside down", func(x, y int) (int, int) { return n - x, n - y }},
		{"three quarters turned", func(x, y int) (int, int) { return n - y, x }},
		{"seen in a mirror", func(x, y int) (int, int) { return n - x, y }},
		{"mirrored and turned", func(x, y int) (int, int) { return y, x }},
		{"twice as wide as high", func(x, y int) (int, int) { return x, min(n, y*8/5) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			texts, err := patient().Decode(pixels(in, c.from))
			if err != nil || len(texts) != 1 || texts[0] != text {
				t.Errorf("got %q, %v", texts, err)
			}
		})
	}
}

func TestContentComesBackAsBytes(t *testing.T) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, c := range []struct{ name, text string }{
		{"digits", "0123456789012345"},
		{"alphanumeric", "UR:BYTES/1-3/LPADAXCF $%*+-./:"},
		{"UTF-8 in byte mode", "Schlüsselzeremonie – 鍵"},
		{"every byte", string(every)},
		{"bytes that look like Shift JIS", "\x83\x65\x83\x58\x83\x67"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, err := qrcode.New(c.text, qrcode.Low)
			if err != nil {
				t.Fatal(err)
			}
			q.DisableBorder = true
			texts, err := patient().Decode(drawModules(q.Bitmap(), 3))
			if err != nil || len(texts) != 1 || texts[0] != c.text {
				t.Errorf("got %q, %v", texts, err)
			}
		})
	}
}

// page is white paper with pictures on it.
func page(w, h int, on map[image.Point]*image.Gray) *image.Gray {
	p := image.NewGray(image.Rect(0, 0, w, h))
	draw.Draw(p, p.Rect, image.White, image.Point{}, draw.Src)
	for at, img := range on {
		draw.Draw(p, img.Rect.Add(at), img, image.Point{}, draw.Src)
	}
	return p
}

func TestPageOfSymbolsIsReadWhole(t *testing.T) {
	on := map[image.Point]*image.Gray{}
	var want []string
	for i := range 6 {
		text := "PAGE PART " + string(rune('1'+i)) + strings.Repeat(" CONCLAVE", 12)
		want = append(want, text)
		on[image.Pt(20+(i%2)*300, 20+(i/2)*300)] = drawModules(symbol(t, text, 10, true), 4)
	}
	opt := Pictures()
	opt.Zbar, opt.Cascade = false, false
	texts, err := New(opt).Decode(page(640, 940, on))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(texts)
	if !slices.Equal(texts, want) {
		t.Errorf("got %d symbols: %q", len(texts), texts)
	}
}

// A page scanned at 600 dpi is read, though each module has thirty pixels.
func TestLargePageIsRead(t *testing.T) {
	if testing.Short() || slow > 1 {
		t.Skip("renders a large picture")
	}
	on := map[image.Point]*image.Gray{
		{200, 300}:   drawModules(symbol(t, "LARGE ONE", 3, true), 30),
		{1800, 1500}: drawModules(symbol(t, "LARGE TWO", 10, true), 16),
	}
	opt := Pictures()
	opt.Zbar, opt.Cascade, opt.Inverted, opt.Deadline = false, false, false, patient().opt.Deadline
	texts, err := New(opt).Decode(page(3300, 3000, on))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(texts)
	if !slices.Equal(texts, []string{"LARGE ONE", "LARGE TWO"}) {
		t.Errorf("got %q", texts)
	}
}

func TestPictureThatIsNoneIsRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		img  *image.Gray
	}{
		{"more pixels than allowed", image.NewGray(image.Rect(0, 0, maxPixels/100+1, 100))},
		{"fewer pixels than it says", &image.Gray{Pix: make([]uint8, 500), Stride: 100, Rect: image.Rect(0, 0, 100, 100)}},
		{"rows shorter than it says", &image.Gray{Pix: make([]uint8, 1e5), Stride: 50, Rect: image.Rect(0, 0, 100, 100)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var miss *Miss
			if texts, err := New(Frames()).Decode(c.img); err == nil || errors.As(err, &miss) {
				t.Errorf("got %q, %v", texts, err)
			}
		})
	}
}

func TestLightSymbolOnDarkGroundIsReadOnRequest(t *testing.T) {
	img := drawModules(symbol(t, "DARK TERMINAL", 5, false), 3)
	for i, v := range img.Pix {
		img.Pix[i] = 255 - v
	}
	if texts, err := New(Options{}).Decode(img); err == nil {
		t.Fatalf("read %q without the request: the test does not test", texts)
	}
	texts, err := New(Options{Inverted: true}).Decode(img)
	if err != nil || len(texts) != 1 || texts[0] != "DARK TERMINAL" {
		t.Errorf("got %q, %v", texts, err)
	}
}

func TestPaddedRowsAndPartsOfPicturesAreRead(t *testing.T) {
	big := page(400, 300, map[image.Point]*image.Gray{
		{150, 40}: drawModules(symbol(t, "PART OF A PICTURE", 5, false), 3),
	})
	part := big.SubImage(image.Rect(140, 30, 340, 260)).(*image.Gray)
	texts, err := patient().Decode(part)
	if err != nil || len(texts) != 1 || texts[0] != "PART OF A PICTURE" {
		t.Errorf("got %q, %v", texts, err)
	}
}

func TestMissSaysHowNearItCame(t *testing.T) {
	clear := symbol(t, "NEARLY", 7, false)
	spoilt := drawModules(clear, 4)
	for y := 100; y < 180; y++ {
		for x := 80; x < 200; x++ {
			if x/4%3 == 0 {
				spoilt.Pix[y*spoilt.Stride+x] ^= 255
			}
		}
	}
	for _, c := range []struct {
		name string
		img  *image.Gray
		want Stage
	}{
		{"an empty picture", page(100, 100, nil), NoSymbol},
		{"a picture smaller than any symbol", page(20, 300, nil), NoSymbol},
		{"a symbol with spoilt modules", spoilt, Unreadable},
	} {
		t.Run(c.name, func(t *testing.T) {
			texts, err := patient().Decode(c.img)
			var miss *Miss
			if !errors.As(err, &miss) {
				t.Fatalf("got %q, %v; want a Miss", texts, err)
			}
			if miss.Stage != c.want {
				t.Errorf("got %v, want stage %d", miss, c.want)
			}
			if miss.Error() == "" || miss.Hint() == "" {
				t.Error("a miss must say what happened and what to do")
			}
		})
	}
}
