//go:build !offline

package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"conclave/transfer/client"
)

// write puts the repository into a folder.
func (r *repo) write(dir string) {
	r.t.Helper()
	for name, raw := range r.files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
}

func TestOpenReachesTheSameRepositoryByEveryKindOfURL(t *testing.T) {
	r := newRepo(t)
	r.bump("targets", "snapshot", "timestamp")
	r.add("targets", "a b/c#d?e%f", []byte("content"))
	r.publish()
	dir := t.TempDir()
	r.write(dir)
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	t.Chdir(dir)
	for name, base := range map[string]string{
		"a plain path": dir, "a relative path": ".", "file: and a relative path": "file:.",
		"file: and three slashes": "file://" + filepath.ToSlash(dir), "file: and a host": "file://localhost" + filepath.ToSlash(dir),
		"http": server.URL,
	} {
		t.Run(name, func(t *testing.T) {
			repository, err := client.Open(base+"/metadata/", base+"/targets")
			if err != nil {
				t.Fatal(err)
			}
			c, err := client.New(client.Options{Repository: repository, Cache: r.start(), Now: now})
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			if _, err := c.Fetch(context.Background(), "a b/c#d?e%f", &got); err != nil || got.String() != "content" {
				t.Errorf("fetched %q, %v", got.String(), err)
			}
		})
	}
}

func TestOpenRefusesWhatIsNoRepository(t *testing.T) {
	for _, url := range []string{"ftp://example.org/", "http://", "http://example.org/?a=b", "https://example.org/#x", "s3://bucket/", "http://%zz/"} {
		if _, err := client.Open(url, ""); err == nil {
			t.Errorf("%q was opened", url)
		}
	}
	r, err := client.Open(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Target(context.Background(), "f"); err == nil {
		t.Error("a target was opened without a place for targets")
	}
}

func TestFolderDoesNotLeadOutside(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "repo"), 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := client.Open(filepath.Join(dir, "repo"), filepath.Join(dir, "repo"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../secret", "..", "a/../../secret"} {
		if _, err := r.Target(context.Background(), name); err == nil {
			t.Errorf("%q was opened", name)
		}
		if _, err := r.Metadata(context.Background(), name); err == nil {
			t.Errorf("metadata %q was opened", name)
		}
	}
}

func TestWebAnswers(t *testing.T) {
	var status int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer server.Close()
	r, err := client.Open(server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	for code, notFound := range map[int]bool{404: true, 403: true, 500: false, 503: false, 401: false, 204: false, 304: false} {
		status = code
		body, err := r.Metadata(context.Background(), "2.root.json")
		if err == nil {
			_ = body.Close()
			t.Errorf("%d opens a file", code)
			continue
		}
		if errors.Is(err, client.ErrNotFound) != notFound {
			t.Errorf("%d: %v", code, err)
		}
	}
}

// A server on the way sends the client from https to http, where anybody can answer.
func TestWebStaysOnHTTPS(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") }))
	defer plain.Close()
	via := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer via.Close()
	if err := client.CheckRedirect(plain.URL, via.URL); err == nil {
		t.Error("https may turn into http")
	}
	if err := client.CheckRedirect(via.URL, plain.URL); err != nil {
		t.Errorf("http may not turn into https: %v", err)
	}
	if err := client.CheckRedirect(plain.URL, plain.URL, plain.URL, plain.URL, plain.URL, plain.URL, plain.URL); err == nil {
		t.Error("redirects may go on for ever")
	}
}
