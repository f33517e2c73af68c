package source

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"
)

// A driver is V4L2's side of a camera, as *webcam.Webcam has it.
type driver interface {
	GetSupportedFormats() map[webcam.PixelFormat]string
	GetSupportedFrameSizes(f webcam.PixelFormat) []webcam.FrameSize
	SetImageFormat(f webcam.PixelFormat, width, height uint32) (webcam.PixelFormat, uint32, uint32, error)
	SetBufferCount(count uint32) error
	StartStreaming() error
	WaitForFrame(seconds uint32) error
	GetFrame() (sent []byte, index uint32, err error)
	ReleaseFrame(index uint32) error
	Close() error
}

func openDriver(path string) (driver, error) { return webcam.Open(path) }

// Cameras lists the machine's cameras. Other video devices are not in it. Where there are devices and none can be opened
// that is the error: a *SourceError.
func Cameras() ([]Camera, error) {
	paths, err := filepath.Glob("/dev/video*")
	if err != nil {
		return nil, err
	}
	return listCameras(paths, openDriver)
}

func listCameras(paths []string, open func(path string) (driver, error)) ([]Camera, error) {
	slices.Sort(paths)
	var list []Camera
	var shut error
	for _, path := range paths {
		cam, err := open(path)
		if err != nil { // no camera, or not ours to use
			shut = &SourceError{Place: path, Err: err, hint: cameraHint}
			continue
		}
		_, err = chooseMode(modesOf(cam))
		_ = cam.Close() // only looked at
		if err == nil {
			list = append(list, Camera{path, cameraName(path)})
		}
	}
	if len(list) == 0 {
		return nil, shut
	}
	return list, nil
}

func cameraName(path string) string {
	name, err := os.ReadFile(filepath.Join("/sys/class/video4linux", filepath.Base(path), "name"))
	if err != nil {
		return filepath.Base(path)
	}
	return strings.TrimSpace(string(name))
}

// buffers is how many pictures the driver keeps: few, so that what is read is what is seen now.
const buffers = 3

// OpenCamera starts a camera, such as /dev/video0.
func OpenCamera(path string) (Source, error) {
	fail := func(err error) (Source, error) { return nil, &SourceError{Place: path, Err: err, hint: cameraHint} }
	cam, err := openDriver(path)
	if err != nil {
		return fail(err)
	}
	m, err := start(cam)
	if err != nil {
		_ = cam.Close() // the first error tells more
		return fail(err)
	}
	return &camera{place: path, mode: m, dev: v4l2{cam}}, nil
}

func start(cam driver) (mode, error) {
	m, err := chooseMode(modesOf(cam))
	if err != nil {
		return mode{}, err
	}
	// The sizes that come back are those that were asked for, whatever the
	// driver made of them; a picture of another size is found by its length.
	got, _, _, err := cam.SetImageFormat(webcam.PixelFormat(m.format), uint32(m.width), uint32(m.height))
	if err != nil {
		return mode{}, fmt.Errorf("set %d x %d: %w", m.width, m.height, err)
	}
	if got != webcam.PixelFormat(m.format) {
		return mode{}, errors.New("the camera insists on another format than it offered")
	}
	if err := cam.SetBufferCount(buffers); err != nil {
		return mode{}, err
	}
	return m, cam.StartStreaming()
}

// modesOf lists what a camera offers, of sizes in steps the one nearest to the wanted.
func modesOf(cam driver) (modes []mode) {
	for format := range cam.GetSupportedFormats() {
		for _, size := range cam.GetSupportedFrameSizes(format) {
			modes = append(modes, mode{
				pixelFormat(format),
				inSteps(wantWidth, size.MinWidth, size.MaxWidth, size.StepWidth),
				inSteps(wantHeight, size.MinHeight, size.MaxHeight, size.StepHeight),
			})
		}
	}
	return modes
}

// v4l2 is a camera's driver.
type v4l2 struct{ cam driver }

func (v v4l2) wait(seconds uint32) (bool, error) {
	err := v.cam.WaitForFrame(seconds)
	var late *webcam.Timeout
	switch {
	case errors.As(err, &late) || errors.Is(err, unix.EINTR):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, nil
}

func (v v4l2) frame(use func(sent []byte)) error {
	sent, index, err := v.cam.GetFrame()
	if err != nil {
		return err
	}
	use(sent) // the driver writes into it again once it is released
	return v.cam.ReleaseFrame(index)
}

func (v v4l2) close() error { return v.cam.Close() }
