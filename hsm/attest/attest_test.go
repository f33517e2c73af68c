package attest_test

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"conclave/hsm"
	"conclave/hsm/attest"
	"conclave/hsm/virtual"
)

func TestGoodEvidenceProvesEachWord(t *testing.T) {
	s := setScene(t)
	for _, c := range []struct {
		name string
		said words
		want attest.Proof
	}{
		{
			"a YubiKey 5.7", truth(),
			attest.Proof{Serial: serial, Firmware: "5.7.1", FormFactor: "USB-C Keychain"},
		},
		{
			"a FIPS token by its form factor", truth().but(9, []byte{0x81}),
			attest.Proof{Serial: serial, Firmware: "5.7.1", FormFactor: "USB-A Keychain FIPS", FIPS: true},
		},
		{
			"a FIPS token by its mark", truth().but(10, []byte{1}),
			attest.Proof{Serial: serial, Firmware: "5.7.1", FormFactor: "USB-C Keychain", FIPS: true},
		},
		{
			"no form factor", truth().but(9, nil),
			attest.Proof{Serial: serial, Firmware: "5.7.1"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.PINPolicy, c.want.TouchPolicy = hsm.PolicyAlways, hsm.PolicyAlways
			got, err := s.verify(s.evidence("9c", c.said), s.expect())
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, c.want) {
				t.Fatalf("got %+v, want %+v", *got, c.want)
			}
		})
	}
}

func TestOldFirmwareIsWarnedOf(t *testing.T) {
	s := setScene(t)
	want := s.expect()
	want.Firmware = "5.4.3"
	p, err := s.verify(s.evidence("9c", truth().but(3, []byte{5, 4, 3})), want)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "EUCLEAK") {
		t.Fatalf("warnings %q", p.Warnings)
	}
}

// mustRefuse holds that evidence proves nothing, for the given reason.
func mustRefuse(t *testing.T, p *attest.Proof, err error, because string) {
	t.Helper()
	if p != nil || !errors.Is(err, hsm.ErrNotGenuine) {
		t.Fatalf("proof %+v, error %v", p, err)
	}
	if !strings.Contains(err.Error(), because) {
		t.Fatalf("refused because: %v; want: %s", err, because)
	}
	var h interface{ Hint() string }
	if !errors.As(err, &h) || h.Hint() == "" {
		t.Fatalf("no hint beside %v", err)
	}
}

// A program that puts the f9 certificate it was given among its roots lets
// anybody be their own maker: the attacker makes a key pair, certifies
// themselves, and says "YubiKey".
func TestF9AsItsOwnRoot(t *testing.T) {
	s := setScene(t)
	s.device = issue(t, deviceTemplate(), newKey(t), nil)
	p, err := s.verify(s.evidence("9c", truth()), s.expect())
	mustRefuse(t, p, err, "no root of Yubico")
}

// A chain checker is content with any certificate that f9 signed. One
// without extensions says nothing, and nothing reads as zero: serial number 0,
// policies 0.
func TestLeafWithoutExtensions(t *testing.T) {
	s := setScene(t)
	for n, because := range map[int]string{3: "no firmware", 7: "no serial number", 8: "no policies"} {
		p, err := s.verify(s.evidence("9c", truth().but(n, nil)), s.expect())
		mustRefuse(t, p, err, because)
	}
	p, err := s.verify(s.evidence("9c", words{}), s.expect())
	mustRefuse(t, p, err, "no firmware")
}

// The attacker has a genuine token of their own and shows its statement for a
// key that they keep in a file. It is another token's, about another key.
func TestAnotherTokensLeaf(t *testing.T) {
	s := setScene(t)
	other := scene{t: t, maker: s.maker, device: issue(t, deviceTemplate(), newKey(t), &s.maker), key: newKey(t)}
	e := other.evidence("9c", truth().but(7, integer(serial+1)))
	p, err := s.verify(e, s.expect())
	mustRefuse(t, p, err, "another key")

	// Their leaf beside the victim's f9.
	p, err = s.verify(attest.Evidence{Leaf: e.Leaf, Device: s.device.cert.Raw}, s.expect())
	mustRefuse(t, p, err, "f9 did not sign")
}

