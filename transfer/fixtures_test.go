package transfer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"conclave/ceremony/tuf"
)

// realData are metadata files of repositories in the world.
const realData = "../../shared/data/real"

// today is the day on which all ceremonies of these tests happen.
var today = time.Date(2026, 11, 22, 14, 2, 0, 0, time.UTC)

// A person is a keyholder of the tests.
type person struct {
	private *ecdsa.PrivateKey
	key     tuf.Key
	serial  uint32
}

// everybody is made once, because keys take time. Nobody changes them.
var everybody = sync.OnceValue(func() map[string]person {
	all := map[string]person{}
	for i, name := range []string{"Alice", "Bob", "Carol", "Dana", "Mallory", "snapshot", "timestamp"} {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		key, err := tuf.NewKey(private.Public())
		if err != nil {
			panic(err)
		}
		all[name] = person{private, key, uint32(13078777 + i)}
	}
	return all
})

func who(name string) person { return everybody()[name] }

// newRoot is a root of which two of the named people sign.
func newRoot(t testing.TB, version int64, names ...string) *tuf.Document {
	t.Helper()
	return mustDoc(t)(tuf.NewRoot(rootSpec(version, names...)))
}

func rootSpec(version int64, names ...string) tuf.RootSpec {
	spec := tuf.RootSpec{Version: version, Expires: today.AddDate(1, 0, 0), Roles: map[string]tuf.RoleSpec{}}
	var ids []string
	for _, n := range names {
		p := who(n)
		ids = append(ids, p.key.ID)
		spec.Keys = append(spec.Keys, tuf.HeldKey{Key: p.key, Holder: tuf.Holder{Name: n, Serial: p.serial, Purpose: "primary"}})
	}
	spec.Roles[tuf.Root] = tuf.RoleSpec{KeyIDs: ids, Threshold: 2}
	spec.Roles[tuf.Targets] = tuf.RoleSpec{KeyIDs: ids, Threshold: 2}
	for _, role := range []string{tuf.Snapshot, tuf.Timestamp} {
		spec.Keys = append(spec.Keys, tuf.HeldKey{Key: who(role).key})
		spec.Roles[role] = tuf.RoleSpec{KeyIDs: []string{who(role).key.ID}, Threshold: 1}
	}
	return spec
}

func newTargets(t testing.TB, version int64, files ...string) *tuf.Document {
	t.Helper()
	spec := tuf.TargetsSpec{Version: version, Expires: today.AddDate(0, 3, 0)}
	for _, f := range files {
		spec.Files = append(spec.Files, tuf.TargetFile{Path: f, Length: int64(len(f)), SHA256: sha256.Sum256([]byte(f))})
	}
	return mustDoc(t)(tuf.NewTargets(spec))
}

