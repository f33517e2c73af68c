package decode

import (
	"fmt"
	"time"

	"github.com/makiuchi-d/gozxing"
	multi "github.com/makiuchi-d/gozxing/multi/qrcode"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// readers are gozxing's ways to read a picture, from fast to slow, and what
// each costs for a megapixel, roughly: they cannot be interrupted, so one that
// would not end in time is not started.
var readers = []struct {
	name  string
	scale float64
	cost  time.Duration
	read  func(*gozxing.BinaryBitmap) ([]string, error)
}{
	{"hybrid", 1, 40 * time.Millisecond, readOne},
	{"multi", 1, 60 * time.Millisecond, readMany},
	{"enlarged", 1.6, 60 * time.Millisecond, readOne},
}

// cascade asks gozxing's readers, one after another.
func (d *Decoder) cascade(p *plane, until time.Time) []string {
	for _, r := range readers {
		cost := time.Duration(float64(r.cost) * float64(p.w*p.h) * r.scale * r.scale / 1e6)
		if d.now().Add(cost).After(until) {
			continue
		}
		if texts, err := ask(p.scaled(r.scale), r.read); err == nil && len(texts) > 0 {
			return texts
		}
	}
	return nil
}

// ask hands a picture to a reader. gozxing panics on some pictures.
func ask(p *plane, read func(*gozxing.BinaryBitmap) ([]string, error)) (texts []string, err error) {
	defer func() {
		if r := recover(); r != nil {
			texts, err = nil, fmt.Errorf("read picture: %v", r)
		}
	}()
	src, err := gozxing.NewPlanarYUVLuminanceSource(p.pix, p.w, p.h, 0, 0, p.w, p.h, false)
	if err != nil {
		return nil, fmt.Errorf("read picture: %w", err)
	}
	b, err := gozxing.NewBinaryBitmap(gozxing.NewHybridBinarizer(src))
	if err != nil {
		return nil, fmt.Errorf("read picture: %w", err)
	}
	return read(b)
}

var readerHints = map[gozxing.DecodeHintType]interface{}{
	gozxing.DecodeHintType_CHARACTER_SET: "ISO-8859-1",
	gozxing.DecodeHintType_TRY_HARDER:    true,
}

func readOne(b *gozxing.BinaryBitmap) ([]string, error) {
	r, err := qrcode.NewQRCodeReader().Decode(b, readerHints)
	if err != nil {
		return nil, err
	}
	return []string{plainResult(r)}, nil
}

func readMany(b *gozxing.BinaryBitmap) ([]string, error) {
	rs, err := multi.NewQRCodeMultiReader().DecodeMultiple(b, readerHints)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range rs {
		out = append(out, plainResult(r))
	}
	return out, nil
}

// plainResult is a result's content as bytes.
func plainResult(r *gozxing.Result) string {
	return plain(r.GetText(), 1)
}

// scaled enlarges a picture.
func (p *plane) scaled(f float64) *plane {
	if f == 1 {
		return p
	}
	o := &plane{w: int(float64(p.w) * f), h: int(float64(p.h) * f)}
	o.pix = make([]uint8, o.w*o.h)
	for y := range o.h {
		for x := range o.w {
			o.pix[y*o.w+x] = uint8(p.at((float64(x)+.5)/f, (float64(y)+.5)/f) + .5)
		}
	}
	return o
}
