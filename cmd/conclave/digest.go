package main

import (
	"encoding/json"
	"strings"

	"conclave/ceremony/tuf"
)

// parseDigest reads a digest as people write it down: hex, in groups or not, or 32 words.
func parseDigest(s string) (tuf.Digest, error) {
	if words := strings.Fields(s); len(words) == len(tuf.Digest{}) {
		return tuf.ParseWords(words)
	}
	return tuf.ParseDigest(s)
}

// printJSON writes the one document that --json promises.
func (p *program) printJSON(v any) error {
	enc := json.NewEncoder(p.out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
