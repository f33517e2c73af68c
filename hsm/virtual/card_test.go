package virtual

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

func TestPINPolicies(t *testing.T) {
	t.Run("never", func(t *testing.T) {
		p := play(t, "5.7.1")
		p.mustSign(0x9c, p.generate(0x9c, policyNever, policyNever))
	})
	t.Run("once", func(t *testing.T) {
		p := play(t, "5.7.1")
		public := p.generate(0x9c, pinOnce, policyNever)
		p.mustRefuse(0x9c)
		p.ok(rightPIN)
		p.mustSign(0x9c, public)
		p.mustSign(0x9c, public)
		p.ok("0020ff80") // log out
		p.mustRefuse(0x9c)
	})
	t.Run("always means at once before", func(t *testing.T) {
		p := play(t, "5.7.1")
		public := p.generate(0x9c, pinAlways, policyNever)
		p.mustRefuse(0x9c)
		p.ok(rightPIN)
		p.mustSign(0x9c, public)
		p.mustRefuse(0x9c)
		p.ok(rightPIN)
		p.ok("00fd000000") // any command in between
		p.mustRefuse(0x9c)
	})
	t.Run("another applet forgets the PIN", func(t *testing.T) {
		p := play(t, "5.7.1")
		p.generate(0x9c, pinOnce, policyNever)
		p.ok(rightPIN)
		p.ok("00a4040008a000000527471117")
		p.ok("00a4040005a000000308")
		p.mustRefuse(0x9c)
	})
}

// A wrong PIN, the right one, three wrong ones, the right one too late, and the PUK: a card counts as
// a YubiKey does, and asking for the count costs nothing.
func TestPINTries(t *testing.T) {
	p := play(t, "5.4.3")
	public := p.generate(0x9c, pinAlways, policyNever)
	p.want(0x63c3, "00200080")
	p.want(0x63c2, wrongPIN)
	p.mustRefuse(0x9c)
	p.ok(rightPIN)
	p.mustSign(0x9c, public)
	p.want(0x63c2, wrongPIN)
	p.want(0x63c1, wrongPIN)
	p.want(statusBlocked, wrongPIN)
	p.want(statusBlocked, rightPIN)
	p.want(statusBlocked, "00200080")
	p.mustRefuse(0x9c)
	p.want(0x63c2, "002c008010"+anyPUK+"3232323232323232")
	p.ok("002c008010 3132333435363738 3232323232323232")
	p.ok("0020008008 3232323232323232")
	p.mustSign(0x9c, public)
	if c := p.card.Counts(); c.Verify != 7 || c.Sign != 2 || c.Generate != 1 {
		t.Fatalf("counts %+v", c)
	}
}

func TestResetNeedsBothBlocked(t *testing.T) {
	p := play(t, "5.7.1")
	p.generate(0x9c, pinAlways, policyNever)
	p.want(statusConditions, "00fb0000")
	for range factoryTries {
		_, _ = p.send(wrongPIN)
	}
	p.want(statusConditions, "00fb0000")
	for range factoryTries {
		_, _ = p.send("0024008110" + anyPUK + anyPUK)
	}
	p.ok("00fb0000")
	p.ok(rightPIN)
	p.want(statusBadParameter, "0087119c 04 7c028100") // no key
	if p.card.keys[refAttestation] == nil {
		t.Fatal("the manufacturer's key went with the reset")
	}
}

// An attacker without the management key asks the card for a challenge,
// which comes in the clear, and hands it back as the answer to a witness; or
// asks for a witness, which comes sealed, and hands that back as the answer
// to a challenge. A card that keeps one number for both lets him in.
func TestChallengeAndWitnessAreNotMixedUp(t *testing.T) {
	p := play(t, "5.7.1")
	c, st := p.sendRaw(command1(insGeneralAuthenticate, algAES192, refManagement, []byte{0x7c, 2, 0x81, 0}))
	if st != statusOK {
		t.Fatalf("%04x", st)
	}
	body := tlv(tagDynamic, append(tlv(tagWitness, c[4:]), tlv(tagChallenge, make([]byte, 16))...))
	if _, st = p.sendRaw(command1(insGeneralAuthenticate, algAES192, refManagement, body)); st != statusNotAllowed {
		t.Errorf("a challenge served as witness: %04x", st)
	}
	w, st := p.sendRaw(command1(insGeneralAuthenticate, algAES192, refManagement, []byte{0x7c, 2, 0x80, 0}))
	if st != statusOK {
		t.Fatalf("%04x", st)
	}
	body = tlv(tagDynamic, tlv(tagResponse, w[4:]))
	if _, st = p.sendRaw(command1(insGeneralAuthenticate, algAES192, refManagement, body)); st != statusNotAllowed {
		t.Errorf("a witness served as response: %04x", st)
	}
	p.want(statusNotAllowed, "0047009c 05 ac03800111")
}

