package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestKilledRehearsalCompletes pulls the plug on the real program, again and again, a
// little later each time, and starts it again on the same folder: it goes on where it stood, and in the
// end everything is signed, published and verified from the first root on.
func TestKilledRehearsalCompletes(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "conclave")
	if err := os.Symlink(self, bin); err != nil { // testscript makes this name the program
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "practice")
	// As after the earliest moment: the folder is locked, and the options are half written.
	leave(t, filepath.Join(dir, lockName), "")
	leave(t, filepath.Join(dir, ".conclave-0123456789abcdef.tmp"), "{")
	killed := 0
	for after := 20 * time.Millisecond; after < 600*time.Millisecond; after += 45 * time.Millisecond {
		ctx, cancel := context.WithTimeout(context.Background(), after)
		if err := exec.CommandContext(ctx, bin, "rehearse", dir, "--auto").Run(); err != nil && ctx.Err() != nil {
			killed++
		}
		cancel()
	}
	// Also in the middle of a file to release.
	for _, folder := range []string{"release", "release-2"} {
		leave(t, filepath.Join(dir, folder, ".conclave-0123456789abcdef.tmp"), "Hel")
	}
	if killed < 3 {
		t.Errorf("only %d runs were killed: the plug comes too late", killed)
	}
	out, err := exec.Command(bin, "rehearse", dir, "--auto").CombinedOutput()
	if err != nil {
		t.Fatalf("after %d kills it does not complete: %v\n%s", killed, err, out)
	}
	for _, args := range [][]string{
		{"verify", filepath.Join(dir, "bundles", "root-2.complete.bundle.json"), "--root", filepath.Join(dir, "trusted", "1.root.json")},
		{"record", "verify", filepath.Join(dir, "record", "1-genesis")},
		{"record", "verify", filepath.Join(dir, "record", "3-renewal")},
		{"publish", "status", "--config", filepath.Join(dir, "online", "publish.json")},
	} {
		if out, err := exec.Command(bin, args...).CombinedOutput(); err != nil {
			t.Errorf("conclave %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// leave writes what a run that was killed leaves behind.
func leave(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
