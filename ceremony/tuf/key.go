package tuf

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Key types and schemes that are read; NewKey writes the first four pairs.
const (
	typeECDSA   = "ecdsa"
	typeEd25519 = "ed25519"
	typeRSA     = "rsa"
	// The specification named these two; newer tools write "ecdsa".
	typeP256 = "ecdsa-sha2-nistp256"
	typeP384 = "ecdsa-sha2-nistp384"

	schemeP256    = "ecdsa-sha2-nistp256"
	schemeP384    = "ecdsa-sha2-nistp384"
	schemeEd25519 = "ed25519"
	schemePSS     = "rsassa-pss-sha256"
)

// publicKeyBlock is the PEM type of a SubjectPublicKeyInfo.
const publicKeyBlock = "PUBLIC KEY"

// A Key is one public key in the form that metadata carries.
type Key struct {
	ID     string // keyid as the metadata lists it
	Type   string // "ecdsa", "ed25519", "rsa"
	Scheme string // "ecdsa-sha2-nistp256", …
	Public crypto.PublicKey
	SPKI   Digest // SHA-256 of the SubjectPublicKeyInfo: what a key *is*, whatever its keyid

	object *metadata.Key // as the metadata has it, unknown fields included
}

// A KeyError says why a public key is not taken.
type KeyError struct {
	What string

	hint string
}

// Error names the fault.
func (e *KeyError) Error() string { return "read public key: it " + e.What }

// Hint says which keys are taken.
func (e *KeyError) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	return "P-256 is accepted by every client; P-384, Ed25519 and RSA from 2048 bits are read too"
}

// NewKey gives pub the form that every client accepts; its keyid is the hash of the
// canonical key. P-256, P-384, Ed25519 and RSA (≥ 2048 bits) are taken. Its
// errors are of type *KeyError.
func NewKey(pub crypto.PublicKey) (Key, error) {
	typ, scheme, err := schemeFor(pub)
	if err != nil {
		return Key{}, err
	}
	der, err := spki(pub)
	if err != nil {
		return Key{}, err
	}
	object := &metadata.Key{Type: typ, Scheme: scheme}
	if ed, ok := pub.(ed25519.PublicKey); ok {
		object.Value.PublicKey = hex.EncodeToString(ed)
	} else {
		object.Value.PublicKey = encodePEM(der)
	}
	id, err := keyID(object)
	if err != nil {
		return Key{}, err
	}
	return Key{ID: id, Type: typ, Scheme: scheme, Public: pub, SPKI: sha256.Sum256(der), object: object}, nil
}

// schemeFor names the key type and scheme of a public key.
func schemeFor(pub crypto.PublicKey) (typ, scheme string, err error) {
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		if pub == nil || pub.Curve == nil {
			return "", "", &KeyError{What: "is empty"}
		}
		switch pub.Curve {
		case elliptic.P256():
			return typeECDSA, schemeP256, nil
		case elliptic.P384():
			return typeECDSA, schemeP384, nil
		}
		return "", "", &KeyError{What: "is on the curve " + pub.Curve.Params().Name + ", which most clients refuse"}
	case ed25519.PublicKey:
		if len(pub) != ed25519.PublicKeySize {
			return "", "", &KeyError{What: fmt.Sprintf("has %d bytes where Ed25519 has %d", len(pub), ed25519.PublicKeySize)}
		}
		return typeEd25519, schemeEd25519, nil
	case *rsa.PublicKey:
		if pub == nil || pub.N == nil {
			return "", "", &KeyError{What: "is empty"}
		}
		if n := pub.N.BitLen(); n < minRSABits || n > maxRSABits {
			return "", "", &KeyError{What: fmt.Sprintf("is RSA with %d bits, must have from %d to %d", n, minRSABits, maxRSABits)}
		}
		return typeRSA, schemePSS, nil
	}
	return "", "", &KeyError{What: fmt.Sprintf("is of a kind that is not known (%T)", pub)}
}

