//go:build !offline

package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"conclave/ceremony"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/client"
	"conclave/transfer/publish"
)

// A house is a repository that is published into a folder, and the keys of its online roles.
type house struct {
	t      *testing.T
	dir    string
	now    time.Time
	folder *publish.Folder
	pub    *publish.Publisher
	keys   map[string]*ecdsa.PrivateKey // by name: "snapshot 2" is the second one
	first  *tuf.Document
	url    string
	target string // what clients download
}

func (h *house) check(err error) {
	h.t.Helper()
	if err != nil {
		var hint interface{ Hint() string }
		if errors.As(err, &hint) {
			h.t.Fatalf("%v (%s)", err, hint.Hint())
		}
		h.t.Fatal(err)
	}
}

func (h *house) key(name string) tuf.Key {
	h.t.Helper()
	if h.keys[name] == nil {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		h.check(err)
		h.keys[name] = private
	}
	key, err := tuf.NewKey(h.keys[name].Public())
	h.check(err)
	return key
}

func (h *house) signer(name string) *publish.Signer {
	h.t.Helper()
	h.key(name)
	s, err := publish.NewSigner(h.keys[name])
	h.check(err)
	return s
}

var houseHolders = []string{"Alice", "Bob", "Carol", "Dana", "Erin"}

// emptyHouse has a store that is served, and a file to release.
func emptyHouse(t *testing.T) *house {
	h := &house{t: t, dir: t.TempDir(), now: time.Now().UTC().Truncate(time.Second), keys: map[string]*ecdsa.PrivateKey{}, target: "app"}
	var err error
	h.folder, err = publish.NewFolder(filepath.Join(h.dir, "repository"))
	h.check(err)
	server := httptest.NewServer(http.FileServer(http.Dir(h.folder.Dir())))
	t.Cleanup(server.Close)
	h.url = server.URL
	h.host("snapshot", "timestamp")
	h.check(os.MkdirAll(filepath.Join(h.dir, "files"), 0o755))
	h.check(os.WriteFile(filepath.Join(h.dir, "files", "app"), []byte("the application"), 0o644))
	return h
}

// host is a publisher with these online keys.
func (h *house) host(snapshot, timestamp string) {
	h.pub = &publish.Publisher{
		Store: h.folder, PinnedRoot: filepath.Join(h.dir, "pinned.json"), StateDir: filepath.Join(h.dir, "state"),
		Snapshot: h.signer(snapshot), Timestamp: h.signer(timestamp), SnapshotLife: 7 * 24 * time.Hour, TimestampLife: 24 * time.Hour,
	}
}

func (h *house) signature(name string, doc *tuf.Document) []byte {
	h.t.Helper()
	digest, _, err := h.key(name).Hashed(doc.Payload())
	h.check(err)
	sig, err := h.keys[name].Sign(rand.Reader, digest, crypto.SHA256)
	h.check(err)
	return sig
}

func (h *house) push(b *transfer.Bundle) {
	h.t.Helper()
	o := publish.PushOptions{}
	if b.Genesis() {
		o.RootDigest = b.Root().Digest().String()
	}
	_, err := h.pub.Push(context.Background(), b, filepath.Join(h.dir, "files"), o)
	h.check(err)
}

// base reads what is live.
func (h *house) base() transfer.Base {
	h.t.Helper()
	base, err := transfer.ReadRepository(filepath.Join(h.folder.Dir(), "metadata"), h.first)
	h.check(err)
	return base
}

func (h *house) plan(r ceremony.Rotation) *transfer.Bundle {
	h.t.Helper()
	r.RootExpires, r.TargetsExpires = h.now.AddDate(1, 0, 0), h.now.AddDate(0, 3, 0)
	b, err := ceremony.PlanRotation(h.base(), r, h.now)
	h.check(err)
	return b
}

// clientsFollow lets go-tuf's updater and our client update from every root that ever was.
func (h *house) clientsFollow() {
	h.t.Helper()
	for _, root := range h.base().Roots {
		h.check(h.goTUF(h.url, root.Bytes(), h.t.TempDir()))
		cache := client.Memory{}
		h.check(client.Init(cache, root.Bytes()))
		h.check(h.ours(h.url, cache))
	}
}

func (h *house) ours(url string, cache client.Cache) error {
	r, err := client.Open(url+"/metadata", url+"/targets")
	if err != nil {
		return err
	}
	c, err := client.New(client.Options{Repository: r, Cache: cache})
	if err != nil {
		return err
	}
	_, err = c.Download(context.Background(), h.target, h.t.TempDir())
	return err
}

// goTUF is the foreign client; dir is what it remembers, and root where it begins.
func (h *house) goTUF(url string, root []byte, dir string) error {
	if newest, err := os.ReadFile(filepath.Join(dir, "root.json")); err == nil {
		root = newest // it takes the root that it is given for the one to start from
	}
	cfg, err := config.New(url+"/metadata", root)
	if err != nil {
		return err
	}
	cfg.LocalMetadataDir, cfg.LocalTargetsDir, cfg.RemoteTargetsURL = dir, dir, url+"/targets"
	up, err := updater.New(cfg)
	if err != nil {
		return err
	}
	info, err := up.GetTargetInfo(h.target)
	if err != nil {
		return err
	}
	_, _, err = up.DownloadTarget(info, filepath.Join(dir, "app"), "")
	return err
}
