package main

import (
	"maps"
	"path/filepath"

	"conclave/ceremony"
	"conclave/ceremony/record"
	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// seenBeside is what this machine has signed of the bundle's repository: the newest version of every
// role that a ceremony beside dir completed. A bundle that builds on less is an old stick, or somebody
// wants to turn the repository back.
func seenBeside(dir string, b *transfer.Bundle) map[string]int64 {
	if len(b.Base.Roots) == 0 {
		return nil // a genesis builds on nothing
	}
	known := map[tuf.Digest]bool{}
	for _, root := range b.Base.Roots {
		known[root.Digest()] = true
	}
	seen := map[string]int64{}
	paths, _ := filepath.Glob(filepath.Join(filepath.Dir(filepath.Clean(dir)), "*", recordFile))
	for _, path := range paths {
		entries, _, err := record.Read(path)
		if err != nil || len(entries) == 0 {
			continue // a record that cannot be read vouches for nothing; record verify says why
		}
		state, err := ceremony.Replay(entries, ceremony.Beside(filepath.Dir(path)))
		if err != nil || !state.Complete() || !sameRepository(state.Bundle(), known) {
			continue
		}
		for _, d := range state.Bundle().Documents {
			seen[d.Role] = max(seen[d.Role], d.Metadata.Version())
		}
	}
	maps.DeleteFunc(seen, func(role string, _ int64) bool {
		return role != tuf.Root && role != tuf.Targets // delegated roles may be gone since
	})
	return seen
}

// sameRepository reports whether a bundle shares a root with those that are known.
func sameRepository(b *transfer.Bundle, known map[tuf.Digest]bool) bool {
	for _, root := range b.Base.Roots {
		if known[root.Digest()] {
			return true
		}
	}
	own := b.Document(tuf.Root)
	return own != nil && known[own.Digest()]
}
