package tuf

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
)

// realData is the folder of real repositories beside the repository's root.
func realData(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = parent
	}
	real := filepath.Join(dir, "..", "shared", "data", "real")
	if _, err := os.Stat(real); err != nil {
		t.Skipf("real repositories are not at hand: %v", err)
	}
	return real
}

func readReal(t testing.TB, parts ...string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(append([]string{realData(t)}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func parseReal(t testing.TB, parts ...string) *Document {
	t.Helper()
	d, err := Parse(readReal(t, parts...))
	if err != nil {
		t.Fatalf("%s: %v", strings.Join(parts, "/"), err)
	}
	return d
}

// allReal lists every real metadata file, relative to realData.
func allReal(t testing.TB) []string {
	t.Helper()
	dir := realData(t)
	var files []string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".json") {
			rel, relErr := filepath.Rel(dir, path)
			files = append(files, rel)
			err = relErr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 40 {
		t.Fatalf("only %d real files found", len(files))
	}
	return files
}

// tooOld are the roots that today's clients cannot verify either.
var tooOld = map[string]string{
	"sigstore-roots/1.root.json": "without fractions of a second",
	"sigstore-roots/2.root.json": "without fractions of a second",
	"sigstore-roots/3.root.json": "without fractions of a second",
	"sigstore-roots/4.root.json": "bare point in hex",
}

func TestRealFilesParseFromTheirBytes(t *testing.T) {
	for _, file := range allReal(t) {
		t.Run(file, func(t *testing.T) {
			raw := readReal(t, file)
			d, err := Parse(raw)
			if why := tooOld[filepath.ToSlash(file)]; why != "" {
				if err == nil || !strings.Contains(err.Error(), why) {
					t.Fatalf("want a refusal that says %q, got %v", why, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(d.Bytes(), raw) {
				t.Error("the bytes changed")
			}
			theirs, err := cjson.EncodeCanonical(d.signed)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(theirs, d.Payload()) {
				t.Errorf("payload differs from go-tuf's:\n%s\n%s", d.Payload(), theirs)
			}
		})
	}
}

func TestRealRootChainsVerify(t *testing.T) {
	for _, c := range []struct {
		folder   string
		from, to int
	}{
		{"sigstore-roots", 5, 15},
		{"sigstore-staging-roots", 1, 14},
		{"tuf-demo/root_history", 1, 5},
		{"docker/root_history", 1, 1},
	} {
		t.Run(c.folder, func(t *testing.T) {
			chain := realChain(t, c.folder, c.from, c.to)
			if n := len(chain.Roots()); n != c.to-c.from+1 {
				t.Errorf("the chain has %d roots", n)
			}
			if chain.First().Version() != int64(c.from) || chain.Latest().Version() != int64(c.to) {
				t.Errorf("the chain goes from %d to %d", chain.First().Version(), chain.Latest().Version())
			}
		})
	}
}

func realChain(t testing.TB, folder string, from, to int) *Chain {
	t.Helper()
	chain, err := NewChain(parseReal(t, folder, fmt.Sprintf("%d.root.json", from)))
	if err != nil {
		t.Fatal(err)
	}
	for v := from + 1; v <= to; v++ {
		chain, err = chain.Extend(parseReal(t, folder, fmt.Sprintf("%d.root.json", v)))
		if err != nil {
			t.Fatal(err)
		}
	}
	return chain
}
