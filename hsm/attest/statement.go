package attest

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math"
	"strings"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"conclave/hsm"
)

// maxCertificate bounds what is parsed; real ones have about 800 bytes.
const maxCertificate = 16 << 10

// leafName opens the common name of every leaf; the slot in two hex digits ends it.
const leafName = "YubiKey PIV Attestation "

// Yubico's extensions of an attestation, below 1.3.6.1.4.1.41482.3.
const (
	extFirmware   = 3  // three bytes
	extSerial     = 7  // INTEGER
	extPolicy     = 8  // PIN, touch: a byte each
	extFormFactor = 9  // one byte
	extFIPS       = 10 // there on tokens that are certified
)

const formFactorFIPS = 0x80 // bit of the form factor

// certificates are the two of the evidence.
type certificates struct{ leaf, device *x509.Certificate }

func read(e Evidence) (certificates, error) {
	if len(e.Leaf) == 0 || len(e.Device) == 0 {
		return certificates{}, refuse(adviceUnknown, "it gives no attestation")
	}
	if bytes.Equal(e.Leaf, e.Device) {
		return certificates{}, refuse(adviceForged, "the attestation is the token's own certificate, which speaks of no key")
	}
	leaf, err := parse(e.Leaf)
	if err != nil {
		return certificates{}, refuse(adviceForged, "the attestation cannot be read: %v", err)
	}
	device, err := parse(e.Device)
	if err != nil {
		return certificates{}, refuse(adviceForged, "the certificate of f9 cannot be read: %v", err)
	}
	return certificates{leaf, device}, nil
}

func parse(der []byte) (*x509.Certificate, error) {
	if len(der) > maxCertificate {
		return nil, fmt.Errorf("%d bytes are too many", len(der))
	}
	return x509.ParseCertificate(der)
}

// A statement is what a leaf says.
type statement struct {
	slot       hsm.Slot
	serial     uint32
	firmware   string
	pin, touch hsm.Policy
	formFactor string
	fips       bool
}

// statement reads the leaf. Each part that binds must be there: what is
// missing would otherwise read as zero, and zero as a policy or a serial
// number that nobody compares.
func (c certificates) statement() (statement, error) {
	var s statement
	if c.leaf.IsCA {
		return s, refuse(adviceForged, "the attestation may sign certificates itself: it is not a leaf")
	}
	for _, read := range []func(*x509.Certificate) error{s.readSlot, s.readFirmware, s.readSerial, s.readPolicy, s.readForm} {
		if err := read(c.leaf); err != nil {
			return statement{}, err
		}
	}
	return s, nil
}

// readSlot takes one spelling of a slot only: what it read must spell the whole name.
func (s *statement) readSlot(leaf *x509.Certificate) error {
	name := leaf.Subject.CommonName
	slot, err := hsm.ParseSlot(strings.TrimPrefix(name, leafName))
	if err != nil || name != leafName+slot.String() {
		return refuse(adviceForged, "the attestation names no slot: it is for %q", name)
	}
	s.slot = slot
	return nil
}

func (s *statement) readFirmware(leaf *x509.Certificate) error {
	b, ok := extension(leaf, extFirmware)
	if !ok || len(b) != 3 {
		return refuse(adviceForged, "the attestation names no firmware")
	}
	s.firmware = fmt.Sprintf("%d.%d.%d", b[0], b[1], b[2])
	return nil
}

func (s *statement) readSerial(leaf *x509.Certificate) error {
	b, ok := extension(leaf, extSerial)
	if !ok {
		return refuse(adviceUnknown, "the attestation names no serial number, as with tokens older than the YubiKey 5")
	}
	var n int64
	rest, err := asn1.Unmarshal(b, &n)
	if err != nil || len(rest) > 0 || n <= 0 || n > math.MaxUint32 {
		return refuse(adviceForged, "the attestation has an impossible serial number")
	}
	s.serial = uint32(n)
	return nil
}

// Policies as the extension writes them. Matching a finger is no PIN.
var (
	pinPolicies   = map[byte]hsm.Policy{1: hsm.PolicyNever, 2: hsm.PolicyOnce, 3: hsm.PolicyAlways, 4: hsm.PolicyUnknown, 5: hsm.PolicyUnknown}
	touchPolicies = map[byte]hsm.Policy{1: hsm.PolicyNever, 2: hsm.PolicyAlways, 3: hsm.PolicyCached}
)

func (s *statement) readPolicy(leaf *x509.Certificate) error {
	b, ok := extension(leaf, extPolicy)
	if !ok || len(b) != 2 {
		return refuse(adviceForged, "the attestation names no policies")
	}
	pin, ok1 := pinPolicies[b[0]]
	touch, ok2 := touchPolicies[b[1]]
	if !ok1 || !ok2 {
		return refuse(adviceForged, "the attestation has policies that nobody knows: %x", b)
	}
	s.pin, s.touch = pin, touch
	return nil
}

// readForm reads what older tokens do not say.
func (s *statement) readForm(leaf *x509.Certificate) error {
	_, s.fips = extension(leaf, extFIPS)
	b, ok := extension(leaf, extFormFactor)
	switch {
	case !ok:
		return nil
	case len(b) != 1:
		return refuse(adviceForged, "the attestation has an impossible form factor")
	}
	s.fips = s.fips || b[0]&formFactorFIPS != 0
	if b[0] != 0 {
		s.formFactor = gopiv.Formfactor(b[0]).String()
	}
	return nil
}

// extension finds one of Yubico's. A certificate cannot have two of a kind: the parser refuses that.
func extension(c *x509.Certificate, n int) ([]byte, bool) {
	id := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, n}
	for _, e := range c.Extensions {
		if e.Id.Equal(id) {
			return e.Value, true
		}
	}
	return nil, false
}
