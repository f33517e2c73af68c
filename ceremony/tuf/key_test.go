package tuf

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

func TestNewKeysHaveTheFormThatClientsAccept(t *testing.T) {
	for name, c := range map[string]struct {
		person      person
		typ, scheme string
	}{
		"P-256":   {who("Alice"), "ecdsa", "ecdsa-sha2-nistp256"},
		"P-384":   {strong()["p384"], "ecdsa", "ecdsa-sha2-nistp384"},
		"Ed25519": {strong()["ed25519"], "ed25519", "ed25519"},
		"RSA":     {strong()["rsa"], "rsa", "rsassa-pss-sha256"},
	} {
		t.Run(name, func(t *testing.T) {
			k := c.person.key
			if k.Type != c.typ || k.Scheme != c.scheme {
				t.Errorf("%s %s", k.Type, k.Scheme)
			}
			object := k.Metadata()
			theirs, err := object.ID()
			if err != nil || theirs != k.ID {
				t.Errorf("keyid %s, go-tuf says %s (%v)", k.ID, theirs, err)
			}
			pub, err := object.ToPublicKey()
			if err != nil {
				t.Fatal(err)
			}
			if e, ok := pub.(interface{ Equal(crypto.PublicKey) bool }); !ok || !e.Equal(k.Public) {
				t.Error("go-tuf reads another key")
			}
			text := object.Value.PublicKey
			if k.Type != "ed25519" && (!strings.HasSuffix(text, "-----\n") || strings.HasSuffix(text, "\n\n")) {
				t.Errorf("the PEM does not end in exactly one newline: %q", text)
			}
			again, err := keyFrom(k.ID, object)
			if err != nil || again.SPKI != k.SPKI {
				t.Errorf("read back as another key: %v", err)
			}
		})
	}
}