func TestSingleAuthentication(t *testing.T) {
	p := play(t, "5.2.7")
	block, err := p.card.management.block()
	if err != nil {
		t.Fatal(err)
	}
	c := p.ok("0087039b 04 7c028100")
	body := tlv(tagDynamic, tlv(tagResponse, encrypt(block, c[4:])))
	if _, st := p.sendRaw(command1(insGeneralAuthenticate, alg3DES, refManagement, body)); st != statusOK {
		t.Fatalf("%04x", st)
	}
	p.ok("0047009c 05 ac03800111")
}

func TestNothingChangesWithoutTheManagementKey(t *testing.T) {
	p := play(t, "5.7.1")
	p.ok(rightPIN)
	for _, apdu := range []string{
		"0047009c 05 ac03800111",         // generate
		"00db3fff 08 5c035fc10a530101",   // put data
		"00ffffff 03 039b00",             // set management key
		"00fe119c 03 060101",             // import
		"00fa0505",                       // set retries
		"00db3fff 09 5c035fff0153020102", // replace the attestation certificate
	} {
		p.want(statusNotAllowed, apdu)
	}
}

func TestPersonalities(t *testing.T) {
	for _, c := range []struct {
		firmware                string
		serial, metadata, ed    status
		managementKey           byte
		formFactorInAttestation bool
		formFactorInReadConfig  bool
	}{
		{"4.3.5", statusNoInstruction, statusNoInstruction, statusBadData, alg3DES, false, false},
		{"5.2.7", statusOK, statusNoInstruction, statusBadData, alg3DES, true, true},
		{"5.4.3", statusOK, statusOK, statusBadData, alg3DES, true, true},
		{"5.7.1", statusOK, statusOK, statusOK, algAES192, true, true},
	} {
		t.Run(c.firmware, func(t *testing.T) {
			p := play(t, c.firmware)
			p.want(c.serial, "00f8000000")
			p.want(c.metadata, "00f7009b00")
			if p.card.management.Algorithm != c.managementKey {
				t.Errorf("management key algorithm %02x", p.card.management.Algorithm)
			}
			p.manage()
			p.want(c.ed, "00470082 05 ac038001e0")
			p.generate(0x9c, pinAlways, touchAlways)
			if got := p.attestation(0x9c, extFormFactor) != nil; got != c.formFactorInAttestation {
				t.Errorf("form factor attested: %v", got)
			}
			if got := p.attestation(0x9c, extFirmware); got == nil || !bytes.Equal(got, p.card.firmware[:]) {
				t.Errorf("firmware attested: %x", got)
			}
			p.ok("00a4040008a000000527471117")
			if got := bytes.Contains(p.ok("001d000000"), []byte{0x04, 0x01, formFactorUSBC}); got != c.formFactorInReadConfig {
				t.Errorf("form factor told: %v", got)
			}
			p.ok("00a4040008a000000527200101")
			if got := p.ok("0001100000"); !bytes.Equal(got, []byte{0x00, 0xbc, 0x61, 0x4e}) {
				t.Errorf("serial %x", got)
			}
		})
	}
	if _, err := NewCard(Options{Firmware: "6.0.0"}); err == nil {
		t.Error("played a firmware that nobody knows")
	}
}

// attestation attests a slot, checks the chain, and returns an extension.
func (p player) attestation(slot byte, ext int) []byte {
	p.t.Helper()
	der := p.long(append(command1(insAttest, slot, 0, nil)[:4], 0))
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		p.t.Fatal(err)
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(p.card.Root())
	between.AddCert(p.card.device)
	usage := []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: usage}); err != nil {
		p.t.Fatal(err)
	}
	for _, e := range leaf.Extensions {
		if e.Id.Equal(yubico(ext)) {
			return e.Value
		}
	}
	return nil
}

