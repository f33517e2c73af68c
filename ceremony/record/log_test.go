package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type note struct {
	Text string `json:"text"`
}

// appendNotes appends n notes and fails the test where one fails.
func appendNotes(t *testing.T, l *Log, n int) {
	t.Helper()
	for range n {
		_, have := l.Head()
		at := noon.Add(time.Duration(have) * time.Second)
		if _, err := l.Append(at, "conductor", "noted", note{fmt.Sprintf("note %d <&>", have+1)}); err != nil {
			t.Fatal(err)
		}
	}
}

// newRecord writes a record of n notes and returns its path.
func newRecord(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "record.jsonl")
	l, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	appendNotes(t, l, n)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatIsAppendedIsRead(t *testing.T) {
	path := newRecord(t, 3)
	entries, torn, err := Read(path)
	if err != nil || torn || len(entries) != 3 {
		t.Fatalf("Read = %d entries, torn %v, %v; want 3, false, nil", len(entries), torn, err)
	}
	for i, e := range entries {
		if e.Seq != i+1 || e.Actor != "conductor" || e.Event != "noted" || !e.Time.Equal(noon.Add(time.Duration(i)*time.Second)) {
			t.Errorf("entry %d = %+v", i+1, e)
		}
		var n note
		if err := json.Unmarshal(e.Data, &n); err != nil || n.Text != fmt.Sprintf("note %d <&>", i+1) {
			t.Errorf("data of entry %d = %s, %v", i+1, e.Data, err)
		}
	}
	if entries[0].Prev != Start || entries[1].Prev != entries[0].Hash {
		t.Error("the chain does not start with zeros and go on with the hash of the line before")
	}
}

func TestTheFormatIsWhatThePackageCommentSays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "record.jsonl")
	l, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(noon, "conclave", "opened", map[string]any{"reader": "<A>"}); err != nil {
		t.Fatal(err)
	}
	l.Close()
	const want = `{"seq":1,"time":"2026-03-01T12:00:00Z","actor":"conclave","event":"opened","data":{"reader":"<A>"},` +
		`"prev":"0000000000000000000000000000000000000000000000000000000000000000"}` + "\n"
	if got, _ := os.ReadFile(path); string(got) != want {
		t.Errorf("the file holds\n%swant\n%s", got, want)
	}
}

func TestAnybodyCanFollowTheChainWithAShell(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell here")
	}
	path := newRecord(t, 3)
	out, err := exec.Command(sh, "-c", `sed -n 2p "$1" | sha256sum`, "sh", path).Output()
	if err != nil {
		t.Skipf("no sed or sha256sum here: %v", err)
	}
	entries, _, _ := Read(path)
	if hash, _, _ := strings.Cut(string(out), " "); hash != entries[2].Prev {
		t.Errorf("sed and sha256sum say %s, entry 3 says %s", hash, entries[2].Prev)
	}
}

func TestALogGoesOnWhereItStopped(t *testing.T) {
	path := newRecord(t, 2)
	l, entries, err := Open(path)
	if err != nil || len(entries) != 2 || l.Torn() != "" {
		t.Fatalf("Open = %d entries, torn %q, %v", len(entries), l.Torn(), err)
	}
	defer l.Close()
	if hash, n := l.Head(); hash != entries[1].Hash || n != 2 {
		t.Errorf("Head = %s, %d", hash, n)
	}
	appendNotes(t, l, 2)
	if entries, torn, err := Read(path); err != nil || torn || len(entries) != 4 {
		t.Errorf("Read = %d entries, torn %v, %v; want 4", len(entries), torn, err)
	}
}

func TestCreateOverwritesNothing(t *testing.T) {
	path := newRecord(t, 1)
	was, _ := os.ReadFile(path)
	_, err := Create(path)
	var exists *ExistsError
	if !errors.As(err, &exists) || !errors.Is(err, fs.ErrExist) || exists.Hint() == "" {
		t.Fatalf("Create = %v, want an *ExistsError", err)
	}
	if now, _ := os.ReadFile(path); !bytes.Equal(was, now) {
		t.Error("the record was changed")
	}
}

func TestASecondProgramIsRefused(t *testing.T) {
	path := newRecord(t, 1)
	first, _, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = Open(path)
	var locked *LockedError
	if !errors.As(err, &locked) || !strings.Contains(err.Error(), path) {
		t.Fatalf("Open = %v, want a *LockedError that names %s", err, path)
	}
	if _, _, err := Read(path); err != nil {
		t.Errorf("Read while another writes: %v", err)
	}
	first.Close()
	second, _, err := Open(path)
	if err != nil {
		t.Fatalf("Open after the first ended: %v", err)
	}
	second.Close()
}

func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	if _, _, err := Open(t.TempDir()); err == nil {
		t.Error("a folder was opened")
	}
	if _, _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open = %v, want fs.ErrNotExist", err)
	}
}

