package publish

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"golang.org/x/crypto/nacl/secretbox"
	"golang.org/x/crypto/scrypt"
)

// A sealed is what the PEM block of an encrypted key holds: a PKCS #8 key under a passphrase, in the format of
// github.com/secure-systems-lab/go-securesystemslib/encrypted, which cosign and sigstore read and write too. That package stretches the
// passphrase anew for every file; here the keys of one publisher, which lie under one passphrase anyway, share a salt, and a push or
// refresh stretches once for all of them.
type sealed struct {
	KDF struct {
		Name   string     `json:"name"`
		Params stretching `json:"params"`
		Salt   []byte     `json:"salt"`
	} `json:"kdf"`
	Cipher struct {
		Name  string `json:"name"`
		Nonce []byte `json:"nonce"`
	} `json:"cipher"`
	Ciphertext []byte `json:"ciphertext"`
}

// The names that the format has for its one way.
const (
	sealedKDF    = "scrypt"
	sealedCipher = "nacl/secretbox"
)

const (
	saltSize  = 32
	nonceSize = 24
)

// stretching is how much work scrypt (RFC 7914) does; 128*N*R bytes of memory are needed.
type stretching struct {
	N int `json:"N"`
	R int `json:"r"`
	P int `json:"p"`
}

// stretchings are those that are obeyed. A file that asks for others could ask for any time and memory. New keys take the second one.
var stretchings = []stretching{{1 << 15, 8, 1}, {1 << 16, 8, 1}, {1 << 17, 8, 1}}

// A stretched is what a passphrase gave for one salt.
type stretched struct {
	salt []byte
	with stretching
	key  [32]byte
}

// stretch makes the passphrase's key for a salt. The last one is kept until the passphrase is wiped.
func (p *Passphrase) stretch(salt []byte, with stretching) (*stretched, error) {
	if last := p.last; last != nil && last.with == with && slices.Equal(last.salt, salt) {
		return last, nil
	}
	if p.last != nil {
		debug.FreeOSMemory() // the last one took 64 MiB
	}
	raw, err := scrypt.Key(*p.b, salt, with.N, with.R, with.P, len(stretched{}.key))
	go debug.FreeOSMemory() // and this one did, but nobody waits for it
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	p.forget()
	p.last = &stretched{salt: slices.Clone(salt), with: with, key: [32]byte(raw)}
	return p.last, nil
}

// forget wipes what was kept of stretching.
func (p *Passphrase) forget() {
	if p.last != nil {
		clear(p.last.key[:])
		p.last = nil
	}
}

// seal encrypts plain. Under one passphrase that was just used, the salt is the same; the nonce never is.
func seal(plain []byte, p *Passphrase) ([]byte, error) {
	with := stretchings[1]
	var salt []byte
	if p.last != nil && p.last.with == with && len(p.last.salt) == saltSize {
		salt = p.last.salt
	} else {
		salt = make([]byte, saltSize)
		_, _ = rand.Read(salt) // never fails
	}
	s, err := p.stretch(salt, with)
	if err != nil {
		return nil, err
	}
	var nonce [nonceSize]byte
	_, _ = rand.Read(nonce[:])
	var v sealed
	v.KDF.Name, v.KDF.Params, v.KDF.Salt = sealedKDF, with, s.salt
	v.Cipher.Name, v.Cipher.Nonce = sealedCipher, nonce[:]
	v.Ciphertext = secretbox.Seal(nil, plain, &nonce, &s.key)
	return json.Marshal(v)
}

// unseal decrypts what seal, or the package that the format comes from, has encrypted.
func unseal(raw []byte, p *Passphrase) ([]byte, error) {
	var v sealed
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, fmt.Errorf("read encryption: %w", err)
	}
	switch {
	case v.KDF.Name != sealedKDF:
		return nil, fmt.Errorf("passphrases stretched by %q are not known", v.KDF.Name)
	case v.Cipher.Name != sealedCipher:
		return nil, fmt.Errorf("the cipher %q is not known", v.Cipher.Name)
	case !slices.Contains(stretchings, v.KDF.Params):
		return nil, fmt.Errorf("scrypt with N=%d, r=%d, p=%d is not obeyed", v.KDF.Params.N, v.KDF.Params.R, v.KDF.Params.P)
	case len(v.Cipher.Nonce) != nonceSize:
		return nil, fmt.Errorf("the nonce has %d bytes, not %d", len(v.Cipher.Nonce), nonceSize)
	case len(v.Ciphertext) <= secretbox.Overhead:
		return nil, errors.New("nothing is encrypted in it")
	}
	s, err := p.stretch(v.KDF.Salt, v.KDF.Params)
	if err != nil {
		return nil, err
	}
	plain, ok := secretbox.Open(nil, v.Ciphertext, (*[nonceSize]byte)(v.Cipher.Nonce), &s.key)
	if !ok {
		return nil, errors.New("it does not decrypt")
	}
	return plain, nil
}
