package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// errFault is what a broken medium says.
var errFault = errors.New("input/output error")

// A fault makes the nth operation fail: before it took effect, after it took
// effect, or half done.
type fault struct {
	n    int
	kind faultKind
}

type faultKind string

const (
	before faultKind = "before it took effect"
	half   faultKind = "half done"
	after  faultKind = "after it took effect"
)

// A faultyDisk is the real disk with one fault in it, and with a platter: the
// real files are the system's memory, and only what was synced survives cut.
type faultyDisk struct {
	osDisk
	fault   fault
	count   int
	what    string            // the operation that failed
	honest  bool              // it would have failed anyway
	platter map[string][]byte // synced bytes by path
	named   map[string]bool   // names that were synced
	garble  bool              // the medium gives back other bytes than were written
}

func newFaultyDisk(f fault) *faultyDisk {
	return &faultyDisk{fault: f, platter: map[string][]byte{}, named: map[string]bool{}}
}

func (d *faultyDisk) do(what string, op func() error, halfOp func()) error {
	d.count++
	if d.count != d.fault.n {
		return op()
	}
	d.what = what
	switch d.fault.kind {
	case after:
		if err := op(); err != nil {
			d.honest = true
			return err // a refusal such as a name that is taken
		}
	case half:
		if halfOp != nil {
			halfOp()
		}
	}
	return fmt.Errorf("%s: %w", what, errFault)
}

func (d *faultyDisk) createTemp(folder string) (f tempFile, path string, err error) {
	var real tempFile
	err = d.do("create", func() (err error) {
		real, path, err = d.osDisk.createTemp(folder)
		return err
	}, nil)
	if err != nil {
		if real != nil {
			real.Close()
		}
		return nil, "", err
	}
	return &faultyFile{real, d, path}, path, nil
}

func (d *faultyDisk) open(path string) (f io.ReadCloser, size int64, err error) {
	err = d.do("open", func() (err error) {
		f, size, err = d.osDisk.open(path)
		return err
	}, nil)
	if err != nil {
		if f != nil {
			f.Close()
		}
		return nil, 0, err
	}
	return &faultyReader{f, d}, size, nil
}

func (d *faultyDisk) rename(temp, path string) error {
	return d.do("rename", func() error { return d.moved(temp, path, d.osDisk.rename) }, nil)
}

func (d *faultyDisk) renameNew(temp, path string) error {
	return d.do("rename", func() error { return d.moved(temp, path, d.osDisk.renameNew) }, nil)
}

func (d *faultyDisk) moved(temp, path string, rename func(temp, path string) error) error {
	if err := rename(temp, path); err != nil {
		return err
	}
	d.platter[path] = d.platter[temp]
	d.named[path] = false
	delete(d.platter, temp)
	return nil
}

func (d *faultyDisk) remove(path string) error {
	return d.do("remove", func() error { return d.osDisk.remove(path) }, nil)
}

func (d *faultyDisk) syncFile(path string) error {
	return d.do("sync file", func() (err error) {
		d.platter[path], err = os.ReadFile(path)
		return err
	}, nil)
}

func (d *faultyDisk) syncFolder(path string) error {
	return d.do("sync folder", func() error {
		for name := range d.platter {
			d.named[name] = true
		}
		return d.osDisk.syncFolder(path)
	}, nil)
}

// cut is a power cut, or a stick that is pulled: files fall back to what was synced of them.
func (d *faultyDisk) cut(t *testing.T) {
	t.Helper()
	for path, data := range d.platter {
		if !d.named[path] {
			os.Remove(path)
			continue
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

type faultyFile struct {
	tempFile
	disk *faultyDisk
	path string
}

func (f *faultyFile) Write(p []byte) (n int, err error) {
	err = f.disk.do("write",
		func() error { n, err = f.tempFile.Write(p); return err },
		func() { n, _ = f.tempFile.Write(p[:len(p)/2]) })
	return n, err
}

func (f *faultyFile) Sync() error {
	return f.disk.do("sync", func() (err error) {
		f.disk.platter[f.path], err = os.ReadFile(f.path)
		return err
	}, nil)
}

func (f *faultyFile) Close() error {
	defer f.tempFile.Close()
	return f.disk.do("close", func() error { return nil }, nil)
}

type faultyReader struct {
	io.ReadCloser
	disk *faultyDisk
}

func (f *faultyReader) Read(p []byte) (n int, err error) {
	var end error
	err = f.disk.do("read", func() error {
		n, end = f.ReadCloser.Read(p)
		if errors.Is(end, io.EOF) {
			return nil
		}
		return end
	}, nil)
	if err == nil {
		err = end
	}
	if f.disk.garble && n > 0 {
		p[n/2] ^= 1
	}
	return n, err
}

// eachFault runs the scenario with every operation of it failing in every kind,
// until a run meets no fault any more. The scenario's folder is empty each time.
func eachFault(t *testing.T, atLeast int, scenario func(t *testing.T, d *faultyDisk, dir string)) {
	t.Helper()
	met := 0
	for _, kind := range []faultKind{before, half, after} {
		for n := 1; ; n++ {
			d := newFaultyDisk(fault{n, kind})
			t.Run(fmt.Sprintf("operation %d failed %s", n, kind), func(t *testing.T) { scenario(t, d, t.TempDir()) })
			if d.what == "" {
				break
			}
			met++
		}
	}
	if met < atLeast {
		t.Fatalf("%d faults were met, want at least %d: the scenario does not reach the disk", met, atLeast)
	}
}

// wantFile fails the test unless path holds exactly data.
func wantFile(t *testing.T, path string, data []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	} else if !bytes.Equal(got, data) {
		t.Errorf("%s holds %.60q, want %.60q", filepath.Base(path), got, data)
	}
}

// wantNoTemps fails the test if an unfinished file is left in dir.
func wantNoTemps(t *testing.T, dir string) {
	t.Helper()
	if stale, err := StaleTemps(dir); err != nil || len(stale) > 0 {
		t.Errorf("left behind: %v, %v", stale, err)
	}
}
