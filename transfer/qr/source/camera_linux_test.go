package source

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"
)

// A fakeDriver answers as V4L2 does, without a device. Beyond it are only the calls into the kernel.
type fakeDriver struct {
	sizes    map[string][]webcam.FrameSize // by format
	insists  string                        // the format that it takes whatever is asked for
	fails    string                        // the call that fails
	waits    []error
	sent     []byte
	asked    [3]uint32 // format, width and height
	released []uint32
	closed   int
}

var errDriver = errors.New("the driver says no")

func (d *fakeDriver) failing(call string) error {
	if d.fails == call {
		return errDriver
	}
	return nil
}

func (d *fakeDriver) GetSupportedFormats() map[webcam.PixelFormat]string {
	list := map[webcam.PixelFormat]string{}
	for f := range d.sizes {
		list[webcam.PixelFormat(fourCC(f))] = f
	}
	return list
}

func (d *fakeDriver) GetSupportedFrameSizes(f webcam.PixelFormat) []webcam.FrameSize {
	for name, sizes := range d.sizes {
		if webcam.PixelFormat(fourCC(name)) == f {
			return sizes
		}
	}
	return nil
}

func (d *fakeDriver) SetImageFormat(f webcam.PixelFormat, w, h uint32) (webcam.PixelFormat, uint32, uint32, error) {
	d.asked = [3]uint32{uint32(f), w, h}
	if d.insists != "" {
		f = webcam.PixelFormat(fourCC(d.insists))
	}
	return f, w, h, d.failing("format")
}

func (d *fakeDriver) SetBufferCount(uint32) error { return d.failing("buffers") }
func (d *fakeDriver) StartStreaming() error       { return d.failing("start") }

func (d *fakeDriver) WaitForFrame(uint32) error {
	if len(d.waits) == 0 {
		return nil
	}
	err := d.waits[0]
	d.waits = d.waits[1:]
	return err
}

func (d *fakeDriver) GetFrame() ([]byte, uint32, error) { return d.sent, 2, d.failing("frame") }

func (d *fakeDriver) ReleaseFrame(index uint32) error {
	d.released = append(d.released, index)
	return nil
}

func (d *fakeDriver) Close() error { d.closed++; return nil }

func fixed(w, h uint32) webcam.FrameSize {
	return webcam.FrameSize{MinWidth: w, MaxWidth: w, MinHeight: h, MaxHeight: h}
}

func webcamOf() *fakeDriver {
	return &fakeDriver{sizes: map[string][]webcam.FrameSize{
		"H264": {fixed(1280, 720)}, "YUYV": {fixed(640, 480), fixed(1280, 720)},
		"MJPG": {{MinWidth: 160, MaxWidth: 1920, StepWidth: 16, MinHeight: 120, MaxHeight: 1080, StepHeight: 8}},
	}}
}

func TestTheDriverIsAskedForTheBestMode(t *testing.T) {
	d := webcamOf()
	m, err := start(d)
	want := mode{formatMJPEG, 1280, 720}
	if err != nil || m != want || d.asked != [3]uint32{uint32(formatMJPEG), 1280, 720} {
		t.Errorf("%+v, asked for %v, %v", m, d.asked, err)
	}
	for _, call := range []string{"format", "buffers", "start"} {
		d := webcamOf()
		d.fails = call
		if _, err := start(d); !errors.Is(err, errDriver) {
			t.Errorf("%s: %v", call, err)
		}
	}
	d.insists = "H264"
	if _, err := start(d); err == nil {
		t.Error("a format that nobody asked for was taken")
	}
}

func TestTheDriversPicturesArriveAndAreGivenBack(t *testing.T) {
	d := webcamOf()
	d.sent = slices.Clone(pattern(1).Pix)
	d.waits = []error{new(webcam.Timeout), unix.EINTR, nil, unix.ENODEV}
	src := &camera{place: "/dev/video7", mode: mode{formatGrey, 32, 24}, dev: v4l2{d}}
	if img, err := src.Next(context.Background()); err != nil || !near(img, pattern(1)) {
		t.Errorf("%v", err)
	}
	if !slices.Equal(d.released, []uint32{2}) {
		t.Errorf("given back: %v", d.released)
	}
	if _, err := src.Next(context.Background()); !errors.Is(err, unix.ENODEV) {
		t.Errorf("unplugged: %v", err)
	}
	d.fails = "frame"
	if _, err := src.Next(context.Background()); !errors.Is(err, errDriver) {
		t.Errorf("no picture: %v", err)
	}
	if err := src.Close(); err != nil || d.closed != 1 {
		t.Errorf("closed %d times, %v", d.closed, err)
	}
}

func TestOnlyCamerasAreListed(t *testing.T) {
	metadata := &fakeDriver{sizes: map[string][]webcam.FrameSize{"UVCH": {fixed(1, 1)}}}
	devices := map[string]*fakeDriver{"/dev/video2": webcamOf(), "/dev/video3": metadata}
	open := func(path string) (driver, error) {
		if d := devices[path]; d != nil {
			return d, nil
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission}
	}
	list, err := listCameras([]string{"/dev/video9", "/dev/video3", "/dev/video2"}, open)
	if err != nil || len(list) != 1 || list[0] != (Camera{"/dev/video2", "video2"}) {
		t.Errorf("%v, %v", list, err)
	}
	if metadata.closed != 1 {
		t.Error("a device stays open")
	}
	if list, err := listCameras(nil, open); len(list) > 0 || err != nil {
		t.Errorf("without devices: %v, %v", list, err)
	}
	var shut *SourceError
	if _, err := listCameras([]string{"/dev/video9"}, open); !errors.As(err, &shut) || !errors.Is(err, fs.ErrPermission) || shut.Hint() == "" {
		t.Errorf("a device that may not be opened: %v", err)
	}
}
