package answer

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/qr/qrtest"
)

func mustOf(t testing.TB, before, after *transfer.Bundle) *Answer {
	t.Helper()
	a, err := Of(before, after)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func mustBundle(t testing.TB) func(*transfer.Bundle, error) *transfer.Bundle {
	return func(b *transfer.Bundle, err error) *transfer.Bundle {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func wantError(t *testing.T, name string, err error, words string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), words) || e.Hint() == "" {
		t.Errorf("%s: %v", name, err)
	}
}

func TestAnswerMakesTheSignedBundleAgain(t *testing.T) {
	waiting := qrtest.Waiting(t, 3, 1)
	signed := qrtest.Sign(t, qrtest.Sign(t, waiting, tuf.Root, "Alice", "Carol"), tuf.Targets, "Alice")
	a := mustOf(t, waiting, signed)
	short, ok := a.Short()
	if a.Len() != 3 || !ok || len(short) != 3+3*64 {
		t.Fatalf("%d signatures, short form %v of %d bytes", a.Len(), ok, len(short))
	}
	fromShort, err := ParseShort(short)
	if err != nil {
		t.Fatal(err)
	}
	fromLong, err := Parse(a.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for name, a := range map[string]*Answer{"short": fromShort, "long": fromLong} {
		got := mustBundle(t)(a.Apply(waiting))
		if !bytes.Equal(qrtest.Bytes(t, got), qrtest.Bytes(t, signed)) {
			t.Errorf("%s: another bundle came out", name)
		}
		joined, dropped, err := transfer.Join(waiting, got)
		if err != nil || len(dropped) > 0 || !bytes.Equal(qrtest.Bytes(t, joined), qrtest.Bytes(t, signed)) {
			t.Errorf("%s: it does not join: %v, dropped %q", name, err, dropped)
		}
	}
}

func TestAnswerHasOnlyWhatIsNew(t *testing.T) {
	waiting := qrtest.Sign(t, qrtest.Waiting(t, 2), tuf.Root, "Alice")
	signed := qrtest.Sign(t, waiting, tuf.Root, "Bob")
	if n := mustOf(t, waiting, signed).Len(); n != 1 {
		t.Errorf("%d signatures, want 1", n)
	}
	if n := mustOf(t, nil, signed).Len(); n != 2 {
		t.Errorf("of all: %d signatures, want 2", n)
	}
	_, err := Of(signed, signed)
	wantError(t, "nothing new", err, "no new signatures")
}

func TestAnswersFromTwoSitesMeet(t *testing.T) {
	waiting := qrtest.Waiting(t, 2)
	here := mustOf(t, waiting, qrtest.Sign(t, waiting, tuf.Root, "Alice"))
	there := mustOf(t, waiting, qrtest.Sign(t, waiting, tuf.Root, "Bob"))
	one := mustBundle(t)(there.Apply(mustBundle(t)(here.Apply(waiting))))
	two := mustBundle(t)(here.Apply(mustBundle(t)(there.Apply(waiting))))
	if !bytes.Equal(qrtest.Bytes(t, one), qrtest.Bytes(t, two)) {
		t.Error("the order matters")
	}
	if n := len(one.Document(tuf.Root).Signatures()); n != 2 {
		t.Errorf("%d signatures, want 2", n)
	}
}

func TestAnswerForAnotherDraftIsNamed(t *testing.T) {
	a := mustOf(t, nil, qrtest.Sign(t, qrtest.Waiting(t, 3), tuf.Root, "Alice"))
	_, err := a.Apply(qrtest.Waiting(t, 4))
	wantError(t, "another draft", err, "it is for the draft")
	_, err = Of(qrtest.Waiting(t, 3), qrtest.Sign(t, qrtest.Waiting(t, 4), tuf.Root, "Alice"))
	wantError(t, "made of two drafts", err, "different drafts")
}

// The attack: somebody shows an answer for the right draft with a signature of a
// stranger, or a changed one, so that a dead signature gets into the bundle.
func TestStrangersSignaturesAreRefused(t *testing.T) {
	waiting := qrtest.Waiting(t, 3)
	a := mustOf(t, nil, qrtest.Sign(t, waiting, tuf.Root, "Alice"))
	digest := Draft(waiting)
	stranger := &Answer{draft: digest[:], signatures: [][]byte{
		a.signatures[0], compact(qrtest.Signature(t, waiting.Document(tuf.Root), "Mallory"), keyFor(t, waiting)),
	}}
	changed := &Answer{draft: digest[:], signatures: [][]byte{bytes.Clone(a.signatures[0])}}
	changed.signatures[0][40] ^= 1
	for name, a := range map[string]*Answer{"a stranger's": stranger, "a changed one": changed, "zeros": {digest[:], [][]byte{make([]byte, 64)}}} {
		got, err := a.Apply(waiting)
		wantError(t, name, err, "fits no document")
		if got != nil {
			t.Errorf("%s: there is a bundle", name)
		}
	}
}

func keyFor(t *testing.T, b *transfer.Bundle) tuf.Key {
	t.Helper()
	reqs, err := b.Requirements(tuf.Root)
	if err != nil {
		t.Fatal(err)
	}
	return reqs[0].Keys[0]
}

func TestSignaturesComeBackByteForByte(t *testing.T) {
	k := keyFor(t, qrtest.Waiting(t, 1))
	der := func(r, s int64) []byte {
		b, err := asn1.Marshal(ecdsaSignature{big.NewInt(r), big.NewInt(s)})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, sig := range map[string][]byte{
		"small numbers":    der(1, 2),
		"zeros":            der(0, 0),
		"a negative one":   der(-1, 2),
		"something behind": append(der(1, 2), 0),
		"no DER":           []byte("hello"),
		"nothing":          {},
		"a number too big": {0x30, 0x26, 0x02, 0x21, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 1},
	} {
		if !slices.ContainsFunc(expand(compact(sig, k), k), func(whole []byte) bool { return bytes.Equal(whole, sig) }) {
			t.Errorf("%s: it does not come back", name)
		}
	}
	if n := len(compact(der(1, 2), k)); n != 64 {
		t.Errorf("the compact form has %d bytes", n)
	}
}

func TestDamagedAnswersAreRefused(t *testing.T) {
	good := (&Answer{make([]byte, 32), [][]byte{make([]byte, 64)}}).Bytes()
	for name, raw := range map[string][]byte{
		"nothing":                        {},
		"only a digest":                  good[:33],
		"half a digest":                  good[:20],
		"a digest of two bytes":          {2, 0, 0, 1, 1},
		"a digest of forty bytes":        append([]byte{40}, make([]byte, 60)...),
		"half a signature":               good[:60],
		"an empty signature":             append(bytes.Clone(good), 0),
		"a length in a longer form":      append(bytes.Clone(good), 0x81, 0x00, 1),
		"a length without end":           append(bytes.Clone(good), 0xff),
		"more signatures than we follow": append(bytes.Clone(good), bytes.Repeat([]byte{1, 1}, MaxSignatures)...),
	} {
		_, err := Parse(raw)
		wantError(t, name, err, "answer: ")
	}
	for _, n := range []int{0, 3, 66, 68, 130} {
		_, err := ParseShort(make([]byte, n))
		wantError(t, "short", err, "are no signatures")
	}
}

func FuzzParse(f *testing.F) {
	f.Add((&Answer{make([]byte, 32), [][]byte{make([]byte, 64), {1, 2, 3}}}).Bytes())
	f.Add((&Answer{make([]byte, 3), [][]byte{make([]byte, 256)}}).Bytes())
	waiting := qrtest.Waiting(f, 1)
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := Parse(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(a.Bytes(), raw) {
			t.Fatalf("a second spelling was read: %x", raw)
		}
		if _, err := a.Apply(waiting); err == nil {
			t.Fatal("a signature was made up")
		}
	})
}
