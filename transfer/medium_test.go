package transfer

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestAMediumIsTriedOut(t *testing.T) {
	dir := t.TempDir()
	info, err := Folder{dir}.Check()
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "linux" && (info.Free <= 0 || info.Total < info.Free || info.Mount == "" || info.FileSystem == "" || info.ReadOnly) {
		t.Errorf("found out: %+v", info)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestAMediumIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ dir, says string }{
		"a folder that is not there":        {file + ".none", "no such folder"},
		"a file":                            {file, "a file, not a folder"},
		"a file system of the kernel's own": {"/proc/self", "check medium"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := os.Stat("/proc/self"); err != nil && c.dir == "/proc/self" {
				t.Skip("no /proc here")
			}
			_, err := Folder{c.dir}.Check()
			var medium *MediumError
			if !errors.As(err, &medium) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("Check = %v, want a *MediumError that says %q", err, c.says)
			}
			wantHint(t, err)
		})
	}
}

func TestAMediumThatFailsAtAnyStepIsRefused(t *testing.T) {
	eachFault(t, 15, func(t *testing.T, d *faultyDisk, dir string) {
		_, err := checkMedium(d, dir)
		var medium *MediumError
		if d.what != "" && !d.honest && !(errors.As(err, &medium) && errors.Is(err, errFault)) {
			t.Errorf("Check = %v though %q failed", err, d.what)
		}
		if d.what == "" && err != nil {
			t.Error(err)
		}
		if err != nil {
			wantHint(t, err)
		}
	})
	d := newFaultyDisk(fault{})
	d.garble = true
	if _, err := checkMedium(d, t.TempDir()); err == nil {
		t.Error("a medium that gives back other bytes passed")
	}
}

func TestExport(t *testing.T) {
	dir := t.TempDir()
	f := Folder{dir}
	for range 2 {
		path, err := f.Export("root-5.bundle.json", newBytes)
		if err != nil || path != filepath.Join(dir, "root-5.bundle.json") {
			t.Fatalf("Export = %s, %v", path, err)
		}
		wantFile(t, path, newBytes)
	}
	if _, err := f.Export("root-5.bundle.json", oldBytes); !errors.Is(err, ErrExists) {
		t.Errorf("Export over another file = %v", err)
	}
	for _, name := range []string{"", ".", "..", "../a", "a/b", "/a", tempPrefix + "x" + tempSuffix} {
		if path, err := f.Export(name, newBytes); err == nil {
			t.Errorf("Export of %q wrote %s", name, path)
		}
	}
}
