package main

import (
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"conclave/transfer/publish/s3test"
)

// storage is the S3 server of all scripts of one test, started when the first one asks for it.
type storage struct {
	t    *testing.T
	once sync.Once
	s3   *s3test.Server
	err  error
}

func newStorage(t *testing.T) *storage {
	s := &storage{t: t}
	t.Cleanup(func() {
		if s.s3 != nil {
			s.s3.Close()
		}
	})
	return s
}

func (s *storage) server() (*s3test.Server, error) {
	s.once.Do(func() { s.s3, s.err = s3test.Start("../../testdata/s3") })
	return s.s3, s.err
}

// condition is true for [s3] where there is a server. In CI there must be one.
func (s *storage) condition(name string) (bool, error) {
	var err error
	switch name {
	case "s3":
		_, err = s.server()
	case "softhsm":
		_, err = exec.LookPath("softhsm2-util")
	default:
		return false, nil
	}
	if os.Getenv("CI") == "true" {
		return true, err
	}
	return err == nil, nil
}

// s3 lets the programs of a script find the server as they find any: by the environment and the shared files.
func (s *storage) cmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: s3")
	}
	server, err := s.server()
	ts.Check(err)
	for name, value := range server.Environment() {
		ts.Setenv(name, value)
	}
	ts.Setenv("AWS_ENDPOINT_URL", server.URL)
}
