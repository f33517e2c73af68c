package publish_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/client"
	"conclave/transfer/publish"
)

const day = 24 * time.Hour

// A holder stands for a token: a key in memory and its public half.
type holder struct {
	key     tuf.Key
	private *ecdsa.PrivateKey
}

func newHolder(t testing.TB) holder {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := tuf.NewKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return holder{key, private}
}

// A world is a repository, the people who sign for it and one publisher.
type world struct {
	t        testing.TB
	dir      string // target files and the publisher's own files
	store    publish.Store
	folder   *publish.Folder
	pub      *publish.Publisher
	practice bool
	now      time.Time
	roots    []holder // root and targets, all of them
	need     int      // threshold of root; targets needs one less
	online   map[string]tuf.Key
	base     transfer.Base // what is live, for the next bundle
	files    map[string]string
}

// onlineKeys are two signers in memory; the tests of keys.go make them through files.
func onlineKeys(t testing.TB) (snapshot, timestamp *publish.Signer) {
	t.Helper()
	var made [2]*publish.Signer
	for i := range made {
		var err error
		if made[i], err = publish.NewSigner(newHolder(t).private); err != nil {
			t.Fatal(err)
		}
	}
	return made[0], made[1]
}

// newWorld has three holders, two of whom must sign the root, and an empty store that is watched.
func newWorld(t testing.TB) *world {
	t.Helper()
	dir := t.TempDir()
	folder, err := publish.NewFolder(filepath.Join(dir, "repository"))
	if err != nil {
		t.Fatal(err)
	}
	snapshot, timestamp := onlineKeys(t)
	w := &world{
		t: t, dir: dir, folder: folder, need: 2, files: map[string]string{},
		now:    time.Date(2030, 5, 17, 12, 0, 0, 0, time.UTC),
		online: map[string]tuf.Key{tuf.Snapshot: snapshot.Key(), tuf.Timestamp: timestamp.Key()},
	}
	w.store = watch(t, folder)
	for range 3 {
		w.roots = append(w.roots, newHolder(t))
	}
	w.pub = w.publisher("state", snapshot, timestamp)
	return w
}

// publisher makes another host: its own memory, the same store.
func (w *world) publisher(state string, snapshot, timestamp *publish.Signer) *publish.Publisher {
	return &publish.Publisher{
		Store: w.store, PinnedRoot: filepath.Join(w.dir, state+".pinned.json"), StateDir: filepath.Join(w.dir, state),
		Snapshot: snapshot, Timestamp: timestamp, SnapshotLife: 7 * day, TimestampLife: day,
		Now: func() time.Time { return w.now },
	}
}

// host makes another publisher with the same keys.
func (w *world) host(state string) *publish.Publisher {
	return w.publisher(state, w.pub.Snapshot, w.pub.Timestamp)
}

func (w *world) targetsDir() string { return filepath.Join(w.dir, "files") }

// file puts a target file at hand and lists it in the next targets.
func (w *world) file(path, content string) {
	w.t.Helper()
	w.files[path] = content
	local := filepath.Join(w.targetsDir(), filepath.FromSlash(path))
	if err := errors.Join(os.MkdirAll(filepath.Dir(local), 0o755), os.WriteFile(local, []byte(content), 0o644)); err != nil {
		w.t.Fatal(err)
	}
}

func version(d *tuf.Document) int64 {
	if d == nil {
		return 0
	}
	return d.Version()
}

// rootDoc is the next root, unsigned.
func (w *world) rootDoc() *tuf.Document {
	w.t.Helper()
	spec := tuf.RootSpec{
		Version: version(w.base.Document(tuf.Root)) + 1, Expires: w.now.Add(365 * day), Practice: w.practice,
		Roles: map[string]tuf.RoleSpec{},
	}
	var ids []string
	for _, h := range w.roots {
		ids = append(ids, h.key.ID)
		spec.Keys = append(spec.Keys, tuf.HeldKey{Key: h.key})
	}
	spec.Roles[tuf.Root] = tuf.RoleSpec{KeyIDs: ids, Threshold: w.need}
	spec.Roles[tuf.Targets] = tuf.RoleSpec{KeyIDs: ids, Threshold: max(w.need-1, 1)}
	for role, key := range w.online {
		spec.Roles[role] = tuf.RoleSpec{KeyIDs: []string{key.ID}, Threshold: 1}
		spec.Keys = append(spec.Keys, tuf.HeldKey{Key: key})
	}
	doc, err := tuf.NewRoot(spec)
	if err != nil {
		w.t.Fatal(err)
	}
	return doc
}

// targetsDoc is the next targets, unsigned.
func (w *world) targetsDoc() *tuf.Document {
	w.t.Helper()
	spec := tuf.TargetsSpec{
		Version: version(w.base.Document(tuf.Targets)) + 1, Expires: w.now.Add(90 * day), Practice: w.practice,
		Base: w.base.Document(tuf.Targets),
	}
	for path, content := range w.files {
		spec.Files = append(spec.Files, tuf.TargetFile{Path: path, Length: int64(len(content)), SHA256: sha256.Sum256([]byte(content))})
	}
	doc, err := tuf.NewTargets(spec)
	if err != nil {
		w.t.Fatal(err)
	}
	return doc
}

