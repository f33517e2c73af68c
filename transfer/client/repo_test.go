package client_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"conclave/transfer/client"
)

// now is the day on which these tests play.
var now = time.Date(2030, 5, 17, 12, 0, 0, 0, time.UTC)

// A signer is a private key with its keyid. Keys are made once: they are only told apart.
type signer struct {
	id      string
	public  *metadata.Key
	private *ecdsa.PrivateKey
}

func newSigner(t testing.TB) *signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := metadata.KeyFromPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	id, err := public.ID()
	if err != nil {
		t.Fatal(err)
	}
	return &signer{id, public, private}
}

// repo is a repository in memory that says what it was asked for. It is
// made with go-tuf's types directly, so that tests can make what our own builders refuse.
type repo struct {
	t       testing.TB
	keys    map[string][]*signer // by role; the root's lists follow when it is published
	root    *metadata.RootType
	targets map[string]*metadata.TargetsType // the top level one and delegated ones
	snap    *metadata.SnapshotType
	stamp   *metadata.TimestampType

	files  map[string][]byte // what is served, by path
	status map[string]error  // what is answered instead
	asked  []string
}

func newRepo(t testing.TB) *repo {
	t.Helper()
	later := now.Add(30 * 24 * time.Hour)
	r := &repo{
		t: t, keys: map[string][]*signer{}, files: map[string][]byte{}, status: map[string]error{},
		root:    &metadata.Root(later).Signed,
		targets: map[string]*metadata.TargetsType{metadata.TARGETS: &metadata.Targets(later).Signed},
		snap:    &metadata.Snapshot(later).Signed,
		stamp:   &metadata.Timestamp(later).Signed,
	}
	for _, role := range metadata.TOP_LEVEL_ROLE_NAMES {
		r.keys[role] = []*signer{newSigner(t)}
	}
	r.setRootKeys()
	r.publish()
	return r
}

// setRootKeys makes the root list the keys of all roles.
func (r *repo) setRootKeys() {
	r.root.Keys = map[string]*metadata.Key{}
	for _, role := range metadata.TOP_LEVEL_ROLE_NAMES {
		r.root.Roles[role] = &metadata.Role{Threshold: 1}
		for _, k := range r.keys[role] {
			r.root.Roles[role].KeyIDs = append(r.root.Roles[role].KeyIDs, k.id)
			r.root.Keys[k.id] = k.public
		}
	}
}

// sign makes the file of one document.
func (r *repo) sign(signed any, keys ...*signer) []byte {
	r.t.Helper()
	payload, err := cjson.EncodeCanonical(signed)
	if err != nil {
		r.t.Fatal(err)
	}
	digest := sha256.Sum256(payload)
	sigs := []map[string]string{}
	for _, k := range keys {
		sig, err := ecdsa.SignASN1(rand.Reader, k.private, digest[:])
		if err != nil {
			r.t.Fatal(err)
		}
		sigs = append(sigs, map[string]string{"keyid": k.id, "sig": hex.EncodeToString(sig)})
	}
	raw, err := json.MarshalIndent(map[string]any{"signed": signed, "signatures": sigs}, "", " ")
	if err != nil {
		r.t.Fatal(err)
	}
	return raw
}

func metaOf(version int64, raw []byte) *metadata.MetaFiles {
	digest := sha256.Sum256(raw)
	return &metadata.MetaFiles{Version: version, Length: int64(len(raw)), Hashes: metadata.Hashes{"sha256": digest[:]}}
}

// publish signs everything as it stands and serves it.
func (r *repo) publish() {
	r.t.Helper()
	r.serveRoot(r.keys[metadata.ROOT]...)
	for role, signed := range r.targets {
		name := fmt.Sprintf("%d.%s.json", signed.Version, role)
		r.files["metadata/"+name] = r.sign(signed, r.keys[role]...)
		r.snap.Meta[role+".json"] = metaOf(signed.Version, r.files["metadata/"+name])
	}
	r.publishSnapshot()
}

func (r *repo) serveRoot(keys ...*signer) {
	r.files[fmt.Sprintf("metadata/%d.root.json", r.root.Version)] = r.sign(r.root, keys...)
}

