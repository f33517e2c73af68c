package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"
)

// TestForeignClientsFollowARehearsal plays a whole rehearsal through the program and lets two
// TUF clients that we did not write download from it, starting at the first root: tuf-js and
// go-tuf's updater. Then one byte of every metadata and target file is changed in turn, and both refuse.
func TestForeignClientsFollowARehearsal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "practice")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "conclave")
	if err := os.Symlink(self, bin); err != nil { // testscript makes this name the program
		t.Fatal(err)
	}
	if out, err := exec.Command(bin, "rehearse", dir, "--auto").CombinedOutput(); err != nil {
		t.Fatalf("rehearse: %v\n%s", err, out)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(filepath.Join(dir, "repository"))))
	defer server.Close()
	clients := map[string]func(target string) error{
		"tuf-js": startTufJS(t, server.URL, dir),
		"go-tuf": func(target string) error { return goTuf(t.TempDir(), server.URL, dir, target) },
	}
	const target = "hello.txt"
	for name, download := range clients {
		if err := download(target); err != nil {
			t.Fatalf("%s does not follow the rehearsal: %v", name, err)
		}
	}
	changed := 0
	for _, file := range matter(t, filepath.Join(dir, "repository"), target) {
		restore := flipMiddle(t, file)
		for name, download := range clients {
			if download(target) == nil {
				t.Errorf("%s accepts a changed %s", name, filepath.Base(file))
			}
		}
		restore()
		changed++
	}
	if changed < 5 {
		t.Errorf("only %d files were changed: the repository is not where this test looks", changed)
	}
}

// matter lists the files that a fresh client reads for target: the live metadata, the root chain
// after the first, and the target itself.
func matter(t *testing.T, repository, target string) []string {
	var files []string
	err := filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		name := d.Name()
		switch {
		case err != nil || d.IsDir():
			return err
		case strings.HasSuffix(name, "."+target), name == "timestamp.json", name == "2.root.json",
			name == "2.snapshot.json", name == "2.targets.json":
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// flipMiddle changes one bit in the middle of a file.
func flipMiddle(t *testing.T, path string) (restore func()) {
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := append([]byte(nil), raw...)
	changed[len(raw)/2] ^= 1
	write := func(b []byte) {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(changed)
	return func() { write(raw) }
}

// goTuf downloads with go-tuf's own updater.
func goTuf(cache, server, dir, target string) error {
	root, err := os.ReadFile(filepath.Join(dir, "trusted", "1.root.json"))
	if err != nil {
		return err
	}
	cfg, err := config.New(server+"/metadata", root)
	if err != nil {
		return err
	}
	cfg.LocalMetadataDir, cfg.LocalTargetsDir = filepath.Join(cache, "metadata"), filepath.Join(cache, "targets")
	cfg.RemoteTargetsURL = server + "/targets"
	up, err := updater.New(cfg)
	if err != nil {
		return err
	}
	if err := up.Refresh(); err != nil {
		return err
	}
	info, err := up.GetTargetInfo(target)
	if err != nil {
		return err
	}
	_, _, err = up.DownloadTarget(info, filepath.Join(cache, url.PathEscape(target)), "")
	return err
}

// startTufJS starts one Node process that answers downloads with tuf-js, from the first root on.
func startTufJS(t *testing.T, server, dir string) func(target string) error {
	download := startTufJSFrom(t)
	return func(target string) error {
		return download(server+"/metadata", server+"/targets", filepath.Join(dir, "trusted", "1.root.json"), target, filepath.Join(t.TempDir(), "got"))
	}
}

// startTufJSFrom is startTufJS for any arguments that testdata/clients/tufjs.mjs takes.
func startTufJSFrom(t *testing.T) func(args ...string) error {
	const clients = "../../testdata/clients"
	if _, err := os.Stat(filepath.Join(clients, "node_modules")); err != nil {
		if out, err := exec.Command("npm", "ci", "--prefix", clients).CombinedOutput(); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("tuf-js is missing: %v\n%s", err, out)
			}
			t.Skipf("tuf-js is missing, and with it this test: %v", err)
		}
	}
	cmd := exec.Command("node", filepath.Join(clients, "tufjs.mjs"), "--batch")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	answers := bufio.NewScanner(out)
	return func(args ...string) error {
		if err := json.NewEncoder(in).Encode(args); err != nil {
			t.Fatal(err)
		}
		if !answers.Scan() {
			t.Fatal("tuf-js has gone")
		}
		var answer struct {
			OK  bool
			Why string
		}
		if err := json.Unmarshal(answers.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		if !answer.OK {
			return fmt.Errorf("tuf-js: %s", answer.Why)
		}
		return nil
	}
}
