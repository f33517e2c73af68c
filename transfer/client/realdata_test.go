package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"conclave/transfer/client"
)

// realData has repositories of others as they were published one day.
const realData = "../../../shared/data/real"

// published lays a repository of others out as its server has it.
func published(t *testing.T, name string) *repo {
	t.Helper()
	dir := filepath.Join(realData, name)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is missing: the repositories of others are not part of this one", dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := &repo{t: t, files: map[string][]byte{}, status: map[string]error{}}
	history, err := filepath.Glob(filepath.Join(dir, "root_history", "*.root.json"))
	if err != nil || len(history) == 0 {
		t.Fatalf("no root history in %s (%v)", dir, err)
	}
	for _, path := range history {
		r.files["metadata/"+filepath.Base(path)] = readFile(t, path)
	}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		raw := readFile(t, filepath.Join(dir, e.Name()))
		r.files["metadata/"+e.Name()] = raw
		r.files[fmt.Sprintf("metadata/%d.%s", head(t, raw).Version, e.Name())] = raw
	}
	return r
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

type documentHead struct {
	Version int64     `json:"version"`
	Expires time.Time `json:"expires"`
}

func head(t *testing.T, raw []byte) documentHead {
	t.Helper()
	var file struct {
		Signed documentHead `json:"signed"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	return file.Signed
}

func TestRepositoriesOfOthersAreFollowedFromTheirFirstRoot(t *testing.T) {
	for name, roles := range map[string][]string{
		"tuf-demo": {"rdimitrov", "kommendorkapten", "jku"},
		"docker":   {"doi", "rekor", "testing"},
	} {
		t.Run(name, func(t *testing.T) {
			r := published(t, name)
			day := head(t, r.files["metadata/timestamp.json"]).Expires.Add(-time.Hour)
			cache := r.start()
			c, err := client.New(client.Options{Repository: r, Cache: cache, Now: day})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Refresh(context.Background()); err != nil {
				t.Fatal(err)
			}
			for _, role := range roles {
				path := firstTarget(t, r.files["metadata/"+role+".json"])
				if path == "" {
					continue
				}
				if got, err := c.Target(context.Background(), path); err != nil || got.Role != role {
					t.Errorf("%s: %+v, %v", path, got, err)
				}
			}
			c, err = client.New(client.Options{Repository: r, Cache: cache, Now: day.Add(2 * time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Refresh(context.Background()); err == nil || !strings.Contains(err.Error(), "expired") {
				t.Errorf("two hours later: %v", err)
			}
		})
	}
}

// firstTarget is any path that a role lists.
func firstTarget(t *testing.T, raw []byte) string {
	t.Helper()
	var file struct {
		Signed struct {
			Targets map[string]json.RawMessage `json:"targets"`
		} `json:"signed"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	for path := range file.Signed.Targets {
		return path
	}
	return ""
}