// bundle makes a bundle of the given roles' next documents on top of what is live.
func (w *world) bundle(roles ...string) *transfer.Bundle {
	w.t.Helper()
	b := &transfer.Bundle{Purpose: "test", Created: w.now, Practice: w.practice, Base: w.base}
	for _, role := range roles {
		if role == tuf.Root {
			b = b.With(role, w.rootDoc())
		} else {
			b = b.With(role, w.targetsDoc())
		}
	}
	return b
}

// sign lets the holders sign until every threshold is met, and no further.
func (w *world) sign(b *transfer.Bundle, holders ...holder) *transfer.Bundle {
	w.t.Helper()
	if holders == nil {
		holders = w.roots
	}
	for _, d := range b.Documents {
		reqs, err := b.Requirements(d.Role)
		if err != nil {
			w.t.Fatal(err)
		}
		doc := d.Metadata
		for _, h := range holders {
			if complete(doc, reqs) {
				break
			}
			digest := sha256.Sum256(doc.Payload())
			sig, err := ecdsa.SignASN1(rand.Reader, h.private, digest[:])
			if err != nil {
				w.t.Fatal(err)
			}
			if signed, err := tuf.Attach(doc, reqs, h.key.ID, sig); err == nil {
				doc = signed
			}
		}
		b = b.With(d.Role, doc)
	}
	return b
}

func complete(doc *tuf.Document, reqs []tuf.Requirement) bool {
	for _, tally := range tuf.Count(doc, reqs) {
		if !tally.Complete() {
			return false
		}
	}
	return true
}

// signed makes a signed bundle.
func (w *world) signed(roles ...string) *transfer.Bundle {
	w.t.Helper()
	return w.sign(w.bundle(roles...))
}

// trust is what the operator gives with the first push.
func trust(b *transfer.Bundle) publish.PushOptions {
	if b.Genesis() {
		return publish.PushOptions{RootDigest: b.Root().Digest().String()}
	}
	return publish.PushOptions{}
}

// push publishes b and takes what is live now as the base of the next bundle.
func (w *world) push(b *transfer.Bundle) *publish.Report {
	w.t.Helper()
	report, err := w.pub.Push(context.Background(), b, w.targetsDir(), trust(b))
	if err != nil {
		w.t.Fatalf("push: %v", err)
	}
	w.learn()
	return report
}

// learn reads the base of the next bundle from the store.
func (w *world) learn() {
	w.t.Helper()
	raw, err := os.ReadFile(w.pub.PinnedRoot)
	if err != nil {
		w.t.Fatal(err)
	}
	anchor, err := tuf.Parse(raw)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.base, err = transfer.ReadRepository(filepath.Join(w.folder.Dir(), "metadata"), anchor); err != nil {
		w.t.Fatal(err)
	}
}

// genesis publishes root 1 and targets 1 with two files.
func (w *world) genesis() {
	w.t.Helper()
	w.file("tool.tar", "tool 1")
	w.file("docs/guide.txt", "read me")
	w.push(w.signed(tuf.Root, tuf.Targets))
}

// download follows the live repository as a client with this cache and returns a file's content.
func (w *world) download(cache client.Cache, path string) (string, error) {
	dir := w.folder.Dir()
	r, err := client.Open(filepath.Join(dir, "metadata"), filepath.Join(dir, "targets"))
	if err != nil {
		return "", err
	}
	return w.downloadFrom(r, cache, path)
}

// downloadFrom follows any repository.
func (w *world) downloadFrom(r client.Repository, cache client.Cache, path string) (string, error) {
	c, err := client.New(client.Options{Repository: r, Cache: cache, Now: w.now})
	if err != nil {
		return "", err
	}
	to, err := os.MkdirTemp(w.dir, "download-")
	if err != nil {
		return "", err
	}
	got, err := c.Download(context.Background(), path, to)
	if err != nil {
		return "", err
	}
	content, err := os.ReadFile(got.File)
	return string(content), err
}

// fresh is a client that knows root 1 only.
func (w *world) fresh() client.Memory {
	w.t.Helper()
	raw, err := os.ReadFile(w.pub.PinnedRoot)
	if err != nil {
		w.t.Fatal(err)
	}
	return client.Memory{tuf.Root: raw}
}

// live says what a fresh client arrives at.
func (w *world) live() map[string]int64 {
	w.t.Helper()
	s, err := w.pub.Status(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	versions := map[string]int64{}
	for _, r := range s.Roles {
		versions[r.Role] = r.Version
	}
	return versions
}

// list returns every file of the store with its content, the store's own ones left out.
func list(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name()[0] == '.' {
			return err
		}
		raw, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(rel)] = string(raw)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return files
}
