package publish_test

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"conclave/transfer/publish"
)

// box is what the PEM block of a key file holds.
func box(t testing.TB, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	must(t, err)
	block, rest := pem.Decode(raw)
	if block == nil || len(rest) > 0 {
		t.Fatalf("%s is not one PEM block", path)
		return nil
	}
	return block.Bytes
}

// The package that the format comes from opens what is written here.
func TestKeyFilesAreReadByOthers(t *testing.T) {
	dir := t.TempDir()
	key, err := publish.GenerateKey(dir, "snapshot", newPassphrase(t))
	must(t, err)
	raw, err := os.ReadFile(filepath.Join(dir, "snapshot.pem"))
	must(t, err)
	private, err := cryptoutils.UnmarshalPEMToPrivateKey(raw, cryptoutils.StaticPasswordFunc([]byte(secret)))
	must(t, err)
	signer, err := publish.NewSigner(private.(crypto.Signer))
	must(t, err)
	if signer.Key().ID != key.ID {
		t.Errorf("another key is in the file: %s, not %s", signer.Key().ID, key.ID)
	}
	if _, err := encrypted.Decrypt(box(t, filepath.Join(dir, "snapshot.pem")), []byte("another passphrase")); err == nil {
		t.Error("another passphrase opens it")
	}
}

func TestKeyFilesOfOthersAreRead(t *testing.T) {
	for name, strength := range map[string]encrypted.KDFParameterStrength{"legacy": encrypted.Legacy, "standard": encrypted.Standard, "owasp": encrypted.OWASP} {
		t.Run(name, func(t *testing.T) {
			raw, err := encrypted.EncryptWithCustomKDFParameters([]byte("a key"), []byte(secret), strength)
			must(t, err)
			if got, err := publish.Unseal(raw, newPassphrase(t)); err != nil || string(got) != "a key" {
				t.Errorf("%q, %v", got, err)
			}
			wrong, err := publish.NewPassphrase([]byte("wrong horse"))
			must(t, err)
			if got, err := publish.Unseal(raw, wrong); err == nil {
				t.Errorf("a wrong passphrase opens it: %q", got)
			}
		})
	}
}

// boxOf is what a box says beside what is encrypted.
func boxOf(t testing.TB, path string) (salt, nonce []byte) {
	t.Helper()
	var v struct {
		KDF    struct{ Salt []byte }
		Cipher struct{ Nonce []byte }
	}
	must(t, json.Unmarshal(box(t, path), &v))
	return v.KDF.Salt, v.Cipher.Nonce
}

// One stretching opens all keys of a publisher. The nonce of each is its own, and another publisher's salt is another.
func TestTheKeysOfOnePublisherShareTheirSalt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passphrase")
	must(t, os.WriteFile(file, []byte(secret), 0o600))
	publisher := func() string {
		dir := filepath.Join(t.TempDir(), "online")
		_, err := publish.Init(context.Background(), publish.InitOptions{Dir: dir, Store: "file:store", PassphraseFile: file, Bins: true})
		must(t, err)
		return dir
	}
	dir := publisher()
	nonces := map[string]bool{}
	p, stretchings := newPassphrase(t), map[*publish.Stretching]bool{}
	first, _ := boxOf(t, filepath.Join(dir, "snapshot.pem"))
	for _, name := range []string{"snapshot.pem", "timestamp.pem", "bins.pem"} {
		salt, nonce := boxOf(t, filepath.Join(dir, name))
		if len(salt) != 32 || !bytes.Equal(salt, first) {
			t.Errorf("%s has the salt %x, not %x", name, salt, first)
		}
		nonces[string(nonce)] = true
		if _, err := publish.LoadKey(filepath.Join(dir, name), p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		stretchings[p.Stretched()] = true
	}
	if len(stretchings) != 1 {
		t.Errorf("the passphrase was stretched %d times for three keys", len(stretchings))
	}
	p.Wipe()
	if p.Stretched() != nil {
		t.Error("what the passphrase was stretched to is kept after it was wiped")
	}
	if len(nonces) != 3 {
		t.Error("a nonce was used twice")
	}
	if other, _ := boxOf(t, filepath.Join(publisher(), "snapshot.pem")); bytes.Equal(other, first) {
		t.Error("another publisher has the same salt")
	}
}

// What was kept of stretching is not taken for another salt, another strength or another passphrase.
func TestAStretchedPassphraseOpensOnlyItsOwn(t *testing.T) {
	p := newPassphrase(t)
	for _, strength := range []encrypted.KDFParameterStrength{encrypted.Legacy, encrypted.Standard, encrypted.Standard, encrypted.Legacy} {
		raw, err := encrypted.EncryptWithCustomKDFParameters([]byte("a key"), []byte(secret), strength)
		must(t, err)
		for range 2 {
			if got, err := publish.Unseal(raw, p); err != nil || string(got) != "a key" {
				t.Fatalf("%q, %v", got, err)
			}
		}
	}
}

func TestASpoiltBoxIsRefused(t *testing.T) {
	dir := t.TempDir()
	_, err := publish.GenerateKey(dir, "a", newPassphrase(t))
	must(t, err)
	good := string(box(t, filepath.Join(dir, "a.pem")))
	p := newPassphrase(t)
	_, err = publish.Unseal([]byte(good), p)
	must(t, err)
	for name, c := range map[string]struct{ from, to, says string }{
		"endless stretching":   {`"N":65536`, `"N":1073741824`, "is not obeyed"},
		"hardly any":           {`"N":65536`, `"N":2`, "is not obeyed"},
		"wide blocks":          {`"r":8`, `"r":1048576`, "is not obeyed"},
		"many at once":         {`"p":1`, `"p":64`, "is not obeyed"},
		"another way":          {`"scrypt"`, `"argon2id"`, "argon2id"},
		"another cipher":       {`"nacl/secretbox"`, `"rot13"`, "rot13"},
		"no nonce":             {`"nonce":"`, `"nonce":"","x":"`, "the nonce has 0 bytes"},
		"another nonce":        {`"nonce":"`, `"nonce":"` + strings.Repeat("A", 32) + `","x":"`, "does not decrypt"},
		"nothing":              {`"ciphertext":"`, `"ciphertext":"","x":"`, "nothing is encrypted"},
		"another thing inside": {`"ciphertext":"`, `"ciphertext":"` + strings.Repeat("A", 64) + `","x":"`, "does not decrypt"},
		"half of it":           {good, good[:len(good)/2], "read encryption"},
	} {
		t.Run(name, func(t *testing.T) {
			raw := strings.Replace(good, c.from, c.to, 1)
			if raw == good {
				t.Fatal("nothing was spoilt")
			}
			if got, err := publish.Unseal([]byte(raw), p); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// Whatever opens is what was encrypted.
func FuzzUnseal(f *testing.F) {
	good, err := encrypted.EncryptWithCustomKDFParameters([]byte("a key"), []byte(secret), encrypted.Legacy)
	must(f, err)
	f.Add(good)
	f.Add([]byte(`{"kdf":{"name":"scrypt","params":{"N":65536,"r":8,"p":1}},"cipher":{"name":"nacl/secretbox"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if got, err := publish.Unseal(raw, newPassphrase(t)); err == nil && string(got) != "a key" {
			t.Errorf("%q is in %q", got, raw)
		}
	})
}
