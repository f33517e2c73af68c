//go:build !linux

package source

import "errors"

var errNoCameras = errors.New("cameras are read on Linux only")

// Cameras lists the machine's cameras: on this system none that can be read.
func Cameras() ([]Camera, error) { return nil, nil }

// OpenCamera is not possible on this system.
func OpenCamera(path string) (Source, error) {
	return nil, &SourceError{Place: path, Err: errNoCameras, hint: "Take pictures with another program, and give their files or folder."}
}
