package virtual

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// practiceMark opens every saved card. LoadCard takes no file without it.
const practiceMark = "PRACTICE: a virtual YubiKey with its keys and PIN in the clear; it protects nothing"

// maxSaved bounds a saved card: every object full comes to about 260 KB in base64.
const maxSaved = 1 << 20

// savedCard is the file format, version 1: JSON, binary fields in base64, all
// fields present but for foreign, no others.
type savedCard struct {
	Practice   string            `json:"practice"`
	Version    int               `json:"version"`
	Serial     uint32            `json:"serial"`
	Firmware   string            `json:"firmware"`
	PIN        secret            `json:"pin"`
	PUK        secret            `json:"puk"`
	Management managementKey     `json:"management_key"`
	Keys       map[string]saved  `json:"keys"`    // by slot, two hex digits
	Objects    map[string][]byte `json:"objects"` // by object identifier, six hex digits
	Device     []byte            `json:"device"`  // certificate of f9, DER
	Root       []byte            `json:"root"`    // certificate of the practice root, DER
	Foreign    bool              `json:"foreign,omitempty"`
}

type saved struct {
	Private []byte `json:"private"` // PKCS #8
	PIN     byte   `json:"pin_policy"`
	Touch   byte   `json:"touch_policy"`
	Origin  byte   `json:"origin"`
}

// MarshalJSON saves what survives the power, keys and PIN included, marked as practice.
func (c *Card) MarshalJSON() ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := savedCard{
		Practice: practiceMark, Version: 1,
		Serial: c.serial, Firmware: c.firmware.String(),
		PIN: c.pin, PUK: c.puk, Management: c.management,
		Keys: map[string]saved{}, Objects: map[string][]byte{},
		Device: c.device.Raw, Root: c.root.Raw, Foreign: c.foreign,
	}
	for ref, k := range c.keys {
		der, err := x509.MarshalPKCS8PrivateKey(k.private)
		if err != nil {
			return nil, fmt.Errorf("save key %02x: %w", ref, err)
		}
		s.Keys[hex.EncodeToString([]byte{ref})] = saved{Private: der, PIN: k.pin, Touch: k.touch, Origin: k.origin}
	}
	for id, o := range c.objects {
		s.Objects[fmt.Sprintf("%06x", id)] = o
	}
	return json.Marshal(s)
}

// LoadCard brings a saved card back, powered down and outside of any reader.
func LoadCard(b []byte) (*Card, error) {
	s, err := decodeCard(b)
	if err != nil {
		return nil, fmt.Errorf("load practice card: %w", err)
	}
	c, err := s.restore()
	if err != nil {
		return nil, fmt.Errorf("load practice card %d: %w", s.Serial, err)
	}
	return c, nil
}

func decodeCard(b []byte) (savedCard, error) {
	var s savedCard
	if len(b) > maxSaved {
		return s, fmt.Errorf("file of %d bytes is longer than any card", len(b))
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return s, errors.New("more data after the card")
	}
	if s.Practice != practiceMark || s.Version != 1 {
		return s, errors.New("not marked as a practice card of version 1")
	}
	return s, nil
}

func (s savedCard) restore() (*Card, error) {
	f, err := parseFirmware(s.Firmware)
	if err != nil {
		return nil, err
	}
	c := blankCard(s.Serial, f)
	c.foreign = s.Foreign
	if err := errors.Join(s.PIN.valid("PIN"), s.PUK.valid("PUK")); err != nil {
		return nil, err
	}
	if n, known := managementKeyLength[s.Management.Algorithm]; !known || n != len(s.Management.Value) {
		return nil, errors.New("management key of a wrong kind or length")
	}
	c.pin, c.puk, c.management = s.PIN, s.PUK, s.Management
	if err := s.restoreKeys(c); err != nil {
		return nil, err
	}
	if err := s.restoreObjects(c); err != nil {
		return nil, err
	}
	if err := s.restoreCertificates(c); err != nil {
		return nil, err
	}
	return c, nil
}

func (s secret) valid(name string) error {
	if len(s.Value) != secretLength || s.Max < 1 || s.Max > 255 || s.Tries < 0 || s.Tries > s.Max {
		return fmt.Errorf("impossible %s or try counter", name)
	}
	return nil
}

func (s savedCard) restoreKeys(c *Card) error {
	for name, sk := range s.Keys {
		ref, err := hex.DecodeString(name)
		if err != nil || len(ref) != 1 || !holdsKeys(ref[0]) || hex.EncodeToString(ref) != name {
			return fmt.Errorf("no slot is called %q", name)
		}
		k, err := sk.key()
		if err != nil {
			return fmt.Errorf("key %s: %w", name, err)
		}
		c.keys[ref[0]] = k
	}
	return nil
}

func (sk saved) key() (*key, error) {
	private, err := x509.ParsePKCS8PrivateKey(sk.Private)
	if err != nil {
		return nil, err
	}
	signer, ok := private.(crypto.Signer)
	if !ok || algorithmOf(signer) == 0 {
		return nil, errAlgorithm
	}
	k := &key{algorithm: algorithmOf(signer), private: signer, pin: sk.PIN, touch: sk.Touch, origin: sk.Origin}
	if k.pin < policyNever || k.pin > pinAlways || k.touch < policyNever || k.touch > touchCached ||
		k.origin < originGenerated || k.origin > originImported {
		return nil, errors.New("impossible policy or origin")
	}
	return k, nil
}

func (s savedCard) restoreObjects(c *Card) error {
	if len(s.Objects) > maxObjects {
		return errors.New("more objects than a card takes")
	}
	for name, o := range s.Objects {
		var id uint32
		if _, err := fmt.Sscanf(name, "%x", &id); err != nil || fmt.Sprintf("%06x", id) != name || id > 0xffffff {
			return fmt.Errorf("no object is called %q", name)
		}
		if len(o) == 0 || len(o) > maxObject {
			return fmt.Errorf("object %s of %d bytes", name, len(o))
		}
		c.objects[id] = o
	}
	return nil
}

// restoreCertificates also checks that the attestation key is the certified one.
func (s savedCard) restoreCertificates(c *Card) error {
	var err error
	if c.root, err = x509.ParseCertificate(s.Root); err != nil {
		return fmt.Errorf("practice root: %w", err)
	}
	if c.device, err = x509.ParseCertificate(s.Device); err != nil {
		return fmt.Errorf("attestation certificate: %w", err)
	}
	device := c.keys[refAttestation]
	public, ok := c.device.PublicKey.(*ecdsa.PublicKey)
	if device == nil || !ok || !public.Equal(device.private.Public()) {
		return errors.New("the attestation key is not the one certified")
	}
	return nil
}