// long sends one command and gathers an answer in pieces.
func (p player) long(raw []byte) []byte {
	p.t.Helper()
	b, st := p.sendRaw(raw)
	for st&0xff00 == statusMore {
		var more []byte
		more, st = p.send("00c0000000")
		b = append(b, more...)
	}
	if st != statusOK {
		p.t.Fatalf("%x: status %04x", raw, st)
	}
	return b
}

// f9 signs attestations only: whoever could have it sign at will could attest
// any key.
func TestTheAttestationKeySignsNothingElse(t *testing.T) {
	p := play(t, "5.7.1")
	if b, st := p.sign(refAttestation); st != statusBadParameter || b != nil {
		t.Fatalf("signature %x, status %04x", b, st)
	}
	p.ok(rightPIN)
	if b, st := p.sign(refAttestation); st != statusBadParameter || b != nil {
		t.Fatalf("signature %x, status %04x", b, st)
	}
}

func TestTheRootSaysPractice(t *testing.T) {
	p := play(t, "5.7.1")
	for _, cert := range []*x509.Certificate{p.card.Root(), p.card.device} {
		if !strings.Contains(cert.Subject.CommonName, "PRACTICE") {
			t.Errorf("subject %q", cert.Subject)
		}
	}
}

func TestImportedKeysAreNotAttested(t *testing.T) {
	p := play(t, "5.7.1")
	p.manage()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if _, st := p.sendRaw(command1(insImport, algP256, 0x9c, tlv(tagECPrivate, raw))); st != statusOK {
		t.Fatalf("import: %04x", st)
	}
	p.want(statusBadData, "00f99c0000")
	p.ok(rightPIN)
	p.mustSign(0x9c, &key.PublicKey)
	if m := p.ok("00f7009c00"); !bytes.Contains(m, []byte{metaOrigin, 1, originImported}) {
		t.Fatalf("metadata %x", m)
	}
}

func TestObjects(t *testing.T) {
	p := play(t, "5.7.1")
	p.manage()
	big := bytes.Repeat([]byte{7}, maxObject)
	body := append([]byte{0x5c, 3, 0x5f, 0xc1, 0x0a}, tlv(tagObject, big)...)
	for len(body) > 255 {
		if _, st := p.sendRaw(append([]byte{claChained, insPutData, 0x3f, 0xff, 255}, body[:255]...)); st != statusOK {
			t.Fatalf("chain: %04x", st)
		}
		body = body[255:]
	}
	if _, st := p.sendRaw(command1(insPutData, 0x3f, 0xff, body)); st != statusOK {
		t.Fatalf("put: %04x", st)
	}
	got := p.long(command1(insGetData, 0x3f, 0xff, []byte{0x5c, 3, 0x5f, 0xc1, 0x0a}))
	if !bytes.Equal(got, tlv(tagObject, big)) {
		t.Fatalf("got %d bytes back", len(got))
	}
	p.ok("00db3fff 07 5c035fc10a5300") // delete
	p.want(statusNoFile, "00cb3fff 05 5c035fc10a")
	p.ok("00db3fff 08 5c035fc109530155")
	p.want(statusNotAllowed, "00cb3fff 05 5c035fc109") // printed information is for the PIN
	p.ok(rightPIN)
	p.ok("00cb3fff 05 5c035fc109")
}

