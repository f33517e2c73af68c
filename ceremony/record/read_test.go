package record

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Someone with a text editor changes the account after the fact.
func TestAChangedRecordIsRefusedWithItsLine(t *testing.T) {
	whole := mustRead(t, newRecord(t, 4))
	lines := bytes.SplitAfter(whole, []byte("\n"))[:4]
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	edit := func(n int, from, to string) []byte {
		changed := make([][]byte, len(lines))
		copy(changed, lines)
		changed[n-1] = bytes.Replace(lines[n-1], []byte(from), []byte(to), 1)
		if bytes.Equal(changed[n-1], lines[n-1]) {
			t.Fatalf("line %d does not hold %q", n, from)
		}
		return join(changed...)
	}
	for name, c := range map[string]struct {
		data []byte
		line int
		says string
	}{
		"a word was changed":                     {edit(2, "note 2", "note X"), 3, "chain is broken"},
		"a time was changed":                     {edit(1, "12:00:00", "12:00:01"), 2, "chain is broken"},
		"a line was cut out":                     {join(lines[0], lines[2], lines[3]), 2, "number 3 where 2"},
		"a line stands twice":                    {join(lines[0], lines[1], lines[1], lines[2]), 3, "number 2 where 3"},
		"two lines changed places":               {join(lines[0], lines[2], lines[1], lines[3]), 2, "number 3 where 2"},
		"the first line is missing":              {join(lines[1:]...), 1, "number 2 where 1"},
		"a field nobody knows":                   {edit(2, `,"prev"`, `,"more":1,"prev"`), 2, "unknown field"},
		"a field in other letters":               {edit(2, `"actor"`, `"Actor"`), 2, "not as Conclave writes it"},
		"a field that stands twice":              {edit(2, `,"prev"`, `,"event":"noted","prev"`), 2, "stands twice"},
		"data with a key twice":                  {edit(2, `{"text":`, `{"text":"a","text":`), 2, "stands twice"},
		"a field is missing":                     {edit(2, `"actor":"conductor",`, ``), 2, "actor has 0 bytes"},
		"a space more":                           {edit(2, `"seq":2,`, `"seq": 2,`), 2, "not as Conclave writes it"},
		"another spelling of a time":             {edit(2, `12:00:01Z`, `12:00:01+00:00`), 2, "not in UTC"},
		"another spelling of a letter":           {edit(2, `conductor`, `\u0063onductor`), 2, "not as Conclave writes it"},
		"a second entry on the line":             {edit(2, "}\n", "}{}\n"), 2, "something follows"},
		"an empty line":                          {join(lines[0], []byte("\n"), lines[1]), 2, "read JSON"},
		"a carriage return":                      {edit(1, "}\n", "}\r\n"), 1, "not as Conclave writes it"},
		"bytes that are no text":                 {edit(2, "note 2", "note \xff"), 2, "UTF-8"},
		"a byte order mark":                      {join([]byte("\ufeff"), whole), 1, "read JSON"},
		"nesting without end":                    {edit(2, `{"text"`, strings.Repeat("[", 100)+`{"text"`), 2, "nested deeper"},
		"a line without end":                     {bytes.Repeat([]byte("x"), MaxLine+1), 1, "more than"},
		"zeros before the last line":             {join(lines[0], make([]byte, 8), []byte("\n"), lines[1]), 2, "read JSON"},
		"another file altogether":                {[]byte("#!/bin/sh\necho\n"), 1, "read JSON"},
		"a number below one":                     {[]byte(strings.Replace(string(lines[0]), `"seq":1`, `"seq":0`, 1)), 1, "numbers start at 1"},
		"a first entry that follows another one": {[]byte(strings.Replace(string(lines[0]), `"prev":"0`, `"prev":"1`, 1)), 1, "chain is broken"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "record.jsonl")
			if err := os.WriteFile(path, c.data, 0o644); err != nil {
				t.Fatal(err)
			}
			entries, _, err := Read(path)
			var broken *BrokenError
			if !errors.As(err, &broken) || broken.Line != c.line || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("Read = %v, want line %d to be refused because %q", err, c.line, c.says)
			}
			if broken.Hint() == "" || !strings.Contains(err.Error(), path) {
				t.Errorf("the refusal names no file or says not what to do: %v; %s", err, broken.Hint())
			}
			if len(entries) != c.line-1 {
				t.Errorf("%d good entries are given, want %d", len(entries), c.line-1)
			}
			if _, _, err := Open(path); !errors.As(err, &broken) {
				t.Errorf("Open = %v, want the same refusal", err)
			}
			if now := mustRead(t, path); !bytes.Equal(now, c.data) {
				t.Error("the refused file was changed")
			}
		})
	}
}

func TestARecordTooLargeIsRefusedInConstantMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes a large sparse file")
	}
	path := newRecord(t, 1)
	if err := os.Truncate(path, 1<<40); err != nil {
		t.Skipf("no sparse files here: %v", err)
	}
	if _, _, err := Read(path); err == nil {
		t.Error("a record of 1 TiB was read")
	}
}

func TestAnEmptyRecordIsARecord(t *testing.T) {
	entries, torn, err := Verify(strings.NewReader(""))
	if len(entries) != 0 || torn || err != nil {
		t.Errorf("Verify = %v, %v, %v", entries, torn, err)
	}
}

// FuzzRecordRead: whatever is read can be written again and is the same bytes;
// nothing else is taken.
func FuzzRecordRead(f *testing.F) {
	path := filepath.Join(f.TempDir(), "record.jsonl")
	l, err := Create(path)
	if err != nil {
		f.Fatal(err)
	}
	for _, data := range []any{nil, "text", note{"<&> \u2028"}, []int{1, 2}, map[string]any{"a": map[string]any{"b": 1.5e300}}} {
		if _, err := l.Append(noon, "Alice", "noted", data); err != nil {
			f.Fatal(err)
		}
	}
	mustClose(f, l)
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	first := whole[:bytes.IndexByte(whole, '\n')+1]
	f.Add(whole)
	f.Add(first)
	f.Add(first[:len(first)-1])
	f.Add(append(bytes.Clone(first), 0, 0, 0))
	f.Add(bytes.Replace(first, []byte(`"seq"`), []byte(`"Seq"`), 1))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := readChain(bytes.NewReader(data), "fuzz")
		var again []byte
		prev := Start
		for i, e := range c.entries {
			if e.Seq != i+1 || e.Prev != prev {
				t.Fatalf("entry %d is out of the chain: %+v", i+1, e)
			}
			line, err := encode(e)
			if err != nil {
				t.Fatalf("write entry %d again: %v", i+1, err)
			}
			again = append(again, line...)
			prev = hashLine(line)
		}
		if int64(len(again)) != c.size {
			t.Fatalf("the entries have %d bytes, the reader says %d", len(again), c.size)
		}
		if again = append(again, c.tail...); err == nil && !bytes.Equal(again, data) {
			t.Fatalf("read and written again is\n%q\nwant\n%q", again, data)
		}
	})
}
