package virtual

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// FuzzProcess: whatever a host sends that does not know the PIN or the
// management key, the card neither panics nor signs, and can be saved.
func FuzzProcess(f *testing.F) {
	p := play(f, "5.7.1")
	for slot, pin := range map[byte]byte{0x9a: pinOnce, 0x9c: pinAlways, 0x82: pinAlways} {
		p.generate(slot, pin, policyNever)
	}
	p.card.management.Value = bytes.Repeat([]byte{0xd1}, 24)
	p.card.SetPIN("\x01\xfe\x7f\x80\x10\x20\x40\x81")
	fresh, err := p.card.MarshalJSON()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range fuzzSeeds {
		var b []byte
		for _, apdu := range seed {
			raw, err := hex.DecodeString(strings.ReplaceAll(apdu, " ", ""))
			if err != nil {
				f.Fatal(err)
			}
			b = append(append(b, byte(len(raw))), raw...)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		card, err := LoadCard(fresh)
		if err != nil {
			t.Fatal(err)
		}
		card.Process([]byte{0, insSelect, byName, 0, 5, 0xa0, 0, 0, 3, 8})
		for len(b) > 0 {
			n := min(int(b[0]), len(b)-1)
			if answer := card.Process(b[1 : 1+n]); len(answer) < 2 {
				t.Fatalf("answer %x to %x", answer, b[1:1+n])
			}
			b = b[1+n:]
		}
		if c := card.Counts(); c.Sign != 0 || c.Generate != 0 {
			t.Fatalf("worked for a stranger: %+v", c)
		}
		saved, err := card.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := LoadCard(saved); err != nil {
			t.Fatal(err)
		}
	})
}

var fuzzSeeds = [][]string{
	{rightPIN, "0087119c 26 7c24 8200 8120" + strings.Repeat("5a", 32)},
	{wrongPIN, wrongPIN, wrongPIN, "0024008110" + anyPUK + anyPUK, "0024008110" + anyPUK + anyPUK, "0024008110" + anyPUK + anyPUK, "00fb0000", rightPIN},
	{"00870a9b 04 7c028000", "00870a9b 26 7c24 8010" + strings.Repeat("00", 16) + "8110" + strings.Repeat("00", 16)},
	{"00870a9b 04 7c028100", "00870a9b 14 7c12 8210" + strings.Repeat("00", 16)},
	{"10db3fff 05 5c035fc10a", "00db3fff 03 530101"},
	{"00f99c0000", "00c0000000", "00f7009c00", "00f7008000"},
	{"00a4040008a000000527471117", "001d000000", "00a4040008a000000527200101", "0001100000"},
	{"00cb3fff000005 5c035fff01 0000", "00cb3fff 03 5c017e"},
	{"0047009c 0b ac09800111aa0103ab0102", "00fe119c 22 0620" + strings.Repeat("11", 32)},
}