func TestKeysVerifyTheirSignaturesOnly(t *testing.T) {
	payload := []byte("payload")
	for name, p := range map[string]person{
		"P-256": who("Alice"), "P-384": strong()["p384"], "Ed25519": strong()["ed25519"], "RSA": strong()["rsa"],
	} {
		t.Run(name, func(t *testing.T) {
			sig := p.signPayload(t, payload)
			if err := p.key.Verify(payload, sig); err != nil {
				t.Fatal(err)
			}
			broken := bytes.Clone(sig)
			broken[len(broken)-1] ^= 1
			for what, err := range map[string]error{
				"another payload":   p.key.Verify([]byte("payloaD"), sig),
				"a changed bit":     p.key.Verify(payload, broken),
				"a cut signature":   p.key.Verify(payload, sig[:len(sig)-1]),
				"a long signature":  p.key.Verify(payload, append(bytes.Clone(sig), 0)),
				"no signature":      p.key.Verify(payload, nil),
				"another's":         who("Bob").key.Verify(payload, sig),
				"a key without any": Key{Scheme: p.key.Scheme}.Verify(payload, sig),
			} {
				if !errors.Is(err, ErrSignature) {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

func TestAnySaltLengthVerifies(t *testing.T) {
	p := strong()["rsa"]
	private, ok := p.private.(*rsa.PrivateKey)
	if !ok {
		t.Fatal("no RSA key")
	}
	digest := sha256.Sum256([]byte("payload"))
	for _, salt := range []int{0, 20, 32, rsa.PSSSaltLengthAuto} {
		sig, err := rsa.SignPSS(rand.Reader, private, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: salt})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.key.Verify([]byte("payload"), sig); err != nil {
			t.Errorf("salt length %d: %v", salt, err)
		}
	}
}

func TestHashedIsWhatATokenSigns(t *testing.T) {
	for name, c := range map[string]struct {
		key  Key
		size int
		hash crypto.Hash
	}{
		"P-256": {who("Alice").key, 32, crypto.SHA256},
		"P-384": {strong()["p384"].key, 48, crypto.SHA384},
		"RSA":   {strong()["rsa"].key, 32, crypto.SHA256},
	} {
		digest, hash, err := c.key.Hashed([]byte("payload"))
		if err != nil || len(digest) != c.size || hash != c.hash {
			t.Errorf("%s: %d bytes, %v, %v", name, len(digest), hash, err)
		}
	}
	if _, _, err := strong()["ed25519"].key.Hashed(nil); err == nil {
		t.Error("Ed25519 has a digest to sign")
	}
}

func TestKeysThatAreNotTaken(t *testing.T) {
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, pub := range map[string]crypto.PublicKey{
		"P-521":              p521.Public(),
		"P-224":              &ecdsa.PublicKey{Curve: elliptic.P224()},
		"no curve":           &ecdsa.PublicKey{},
		"a nil P-256":        (*ecdsa.PublicKey)(nil),
		"a nil RSA key":      (*rsa.PublicKey)(nil),
		"short RSA":          smallRSA(t),
		"a short Ed25519":    ed25519.PublicKey{1, 2, 3},
		"a private key":      p521,
		"nothing":            nil,
		"a string":           "key",
		"a point off P-256 ": &ecdsa.PublicKey{Curve: elliptic.P256()},
	} {
		t.Run(name, func(t *testing.T) {
			k, err := NewKey(pub)
			var fault *KeyError
			if !errors.As(err, &fault) || fault.Hint() == "" {
				t.Errorf("got %v, %v", k, err)
			}
		})
	}
}

// smallRSA is a public key of 1024 bits.
func smallRSA(t *testing.T) *rsa.PublicKey {
	t.Helper()
	pub := strong()["rsa"].key.Public.(*rsa.PublicKey)
	cut := *pub
	cut.N = new(big.Int).Rsh(pub.N, 1024)
	return &cut
}

func TestMetadataKeepsUnknownFieldsAndIsACopy(t *testing.T) {
	d := parseReal(t, "sigstore-roots", "15.root.json")
	for id, k := range d.Keys() {
		object := k.Metadata()
		if hash, err := keyID(object); err != nil || hash != id {
			t.Errorf("%s: the keyid is %s (%v)", id, hash, err)
		}
		object.UnrecognizedFields["x-changed"] = true
		object.Value.PublicKey = ""
		if hash, err := keyID(k.Metadata()); err != nil || hash != id {
			t.Errorf("%s: the key was changed through its copy", id)
		}
	}
	bare := Key{Public: who("Alice").key.Public}
	if got := bare.Metadata(); got == nil || got.Value.PublicKey != who("Alice").key.Metadata().Value.PublicKey {
		t.Error("a bare key has no metadata")
	}
	if (Key{}).Metadata() != nil {
		t.Error("an empty key has metadata")
	}
}

func TestOldAndForeignNamesOfKeysAreRead(t *testing.T) {
	p256, p384 := who("Alice").key.Metadata().Value, strong()["p384"].key.Metadata().Value
	for name, c := range map[string]struct {
		object *metadata.Key
		says   string
	}{
		"the old name of P-256":   {&metadata.Key{Type: typeP256, Scheme: schemeP256, Value: p256}, ""},
		"the old name of P-384":   {&metadata.Key{Type: typeP384, Scheme: schemeP384, Value: p384}, ""},
		"P-384 labelled as P-256": {&metadata.Key{Type: typeECDSA, Scheme: schemeP256, Value: p384}, "is a key for ecdsa-sha2-nistp384"},
		"P-256 labelled as P-384": {&metadata.Key{Type: typeECDSA, Scheme: schemeP384, Value: p256}, "is a key for ecdsa-sha2-nistp256"},
		"old names that differ":   {&metadata.Key{Type: typeP384, Scheme: schemeP256, Value: p256}, "is a key for"},
		"EC labelled as RSA":      {&metadata.Key{Type: typeRSA, Scheme: schemePSS, Value: p256}, "is a key for"},
		"PKCS1v15":                {&metadata.Key{Type: typeRSA, Scheme: "rsa-pkcs1v15-sha256", Value: strong()["rsa"].key.Metadata().Value}, "is a key for rsassa-pss-sha256"},
		"a point in hex":          {&metadata.Key{Type: typeP256, Scheme: schemeP256, Value: metadata.KeyVal{PublicKey: "04" + strings.Repeat("ab", 64)}}, "bare point in hex"},
		"other hex":               {&metadata.Key{Type: typeP256, Scheme: schemeP256, Value: metadata.KeyVal{PublicKey: "04ab"}}, "not in PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			k, err := keyFrom("id", c.object)
			switch {
			case c.says == "" && err != nil:
				t.Error(err)
			case c.says == "" && k.Type != typeECDSA:
				t.Errorf("is of type %s", k.Type)
			case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
				t.Errorf("got %v, want it to say %q", err, c.says)
			}
		})
	}
}

func TestParsePublicKey(t *testing.T) {
	alice := who("Alice").key
	good := alice.Metadata().Value.PublicKey
	private, err := x509.MarshalPKCS8PrivateKey(who("Alice").private)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	der, _ := pem.Decode([]byte(good))
	for name, c := range map[string]struct{ text, says string }{
		"a key":                    {good, ""},
		"a key without newline":    {strings.TrimSpace(good), ""},
		"a key from Windows":       {strings.ReplaceAll(good, "\n", "\r\n"), ""},
		"nothing":                  {"", "not in PEM"},
		"text before":              {"key:\n" + good, "not in PEM"},
		"two keys":                 {good + good, "more in its PEM"},
		"text after":               {good + "x", "more in its PEM"},
		"a private key":            {block("PRIVATE KEY", private), "private key"},
		"a certificate":            {block("CERTIFICATE", der.Bytes), "PEM block"},
		"headers":                  {string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Headers: map[string]string{"a": "b"}, Bytes: der.Bytes})), "more in its PEM"},
		"a cut key":                {good[:60] + "\n", "not whole PEM"},
		"cut DER":                  {block("PUBLIC KEY", der.Bytes[:40]), "cannot be decoded"},
		"trailing DER":             {block("PUBLIC KEY", append(bytes.Clone(der.Bytes), 0)), "cannot be decoded"},
		"a long text":              {strings.Repeat(" ", 5000), "read at most"},
		"a point off the curve":    {block("PUBLIC KEY", flip(der.Bytes)), "cannot be decoded"},
		"a key of a foreign curve": {block("PUBLIC KEY", foreign(t)), "P-521"},
	} {
		t.Run(name, func(t *testing.T) {
			k, err := ParsePublicKey([]byte(c.text))
			switch {
			case c.says == "" && (err != nil || k.ID != alice.ID || k.SPKI != alice.SPKI):
				t.Errorf("got %+v, %v", k, err)
			case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
				t.Errorf("got %v, want it to say %q", err, c.says)
			}
		})
	}
}

func flip(der []byte) []byte {
	c := bytes.Clone(der)
	c[len(c)-1] ^= 1
	return c
}

func foreign(t *testing.T) []byte {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func FuzzParsePublicKey(f *testing.F) {
	for _, p := range []person{who("Alice"), strong()["p384"], strong()["rsa"]} {
		f.Add([]byte(p.key.Metadata().Value.PublicKey))
	}
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := ParsePublicKey(text)
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without words")
			}
			return
		}
		again, err := ParsePublicKey([]byte(k.Metadata().Value.PublicKey))
		if err != nil || again.ID != k.ID || again.SPKI != k.SPKI {
			t.Fatalf("written and read again it is another key: %v", err)
		}
		if k.Verify([]byte("x"), text) == nil {
			t.Fatal("the key's own text is a signature")
		}
	})
}
