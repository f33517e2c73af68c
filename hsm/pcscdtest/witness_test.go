//go:build linux

package pcscdtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"conclave/hsm"
	"conclave/hsm/attest"
	"conclave/hsm/virtual"
)

// tool runs a program that we did not write and returns what it says.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var said, complained bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &complained
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, said.String(), complained.String())
	}
	return said.String() + complained.String()
}

func mustSay(t *testing.T, said string, wanted ...string) {
	t.Helper()
	for _, w := range wanted {
		if !strings.Contains(said, w) {
			t.Errorf("no %q in:\n%s", w, said)
		}
	}
}

// enrolled is a token with Alice's key, closed again so that others can open it.
func enrolled(t *testing.T, firmware string) (*seat, *virtual.Card, hsm.Key) {
	t.Helper()
	s, card := sit(t, 0), newCard(t, firmware)
	s.insert(card)
	token := open(t, s.name())
	key, err := token.Enrol(t.Context(), enrolment(t, "Alice"))
	if err != nil {
		t.Fatal(err)
	}
	if err := token.Close(); err != nil {
		t.Fatal(err)
	}
	return s, card, key
}

func derOf(t *testing.T, text string) []byte {
	t.Helper()
	i := strings.Index(text, "-----BEGIN CERTIFICATE-----")
	if i < 0 {
		t.Fatalf("no certificate in:\n%s", text)
	}
	block, _ := pem.Decode([]byte(text[i:]))
	if block == nil {
		t.Fatalf("no PEM in:\n%s", text)
	}
	return block.Bytes
}

// The manufacturer's own tool, on a token that we enrolled: it finds the holder's
// certificate, takes the PIN, and reads the attestation, which openssl checks.
func TestYubicoPIVToolAgrees(t *testing.T) {
	s, card, key := enrolled(t, "5.4.3")
	piv := func(args ...string) string {
		return tool(t, "yubico-piv-tool", append([]string{"--reader", s.name()}, args...)...)
	}
	mustSay(t, piv("--action", "version"), "5.4.3")
	mustSay(t, piv("--action", "status"), "Slot 9c:", "ECCP256", "CN=Alice", "PIN tries left:\t3")
	mustSay(t, piv("--action", "verify-pin", "--pin", tokenPIN), "Successfully verified PIN")

	leaf := piv("--action", "attest", "--slot", "9c")
	device := piv("--action", "read-certificate", "--slot", "f9")
	want := attest.Expect{Public: key.Public, Slot: hsm.SlotSignature, Serial: card.Serial(), Firmware: "5.4.3"}
	proof, err := attest.Verify(attest.Evidence{Leaf: derOf(t, leaf), Device: derOf(t, device)}, want, attest.WithPractice())
	if err != nil || !proof.Practice {
		t.Fatalf("proof %+v, error %v", proof, err)
	}
	dir := t.TempDir()
	write := func(name string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	mustSay(t, tool(t, "openssl", "verify", "-CAfile", write("root.pem", card.Root().Raw),
		"-untrusted", write("device.pem", derOf(t, device)), write("leaf.pem", derOf(t, leaf))), "leaf.pem: OK")
}

// A PKCS #11 library that knows PIV and nothing of us signs with the key, behind PIN and touch.
func TestPKCS11ToolSigns(t *testing.T) {
	_, card, key := enrolled(t, "5.7.1")
	dir := t.TempDir()
	data, signature := filepath.Join(dir, "data"), filepath.Join(dir, "signature")
	digest := sha256.Sum256([]byte("what another program signs"))
	if err := os.WriteFile(data, digest[:], 0o644); err != nil {
		t.Fatal(err)
	}
	before := card.Counts().Sign
	pkcs11 := func(args ...string) string {
		return tool(t, "pkcs11-tool", append([]string{"--module", opensc(t)}, args...)...)
	}
	mustSay(t, pkcs11("--list-objects", "--type", "pubkey"), "EC_POINT 256 bits")
	pkcs11("--sign", "--mechanism", "ECDSA", "--id", "02", "--login", "--pin", tokenPIN,
		"--input-file", data, "--output-file", signature, "--signature-format", "openssl")
	got, err := os.ReadFile(signature)
	if err != nil {
		t.Fatal(err)
	}
	if !ecdsa.VerifyASN1(key.Public.(*ecdsa.PublicKey), digest[:], got) {
		t.Fatalf("signature %x does not verify", got)
	}
	if n := card.Counts().Sign - before; n != 1 {
		t.Fatalf("the token made %d signatures", n)
	}
}

// opensc finds the library; pkcs11-tool itself has one built in on some systems only.
func opensc(t *testing.T) string {
	t.Helper()
	for _, pattern := range []string{"/usr/lib/*/opensc-pkcs11.so", "/usr/lib/opensc-pkcs11.so", "/usr/lib64/opensc-pkcs11.so"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[0]
		}
	}
	t.Fatal("pkcs11-tool is here, but opensc-pkcs11.so is not (Debian: opensc-pkcs11)")
	return ""
}
