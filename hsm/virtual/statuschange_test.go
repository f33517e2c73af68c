package virtual

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestStatusChange drives SCardGetStatusChange of the real libpcsclite from a
// small C program, since go-piv does not call it.
func TestStatusChange(t *testing.T) {
	program := compile(t)
	s := startService(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(os.Environ(), socketVariable+"="+s.Socket())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	expect := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("got %q, want %q", lines.Text(), want)
		}
	}
	expect("establish 00000000")
	expect("timeout 8010000a")

	card := newCard(t)
	s.untilWaiting(t)
	reader := s.mustInsert(t, card)
	expect("arrival 00000000 changed")
	expect("list 00000000")
	expect("reader " + reader)
	expect("state 00000000 present changed")

	s.untilWaiting(t)
	s.Remove(card)
	expect("removal 00000000 unknown changed")
	expect("release 00000000")
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

// untilWaiting returns once a client waits for a change. No channel tells of
// another process, so it looks again and again.
func (s *Service) untilWaiting(t *testing.T) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		s.mu.Lock()
		n := len(s.waiting)
		s.mu.Unlock()
		if n > 0 {
			return
		}
		select {
		case <-deadline:
			t.Fatal("nobody waits")
		case <-tick.C:
		}
	}
}

func compile(t *testing.T) string {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler")
	}
	program := filepath.Join(t.TempDir(), "statuschange")
	source := filepath.Join("testdata", "statuschange.c")
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "libpcsclite").Output()
	if err != nil {
		t.Skip("no libpcsclite to compile against")
	}
	args := append([]string{"-Wall", "-Werror", "-o", program, source}, strings.Fields(string(flags))...)
	if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("compile: %v\n%s", err, out)
	}
	return program
}
