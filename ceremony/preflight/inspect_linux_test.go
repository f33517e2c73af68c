package preflight

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"conclave/ceremony/tuf"
)

// machine is a machine whose /proc and /sys hold just files.
func machine(files map[string]string) *Machine {
	root := fstest.MapFS{
		"sys/class/net/lo/operstate": {Data: []byte("unknown\n")},
		"proc/swaps":                 {Data: []byte("Filename Type Size Used Priority\n")},
	}
	for name, data := range files {
		root[name] = &fstest.MapFile{Data: []byte(data)}
	}
	return &Machine{
		root:    root,
		program: func() ([32]byte, error) { return [32]byte{1}, nil },
		memory:  func() Check { return Check{Name: "memory", Status: OK} },
	}
}

func TestEvidence(t *testing.T) {
	const routes = "Iface Destination Gateway\n"
	for _, tt := range []struct {
		name   string
		files  map[string]string
		check  string
		status Status
		text   string
	}{
		{"nothing but the loopback", nil, "network", OK, "no interface"},
		{"an interface that is down", map[string]string{"sys/class/net/eth0/operstate": "down\n"}, "network", OK, "down: eth0"},
		{"an interface that is up", map[string]string{"sys/class/net/eth0/operstate": "up\n"}, "network", Stop, "live: eth0"},
		{"a cable in an interface that calls itself down", map[string]string{
			"sys/class/net/eth0/operstate": "down\n", "sys/class/net/eth0/carrier": "1\n",
		}, "network", Stop, "eth0"},
		{"an interface of unknown state with IFF_UP", map[string]string{
			"sys/class/net/tun0/operstate": "unknown\n", "sys/class/net/tun0/flags": "0x1091\n",
		}, "network", Stop, "tun0"},
		{"an interface of unknown state without IFF_UP", map[string]string{
			"sys/class/net/tun0/operstate": "unknown\n", "sys/class/net/tun0/flags": "0x1090\n",
		}, "network", OK, "tun0"},
		{"an interface that says nothing of itself", map[string]string{"sys/class/net/odd0/address": "00\n"}, "network", Stop, "odd0"},
		{"a route with no interface up", map[string]string{"proc/net/route": routes + "ppp0 00000000 0\n"}, "network", Stop, "route"},
		{"an IPv6 address on another interface", map[string]string{
			"proc/net/if_inet6": "fe800000000000000000000000000001 02 40 20 80 wlan0\n",
		}, "network", Stop, "route"},
		{"the loopback's own IPv6 address", map[string]string{
			"proc/net/if_inet6": "00000000000000000000000000000001 01 80 10 80 lo\n",
		}, "network", OK, "no interface"},
		{"a radio that is on", map[string]string{
			"sys/class/rfkill/rfkill0/type": "bluetooth\n", "sys/class/rfkill/rfkill0/soft": "0\n", "sys/class/rfkill/rfkill0/hard": "0\n",
		}, "radios", Stop, "bluetooth"},
		{"a blocked radio", map[string]string{
			"sys/class/rfkill/rfkill0/type": "wlan\n", "sys/class/rfkill/rfkill0/soft": "1\n",
		}, "radios", OK, "blocked: wlan"},
		{"no radio", nil, "radios", OK, "none"},
		{"no swap", nil, "swap", OK, "none"},
		{"swap that is switched on", map[string]string{
			"proc/swaps": "Filename Type Size Used Priority\n/dev/sda2 partition 524288 1024 -2\n",
		}, "swap", Stop, "512 MB, 1 MB in use"},
		{"the program's digest", nil, "program", OK, "0100 0000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, c := range machine(tt.files).Inspect(context.Background()) {
				if c.Name != tt.check {
					continue
				}
				if c.Status != tt.status || !strings.Contains(c.Text, tt.text) {
					t.Errorf("%+v, want %s with %q", c, tt.status, tt.text)
				}
				if c.Status == Stop && c.Fix == "" {
					t.Error("a line that stops a ceremony says what to do")
				}
				return
			}
			t.Fatalf("no check named %s", tt.check)
		})
	}
}

func TestProgramDigestIsSpokenInWords(t *testing.T) {
	c := machine(nil).programCheck()
	want := strings.Join(tuf.Digest{1}.Words(), " ")
	if got := strings.Join(c.Detail, " "); got != want {
		t.Errorf("words %q, want %q", got, want)
	}
}

func TestUnreadableProgramStops(t *testing.T) {
	m := machine(nil)
	m.program = func() ([32]byte, error) { return [32]byte{}, errors.New("stick pulled") }
	if c := m.programCheck(); c.Status != Stop || !strings.Contains(c.Text, "stick pulled") {
		t.Errorf("%+v", c)
	}
}

func TestQuickLeavesTheProgramOut(t *testing.T) {
	m := machine(nil)
	m.program = func() ([32]byte, error) { t.Error("the program was read again"); return [32]byte{}, nil }
	if len(m.Quick(context.Background())) == 0 {
		t.Error("nothing was looked at")
	}
}

// TestThisMachine runs the real thing: this process asks its own kernel.
func TestThisMachine(t *testing.T) {
	for _, c := range Here().Inspect(context.Background()) {
		if c.Status == "" || c.Text == "" {
			t.Errorf("%+v says nothing", c)
		}
		if c.Name == "memory" && c.Status == Stop {
			t.Errorf("core dumps could not be turned off: %s", c.Text)
		}
	}
}