// The token was swapped after the roll call: the evidence is genuine and about
// the right key, but the serial number in the bundle is another's.
func TestWrongSerial(t *testing.T) {
	s := setScene(t)
	for n, because := range map[int64]string{
		serial + 1: "of token 20114423", 0: "impossible serial", -serial: "impossible serial",
		serial + 1<<32: "impossible serial", // cut to 32 bits it would be right
	} {
		p, err := s.verify(s.evidence("9c", truth().but(7, integer(n))), s.expect())
		mustRefuse(t, p, err, because)
	}
	p, err := s.verify(s.evidence("9c", truth().but(7, append(integer(serial), 0))), s.expect())
	mustRefuse(t, p, err, "impossible serial")
}

// Genuine evidence for the key in 9a, whose PIN is asked once, is shown for a
// key that should be in 9c; or the name is spelled so that two readers see two slots.
func TestAnotherSlotsLeaf(t *testing.T) {
	s := setScene(t)
	for _, slot := range []string{"9a", "9C", "9c ", "009c", "9c\x00", "", "f9", "+9c", "0x9c"} {
		p, err := s.verify(s.evidence(slot, truth()), s.expect())
		mustRefuse(t, p, err, "slot")
	}
	for _, name := range []string{"9c", "Yubikey PIV Attestation 9c", "PIV Attestation 9c"} {
		template := leafTemplate("9c", truth())
		template.Subject.CommonName = name
		leaf := issue(t, template, s.key, &s.device)
		p, err := s.verify(attest.Evidence{Leaf: leaf.cert.Raw, Device: s.device.cert.Raw}, s.expect())
		mustRefuse(t, p, err, "names no slot")
	}
}

// The f9 certificate is signed by the maker and passes for a leaf where only
// the chain is checked. Its key then counts as one that was made in a slot.
func TestF9UsedAsLeaf(t *testing.T) {
	s := setScene(t)
	want := s.expect()
	want.Public = &s.device.key.PublicKey
	p, err := s.verify(attest.Evidence{Leaf: s.device.cert.Raw, Device: s.device.cert.Raw}, want)
	mustRefuse(t, p, err, "own certificate")
	p, err = s.verify(attest.Evidence{Leaf: s.device.cert.Raw, Device: s.maker.cert.Raw}, want)
	mustRefuse(t, p, err, "not a leaf")

	// An f9 that does not say that it is an authority.
	template := deviceTemplate()
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = false, false, false
	s.device = issue(t, template, newKey(t), &s.maker)
	want.Public = &s.device.key.PublicKey
	p, err = s.verify(attest.Evidence{Leaf: s.device.cert.Raw, Device: s.maker.cert.Raw}, want)
	mustRefuse(t, p, err, "no slot")
}

// The owner of a genuine token signs a made-up leaf with the key in 9a of it,
// and shows the genuine attestation of that key for f9.
func TestLeafUsedAsF9(t *testing.T) {
	s := setScene(t)
	nine := issue(t, leafTemplate("9a", truth()), newKey(t), &s.device)
	forged := scene{t: t, maker: s.maker, device: nine, key: s.key}
	p, err := s.verify(forged.evidence("9c", truth()), s.expect())
	mustRefuse(t, p, err, "stands in for")
}

// The key was made on a genuine token, but so that it signs without a touch
// or with one PIN for the whole day: malware on the host signs with it.
func TestWrongPolicies(t *testing.T) {
	s := setScene(t)
	for _, policy := range [][]byte{{1, 2}, {2, 2}, {3, 1}, {3, 3}, {4, 2}, {5, 2}, {0, 0}, {3, 9}, {3}, {3, 2, 1}, {}} {
		p, err := s.verify(s.evidence("9c", truth().but(8, policy)), s.expect())
		mustRefuse(t, p, err, "")
	}
	want := s.expect()
	want.PIN, want.Touch = hsm.PolicyOnce, hsm.PolicyUnknown
	p, err := s.verify(s.evidence("9c", truth().but(8, []byte{2, 1})), want)
	if err != nil || p.PINPolicy != hsm.PolicyOnce || p.TouchPolicy != hsm.PolicyNever {
		t.Fatalf("proof %+v, error %v", p, err)
	}
}

// The metadata lists a key that the attacker holds in a file, beside the
// genuine evidence of a token that never saw it.
func TestKeyThatDiffersFromTheMetadata(t *testing.T) {
	s := setScene(t)
	want := s.expect()
	want.Public = &newKey(t).PublicKey
	p, err := s.verify(s.evidence("9c", truth()), want)
	mustRefuse(t, p, err, "another key")
}

