package light

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/qr"
	"conclave/transfer/qr/answer"
	"conclave/transfer/qr/paint"
	"conclave/transfer/qr/qrtest"
)

// receive takes what a player shows until it is a whole, and opens it with what is on the shelf.
func receive(t *testing.T, p *Player, shelf *qr.Shelf) *qr.Content {
	t.Helper()
	r := qr.NewReceiver(time.Now)
	for range 10_000 {
		if _, err := r.Add(p.Frame()); err != nil {
			t.Fatal(err)
		}
		if raw, ok := r.Done(); ok {
			c, err := qr.Unpack(raw, shelf.Find)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		if err := p.Next(); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("it never comes to an end")
	return nil
}

func TestAnAnswerIsOneLargeSymbol(t *testing.T) {
	came := qrtest.Waiting(t, 40, 3)
	signed := qrtest.Sign(t, came, tuf.Targets, "Alice")
	offers, err := Export(came, signed)
	if err != nil || len(offers) != 2 {
		t.Fatalf("%d offers, %v", len(offers), err)
	}
	if offers[0].Title != "the new signature alone" || len(offers[0].Needs) > 0 {
		t.Errorf("got %q, which needs %d files", offers[0].Title, len(offers[0].Needs))
	}
	p := NewPlayer(offers[0], qr.Dense)
	if err := p.Resize(120, 40); err != nil || !p.Still() {
		t.Fatalf("one signature is not one symbol: %v", err)
	}
	if d := p.Status().Density; Modules(d) > 40 {
		t.Errorf("the symbol has %v: larger modules would do", d)
	}
	a, err := receive(t, p, nil).Answer()
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.Apply(came)
	if err != nil || !bytes.Equal(qrtest.Bytes(t, got), qrtest.Bytes(t, signed)) {
		t.Errorf("the answer joins into another bundle: %v", err)
	}
}

// Modules is how many there are on a side.
func Modules(d Density) int { return paint.Modules(d.Version) }

// The bundle that came in is what the other side has for certain.
func TestTheWholeBundleIsADeltaAgainstTheOneThatCame(t *testing.T) {
	came := qrtest.Waiting(t, 400, 3)
	signed := qrtest.Sign(t, qrtest.Sign(t, came, tuf.Targets, "Alice"), tuf.Root, "Bob")
	offers, err := Export(came, signed)
	if err != nil {
		t.Fatal(err)
	}
	whole := offers[len(offers)-1]
	if len(whole.Needs) != 1 || whole.Needs[0].Name != "the bundle that came in" {
		t.Fatalf("it needs %d files", len(whole.Needs))
	}
	var shelf qr.Shelf
	shelf.Add(qrtest.Bytes(t, came))
	p := NewPlayer(whole, qr.Dense)
	if err := p.Resize(80, 24); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, p, &shelf); !bytes.Equal(got.Bytes, qrtest.Bytes(t, signed)) {
		t.Error("another bundle came out")
	}
}

// A signature answer to a plan could not be joined anywhere: its documents were built in the ceremony.
func TestAGenesisGoesWhole(t *testing.T) {
	signed := qrtest.Sign(t, (&transfer.Bundle{Purpose: "first", Created: qrtest.Today}).With(tuf.Root, qrtest.Root(t, 1)), tuf.Root, "Alice")
	came := &transfer.Bundle{Purpose: "first", Created: qrtest.Today, Plan: &transfer.Plan{Algorithm: "p256", RootThreshold: 1, TargetsThreshold: 1, RootExpires: qrtest.Today, TargetsExpires: qrtest.Today}}
	offers, err := Export(came, signed)
	if err != nil || len(offers) != 1 || offers[0].Title != "the whole bundle" {
		t.Errorf("%d offers, %v", len(offers), err)
	}
}

// A made is a ceremony that has made its bundle of the one that came in.
type made struct {
	came   *transfer.Bundle
	result []byte
}

func (m made) Came() *transfer.Bundle { return m.came }

func (m made) Result() (name string, file []byte, err error) {
	return "signed.bundle.json", m.result, nil
}

// What people at another site signed before is known where the bundle goes back to: it is not sent again.
func TestOnlyNewSignaturesOfASittingGoBack(t *testing.T) {
	waiting := qrtest.Waiting(t, 5)
	came := qrtest.Sign(t, waiting, tuf.Targets, "Alice", "Bob")
	signed := qrtest.Sign(t, came, tuf.Root, "Carol")
	offers, err := Offers(made{came, qrtest.Bytes(t, signed)})
	if err != nil || len(offers) != 2 {
		t.Fatalf("%d offers, %v", len(offers), err)
	}
	if o := offers[0]; o.Title != "the new signature alone" || o.File != "signed.bundle.json" {
		t.Errorf("offered: %s of %s", o.Title, o.File)
	}
	if got := offers[1].Digest(); got != tuf.DigestOf(qrtest.Bytes(t, signed)).Hex() {
		t.Error("another file is shown than was made")
	}
	if _, err := Offers(made{came, []byte("half a bundle")}); err == nil {
		t.Error("no error")
	}
}

func TestNothingNewIsNoAnswer(t *testing.T) {
	b := qrtest.Waiting(t, 5)
	var why *answer.Error
	if _, err := Answer(b, b); !errors.As(err, &why) {
		t.Errorf("got %v", err)
	}
	if offers, err := Export(b, b); err != nil || len(offers) != 1 {
		t.Errorf("%d offers, %v", len(offers), err)
	}
}

// Whatever is done to the size and the density on the way, the bundle comes through.
func TestResizingAndDensityLoseNothing(t *testing.T) {
	b := qrtest.Waiting(t, 300)
	o, err := Bundle(b)
	if err != nil {
		t.Fatal(err)
	}
	p := NewPlayer(o, qr.Dense)
	if err := p.Resize(80, 24); err != nil {
		t.Fatal(err)
	}
	r := qr.NewReceiver(time.Now)
	changes := map[int]func() error{
		5:  func() error { return p.Denser(1) },
		9:  func() error { return p.Denser(9) },
		12: func() error { return p.Resize(200, 60) },
		15: func() error { return p.Denser(-9) },
		18: func() error { return p.Resize(80, 24) },
	}
	for i := range 400 {
		if change, ok := changes[i]; ok {
			if err := change(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.Add(p.Frame()); err != nil {
			t.Fatal(err)
		}
		if raw, ok := r.Done(); ok {
			c, err := qr.Unpack(raw, nil)
			if err != nil || !bytes.Equal(c.Bytes, qrtest.Bytes(t, b)) {
				t.Fatalf("another bundle came out: %v", err)
			}
			return
		}
		if err := p.Next(); err != nil {
			t.Fatal(err)
		}
	}
	t.Error("it never comes to an end")
}

func TestSizes(t *testing.T) {
	o, err := Bundle(qrtest.Waiting(t, 300))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		cols, rows int
		version    int
		beside     bool
	}{
		{80, 24, 7, true},
		{120, 40, 15, true},
		{200, 60, 25, true},
		{80, 60, 14, false},
		{100, 24, 7, true},
	} {
		t.Run(fmt.Sprintf("%dx%d", tt.cols, tt.rows), func(t *testing.T) {
			p := NewPlayer(o, qr.Dense)
			if err := p.Resize(tt.cols, tt.rows); err != nil {
				t.Fatal(err)
			}
			if d := p.Status().Density; d.Version != tt.version || d.Cells != paint.HalfBlocks || p.Beside() != tt.beside {
				t.Errorf("got version %d in %v, text beside: %v", d.Version, d.Cells, p.Beside())
			}
			lines := p.Lines()
			if len(lines) == 0 || len(lines) > tt.rows || len([]rune(lines[0])) > tt.cols {
				t.Errorf("%d lines", len(lines))
			}
			for p.CanDenser(1) {
				before := p.Status().Enough
				if err := p.Denser(1); err != nil || p.Status().Enough > before {
					t.Errorf("denser symbols need %d frames, not %d: %v", p.Status().Enough, before, err)
				}
			}
		})
	}
	p := NewPlayer(o, qr.Dense)
	if err := p.Resize(20, 8); !errors.Is(err, ErrNoRoom) || p.Lines() != nil || !p.Still() {
		t.Errorf("a terminal without room: %v", err)
	}
	if err := p.Resize(80, 24); err != nil || p.Still() {
		t.Errorf("and with room again: %v", err)
	}
}

func TestPicturesAreNotOverwritten(t *testing.T) {
	o, err := File([]byte(strings.Repeat("many words of a file that is no bundle ", 3)))
	if err != nil {
		t.Fatal(err)
	}
	print, err := NewPrint(o.Message, qr.Dense, PictureVersion, paint.L)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "pictures")
	if err := WritePNG(dir, print); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "qr-001.png")
	if err := os.WriteFile(path, []byte("a photograph"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := WritePNG(dir, print); !errors.Is(err, transfer.ErrExists) {
		t.Errorf("got %v", err)
	}
}
