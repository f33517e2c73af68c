package roomtest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"conclave/ceremony"
	"conclave/ceremony/preflight"
	"conclave/ceremony/tuf"
	"conclave/hsm"
	"conclave/transfer"
	"conclave/tui/room"
)

// A Drawer holds tokens in software. It is the hsm.Tokens of a real session and
// the tray of its front end.
type Drawer struct {
	mu     sync.Mutex
	tokens []*softToken
}

type softToken struct {
	name   string
	info   hsm.Info
	pin    string
	puk    string
	holder string
	key    *ecdsa.PrivateKey
	in     bool
}

// NewDrawer makes a blank token for each name.
func NewDrawer(names ...string) *Drawer {
	d := &Drawer{}
	for i, n := range names {
		serial := uint32(90_000_001 + i)
		d.tokens = append(d.tokens, &softToken{
			name: n, pin: "123456", puk: factoryPUK,
			info: hsm.Info{Serial: serial, Firmware: "5.7.1", Retries: 3, Reader: fmt.Sprintf("Reader %02d", i)},
		})
	}
	return d
}

// RealGenesis begins a real ceremony, a rehearsal of a genesis by the drawer's
// people, in a folder of the test.
func RealGenesis(t testing.TB, d *Drawer) *ceremony.Session {
	t.Helper()
	var names []string
	for _, k := range d.tokens {
		names = append(names, k.name)
	}
	now := Noon
	b, err := ceremony.PlanGenesis(ceremony.Genesis{
		Purpose: "first keys", RootHolders: names, TargetsHolders: names, RootThreshold: 2, TargetsThreshold: 2,
		Algorithm: "p256", Snapshot: onlineKey(t), Timestamp: onlineKey(t),
		RootExpires: now.AddDate(1, 0, 0), TargetsExpires: now.AddDate(0, 3, 0), Practice: true,
		Files: []transfer.PlannedFile{{Path: "app/conclave.tar.gz", Length: 12, SHA256: [32]byte{1, 2, 3}}},
	}, now)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	s, err := ceremony.Begin(ceremony.Config{
		Dir: t.TempDir() + "/ceremony", Tokens: d, Medium: &stick{files: map[string][]byte{}}, Program: "conclave test",
		Inspect: func(context.Context) []preflight.Check {
			return []preflight.Check{{Name: "network", Status: preflight.Stop, Text: "eth0 is up", Fix: "pull the cable"}}
		},
		Now: func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			now = now.Add(time.Second)
			return now
		},
	}, b, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func onlineKey(t testing.TB) tuf.Key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := tuf.NewKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Present lists the readers of tokens that are in.
func (d *Drawer) Present(context.Context) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var rs []string
	for _, k := range d.tokens {
		if k.in {
			rs = append(rs, k.info.Reader)
		}
	}
	return rs, nil
}

// Open opens the token in a reader.
func (d *Drawer) Open(_ context.Context, reader string) (hsm.Token, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range d.tokens {
		if k.in && k.info.Reader == reader {
			return k, nil
		}
	}
	return nil, hsm.ErrRemoved
}

// Tokens lists the tray.
func (d *Drawer) Tokens() []room.TrayToken {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []room.TrayToken
	for _, k := range d.tokens {
		out = append(out, room.TrayToken{Name: k.name, Serial: k.info.Serial, Inserted: k.in})
	}
	return out
}

// Insert puts token i in, Remove takes it out. These tokens need no touch.
func (d *Drawer) Insert(i int) { d.put(i, true) }

// Remove takes token i out.
func (d *Drawer) Remove(i int) { d.put(i, false) }

// Touch does nothing.
func (d *Drawer) Touch() {}

// Yank takes every token out.
func (d *Drawer) Yank() {
	for i := range d.tokens {
		d.put(i, false)
	}
}

// PIN is what the tests choose as new PIN.
func (d *Drawer) PIN() string { return "271828" }

func (d *Drawer) put(i int, in bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tokens[i].in = in
}

func (t *softToken) Info() hsm.Info { return t.info }
func (t *softToken) Close() error   { return nil }

func (t *softToken) Keys(context.Context) ([]hsm.Key, error) {
	if t.key == nil {
		return nil, nil
	}
	return []hsm.Key{t.public()}, nil
}

func (t *softToken) public() hsm.Key {
	return hsm.Key{
		Slot: hsm.SlotSignature, Public: t.key.Public(), Algorithm: hsm.P256, Generated: true, Holder: t.holder,
		PINPolicy: hsm.PolicyAlways, TouchPolicy: hsm.PolicyAlways,
	}
}

func (t *softToken) verify(pin *hsm.PIN) error {
	if string(pin.Reveal()) == t.pin {
		t.info.Retries = 3
		return nil
	}
	if t.info.Retries--; t.info.Retries <= 0 {
		return hsm.ErrBlocked
	}
	return &hsm.PINError{Retries: t.info.Retries}
}

func (t *softToken) Sign(_ context.Context, pin *hsm.PIN, _ hsm.Slot, digest []byte) ([]byte, error) {
	if err := t.verify(pin); err != nil {
		return nil, err
	}
	return t.key.Sign(rand.Reader, digest, crypto.SHA256)
}

func (t *softToken) Enrol(_ context.Context, e hsm.Enrolment) (hsm.Key, error) {
	if err := t.verify(e.CurrentPIN); err != nil {
		return hsm.Key{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return hsm.Key{}, err
	}
	t.key, t.holder, t.pin, t.puk = key, e.Holder, string(e.NewPIN.Reveal()), string(e.NewPUK.Reveal())
	return t.public(), nil
}

const factoryPUK = "12345678"

// Secrets says that the token is as it came from the factory, until it has made its key.
func (t *softToken) Secrets() hsm.Secrets {
	factory := t.puk == factoryPUK
	return hsm.Secrets{Told: true, PIN: hsm.Tries{Left: t.info.Retries, Most: 3, Factory: factory}, PUK: hsm.Tries{Left: 3, Most: 3, Factory: factory}}
}

// Unblock takes the token's PUK only.
func (t *softToken) Unblock(_ context.Context, puk, fresh *hsm.PIN) error {
	if string(puk.Reveal()) != t.puk {
		return &hsm.PUKError{Retries: 2}
	}
	t.pin, t.info.Retries = string(fresh.Reveal()), 3
	return nil
}

var errNotPlayed = errors.New("this token does not play that")

// ChangePIN is not played.
func (t *softToken) ChangePIN(context.Context, *hsm.PIN, *hsm.PIN) error { return errNotPlayed }

// ChangePUK is not played.
func (t *softToken) ChangePUK(context.Context, *hsm.PIN, *hsm.PIN) error { return errNotPlayed }

func (t *softToken) Attest(context.Context, hsm.Slot) (hsm.Attestation, error) {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "attestation"}}
	leaf, err := x509.CreateCertificate(rand.Reader, template, template, t.key.Public(), t.key)
	return hsm.Attestation{Leaf: leaf, Device: leaf}, err
}

// stick is a medium in memory.
type stick struct{ files map[string][]byte }

func (m *stick) Check() (string, error) { return "a stick in memory", nil }

func (m *stick) Export(name string, data []byte) (string, error) {
	m.files[name] = data
	return "/stick/" + name, nil
}