// Nothing to compare with must not mean that everything is right.
func TestNothingExpectedProvesNothing(t *testing.T) {
	s := setScene(t)
	e := s.evidence("9c", truth())
	for _, spoil := range []func(*attest.Expect){
		func(w *attest.Expect) { w.Public = nil },
		func(w *attest.Expect) { w.Serial = 0 },
		func(w *attest.Expect) { w.Slot = 0 },
	} {
		want := s.expect()
		spoil(&want)
		p, err := s.verify(e, want)
		mustRefuse(t, p, err, "nothing to hold")
	}
}

// The leaf names the victim's f9 as its issuer, but another key signed it.
func TestLeafNotSignedByF9(t *testing.T) {
	s := setScene(t)
	forger := scene{t: t, maker: s.maker, key: s.key, device: authority{key: newKey(t), cert: s.device.cert}}
	forger.device.cert = issue(t, deviceTemplate(), forger.device.key, nil).cert
	p, err := s.verify(attest.Evidence{Leaf: forger.leaf("9c", truth()), Device: s.device.cert.Raw}, s.expect())
	mustRefuse(t, p, err, "f9 did not sign")
}

// Firmware decides what a token can be trusted with; a bundle that claims a
// newer one hides EUCLEAK.
func TestFirmwareThatWasPolished(t *testing.T) {
	s := setScene(t)
	p, err := s.verify(s.evidence("9c", truth().but(3, []byte{5, 4, 3})), s.expect())
	mustRefuse(t, p, err, "firmware 5.4.3")
}

func TestExpiredAndForeignMakers(t *testing.T) {
	s := setScene(t)
	past := deviceTemplate()
	past.NotBefore, past.NotAfter = time.Now().AddDate(-2, 0, 0), time.Now().AddDate(-1, 0, 0)
	expired := s
	expired.device = issue(t, past, newKey(t), &s.maker)
	p, err := s.verify(expired.evidence("9c", truth()), s.expect())
	mustRefuse(t, p, err, "clock here says")

	noAuthority := s
	template := deviceTemplate()
	template.IsCA, template.MaxPathLenZero = false, false
	noAuthority.device = issue(t, template, newKey(t), &s.maker)
	p, err = s.verify(noAuthority.evidence("9c", truth()), s.expect())
	mustRefuse(t, p, err, "may not sign")

	e := s.evidence("9c", truth())
	for name, roots := range map[string]attest.Roots{"Yubico alone": attest.Yubico(), "with practice": attest.WithPractice()} {
		t.Run(name, func(t *testing.T) {
			p, err := attest.Verify(e, s.expect(), roots)
			mustRefuse(t, p, err, "no root of Yubico")
		})
	}
}

func TestUnreadableEvidence(t *testing.T) {
	s := setScene(t)
	e := s.evidence("9c", truth())
	for name, e := range map[string]attest.Evidence{
		"none":            {},
		"half of it":      {Leaf: e.Leaf},
		"the other half":  {Device: e.Device},
		"noise":           {Leaf: []byte("no"), Device: e.Device},
		"noise for f9":    {Leaf: e.Leaf, Device: []byte("no")},
		"trailing bytes":  {Leaf: append(append([]byte{}, e.Leaf...), 0), Device: e.Device},
		"far too long":    {Leaf: make([]byte, 1<<20), Device: e.Device},
		"swapped":         {Leaf: e.Device, Device: e.Leaf},
		"one bit flipped": {Leaf: flipped(e.Leaf), Device: e.Device},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := s.verify(e, s.expect())
			mustRefuse(t, p, err, "")
		})
	}
}

func flipped(b []byte) []byte {
	b = append([]byte{}, b...)
	b[len(b)-1] ^= 1
	return b
}

// Two serial numbers in one certificate: readers would differ on which counts.
func TestSaidTwice(t *testing.T) {
	s := setScene(t)
	template := leafTemplate("9c", truth())
	template.ExtraExtensions = append(template.ExtraExtensions, said(7, integer(serial+1)))
	der, err := x509.CreateCertificate(rand.Reader, withSerial(template), s.device.cert, s.public(), s.device.key)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.verify(attest.Evidence{Leaf: der, Device: s.device.cert.Raw}, s.expect())
	mustRefuse(t, p, err, "cannot be read")
}

func withSerial(c *x509.Certificate) *x509.Certificate {
	c.SerialNumber = big.NewInt(7)
	c.NotBefore, c.NotAfter = time.Unix(1500000000, 0), time.Unix(2500000000, 0)
	return c
}

