package virtual

import (
	"fmt"
	"os"
)

// Main runs the tests of a package with a service of their own, which it puts into service: the one
// of the test binary, for libpcsclite reads its address once in the life of a process. It returns
// the exit code.
func Main(service **Service, run func() int) int {
	code, err := serve(service, run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func serve(service **Service, run func() int) (int, error) {
	dir, err := os.MkdirTemp("", "conclave")
	if err != nil {
		return 0, fmt.Errorf("make a folder for the smart card service: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	s, err := Start(dir)
	if err != nil {
		return 0, err
	}
	defer func() { _ = s.Close() }()
	if err := s.Use(); err != nil {
		return 0, err
	}
	*service = s
	return run(), nil
}
