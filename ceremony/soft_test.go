package ceremony

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io/fs"
	"math/big"
	"slices"
	"sync"
	"time"

	"conclave/hsm"
)

// softToken plays a token in memory, for tests of the rules alone. The tests in
// virtual_test.go go through the production token code instead.
type softToken struct {
	info      hsm.Info
	pin       string
	key       *ecdsa.PrivateKey
	holder    string
	imported  bool
	fixed     *ecdsa.PrivateKey // the key that is always made, for goldens
	generated int               // keys made so far
	unproven  bool              // its key has signed nothing yet
	signed    int               // signatures made so far, without the proof that the key works

	failSign  error  // the next Sign fails so, before it has signed
	failEnrol error  // the next Enrol fails so, before it has made a key
	failAfter error  // the next Sign or Enrol fails so, after it has worked
	failOpen  error  // the next Open fails so
	onSign    func() // called while a signature is made
}

func newSoftToken(serial uint32) *softToken {
	return &softToken{pin: "123456", info: hsm.Info{Serial: serial, Firmware: "5.7.1", Retries: 3, Reader: fmt.Sprintf("reader %d", serial)}}
}

func (t *softToken) Info() hsm.Info { return t.info }
func (t *softToken) Close() error   { return nil }

func (t *softToken) public() hsm.Key {
	return hsm.Key{
		Slot: hsm.SlotSignature, Public: t.key.Public(), Algorithm: hsm.P256, Generated: !t.imported, Holder: t.holder,
		PINPolicy: hsm.PolicyAlways, TouchPolicy: hsm.PolicyAlways,
	}
}

func (t *softToken) Keys(context.Context) ([]hsm.Key, error) {
	if t.key == nil {
		return nil, nil
	}
	return []hsm.Key{t.public()}, nil
}

func (t *softToken) verify(pin *hsm.PIN) error {
	if t.info.Retries == 0 {
		return hsm.ErrBlocked
	}
	if string(pin.Reveal()) != t.pin {
		t.info.Retries--
		if t.info.Retries == 0 {
			return hsm.ErrBlocked
		}
		return &hsm.PINError{Retries: t.info.Retries}
	}
	t.info.Retries = 3
	return nil
}

// take gives an injected fault once.
func take(fault *error) error {
	err := *fault
	*fault = nil
	return err
}

func (t *softToken) Sign(_ context.Context, pin *hsm.PIN, slot hsm.Slot, digest []byte) ([]byte, error) {
	if t.key == nil || slot != hsm.SlotSignature {
		return nil, hsm.ErrNoKey
	}
	if err := t.verify(pin); err != nil {
		return nil, err
	}
	if t.onSign != nil {
		t.onSign()
	}
	if err := take(&t.failSign); err != nil {
		return nil, err
	}
	sig, err := t.key.Sign(rand.Reader, digest, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	if t.unproven {
		t.unproven = false
	} else {
		t.signed++
	}
	return sig, take(&t.failAfter)
}

func (t *softToken) Enrol(_ context.Context, e hsm.Enrolment) (hsm.Key, error) {
	if t.key != nil && e.Erase != t.info.Serial {
		return hsm.Key{}, hsm.ErrOccupied
	}
	if err := take(&t.failEnrol); err != nil {
		return hsm.Key{}, err
	}
	if err := t.verify(e.CurrentPIN); err != nil {
		return hsm.Key{}, err
	}
	if e.NewPIN != nil {
		t.pin = string(e.NewPIN.Reveal())
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return hsm.Key{}, err
	}
	if t.fixed != nil {
		key = t.fixed
	}
	t.key, t.holder = key, e.Holder
	t.generated++
	t.unproven = true
	if err := take(&t.failAfter); err != nil {
		return hsm.Key{}, err
	}
	return t.public(), nil
}

func (t *softToken) Attest(context.Context, hsm.Slot) (hsm.Attestation, error) {
	if t.key == nil {
		return hsm.Attestation{}, hsm.ErrNoKey
	}
	if t.fixed != nil {
		return hsm.Attestation{}, nil
	}
	ca, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return hsm.Attestation{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "attestation"}, NotAfter: time.Now().Add(time.Hour)}
	leaf, err := x509.CreateCertificate(rand.Reader, template, template, t.key.Public(), ca)
	return hsm.Attestation{Leaf: leaf, Device: leaf}, err
}

// softTokens are the tokens that are in readers.
type softTokens struct {
	mu  sync.Mutex
	all map[string]*softToken
}

func newSoftTokens() *softTokens { return &softTokens{all: map[string]*softToken{}} }

func (ts *softTokens) insert(t *softToken) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.all[t.info.Reader] = t
}

func (ts *softTokens) Present(context.Context) ([]string, error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	var readers []string
	for r := range ts.all {
		readers = append(readers, r)
	}
	slices.Sort(readers)
	return readers, nil
}

func (ts *softTokens) Open(_ context.Context, reader string) (hsm.Token, error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.all[reader]
	if t == nil {
		return nil, hsm.ErrRemoved
	}
	if err := take(&t.failOpen); err != nil {
		return nil, err
	}
	return t, nil
}

// softMedium is a stick in memory. It overwrites nothing.
type softMedium struct {
	files map[string][]byte
	fail  error // the next Export fails so
}

func (m *softMedium) Check() (string, error) { return "stick in memory", nil }

func (m *softMedium) Export(name string, data []byte) (string, error) {
	if err := take(&m.fail); err != nil {
		return "", err
	}
	if m.files == nil {
		m.files = map[string][]byte{}
	}
	if have, ok := m.files[name]; ok && string(have) != string(data) {
		return "", fs.ErrExist
	}
	m.files[name] = slices.Clone(data)
	return "/stick/" + name, nil
}
