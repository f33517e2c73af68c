package virtual

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"
)

// Practice certificates live as long as Yubico's first root does. Fixed
// times keep them valid on machines whose clock is wrong, which is common
// where there is no network.
var (
	certificatesFrom  = time.Date(2016, 3, 14, 0, 0, 0, 0, time.UTC)
	certificatesUntil = time.Date(2052, 4, 17, 0, 0, 0, 0, time.UTC)
)

// Extensions of an attestation (Yubico's arc 1.3.6.1.4.1.41482.3).
const (
	extFirmware   = 3
	extSerial     = 7
	extPolicy     = 8
	extFormFactor = 9
)

const formFactorUSBC byte = 0x03 // USB-C keychain

// A Root plays the manufacturer: it certifies the attestation keys of virtual
// cards. Its subject says PRACTICE, and nothing but a rehearsal trusts it.
type Root struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// rootSeed makes the practice root's private key: anybody can, so that
// nobody takes what it signs for a proof, and evidence from a rehearsal can
// be checked anywhere.
const rootSeed = "conclave practice attestation root; this key is no secret"

const rootName = "PRACTICE PIV attestation root - proves nothing"

// NewRoot returns the practice root. Its key is the same on every machine.
func NewRoot() (*Root, error) {
	scalar := sha256.Sum256([]byte(rootSeed))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:])
	if err != nil {
		return nil, fmt.Errorf("make practice root: %w", err)
	}
	return selfSigned(rootName, key, big.NewInt(1))
}

// NewStranger returns a manufacturer whom nobody knows, not even in a
// rehearsal, for tests of refusals.
func NewStranger(name string) (*Root, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make root: %w", err)
	}
	return selfSigned(name, key, randomSerial())
}

func selfSigned(name string, key *ecdsa.PrivateKey, serial *big.Int) (*Root, error) {
	t := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name},
		IsCA:                  true,
		MaxPathLen:            1,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	cert, err := certify(t, t, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make root %s: %w", name, err)
	}
	return &Root{key: key, cert: cert}, nil
}

// Certificate returns the root, for the pool that a rehearsal trusts.
func (r *Root) Certificate() *x509.Certificate { return r.cert }

// issue certifies the attestation key of one card.
func (r *Root) issue() (*ecdsa.PrivateKey, *x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	t := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "PRACTICE PIV Attestation"},
		IsCA:                  true,
		MaxPathLenZero:        true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	cert, err := certify(t, r.cert, &key.PublicKey, r.key)
	return key, cert, err
}

func randomSerial() *big.Int {
	serial := make([]byte, 16)
	_, _ = rand.Read(serial) // never fails
	serial[0] = serial[0]&0x3f | 0x40
	return new(big.Int).SetBytes(serial)
}

// certify fills in the fixed times, and a random serial number where there is none.
func certify(t, parent *x509.Certificate, public, signer any) (*x509.Certificate, error) {
	if t.SerialNumber == nil {
		t.SerialNumber = randomSerial()
	}
	t.NotBefore, t.NotAfter = certificatesFrom, certificatesUntil
	der, err := x509.CreateCertificate(rand.Reader, t, parent, public, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// attest is Yubico's ATTEST: a certificate about the key in a slot, by f9.
// A key that was imported, or none, is bad data.
func (c *Card) attest(ref byte) ([]byte, status) {
	k, device := c.keys[ref], c.keys[refAttestation]
	if k == nil || device == nil || k.origin != originGenerated || ref == refAttestation {
		return nil, statusBadData
	}
	serial, err := asn1.Marshal(int64(c.serial))
	if err != nil {
		return nil, statusInternalError
	}
	t := &x509.Certificate{
		Subject: pkix.Name{CommonName: fmt.Sprintf("YubiKey PIV Attestation %02x", ref)},
		ExtraExtensions: []pkix.Extension{
			{Id: yubico(extFirmware), Value: c.firmware[:]},
			{Id: yubico(extSerial), Value: serial},
			{Id: yubico(extPolicy), Value: []byte{k.pin, k.touch}},
		},
	}
	if c.firmware.hasFormFactor() {
		t.ExtraExtensions = append(t.ExtraExtensions,
			pkix.Extension{Id: yubico(extFormFactor), Value: []byte{formFactorUSBC}})
	}
	leaf, err := certify(t, c.device, k.private.Public(), device.private)
	if err != nil {
		return nil, statusInternalError
	}
	return leaf.Raw, statusOK
}

func yubico(n int) asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, n}
}

// certificateObject wraps a certificate as PIV stores it (SP 800-73-4, part 1, appendix A, table 10).
func certificateObject(der []byte) []byte {
	o := tlv(0x70, der)
	o = append(o, tlv(0x71, []byte{0})...) // not compressed
	return append(o, tlv(0xfe, nil)...)
}
