package ur_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"conclave/transfer/qr/qrtest"
	"conclave/transfer/qr/ur"
)

func message(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * i >> 3)
	}
	return b
}

func urText(p ur.Part) string {
	return fmt.Sprintf("ur:bytes/%d-%d/%s", p.Seq, p.Fragments, ur.Bytewords(p.CBOR()))
}

func TestPartsAreThoseOfAnotherImplementation(t *testing.T) {
	for _, size := range []int{30, 100, 1000} {
		content := message(5000)
		e, err := ur.NewEncoder(ur.WrapBytes(content), size)
		if err != nil {
			t.Fatal(err)
		}
		k := e.Stream().Fragments
		theirs := strings.Fields(qrtest.Node(t, hex.EncodeToString(content), "ur.mjs", "encode", fmt.Sprint(size), fmt.Sprint(3*k)))
		if len(theirs) != 3*k {
			t.Fatalf("%d parts came, want %d", len(theirs), 3*k)
		}
		for i, want := range theirs {
			if got := urText(e.Part(uint32(i + 1))); got != want {
				t.Fatalf("size %d, part %d:\n ours   %s\n theirs %s", size, i+1, got, want)
			}
		}
	}
}

func TestAnotherImplementationReadsOurParts(t *testing.T) {
	for _, size := range []int{100, 1000} {
		content := message(5000)
		e, err := ur.NewEncoder(ur.WrapBytes(content), size)
		if err != nil {
			t.Fatal(err)
		}
		var parts strings.Builder
		for i := range 8 * e.Stream().Fragments {
			if i%3 != 0 { // a third is lost
				fmt.Fprintln(&parts, strings.ToUpper(urText(e.Part(uint32(i+1)))))
			}
		}
		got := strings.Fields(qrtest.Node(t, parts.String(), "ur.mjs", "decode"))
		if want := hex.EncodeToString(content); len(got) != 2 || got[1] != want {
			t.Errorf("size %d: another message came out", size)
		}
	}
}

func TestWeReadAnotherImplementation(t *testing.T) {
	content := message(3000)
	lines := strings.Fields(qrtest.Node(t, hex.EncodeToString(content), "ur.mjs", "encode", "90", "120"))
	var d *ur.Decoder
	for i, line := range lines {
		if i%4 == 0 { // a quarter is lost
			continue
		}
		raw, err := ur.ParseBytewords(line[strings.LastIndex(line, "/")+1:])
		if err != nil {
			t.Fatal(err)
		}
		p, err := ur.ParsePart(raw)
		if err != nil {
			t.Fatal(err)
		}
		if d == nil {
			if d, err = ur.NewDecoder(p); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := d.Add(p); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ur.UnwrapBytes(d.Message())
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("another message came out (rank %d of %d, %v)", d.Rank(), d.Stream().Fragments, err)
	}
}
