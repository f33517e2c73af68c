package hsm

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNewPINsThatAreRefused(t *testing.T) {
	new57 := Info{Serial: 20114422, Firmware: "5.7.1"}
	for _, c := range []struct {
		pin, because string // "" is taken
	}{
		{"314159", ""},
		{"27182818", ""},
		{"110203", ""},
		{"98127634", ""},
		{"123456", "new"},
		{"12345678", "new"},
		{"000000", "different"},
		{"11111111", "different"},
		{"121221", "different"},
		{"777778", "different"},
		{"234567", "even steps"},
		{"987654", "even steps"},
		{"890123", "even steps"},
		{"135791", "even steps"},
		{"654321", "even steps"},
		{"123123", "twice"},
		{"48274827", "twice"},
		{"520520", "twice"},
		{"123321", "patterns"},
		{"1234321", "patterns"},
		{"112233", "patterns"},
		{"99887766", "patterns"},
		{"201144", "serial"},
		{"114422", "serial"},
		{"20114422", "serial"},
		{"123654", "list"},
		{"159753", "list"},
		{"a1b2c3", "digits"},
		{"31415 ", "digits"},
	} {
		t.Run(c.pin, func(t *testing.T) {
			err := CheckNewPIN(mustPIN(t, c.pin), new57)
			if c.because == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var weak *WeakError
			if !errors.As(err, &weak) || weak.What != "PIN" || !strings.Contains(err.Error(), c.because) || weak.Hint() == "" {
				t.Fatalf("got %v, want %s", err, c.because)
			}
			if strings.Contains(err.Error()+weak.Hint(), c.pin) {
				t.Fatalf("the refusal holds the PIN: %v", err)
			}
		})
	}
	if err := CheckNewPIN(nil, new57); err == nil {
		t.Error("no PIN was taken")
	}
	short := new(PIN)
	short.Append('9')
	if err := CheckNewPIN(short, new57); err == nil {
		t.Error("half a PIN was taken")
	}
	if err := CheckNewPIN(mustPIN(t, "159753"), Info{Firmware: "5.4.3"}); err != nil {
		t.Errorf("the list of 5.7 was held against 5.4: %v", err)
	}
}

func TestNewPUKsThatAreRefused(t *testing.T) {
	pin := mustPIN(t, "314159")
	for puk, ok := range map[string]bool{
		"27182818": true, "2718281": false, "31415926": false, "12345678": false, "87654321": false, "2718281x": false,
	} {
		if err := CheckNewPUK(mustPIN(t, puk), pin, Info{}); (err == nil) != ok {
			t.Errorf("%s: %v", puk, err)
		}
	}
	if err := CheckNewPUK(mustPIN(t, "27182818"), nil, Info{}); err != nil {
		t.Error(err)
	}
}

// A rule that refuses much of what a machine draws would teach people to go round it.
func TestDrawnPINsAreTaken(t *testing.T) {
	refused, drawn := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		b := []byte(rapid.StringMatching(`[0-9]{6,8}`).Draw(t, "pin"))
		pin, err := NewPIN(b)
		if err != nil {
			t.Fatal(err)
		}
		drawn++
		if CheckNewPIN(pin, Info{Serial: 20114422, Firmware: "5.7.1"}) != nil {
			refused++
		}
	})
	if refused > drawn/5 {
		t.Fatalf("%d of %d drawn PINs were refused", refused, drawn)
	}
}
