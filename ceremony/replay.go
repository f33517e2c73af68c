package ceremony

import (
	"fmt"
	"os"
	"path/filepath"

	"conclave/ceremony/record"
)

// Replay applies the events of a verified record in order and gives the state that
// they lead to. Every rule is held again: a record that Session could not have
// written is refused, with the number of the entry. beside finds bundles that were too large for
// the record, by their SHA-256; without it such a record is refused.
func Replay(entries []record.Entry, beside ...func(sha256 string) ([]byte, error)) (State, error) {
	var s State
	for _, entry := range entries {
		next, err := s.replay(entry, beside)
		if err != nil {
			return s, fmt.Errorf("replay entry %d (%s): %w", entry.Seq, entry.Event, err)
		}
		s = next
	}
	return s, nil
}

func (s State) replay(entry record.Entry, beside []func(string) ([]byte, error)) (State, error) {
	e, err := DecodeEvent(entry.Event, entry.Data)
	if err != nil {
		return s, err
	}
	if want := actor(e); entry.Actor != want {
		return s, fmt.Errorf("it is said to be done by %q, and is done by %q", entry.Actor, want)
	}
	if opened, ok := e.(Opened); ok && len(opened.Bundle) == 0 {
		for _, find := range beside {
			if opened.Bundle, err = find(opened.SHA256); err != nil {
				return s, err
			}
		}
		e = opened
	}
	next, err := s.At(entry.Time).Apply(e)
	if err != nil {
		return s, err
	}
	return next.recorded(e, entry.Seq, entry.Hash), nil
}

// Beside finds the bundle that stands beside the record in a ceremony's folder.
func Beside(dir string) func(sha256 string) ([]byte, error) {
	return func(want string) ([]byte, error) {
		file, err := os.ReadFile(filepath.Join(dir, BundleFile))
		if err != nil {
			return nil, fmt.Errorf("read the bundle beside the record: %w", err)
		}
		if got := sha256Hex(file); got != want {
			return nil, fmt.Errorf("read the bundle beside the record: its SHA-256 is %s, the record says %s", got, want)
		}
		return file, nil
	}
}
