package publish_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"conclave/ceremony/tuf"
	"conclave/transfer/publish"
)

const secret = "correct horse battery staple"

func newPassphrase(t testing.TB) *publish.Passphrase {
	t.Helper()
	p, err := publish.NewPassphrase([]byte(secret))
	must(t, err)
	return p
}

func TestAGeneratedKeySignsAndVerifies(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	public, err := publish.GenerateKey(dir, "timestamp", newPassphrase(t))
	must(t, err)
	for name, mode := range map[string]os.FileMode{"timestamp.pem": 0o600, "timestamp.pub": 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		must(t, err)
		if runtime.GOOS != "windows" && info.Mode().Perm() != mode {
			t.Errorf("%s has mode %o", name, info.Mode().Perm())
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "timestamp.pub"))
	must(t, err)
	if key, err := tuf.ParsePublicKey(text); err != nil || key.ID != public.ID {
		t.Errorf("the public file holds %v, %v", key.ID, err)
	}
	signer, err := publish.LoadKey(filepath.Join(dir, "timestamp.pem"), newPassphrase(t))
	must(t, err)
	sig, err := signer.Sign([]byte("payload"))
	must(t, err)
	if err := public.Verify([]byte("payload"), sig); err != nil {
		t.Error(err)
	}
	if _, err := publish.GenerateKey(dir, "timestamp", newPassphrase(t)); err == nil {
		t.Error("the key was overwritten")
	}
	must(t, os.Remove(filepath.Join(dir, "timestamp.pem")))
	if _, err := publish.GenerateKey(dir, "timestamp", newPassphrase(t)); err == nil {
		t.Error("a new key would not belong to the public file that is there")
	}
}

func TestEveryKindOfOnlineKeySigns(t *testing.T) {
	ed, err := newEd25519()
	must(t, err)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	for name, key := range map[string]crypto.Signer{"p256": newHolder(t).private, "p384": p384, "ed25519": ed, "rsa": rs} {
		t.Run(name, func(t *testing.T) {
			signer, err := publish.NewSigner(key)
			must(t, err)
			sig, err := signer.Sign([]byte("payload"))
			must(t, err)
			if err := signer.Key().Verify([]byte("payload"), sig); err != nil {
				t.Error(err)
			}
		})
	}
}

func newEd25519() (ed25519.PrivateKey, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	return private, err
}

func TestLoadKeyRefuses(t *testing.T) {
	dir := t.TempDir()
	_, err := publish.GenerateKey(dir, "good", newPassphrase(t))
	must(t, err)
	good, err := os.ReadFile(filepath.Join(dir, "good.pem"))
	must(t, err)
	plain, err := cryptoutils.MarshalPrivateKeyToPEM(newHolder(t).private)
	must(t, err)
	block, _ := pem.Decode(good)
	der, _ := pem.Decode(plain)
	for name, c := range map[string]struct {
		raw  []byte
		mode os.FileMode
		says string
	}{
		"a plaintext key": {plain, 0o600, "not an encrypted key"},
		"a plaintext key that says it is encrypted": {pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: der.Bytes}), 0o600, "open key"},
		"a key that the group can read":             {good, 0o640, "by others"},
		"a key that the world can read":             {good, 0o604, "by others"},
		"a key that the group can write":            {good, 0o620, "by others"},
		"a public key":                              {[]byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), 0o600, "not an encrypted key"},
		"two keys":                                  {append(bytes.Clone(good), good...), 0o600, "not one PEM block"},
		"something else":                            {[]byte("key"), 0o600, "not one PEM block"},
		"nothing":                                   {nil, 0o600, "not one PEM block"},
		"a changed byte":                            {pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: bytes.Replace(block.Bytes, []byte(`"ciphertext":"`), []byte(`"ciphertext":"AA`), 1)}), 0o600, "open key"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.mode != 0o600 && runtime.GOOS == "windows" {
				t.Skip("Windows has no such modes")
			}
			path := filepath.Join(t.TempDir(), "key.pem")
			must(t, os.WriteFile(path, c.raw, 0o600))
			must(t, os.Chmod(path, c.mode))
			if _, err := publish.LoadKey(path, newPassphrase(t)); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error is %v", err)
			}
		})
	}
	wrong, err := publish.NewPassphrase([]byte("wrong horse"))
	must(t, err)
	if _, err := publish.LoadKey(filepath.Join(dir, "good.pem"), wrong); err == nil {
		t.Error("a wrong passphrase opens the key")
	}
	if _, err := publish.LoadKey(filepath.Join(dir, "good.pem"), nil); err == nil {
		t.Error("no passphrase opens the key")
	}
}

func TestReadPassphrase(t *testing.T) {
	for name, c := range map[string]struct {
		raw  string
		mode os.FileMode
		ok   bool
	}{
		"a line":                   {secret + "\n", 0o600, true},
		"a line of Windows":        {secret + "\r\n", 0o600, true},
		"a line without an end":    {secret, 0o400, true},
		"nothing":                  {"", 0o600, false},
		"an empty line":            {"\n", 0o600, false},
		"too short":                {"1234567\n", 0o600, false},
		"two lines":                {secret + "\nmore\n", 0o600, false},
		"too long":                 {strings.Repeat("x", 2000), 0o600, false},
		"a file open to the group": {secret + "\n", 0o640, false},
		"a file open to the world": {secret + "\n", 0o644, false},
	} {
		t.Run(name, func(t *testing.T) {
			if c.mode&0o077 != 0 && runtime.GOOS == "windows" {
				t.Skip("Windows has no such modes")
			}
			path := filepath.Join(t.TempDir(), "passphrase")
			must(t, os.WriteFile(path, []byte(c.raw), 0o600))
			must(t, os.Chmod(path, c.mode))
			if _, err := publish.ReadPassphrase(path); (err == nil) != c.ok {
				t.Errorf("error is %v", err)
			}
		})
	}
	if _, err := publish.ReadPassphrase(t.TempDir()); err == nil {
		t.Error("a folder is a passphrase")
	}
}

func TestAPassphraseCannotBePrinted(t *testing.T) {
	p := newPassphrase(t)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%p"} {
		for _, v := range []any{p, *p, struct{ P any }{p}, []*publish.Passphrase{p}} {
			if got := fmt.Sprintf(verb, v); strings.Contains(got, "horse") || strings.Contains(got, "636f7272656374") || strings.Contains(got, "99 111 114") {
				t.Errorf("%s prints %s", verb, got)
			}
		}
	}
	if raw, err := json.Marshal(p); err == nil {
		t.Errorf("it marshals as %s", raw)
	}
	buffer := []byte(secret)
	_, err := publish.NewPassphrase(buffer)
	must(t, err)
	if bytes.Contains(buffer, []byte("horse")) {
		t.Error("the caller's copy was not wiped")
	}
	p.Wipe()
	if _, err := publish.GenerateKey(t.TempDir(), "x", p); err == nil {
		t.Error("a wiped passphrase protects a key")
	}
}
