package hsm

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
)

// MaxPIN is the longest PIN a PIV token takes (SP 800-73-4, part 2, 2.4.3).
const MaxPIN = 8

// MinPIN is the shortest.
const MinPIN = 6

// A PIN holds what a keyholder typed. It prints as PIN(redacted), refuses to
// be marshalled, and is wiped by whoever made it; wiping one copy wipes all. The zero PIN is empty.
type PIN struct {
	// The characters stand behind two pointers: where package fmt may not ask a value
	// how it prints (%p, an unexported field) it prints the fields itself, follows one
	// pointer to a struct, and of a pointer to a pointer prints the address.
	behind **typed
}

type typed struct {
	b [MaxPIN]byte
	n int
}

// NewPIN copies b into a PIN and wipes b, also when it refuses.
func NewPIN(b []byte) (*PIN, error) {
	defer clear(b)
	if isOTP(b) {
		return nil, ErrOTP
	}
	if len(b) < MinPIN || len(b) > MaxPIN {
		return nil, fmt.Errorf("a PIN or PUK has %d to %d characters", MinPIN, MaxPIN)
	}
	p := new(PIN)
	for _, c := range b {
		if !p.Append(c) {
			p.Wipe()
			return nil, errPINCharacter
		}
	}
	return p, nil
}

// ErrOTP says that what came for a PIN was typed by a token: a YubiKey that is
// touched outside of a signature types a one-time password. It was thrown away.
var ErrOTP error = &refusal{
	"that was a one-time password, typed by a touch on a YubiKey; it was thrown away",
	"nothing was sent to the token and no try was lost; type the PIN, and touch the token only when it is asked for",
}

// shortestOTP is the variable part of a Yubico one-time password alone.
const shortestOTP = 32

// isOTP finds what YubiKeys type: letters of an alphabet that is the same on
// all keyboards.
func isOTP(b []byte) bool {
	const modhex = "cbdefghijklnrtuv"
	for _, c := range b {
		if strings.IndexByte(modhex, c|0x20) < 0 {
			return false
		}
	}
	return len(b) >= shortestOTP
}

// Append adds one typed character. It reports false, and changes nothing,
// when the PIN is full or c is not printable ASCII.
func (p *PIN) Append(c byte) bool {
	if p.Len() == MaxPIN || c < 0x20 || c > 0x7e {
		return false
	}
	if p.behind == nil {
		t := new(typed)
		p.behind = &t
	}
	t := *p.behind
	t.b[t.n] = c
	t.n++
	return true
}

// Backspace takes the last character away.
func (p *PIN) Backspace() {
	if p.Len() > 0 {
		t := *p.behind
		t.n--
		t.b[t.n] = 0
	}
}

// Len is how many characters were typed.
func (p *PIN) Len() int {
	if p == nil || p.behind == nil {
		return 0
	}
	return (*p.behind).n
}

// Complete reports whether the PIN is long enough to be sent.
func (p *PIN) Complete() bool { return p.Len() >= MinPIN }

// Reveal returns the PIN's own bytes, for the one call that sends them to a
// token. They change when the PIN is wiped.
func (p *PIN) Reveal() []byte {
	if p.Len() == 0 {
		return nil
	}
	t := *p.behind
	return t.b[:t.n]
}

// Equal compares two PINs, for the second entry of a new one.
func (p *PIN) Equal(q *PIN) bool {
	return subtle.ConstantTimeCompare(p.Reveal(), q.Reveal()) == 1
}

// Factory reports whether it is the PIN that new YubiKeys come with.
func (p *PIN) Factory() bool {
	return subtle.ConstantTimeCompare(p.Reveal(), []byte("123456")) == 1
}

// Wipe forgets the PIN. A nil PIN may be wiped.
func (p *PIN) Wipe() {
	if p != nil && p.behind != nil {
		**p.behind = typed{}
	}
}

const redacted = "PIN(redacted)"

var errPINCharacter = errors.New("a PIN has only letters, digits, marks and spaces of ASCII")

var errPINMarshal = errors.New("a PIN is never written down")

// String hides the PIN.
func (p PIN) String() string { return redacted }

// GoString hides the PIN from %#v.
func (p PIN) GoString() string { return redacted }

// Format hides the PIN from every verb, %x and %d included.
func (p PIN) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalJSON refuses.
func (p PIN) MarshalJSON() ([]byte, error) { return nil, errPINMarshal }

// MarshalText refuses.
func (p PIN) MarshalText() ([]byte, error) { return nil, errPINMarshal }

// MarshalBinary refuses.
func (p PIN) MarshalBinary() ([]byte, error) { return nil, errPINMarshal }

// GobEncode refuses.
func (p PIN) GobEncode() ([]byte, error) { return nil, errPINMarshal }
