package record

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A record is cut off at every byte, as a power cut during Append could. All
// complete entries survive, the rest stands beside the record, and the record goes on.
func TestALineTornAtAnyByteIsSetAside(t *testing.T) {
	whole, err := os.ReadFile(newRecord(t, 3))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for cut := range len(whole) + 1 {
		path := filepath.Join(dir, fmt.Sprintf("%d.jsonl", cut))
		if err := os.WriteFile(path, whole[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		checkTorn(t, path, whole[:cut])
	}
}

// Some file systems allot a line's bytes before they fill them: after a power
// cut part of the last line is zeros, its newline perhaps included.
func TestALineOfUnwrittenBytesIsSetAside(t *testing.T) {
	whole, _ := os.ReadFile(newRecord(t, 3))
	start := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	for name, zeros := range map[string][2]int{
		"all zeros":            {start, len(whole)},
		"zeros but a newline":  {start, len(whole) - 1},
		"zeros at its start":   {start, start + 20},
		"zeros in the middle":  {start + 30, start + 60},
		"zeros up to the tail": {start + 30, len(whole)},
	} {
		t.Run(name, func(t *testing.T) {
			data := bytes.Clone(whole)
			clear(data[zeros[0]:zeros[1]])
			path := filepath.Join(t.TempDir(), "record.jsonl")
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, torn, err := Read(path); err != nil || !torn {
				t.Errorf("Read: torn %v, %v", torn, err)
			}
			l, entries, err := Open(path)
			if err != nil || len(entries) != 2 {
				t.Fatalf("Open = %d entries, %v; want 2", len(entries), err)
			}
			defer mustClose(t, l)
			if aside, err := os.ReadFile(l.Torn()); err != nil || !bytes.Equal(aside, data[start:]) {
				t.Errorf("set aside %q, %v", aside, err)
			}
		})
	}
}

func checkTorn(t *testing.T, path string, data []byte) {
	t.Helper()
	complete := bytes.Count(data, []byte("\n"))
	tail := data[bytes.LastIndexByte(data, '\n')+1:]
	if entries, torn, err := Read(path); err != nil || len(entries) != complete || torn != (len(tail) > 0) {
		t.Fatalf("cut at %d: Read = %d entries, torn %v, %v", len(data), len(entries), torn, err)
	}
	l, entries, err := Open(path)
	if err != nil || len(entries) != complete {
		t.Fatalf("cut at %d: Open = %d entries, %v; want %d", len(data), len(entries), err, complete)
	}
	defer mustClose(t, l)
	if len(tail) == 0 {
		if l.Torn() != "" {
			t.Errorf("cut at %d: nothing was torn, and %s was made", len(data), l.Torn())
		}
		return
	}
	if aside, err := os.ReadFile(l.Torn()); err != nil || !bytes.Equal(aside, tail) {
		t.Errorf("cut at %d: set aside %q, %v; want %q", len(data), aside, err, tail)
	}
	appendNotes(t, l, 1)
	if entries, torn, err := Read(path); err != nil || torn || len(entries) != complete+1 {
		t.Errorf("cut at %d: after one more Append Read = %d entries, torn %v, %v", len(data), len(entries), torn, err)
	}
}

// tear leaves behind the record what a power cut would.
func tear(t *testing.T, path, tail string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(tail); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTornLinesOfSeveralPowerCutsAreAllKept(t *testing.T) {
	path := newRecord(t, 1)
	for i, tail := range []string{`{"seq":2,"a`, `{"seq":2,"b`, `{"seq":2,"a`} {
		tear(t, path, tail)
		l, _, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		mustClose(t, l)
		if got, _ := os.ReadFile(l.Torn()); string(got) != tail {
			t.Errorf("power cut %d: %s holds %q, want %q", i+1, l.Torn(), got, tail)
		}
	}
	// The third is the same as the first, which is kept already.
	if names, _ := filepath.Glob(path + ".torn-*"); len(names) != 2 {
		t.Errorf("torn lines in %v, want two files", names)
	}
}

func TestAnAppendThatFailedPoisonsTheLog(t *testing.T) {
	eachFault(t, 8, func(t *testing.T, d *faultyDisk) {
		path := newRecord(t, 2)
		l := openQuietly(t, d, path)
		e, err := l.Append(noon, "conductor", "noted", note{"third"})
		if d.what == "" {
			if err != nil {
				t.Fatalf("Append without a fault: %v", err)
			}
			letGo(l)
			return
		}
		failed := err != nil
		if failed {
			checkPoisoned(t, l, err)
		}
		letGo(l)
		checkReopened(t, path, 2, 3)
		if entries, _, _ := Read(path); !failed && entries[2].Hash != e.Hash {
			t.Error("what Append returned is not what Read gives")
		}
	})
}

// letGo ends a log as the end of the program does, unasked and unchecked.
func letGo(l *Log) { _ = l.file.Close() }

// openQuietly opens without faults, and starts counting then.
func openQuietly(t *testing.T, d *faultyDisk, path string) *Log {
	t.Helper()
	planned := d.fault
	d.fault = fault{}
	l, _, err := open(d, path)
	if err != nil {
		t.Fatal(err)
	}
	d.fault, d.count, d.what = planned, 0, ""
	return l
}

func checkPoisoned(t *testing.T, l *Log, err error) {
	t.Helper()
	var failed *AppendError
	if !errors.As(err, &failed) || failed.Seq != 3 || !errors.Is(err, errFault) || failed.Hint() == "" {
		t.Errorf("Append = %v, want an *AppendError for entry 3", err)
	}
	if _, err := l.Append(noon, "conductor", "noted", note{"fourth"}); !errors.Is(err, ErrPoisoned) || !errors.Is(err, errFault) {
		t.Errorf("Append after a failure = %v, want ErrPoisoned and its cause", err)
	}
	if _, n := l.Head(); n != 2 {
		t.Errorf("Head counts %d entries after a failure, want 2", n)
	}
}

// checkReopened opens the record on a healthy disk: it must hold between low
// and high entries, whole, and go on.
func checkReopened(t *testing.T, path string, low, high int) {
	t.Helper()
	l, entries, err := Open(path)
	if err != nil {
		t.Fatalf("Open after the fault: %v", err)
	}
	defer mustClose(t, l)
	if len(entries) < low || len(entries) > high {
		t.Errorf("%d entries after the fault, want %d to %d", len(entries), low, high)
	}
	appendNotes(t, l, 1)
	if again, torn, err := Read(path); err != nil || torn || len(again) != len(entries)+1 {
		t.Errorf("Read = %d entries, torn %v, %v; want %d", len(again), torn, err, len(entries)+1)
	}
}

func TestAFaultWhileOpeningLosesNothing(t *testing.T) {
	eachFault(t, 20, func(t *testing.T, d *faultyDisk) {
		path := newRecord(t, 2)
		const tail = `{"seq":3,"time":"2026`
		tear(t, path, tail)
		l, _, err := open(d, path)
		if err == nil {
			letGo(l)
		} else if !errors.Is(err, errFault) {
			t.Errorf("Open = %v, want the fault", err)
		}
		checkReopened(t, path, 2, 2)
		checkKept(t, path, tail)
	})
}

// checkKept looks for tail in the files set aside.
func checkKept(t *testing.T, path, tail string) {
	t.Helper()
	names, _ := filepath.Glob(path + ".torn-*")
	for _, name := range names {
		if got, _ := os.ReadFile(name); string(got) == tail {
			return
		}
	}
	t.Errorf("%q is in none of %v", tail, names)
}

func TestAFaultWhileCreatingCanBeRepeated(t *testing.T) {
	eachFault(t, 6, func(t *testing.T, d *faultyDisk) {
		path := filepath.Join(t.TempDir(), "record.jsonl")
		l, err := create(d, path)
		if err == nil {
			letGo(l)
			checkReopened(t, path, 0, 0)
			return
		}
		// Either nothing is there and Create works, or an empty record that opens.
		again, err := Create(path)
		if err == nil {
			mustClose(t, again)
		}
		checkReopened(t, path, 0, 0)
	})
}

// The plug is pulled right after Append returned: everything that was only in
// memory is gone, and the entry is there.
func TestWhatAppendReturnedSurvivesAPowerCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "record.jsonl")
	d := newFaultyDisk(fault{})
	l, err := create(d, path)
	if err != nil {
		t.Fatal(err)
	}
	appendNotes(t, l, 3)
	d.cut(t)
	entries, torn, err := Read(path)
	if err != nil || torn || len(entries) != 3 {
		t.Errorf("after the cut Read = %d entries, torn %v, %v; want 3", len(entries), torn, err)
	}
}

// An fsync failed: the entry is in the system's memory, not on the disk, and a
// second fsync does not bring it there. Open reports the entry, so it must have
// made sure of it; then the plug is pulled.
func TestWhatOpenReturnedSurvivesAPowerCut(t *testing.T) {
	for _, kind := range []faultKind{before, after} {
		t.Run("the sync failed "+string(kind), func(t *testing.T) {
			path := newRecord(t, 2)
			d := newFaultyDisk(fault{kind: kind})
			l := openQuietly(t, d, path)
			const syncOfAppend = 3 // after stat and write
			d.fault.n = syncOfAppend
			if _, err := l.Append(noon, "conductor", "noted", nil); err == nil || d.what != "sync record.jsonl" {
				t.Fatalf("Append = %v, failed at %q, want the sync to fail", err, d.what)
			}
			letGo(l)
			l, entries, err := open(d, path)
			if err != nil || len(entries) != 3 {
				t.Fatalf("Open = %d entries, %v; want 3", len(entries), err)
			}
			letGo(l)
			d.cut(t)
			if after, _, err := Read(path); err != nil || len(after) != 3 {
				t.Errorf("after the cut Read = %d entries, %v; want 3", len(after), err)
			}
		})
	}
}

// Whatever fails while a torn line is set aside, and whenever the plug is
// pulled after that: the complete entries and the torn line are on the disk.
func TestSettingAsideSurvivesAPowerCut(t *testing.T) {
	const tail = `{"seq":3,"time":"2026`
	eachFault(t, 20, func(t *testing.T, d *faultyDisk) {
		path := newRecord(t, 2)
		tear(t, path, tail)
		if l, _, err := open(d, path); err == nil {
			letGo(l)
		}
		d.cut(t)
		checkReopened(t, path, 2, 2)
		checkKept(t, path, tail)
	})
}

// The same, and Open was repeated before the plug was pulled: what it found of
// its first try may have been in memory only.
func TestSettingAsideTwiceSurvivesAPowerCut(t *testing.T) {
	const tail = `{"seq":3,"time":"2026`
	eachFault(t, 20, func(t *testing.T, d *faultyDisk) {
		path := newRecord(t, 2)
		tear(t, path, tail)
		if l, _, err := open(d, path); err == nil {
			letGo(l)
		} else if l, _, err := open(d, path); err != nil {
			t.Fatalf("Open again: %v", err)
		} else {
			letGo(l)
		}
		d.cut(t)
		// The cutting off itself may be undone: the torn line is then set aside once more.
		checkReopened(t, path, 2, 2)
		checkKept(t, path, tail)
	})
}
