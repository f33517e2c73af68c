package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOfflineBuildHasNoNetwork lists what the offline build links: no HTTP, no
// cloud, neither of the two packages that may know them.
func TestOfflineBuildHasNoNetwork(t *testing.T) {
	deps := func(tags string) map[string]bool {
		out, err := exec.Command("go", "list", "-deps", "-tags", tags, ".").Output()
		if err != nil {
			t.Fatal(err)
		}
		set := map[string]bool{}
		for _, p := range strings.Fields(string(out)) {
			set[p] = true
		}
		return set
	}
	offline := deps("offline")
	for p := range offline {
		for _, banned := range []string{"net/http", "crypto/tls", "github.com/aws", "conclave/transfer/publish", "conclave/transfer/client"} {
			if p == banned || strings.HasPrefix(p, banned+"/") {
				t.Errorf("the offline build links %s", p)
			}
		}
	}
	if !deps("")["conclave/transfer/publish"] {
		t.Error("the full build does not publish: this test looks at the wrong thing")
	}
}

// TestOfflineBuildRehearses builds the offline program and plays a whole rehearsal with it.
func TestOfflineBuildRehearses(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "conclave")
	if out, err := exec.Command("go", "build", "-tags", "offline", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	dir := filepath.Join(t.TempDir(), "practice")
	out, err := exec.Command(bin, "rehearse", dir, "--auto").CombinedOutput()
	if err != nil {
		t.Fatalf("rehearse: %v\n%s", err, out)
	}
	for _, want := range []string{"root-1+targets-1.complete", "targets-2.complete", "root-2.complete"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %s in the story:\n%s", want, out)
		}
	}
	if out, err := exec.Command(bin, "publish").CombinedOutput(); err == nil {
		t.Errorf("the offline build publishes:\n%s", out)
	}
}