// spki encodes a public key. The standard library panics on keys that were put
// together by hand and lack a coordinate.
func spki(pub crypto.PublicKey) (der []byte, err error) {
	err = guard(func() error {
		var err error
		der, err = x509.MarshalPKIXPublicKey(pub)
		return err
	})
	if err != nil {
		return nil, &KeyError{What: "cannot be encoded: " + err.Error()}
	}
	return der, nil
}

// encodePEM writes a SubjectPublicKeyInfo with exactly one newline at its end:
// the text is hashed into keyids, so its bytes matter.
func encodePEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: publicKeyBlock, Bytes: der}))
}

// keyID hashes the canonical key.
func keyID(object *metadata.Key) (string, error) {
	canonical, err := encode(object)
	if err != nil {
		return "", fmt.Errorf("hash key: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

// ParsePublicKey reads a public key from PEM (SPKI): one block and nothing
// around it but white space. Its errors are of type *KeyError.
func ParsePublicKey(text []byte) (Key, error) {
	if len(text) > maxPEM {
		return Key{}, &KeyError{What: fmt.Sprintf("has %d bytes; %d are read at most", len(text), maxPEM)}
	}
	pub, _, err := parsePEM(string(text))
	if err != nil {
		return Key{}, err
	}
	return NewKey(pub)
}

// parsePEM reads one SubjectPublicKeyInfo and returns the key and its DER.
func parsePEM(text string) (crypto.PublicKey, []byte, error) {
	trimmed := strings.TrimSpace(text)
	if !strings.HasPrefix(trimmed, "-----BEGIN ") {
		return nil, nil, &KeyError{What: "is not in PEM", hint: "a public key begins with the line -----BEGIN PUBLIC KEY-----"}
	}
	block, rest := pem.Decode([]byte(trimmed))
	switch {
	case block == nil:
		return nil, nil, &KeyError{What: "is not whole PEM"}
	case strings.Contains(block.Type, "PRIVATE"):
		return nil, nil, &KeyError{What: "is a private key", hint: "never give a private key away; make its public key with: openssl pkey -pubout"}
	case block.Type != publicKeyBlock:
		return nil, nil, &KeyError{What: fmt.Sprintf("is a PEM block %q, must be %q", shorten(block.Type, 40), publicKeyBlock)}
	case len(block.Headers) > 0 || len(bytes.TrimSpace(rest)) > 0:
		return nil, nil, &KeyError{What: "has more in its PEM than one key"}
	}
	pub, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, nil, &KeyError{What: "cannot be decoded: " + err.Error()}
	}
	// One key, one spelling: the hash of the SPKI tells keys apart.
	der, err := spki(pub)
	if err != nil || !bytes.Equal(der, block.Bytes) {
		return nil, nil, &KeyError{What: "is not in the one form that DER allows"}
	}
	return pub, der, nil
}

// keyFrom reads a key as metadata lists it under id.
func keyFrom(id string, object *metadata.Key) (Key, error) {
	pub, err := publicOf(object)
	if err != nil {
		return Key{}, err
	}
	typ, scheme, err := schemeFor(pub)
	if err != nil {
		return Key{}, err
	}
	if !fits(object.Type, object.Scheme, typ, scheme) {
		return Key{}, &KeyError{What: fmt.Sprintf("says keytype %q and scheme %q but is a key for %s",
			shorten(object.Type, 40), shorten(object.Scheme, 40), scheme)}
	}
	der, err := spki(pub)
	if err != nil {
		return Key{}, err
	}
	return Key{ID: id, Type: typ, Scheme: scheme, Public: pub, SPKI: sha256.Sum256(der), object: object}, nil
}

// fits reports whether the names in the metadata say what the key is.
func fits(saysType, saysScheme, typ, scheme string) bool {
	if saysScheme != scheme {
		return false
	}
	return saysType == typ || typ == typeECDSA && saysType == scheme
}

// publicOf decodes the public key of a metadata key.
func publicOf(object *metadata.Key) (crypto.PublicKey, error) {
	text := object.Value.PublicKey
	switch object.Type {
	case typeEd25519:
		raw, err := hex.DecodeString(text)
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return nil, &KeyError{What: "is not an Ed25519 key: 64 hex digits"}
		}
		return ed25519.PublicKey(raw), nil
	case typeECDSA, typeP256, typeP384:
		if isHexPoint(text) {
			return nil, &KeyError{
				What: "is an ECDSA key as a bare point in hex, the old form that go-tuf, python-tuf and others no longer read",
				hint: "start from the first root of this repository that carries its keys in PEM; " +
					"a root in the old form cannot be verified by today's clients either",
			}
		}
		pub, _, err := parsePEM(text)
		return pub, err
	case typeRSA:
		pub, _, err := parsePEM(text)
		return pub, err
	}
	return nil, &KeyError{What: fmt.Sprintf("has the keytype %q, which is not known", shorten(object.Type, 40))}
}

// isHexPoint recognises an uncompressed point on P-256 or P-384 in hex.
func isHexPoint(s string) bool {
	return (len(s) == 130 || len(s) == 194) && strings.HasPrefix(s, "04") && all(s, isHex)
}

// Metadata returns k as go-tuf's type, for building documents: as the metadata
// it comes from had it, unknown fields included, so that its keyid stays.
func (k Key) Metadata() *metadata.Key {
	if k.object == nil {
		made, err := NewKey(k.Public)
		if err != nil {
			return nil
		}
		return made.object
	}
	return &metadata.Key{
		Type:   k.object.Type,
		Scheme: k.object.Scheme,
		Value: metadata.KeyVal{
			PublicKey:          k.object.Value.PublicKey,
			UnrecognizedFields: maps.Clone(k.object.Value.UnrecognizedFields),
		},
		UnrecognizedFields: maps.Clone(k.object.UnrecognizedFields),
	}
}

// errWhole is why there is no digest to hand to a token.
var errWhole = errors.New("hash payload: this kind of key signs the whole message")

// hash is the hash function that k signs with; 0 signs whole messages.
func (k Key) hash() crypto.Hash {
	switch k.Scheme {
	case schemeP256, schemePSS:
		return crypto.SHA256
	case schemeP384:
		return crypto.SHA384
	}
	return 0
}

// Hashed returns the bytes that a token signs for payload: SHA-256 for P-256, SHA-384 for P-384.
// It fails for keys that sign whole messages.
func (k Key) Hashed(payload []byte) ([]byte, crypto.Hash, error) {
	switch k.hash() {
	case crypto.SHA256:
		sum := sha256.Sum256(payload)
		return sum[:], crypto.SHA256, nil
	case crypto.SHA384:
		sum := sha512.Sum384(payload)
		return sum[:], crypto.SHA384, nil
	}
	return nil, 0, errWhole
}

// ErrSignature is returned where a signature does not verify.
var ErrSignature = errors.New("verify signature: it is not by this key over this payload")

// Verify checks one signature by k over payload. It returns ErrSignature where
// the signature is wrong.
func (k Key) Verify(payload, sig []byte) error {
	if k.hash() == 0 {
		return k.check(payload, sig)
	}
	digest, _, err := k.Hashed(payload)
	if err != nil {
		return err
	}
	return k.check(digest, sig)
}

// check verifies sig over what k really signs: a digest or a whole message.
// ECDSA signatures are in ASN.1 DER; an RSA-PSS salt may have any length.
func (k Key) check(signed, sig []byte) error {
	ok := false
	switch pub := k.Public.(type) {
	case *ecdsa.PublicKey:
		ok = ecdsa.VerifyASN1(pub, signed, sig)
	case ed25519.PublicKey:
		ok = len(pub) == ed25519.PublicKeySize && ed25519.Verify(pub, signed, sig)
	case *rsa.PublicKey:
		options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto, Hash: crypto.SHA256}
		ok = rsa.VerifyPSS(pub, crypto.SHA256, signed, sig, options) == nil
	}
	if !ok {
		return ErrSignature
	}
	return nil
}
