package main

import (
	"os/exec"
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
