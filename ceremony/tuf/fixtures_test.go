package tuf

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"slices"
	"sync"
	"testing"
	"time"
)

// now is the day on which all ceremonies of these tests happen.
var now = time.Date(2026, 11, 22, 14, 2, 0, 0, time.UTC)

// A person is a keyholder of the tests.
type person struct {
	name    string
	private crypto.Signer
	key     Key
	serial  uint32
}

func (p person) held() HeldKey {
	return HeldKey{p.key, Holder{Name: p.name, Serial: p.serial, Purpose: "primary"}}
}

// sign makes a signature over a document's payload in the way that the key's scheme demands.
func (p person) sign(t testing.TB, d *Document) []byte {
	t.Helper()
	return p.signPayload(t, d.Payload())
}

func (p person) signPayload(t testing.TB, payload []byte) []byte {
	t.Helper()
	digest, hash, err := p.key.Hashed(payload)
	if err != nil {
		digest, hash = payload, 0
	}
	var options crypto.SignerOpts = hash
	if _, ok := p.private.(*rsa.PrivateKey); ok {
		options = &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256}
	}
	sig, err := p.private.Sign(rand.Reader, digest, options)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// everybody are the keyholders of the tests. Their keys come from their names,
// so that goldens stay as they are. Nobody changes them.
var everybody = sync.OnceValue(func() map[string]person {
	all := map[string]person{}
	for i, name := range []string{"Alice", "Bob", "Carol", "Dana", "Erin", "Frank", "snapshot", "timestamp"} {
		secret := sha256.Sum256([]byte(name))
		private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), secret[:])
		if err != nil {
			panic(err)
		}
		key, err := NewKey(private.Public())
		if err != nil {
			panic(err)
		}
		all[name] = person{name, private, key, uint32(13078777 + i)}
	}
	return all
})

func who(name string) person { return everybody()[name] }

// strong are one key of each kind that is not P-256.
var strong = sync.OnceValue(func() map[string]person {
	p384, err1 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	_, ed, err2 := ed25519.GenerateKey(rand.Reader)
	pss, err3 := rsa.GenerateKey(rand.Reader, 2048)
	if err1 != nil || err2 != nil || err3 != nil {
		panic("no randomness")
	}
	all := map[string]person{}
	for name, private := range map[string]crypto.Signer{"p384": p384, "ed25519": ed, "rsa": pss} {
		key, err := NewKey(private.Public())
		if err != nil {
			panic(err)
		}
		all[name] = person{name: name, private: private, key: key, serial: 1}
	}
	return all
})

// rootOf is a spec with the named people for root and targets.
func rootOf(version int64, threshold int, rootNames, targetsNames []string) RootSpec {
	spec := RootSpec{
		Version: version,
		Expires: now.AddDate(1, 0, 0),
		Roles: map[string]RoleSpec{
			Root:      {idsOf(rootNames), threshold},
			Targets:   {idsOf(targetsNames), min(2, len(targetsNames))},
			Snapshot:  {[]string{who("snapshot").key.ID}, 1},
			Timestamp: {[]string{who("timestamp").key.ID}, 1},
		},
		Keys: []HeldKey{{Key: who("snapshot").key}, {Key: who("timestamp").key}},
	}
	names := slices.Concat(rootNames, targetsNames)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		spec.Keys = append(spec.Keys, who(name).held())
	}
	return spec
}

func idsOf(names []string) []string {
	var ids []string
	for _, n := range names {
		ids = append(ids, who(n).key.ID)
	}
	return ids
}

func mustRoot(t testing.TB, spec RootSpec) *Document {
	t.Helper()
	d, err := NewRoot(spec)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mustTargets(t testing.TB, spec TargetsSpec) *Document {
	t.Helper()
	d, err := NewTargets(spec)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mustParse(t testing.TB, raw []byte) *Document {
	t.Helper()
	d, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mustReqs(t testing.TB, role string, doc, trusted, root *Document) []Requirement {
	t.Helper()
	reqs, err := Requirements(role, doc, trusted, root)
	if err != nil {
		t.Fatal(err)
	}
	return reqs
}

// signed attaches signatures by the named people.
func signed(t testing.TB, d *Document, reqs []Requirement, names ...string) *Document {
	t.Helper()
	for _, n := range names {
		p := who(n)
		next, err := Attach(d, reqs, p.key.ID, p.sign(t, d))
		if err != nil {
			t.Fatal(err)
		}
		d = next
	}
	return d
}

// threeOfFive is a root as the screens show it.
func threeOfFive(t testing.TB, version int64) *Document {
	t.Helper()
	return mustRoot(t, rootOf(version, 3,
		[]string{"Alice", "Bob", "Carol", "Erin", "Frank"}, []string{"Alice", "Bob", "Carol"}))
}

func digestOf(s string) [32]byte { return sha256.Sum256([]byte(s)) }
