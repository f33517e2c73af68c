package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// BenchmarkFirstFrame is how long somebody waits between Enter and the first
// screen of a ceremony: program start, virtual tokens, record, preflight.
func BenchmarkFirstFrame(b *testing.B) {
	bin := builtProgram(b)
	for range b.N {
		b.StopTimer()
		dir := filepath.Join(b.TempDir(), "practice")
		cmd := exec.Command(bin, "rehearse", dir)
		cmd.Env = append(os.Environ(), "TERM=xterm-256color")
		b.StartTimer()
		f, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
		if err != nil {
			b.Fatal(err)
		}
		waitFor(b, f, "preflight")
		b.StopTimer()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = f.Close()
	}
}

// BenchmarkRehearsal is the whole main job: three ceremonies, published and downloaded.
func BenchmarkRehearsal(b *testing.B) {
	bin := builtProgram(b)
	for range b.N {
		dir := filepath.Join(b.TempDir(), "practice")
		if out, err := exec.Command(bin, "rehearse", dir, "--auto").CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
}

// builtProgram is the program as users have it: the test binary would measure itself.
func builtProgram(b *testing.B) string {
	bin := filepath.Join(b.TempDir(), "conclave")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

func waitFor(b *testing.B, f *os.File, text string) {
	var seen strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(seen.String(), text) {
		n, err := f.Read(buf)
		seen.Write(buf[:n])
		if err != nil {
			b.Fatalf("the program ended: %v\n%s", err, seen.String())
		}
	}
}
