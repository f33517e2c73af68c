package transfer

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheMountOfAMediumIsFound(t *testing.T) {
	const table = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 8:1 / /media/ann/MY\040STICK rw,nosuid - vfat /dev/sda1 rw,fmask=0022
24 23 8:2 / /media/ann/MY\040STICK ro shared:3 master:1 - exfat /dev/sdb1 ro
25 22 0:5 / /media/ann/MY rw - tmpfs none rw
not a line of the table
`
	mountinfo := filepath.Join(t.TempDir(), "mountinfo")
	if err := os.WriteFile(mountinfo, []byte(table), 0o644); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]MediumInfo{
		"/media/ann/MY STICK":         {Mount: "/media/ann/MY STICK", FileSystem: "exfat", Device: "/dev/sdb1"},
		"/media/ann/MY STICK/bundles": {Mount: "/media/ann/MY STICK", FileSystem: "exfat", Device: "/dev/sdb1"},
		"/media/ann/MY STICKS":        {Mount: "/", FileSystem: "ext4", Device: "/dev/vda"},
		"/media/ann/MY":               {Mount: "/media/ann/MY", FileSystem: "tmpfs", Device: "none"},
		"/home":                       {Mount: "/", FileSystem: "ext4", Device: "/dev/vda"},
	} {
		want.Dir = dir
		got := MediumInfo{Dir: dir}
		got.findMount(mountinfo)
		if got != want {
			t.Errorf("%s is on %+v, want %+v", dir, got, want)
		}
	}
}

func TestTheLabelOfAMediumIsFound(t *testing.T) {
	dir := t.TempDir()
	device, links := filepath.Join(dir, "sda1"), filepath.Join(dir, "by-label")
	if err := os.WriteFile(device, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(links, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../sda1", filepath.Join(links, `MY\x20STICK`)); err != nil {
		t.Fatal(err)
	}
	if device, err := filepath.EvalSymlinks(device); err != nil || labelOf(device, links) != "MY STICK" {
		t.Errorf("the label is %q, %v", labelOf(device, links), err)
	}
	if got := labelOf("/dev/none", links); got != "" {
		t.Errorf("a device without a label has %q", got)
	}
}
