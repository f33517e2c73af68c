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
	"slices"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"conclave/ceremony"
	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/client"
	"conclave/transfer/publish"
)

// A house is a repository that is published into a folder, and the keys of its people.
type house struct {
	t      *testing.T
	dir    string
	now    time.Time
	folder *publish.Folder
	pub    *publish.Publisher
	keys   map[string]*ecdsa.PrivateKey // by name; "Bob 2" is Bob's second token
	first  *tuf.Document
	url    string
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

// known is a token that was enrolled elsewhere.
func (h *house) known(name string) *ceremony.KnownKey { return &ceremony.KnownKey{Key: h.key(name)} }

var houseHolders = []string{"Alice", "Bob", "Carol", "Dana", "Erin"}

// newHouse has published root 1 (3 of 5) and targets 1 (2 of Alice, Bob and Carol).
func newHouse(t *testing.T) *house {
	h := &house{t: t, dir: t.TempDir(), now: time.Now().UTC().Truncate(time.Second), keys: map[string]*ecdsa.PrivateKey{}}
	var err error
	h.folder, err = publish.NewFolder(filepath.Join(h.dir, "repository"))
	h.check(err)
	server := httptest.NewServer(http.FileServer(http.Dir(h.folder.Dir())))
	t.Cleanup(server.Close)
	h.url = server.URL
	h.host("snapshot", "timestamp")
	spec := tuf.RootSpec{Version: 1, Expires: h.now.AddDate(1, 0, 0)}
	var all []string
	for _, name := range houseHolders {
		spec.Keys = append(spec.Keys, tuf.HeldKey{Key: h.key(name), Holder: tuf.Holder{Name: name, Purpose: "primary"}})
		all = append(all, h.key(name).ID)
	}
	spec.Keys = append(spec.Keys, tuf.HeldKey{Key: h.key("snapshot")}, tuf.HeldKey{Key: h.key("timestamp")})
	spec.Roles = map[string]tuf.RoleSpec{
		tuf.Root: {KeyIDs: all, Threshold: 3}, tuf.Targets: {KeyIDs: all[:3], Threshold: 2},
		tuf.Snapshot: {KeyIDs: []string{h.key("snapshot").ID}, Threshold: 1}, tuf.Timestamp: {KeyIDs: []string{h.key("timestamp").ID}, Threshold: 1},
	}
	root, err := tuf.NewRoot(spec)
	h.check(err)
	h.check(os.MkdirAll(filepath.Join(h.dir, "files"), 0o755))
	h.check(os.WriteFile(filepath.Join(h.dir, "files", "app"), []byte("the application"), 0o644))
	hashed, err := transfer.HashFiles(context.Background(), []string{filepath.Join(h.dir, "files")}, nil)
	h.check(err)
	targets, err := tuf.NewTargets(tuf.TargetsSpec{
		Version: 1, Expires: h.now.AddDate(0, 3, 0), Files: []tuf.TargetFile{{Path: "app", Length: hashed[0].Length, SHA256: hashed[0].SHA256}},
	})
	h.check(err)
	b := &transfer.Bundle{Purpose: "genesis", Created: h.now, Documents: []transfer.Document{{Role: tuf.Root, Metadata: root}, {Role: tuf.Targets, Metadata: targets}}}
	b = h.sign(b, "Alice", "Bob", "Carol")
	h.first = b.Document(tuf.Root)
	h.push(b)
	return h
}

// host is a publisher with these online keys.
func (h *house) host(snapshot, timestamp string) {
	h.pub = &publish.Publisher{
		Store: h.folder, PinnedRoot: filepath.Join(h.dir, "pinned.json"), StateDir: filepath.Join(h.dir, "state"),
		Snapshot: h.signer(snapshot), Timestamp: h.signer(timestamp), SnapshotLife: 7 * 24 * time.Hour, TimestampLife: 24 * time.Hour,
	}
}

// sign gives every document the signatures of these keys, as far as they have a say.
func (h *house) sign(b *transfer.Bundle, names ...string) *transfer.Bundle {
	h.t.Helper()
	for _, role := range []string{tuf.Root, tuf.Targets} {
		doc := b.Document(role)
		if doc == nil {
			continue
		}
		reqs, err := b.Requirements(role)
		h.check(err)
		for _, name := range names {
			if signed, err := tuf.Attach(doc, reqs, h.key(name).ID, h.signature(name, doc)); err == nil {
				doc = signed
			} else if !errors.Is(err, tuf.ErrStranger) {
				h.t.Fatal(err)
			}
		}
		b = b.With(role, doc)
	}
	return b
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
	_, err = c.Download(context.Background(), "app", h.t.TempDir())
	return err
}

// goTUF is the foreign client; dir is what it remembers.
func (h *house) goTUF(url string, root []byte, dir string) error {
	cfg, err := config.New(url+"/metadata", root)
	if err != nil {
		return err
	}
	cfg.LocalMetadataDir, cfg.LocalTargetsDir, cfg.RemoteTargetsURL = dir, dir, url+"/targets"
	up, err := updater.New(cfg)
	if err != nil {
		return err
	}
	info, err := up.GetTargetInfo("app")
	if err != nil {
		return err
	}
	_, _, err = up.DownloadTarget(info, filepath.Join(dir, "app"), "")
	return err
}

// refused proves that nothing counts any more that these keys sign: neither
// the next root nor the next targets.
func (h *house) refused(names ...string) {
	h.t.Helper()
	base := h.base()
	next, err := ceremony.PlanRoot(base, "forged", h.now.AddDate(1, 0, 0), h.now)
	h.check(err)
	if n := len(h.sign(next, names...).Document(tuf.Root).Signatures()); n != 0 {
		h.t.Errorf("%d signatures on the next root by keys that left", n)
	}
	release, err := ceremony.PlanTargets(base, ceremony.TargetsChange{Remove: []string{"app"}, Expires: h.now.AddDate(0, 3, 0)}, h.now)
	h.check(err)
	forged := h.sign(release, names...)
	if _, err := h.pub.Push(context.Background(), forged, filepath.Join(h.dir, "files"), publish.PushOptions{}); err == nil {
		h.t.Error("targets by keys that left were published")
	}
}

func TestRotationsReachEveryClientFromEveryRoot(t *testing.T) {
	replace := func(h *house, names ...string) (all []ceremony.Replacing) {
		for _, name := range names {
			all = append(all, ceremony.Replacing{Name: name, Known: h.known(name + " 2")})
		}
		return all
	}
	tests := []struct {
		name string
		r    func(*house) ceremony.Rotation
		sign []string
		gone []string
	}{
		{
			"a planned swap of one holder",
			func(h *house) ceremony.Rotation { return ceremony.Rotation{Replace: replace(h, "Bob")} },
			[]string{"Alice", "Carol", "Dana", "Bob", "Bob 2"},
			[]string{"Bob"},
		},
		{
			"a whole threshold in one sitting",
			func(h *house) ceremony.Rotation {
				return ceremony.Rotation{Replace: replace(h, "Alice", "Bob", "Carol")}
			},
			[]string{"Alice", "Bob", "Carol", "Alice 2", "Bob 2", "Carol 2"},
			[]string{"Alice", "Bob", "Carol"},
		},
		{
			"a stolen token of targets",
			func(*house) ceremony.Rotation {
				return ceremony.Rotation{Absent: []string{"Alice"}, Remove: []ceremony.Leaving{{Name: "Alice"}}}
			},
			[]string{"Bob", "Carol", "Dana"},
			[]string{"Alice"},
		},
		{
			"a lost token, by those who are left",
			func(h *house) ceremony.Rotation {
				return ceremony.Rotation{Absent: []string{"Erin"}, Replace: replace(h, "Erin"), RootThreshold: 4}
			},
			[]string{"Alice", "Bob", "Carol", "Dana"},
			[]string{"Erin"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t)
			h.push(h.sign(h.plan(tt.r(h)), tt.sign...))
			h.clientsFollow()
			h.refused(tt.gone...)
			// And once more, so that the oldest client walks two roots.
			renewal, err := ceremony.PlanRoot(h.base(), "renewal", h.now.AddDate(1, 1, 0), h.now)
			h.check(err)
			var left []string
			for name := range h.keys {
				if !slices.Contains(tt.gone, name) {
					left = append(left, name)
				}
			}
			h.push(h.sign(renewal, left...))
			h.clientsFollow()
		})
	}
}

