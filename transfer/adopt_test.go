package transfer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"conclave/ceremony/tuf"
)

// realRoots reads a chain of real roots, or skips the test.
func realRoots(t *testing.T, dir string, from, until int64) []*tuf.Document {
	t.Helper()
	dir = filepath.Join(realData, dir)
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no real repositories at ../shared/data/real")
	}
	if at := filepath.Join(dir, "root_history"); exists(at) {
		dir = at
	}
	var paths []string
	for v := from; v <= until; v++ {
		paths = append(paths, filepath.Join(dir, fmt.Sprintf("%d.root.json", v)))
	}
	docs, err := Adopt(paths)
	if err != nil {
		t.Fatal(err)
	}
	var roots []*tuf.Document
	for _, d := range docs {
		roots = append(roots, d.Metadata)
	}
	return roots
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// titles says what was adopted: "root 1, root 2, targets 5".
func titles(docs []Document) string {
	var parts []string
	for _, d := range docs {
		parts = append(parts, fmt.Sprintf("%s %d", d.Role, d.Metadata.Version()))
	}
	return strings.Join(parts, ", ")
}

func TestAdoptRealRepositories(t *testing.T) {
	for dir, want := range map[string]string{
		"docker":                 "root 1, targets 7, doi 3, rekor 2, testing 3, snapshot 10, timestamp 141",
		"tuf-demo":               "root 1, root 2, root 3, root 4, root 5",
		"sigstore-staging-roots": "root 1, root 2, root 3",
	} {
		t.Run(dir, func(t *testing.T) {
			dir := filepath.Join(realData, dir)
			if !exists(dir) {
				t.Skip("no real repositories at ../shared/data/real")
			}
			docs, err := Adopt([]string{dir})
			if err != nil {
				t.Fatal(err)
			}
			if got := titles(docs); !strings.HasPrefix(got, want) {
				t.Errorf("adopted %s; want %s", got, want)
			}
		})
	}
}

// lay writes metadata files into a new folder.
func lay(t *testing.T, files map[string]*tuf.Document) string {
	t.Helper()
	dir := t.TempDir()
	for name, doc := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, doc.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAdoptKnowsManyLayouts(t *testing.T) {
	r1, r2, t1, t2 := newRoot(t, 1, "Alice", "Bob"), newRoot(t, 2, "Alice", "Bob"), newTargets(t, 1), newTargets(t, 2)
	for name, c := range map[string]struct {
		files map[string]*tuf.Document
		want  string
	}{
		"numbered roots":            {map[string]*tuf.Document{"2.root.json": r2, "1.root.json": r1}, "root 1, root 2"},
		"a copy of the newest":      {map[string]*tuf.Document{"2.root.json": r2, "1.root.json": r1, "root.json": r2}, "root 1, root 2"},
		"a history beside it":       {map[string]*tuf.Document{"root.json": r2, "root_history/1.root.json": r1}, "root 1, root 2"},
		"a whole repository":        {map[string]*tuf.Document{"metadata/1.root.json": r1, "metadata/1.targets.json": t1}, "root 1, targets 1"},
		"several targets":           {map[string]*tuf.Document{"1.targets.json": t1, "2.targets.json": t2}, "targets 2"},
		"delegated roles":           {map[string]*tuf.Document{"2.b.json": t2, "1.b.json": t1, "a.json": t1, "targets.json": t1}, "targets 1, a 1, b 2"},
		"a role with a quoted sign": {map[string]*tuf.Document{"1.a%20b.json": t1}, "a b 1"},
		"a role like a version":     {map[string]*tuf.Document{"1.2.json": t1}, "2 1"},
		"a draft of another name":   {map[string]*tuf.Document{"my-draft.json": r1}, "root 1"},
		"files that are no JSON":    {map[string]*tuf.Document{"1.root.json": r1, "README.md": r2}, "root 1"},
	} {
		t.Run(name, func(t *testing.T) {
			docs, err := Adopt([]string{lay(t, c.files)})
			if err != nil {
				t.Fatal(err)
			}
			if got := titles(docs); got != c.want {
				t.Errorf("adopted %s; want %s", got, c.want)
			}
		})
	}
}

func TestAdoptRefuses(t *testing.T) {
	r1, r2, r3, t1 := newRoot(t, 1, "Alice", "Bob"), newRoot(t, 2, "Alice", "Bob"), newRoot(t, 3, "Alice", "Bob"), newTargets(t, 1)
	signed := sign(t, (&Bundle{}).With(tuf.Root, r1), tuf.Root, "Alice").Root()
	for name, c := range map[string]struct {
		files map[string]*tuf.Document
		says  string
	}{
		"a gap in the chain":            {map[string]*tuf.Document{"1.root.json": r1, "3.root.json": r3}, "root 2 is missing"},
		"two roots of one version":      {map[string]*tuf.Document{"1.root.json": r1, "root.json": newRoot(t, 1, "Alice", "Dana")}, "holds another root 1"},
		"one root, signed in two ways":  {map[string]*tuf.Document{"1.root.json": r1, "root.json": signed}, "other signatures"},
		"two targets of one version":    {map[string]*tuf.Document{"1.targets.json": t1, "targets.json": newTargets(t, 1, "x")}, "holds another targets 1"},
		"a file of another version":     {map[string]*tuf.Document{"1.root.json": r2}, "named version 1 and is version 2"},
		"targets that call itself root": {map[string]*tuf.Document{"root.json": t1}, "named root and is of type targets"},
		"a root that is named targets":  {map[string]*tuf.Document{"targets.json": r1}, "named targets and is of type root"},
		"a role with a quoted slash":    {map[string]*tuf.Document{"..%2Fx.json": t1}, "cannot be part of a file name"},
		"no metadata at all":            {nil, "no metadata file"},
	} {
		t.Run(name, func(t *testing.T) {
			docs, err := Adopt([]string{lay(t, c.files)})
			if err == nil || docs != nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("Adopt = %s, %v; want a refusal that says %q", titles(docs), err, c.says)
			}
			wantHint(t, err)
		})
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"name":"x"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Adopt([]string{dir}); err == nil || !strings.Contains(err.Error(), "package.json") {
		t.Errorf("Adopt of another JSON file = %v", err)
	}
	if _, err := Adopt([]string{filepath.Join(dir, "none")}); err == nil {
		t.Error("a file that is not there was adopted")
	}
}
