//go:build !offline

package publish_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"conclave/ceremony/tuf"
	"conclave/transfer/client"
)

// A flip is one changed bit of one file of a repository.
type flip struct {
	file   string
	offset int
}

func (f flip) String() string { return fmt.Sprintf("%s, byte %d", f.file, f.offset) }

// A museum serves one repository in many variants: below /N/ the one with flip N, below /whole/ the real one.
type museum struct {
	*httptest.Server
	files map[string]string

	mu    sync.Mutex
	flips []flip          // owned by mu
	asked map[string]bool // owned by mu: files that anybody wanted
}

func newMuseum(t testing.TB, files map[string]string) *museum {
	m := &museum{files: files, asked: map[string]bool{}}
	m.Server = httptest.NewServer(m)
	t.Cleanup(m.Close)
	return m
}

func (m *museum) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	variant, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	content, ok := m.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	m.mu.Lock()
	m.asked[name] = true
	m.mu.Unlock()
	_, _ = io.WriteString(w, m.variant(variant, name, content))
}

func (m *museum) variant(variant, name, content string) string {
	i, err := strconv.Atoi(variant)
	if err != nil {
		return content
	}
	m.mu.Lock()
	f := m.flips[i]
	m.mu.Unlock()
	if f.file != name {
		return content
	}
	changed := []byte(content)
	changed[f.offset] ^= 1
	return string(changed)
}

// add makes a variant and returns its name.
func (m *museum) add(f flip) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.flips = append(m.flips, f)
	return strconv.Itoa(len(m.flips) - 1)
}

// read lists the files that were asked for, and the root that every client was given.
func (m *museum) read() map[string]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	read := maps.Clone(m.asked)
	read["metadata/1.root.json"] = true
	return read
}

// A visit is what a client is asked to do: download target from a variant, starting at a root that
// it was given, or at a folder of metadata that it has kept.
type visit struct{ metadata, targets, root, target, out string }

func (m *museum) visit(t testing.TB, variant, target string) visit {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "visit-")
	must(t, err)
	const first = "metadata/1.root.json"
	root := filepath.Join(dir, "1.root.json")
	must(t, os.WriteFile(root, []byte(m.variant(variant, first, m.files[first])), 0o644))
	return visit{m.URL + "/" + variant + "/metadata", m.URL + "/" + variant + "/targets", root, target, filepath.Join(dir, "out")}
}

// clientOf is one implementation, asked through one function.
type clientOf func(v visit) error

// ourClient is transfer/client.
func ourClient(v visit) error {
	root, err := os.ReadFile(v.root)
	if err != nil {
		return err
	}
	cache := client.Memory{}
	if err := client.Init(cache, root); err != nil {
		return err
	}
	r, err := client.Open(v.metadata, v.targets)
	if err != nil {
		return err
	}
	c, err := client.New(client.Options{Repository: r, Cache: cache})
	if err != nil {
		return err
	}
	got, err := c.Download(context.Background(), v.target, filepath.Dir(v.out))
	if err != nil {
		return err
	}
	return os.Rename(got.File, v.out)
}

// goTUF is go-tuf's updater with its own fetcher.
func goTUF(v visit) error {
	path := v.root
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		path = filepath.Join(v.root, "root.json")
	}
	root, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	cfg, err := config.New(v.metadata, root)
	if err != nil {
		return err
	}
	cfg.LocalMetadataDir, cfg.LocalTargetsDir, cfg.DisableLocalCache = v.root, filepath.Dir(v.out), !info.IsDir()
	up, err := updater.New(cfg)
	if err != nil {
		return err
	}
	target, err := up.GetTargetInfo(v.target)
	if err != nil {
		return err
	}
	_, content, err := up.DownloadTarget(target, v.out, v.targets)
	if err != nil {
		return err
	}
	return os.WriteFile(v.out, content, 0o644)
}

// clientsDir has the clients of other projects.
const clientsDir = "../../testdata/clients"

// tufJS is tuf-js; a test that needs it is skipped where it cannot run.
func tufJS(t *testing.T) clientOf {
	t.Helper()
	c, err := startTufJS(t)
	if err != nil {
		missing(t, err.Error())
	}
	return c
}

