package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// newEntry makes the entry that follows the one with hash prev.
func newEntry(seq int, prev string, now time.Time, actor, event string, data any) (Entry, []byte, error) {
	raw, err := marshal(data)
	if err != nil {
		return Entry{}, nil, fmt.Errorf("write the data of event %q as JSON: %w", event, err)
	}
	e := Entry{Seq: seq, Time: now.UTC().Round(0), Actor: actor, Event: event, Data: raw, Prev: prev}
	line, err := encode(e)
	if err != nil {
		return Entry{}, nil, err
	}
	// Read the line as a stranger would: what cannot be read must not be written.
	e, err = decode(line)
	if err != nil {
		return Entry{}, nil, fmt.Errorf("write event %q: %w", event, err)
	}
	return e, line, nil
}

// encode gives the one spelling of e, newline included.
func encode(e Entry) ([]byte, error) {
	line, err := marshal(e)
	if err != nil {
		return nil, fmt.Errorf("write entry %d as JSON: %w", e.Seq, err)
	}
	return append(line, '\n'), nil
}

// marshal is json.Marshal without the escapes for HTML: people read the record with less.
func marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// decode reads one line, newline included, and refuses every spelling but the
// one of encode. It does not look at the chain.
func decode(line []byte) (Entry, error) {
	if len(line) > MaxLine {
		return Entry{}, fmt.Errorf("the line has more than %d bytes", MaxLine)
	}
	if !utf8.Valid(line) {
		return Entry{}, errors.New("the line is not valid UTF-8")
	}
	if err := checkTokens(line); err != nil {
		return Entry{}, err
	}
	var e Entry
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		return Entry{}, fmt.Errorf("read JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if err := checkFields(e); err != nil {
		return Entry{}, err
	}
	again, err := encode(e)
	if err != nil {
		return Entry{}, err
	}
	if i := firstDifference(line, again); i >= 0 {
		return Entry{}, fmt.Errorf("byte %d is not as Conclave writes it: the line was edited, reformatted or holds something more", i+1)
	}
	e.Hash = hashLine(line)
	return e, nil
}

// checkFields holds the limits that JSON cannot.
func checkFields(e Entry) error {
	switch {
	case e.Seq < 1:
		return fmt.Errorf("entry has number %d, numbers start at 1", e.Seq)
	case e.Actor == "" || len(e.Actor) > MaxActor:
		return fmt.Errorf("actor has %d bytes, it must have 1 to %d", len(e.Actor), MaxActor)
	case e.Event == "" || len(e.Event) > MaxEvent:
		return fmt.Errorf("event has %d bytes, it must have 1 to %d", len(e.Event), MaxEvent)
	case !utf8.ValidString(e.Actor) || !utf8.ValidString(e.Event):
		return errors.New("actor or event is not valid UTF-8")
	case e.Time.Location() != time.UTC:
		return errors.New("time is not in UTC")
	}
	return nil
}

// checkTokens refuses duplicate keys and deep nesting anywhere in the line:
// encoding/json takes the last of two equal keys in silence, and a reader in
// another language may take the first.
func checkTokens(line []byte) error {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	if err := checkValue(dec, 0); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the entry on its line")
	}
	return nil
}

func checkValue(dec *json.Decoder, depth int) error {
	if depth > MaxDepth {
		return fmt.Errorf("data is nested deeper than %d levels", MaxDepth)
	}
	t, err := dec.Token()
	if err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	switch t {
	case json.Delim('{'):
		err = checkObject(dec, depth)
	case json.Delim('['):
		for dec.More() && err == nil {
			err = checkValue(dec, depth+1)
		}
	default:
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := dec.Token(); err != nil { // the closing bracket
		return fmt.Errorf("read JSON: %w", err)
	}
	return nil
}

func checkObject(dec *json.Decoder, depth int) error {
	seen := make(map[string]bool)
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return fmt.Errorf("read JSON: %w", err)
		}
		key, _ := t.(string)
		if seen[key] {
			return fmt.Errorf("key %q stands twice in one object", key)
		}
		seen[key] = true
		if err := checkValue(dec, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// firstDifference is the index of the first byte in which a and b differ, -1 if they are equal.
func firstDifference(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	if len(a) != len(b) {
		return n
	}
	return -1
}
