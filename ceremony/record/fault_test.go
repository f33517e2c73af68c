package record

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// errFault is what a broken disk says.
var errFault = errors.New("input/output error")

// A fault makes the nth operation fail. Each comes in several kinds: before it
// took effect, after it took effect, and for writes also half done.
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

var faultKinds = []faultKind{before, half, after}

// A faultyDisk is the real disk with one fault in it, and with a platter: the
// real files are the system's memory, and only what was synced survives cut. As on Linux, a
// sync that failed forgets what it had to write, so that the next one succeeds without it.
type faultyDisk struct {
	osDisk
	fault   fault
	count   int
	what    string            // the operation that failed
	platter map[string][]byte // by path
	named   map[string]bool   // a name is on the platter once its folder was synced
	dirty   map[string][]func(old []byte) []byte
	open_   []*faultyFile
}

func newFaultyDisk(f fault) *faultyDisk {
	return &faultyDisk{fault: f, platter: map[string][]byte{}, named: map[string]bool{}, dirty: map[string][]func([]byte) []byte{}}
}

// do runs one operation, or the fault in its place.
func (d *faultyDisk) do(what string, op func() error, halfOp func()) error {
	d.count++
	if d.count != d.fault.n {
		return op()
	}
	d.what = what
	switch d.fault.kind {
	case after:
		_ = op() // it took effect, and the fault is all that is reported
	case half:
		if halfOp != nil {
			halfOp()
		}
	}
	return fmt.Errorf("%s: %w", what, errFault)
}

func (d *faultyDisk) create(path string) (file, error) {
	return d.wrap("create "+filepath.Base(path), path, func(path string) (file, error) {
		f, err := d.osDisk.create(path)
		if err == nil {
			d.platter[path] = nil
		}
		return f, err
	})
}

func (d *faultyDisk) open(path string) (file, error) {
	if _, ok := d.platter[path]; !ok { // it was there before
		d.platter[path], _ = os.ReadFile(path)
		d.named[path] = true
	}
	return d.wrap("open "+filepath.Base(path), path, d.osDisk.open)
}

func (d *faultyDisk) wrap(what, path string, open func(string) (file, error)) (file, error) {
	var f file
	var openErr error
	err := d.do(what, func() error { f, openErr = open(path); return openErr }, nil)
	if err != nil && f != nil {
		_ = f.Close() // it is denied that it was opened
	}
	if err != nil {
		return nil, err
	}
	ff := &faultyFile{file: f, disk: d, path: path}
	d.open_ = append(d.open_, ff)
	return ff, nil
}

func (d *faultyDisk) lock(f file) error {
	return d.do("lock", func() error { return d.osDisk.lock(f.(*faultyFile).file) }, nil)
}

func (d *faultyDisk) syncFolder(path string) error {
	return d.do("sync folder", func() error {
		for name := range d.platter {
			d.named[name] = true
		}
		return d.osDisk.syncFolder(path)
	}, nil)
}

func (d *faultyDisk) stat(path string) (info fs.FileInfo, err error) {
	err = d.do("stat", func() error { info, err = d.osDisk.stat(path); return err }, nil)
	return info, err
}

// cut is a power cut: every file falls back to what was synced of it.
func (d *faultyDisk) cut(t *testing.T) {
	t.Helper()
	for _, f := range d.open_ {
		_ = f.file.Close() // some are closed already
	}
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
	file
	disk *faultyDisk
	path string
}

func (f *faultyFile) WriteAt(p []byte, off int64) (n int, err error) {
	write := func(p []byte) (int, error) {
		f.disk.dirty[f.path] = append(f.disk.dirty[f.path], func(old []byte) []byte {
			end := int(off) + len(p)
			next := make([]byte, max(end, len(old)))
			copy(next, old)
			copy(next[off:], p)
			return next
		})
		return f.file.WriteAt(p, off)
	}
	p = bytes.Clone(p)
	err = f.disk.do("write "+filepath.Base(f.path),
		func() error { n, err = write(p); return err },
		func() { n, _ = write(p[:len(p)/2]) })
	return n, err
}

func (f *faultyFile) Sync() error {
	defer delete(f.disk.dirty, f.path)
	return f.disk.do("sync "+filepath.Base(f.path), func() error {
		data := f.disk.platter[f.path]
		for _, change := range f.disk.dirty[f.path] {
			data = change(data)
		}
		f.disk.platter[f.path] = data
		return nil
	}, nil)
}

func (f *faultyFile) Truncate(size int64) error {
	return f.disk.do("truncate", func() error {
		f.disk.dirty[f.path] = append(f.disk.dirty[f.path], func(old []byte) []byte { return old[:min(int(size), len(old))] })
		return f.file.Truncate(size)
	}, nil)
}

// Close lets go of the file also when it fails, as systems do.
func (f *faultyFile) Close() error {
	err := f.file.Close()
	return f.disk.do("close "+filepath.Base(f.path), func() error { return err }, nil)
}

// eachFault runs the scenario with every operation of it failing in every kind,
// until a run meets no fault any more.
func eachFault(t *testing.T, atLeast int, scenario func(t *testing.T, d *faultyDisk)) {
	t.Helper()
	met := 0
	for _, kind := range faultKinds {
		for n := 1; ; n++ {
			d := newFaultyDisk(fault{n, kind})
			t.Run(fmt.Sprintf("operation %d failed %s", n, kind), func(t *testing.T) { scenario(t, d) })
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