func mustDoc(t testing.TB) func(*tuf.Document, error) *tuf.Document {
	return func(d *tuf.Document, err error) *tuf.Document {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
}

// sign attaches signatures by the named people to the bundle's document for role.
func sign(t testing.TB, b *Bundle, role string, names ...string) *Bundle {
	t.Helper()
	for _, n := range names {
		reqs, err := b.Requirements(role)
		if err != nil {
			t.Fatal(err)
		}
		doc := b.Document(role)
		b = b.With(role, mustDoc(t)(tuf.Attach(doc, reqs, who(n).key.ID, signature(t, doc, n))))
	}
	return b
}

func signature(t testing.TB, doc *tuf.Document, name string) []byte {
	t.Helper()
	hash, _, err := who(name).key.Hashed(doc.Payload())
	if err != nil {
		t.Fatal(err)
	}
	sig, err := ecdsa.SignASN1(rand.Reader, who(name).private, hash)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// genesis is a first root and targets by Alice, Bob and Carol, signed by the named.
func genesis(t testing.TB, names ...string) *Bundle {
	t.Helper()
	b := (&Bundle{Purpose: "genesis", Created: today}).
		With(tuf.Targets, newTargets(t, 1, "app-1.bin")).
		With(tuf.Root, newRoot(t, 1, "Alice", "Bob", "Carol"))
	return sign(t, sign(t, b, tuf.Root, names...), tuf.Targets, names...)
}

// release is targets 2 on a base of root 1 and targets 1, signed by the named.
func release(t testing.TB, names ...string) *Bundle {
	t.Helper()
	return sign(t, draftRelease(t, genesis(t, "Alice", "Bob")), tuf.Targets, names...)
}

func draftRelease(t testing.TB, on *Bundle) *Bundle {
	t.Helper()
	b := &Bundle{
		Purpose: "release 2",
		Created: today.AddDate(0, 1, 0),
		Base: Base{
			Roots:     []*tuf.Document{on.Document(tuf.Root)},
			Documents: []Document{{tuf.Targets, on.Document(tuf.Targets)}},
			Seen:      map[string]int64{tuf.Root: 1, tuf.Targets: 1, tuf.Snapshot: 1, tuf.Timestamp: 7},
		},
		Tokens: []Evidence{{KeyID: who("Alice").key.ID, Serial: 13078777, Firmware: "5.7.1", Holder: "Alice \\ \"A\"", Slot: "9c", PINPolicy: "always", TouchPolicy: "always", Leaf: []byte{1, 2, 3}, Device: []byte{4}}},
		Record: &RecordHead{Entries: 40, Hash: strings.Repeat("ab", 32)},
	}
	return b.With(tuf.Targets, newTargets(t, 2, "app-1.bin", "app-2.bin"))
}

// rotation is root 3 on a base of roots 1 and 2; Dana takes Carol's place in root 3.
func rotation(t testing.TB, names ...string) *Bundle {
	t.Helper()
	base := rotationBase(t)
	b := (&Bundle{Purpose: "rotation", Created: today, Base: base}).With(tuf.Root, newRoot(t, 3, "Alice", "Bob", "Dana"))
	return sign(t, b, tuf.Root, names...)
}

func rotationBase(t testing.TB) Base {
	t.Helper()
	first := genesis(t, "Alice", "Bob")
	second := (&Bundle{Base: Base{Roots: []*tuf.Document{first.Document(tuf.Root)}}}).With(tuf.Root, newRoot(t, 2, "Alice", "Bob", "Carol"))
	second = sign(t, second, tuf.Root, "Alice", "Bob")
	return Base{
		Roots: []*tuf.Document{first.Document(tuf.Root), second.Document(tuf.Root)},
		Seen:  map[string]int64{tuf.Root: 2, tuf.Targets: 1},
	}
}

// plan is a genesis before any key exists.
func plan() *Bundle {
	return &Bundle{Purpose: "first root", Created: today, Plan: &Plan{
		Holders:          []PlannedHolder{{"Alice", true, true, false}, {"Alice", true, true, true}, {"Björn \"B\" \\ Ö", true, false, false}},
		RootThreshold:    2,
		TargetsThreshold: 1,
		Algorithm:        "p256",
		Snapshot:         []tuf.Key{who("snapshot").key},
		Timestamp:        []tuf.Key{who("timestamp").key},
		RootExpires:      today.AddDate(1, 0, 0),
		TargetsExpires:   today.AddDate(0, 3, 0),
		Files:            []PlannedFile{{"a/b.bin", 3, sha256.Sum256([]byte("a/b"))}},
	}}
}

// plannedRotation gives Carol a new token, lets Dana join with a key that she
// has, and answers a compromise.
func plannedRotation(t testing.TB) *Bundle {
	t.Helper()
	base := rotationBase(t)
	base.Documents = []Document{{tuf.Targets, genesis(t, "Alice", "Bob").Document(tuf.Targets)}}
	return &Bundle{Purpose: "new tokens", Created: today, Declared: today.Add(-time.Hour), Base: base, Plan: &Plan{
		Holders:          []PlannedHolder{{"Carol", true, false, false}},
		RootThreshold:    2,
		TargetsThreshold: 1,
		Algorithm:        "p256",
		RootExpires:      today.AddDate(1, 0, 0),
		TargetsExpires:   today.AddDate(0, 3, 0),
		Rotation: &Rotation{
			Keep:   []KeptKey{{who("Alice").key.ID, true, true}},
			Join:   []KnownKey{{who("Dana").key, "Dana", 13078780, true, false, true}},
			Signed: []Document{{tuf.Targets, genesis(t, "Alice").Document(tuf.Targets)}},
		},
	}}
}

// samples are bundles of every kind.
func samples(t testing.TB) map[string]*Bundle {
	return map[string]*Bundle{
		"a plan":              plan(),
		"a genesis":           genesis(t),
		"a signed genesis":    genesis(t, "Alice", "Bob"),
		"a release":           release(t),
		"a signed release":    release(t, "Carol", "Alice"),
		"a rotation":          rotation(t, "Dana"),
		"a planned rotation":  plannedRotation(t),
		"a delegated release": realDelegation(t),
	}
}

// realDelegation is a delegated role of a real repository on its real base. Where that is not at hand, it is a release.
func realDelegation(t testing.TB) *Bundle {
	t.Helper()
	dir := filepath.Join(realData, "docker")
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return release(t)
	}
	docs, err := Adopt([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	return &Bundle{
		Purpose:   "delegated",
		Created:   today,
		Base:      Base{Roots: []*tuf.Document{find(docs, tuf.Root)}, Documents: []Document{{tuf.Targets, find(docs, tuf.Targets)}}},
		Documents: []Document{{"doi", find(docs, "doi")}},
	}
}

func mustBytes(t testing.TB, b *Bundle) []byte {
	t.Helper()
	raw, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func mustParse(t testing.TB, raw []byte) *Bundle {
	t.Helper()
	b, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wantHint fails the test if a refusal says not what to do.
func wantHint(t *testing.T, err error) {
	t.Helper()
	var hinted interface{ Hint() string }
	if !errors.As(err, &hinted) || hinted.Hint() == "" {
		t.Errorf("no hint comes with: %v", err)
	}
}

// permutations calls f with every order of n things.
func permutations(n int, f func(order []int)) {
	var step func(order []int)
	step = func(order []int) {
		if len(order) == n {
			f(slices.Clone(order))
			return
		}
		for i := range n {
			if !slices.Contains(order, i) {
				step(append(slices.Clone(order), i))
			}
		}
	}
	step(nil)
}

// states renders a status as a person would say it.
func states(s Status) string {
	parts := []string{string(s.State)}
	for _, t := range s.Tallies {
		parts = append(parts, fmt.Sprintf("%s: %d of %d of %s", t.Role, t.Tally.Signed, t.Tally.Requirement.Threshold, t.Tally.Requirement.Name))
	}
	return strings.Join(parts, "; ")
}