// startTufJS starts one Node process that answers visits with tuf-js, one after the other.
func startTufJS(t *testing.T) (clientOf, error) {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("%s is not installed: the test with tuf-js needs Node 20 or later", tool)
		}
	}
	if _, err := os.Stat(filepath.Join(clientsDir, "node_modules", "tuf-js")); err != nil {
		if out, err := exec.Command("npm", "ci", "--prefix", clientsDir).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("npm ci in testdata/clients: %w\n%s", err, out)
		}
	}
	cmd := exec.Command("node", filepath.Join(clientsDir, "tufjs.mjs"), "--batch")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	answers := bufio.NewScanner(out)
	var turn sync.Mutex
	return func(v visit) error {
		turn.Lock()
		defer turn.Unlock()
		if err := json.NewEncoder(in).Encode([]string{v.metadata, v.targets, v.root, v.target, v.out}); err != nil {
			return err
		}
		if !answers.Scan() {
			return fmt.Errorf("tuf-js does not answer: %w", answers.Err())
		}
		var answer struct {
			OK  bool   `json:"ok"`
			Why string `json:"why"`
		}
		if err := json.Unmarshal(answers.Bytes(), &answer); err != nil {
			return err
		}
		if !answer.OK {
			return fmt.Errorf("tuf-js: %s", answer.Why)
		}
		return nil
	}, nil
}

// missing skips a test on a machine that lacks a tool, but never in CI: there
// a test that does not run is a failure.
func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// story publishes a genesis and then a root rotation together with a release, as of today.
func story(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.now = time.Now().UTC().Truncate(time.Second)
	w.genesis()
	w.file("tool.tar", strings.Repeat("tool 2 ", 1000))
	w.roots[2] = newHolder(t)
	w.push(w.sign(w.bundle(tuf.Root, tuf.Targets), w.roots[0], w.roots[1]))
	return w
}

// targetFor is the target whose download reads the file.
func targetFor(w *world, file string) string {
	for path, content := range w.files {
		dir, base := filepath.Split(path)
		if file == fmt.Sprintf("targets/%s%x.%s", dir, sha256.Sum256([]byte(content)), base) {
			return path
		}
	}
	return "tool.tar"
}

// Whoever holds the store can change what lies in it. No client, ours or
// others', may accept a repository with one changed bit.
func TestEveryClientDownloadsWhatIsPublishedAndRefusesOneChangedBit(t *testing.T) {
	w := story(t)
	files := list(t, w.folder.Dir())
	for name, c := range map[string]struct {
		client  func(t *testing.T) clientOf
		perFile int // changed bits
	}{
		"our client": {func(*testing.T) clientOf { return ourClient }, 24},
		"go-tuf":     {func(*testing.T) clientOf { return goTUF }, 24},
		"tuf-js":     {tufJS, 12},
	} {
		t.Run(name, func(t *testing.T) {
			visitor := c.client(t)
			m := newMuseum(t, files)
			for path, content := range w.files {
				v := m.visit(t, "whole", path)
				if err := visitor(v); err != nil {
					t.Fatalf("download %s: %v", path, err)
				}
				if got, err := os.ReadFile(v.out); err != nil || string(got) != content {
					t.Errorf("%s holds %d bytes, %v", path, len(got), err)
				}
			}
			read := m.read()
			checkUnread(t, files, read)
			for file := range read {
				for _, offset := range offsets(len(files[file]), c.perFile) {
					f := flip{file, offset}
					if err := visitor(m.visit(t, m.add(f), targetFor(w, file))); err == nil {
						t.Errorf("%s: it was accepted", f)
					}
				}
			}
		})
	}
}

// checkUnread makes sure that only superseded files are left out of the test.
func checkUnread(t *testing.T, files map[string]string, read map[string]bool) {
	t.Helper()
	var unread []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !read[name] {
			unread = append(unread, name)
		}
	}
	old := fmt.Sprintf("targets/%x.tool.tar", sha256.Sum256([]byte("tool 1")))
	if want := []string{"metadata/1.snapshot.json", "metadata/1.targets.json", old}; !slices.Equal(unread, want) {
		t.Errorf("nobody reads %q, want %q", unread, want)
	}
}

// offsets spreads n places over a file, its ends included.
func offsets(length, n int) []int {
	var places []int
	for i := range n {
		places = append(places, i*(length-1)/(n-1))
	}
	return slices.Compact(places)
}
