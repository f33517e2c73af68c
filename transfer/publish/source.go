package publish

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"conclave/ceremony/tuf"
)

// Places that a secret can come from, besides a file.
const (
	fromFile       = "file:"
	fromEnv        = "env:"
	fromCredential = "credential:"
	credentialsDir = "CREDENTIALS_DIRECTORY" // where systemd puts what a service's unit loads for it
)

var (
	envName        = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	credentialName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
)

// OpenPassphrase reads a passphrase from where source says: a file that only its owner can read, credential:NAME of the systemd unit that
// runs us, or env:NAME. A variable is taken out of the environment: what we start does not inherit it.
func OpenPassphrase(source string) (*Passphrase, error) {
	raw, err := openSecret(source)
	if err != nil {
		return nil, fmt.Errorf("read passphrase: %w", err)
	}
	p, err := NewPassphrase(raw)
	if err != nil {
		return nil, fmt.Errorf("read passphrase from %s: %w", source, err)
	}
	return p, nil
}

// openPIN reads a token's PIN, which may be short: the token counts the tries.
func openPIN(source string) (*Passphrase, error) {
	raw, err := openSecret(source)
	if err != nil {
		return nil, fmt.Errorf("read PIN: %w", err)
	}
	if len(raw) == 0 {
		return nil, fmt.Errorf("read PIN: %s is empty", source)
	}
	return &Passphrase{b: &raw}, nil
}

func openSecret(source string) ([]byte, error) {
	name, ok := strings.CutPrefix(source, fromEnv)
	if !ok {
		path, err := credentialPath(source)
		if err != nil {
			return nil, err
		}
		return readLine(path)
	}
	if !envName.MatchString(name) {
		return nil, fmt.Errorf("%q is not the name of a variable", name)
	}
	value, ok := os.LookupEnv(name)
	if !ok {
		return nil, withHint(fmt.Errorf("the variable %s is not set", name), "export it for this program only, or use a file or a systemd credential")
	}
	if err := os.Unsetenv(name); err != nil {
		return nil, err
	}
	return []byte(strings.TrimRight(value, "\r\n")), nil
}

// credentialPath is the file behind credential:NAME; other sources are files themselves.
func credentialPath(source string) (string, error) {
	name, ok := strings.CutPrefix(source, fromCredential)
	if !ok {
		return source, nil
	}
	dir := os.Getenv(credentialsDir)
	switch {
	case !credentialName.MatchString(name):
		return "", fmt.Errorf("%q is not a credential's name", name)
	case dir == "":
		return "", withHint(fmt.Errorf("there are no credentials here for %s", source), "LoadCredentialEncrypted="+name+" in the unit's file makes one; by hand, use a file or env:NAME")
	}
	return filepath.Join(dir, name), nil
}

// IsPassphraseFile reports whether a source of a passphrase is a path.
func IsPassphraseFile(source string) bool {
	return !strings.HasPrefix(source, fromEnv) && !strings.HasPrefix(source, fromCredential)
}

// pkcs11Scheme begins the reference of a key on a PKCS#11 token.
const pkcs11Scheme = "pkcs11:"

// kmsSchemes are the services that hold keys for us, with the name that each has for ECDSA on P-256. No other scheme is ever
// handed to the library below: it would look for a program of that name in PATH and run it.
var kmsSchemes = map[string]string{
	"awskms://":     "ECC_NIST_P256",
	"gcpkms://":     "ecdsa-p256-sha256",
	"azurekms://":   "ES256",
	"hashivault://": "ecdsa-p256",
}

var anyScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]+:`)

// A keyKind says where a key lies.
type keyKind int

const (
	keyFile keyKind = iota
	keyPKCS11
	keyKMS
)

// kindOf tells what a reference to a key is, and refuses what looks like a service that is not known.
func kindOf(ref string) (keyKind, error) {
	if strings.HasPrefix(ref, pkcs11Scheme) {
		return keyPKCS11, nil
	}
	for scheme := range kmsSchemes {
		if strings.HasPrefix(ref, scheme) {
			return keyKMS, nil
		}
	}
	if anyScheme.MatchString(ref) {
		return 0, withHint(fmt.Errorf("key %q: is of no kind that is known", ref),
			"use a file, pkcs11:…, awskms://…, gcpkms://…, azurekms://… or hashivault://…")
	}
	return keyFile, nil
}

// IsKeyFile reports whether ref is the path of a key file.
func IsKeyFile(ref string) bool {
	kind, err := kindOf(ref)
	return err == nil && kind == keyFile
}

// OpenKey opens the key that ref names: an encrypted file, which needs the passphrase, a key on a PKCS#11 token
// or one in a key service.
func OpenKey(ctx context.Context, ref string, p *Passphrase) (*Signer, error) {
	kind, err := kindOf(ref)
	if err != nil {
		return nil, err
	}
	switch kind {
	case keyPKCS11:
		return openToken(ref)
	case keyKMS:
		return openKMS(ctx, ref)
	}
	return LoadKey(ref, p)
}

// Test signs something that is no metadata and verifies it: a key that exists and may not be used, or a service that
// answers nonsense, is found before a ceremony counts on it.
func (s *Signer) Test() error {
	message := []byte("conclave: can this key sign? " + rand.Text())
	sig, err := s.Sign(message)
	if err == nil {
		err = s.key.Verify(message, sig)
	}
	if err != nil {
		return withHint(fmt.Errorf("test key %s: %w", s.key.ID, err), "may the key be used for signing, and by us?")
	}
	return nil
}

// MakeKey makes a P-256 key where ref says and returns its public half: an encrypted file NAME.pem, with NAME.pub beside
// it, a key on a PKCS#11 token or one in a key service. It overwrites nothing, and tries the key out.
func MakeKey(ctx context.Context, ref string, p *Passphrase) (tuf.Key, error) {
	kind, err := kindOf(ref)
	if err != nil {
		return tuf.Key{}, err
	}
	switch kind {
	case keyPKCS11:
		err = makeOnToken(ref)
	case keyKMS:
		err = makeInKMS(ctx, ref)
	default:
		name, ok := strings.CutSuffix(filepath.Base(ref), ".pem")
		if !ok || name == "" {
			return tuf.Key{}, withHint(fmt.Errorf("generate key: %s is not NAME.pem", ref), "the public key is written beside it, as NAME.pub")
		}
		_, err = GenerateKey(filepath.Dir(ref), name, p)
	}
	if err != nil {
		return tuf.Key{}, err
	}
	s, err := OpenKey(ctx, ref, p)
	if err != nil {
		return tuf.Key{}, err
	}
	return s.Key(), s.Test()
}

// PublicPEM is the file that a plan takes in.
func PublicPEM(key tuf.Key) []byte { return []byte(key.Metadata().Value.PublicKey) }

// errNoSuchBuild is what parts that were left out of a build answer.
//
//nolint:unused // builds without cgo or a cloud use it
var errNoSuchBuild = errors.New("this build knows no such keys")