// The timestamp's key is stolen. With it somebody shows clients a timestamp of
// version 2^31: from then on they refuse every honest one, which is below. The
// specification's recovery gives both online roles new keys.
func TestClientsRecoverFromAFastForwardedTimestamp(t *testing.T) {
	h := newHouse(t)
	evil := t.TempDir()
	h.check(os.CopyFS(evil, os.DirFS(h.folder.Dir())))
	stolen, err := new(metadata.Metadata[metadata.TimestampType]).FromFile(filepath.Join(evil, "metadata", "timestamp.json"))
	h.check(err)
	stolen.Signed.Version = 1 << 31
	forged, err := tuf.From(&stolen.Signed)
	h.check(err)
	reqs, err := tuf.Requirements(tuf.Timestamp, forged, nil, h.first)
	h.check(err)
	forged, err = tuf.Attach(forged, reqs, h.key("timestamp").ID, h.signature("timestamp", forged))
	h.check(err)
	h.check(os.WriteFile(filepath.Join(evil, "metadata", "timestamp.json"), forged.Bytes(), 0o644))
	server := httptest.NewServer(http.FileServer(http.Dir(evil)))
	t.Cleanup(server.Close)

	foreign, cache := t.TempDir(), client.Memory{}
	h.check(client.Init(cache, h.first.Bytes()))
	h.check(h.goTUF(server.URL, h.first.Bytes(), foreign))
	h.check(h.ours(server.URL, cache))
	if h.goTUF(h.url, h.first.Bytes(), foreign) == nil || h.ours(h.url, cache) == nil {
		t.Fatal("a client went back from version 2^31: the attack is not what it says")
	}

	h.host("snapshot 2", "timestamp 2")
	b := h.plan(ceremony.Rotation{Snapshot: []tuf.Key{h.key("snapshot 2")}, Timestamp: []tuf.Key{h.key("timestamp 2")}})
	h.push(h.sign(b, "Alice", "Bob", "Carol"))
	h.clientsFollow()
	h.check(h.goTUF(h.url, h.first.Bytes(), foreign))
	h.check(h.ours(h.url, cache))
	if err := h.ours(server.URL, cache); err == nil {
		t.Error("the stolen key's timestamp is taken again")
	}
}
