package hsm

import (
	"strings"
	"testing"
)

func TestFirmwareIsComparedAsNumbers(t *testing.T) {
	for _, c := range []struct {
		firmware string
		want     bool
	}{
		{"5.7.1", true},
		{"5.7.0", true},
		{"5.10.0", true},
		{"6.0.0", true},
		{"5.4.3", false},
		{"4.9.9", false},
		{"", false},
		{"5.7", false},
		{"5.x.1", false},
		{"5.7.-1", false},
		{"5.7.1.2", false},
	} {
		if got := FirmwareAtLeast(c.firmware, 5, 7); got != c.want {
			t.Errorf("%q at least 5.7: %v", c.firmware, got)
		}
		weak := Weaknesses(c.firmware)
		if (len(weak) == 0) != c.want || len(weak) > 0 && !strings.Contains(weak[0], "EUCLEAK") {
			t.Errorf("%q: %q", c.firmware, weak)
		}
	}
}
