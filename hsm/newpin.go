package hsm

import (
	"bytes"
	"fmt"
	"strconv"
)

// PUKLength is how long a new PUK must be: all that PIV gives it
// (SP 800-73-4, part 2, 2.4.3).
const PUKLength = 8

// A WeakError says why a new PIN or PUK is not taken. Nothing was sent.
type WeakError struct {
	What   string // "PIN" or "PUK"
	Reason string
}

func (e *WeakError) Error() string {
	return fmt.Sprintf("refuse the new %s: %s; nothing was sent to the token", e.What, e.Reason)
}

// Hint says how a good one is found.
func (e *WeakError) Hint() string {
	return "roll dice or let a machine draw it: 6 to 8 digits for a PIN, 8 for a PUK, and write the PUK down where the token is not"
}

// CheckNewPIN refuses a PIN that somebody could guess in the few tries that a
// token gives, and one that the token would refuse. It takes digits only:
// an offline machine may have any keyboard layout, and other programs know digits only.
func CheckNewPIN(pin *PIN, info Info) error {
	return check("PIN", MinPIN, pin, info)
}

// CheckNewPUK does so for a PUK, which must not be the PIN either.
func CheckNewPUK(puk, pin *PIN, info Info) error {
	if err := check("PUK", PUKLength, puk, info); err != nil {
		return err
	}
	if pin != nil && bytes.HasPrefix(puk.Reveal(), pin.Reveal()) {
		return &WeakError{"PUK", "it is the PIN, or begins with it; who watches the PIN being typed has both"}
	}
	return nil
}

func check(what string, least int, pin *PIN, info Info) error {
	if pin == nil || pin.Len() < least {
		return &WeakError{what, fmt.Sprintf("it has fewer than %d digits", least)}
	}
	b := pin.Reveal()
	for _, c := range b {
		if c < '0' || c > '9' {
			return &WeakError{what, "it has other characters than digits, which not every keyboard and program can type"}
		}
	}
	if reason := guessable(b, info); reason != "" {
		return &WeakError{what, reason}
	}
	return nil
}

// guessable says what is easy about digits, "" for nothing.
func guessable(b []byte, info Info) string {
	switch {
	case bytes.Equal(b, []byte("123456")), bytes.Equal(b, []byte("12345678")):
		return "it is the one that every token has when it is new"
	case distinct(b) < 3:
		return "it has fewer than 3 different digits"
	case evenSteps(b):
		return "its digits go up or down in even steps"
	case repeats(b):
		return "it says one part twice"
	case mirrored(b) && evenSteps(b[:(len(b)+1)/2]), doubled(b):
		return "it is one of the patterns that everybody tries"
	case info.Serial != 0 && bytes.Contains([]byte(strconv.FormatUint(uint64(info.Serial), 10)), b):
		return "it is printed on the token: the serial number"
	case FirmwareAtLeast(info.Firmware, 5, 7) && listed(b):
		return "firmware 5.7 has it on its list of common ones"
	}
	return ""
}

func distinct(b []byte) int {
	var seen [256]bool
	n := 0
	for _, c := range b {
		if !seen[c] {
			seen[c] = true
			n++
		}
	}
	return n
}

// evenSteps finds 234567, 987654, 135791 and the like; after 9 comes 0.
func evenSteps(b []byte) bool {
	step := (int(b[1]) - int(b[0]) + 10) % 10
	for i := 1; i < len(b); i++ {
		if (int(b[i])-int(b[i-1])+10)%10 != step {
			return false
		}
	}
	return true
}

// repeats finds 123123, 48484848 and the like.
func repeats(b []byte) bool {
	for n := 1; n <= len(b)/2; n++ {
		if len(b)%n == 0 && bytes.Equal(b[n:], b[:len(b)-n]) {
			return true
		}
	}
	return false
}

// mirrored finds 123321 and 1234321.
func mirrored(b []byte) bool {
	for i := range b {
		if b[i] != b[len(b)-1-i] {
			return false
		}
	}
	return true
}

// doubled finds 112233 and the like.
func doubled(b []byte) bool {
	if len(b)%2 != 0 {
		return false
	}
	half := make([]byte, 0, MaxPIN)
	defer clear(half[:cap(half)])
	for i := 0; i < len(b); i += 2 {
		if b[i] != b[i+1] {
			return false
		}
		half = append(half, b[i])
	}
	return evenSteps(half)
}

// listed are the common PINs that a token with PIN complexity refuses by
// itself and that follow none of the patterns above.
func listed(b []byte) bool {
	for _, s := range []string{"123654", "159753"} {
		if string(b) == s {
			return true
		}
	}
	return false
}
