package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"conclave/ceremony"
	"conclave/ceremony/record"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/qr"
	"conclave/transfer/qr/envelope"
)

// maxChain is how many roots of a repository are looked at: all their chains are a few megabytes.
const maxChain = 32

// A baseShelf finds what a delta is against: first among the files that were
// named, then in this folder and the ceremonies' folders in it.
type baseShelf struct {
	named, found qr.Shelf
	bundles      []*transfer.Bundle // that were named
	searched     bool
}

// newBaseShelf reads the named files and folders.
func newBaseShelf(paths []string) (*baseShelf, error) {
	s := &baseShelf{}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("read base: %w", err)
		}
		if info.IsDir() {
			addAll(&s.named, path, "*.json") // old versions as well
			s.chains(path)
			continue
		}
		raw, err := readUpTo(path, envelope.MaxBase)
		if err != nil {
			return nil, fmt.Errorf("read base: %w", err)
		}
		s.named.Add(raw)
		if b, err := transfer.Parse(raw); err == nil {
			s.bundles = append(s.bundles, b)
		}
	}
	return s, nil
}

// waiting are the bundles of this folder: signatures that come alone may be for one of them.
func (s *baseShelf) waiting() (list []*transfer.Bundle) {
	paths, _ := filepath.Glob(bundleGlob)
	for _, path := range paths[:min(len(paths), mostBases)] {
		if b, err := transfer.Read(path); err == nil && b.Plan == nil {
			list = append(list, b)
		}
	}
	return list
}

// chains takes the root chains of a repository, as bundles have them: from any root on to any other.
func (s *baseShelf) chains(dir string) {
	docs, err := transfer.Adopt([]string{dir})
	if err != nil {
		return // there is no metadata in it; what is wanted will be missed by its digest
	}
	var roots [][]byte
	for _, d := range docs {
		if d.Role == tuf.Root {
			roots = append(roots, d.Metadata.Bytes())
		}
	}
	roots = roots[max(0, len(roots)-maxChain):]
	for i := range roots {
		for j := i + 1; j <= len(roots); j++ {
			s.named.Add(bytes.Join(roots[i:j], nil))
		}
	}
}

// Find is an envelope.Find.
func (s *baseShelf) Find(want tuf.Digest) ([]byte, bool) {
	if b, ok := s.named.Find(want); ok {
		return b, true
	}
	if !s.searched {
		s.searched = true
		addAll(&s.found, ".", bundleGlob)
		addCeremonies(&s.found, ".")
	}
	return s.found.Find(want)
}

// mostBases is how many files of a folder are looked at.
const mostBases = 1000

func addAll(shelf *qr.Shelf, dir, names string) {
	paths, _ := filepath.Glob(filepath.Join(dir, names))
	for _, path := range paths[:min(len(paths), mostBases)] {
		if raw, err := readUpTo(path, envelope.MaxBase); err == nil {
			shelf.Add(raw)
		}
	}
}

// addCeremonies takes from every ceremony's record below dir the bundle that came in, and as it stands now.
func addCeremonies(shelf *qr.Shelf, dir string) {
	paths, _ := filepath.Glob(filepath.Join(dir, "*", recordFile))
	for _, path := range paths[:min(len(paths), mostFound)] {
		entries, _, err := record.Read(path)
		if err != nil || len(entries) == 0 {
			continue
		}
		beside := ceremony.Beside(filepath.Dir(path))
		for _, n := range []int{1, len(entries)} {
			state, err := ceremony.Replay(entries[:n], beside)
			if err != nil || state.Bundle() == nil {
				continue
			}
			if raw, err := state.Bundle().Bytes(); err == nil {
				shelf.Add(raw)
			}
		}
	}
}
