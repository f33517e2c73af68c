//go:build !offline

package publish_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer/publish"
	"conclave/transfer/publish/softhsmtest"
)

func TestPassphrasesComeFromFilesCredentialsAndVariables(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "online"), []byte("from a file of ours\n"), 0o400))
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	t.Setenv("CONCLAVE_TEST_PASSPHRASE", "from the environment\n")
	for _, source := range []string{filepath.Join(dir, "online"), "credential:online", "env:CONCLAVE_TEST_PASSPHRASE"} {
		p, err := publish.OpenPassphrase(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		key := filepath.Join(t.TempDir(), "online.pem")
		if _, err := publish.MakeKey(context.Background(), key, p); err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
	if _, ok := os.LookupEnv("CONCLAVE_TEST_PASSPHRASE"); ok {
		t.Error("the variable is still there for others to inherit")
	}
	t.Setenv("SHORT", "short")
	for _, source := range []string{"", "credential:", "credential:../online", "credential:absent", "env:", "env:A=B", "env:CONCLAVE_ABSENT", "env:SHORT", dir} {
		if _, err := publish.OpenPassphrase(source); err == nil {
			t.Errorf("%q gives a passphrase", source)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if _, err := publish.OpenPassphrase("credential:online"); err == nil {
		t.Error("a credential was found without a folder of credentials")
	}
}

// The library for key services runs sigstore-kms-SCHEME from PATH for a scheme that it does not know. A
// reference from a configuration that somebody has changed must not run a program.
func TestNoProgramIsRunForAnUnknownService(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell script")
	}
	dir := t.TempDir()
	mark := filepath.Join(dir, "was-run")
	for _, name := range []string{"sigstore-kms-evil", "sigstore-kms-awskms", "az", "azd", "pwsh"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho $0 >> "+mark+"\nexit 1\n"), 0o755))
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("AZURE_TOKEN_CREDENTIALS", "")
	t.Setenv("HOME", dir)
	for _, name := range []string{"VAULT_TOKEN", "BAO_TOKEN", "VAULT_ADDR", "BAO_ADDR"} {
		t.Setenv(name, "")
	}
	must(t, os.WriteFile(filepath.Join(dir, ".vault"), []byte(`token_helper = "`+filepath.Join(dir, "az")+`"`), 0o600))
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, ref := range []string{"evil://key", "AWSKMS://key", "awskms:key", "openbao://key", "evil:key", "hashivault://key", "azurekms://127.0.0.1:1/key"} {
		if _, err := publish.OpenKey(ctx, ref, nil); err == nil {
			t.Errorf("%s was opened", ref)
		}
		if _, err := publish.MakeKey(ctx, ref, nil); err == nil {
			t.Errorf("%s was made", ref)
		}
	}
	if raw, err := os.ReadFile(mark); err == nil {
		t.Errorf("programs were run: %s", raw)
	}
}

func TestReferencesInOldFormsAreRefusedAtOnce(t *testing.T) {
	t.Setenv("VAULT_TOKEN", "token")
	for _, ref := range []string{
		"awskms://", "awskms:///key-without-a-kind", "gcpkms://projects/p/keys/k", "gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys",
		"azurekms://vault", "hashivault://", "hashivault://a/b",
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		_, err := publish.OpenKey(ctx, ref, nil)
		cancel()
		if err == nil || !strings.Contains(err.Error(), "format") {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

// A transit is the part of Vault's interface that signs, so that sigstore's client can be
// tried from the reference to the signature.
type transit struct {
	private *ecdsa.PrivateKey
	broken  bool // signs something else
}

func (v *transit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := func(data map[string]any) { _ = json.NewEncoder(w).Encode(map[string]any{"data": data}) }
	switch {
	case r.Header.Get("X-Vault-Token") != "token":
		w.WriteHeader(http.StatusForbidden)
	case r.URL.Path == "/v1/transit/keys/online":
		der, _ := x509.MarshalPKIXPublicKey(v.private.Public())
		public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		answer(map[string]any{"latest_version": 1, "keys": map[string]any{"1": map[string]any{"name": "P-256", "public_key": public}}})
	case strings.HasPrefix(r.URL.Path, "/v1/transit/sign/online"):
		var in struct{ Input string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		digest, _ := base64.StdEncoding.DecodeString(in.Input)
		if v.broken {
			digest[0] ^= 1
		}
		sig, _ := ecdsa.SignASN1(rand.Reader, v.private, digest)
		answer(map[string]any{"signature": "vault:v1:" + base64.StdEncoding.EncodeToString(sig)})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func TestAKeyInAServiceSignsARefresh(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	v := &transit{private: private}
	s := httptest.NewServer(v)
	defer s.Close()
	t.Setenv("VAULT_ADDR", s.URL)
	t.Setenv("VAULT_TOKEN", "token")
	key, err := publish.OpenKey(context.Background(), "hashivault://online", nil)
	must(t, err)
	must(t, key.Test())
	w := newWorld(t)
	w.pub.Timestamp, w.online[tuf.Timestamp] = key, key.Key()
	w.genesis()
	_, err = w.pub.Refresh(context.Background())
	must(t, err)
	v.broken = true
	if err := key.Test(); err == nil {
		t.Error("a service that signs something else passes the test")
	}
	before := list(t, w.folder.Dir())
	if _, err := w.pub.Refresh(context.Background()); err == nil {
		t.Error("a wrong signature was published")
	}
	if after := list(t, w.folder.Dir()); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Error("the store was touched")
	}
	if _, err := publish.OpenKey(context.Background(), "hashivault://absent", nil); err == nil {
		t.Error("a key that does not exist was opened")
	}
	if _, err := publish.MakeKey(context.Background(), "hashivault://online", nil); err == nil {
		t.Error("a key was made over another one")
	}
}

// softHSM returns URIs of keys on a token, by the name of the key. There is one token for all tests: the module looks for tokens
// when it is loaded, and never again.
func softHSM(t *testing.T) (uri func(object string) string) {
	t.Helper()
	if token == nil {
		dir, err := os.MkdirTemp("", "conclave-softhsm-")
		must(t, err)
		atEnd = append(atEnd, func() { _ = os.RemoveAll(dir) })
		token, err = softhsmtest.New(dir, "practice", "1234")
		if errors.Is(err, softhsmtest.ErrMissing) && os.Getenv("CI") != "true" {
			t.Skip(err)
		}
		must(t, err)
		must(t, os.Setenv("SOFTHSM2_CONF", token.Conf))
	}
	pin := filepath.Join(t.TempDir(), "pin")
	must(t, os.WriteFile(pin, []byte("1234\n"), 0o600))
	return func(object string) string {
		return "pkcs11:token=practice;object=" + t.Name() + "-" + object + "?module-path=" + token.Module + "&pin-source=file:" + pin
	}
}

var token *softhsmtest.Token // written by tests that do not run in parallel

func TestAKeyOnATokenSignsARefresh(t *testing.T) {
	uri := softHSM(t)
	ctx := context.Background()
	made, err := publish.MakeKey(ctx, uri("online"), nil)
	must(t, err)
	if _, err := publish.MakeKey(ctx, uri("online"), nil); err == nil {
		t.Error("a key was made over another one")
	}
	key, err := publish.OpenKey(ctx, uri("online"), nil)
	must(t, err)
	if key.Key().ID != made.ID {
		t.Errorf("key %s was made, %s is opened", made.ID, key.Key().ID)
	}
	_, err = publish.MakeKey(ctx, uri("second"), nil)
	must(t, err)
	second, err := publish.OpenKey(ctx, uri("second"), nil)
	must(t, err)
	w := newWorld(t)
	w.pub.Snapshot, w.online[tuf.Snapshot] = key, key.Key()
	w.pub.Timestamp, w.online[tuf.Timestamp] = second, second.Key()
	w.genesis()
	_, err = w.pub.Refresh(ctx)
	must(t, err)
}

func TestInitTakesKeysOnAToken(t *testing.T) {
	uri := softHSM(t)
	ctx := context.Background()
	_, err := publish.MakeKey(ctx, uri("online"), nil)
	must(t, err)
	dir := filepath.Join(t.TempDir(), "online")
	made, err := publish.Init(ctx, publish.InitOptions{Dir: dir, Store: "file:store", SnapshotKey: uri("online"), TimestampKey: uri("online")})
	must(t, err)
	c, err := publish.LoadConfig(made.Config)
	must(t, err)
	p, err := c.Publisher()
	must(t, err)
	if p.Timestamp.Key().ID != made.Timestamp.ID {
		t.Error("another key is opened")
	}
	public, err := os.ReadFile(filepath.Join(dir, "timestamp.pub"))
	must(t, err)
	if key, err := tuf.ParsePublicKey(public); err != nil || key.ID != made.Timestamp.ID {
		t.Errorf("the plan reads key %s, %v", key.ID, err)
	}
}

func TestTokensRefuseClearly(t *testing.T) {
	uri := softHSM(t)
	_, err := publish.MakeKey(context.Background(), uri("online"), nil)
	must(t, err)
	good := uri("online")
	for name, ref := range map[string]string{
		"no such key":        uri("other"),
		"no such token":      strings.Replace(good, "token=", "token=no-", 1),
		"no such module":     strings.Replace(good, "libsofthsm2.so", "libsofthsm3.so", 1),
		"a module by name":   strings.Replace(good, "module-path=/", "module-path=", 1),
		"a PIN in the URI":   strings.Replace(good, "pin-source=", "pin-value=1234&pin-source=", 1),
		"a PIN without name": strings.Replace(good, "pin-source=", "1234&pin-source=", 1),
		"no PIN":             good[:strings.Index(good, "&pin-source")],
		"a program for PINs": strings.Replace(good, "pin-source=file:", "pin-source=|", 1),
		"a file of no name":  good[:strings.Index(good, "file:")] + "file:",
		"a file of two ways": strings.Replace(good, "pin-source=file:", "pin-source=file:file:", 1),
		"an unknown part":    strings.Replace(good, ";object", ";manufacturer=x;object", 1),
		"a part twice":       strings.Replace(good, ";object", ";token=x;object", 1),
	} {
		_, err := publish.OpenKey(context.Background(), ref, nil)
		if err == nil {
			t.Errorf("%s: it was opened", name)
		} else if strings.Contains(err.Error(), "1234") {
			t.Errorf("%s: the PIN is in the error: %v", name, err)
		}
	}
}

func FuzzTokenURI(f *testing.F) {
	for _, seed := range []string{
		"pkcs11:token=a;object=b?module-path=/m&pin-source=file:/p", "pkcs11:serial=1;id=%01%02?module-path=/m&pin-source=env:PIN", "pkcs11:?pin-value=1234", "pkcs11:?pin-value=11:?", "pkcs11:token=a?4711",
		"pkcs11:token=a;object=b?module-path=/m&pin-source=file:", "pkcs11:token=a;object=b?module-path=/m&pin-source=file:file:/p",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		text, err := publish.ParseTokenURI(raw)
		if err != nil {
			// What is said of a URI with a PIN is the same whatever the PIN.
			if before, _, ok := strings.Cut(raw, "?pin-value="); ok {
				if _, other := publish.ParseTokenURI(before + "?pin-value=0"); other == nil || other.Error() != err.Error() {
					t.Errorf("%v says something of the PIN: of another it says %v", err, other)
				}
			}
			return
		}
		if again, err := publish.ParseTokenURI(text); err != nil || again != text {
			t.Errorf("%q is written as %q and read as %q, %v", raw, text, again, err)
		}
	})
}
