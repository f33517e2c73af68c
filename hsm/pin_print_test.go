package hsm

import (
	"fmt"
	"strings"
	"testing"
)

// TestPINHidesFromFmtItself prints a PIN where fmt does not ask the value how it wants to be
// printed: with %p, and inside another struct's unexported field.
func TestPINHidesFromFmtItself(t *testing.T) {
	pin, err := NewPIN([]byte("Zq7!kx"))
	if err != nil {
		t.Fatal(err)
	}
	holder := struct {
		pin  PIN
		pins []PIN
	}{*pin, []PIN{*pin}}
	bytes := fmt.Sprint([]byte("Zq7!kx"))
	for _, verb := range []string{"%p", "%v", "%+v", "%#v", "%x", "%d", "%s", "%q", "%c", "%U"} {
		for _, v := range []any{pin, *pin, &holder, holder, []any{*pin}, map[string]PIN{"a": *pin}} {
			out := fmt.Sprintf(verb, v)
			for _, secret := range []string{"Zq7!kx", strings.Trim(bytes, "[]"), "5a7137216b78", "0x5a, 0x71"} {
				if strings.Contains(out, secret) {
					t.Errorf("%s of %T prints %s", verb, v, out)
				}
			}
		}
	}
}

func TestWipingOneCopyWipesAll(t *testing.T) {
	pin, err := NewPIN([]byte("Zq7!kx"))
	if err != nil {
		t.Fatal(err)
	}
	duplicate := *pin
	pin.Wipe()
	if duplicate.Len() != 0 || len(duplicate.Reveal()) != 0 {
		t.Error("a copy outlived the wiping")
	}
}
