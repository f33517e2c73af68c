// Package hsm says what a token is: the one device that holds a keyholder's
// private key and lets it be used, never read.
//
// It imports nothing of Conclave's own. hsm/piv reaches YubiKeys through it,
// hsm/virtual plays YubiKeys for rehearsals and tests.
package hsm

import (
	"context"
	"crypto"
	"fmt"
	"strconv"
	"strings"
)

// A Slot is a PIV key reference (NIST SP 800-73-4, part 1, table 4b).
type Slot byte

// SlotSignature is 9c, the digital signature slot, where ceremony keys live.
const SlotSignature Slot = 0x9c

// String returns the slot in the two hex digits that everybody knows it by.
func (s Slot) String() string { return fmt.Sprintf("%02x", byte(s)) }

// ParseSlot reads what String writes, and no other spelling.
func ParseSlot(s string) (Slot, error) {
	n, err := strconv.ParseUint(s, 16, 8)
	if err != nil || Slot(n).String() != s {
		return 0, fmt.Errorf("read slot %q: a slot is two hex digits, as 9c", s)
	}
	return Slot(n), nil
}

// An Algorithm names a key type that a ceremony can use.
type Algorithm string

// The algorithms that ceremony keys may have.
const (
	P256 Algorithm = "p256"
	P384 Algorithm = "p384"
)

// A Policy says when a token wants a PIN or a touch before it uses a key.
type Policy string

// Policies as YubiKeys know them. PolicyUnknown is for firmware that does not say.
const (
	PolicyUnknown Policy = "unknown"
	PolicyNever   Policy = "never"
	PolicyOnce    Policy = "once"
	PolicyAlways  Policy = "always"
	PolicyCached  Policy = "cached"
)

// Info is what a token says of itself without a PIN.
type Info struct {
	Serial     uint32 // printed on the back of the token
	Unprinted  bool   // Serial is none: it was made from the identifier of another maker's card
	Firmware   string // "5.7.1"
	FormFactor string // "USB-A keychain", "" where the firmware does not say
	Reader     string // the PC/SC reader it sits in
	Retries    int    // PIN tries left; -1 where the token does not say
}

// A Key is one key pair on a token, as far as a host may know it.
type Key struct {
	Slot        Slot
	Public      crypto.PublicKey
	Algorithm   Algorithm
	PINPolicy   Policy
	TouchPolicy Policy
	Generated   bool   // made on the token, never imported, as far as it says
	Holder      string // common name of the certificate in the slot, "" without one; text from outside
}

// Attestation is a token's evidence that a key was made on it: two DER
// certificates, the statement about the key and the token's own f9.
type Attestation struct {
	Leaf   []byte
	Device []byte
}

// Enrolment asks a token to make a new key.
type Enrolment struct {
	Slot      Slot
	Algorithm Algorithm
	Holder    string // written into the slot's certificate
	// CurrentPIN opens the token now; NewPIN replaces it. NewPIN may be nil:
	// then the PIN stays as it is.
	CurrentPIN *PIN
	NewPIN     *PIN
	// NewPUK replaces the PUK, where it is not nil. CurrentPUK may be nil for
	// a token that says that it still has the factory's; for any other it is
	// needed, else ErrPUKNeeded: a PUK is never guessed.
	CurrentPUK *PIN
	NewPUK     *PIN
	// Erase must be the token's serial for an occupied slot to be written over.
	Erase uint32
}

// A Token is one opened device. One goroutine at a time may use it.
//
// Errors: *PINError for a refused PIN, ErrBlocked, ErrRemoved, ErrTouchTimeout,
// ErrNoKey, ErrOccupied, ErrBusy; each can be found with errors.Is or errors.As.
type Token interface {
	// Info returns what was read when the token was opened, with the PIN
	// tries left as last seen.
	Info() Info
	// Keys lists the keys in the slots that a ceremony may use.
	Keys(ctx context.Context) ([]Key, error)
	// Sign signs digest (32 bytes for P-256, 48 for P-384) with the key in slot and
	// returns an ASN.1 DER ECDSA signature. It sends the PIN exactly once
	// and blocks until the token is touched where its policy asks for that.
	Sign(ctx context.Context, pin *PIN, slot Slot, digest []byte) ([]byte, error)
	// Attest returns the token's statement about the key in slot.
	Attest(ctx context.Context, slot Slot) (Attestation, error)
	// Enrol makes a new key (PIN always, touch always), writes the holder's
	// certificate beside it and returns it. It refuses an occupied slot.
	Enrol(ctx context.Context, e Enrolment) (Key, error)
	// Close lets go of the token. It may be called twice.
	Close() error
}

// A Reader is one place for a token.
type Reader struct {
	Name    string // as PC/SC has it
	Card    bool   // a card is in, of whatever kind
	Taken   bool   // a program holds the card for itself; it may be this one
	Changes uint32 // another number after each insertion or removal; 0 where nobody counts
}

// mark parts a reader's name from the count in an ID.
const mark = " #"

// ID names what is in the reader now: another token there later, or the same
// one again, has another ID. Open of the Tokens that gave it takes it for the
// reader's name, and refuses it once it is no longer so.
func (r Reader) ID() string {
	if r.Changes == 0 {
		return r.Name
	}
	return fmt.Sprintf("%s%s%d", r.Name, mark, r.Changes)
}

// ParseReader reads an ID or a bare name.
func ParseReader(id string) Reader {
	i := strings.LastIndex(id, mark)
	if i < 0 {
		return Reader{Name: id}
	}
	n, err := strconv.ParseUint(id[i+len(mark):], 10, 32)
	if r := (Reader{Name: id[:i], Changes: uint32(n)}); err == nil && r.ID() == id {
		return r
	}
	return Reader{Name: id}
}

// A Watcher sees tokens come and go. Tokens may be one.
type Watcher interface {
	// Seen lists all readers, with and without a card. It opens no token and
	// may be called several times a second. What came or went between two
	// calls shows in Changes, also where all looks as before.
	Seen(ctx context.Context) ([]Reader, error)
}

// Tokens finds and opens tokens.
type Tokens interface {
	// Present lists the readers that hold a token, cheaply and without
	// opening any: it may be called several times a second.
	Present(ctx context.Context) ([]string, error)
	// Open opens the token in a reader, for this program alone.
	Open(ctx context.Context, reader string) (Token, error)
}
