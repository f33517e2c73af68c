// Package attest checks a token's evidence that a private key was made on it
// and has never been anywhere else.
//
// The evidence is two certificates: the leaf, in which the token speaks of
// one key (its slot, its policies, the token's serial number and firmware),
// and the token's own f9 certificate, which signed the leaf and is signed by
// the maker. Verify promises that the maker's root stands behind both and that every
// word of the leaf is what the caller expected: this key, this slot, this
// serial number, PIN and touch always. It needs no token and no network, so
// evidence in a bundle or a record can be checked at any time later.
//
// What the maker's roots are comes from go-piv: "Yubico PIV Root CA Serial
// 263751", the U2F root that signed some tokens of 2017, and "Yubico
// Attestation Root 1" of 2024 with its intermediates. go-piv checks the chain
// and no more, so everything else is checked here.
package attest

import (
	"crypto"
	"fmt"

	"conclave/hsm"
)

// Evidence is what a token says of a key: two certificates in DER.
type Evidence = hsm.Attestation

// Expect is what the evidence must prove. Public, Slot and Serial are never optional.
type Expect struct {
	Public crypto.PublicKey // the key in the metadata
	Slot   hsm.Slot
	Serial uint32 // of the token, as it or the bundle says
	// Firmware is compared where it is not "".
	Firmware string
	// PIN and Touch are the policies to be found. "" is always, which is what
	// a ceremony key has; hsm.PolicyUnknown takes whatever is attested.
	PIN, Touch hsm.Policy
}

// A Proof is what the maker's root stands behind.
type Proof struct {
	Serial      uint32
	Firmware    string // "5.7.1"
	FormFactor  string // "USB-C Keychain FIPS", "" where the token does not say
	PINPolicy   hsm.Policy
	TouchPolicy hsm.Policy
	FIPS        bool
	Practice    bool     // the maker is the practice root: this proves nothing outside of a rehearsal
	Warnings    []string // known weaknesses, a sentence each
}

// A Refusal says why evidence proves nothing. It is hsm.ErrNotGenuine to errors.Is.
type Refusal struct {
	What   string // what is wrong, in words that follow "the evidence"
	Advice string
}

func (r *Refusal) Error() string { return fmt.Sprintf("%v: %s", hsm.ErrNotGenuine, r.What) }

// Unwrap returns hsm.ErrNotGenuine.
func (r *Refusal) Unwrap() error { return hsm.ErrNotGenuine }

// Hint says what the people in the room can do.
func (r *Refusal) Hint() string { return r.Advice }

// Advice for the kinds of refusal.
const (
	adviceForged  = "do not use this token or this bundle before somebody has found out where the evidence comes from"
	adviceOther   = "the evidence is another key's; ask for the evidence of this one: conclave token attest"
	advicePolicy  = "make a new key that always asks for PIN and touch: conclave token enrol"
	adviceUnknown = "use a YubiKey 5 from the maker, or let the ceremony go on with a recorded exception"
	adviceClock   = "set the clock of this machine, then check again"
)

func refuse(advice, format string, args ...any) error {
	return &Refusal{What: fmt.Sprintf(format, args...), Advice: advice}
}

// Verify holds evidence against what is expected and returns what it proves.
// Every error is hsm.ErrNotGenuine and carries a Hint() string.
func Verify(e Evidence, want Expect, roots Roots) (*Proof, error) {
	if want.Public == nil || want.Serial == 0 || want.Slot == 0 {
		return nil, refuse(adviceOther, "without a key, a slot and a serial number there is nothing to hold the evidence against")
	}
	c, err := read(e)
	if err != nil {
		return nil, err
	}
	said, err := c.statement()
	if err != nil {
		return nil, err
	}
	practice, err := roots.check(c)
	if err != nil {
		return nil, err
	}
	if err := said.holdAgainst(c.leaf.PublicKey, want); err != nil {
		return nil, err
	}
	return said.proof(practice), nil
}

// holdAgainst compares each word of the statement.
func (s statement) holdAgainst(public crypto.PublicKey, want Expect) error {
	switch {
	case !samePublic(public, want.Public):
		return refuse(adviceOther, "the attestation is about another key")
	case s.slot != want.Slot:
		return refuse(adviceOther, "the attestation is about slot %v, not %v", s.slot, want.Slot)
	case s.serial != want.Serial:
		return refuse(adviceForged, "the attestation is of token %d, not %d", s.serial, want.Serial)
	case want.Firmware != "" && s.firmware != want.Firmware:
		return refuse(adviceForged, "the attestation is of firmware %s, not %s", s.firmware, want.Firmware)
	case !allows(want.PIN, s.pin):
		return refuse(advicePolicy, "the key wants its PIN %s, not %s", s.pin, orAlways(want.PIN))
	case !allows(want.Touch, s.touch):
		return refuse(advicePolicy, "the key wants a touch %s, not %s", s.touch, orAlways(want.Touch))
	}
	return nil
}

func allows(want, got hsm.Policy) bool { return want == hsm.PolicyUnknown || got == orAlways(want) }

func orAlways(p hsm.Policy) hsm.Policy {
	if p == "" {
		return hsm.PolicyAlways
	}
	return p
}

func samePublic(a, b crypto.PublicKey) bool {
	p, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && p.Equal(b)
}

func (s statement) proof(practice bool) *Proof {
	p := &Proof{
		Serial: s.serial, Firmware: s.firmware, FormFactor: s.formFactor, FIPS: s.fips,
		PINPolicy: s.pin, TouchPolicy: s.touch, Practice: practice, Warnings: hsm.Weaknesses(s.firmware),
	}
	return p
}