func (r *repo) publishSnapshot() {
	name := fmt.Sprintf("metadata/%d.snapshot.json", r.snap.Version)
	r.files[name] = r.sign(r.snap, r.keys[metadata.SNAPSHOT]...)
	r.stamp.Meta["snapshot.json"] = metaOf(r.snap.Version, r.files[name])
	r.publishTimestamp()
}

func (r *repo) publishTimestamp() {
	r.files["metadata/timestamp.json"] = r.sign(r.stamp, r.keys[metadata.TIMESTAMP]...)
}

// bump raises the versions of the roles, and of those that vouch for them.
func (r *repo) bump(roles ...string) {
	for _, role := range roles {
		switch role {
		case metadata.ROOT:
			r.root.Version++
		case metadata.SNAPSHOT:
			r.snap.Version++
		case metadata.TIMESTAMP:
			r.stamp.Version++
		default:
			r.targets[role].Version++
		}
	}
}

// add lists a target file and serves it.
func (r *repo) add(role, name string, content []byte) {
	digest := sha256.Sum256(content)
	r.targets[role].Targets[name] = &metadata.TargetFiles{Length: int64(len(content)), Hashes: metadata.Hashes{"sha256": digest[:]}}
	dir, base := path.Split(name)
	r.files["targets/"+dir+hex.EncodeToString(digest[:])+"."+base] = content
}

// delegate lets parent delegate paths to role, signed by a key of the pair's own.
func (r *repo) delegate(parent, role string, terminating bool, paths ...string) *signer {
	key := newSigner(r.t)
	p := r.targets[parent]
	if p.Delegations == nil {
		p.Delegations = &metadata.Delegations{Keys: map[string]*metadata.Key{}}
	}
	p.Delegations.Keys[key.id] = key.public
	p.Delegations.Roles = append(p.Delegations.Roles, metadata.DelegatedRole{
		Name: role, KeyIDs: []string{key.id}, Threshold: 1, Terminating: terminating, Paths: paths,
	})
	if r.targets[role] == nil {
		r.targets[role] = &metadata.Targets(now.Add(24 * time.Hour)).Signed
	}
	r.keys[role] = append(r.keys[role], key)
	return key
}

func (r *repo) open(name string) (io.ReadCloser, error) {
	r.asked = append(r.asked, name)
	if err := r.status[name]; err != nil {
		return nil, err
	}
	raw, ok := r.files[name]
	if !ok {
		return nil, client.ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(raw)), nil
}

// Metadata implements client.Repository.
func (r *repo) Metadata(_ context.Context, file string) (io.ReadCloser, error) {
	return r.open("metadata/" + file)
}

// Target implements client.Repository.
func (r *repo) Target(_ context.Context, path string) (io.ReadCloser, error) {
	return r.open("targets/" + path)
}

// start returns a cache that trusts the repository's first root.
func (r *repo) start() client.Memory {
	r.t.Helper()
	cache := client.Memory{}
	if err := client.Init(cache, r.files["metadata/1.root.json"]); err != nil {
		r.t.Fatal(err)
	}
	return cache
}

// refresh runs one client over the cache.
func (r *repo) refresh(cache client.Cache) error {
	c, err := client.New(client.Options{Repository: r, Cache: cache, Now: now})
	if err != nil {
		return err
	}
	return c.Refresh(context.Background())
}

// mustRefresh is refresh that has to work.
func (r *repo) mustRefresh(cache client.Cache) {
	r.t.Helper()
	if err := r.refresh(cache); err != nil {
		r.t.Fatalf("refresh: %v", err)
	}
}

// versions says what a cache holds, like "root 1, timestamp 2".
func versions(t testing.TB, cache client.Memory) string {
	t.Helper()
	var b bytes.Buffer
	for _, role := range slices.Sorted(maps.Keys(cache)) {
		var file struct {
			Signed struct {
				Version int64 `json:"version"`
			} `json:"signed"`
		}
		if err := json.Unmarshal(cache[role], &file); err != nil {
			t.Fatal(err)
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s %d", role, file.Signed.Version)
	}
	return b.String()
}
