package piv

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"fmt"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"conclave/hsm"
)

const (
	firstRetired hsm.Slot = 0x82
	lastRetired  hsm.Slot = 0x95
)

// A heldKey is a key as read from its slot.
type heldKey struct {
	hsm.Key
	slot gopiv.Slot
}

// usableSlots are the slots whose keys a ceremony may use: 9c, and the
// retired ones, which sign as well.
func usableSlots() []hsm.Slot {
	slots := []hsm.Slot{hsm.SlotSignature}
	for s := firstRetired; s <= lastRetired; s++ {
		slots = append(slots, s)
	}
	return slots
}

func slotOf(s hsm.Slot) (gopiv.Slot, error) {
	if s == hsm.SlotSignature {
		return gopiv.SlotSignature, nil
	}
	if slot, ok := gopiv.RetiredKeyManagementSlot(uint32(s)); ok {
		return slot, nil
	}
	return gopiv.Slot{}, fmt.Errorf("slot %v is not one for ceremony keys; use 9c", s)
}

// Keys lists the keys on P-256 and P-384, 9c first. It passes over keys of
// other kinds, which a ceremony cannot use.
func (t *token) Keys(ctx context.Context) ([]hsm.Key, error) {
	var keys []hsm.Key
	for _, slot := range usableSlots() {
		if err := t.ready(ctx); err != nil {
			return nil, fmt.Errorf("list keys: %w", err)
		}
		held, err := t.key(slot)
		switch {
		case err == nil && held.Algorithm != "":
			keys = append(keys, held.Key)
		case err != nil && !errors.Is(err, hsm.ErrNoKey):
			return nil, fmt.Errorf("list keys: read slot %v: %w", slot, err)
		}
	}
	return keys, nil
}

// key reads the key in a slot, or remembers it. A key that a ceremony cannot
// use has no Algorithm.
func (t *token) key(slot hsm.Slot) (heldKey, error) {
	if held, ok := t.keys[slot]; ok {
		return held, nil
	}
	ref, err := slotOf(slot)
	if err != nil {
		return heldKey{}, err
	}
	cert, err := t.certificate(ref)
	if err != nil {
		return heldKey{}, err
	}
	key, err := t.readKey(ref, cert)
	if err != nil {
		return heldKey{}, err
	}
	key.Slot = slot
	key.Algorithm = algorithmOf(key.Public)
	if cert != nil && samePublic(cert.PublicKey, key.Public) {
		key.Holder = cert.Subject.CommonName
	}
	held := heldKey{Key: key, slot: ref}
	t.keys[slot] = held
	return held, nil
}

// certificate returns what stands in the slot, nil for nothing or for
// something that is no certificate: it is only a label.
func (t *token) certificate(slot gopiv.Slot) (*x509.Certificate, error) {
	cert, err := t.yk.Certificate(slot)
	if t.broke(err) {
		return nil, t.fail(err)
	}
	return cert, nil // nil beside any other error
}

// readKey asks the token in the best way that its firmware knows.
func (t *token) readKey(slot gopiv.Slot, cert *x509.Certificate) (hsm.Key, error) {
	if v := t.yk.Version(); v.Major > 5 || v.Major == 5 && v.Minor >= 3 {
		key, err := t.readMetadata(slot)
		if sw, ok := statusOf(err); !ok || sw != swNoInstruction {
			return key, err
		}
		// A card of another maker that only calls itself new.
	}
	return t.readAttestation(slot, cert)
}

// readMetadata is for firmware 5.3 and later.
func (t *token) readMetadata(slot gopiv.Slot) (hsm.Key, error) {
	info, err := t.yk.KeyInfo(slot)
	if err == nil {
		return hsm.Key{
			Public:      info.PublicKey,
			PINPolicy:   pinPolicies[info.PINPolicy],
			TouchPolicy: touchPolicies[info.TouchPolicy],
			Generated:   info.Origin == gopiv.OriginGenerated,
		}, nil
	}
	switch _, spoken := statusOf(err); {
	case errors.Is(err, gopiv.ErrNotFound):
		return hsm.Key{}, hsm.ErrNoKey
	case spoken || t.broke(err):
		return hsm.Key{}, t.fail(err)
	}
	// An answer that go-piv does not understand, as from newer firmware:
	// there is a key, and it is not for us.
	return hsm.Key{PINPolicy: hsm.PolicyUnknown, TouchPolicy: hsm.PolicyUnknown}, nil //nolint:nilerr // not ours
}

// readAttestation is for older firmware, which says nothing of a key but
// through an attestation. A key from elsewhere has none; then the slot's
// certificate is the only one to speak for it.
func (t *token) readAttestation(slot gopiv.Slot, cert *x509.Certificate) (hsm.Key, error) {
	leaf, err := t.yk.Attest(slot)
	switch {
	case err == nil:
		pin, touch := attestedPolicies(leaf)
		return hsm.Key{Public: leaf.PublicKey, PINPolicy: pin, TouchPolicy: touch, Generated: true}, nil
	case t.broke(err):
		return hsm.Key{}, t.fail(err)
	case cert == nil:
		return hsm.Key{}, hsm.ErrNoKey
	}
	return hsm.Key{Public: cert.PublicKey, PINPolicy: hsm.PolicyUnknown, TouchPolicy: hsm.PolicyUnknown}, nil //nolint:nilerr // the certificate speaks
}

var pinPolicies = map[gopiv.PINPolicy]hsm.Policy{
	0:                          hsm.PolicyUnknown,
	gopiv.PINPolicyNever:       hsm.PolicyNever,
	gopiv.PINPolicyOnce:        hsm.PolicyOnce,
	gopiv.PINPolicyAlways:      hsm.PolicyAlways,
	gopiv.PINPolicyMatchOnce:   hsm.PolicyUnknown, // by fingerprint, not by PIN
	gopiv.PINPolicyMatchAlways: hsm.PolicyUnknown,
}

var touchPolicies = map[gopiv.TouchPolicy]hsm.Policy{
	0:                       hsm.PolicyUnknown,
	gopiv.TouchPolicyNever:  hsm.PolicyNever,
	gopiv.TouchPolicyAlways: hsm.PolicyAlways,
	gopiv.TouchPolicyCached: hsm.PolicyCached,
}

// extPolicy is Yubico's extension with the PIN and touch policy of an attested key.
const extPolicy = "1.3.6.1.4.1.41482.3.8"

func attestedPolicies(leaf *x509.Certificate) (pin, touch hsm.Policy) {
	pins := map[byte]hsm.Policy{1: hsm.PolicyNever, 2: hsm.PolicyOnce, 3: hsm.PolicyAlways}
	touches := map[byte]hsm.Policy{1: hsm.PolicyNever, 2: hsm.PolicyAlways, 3: hsm.PolicyCached}
	pin, touch = hsm.PolicyUnknown, hsm.PolicyUnknown
	for _, e := range leaf.Extensions {
		if e.Id.String() != extPolicy || len(e.Value) != 2 {
			continue
		}
		if p, ok := pins[e.Value[0]]; ok {
			pin = p
		}
		if p, ok := touches[e.Value[1]]; ok {
			touch = p
		}
	}
	return pin, touch
}

func algorithmOf(public crypto.PublicKey) hsm.Algorithm {
	if p, ok := public.(*ecdsa.PublicKey); ok {
		switch p.Curve {
		case elliptic.P256():
			return hsm.P256
		case elliptic.P384():
			return hsm.P384
		}
	}
	return ""
}

func samePublic(a, b crypto.PublicKey) bool {
	p, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && p.Equal(b)
}
