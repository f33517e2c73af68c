package preflight

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"io/fs"
	"sort"
	"strings"
)

const (
	sysNet    = "sys/class/net"
	sysRadios = "sys/class/rfkill"
	procRoute = "proc/net/route"
	procIPv6  = "proc/net/if_inet6"
)

// networkCheck names every interface other than the loopback that is up or has a route.
func (m *Machine) networkCheck() Check {
	c := Check{Name: "network"}
	entries, err := fs.ReadDir(m.root, sysNet)
	if err != nil {
		c.Status, c.Text = Stop, fmt.Sprintf("cannot list interfaces: %v", err)
		c.Fix = "check by eye that no cable is plugged in and every radio is off"
		return c
	}
	var live, quiet []string
	for _, e := range entries {
		if e.Name() == "lo" {
			continue
		}
		if m.up(e.Name()) {
			live = append(live, e.Name())
			c.Found = append(c.Found, "live "+e.Name())
		} else {
			quiet = append(quiet, e.Name())
		}
	}
	routed := m.routed()
	for _, name := range routed {
		c.Detail = append(c.Detail, "route through "+name)
	}
	c.Found = append(c.Found, c.Detail...)
	switch {
	case len(live) > 0:
		c.Status = Stop
		c.Text = fmt.Sprintf("live: %s", strings.Join(live, ", "))
		c.Fix = "ip link set " + live[0] + " down"
	case len(routed) > 0:
		c.Status = Stop
		c.Text = "no interface is up, but there is a route"
		c.Fix = "ip route flush table main"
	case len(quiet) > 0:
		c.Status = OK
		c.Text = fmt.Sprintf("no interface is up (down: %s)", strings.Join(quiet, ", "))
	default:
		c.Status, c.Text = OK, "no interface but the loopback"
	}
	return c
}

// up reports whether an interface carries traffic or could: the kernel's
// operstate is "unknown" for many virtual and wireless devices, so IFF_UP decides there.
func (m *Machine) up(name string) bool {
	dir := sysNet + "/" + name
	switch m.word(dir + "/operstate") {
	case "down", "notpresent":
		return m.word(dir+"/carrier") == "1"
	case "up", "dormant", "lowerlayerdown", "testing":
		return true
	}
	var flags uint64
	if _, err := fmt.Sscanf(m.word(dir+"/flags"), "0x%x", &flags); err != nil {
		return true // an interface that hides its state is not evidence of quiet
	}
	const iffUp = 0x1
	return flags&iffUp != 0
}

// routed lists interfaces that the IPv4 routing table or an IPv6 address names.
func (m *Machine) routed() []string {
	seen := map[string]bool{}
	for i, line := range m.lines(procRoute) {
		if f := strings.Fields(line); i > 0 && len(f) > 1 && f[0] != "lo" {
			seen[f[0]] = true
		}
	}
	for _, line := range m.lines(procIPv6) {
		f := strings.Fields(line)
		if len(f) != 6 || f[5] == "lo" {
			continue
		}
		if addr, err := hex.DecodeString(f[0]); err == nil && len(addr) == 16 {
			seen[f[5]] = true
		}
	}
	names := make([]string, 0, len(seen))
	for n := range seen {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// radioCheck names radios that are not blocked: Bluetooth and Wi-Fi reach out without a cable.
func (m *Machine) radioCheck() Check {
	c := Check{Name: "radios", Status: OK, Text: "none"}
	entries, err := fs.ReadDir(m.root, sysRadios)
	if err != nil {
		return c // no rfkill: the kernel knows no radio
	}
	var on, off []string
	for _, e := range entries {
		dir := sysRadios + "/" + e.Name()
		kind := m.word(dir + "/type")
		if m.word(dir+"/soft") == "1" || m.word(dir+"/hard") == "1" {
			off = append(off, kind)
		} else {
			on = append(on, kind)
			c.Found = append(c.Found, e.Name()+" "+kind)
		}
	}
	switch {
	case len(on) > 0:
		c.Status, c.Text, c.Fix = Stop, "on: "+strings.Join(on, ", "), "rfkill block all"
	case len(off) > 0:
		c.Text = "blocked: " + strings.Join(off, ", ")
	}
	return c
}

// word is a file's content without surrounding space, "" where it cannot be read.
func (m *Machine) word(name string) string {
	b, err := fs.ReadFile(m.root, name)
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(b))
}

func (m *Machine) lines(name string) []string {
	b, err := fs.ReadFile(m.root, name)
	if err != nil {
		return nil
	}
	var out []string
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		out = append(out, s.Text())
	}
	return out
}
