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

func mustClose(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
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
	mustClose(t, l)
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
	defer mustClose(t, l)
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
	mustClose(t, first)
	second, _, err := Open(path)
	if err != nil {
		t.Fatalf("Open after the first ended: %v", err)
	}
	mustClose(t, second)
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
	defer mustClose(t, l)
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
	defer mustClose(t, l)
	if _, err := l.Append(noon.Add(-time.Hour), "conductor", "noted", nil); err != nil {
		t.Fatal(err)
	}
	if entries, _, err := Read(path); err != nil || len(entries) != 3 {
		t.Errorf("Read = %d entries, %v; want 3", len(entries), err)
	}
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
			defer mustClose(t, l)
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
