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

// Cameras lists the machine's cameras. Other video devices are not in it.
func Cameras() ([]Camera, error) {
	paths, err := filepath.Glob("/dev/video*")
	if err != nil {
		return nil, err
	}
	slices.Sort(paths)
	var list []Camera
	for _, path := range paths {
		cam, err := webcam.Open(path)
		if err != nil {
			continue // no camera, or not ours to use
		}
		_, err = chooseMode(modesOf(cam))
		_ = cam.Close() // only looked at
		if err == nil {
			list = append(list, Camera{path, cameraName(path)})
		}
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
	cam, err := webcam.Open(path)
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

func start(cam *webcam.Webcam) (mode, error) {
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
func modesOf(cam *webcam.Webcam) (modes []mode) {
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
type v4l2 struct{ cam *webcam.Webcam }

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
