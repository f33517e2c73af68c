package virtual

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func savedForTests(t testing.TB) []byte {
	t.Helper()
	p := play(t, "5.4.3")
	p.generate(0x9c, pinAlways, touchAlways)
	p.ok("00db3fff 08 5c035fc10a530155")
	b, err := p.card.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSavedCardComesBack(t *testing.T) {
	p := play(t, "5.4.3")
	p.card.AutoTouch(true)
	public := p.generate(0x9c, pinAlways, touchAlways)
	p.want(0x63c2, wrongPIN)
	b, err := json.Marshal(p.card)
	if err != nil {
		t.Fatal(err)
	}
	p.card, err = LoadCard(b)
	if err != nil {
		t.Fatal(err)
	}
	if p.card.Serial() != 12345678 || p.card.Firmware() != "5.4.3" || p.card.PINTries() != 2 {
		t.Fatalf("came back as %d, %s, %d tries", p.card.Serial(), p.card.Firmware(), p.card.PINTries())
	}
	p.card.AutoTouch(true)
	p.ok("00a4040005a000000308")
	p.mustRefuse(0x9c) // the PIN was not saved as verified
	p.ok(rightPIN)
	p.mustSign(0x9c, public)
	if p.attestation(0x9c, extSerial) == nil {
		t.Fatal("no attestation")
	}
	p.want(0x63c2, wrongPIN)
}

func TestOnChangeComesBeforeTheAnswer(t *testing.T) {
	p := play(t, "5.7.1")
	var tries []int
	p.card.OnChange(func() { tries = append(tries, p.card.PINTries()) })
	p.ok("00fd000000") // changes nothing
	_, _ = p.send(wrongPIN)
	if len(tries) != 1 || tries[0] != 2 {
		t.Fatalf("tries seen on change: %v", tries)
	}
	p.card.SetPIN("654321")
	if len(tries) != 2 || tries[1] != 3 {
		t.Fatalf("tries seen on change: %v", tries)
	}
}

func TestLoadRefuses(t *testing.T) {
	good := string(savedForTests(t))
	if _, err := LoadCard([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new string }{
		{"no practice mark", practiceMark, "real"},
		{"another version", `"version":1`, `"version":2`},
		{"unknown firmware", `"5.4.3"`, `"9.9.9"`},
		{"more tries than there are", `"tries":3`, `"tries":4`},
		{"tries below zero", `"tries":3`, `"tries":-1`},
		{"a slot that is none", `"9c"`, `"77"`},
		{"a slot in capitals", `"9c"`, `"9C"`},
		{"an object that is none", `"5fc10a"`, `"5fc10"`},
		{"a policy that is none", `"pin_policy":3`, `"pin_policy":9`},
		{"no attestation key", `"f9"`, `"95"`},
		{"an unknown field", `"serial":`, `"cereal":`},
		{"an empty object", `:"VQ=="`, `:""`},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := strings.Replace(good, c.old, c.new, 1)
			if bad == good {
				t.Fatal("the case changes nothing")
			}
			if _, err := LoadCard([]byte(bad)); err == nil {
				t.Fatal("loaded")
			}
		})
	}
	for name, bad := range map[string]string{
		"nothing": "", "half a file": good[:len(good)/2], "two files": good + good,
		"too long": good + strings.Repeat(" ", maxSaved),
	} {
		if _, err := LoadCard([]byte(bad)); err == nil {
			t.Errorf("%s: loaded", name)
		}
	}
}

// FuzzLoadCard: what loads, saves, and loads again as the same.
func FuzzLoadCard(f *testing.F) {
	good := savedForTests(f)
	f.Add(good)
	f.Add([]byte("{}"))
	f.Add(bytes.Replace(good, []byte(`"tries":3`), []byte(`"tries":0`), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		card, err := LoadCard(b)
		if err != nil {
			return
		}
		first, err := card.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := LoadCard(first)
		if err != nil {
			t.Fatal(err)
		}
		second, err := again.MarshalJSON()
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("saved twice, two files: %v", err)
		}
		card.Process([]byte{0, insSelect, byName, 0, 5, 0xa0, 0, 0, 3, 8})
		card.Process([]byte{0, insAttest, 0x9c, 0})
	})
}
