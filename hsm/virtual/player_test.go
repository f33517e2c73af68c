package virtual

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/hex"
	"strings"
	"testing"
)

// A player sends APDUs to a card as a host would.
type player struct {
	t    testing.TB
	card *Card
}

func play(t testing.TB, firmware string) player {
	t.Helper()
	card, err := NewCard(Options{Serial: 12345678, Firmware: firmware, Root: testRoot(t)})
	if err != nil {
		t.Fatal(err)
	}
	p := player{t: t, card: card}
	p.ok("00a4040005a000000308")
	return p
}

var sharedRoot *Root

func testRoot(t testing.TB) *Root {
	t.Helper()
	if sharedRoot == nil {
		var err error
		if sharedRoot, err = NewRoot(); err != nil {
			t.Fatal(err)
		}
	}
	return sharedRoot
}

// send sends hex digits; spaces are for the reader.
func (p player) send(apdu string) ([]byte, status) {
	p.t.Helper()
	raw, err := hex.DecodeString(strings.ReplaceAll(apdu, " ", ""))
	if err != nil {
		p.t.Fatal(err)
	}
	return p.sendRaw(raw)
}

func (p player) sendRaw(raw []byte) ([]byte, status) {
	p.t.Helper()
	b := p.card.Process(raw)
	if len(b) < 2 {
		p.t.Fatalf("answer of %d bytes to %x", len(b), raw)
	}
	n := len(b) - 2
	return b[:n], status(b[n])<<8 | status(b[n+1])
}

func (p player) ok(apdu string) []byte {
	p.t.Helper()
	b, st := p.send(apdu)
	if st != statusOK {
		p.t.Fatalf("%s: status %04x", apdu, st)
	}
	return b
}

func (p player) want(st status, apdu string) {
	p.t.Helper()
	if _, got := p.send(apdu); got != st {
		p.t.Fatalf("%s: status %04x, want %04x", apdu, got, st)
	}
}

func command1(ins, p1, p2 byte, data []byte) []byte {
	return append([]byte{0, ins, p1, p2, byte(len(data))}, data...)
}

// manage proves the factory management key.
func (p player) manage() {
	p.t.Helper()
	m := p.card.management
	block, err := m.block()
	if err != nil {
		p.t.Fatal(err)
	}
	n := block.BlockSize()
	ask, st := p.sendRaw(command1(insGeneralAuthenticate, m.Algorithm, refManagement, []byte{0x7c, 2, 0x80, 0}))
	if st != statusOK {
		p.t.Fatalf("ask for a witness: %04x", st)
	}
	witness, challenge := make([]byte, n), make([]byte, n)
	block.Decrypt(witness, ask[4:])
	body := tlv(tagDynamic, append(tlv(tagWitness, witness), tlv(tagChallenge, challenge)...))
	if _, st = p.sendRaw(command1(insGeneralAuthenticate, m.Algorithm, refManagement, body)); st != statusOK {
		p.t.Fatalf("answer the witness: %04x", st)
	}
}

// generate makes a P-256 key with the given policies.
func (p player) generate(slot, pin, touch byte) *ecdsa.PublicKey {
	p.t.Helper()
	p.manage()
	b, st := p.sendRaw(command1(insGenerate, 0, slot, []byte{0xac, 9, 0x80, 1, algP256, 0xaa, 1, pin, 0xab, 1, touch}))
	if st != statusOK {
		p.t.Fatalf("generate: %04x", st)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), b[5:])
	if err != nil {
		p.t.Fatal(err)
	}
	return public
}

const (
	rightPIN = "0020008008 313233343536ffff"
	wrongPIN = "0020008008 393939393939ffff"
	anyPUK   = "3131313131313131"
)

var digest = bytes.Repeat([]byte{0x5a}, 32)

func (p player) sign(slot byte) ([]byte, status) {
	p.t.Helper()
	body := tlv(tagDynamic, append(tlv(tagResponse, nil), tlv(tagChallenge, digest)...))
	b, st := p.sendRaw(command1(insGeneralAuthenticate, algP256, slot, body))
	if st != statusOK {
		return nil, st
	}
	return b[4:], st
}

func (p player) mustSign(slot byte, public *ecdsa.PublicKey) {
	p.t.Helper()
	b, st := p.sign(slot)
	if st != statusOK || !ecdsa.VerifyASN1(public, digest, b) {
		p.t.Fatalf("signature %x, status %04x", b, st)
	}
}

func (p player) mustRefuse(slot byte) {
	p.t.Helper()
	if b, st := p.sign(slot); st != statusNotAllowed || b != nil {
		p.t.Fatalf("signature %x, status %04x", b, st)
	}
}