func TestTouch(t *testing.T) {
	p := play(t, "5.7.1")
	public := p.generate(0x9c, policyNever, touchAlways)
	t.Run("comes", func(t *testing.T) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			p.mustSign(0x9c, public)
		}()
		<-p.card.Waiting()
		if !p.card.AwaitingTouch() || p.card.Counts().Sign != 0 {
			t.Error("not waiting, or signed already")
		}
		p.card.Touch()
		<-done
		if p.card.AwaitingTouch() {
			t.Error("still waiting")
		}
	})
	t.Run("does not come", func(t *testing.T) {
		p.card.TouchTimeout(time.Nanosecond)
		p.mustRefuse(0x9c)
		select {
		case <-p.card.Waiting():
			t.Error("the signal outlived the wait")
		default:
		}
	})
	t.Run("before it is asked for does not count", func(t *testing.T) {
		p.card.Touch()
		p.mustRefuse(0x9c)
	})
	t.Run("by itself", func(t *testing.T) {
		p.card.AutoTouch(true)
		p.mustSign(0x9c, public)
	})
	t.Run("is remembered where the policy says so", func(t *testing.T) {
		p.card.AutoTouch(true)
		cached := p.generate(0x82, policyNever, touchCached)
		p.mustSign(0x82, cached)
		p.card.AutoTouch(false)
		p.mustSign(0x82, cached)
		p.mustRefuse(0x9c)
	})
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		fault  Fault
		signed int
		silent bool
	}{
		{"pulled before signing", RemoveBeforeSigning, 0, true},
		{"pulled awaiting touch", RemoveAwaitingTouch, 0, true},
		{"pulled after signing", RemoveAfterSigning, 1, true},
		{"answer lost", ErrorAfterSigning, 1, true},
		{"garbled", GarbledSignature, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := play(t, "5.7.1")
			p.card.AutoTouch(true)
			public := p.generate(0x9c, policyNever, touchAlways)
			p.card.FailNext(c.fault)
			body := tlv(tagDynamic, append(tlv(tagResponse, nil), tlv(tagChallenge, digest)...))
			b := p.card.Process(command1(insGeneralAuthenticate, algP256, 0x9c, body))
			if silent := b == nil; silent != c.silent {
				t.Fatalf("answer %x", b)
			}
			if n := p.card.Counts().Sign; n != c.signed {
				t.Fatalf("signed %d times", n)
			}
			if !c.silent && ecdsa.VerifyASN1(public, digest, b[4:len(b)-2]) {
				t.Fatal("the garbled signature verifies")
			}
			p.ok("00a4040005a000000308")
			p.mustSign(0x9c, public) // a fault is for once
		})
	}
}

func TestCommandForms(t *testing.T) {
	for _, c := range []struct {
		name, apdu string
		ok         bool
		data       int
		expected   int
	}{
		{"header alone", "00f80000", true, 0, 256},
		{"short answer length", "00f8000004", true, 0, 4},
		{"short data", "0020008002aabb", true, 2, 256},
		{"short data and answer length", "0020008002aabb05", true, 2, 5},
		{"extended answer length", "00f80000000100", true, 0, 256},
		{"extended answer length of zero", "00f80000000000", true, 0, 65536},
		{"extended data", "00200080000002aabb", true, 2, 65536},
		{"extended data and answer length", "00200080000002aabb0100", true, 2, 256},
		{"too short for a header", "00f800", false, 0, 0},
		{"short data cut", "0020008003aabb", false, 0, 0},
		{"short data with a tail", "0020008001aabbcc", false, 0, 0},
		{"extended data cut", "00200080000003aabb", false, 0, 0},
		{"extended length cut", "00f8000000010203", false, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw, err := hex.DecodeString(c.apdu)
			if err != nil {
				t.Fatal(err)
			}
			cmd, ok := parseCommand(raw)
			if ok != c.ok || ok && (len(cmd.data) != c.data || cmd.expected != c.expected) {
				t.Fatalf("%v, %+v", ok, cmd)
			}
		})
	}
}

func TestChainsAreBounded(t *testing.T) {
	p := play(t, "5.7.1")
	piece := append([]byte{claChained, insPutData, 0x3f, 0xff, 255}, make([]byte, 255)...)
	for range maxChained / 255 {
		if _, st := p.sendRaw(piece); st != statusOK {
			t.Fatalf("%04x", st)
		}
	}
	if _, st := p.sendRaw(piece); st != statusWrongLength {
		t.Fatalf("%04x", st)
	}
}

func TestTemplatesRefuseTwins(t *testing.T) {
	for name, b := range map[string][]byte{
		"a tag twice":        {0x80, 1, 1, 0x80, 1, 2},
		"a value cut short":  {0x80, 2, 1},
		"a length cut short": {0x80, 0x82, 1},
		"an endless length":  {0x80, 0x80, 0, 0},
	} {
		if got, err := parseTemplate(b); err == nil {
			t.Errorf("%s: read as %v", name, got)
		}
	}
}