func TestAppendRefusesWithoutHarm(t *testing.T) {
	long := strings.Repeat("x", MaxActor+1)
	cases := map[string]struct {
		actor, event string
		data         any
	}{
		"nobody did it":               {"", "noted", nil},
		"a name without end":          {long, "noted", nil},
		"a name that is not UTF-8":    {"A\xff", "noted", nil},
		"no event":                    {"a", "", nil},
		"an event without end":        {"a", long, nil},
		"data that is not JSON":       {"a", "noted", json.RawMessage(`{`)},
		"data that JSON cannot carry": {"a", "noted", func() {}},
		"a key that stands twice":     {"a", "noted", json.RawMessage(`{"a":1,"a":2}`)},
		"data without end of nesting": {"a", "noted", json.RawMessage(strings.Repeat("[", 100) + strings.Repeat("]", 100))},
		"a line without end":          {"a", "noted", strings.Repeat("x", MaxLine)},
	}
	path := newRecord(t, 1)
	l, _, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := l.Append(noon, c.actor, c.event, c.data); err == nil || errors.Is(err, ErrPoisoned) {
				t.Errorf("Append = %v, want a refusal", err)
			}
		})
	}
	appendNotes(t, l, 1)
	if entries, _, err := Read(path); err != nil || len(entries) != 2 {
		t.Errorf("Read = %d entries, %v; want 2", len(entries), err)
	}
}

func TestAClockSetBackIsData(t *testing.T) {
	path := newRecord(t, 2)
	l, _, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Append(noon.Add(-time.Hour), "conductor", "noted", nil); err != nil {
		t.Fatal(err)
	}
	if entries, _, err := Read(path); err != nil || len(entries) != 3 {
		t.Errorf("Read = %d entries, %v; want 3", len(entries), err)
	}
}

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
			defer l.Close()
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
	defer l.Close()
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

func TestTornLinesOfSeveralPowerCutsAreAllKept(t *testing.T) {
	path := newRecord(t, 1)
	for i, tail := range []string{`{"seq":2,"a`, `{"seq":2,"b`, `{"seq":2,"a`} {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(tail); err != nil {
			t.Fatal(err)
		}
		f.Close()
		l, _, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
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
			l.file.Close()
			return
		}
		failed := err != nil
		if failed {
			checkPoisoned(t, l, err)
		}
		l.file.Close()
		checkReopened(t, path, 2, 3)
		if entries, _, _ := Read(path); !failed && entries[2].Hash != e.Hash {
			t.Error("what Append returned is not what Read gives")
		}
	})
}

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
	defer l.Close()
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
		f, _ := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		f.WriteString(tail)
		f.Close()
		l, _, err := open(d, path)
		if err == nil {
			l.file.Close()
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
			l.file.Close()
			checkReopened(t, path, 0, 0)
			return
		}
		// Either nothing is there and Create works, or an empty record that opens.
		again, err := Create(path)
		if err == nil {
			again.Close()
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
			l.file.Close()
			l, entries, err := open(d, path)
			if err != nil || len(entries) != 3 {
				t.Fatalf("Open = %d entries, %v; want 3", len(entries), err)
			}
			l.file.Close()
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
		if err := os.WriteFile(path, append(mustRead(t, path), tail...), 0o644); err != nil {
			t.Fatal(err)
		}
		if l, _, err := open(d, path); err == nil {
			l.file.Close()
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
		if err := os.WriteFile(path, append(mustRead(t, path), tail...), 0o644); err != nil {
			t.Fatal(err)
		}
		if l, _, err := open(d, path); err == nil {
			l.file.Close()
		} else if l, _, err := open(d, path); err != nil {
			t.Fatalf("Open again: %v", err)
		} else {
			l.file.Close()
		}
		d.cut(t)
		// The cutting off itself may be undone: the torn line is then set aside once more.
		checkReopened(t, path, 2, 2)
		checkKept(t, path, tail)
	})
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestARecordChangedUnderOurHandsTakesNoMore(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"a line was added by another program": func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("{}\n")
			return errors.Join(err, f.Close())
		},
		"it was deleted":  os.Remove,
		"it was cut":      func(path string) error { return os.Truncate(path, 10) },
		"it was replaced": func(path string) error { return errors.Join(os.Remove(path), os.WriteFile(path, []byte("x"), 0o644)) },
	} {
		t.Run(name, func(t *testing.T) {
			path := newRecord(t, 1)
			l, _, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if err := change(path); err != nil {
				t.Fatal(err)
			}
			var failed *AppendError
			if _, err := l.Append(noon, "conductor", "noted", nil); !errors.As(err, &failed) {
				t.Errorf("Append = %v, want an *AppendError", err)
			}
		})
	}
}

func TestAClosedLogTakesNoMore(t *testing.T) {
	l, _, err := Open(newRecord(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Errorf("Close twice: %v", err)
	}
	if _, err := l.Append(noon, "conductor", "noted", nil); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Append = %v, want fs.ErrClosed", err)
	}
}
