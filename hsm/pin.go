package hsm

import (
	"errors"
	"fmt"
)

// MaxPIN is the longest PIN a PIV token takes (SP 800-73-4, part 2, 2.4.3).
const MaxPIN = 8

// MinPIN is the shortest.
const MinPIN = 6

// A PIN holds what a keyholder typed. It prints as PIN(redacted), refuses to
// be marshalled, and is wiped by whoever made it. Pass it by pointer: a copy
// would outlive the wiping.
type PIN struct {
	b [MaxPIN]byte
	n int
}

// NewPIN copies b into a PIN and wipes b, also when it refuses.
func NewPIN(b []byte) (*PIN, error) {
	defer clear(b)
	if len(b) < MinPIN || len(b) > MaxPIN {
		return nil, fmt.Errorf("a PIN has %d to %d characters", MinPIN, MaxPIN)
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

// Append adds one typed character. It reports false, and changes nothing,
// when the PIN is full or c is not printable ASCII.
func (p *PIN) Append(c byte) bool {
	if p.n == MaxPIN || c < 0x20 || c > 0x7e {
		return false
	}
	p.b[p.n] = c
	p.n++
	return true
}

// Backspace takes the last character away.
func (p *PIN) Backspace() {
	if p.n > 0 {
		p.n--
		p.b[p.n] = 0
	}
}

// Len is how many characters were typed.
func (p *PIN) Len() int { return p.n }

// Complete reports whether the PIN is long enough to be sent.
func (p *PIN) Complete() bool { return p != nil && p.n >= MinPIN }

// Reveal returns the PIN's own bytes, for the one call that sends them to a
// token. They change when the PIN is wiped.
func (p *PIN) Reveal() []byte { return p.b[:p.n] }

// Equal compares two PINs, for the second entry of a new one.
func (p *PIN) Equal(q *PIN) bool { return p.n == q.n && p.b == q.b }

// Wipe forgets the PIN. A nil PIN may be wiped.
func (p *PIN) Wipe() {
	if p != nil {
		*p = PIN{}
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
