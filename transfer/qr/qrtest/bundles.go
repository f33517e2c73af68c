package qrtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// Today is the day on which all ceremonies of these tests happen.
var Today = time.Date(2026, 11, 22, 14, 2, 0, 0, time.UTC)

// A person is a keyholder with a key in memory.
type person struct {
	private *ecdsa.PrivateKey
	key     tuf.Key
}

// people are made once, because keys take time. Nobody changes them.
var people = sync.OnceValue(func() map[string]person {
	all := map[string]person{}
	for _, name := range []string{"Alice", "Bob", "Carol", "Mallory", "online"} {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		key, err := tuf.NewKey(private.Public())
		if err != nil {
			panic(err)
		}
		all[name] = person{private, key}
	}
	return all
})

// Root is a root of which two of Alice, Bob and Carol sign.
func Root(t testing.TB, version int64) *tuf.Document {
	t.Helper()
	spec := tuf.RootSpec{Version: version, Expires: Today.AddDate(1, 0, 0), Roles: map[string]tuf.RoleSpec{}}
	var ids []string
	for _, name := range []string{"Alice", "Bob", "Carol"} {
		key := people()[name].key
		ids = append(ids, key.ID)
		spec.Keys = append(spec.Keys, tuf.HeldKey{Key: key, Holder: tuf.Holder{Name: name, Purpose: "primary"}})
	}
	online := people()["online"].key
	spec.Keys = append(spec.Keys, tuf.HeldKey{Key: online})
	for _, role := range []string{tuf.Root, tuf.Targets} {
		spec.Roles[role] = tuf.RoleSpec{KeyIDs: ids, Threshold: 2}
	}
	for _, role := range []string{tuf.Snapshot, tuf.Timestamp} {
		spec.Roles[role] = tuf.RoleSpec{KeyIDs: []string{online.ID}, Threshold: 1}
	}
	doc, err := tuf.NewRoot(spec)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// Targets are n files, of which those of changed are not what they were in other versions.
func Targets(t testing.TB, version int64, n int, changed ...int) *tuf.Document {
	t.Helper()
	spec := tuf.TargetsSpec{Version: version, Expires: Today.AddDate(0, 3, 0)}
	for i := range n {
		path := fmt.Sprintf("packages/component-%05d/component-%05d-linux-amd64.tar.gz", i, i)
		spec.Files = append(spec.Files, tuf.TargetFile{Path: path, Length: int64(100_000 + 7919*i%1_000_003), SHA256: sha256.Sum256([]byte(path))})
	}
	for _, i := range changed {
		spec.Files[i].Length += 1009
		spec.Files[i].SHA256 = sha256.Sum256(fmt.Appendf(nil, "%d in version %d", i, version))
	}
	doc, err := tuf.NewTargets(spec)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// Waiting is an unsigned bundle with root 2 and targets 2 of n files, on root 1 and targets 1 that are signed.
func Waiting(t testing.TB, n int, changed ...int) *transfer.Bundle {
	t.Helper()
	before := (&transfer.Bundle{Purpose: "first", Created: Today}).With(tuf.Targets, Targets(t, 1, n)).With(tuf.Root, Root(t, 1))
	for _, role := range []string{tuf.Root, tuf.Targets} {
		before = Sign(t, before, role, "Alice", "Bob")
	}
	b := &transfer.Bundle{Purpose: "release 2", Created: Today.AddDate(0, 0, 1), Base: transfer.Base{
		Roots:     []*tuf.Document{before.Document(tuf.Root)},
		Documents: []transfer.Document{{Role: tuf.Targets, Metadata: before.Document(tuf.Targets)}},
		Seen:      map[string]int64{tuf.Root: 1, tuf.Targets: 1, tuf.Snapshot: 1, tuf.Timestamp: 1},
	}}
	return b.With(tuf.Targets, Targets(t, 2, n, changed...)).With(tuf.Root, Root(t, 2))
}

// Before is the bundle that made the base of b: what the ceremony machine still has.
func Before(b *transfer.Bundle) *transfer.Bundle {
	before := &transfer.Bundle{Purpose: "first", Created: Today}
	return before.With(tuf.Targets, b.Base.Document(tuf.Targets)).With(tuf.Root, b.TrustedRoot())
}

// Sign attaches signatures by the named people to the bundle's document for role.
func Sign(t testing.TB, b *transfer.Bundle, role string, names ...string) *transfer.Bundle {
	t.Helper()
	reqs, err := b.Requirements(role)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		doc, err := tuf.Attach(b.Document(role), reqs, people()[name].key.ID, Signature(t, b.Document(role), name))
		if err != nil {
			t.Fatal(err)
		}
		b = b.With(role, doc)
	}
	return b
}

// Signature is a signature by the named person over doc.
func Signature(t testing.TB, doc *tuf.Document, name string) []byte {
	t.Helper()
	hash, _, err := people()[name].key.Hashed(doc.Payload())
	if err != nil {
		t.Fatal(err)
	}
	sig, err := ecdsa.SignASN1(rand.Reader, people()[name].private, hash)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// Bytes are a bundle's file.
func Bytes(t testing.TB, b *transfer.Bundle) []byte {
	t.Helper()
	raw, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// RealRoots are the bytes of roots of a real repository, by version. Where they are not at hand the test is skipped.
func RealRoots(t testing.TB, versions ...int) [][]byte {
	t.Helper()
	var list [][]byte
	for _, v := range versions {
		raw, err := os.ReadFile(filepath.Join(SourceRoot(), "..", "shared", "data", "real", "sigstore-roots", fmt.Sprintf("%d.root.json", v)))
		if errors.Is(err, os.ErrNotExist) {
			t.Skip("the real metadata of ../shared/data/real is not here")
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, raw)
	}
	return list
}
