package attest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"conclave/hsm"
	"conclave/hsm/attest"
)

// An authority is a key with its certificate: a maker's root, or a token's f9.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue makes a certificate of public out of template. by nil signs it with its own key.
func issue(t testing.TB, template *x509.Certificate, key *ecdsa.PrivateKey, by *authority) authority {
	t.Helper()
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Date(2016, 3, 14, 0, 0, 0, 0, time.UTC)
		template.NotAfter = time.Date(2052, 4, 17, 0, 0, 0, 0, time.UTC)
	}
	if by == nil {
		by = &authority{key, template}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, &key.PublicKey, by.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{key, cert}
}

func rootTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		MaxPathLen: 1, KeyUsage: x509.KeyUsageCertSign,
	}
}

func deviceTemplate() *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: "Yubico PIV Attestation"}, IsCA: true, BasicConstraintsValid: true,
		MaxPathLenZero: true, ExtraExtensions: []pkix.Extension{said(3, []byte{5, 7, 1})},
	}
}

func said(n int, value []byte) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, n}, Value: value}
}

func integer(n int64) []byte {
	b, err := asn1.Marshal(n)
	if err != nil {
		panic(err)
	}
	return b
}

// words are the extensions of a leaf, by number.
type words map[int][]byte

const serial = 20114422

// truth is what a good token says of a ceremony key.
func truth() words {
	return words{3: {5, 7, 1}, 7: integer(serial), 8: {3, 2}, 9: {3}}
}

func (w words) but(n int, value []byte) words {
	w[n] = value
	if value == nil {
		delete(w, n)
	}
	return w
}

func leafTemplate(slot string, w words) *x509.Certificate {
	c := &x509.Certificate{Subject: pkix.Name{CommonName: "YubiKey PIV Attestation " + slot}}
	for _, n := range []int{3, 7, 8, 9, 10} {
		if v, ok := w[n]; ok {
			c.ExtraExtensions = append(c.ExtraExtensions, said(n, v))
		}
	}
	return c
}

// A scene is a maker, its token, the key in 9c and the token's evidence for it.
type scene struct {
	t      testing.TB
	maker  authority
	device authority
	key    *ecdsa.PrivateKey
}

func setScene(t testing.TB) scene {
	t.Helper()
	maker := issue(t, rootTemplate("A maker's root"), newKey(t), nil)
	return scene{t: t, maker: maker, device: issue(t, deviceTemplate(), newKey(t), &maker), key: newKey(t)}
}

func (s scene) leaf(slot string, w words) []byte {
	s.t.Helper()
	return issue(s.t, leafTemplate(slot, w), s.key, &s.device).cert.Raw
}

func (s scene) evidence(slot string, w words) attest.Evidence {
	s.t.Helper()
	return attest.Evidence{Leaf: s.leaf(slot, w), Device: s.device.cert.Raw}
}

func (s scene) expect() attest.Expect {
	return attest.Expect{Public: s.public(), Slot: hsm.SlotSignature, Serial: serial, Firmware: "5.7.1"}
}

func (s scene) public() crypto.PublicKey { return &s.key.PublicKey }

func (s scene) verify(e attest.Evidence, want attest.Expect) (*attest.Proof, error) {
	return attest.Verify(e, want, attest.RootsOf(s.maker.cert))
}
