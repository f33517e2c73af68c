// Package s3test starts a real S3 server for tests, on this machine and for one run: it checks
// signatures, users, policies, conditions and checksums. Nothing stays behind.
package s3test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The server's administrator. Nothing else is behind this key.
const (
	Access = "practice"
	Secret = "practice-secret"
)

// startTime is how long a server may take to answer on a machine that has other things to do.
const startTime = 20 * time.Second

// A Server is running until it is closed, or until the process that started it ends.
type Server struct {
	URL    string // http://127.0.0.1:PORT
	Binary string // path of versitygw

	dir     string
	process *exec.Cmd
	said    bytes.Buffer
}

// PID is the server's process.
func (s *Server) PID() int { return s.process.Process.Pid }

// Start builds the server, where it is not built yet, from the module in the folder module (testdata/s3), and starts it on a free port.
func Start(module string) (*Server, error) {
	built, err := exec.Command("go", "-C", module, "tool", "-n", "versitygw").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return nil, fmt.Errorf("build versitygw: %w", err)
	}
	s := &Server{Binary: strings.TrimSpace(string(built))}
	if err := s.start(); err != nil {
		s.Close()
		return nil, fmt.Errorf("start versitygw: %w", err)
	}
	return s, nil
}

func (s *Server) start() (err error) {
	if s.dir, err = os.MkdirTemp("", "conclave-s3-"); err != nil {
		return err
	}
	for _, sub := range []string{"data", "versions", "users"} {
		if err := os.Mkdir(filepath.Join(s.dir, sub), 0o700); err != nil {
			return err
		}
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	s.URL = "http://" + port
	s.process = exec.Command(s.Binary, "--quiet", "--keep-alive", "--port", port,
		"--access", Access, "--secret", Secret, "--health", "/-healthz", "--iam-dir", filepath.Join(s.dir, "users"),
		"posix", "--versioning-dir", filepath.Join(s.dir, "versions"), filepath.Join(s.dir, "data"))
	s.process.Stdout, s.process.Stderr = &s.said, &s.said
	endWithUs(s.process)
	if err := s.process.Start(); err != nil {
		s.process = nil
		return err
	}
	if err := s.Profile("default", Access, Secret); err != nil {
		return err
	}
	return s.wait()
}

// Close ends the server and removes everything that it kept.
func (s *Server) Close() {
	if s.process != nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
	}
	_ = os.RemoveAll(s.dir)
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// wait returns when the server answers.
func (s *Server) wait() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		answer, err := http.Get(s.URL + "/-healthz")
		if err == nil {
			answer.Body.Close()
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", err, s.said.String())
		case <-tick.C:
		}
	}
}

// Environment lets a program find the administrator's credentials as it finds any, and none of the person's who
// runs the tests. It names no server.
func (s *Server) Environment() map[string]string {
	return map[string]string{
		"AWS_SHARED_CREDENTIALS_FILE": s.credentials(), "AWS_CONFIG_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_S3": "", "AWS_PROFILE": "",
	}
}

func (s *Server) credentials() string { return filepath.Join(s.dir, "credentials") }

// Profile adds a section to the credentials file, without keys where access is "". Its calls must not overlap.
func (s *Server) Profile(name, access, secret string) error {
	f, err := os.OpenFile(s.credentials(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	keys := ""
	if access != "" {
		keys = fmt.Sprintf("aws_access_key_id = %s\naws_secret_access_key = %s\n", access, secret)
	}
	_, err = fmt.Fprintf(f, "[%s]\nregion = us-east-1\n%s", name, keys)
	return errors.Join(err, f.Close())
}