// A practice token in a real ceremony would let a file on a disk pass for a token.
func TestPracticeCountsOnlyWhereItIsAllowed(t *testing.T) {
	root, err := virtual.NewRoot()
	if err != nil {
		t.Fatal(err)
	}
	if root.Certificate().CheckSignatureFrom(practiceRoot(t)) != nil || practiceRoot(t).CheckSignatureFrom(root.Certificate()) != nil {
		t.Fatal("the virtual cards' root is not the one that is built in")
	}
	card, err := virtual.NewCard(virtual.Options{Serial: serial})
	if err != nil {
		t.Fatal(err)
	}
	e, public := virtualEvidence(t, card)
	want := attest.Expect{Public: public, Slot: hsm.SlotSignature, Serial: serial}
	p, err := attest.Verify(e, want, attest.Yubico())
	mustRefuse(t, p, err, "practice token")
	p, err = attest.Verify(e, want, attest.WithPractice())
	if err != nil || !p.Practice || p.Firmware != "5.7.1" || p.FormFactor != "USB-C Keychain" {
		t.Fatalf("proof %+v, error %v", p, err)
	}
}

func practiceRoot(t *testing.T) *x509.Certificate {
	t.Helper()
	b, err := os.ReadFile("practice.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// Somebody calls their own root what the practice root is called.
func TestPracticeByNameOnly(t *testing.T) {
	stranger, err := virtual.NewStranger("PRACTICE PIV attestation root - proves nothing")
	if err != nil {
		t.Fatal(err)
	}
	card, err := virtual.NewCard(virtual.Options{Serial: serial, Root: stranger})
	if err != nil {
		t.Fatal(err)
	}
	e, public := virtualEvidence(t, card)
	p, err := attest.Verify(e, attest.Expect{Public: public, Slot: hsm.SlotSignature, Serial: serial}, attest.WithPractice())
	mustRefuse(t, p, err, "practice token")
}

// go-piv's own tests hold certificates of two real tokens. They are read
// where the module lies, to check our reading of the real thing.
func TestRealTokens(t *testing.T) {
	devices, leaves := realCertificates(t)
	leaf, err := x509.ParseCertificate(leaves[0])
	if err != nil {
		t.Fatal(err)
	}
	want := attest.Expect{Public: leaf.PublicKey, Slot: 0x9a, Serial: 15732500, PIN: hsm.PolicyOnce, Touch: hsm.PolicyNever}
	p, err := attest.Verify(attest.Evidence{Leaf: leaves[0], Device: devices[0]}, want, attest.Yubico())
	if err != nil {
		t.Fatal(err)
	}
	if p.Firmware != "5.4.3" || p.FormFactor != "USB-C Nano" || p.FIPS || p.Practice || len(p.Warnings) != 1 {
		t.Fatalf("proof %+v", p)
	}

	// The same statement, where a ceremony key is expected.
	want.PIN, want.Touch = "", ""
	p, err = attest.Verify(attest.Evidence{Leaf: leaves[0], Device: devices[0]}, want, attest.Yubico())
	mustRefuse(t, p, err, "its PIN once")

	// A YubiKey 4 does not say which one it is.
	p, err = attest.Verify(attest.Evidence{Leaf: leaves[1], Device: devices[1]}, want, attest.Yubico())
	mustRefuse(t, p, err, "no serial number")

	// One token's leaf beside the other's f9.
	p, err = attest.Verify(attest.Evidence{Leaf: leaves[0], Device: devices[1]}, want, attest.Yubico())
	mustRefuse(t, p, err, "f9 did not sign")
}

func realCertificates(t *testing.T) (devices, leaves [][]byte) {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/go-piv/piv-go/v2").Output()
	if err != nil {
		t.Skip("no go command to find go-piv's tests with")
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "piv", "key_test.go"))
	if err != nil {
		t.Skipf("go-piv's tests are not here: %v", err)
	}
	find := func(field string) [][]byte {
		var found [][]byte
		for _, m := range regexp.MustCompile(field+`:\s*("-----BEGIN[^"]*")`).FindAllSubmatch(source, 2) {
			text, err := strconv.Unquote(string(m[1]))
			if err != nil {
				t.Fatal(err)
			}
			block, _ := pem.Decode([]byte(text))
			if block == nil {
				t.Fatalf("no certificate in %q", text)
			}
			found = append(found, block.Bytes)
		}
		if len(found) < 2 {
			t.Fatalf("%d certificates called %s", len(found), field)
		}
		return found
	}
	return find("deviceCert"), find("keyCert")
}
