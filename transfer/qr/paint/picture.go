package paint

import (
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/png"
	"io"
	"time"
)

// PictureModule is the size of a module in pictures, in pixels: what readers want at least, with room.
const PictureModule = 6

// PNG writes a symbol as a picture with the standard's quiet zone.
func PNG(w io.Writer, s *Symbol) error {
	if err := png.Encode(w, s.Image(PictureModule, PaperQuietZone)); err != nil {
		return fmt.Errorf("write picture: %w", err)
	}
	return nil
}

// GIF writes symbols, which must be of one size, as a picture that moves
// without end; each is seen for a time in hundredths of a second.
func GIF(w io.Writer, symbols []*Symbol, each time.Duration) error {
	if len(symbols) == 0 {
		return errors.New("write animation: there are no symbols")
	}
	const module = 4 // a GIF of many large pictures is slow to show
	anim := &gif.GIF{}
	for i, s := range symbols {
		if s.side != symbols[0].side {
			return fmt.Errorf("write animation: symbol %d has %d modules, the first %d", i+1, s.side, symbols[0].side)
		}
		anim.Image = append(anim.Image, s.Image(module, PaperQuietZone))
		anim.Delay = append(anim.Delay, max(int(each/(10*time.Millisecond)), 2)) // below 2 viewers show 10
	}
	anim.Config = image.Config{ColorModel: anim.Image[0].Palette, Width: anim.Image[0].Rect.Dx(), Height: anim.Image[0].Rect.Dy()}
	if err := gif.EncodeAll(w, anim); err != nil {
		return fmt.Errorf("write animation: %w", err)
	}
	return nil
}
