package hsm

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

const secret = "s3cr3t-8"

func mustPIN(t *testing.T, s string) *PIN {
	t.Helper()
	p, err := NewPIN([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPINNeverPrints(t *testing.T) {
	p := mustPIN(t, secret)
	e := Enrolment{Holder: "Alice", CurrentPIN: p, NewPIN: p}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%08b", "%T"} {
		for _, value := range []any{p, *p, e, &e, []*PIN{p}, map[string]PIN{"pin": *p}, fmt.Errorf("with %v", p)} {
			text := fmt.Sprintf(verb, value)
			for _, leak := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("%d", []byte(secret))[1:10]} {
				if strings.Contains(text, leak) {
					t.Errorf("%s of %T: %s", verb, value, text)
				}
			}
		}
	}
	if got := p.String() + p.GoString(); got != redacted+redacted {
		t.Errorf("prints as %s", got)
	}
}

func TestPINNeverMarshals(t *testing.T) {
	p := mustPIN(t, secret)
	for _, value := range []any{p, *p, Enrolment{CurrentPIN: p}, map[string]*PIN{"pin": p}} {
		if b, err := json.Marshal(value); err == nil {
			t.Errorf("JSON of %T: %s", value, b)
		}
	}
	if err := gob.NewEncoder(new(bytes.Buffer)).Encode(p); err == nil {
		t.Error("gob took it")
	}
	if b, err := p.MarshalText(); err == nil {
		t.Errorf("text %s", b)
	}
	if b, err := p.MarshalBinary(); err == nil {
		t.Errorf("binary %x", b)
	}
}

func TestNewPINWipesWhatItWasGiven(t *testing.T) {
	for _, c := range []struct {
		name, in string
		ok       bool
	}{
		{"six digits", "123456", true},
		{"eight characters", "a b#~!9z", true},
		{"too short", "12345", false},
		{"too long", "123456789", false},
		{"padding", "12345\xff", false},
		{"a control character", "12345\n", false},
		{"beyond ASCII", "pässwor", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := []byte(c.in)
			p, err := NewPIN(b)
			if (err == nil) != c.ok {
				t.Fatalf("error %v", err)
			}
			if !bytes.Equal(b, make([]byte, len(b))) {
				t.Fatalf("left %q", b)
			}
			if c.ok && string(p.Reveal()) != c.in {
				t.Fatal("holds something else")
			}
			if err != nil && strings.Contains(err.Error(), c.in) {
				t.Fatal("the error holds the PIN")
			}
		})
	}
}

func TestPINTyping(t *testing.T) {
	p := new(PIN)
	if p.Backspace(); p.Len() != 0 {
		t.Fatal("took away from nothing")
	}
	for _, c := range []byte("12345678") {
		if p.Complete() != (p.Len() >= MinPIN) {
			t.Fatalf("complete with %d", p.Len())
		}
		if !p.Append(c) {
			t.Fatalf("refused %c", c)
		}
	}
	for _, c := range []byte{'9', 0x1b, 0x7f, 0x80, '\t'} {
		if p.Append(c) {
			t.Fatalf("took %#x", c)
		}
	}
	p.Backspace()
	if p.Append('\n') || p.Append(0xff) || !p.Append('0') {
		t.Fatal("took what cannot be typed, or refused what can")
	}
	same := mustPIN(t, "12345670")
	if !p.Equal(same) || p.Equal(mustPIN(t, "1234567")) || p.Equal(mustPIN(t, "12345678")) {
		t.Fatal("compares wrong")
	}
	if !mustPIN(t, "123456").Factory() || same.Factory() || new(PIN).Factory() {
		t.Fatal("takes another PIN for the factory's, or the factory's for another")
	}
	seen := p.Reveal()
	p.Wipe()
	if p.Len() != 0 || p.Complete() || !bytes.Equal(seen, make([]byte, len(seen))) {
		t.Fatalf("not wiped: %q", seen)
	}
	(*PIN)(nil).Wipe()
	if (*PIN)(nil).Complete() {
		t.Fatal("nothing is complete")
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for _, err := range []error{
		ErrBlocked, ErrPUKBlocked, ErrPUKNeeded, &PUKError{Retries: 1}, &WeakError{},
		ErrRemoved, ErrTouchTimeout, ErrNotGenuine, ErrNoKey, ErrOccupied,
		ErrBusy, ErrNotPIV, ErrGarbled, ErrNoService, &PINError{Retries: 1}, &PINError{Retries: 2},
	} {
		wrapped := fmt.Errorf("sign with slot 9c: %w", fmt.Errorf("%w: %w", err, errors.New("a cause")))
		if !errors.Is(wrapped, err) {
			t.Errorf("%v cannot be found", err)
		}
		var h interface{ Hint() string }
		if !errors.As(wrapped, &h) || h.Hint() == "" {
			t.Errorf("%v has no hint", err)
		}
	}
	if errors.Is(ErrBlocked, ErrRemoved) {
		t.Error("two errors are one")
	}
	if one, two := (&PINError{Retries: 1}).Error(), (&PINError{Retries: 2}).Error(); !strings.Contains(one, "1 try left") || !strings.Contains(two, "2 tries left") {
		t.Errorf("%s / %s", one, two)
	}
}

func TestSlotsAreCalledByTheirHexDigits(t *testing.T) {
	if got := SlotSignature.String() + Slot(0x05).String(); got != "9c05" {
		t.Errorf("got %s", got)
	}
}

func TestSlotsHaveOneSpelling(t *testing.T) {
	for s, ok := range map[string]bool{
		"9c": true, "82": true, "f9": true, "9C": false, "09c": false, "c": false, "": false, "+9": false, "0x": false, "100": false,
	} {
		if slot, err := ParseSlot(s); (err == nil) != ok || ok && slot.String() != s {
			t.Errorf("%q: %v, %v", s, slot, err)
		}
	}
}

func TestReaderIDsComeBack(t *testing.T) {
	for _, r := range []Reader{
		{Name: "Yubico YubiKey OTP+FIDO+CCID 00 00"},
		{Name: "Yubico YubiKey OTP+FIDO+CCID 00 00", Changes: 1},
		{Name: "A reader #2", Changes: 4294967295},
		{Name: "A reader #x"},
		{Name: " #"},
		{Name: ""},
		{Name: "A reader #01"},
		{Name: "A reader #4294967296"},
	} {
		if got := ParseReader(r.ID()); got != r {
			t.Errorf("%q comes back as %+v", r.ID(), got)
		}
	}
	if (Reader{Name: "A", Changes: 1}).ID() == (Reader{Name: "A", Changes: 2}).ID() {
		t.Error("two tokens have one ID")
	}
}

// Alice touches her token while the cursor stands in the PIN field: it types 44
// letters and Enter.
func TestATouchIsNoPIN(t *testing.T) {
	const otp = "ccccccbcgujhingjrdejhgfnuetrgigvejhhgbkugded"
	for _, s := range []string{otp, otp[12:], strings.ToUpper(otp)} {
		if _, err := NewPIN([]byte(s)); !errors.Is(err, ErrOTP) {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []string{"12345", "cccccccc", otp[:31], otp + "1"} {
		if _, err := NewPIN([]byte(s)); errors.Is(err, ErrOTP) {
			t.Errorf("%s: %v", s, err)
		}
	}
}
