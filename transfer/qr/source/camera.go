package source

import (
	"context"
	"errors"
	"fmt"
	"image"
	"time"

	"conclave/transfer/qr"
)

// A Camera is one that the machine has.
type Camera struct {
	Path string // "/dev/video0"
	Name string
}

// A pixelFormat is how a camera sends pictures: four characters, as V4L2 has them.
type pixelFormat uint32

func fourCC(s string) pixelFormat {
	return pixelFormat(s[0]) | pixelFormat(s[1])<<8 | pixelFormat(s[2])<<16 | pixelFormat(s[3])<<24
}

var (
	formatMJPEG = fourCC("MJPG")
	formatJPEG  = fourCC("JPEG")
	formatYUYV  = fourCC("YUYV")
	formatGrey  = fourCC("GREY")
)

// A mode is one of the ways in which a camera can work.
type mode struct {
	format        pixelFormat
	width, height int
}

// The size that is asked for: what the decoder tracks in 10 ms. Larger ones are slower and not read better.
const wantWidth, wantHeight = 1280, 720

// chooseMode takes the mode nearest to the wanted size. MJPEG goes before the others where sizes are equal: over USB 2
// it has 30 pictures a second where YUYV has 10.
func chooseMode(modes []mode) (mode, error) {
	var best mode
	bestCost := -1
	for _, m := range modes {
		if rank(m.format) < 0 || checkSize(m.width, m.height) != nil {
			continue
		}
		cost := 10*(abs(m.width-wantWidth)+abs(m.height-wantHeight)) + rank(m.format)
		if bestCost < 0 || cost < bestCost {
			best, bestCost = m, cost
		}
	}
	if bestCost < 0 {
		return mode{}, errors.New("the camera sends neither MJPEG nor YUYV nor grey pictures")
	}
	return best, nil
}

// rank orders the formats; -1 is one that is not read.
func rank(f pixelFormat) int {
	switch f {
	case formatMJPEG, formatJPEG:
		return 0
	case formatGrey:
		return 1
	case formatYUYV:
		return 2
	}
	return -1
}

func abs(n int) int { return max(n, -n) }

// picture makes a picture of what a camera sent. The bytes may be used again afterwards.
func (m mode) picture(sent []byte) (*image.Gray, error) {
	switch m.format {
	case formatMJPEG, formatJPEG:
		return decodeJPEG(sent)
	case formatYUYV:
		return brightness(sent, m.width, m.height, 2)
	}
	return brightness(sent, m.width, m.height, 1)
}

// brightness takes every step-th byte.
func brightness(sent []byte, width, height, step int) (*image.Gray, error) {
	if len(sent) < width*height*step {
		return nil, fmt.Errorf("%d bytes came for a picture of %d x %d", len(sent), width, height)
	}
	img := image.NewGray(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		img.Pix[i] = sent[i*step]
	}
	return img, nil
}

// A device is what a camera's driver does.
type device interface {
	wait(seconds uint32) (ready bool, err error)
	frame(use func(sent []byte)) error
	close() error
}

// patience is how long a camera may send nothing before it counts as gone.
const patience = 10 * time.Second

// badInARow is how many damaged pictures in a row a camera may send.
const badInARow = 100

type camera struct {
	place string
	mode  mode
	dev   device
	bad   int
}

// Next waits for the next picture of the camera; one that was damaged on the way is a *qr.PictureError.
func (c *camera) Next(ctx context.Context) (*image.Gray, error) {
	for waited := time.Duration(0); waited < patience; waited += time.Second {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		ready, err := c.dev.wait(1)
		if err != nil {
			return nil, &SourceError{Place: c.place, Err: err, hint: cameraHint}
		}
		if ready {
			return c.take()
		}
	}
	return nil, &SourceError{Place: c.place, Err: fmt.Errorf("the camera has sent nothing for %v", patience), hint: cameraHint}
}

func (c *camera) take() (img *image.Gray, err error) {
	failed := c.dev.frame(func(sent []byte) { img, err = c.mode.picture(sent) })
	switch {
	case failed != nil:
		return nil, &SourceError{Place: c.place, Err: failed, hint: cameraHint}
	case err == nil:
		c.bad = 0
		return img, nil
	}
	if c.bad++; c.bad > badInARow {
		return nil, &SourceError{Place: c.place, Err: err, hint: cameraHint}
	}
	return nil, &qr.PictureError{Picture: "picture from " + c.place, Err: err}
}

func (c *camera) Close() error { return c.dev.close() }

const cameraHint = "Look whether the camera is plugged in and no other program uses it, and whether you may read it (group video). " +
	"Pictures taken with any other camera will do as well."

// inSteps is the size nearest to want that a camera offers from low to high.
func inSteps(want, low, high, step uint32) int {
	if step == 0 || want <= low {
		return int(low)
	}
	return int(low + (min(want, high)-low)/step*step)
}
