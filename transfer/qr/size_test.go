package qr_test

import (
	"bytes"
	"testing"

	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/qr"
	"conclave/transfer/qr/paint"
	"conclave/transfer/qr/qrtest"
)

// The terminals that the project promises to fit. What there is to say stands beside the symbol.
var terminals = map[string]paint.Screen{
	"80x24":  {Cols: 80, Rows: 24},
	"120x40": {Cols: 120, Rows: 40},
	"200x60": {Cols: 200, Rows: 60},
}

func chars(terminal string) int { return paint.Capacity(terminals[terminal].Largest(), paint.L) }

func mustSender(t testing.TB, m *qr.Message, style qr.Style, chars int) *qr.Sender {
	t.Helper()
	s, err := qr.NewSender(m, style, chars)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustPack(t testing.TB, b *transfer.Bundle, bases ...[]byte) *qr.Message {
	t.Helper()
	m, err := qr.Pack(b, bases...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// wantFrames fails the test where a message takes more frames than it may.
func wantFrames(t *testing.T, what string, m *qr.Message, limits map[string]int) {
	t.Helper()
	for terminal, limit := range limits {
		n := mustSender(t, m, qr.Dense, chars(terminal)).Parts()
		t.Logf("%s: %d bytes as %v, %d frames at %s", what, m.Size(), m.Envelope.Codec, n, terminal)
		if n > limit {
			t.Errorf("%s: %d frames at %s, more than %d", what, n, terminal, limit)
		}
	}
}

// crosses fails the test unless the other side, with this on its shelf, gets the bundle byte for byte.
func crosses(t *testing.T, m *qr.Message, want *transfer.Bundle, shelf *qr.Shelf) {
	t.Helper()
	c, err := qr.Unpack(m.Envelope.Bytes(), shelf.Find)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Bundle()
	if err != nil || !bytes.Equal(qrtest.Bytes(t, got), qrtest.Bytes(t, want)) {
		t.Fatalf("another bundle came out: %v", err)
	}
}

func TestTwoMegabytesWithTenChangesCrossInFewFrames(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds, and shares nothing")
	}
	waiting := qrtest.Waiting(t, 11000, 3, 40, 500, 1200, 3000, 4000, 5500, 7000, 8000, 10999)
	if n := len(waiting.Document(tuf.Targets).Bytes()); n < 2_000_000 {
		t.Fatalf("the targets have %d bytes", n)
	}
	var shelf qr.Shelf
	shelf.Add(qrtest.Bytes(t, qrtest.Before(waiting))) // the ceremony machine has the bundle before
	m := mustPack(t, waiting, qr.Bases(waiting)...)
	wantFrames(t, "ten changes in 2 MB", m, map[string]int{"80x24": 10, "120x40": 3})
	crosses(t, m, waiting, &shelf)

	// Back, with signatures: the unsigned bundle is on both sides.
	signed := qrtest.Sign(t, qrtest.Sign(t, waiting, tuf.Root, "Alice", "Bob"), tuf.Targets, "Alice", "Bob")
	shelf.Add(qrtest.Bytes(t, waiting))
	back := mustPack(t, signed, qrtest.Bytes(t, waiting))
	wantFrames(t, "the same with four signatures", back, map[string]int{"80x24": 5, "120x40": 2})
	crosses(t, back, signed, &shelf)
}

// realChange is the bundle for root 9 of a real repository, on roots 5 to 8, and the one before.
func realChange(t testing.TB) (before, waiting *transfer.Bundle) {
	t.Helper()
	var roots []*tuf.Document
	for _, raw := range qrtest.RealRoots(t, 5, 6, 7, 8, 9) {
		doc, err := tuf.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		roots = append(roots, doc)
	}
	at := func(version int) *transfer.Bundle {
		b := &transfer.Bundle{Purpose: "root signing", Created: qrtest.Today, Base: transfer.Base{
			Roots: roots[:version-5], Seen: map[string]int64{tuf.Root: int64(version - 1)},
		}}
		return b.With(tuf.Root, roots[version-5])
	}
	return at(8), at(9)
}

func TestRealRootChangeCrossesInFewFrames(t *testing.T) {
	before, signed := realChange(t)
	var shelf qr.Shelf
	shelf.Add(qrtest.Bytes(t, before))
	waiting := signed.With(tuf.Root, tuf.Unsigned(signed.Document(tuf.Root)))
	for what, b := range map[string]*transfer.Bundle{"root 9 unsigned": waiting, "root 9 with its five signatures": signed} {
		limits := map[string]int{"80x24": 10, "120x40": 3}
		m := mustPack(t, b, qr.Bases(b)...)
		wantFrames(t, what, m, limits)
		crosses(t, m, b, &shelf)
		m = mustPack(t, b, qrtest.Bytes(t, before))
		wantFrames(t, what+", on the bundle before", m, limits)
		crosses(t, m, b, &shelf)
	}
}

func TestRealRootFileCrossesInFewFrames(t *testing.T) {
	roots := qrtest.RealRoots(t, 8, 9)
	m, err := qr.PackFile(roots[1], roots[0])
	if err != nil {
		t.Fatal(err)
	}
	wantFrames(t, "the file of root 9 on that of root 8", m, map[string]int{"80x24": 10, "120x40": 3})
	var shelf qr.Shelf
	shelf.Add(roots[0])
	c, err := qr.Unpack(m.Envelope.Bytes(), shelf.Find)
	if err != nil || !bytes.Equal(c.Bytes, roots[1]) {
		t.Errorf("another file came out: %v", err)
	}
	if _, err := c.Bundle(); err == nil {
		t.Error("a file was read as a bundle")
	}
}
