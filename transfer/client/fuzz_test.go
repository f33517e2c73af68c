package client

import (
	"encoding/json"
	"net/url"
	"path/filepath"
	"testing"
)

// Whatever a target is called, it lands below the user's folder, and two
// targets of different names never in one file.
func FuzzLocalName(f *testing.F) {
	for _, seed := range []string{"a", "a/b", "../a", "..", ".", "", "/", "a//b", "a\x00b", "a\\b", "..%2Fa", "%2e%2e", "C:\\a", "\u202e", "CON"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		local, err := localName(name)
		if err != nil {
			return
		}
		if !filepath.IsLocal(local) || local == "." {
			t.Fatalf("%q becomes %q", name, local)
		}
		if local != filepath.FromSlash(name) {
			if plain, err := url.PathUnescape(local); err != nil || plain != name {
				t.Fatalf("%q becomes %q, which is neither its name nor its quoted name", name, local)
			}
		}
	})
}

// The strict reader in front of go-tuf neither panics nor lets a file through that is no JSON.
func FuzzGuarded(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `[]`, `{}`, `{"signed":{"_type":"root"},"signatures":[]}`,
		`{"signed":{"_type":"targets","targets":{"x":null}},"signatures":[{"keyid":"a","sig":""}]}`,
		`{"signed":{"_type":"root","roles":{"root":null},"keys":{"a":null}},"signatures":null}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := trust(raw); err == nil {
			t.Fatalf("%q is trusted without a signature", raw)
		}
		if strict(raw) == nil && !json.Valid(raw) {
			t.Fatalf("%q passes", raw)
		}
	})
}
