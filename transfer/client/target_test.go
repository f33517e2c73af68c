package client_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"conclave/transfer/client"
)

// client makes a client that has trusted root 1 and nothing else.
func (r *repo) client() *client.Client {
	r.t.Helper()
	c, err := client.New(client.Options{Repository: r, Cache: r.start(), Now: now})
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// inFolder lists the files below dir, hidden ones too.
func inFolder(t *testing.T, dir string) []string {
	t.Helper()
	files := []string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			files = append(files, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestDownloadWritesTheFileUnderItsPathAndOnce(t *testing.T) {
	r := newRepo(t)
	r.bump("targets", "snapshot", "timestamp")
	r.add("targets", "path/to/tool.tar", []byte("tool"))
	r.publish()
	dir := t.TempDir()
	for _, cached := range []bool{false, true} {
		got, err := r.client().Download(context.Background(), "path/to/tool.tar", dir)
		if err != nil {
			t.Fatal(err)
		}
		if got.Cached != cached {
			t.Errorf("cached is %v, want %v", got.Cached, cached)
		}
		if content, err := os.ReadFile(filepath.Join(dir, "path", "to", "tool.tar")); err != nil || string(content) != "tool" {
			t.Errorf("file holds %q, %v", content, err)
		}
	}
	fetched := slices.DeleteFunc(slices.Clone(r.asked), func(s string) bool { return !strings.HasPrefix(s, "targets/") })
	if len(fetched) != 1 {
		t.Errorf("fetched %v, want the target once", fetched)
	}
}

func TestDownloadReplacesAnOlderContentAndKeepsItUntilThen(t *testing.T) {
	r := newRepo(t)
	dir := t.TempDir()
	for i, content := range []string{"first", "second", "third!"} {
		r.bump("targets", "snapshot", "timestamp")
		r.add("targets", "tool", []byte(content))
		r.publish()
		if i == 2 { // the repository lies this time
			name := "targets/" + hex.EncodeToString(r.targets["targets"].Targets["tool"].Hashes["sha256"]) + ".tool"
			r.files[name] = []byte("forged")
			if _, err := r.client().Download(context.Background(), "tool", dir); err == nil {
				t.Error("a forged file was taken")
			}
			content = "second"
		} else if _, err := r.client().Download(context.Background(), "tool", dir); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(filepath.Join(dir, "tool")); string(got) != content {
			t.Errorf("file holds %q, want %q", got, content)
		}
		if files := inFolder(t, dir); len(files) != 1 {
			t.Errorf("files %v, want only the target", files)
		}
	}
}

func TestDownloadRefusesWhatTheMetadataDoesNotSay(t *testing.T) {
	sum := func(b []byte) metadata.HexBytes { s := sha256.Sum256(b); return s[:] }
	content := []byte("content")
	for name, c := range map[string]struct {
		file   *metadata.TargetFiles
		served []byte
	}{
		"one byte changed":       {&metadata.TargetFiles{Length: 7, Hashes: metadata.Hashes{"sha256": sum(content)}}, []byte("Content")},
		"one byte less":          {&metadata.TargetFiles{Length: 7, Hashes: metadata.Hashes{"sha256": sum(content)}}, content[:6]},
		"one byte more":          {&metadata.TargetFiles{Length: 7, Hashes: metadata.Hashes{"sha256": sum(content)}}, []byte("contents")},
		"another length listed":  {&metadata.TargetFiles{Length: 8, Hashes: metadata.Hashes{"sha256": sum(content)}}, content},
		"no hash listed":         {&metadata.TargetFiles{Length: 7}, content},
		"an unknown hash listed": {&metadata.TargetFiles{Length: 7, Hashes: metadata.Hashes{"sha256": sum(content), "md5": {1}}}, content},
		"a negative length":      {&metadata.TargetFiles{Length: -1, Hashes: metadata.Hashes{"sha256": sum(nil)}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t)
			r.bump("targets", "snapshot", "timestamp")
			r.targets["targets"].Targets["f"] = c.file
			r.files["targets/"+hex.EncodeToString(c.file.Hashes["sha256"])+".f"] = c.served
			r.files["targets/.f"] = c.served
			r.publish()
			dir := t.TempDir()
			if _, err := r.client().Download(context.Background(), "f", dir); err == nil {
				t.Error("it was taken")
			}
			if files := inFolder(t, dir); len(files) > 0 {
				t.Errorf("files %v were left", files)
			}
		})
	}
}

// endless is a file without an end, as a repository may serve one to fill disks.
type endless struct{ read *int64 }

func (e endless) Read(p []byte) (int, error) { *e.read += int64(len(p)); return len(p), nil }
func (endless) Close() error                 { return nil }

// filling serves endless files.
type filling struct {
	*repo
	read int64
}

func (f *filling) Metadata(ctx context.Context, file string) (io.ReadCloser, error) {
	if file == "2.root.json" {
		return endless{&f.read}, nil
	}
	return f.repo.Metadata(ctx, file)
}

func (f *filling) Target(context.Context, string) (io.ReadCloser, error) {
	return endless{&f.read}, nil
}

// A repository serves files that never end.
func TestEndlessFilesAreCutOff(t *testing.T) {
	r := newRepo(t)
	f := &filling{repo: r}
	c, err := client.New(client.Options{Repository: f, Cache: r.start(), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Refresh(context.Background()); err == nil {
		t.Error("an endless root was taken")
	}
	if f.read > 2<<20 {
		t.Errorf("%d bytes of a root were read", f.read)
	}
	r.bump("targets", "snapshot", "timestamp")
	r.add("targets", "f", []byte("content"))
	r.publish()
	r2 := &filling{repo: r}
	c, err = client.New(client.Options{Repository: struct {
		metadataOf
		targetsOf
	}{metadataOf{r}, targetsOf{r2}}, Cache: r.start(), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Download(context.Background(), "f", t.TempDir()); err == nil {
		t.Error("an endless target was taken")
	}
	if r2.read > 1<<16 {
		t.Errorf("%d bytes of a target of 7 bytes were read", r2.read)
	}
}

type (
	metadataOf struct{ r *repo }
	targetsOf  struct{ f *filling }
)

func (m metadataOf) Metadata(ctx context.Context, file string) (io.ReadCloser, error) {
	return m.r.Metadata(ctx, file)
}

func (t targetsOf) Target(ctx context.Context, path string) (io.ReadCloser, error) {
	return t.f.Target(ctx, path)
}

// The paths in metadata are text from outside: they must not lead out of the
// folder that the user named.
func TestTargetPathsStayInTheirFolder(t *testing.T) {
	for path, want := range map[string]string{
		"a":              "a",
		"a/b":            "a/b",
		"../a":           "..%2Fa",
		"/etc/passwd":    "%2Fetc%2Fpasswd",
		"a/../../b":      "a%2F..%2F..%2Fb",
		"a//b":           "a%2F%2Fb",
		"./a":            ".%2Fa",
		"line\nbreak":    "", // refused with the metadata already
		"back\\slash":    "back%5Cslash",
		"turned\u202e":   "turned%E2%80%AE",
		"..":             "",
		".":              "",
		"with space":     "with space",
		"dot.dot/..a":    "dot.dot/..a",
		"a/":             "a%2F",
		"percent%2Fsign": "percent%2Fsign",
	} {
		t.Run(path, func(t *testing.T) {
			r := newRepo(t)
			r.bump("targets", "snapshot", "timestamp")
			r.add("targets", path, []byte("content"))
			r.publish()
			dir := filepath.Join(t.TempDir(), "deep", "folder")
			_, err := r.client().Download(context.Background(), path, dir)
			if want == "" {
				if err == nil {
					t.Error("it was downloaded")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if files := inFolder(t, filepath.Dir(filepath.Dir(dir))); !slices.Equal(files, []string{"deep/folder/" + want}) {
				t.Errorf("files %q, want %q", files, want)
			}
		})
	}
}

func TestSHA512AloneIsEnough(t *testing.T) {
	r := newRepo(t)
	r.bump("targets", "snapshot", "timestamp")
	digest := sha512.Sum512([]byte("content"))
	r.targets["targets"].Targets["f"] = &metadata.TargetFiles{Length: 7, Hashes: metadata.Hashes{"sha512": digest[:]}}
	r.files["targets/"+hex.EncodeToString(digest[:])+".f"] = []byte("content")
	r.publish()
	if _, err := r.client().Download(context.Background(), "f", t.TempDir()); err != nil {
		t.Error(err)
	}
}

func TestFetchStreamsAndVerifies(t *testing.T) {
	r := newRepo(t)
	r.bump("targets", "snapshot", "timestamp")
	r.add("targets", "f", []byte("content"))
	r.publish()
	var got bytes.Buffer
	if _, err := r.client().Fetch(context.Background(), "f", &got); err != nil || got.String() != "content" {
		t.Errorf("fetched %q, %v", got.String(), err)
	}
	for name := range r.files {
		if strings.HasPrefix(name, "targets/") {
			r.files[name] = []byte("forgery")
		}
	}
	if _, err := r.client().Fetch(context.Background(), "f", io.Discard); err == nil {
		t.Error("a forged file was taken")
	}
}

// visited lists the delegated roles that were asked for.
func (r *repo) visited() []string {
	roles := []string{}
	for _, name := range r.asked {
		role := strings.TrimSuffix(strings.TrimPrefix(name, "metadata/1."), ".json")
		if name == "metadata/1."+role+".json" && role != "snapshot" && role != "targets" {
			roles = append(roles, role)
		}
	}
	return roles
}

func TestSearchVisitsRolesDepthFirstInTheirOrder(t *testing.T) {
	for name, c := range map[string]struct {
		delegate func(r *repo)
		want     []string
	}{
		"two siblings": {func(r *repo) { r.delegate("targets", "a", false, "*"); r.delegate("targets", "b", false, "*") }, []string{"a", "b"}},
		"children before siblings": {func(r *repo) {
			r.delegate("targets", "a", false, "*")
			r.delegate("targets", "b", false, "*")
			r.delegate("a", "c", false, "*")
		}, []string{"a", "c", "b"}},
		"nothing after a terminating role but its children": {func(r *repo) {
			r.delegate("targets", "a", true, "*")
			r.delegate("targets", "b", false, "*")
			r.delegate("a", "c", false, "*")
		}, []string{"a", "c"}},
		"a terminating role in the depth": {func(r *repo) {
			r.delegate("targets", "a", false, "*")
			r.delegate("targets", "b", false, "*")
			r.delegate("a", "c", true, "*")
			r.delegate("a", "d", false, "*")
		}, []string{"a", "c"}},
		"only roles in charge": {func(r *repo) {
			r.delegate("targets", "a", false, "*.py")
			r.delegate("targets", "b", false, "missing/*")
			r.delegate("targets", "c", false, "missin?")
		}, []string{"c"}},
		"a circle once": {func(r *repo) {
			r.delegate("targets", "a", false, "*")
			r.delegate("a", "b", false, "*")
			r.delegate("b", "a", false, "*")
		}, []string{"a", "b"}},
		"hash prefixes in hex": {func(r *repo) {
			r.delegate("targets", "a", false)
			r.delegate("targets", "b", false)
			digest := sha256.Sum256([]byte("missing"))
			prefix := hex.EncodeToString(digest[:])[:3]
			r.targets["targets"].Delegations.Roles[0].PathHashPrefixes = []string{"x" + prefix}
			r.targets["targets"].Delegations.Roles[1].PathHashPrefixes = []string{"0g", prefix}
		}, []string{"b"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t)
			c.delegate(r)
			r.publish()
			_, err := r.client().Target(context.Background(), "missing")
			if !errors.Is(err, client.ErrNoTarget) && !strings.Contains(name, "circle") {
				t.Errorf("error is %v", err)
			}
			if got := r.visited(); !slices.Equal(got, c.want) {
				t.Errorf("visited %v, want %v", got, c.want)
			}
		})
	}
}

func TestUnusualRoleNamesAreAskedForAndKeptInQuotes(t *testing.T) {
	for _, role := range []string{"?", "#", "/a", "../a", "a b", "ä"} {
		t.Run(role, func(t *testing.T) {
			r := newRepo(t)
			r.delegate("targets", role, false, "*")
			r.add(role, "f", []byte("content"))
			r.publish()
			dir := client.Folder(filepath.Join(t.TempDir(), "deep", "m"))
			if err := client.Init(dir, r.files["metadata/1.root.json"]); err != nil {
				t.Fatal(err)
			}
			c, err := client.New(client.Options{Repository: r, Cache: dir, Now: now})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Target(context.Background(), "f"); err != nil {
				t.Fatal(err)
			}
			if files := inFolder(t, filepath.Dir(string(dir))); len(files) != 5 {
				t.Errorf("files %q, want five in one folder", files)
			}
		})
	}
}

// Role "release" may be filled by A for team-a and by B for team-b. Whoever holds A's key signs a
// release that lists a file for team-b. A client that has met the role through A must not take it for B's word.
func TestARoleIsJudgedByTheParentOfThePathThatLedToIt(t *testing.T) {
	r := newRepo(t)
	r.delegate("targets", "parent-a", false, "team-a/*")
	r.delegate("targets", "parent-b", false, "team-b/*")
	byA := r.delegate("parent-a", "release", false, "team-a/*")
	r.delegate("parent-b", "release", false, "team-b/*")
	r.keys["release"] = []*signer{byA}
	r.add("release", "team-a/f", []byte("good"))
	r.add("release", "team-b/f", []byte("evil"))
	r.publish()
	c := r.client()
	if _, err := c.Target(context.Background(), "team-a/f"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Target(context.Background(), "team-b/f"); err == nil {
		t.Error("A's signature was taken for B's")
	}
}

// A targets keyholder delegates to a role named "root", whose file would take
// the place of the trusted root in the cache.
func TestADelegationCannotTakeATopLevelName(t *testing.T) {
	for _, role := range []string{"root", "Root", "timestamp", "SNAPSHOT"} {
		t.Run(role, func(t *testing.T) {
			r := newRepo(t)
			cache := r.start()
			before := cache["root"]
			key := r.delegate("targets", role, false, "*")
			raw := r.sign(r.targets[role], key)
			r.files["metadata/1."+role+".json"] = raw
			targets := r.sign(r.targets["targets"], r.keys["targets"]...)
			r.files["metadata/1.targets.json"] = targets
			r.snap.Meta = map[string]*metadata.MetaFiles{"targets.json": metaOf(1, targets), role + ".json": metaOf(1, raw)}
			r.snap.Version, r.stamp.Version = 2, 2
			r.keys["snapshot"], r.keys["timestamp"] = r.keys["snapshot"][:1], r.keys["timestamp"][:1]
			r.publishSnapshot()
			c, err := client.New(client.Options{Repository: r, Cache: cache, Now: now})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Target(context.Background(), "f"); err == nil || errors.Is(err, client.ErrNoTarget) {
				t.Errorf("error is %v", err)
			}
			if !bytes.Equal(cache["root"], before) || len(cache) != 4 {
				t.Errorf("the cache holds %s", versions(t, cache))
			}
		})
	}
}

func TestADelegatedRoleThatTheSnapshotDoesNotListIsNotAskedFor(t *testing.T) {
	r := newRepo(t)
	r.delegate("targets", "a", false, "*")
	r.publish()
	delete(r.snap.Meta, "a.json")
	r.bump("snapshot", "timestamp")
	r.publishSnapshot()
	if _, err := r.client().Target(context.Background(), "f"); err == nil {
		t.Error("a role was used that the snapshot does not list")
	}
	if got := r.visited(); len(got) > 0 {
		t.Errorf("asked for %v", got)
	}
}
