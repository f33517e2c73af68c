package publish

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"conclave/ceremony/tuf"
)

// Limits of what is read as a key or a passphrase.
const (
	maxKeyFile    = 64 << 10
	maxPassphrase = 1 << 10
	minPassphrase = 8 // less is guessed from a stolen key file in an afternoon
)

// ErrLogin says that a token does not let us log in. To try again by itself could block it.
var ErrLogin = errors.New("the token does not let us log in")

// The PEM types of encrypted keys that are read; the first one is written.
const (
	pemSigstore = string(cryptoutils.EncryptedSigstorePrivateKeyPEMType)
	pemCosign   = "ENCRYPTED COSIGN PRIVATE KEY"
)

// A Passphrase opens an encrypted key file. It prints as Passphrase(redacted)
// and refuses to be marshalled. The bytes lie behind a pointer: %p prints a value's
// fields without asking its methods. What it was stretched to last is kept with it. It serves one goroutine.
type Passphrase struct {
	b    *[]byte
	last *stretched
}

// NewPassphrase copies b into a passphrase and wipes b, also when it refuses.
func NewPassphrase(b []byte) (*Passphrase, error) {
	defer clear(b)
	if len(b) < minPassphrase || len(b) > maxPassphrase {
		return nil, withHint(fmt.Errorf("a passphrase has %d to %d bytes, this one has %d", minPassphrase, maxPassphrase, len(b)),
			"an online key is only as safe as its passphrase; 20 random characters are a good one")
	}
	kept := bytes.Clone(b)
	return &Passphrase{b: &kept}, nil
}

// ReadPassphrase reads a passphrase from the first line of a file that only its owner can read.
func ReadPassphrase(path string) (*Passphrase, error) {
	raw, err := readLine(path)
	if err != nil {
		return nil, fmt.Errorf("read passphrase: %w", err)
	}
	p, err := NewPassphrase(raw)
	if err != nil {
		return nil, fmt.Errorf("read passphrase from %s: %w", path, err)
	}
	return p, nil
}

// readLine reads the one line of a secret file. The caller wipes it.
func readLine(path string) ([]byte, error) {
	raw, err := readSecret(path, maxPassphrase+2)
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	line := bytes.TrimSuffix(bytes.TrimSuffix(raw, []byte("\n")), []byte("\r"))
	if bytes.ContainsAny(line, "\r\n\x00") {
		return nil, fmt.Errorf("%s has more than one line", path)
	}
	return bytes.Clone(line), nil
}

// Wipe forgets the passphrase. A nil one may be wiped.
func (p *Passphrase) Wipe() {
	if !p.empty() {
		clear(*p.b)
		p.b = nil
		p.forget()
	}
}

func (p *Passphrase) empty() bool { return p == nil || p.b == nil || len(*p.b) == 0 }

const redacted = "Passphrase(redacted)"

var errSecret = errors.New("a passphrase is never written down")

// String hides the passphrase.
func (p Passphrase) String() string { return redacted }

// GoString hides the passphrase from %#v.
func (p Passphrase) GoString() string { return redacted }

// Format hides the passphrase from every verb.
func (p Passphrase) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalJSON refuses.
func (p Passphrase) MarshalJSON() ([]byte, error) { return nil, errSecret }

// MarshalText refuses.
func (p Passphrase) MarshalText() ([]byte, error) { return nil, errSecret }

// A Signer holds one online key.
type Signer struct {
	key    tuf.Key
	signer crypto.Signer
}

// NewSigner makes a signer of a key that lies elsewhere.
func NewSigner(signer crypto.Signer) (*Signer, error) {
	key, err := tuf.NewKey(signer.Public())
	if err != nil {
		return nil, err
	}
	return &Signer{key, signer}, nil
}

// Key is the public key that the signer signs with.
func (s *Signer) Key() tuf.Key { return s.key }

// String names the key without its secret.
func (s *Signer) String() string { return "Signer(" + s.key.ID + ")" }

