package transfer

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// look asks the system about the medium. Only what a write depends on is an error.
func (m *MediumInfo) look() error {
	var s unix.Statfs_t
	if err := unix.Statfs(m.Dir, &s); err != nil {
		return &os.PathError{Op: "statfs", Path: m.Dir, Err: err}
	}
	m.Free = int64(s.Bavail) * s.Bsize
	m.Total = int64(s.Blocks) * s.Bsize
	m.ReadOnly = s.Flags&unix.ST_RDONLY != 0
	m.findMount("/proc/self/mountinfo")
	m.Label = labelOf(m.Device, "/dev/disk/by-label")
	return nil
}

// findMount reads which mount the folder is on: the longest that it is below,
// and of those the last, which hides the others.
func (m *MediumInfo) findMount(mountinfo string) {
	f, err := os.Open(mountinfo)
	if err != nil {
		return
	}
	defer f.Close() // only read
	dir := m.Dir
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		mount, kind, device := parseMount(lines.Text())
		if mount != "" && len(mount) >= len(m.Mount) && below(dir, mount) {
			m.Mount, m.FileSystem, m.Device = mount, kind, device
		}
	}
}

// parseMount reads one line: "36 35 98:0 / /mnt rw,noatime master:1 - ext3 /dev/root rw".
func parseMount(line string) (mount, kind, device string) {
	left, right, ok := strings.Cut(line, " - ")
	head, tail := strings.Fields(left), strings.Fields(right)
	if !ok || len(head) < 5 || len(tail) < 2 {
		return "", "", ""
	}
	return unescape(head[4]), tail[0], unescape(tail[1])
}

func below(dir, mount string) bool {
	return dir == mount || strings.HasPrefix(dir, strings.TrimSuffix(mount, "/")+"/")
}

// labelOf finds the link that udev made for the device.
func labelOf(device, links string) string {
	entries, err := os.ReadDir(links)
	if err != nil || device == "" {
		return ""
	}
	for _, e := range entries {
		target, err := filepath.EvalSymlinks(filepath.Join(links, e.Name()))
		if err == nil && target == device {
			return unescape(e.Name())
		}
	}
	return ""
}
