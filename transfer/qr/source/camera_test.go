package source

import (
	"bytes"
	"context"
	"errors"
	"image/jpeg"
	"testing"

	"conclave/transfer/qr"
)

func TestCameraModeIsTheNearest(t *testing.T) {
	h264 := fourCC("H264")
	for name, c := range map[string]struct {
		modes []mode
		want  mode
		fails bool
	}{
		"the wanted size":          {[]mode{{formatYUYV, 640, 480}, {formatMJPEG, 1280, 720}, {formatMJPEG, 1920, 1080}}, mode{formatMJPEG, 1280, 720}, false},
		"MJPEG before YUYV":        {[]mode{{formatYUYV, 1280, 720}, {formatMJPEG, 1280, 720}}, mode{formatMJPEG, 1280, 720}, false},
		"size before format":       {[]mode{{formatYUYV, 1280, 800}, {formatMJPEG, 320, 240}}, mode{formatYUYV, 1280, 800}, false},
		"only what we can read":    {[]mode{{h264, 1280, 720}, {formatGrey, 640, 480}}, mode{formatGrey, 640, 480}, false},
		"nothing that we can read": {[]mode{{h264, 1280, 720}}, mode{}, true},
		"no size":                  {[]mode{{formatMJPEG, 0, 0}}, mode{}, true},
		"nothing":                  {nil, mode{}, true},
	} {
		got, err := chooseMode(c.modes)
		if got != c.want || (err != nil) != c.fails {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, c := range []struct{ want, low, high, step, got uint32 }{
		{1280, 640, 640, 0, 640}, {1280, 160, 1920, 16, 1280}, {1280, 160, 1000, 16, 992}, {1280, 1600, 1920, 16, 1600}, {720, 120, 1080, 50, 720},
	} {
		if got := inSteps(c.want, c.low, c.high, c.step); got != int(c.got) {
			t.Errorf("%d in %d to %d by %d: %d, want %d", c.want, c.low, c.high, c.step, got, c.got)
		}
	}
}

// A fake is a camera that sends what it was given; nil is a second of silence.
type fake struct {
	sent   [][]byte
	broken error
	closed bool
}

func (f *fake) wait(uint32) (bool, error) {
	if len(f.sent) == 0 {
		return false, f.broken
	}
	if f.sent[0] == nil {
		f.sent = f.sent[1:]
		return false, nil
	}
	return true, nil
}

func (f *fake) frame(use func([]byte)) error {
	use(f.sent[0])
	clear(f.sent[0]) // the driver uses it again
	f.sent = f.sent[1:]
	return nil
}

func (f *fake) close() error { f.closed = true; return nil }

func jpegOf(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, pattern(n), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCameraGivesItsPictures(t *testing.T) {
	yuyv := make([]byte, 0, 2*32*24)
	for _, c := range pattern(1).Pix {
		yuyv = append(yuyv, c, 128)
	}
	for name, c := range map[string]struct {
		mode mode
		sent []byte
	}{
		"MJPEG": {mode{formatMJPEG, 32, 24}, jpegOf(t, 1)},
		"YUYV":  {mode{formatYUYV, 32, 24}, yuyv},
		"grey":  {mode{formatGrey, 32, 24}, bytes.Clone(pattern(1).Pix)},
	} {
		dev := &fake{sent: [][]byte{nil, nil, []byte("cut off"), c.sent}}
		src := &camera{place: "/dev/video7", mode: c.mode, dev: dev}
		var one *qr.PictureError
		if _, err := src.Next(context.Background()); !errors.As(err, &one) {
			t.Errorf("%s: a damaged picture: %v", name, err)
		}
		if img, err := src.Next(context.Background()); err != nil || !near(img, pattern(1)) {
			t.Errorf("%s: %v", name, err)
		}
		if err := src.Close(); err != nil || !dev.closed {
			t.Errorf("%s: it is not closed: %v", name, err)
		}
	}
}

func TestCameraThatFailsSaysSo(t *testing.T) {
	gone := errors.New("no such device")
	var rubbish [][]byte
	for range badInARow + 1 {
		rubbish = append(rubbish, []byte("rubbish"))
	}
	for name, dev := range map[string]*fake{"unplugged": {broken: gone}, "silent": {}, "only rubbish": {sent: rubbish}} {
		src := &camera{place: "/dev/video7", mode: mode{formatMJPEG, 32, 24}, dev: dev}
		var err error
		for i := 0; i <= badInARow; i++ {
			_, err = src.Next(context.Background())
			var one *qr.PictureError
			if !errors.As(err, &one) {
				break
			}
		}
		var failed *SourceError
		if !errors.As(err, &failed) || failed.Hint() == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (&camera{dev: &fake{}}).Next(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