// Sign signs payload as TUF wants it. The caller verifies what comes back.
func (s *Signer) Sign(payload []byte) ([]byte, error) {
	switch s.signer.Public().(type) {
	case *rsa.PublicKey:
		digest := sum(payload)
		return s.signer.Sign(rand.Reader, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
	case *ecdsa.PublicKey:
		digest, hash, err := s.key.Hashed(payload)
		if err != nil {
			return nil, err
		}
		return s.signer.Sign(rand.Reader, digest, hash)
	}
	return s.signer.Sign(rand.Reader, payload, crypto.Hash(0))
}

// LoadKey opens an encrypted key file that only its owner can read.
func LoadKey(path string, p *Passphrase) (*Signer, error) {
	raw, err := readSecret(path, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	block, rest := pem.Decode(raw)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("read key: %s is not one PEM block", path)
	}
	if block.Type != pemSigstore && block.Type != pemCosign {
		return nil, withHint(fmt.Errorf("read key: %s holds a %q, not an encrypted key", path, block.Type),
			"online keys lie encrypted; make one with: conclave publish init")
	}
	if p.empty() {
		return nil, fmt.Errorf("read key: %s needs a passphrase", path)
	}
	der, err := unseal(block.Bytes, p)
	if err != nil {
		return nil, withHint(fmt.Errorf("open key %s: %w", path, err), "is it the right passphrase for this key?")
	}
	defer clear(der)
	return parseKey(path, der)
}

func parseKey(path string, der []byte) (*Signer, error) {
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("open key %s: %w", path, err)
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("open key %s: keys of type %T cannot sign", path, private)
	}
	s, err := NewSigner(signer)
	if err != nil {
		return nil, fmt.Errorf("open key %s: %w", path, err)
	}
	return s, nil
}

// GenerateKey makes a P-256 key for role: dir/role.pem, encrypted and for its owner's eyes
// only, and dir/role.pub, the public key for `conclave plan`. It overwrites neither.
func GenerateKey(dir, role string, p *Passphrase) (tuf.Key, error) {
	if p.empty() {
		return tuf.Key{}, errors.New("generate key: needs a passphrase")
	}
	// The file must not exist even for the time it takes to make a key.
	private, public := filepath.Join(dir, role+".pem"), filepath.Join(dir, role+".pub")
	for _, path := range []string{private, public} {
		if _, err := os.Lstat(path); err == nil {
			return tuf.Key{}, withHint(fmt.Errorf("generate key: %s exists", path), "keys are never overwritten; use another folder or move it away")
		}
	}
	pemPrivate, pemPublic, err := generatePEM(p)
	if err != nil {
		return tuf.Key{}, fmt.Errorf("generate key: %w", err)
	}
	key, err := tuf.ParsePublicKey(pemPublic)
	if err != nil {
		return tuf.Key{}, fmt.Errorf("generate key: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return tuf.Key{}, fmt.Errorf("generate key: %w", err)
	}
	if err := writeNew(private, pemPrivate, 0o600); err != nil {
		return tuf.Key{}, fmt.Errorf("generate key: %w", err)
	}
	if err := writeNew(public, pemPublic, 0o644); err != nil {
		return tuf.Key{}, fmt.Errorf("generate key: %w", err)
	}
	return key, nil
}

// generatePEM makes a P-256 key and seals its private half.
func generatePEM(p *Passphrase) (private, public []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	defer clear(der)
	box, err := seal(der, p)
	if err != nil {
		return nil, nil, err
	}
	public, err = cryptoutils.MarshalPublicKeyToPEM(key.Public())
	return pem.EncodeToMemory(&pem.Block{Type: pemSigstore, Bytes: box}), public, err
}

// readSecret reads a small regular file that nobody but its owner can read or write.
func readSecret(path string, max int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// Asked of the open file: the name may point elsewhere by now.
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	if open := info.Mode().Perm() & 0o077; open != 0 && runtime.GOOS != "windows" {
		return nil, withHint(fmt.Errorf("%s can be read or changed by others (mode %04o)", path, info.Mode().Perm()),
			fmt.Sprintf("chmod 600 %s, and think about who has read it already", path))
	}
	if info.Size() > max {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, max)
	}
	raw := make([]byte, info.Size())
	if _, err := f.ReadAt(raw, 0); err != nil && info.Size() > 0 {
		return nil, err
	}
	return raw, nil
}

// writeNew creates a file, durably, or fails with fs.ErrExist. A file that
// could not be written whole is removed.
func writeNew(path string, data []byte, mode fs.FileMode) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}
