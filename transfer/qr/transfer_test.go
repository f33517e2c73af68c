package qr_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/qr"
	"conclave/transfer/qr/answer"
	"conclave/transfer/qr/armour"
	"conclave/transfer/qr/envelope"
	"conclave/transfer/qr/paint"
	"conclave/transfer/qr/qrtest"
	"conclave/transfer/qr/ur"
)

// A clock goes on by a tenth of a second whenever somebody looks.
type clock struct{ t time.Time }

func newClock() *clock { return &clock{qrtest.Today} }

func (c *clock) now() time.Time {
	c.t = c.t.Add(100 * time.Millisecond)
	return c.t
}

// noise is n bytes that do not get smaller.
func noise(n int, seed byte) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func mustFile(t testing.TB, content []byte) *qr.Message {
	t.Helper()
	m, err := qr.PackFile(content)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// wantContent fails the test unless the receiver is done and has content.
func wantContent(t testing.TB, r *qr.Receiver, content []byte) {
	t.Helper()
	raw, ok := r.Done()
	if !ok {
		t.Fatal("the receiver is not done")
	}
	c, err := qr.Unpack(raw, nil)
	if err != nil || !bytes.Equal(c.Bytes, content) {
		t.Fatalf("another content came out: %v", err)
	}
}

func TestAnyFramesInAnyOrderGiveTheMessage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		content := noise(rapid.IntRange(0, 4000).Draw(t, "bytes"), 3)
		m, err := qr.PackFile(content)
		if err != nil {
			t.Fatal(err)
		}
		style := rapid.SampledFrom([]qr.Style{qr.Dense, qr.Compatible}).Draw(t, "style")
		s, err := qr.NewSender(m, style, rapid.IntRange(150, 2000).Draw(t, "chars"))
		if err != nil {
			t.Fatal(err)
		}
		seed := rapid.Uint64().Draw(t, "seed")
		dice := rand.New(rand.NewPCG(seed, 1))
		loss := dice.IntN(60)
		r := qr.NewReceiver(newClock().now)
		for range dice.IntN(20) { // somebody was late
			s.Next()
		}
		var before qr.Progress
		for shown := 0; ; shown++ {
			if shown > 60*s.Parts()+600 {
				t.Fatalf("not complete after %d frames: %+v", shown, before)
			}
			text := s.Next().Text
			if dice.IntN(100) < loss {
				continue
			}
			if dice.IntN(2) == 0 {
				text = strings.ToLower(text)
			}
			p, err := r.Add(text)
			if err != nil {
				t.Fatal(err)
			}
			if p.Rank < before.Rank && !p.Done || p.Rank > p.Need || p.Frames <= before.Frames && !p.Done {
				t.Fatalf("progress went from %+v to %+v", before, p)
			}
			if before = p; p.Done {
				break
			}
		}
		raw, _ := r.Done()
		c, err := qr.Unpack(raw, nil)
		if err != nil || c.Kind != envelope.File || !bytes.Equal(c.Bytes, content) {
			t.Fatalf("another content came out: %v", err)
		}
	})
}

func TestAnswerOfTwoSignaturesIsOneSymbolAt80x24(t *testing.T) {
	waiting := qrtest.Waiting(t, 5, 2)
	signed := qrtest.Sign(t, qrtest.Sign(t, waiting, tuf.Root, "Alice"), tuf.Targets, "Alice")
	a, err := answer.Of(waiting, signed)
	if err != nil {
		t.Fatal(err)
	}
	m, err := qr.PackAnswer(a)
	if err != nil {
		t.Fatal(err)
	}
	s := mustSender(t, m, qr.Dense, chars("80x24"))
	first := s.Frame()
	if second := s.Next(); s.Parts() != 1 || second != first {
		t.Fatalf("it takes %d frames", s.Parts())
	}
	if _, err := paint.Encode(s.Frame().Text, terminals["80x24"].Largest(), paint.L); err != nil {
		t.Fatal(err)
	}
	r := qr.NewReceiver(newClock().now)
	if p, err := r.Add(s.Frame().Text); err != nil || !p.Done || !p.News {
		t.Fatalf("%+v, %v", p, err)
	}
	joined(t, r, waiting, signed)
}

// joined fails the test unless the received answer makes the waiting bundle the signed one.
func joined(t testing.TB, r *qr.Receiver, waiting, signed *transfer.Bundle) {
	t.Helper()
	raw, _ := r.Done()
	c, err := qr.Unpack(raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.Answer()
	if err != nil {
		t.Fatal(err)
	}
	applied, err := a.Apply(waiting)
	if err != nil {
		t.Fatal(err)
	}
	got, dropped, err := transfer.Join(waiting, applied)
	if err != nil || len(dropped) > 0 || !bytes.Equal(qrtest.Bytes(t, got), qrtest.Bytes(t, signed)) {
		t.Fatalf("another bundle came out: %v, dropped %q", err, dropped)
	}
}

func TestAnswerOfManySignaturesTakesMoreFrames(t *testing.T) {
	waiting := qrtest.Waiting(t, 5, 2)
	signed := waiting
	for _, role := range []string{tuf.Root, tuf.Targets} {
		signed = qrtest.Sign(t, signed, role, "Alice", "Bob", "Carol")
	}
	a, err := answer.Of(nil, signed)
	if err != nil {
		t.Fatal(err)
	}
	m, err := qr.PackAnswer(a)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		style qr.Style
		chars int
		parts int
	}{
		{qr.Dense, chars("80x24"), 4}, {qr.Dense, chars("120x40"), 1}, {qr.Compatible, chars("120x40"), 2},
	} {
		s := mustSender(t, m, c.style, c.chars)
		if s.Parts() != c.parts {
			t.Errorf("%d frames of %d characters, want %d", s.Parts(), c.chars, c.parts)
		}
		r := qr.NewReceiver(newClock().now)
		for p := (qr.Progress{}); !p.Done; {
			if p, err = r.Add(s.Next().Text); err != nil {
				t.Fatal(err)
			}
		}
		joined(t, r, waiting, signed)
	}
}

// The attack: frames of another transfer are shown between those of the one that is read.
func TestFramesOfTwoTransfersAreToldApart(t *testing.T) {
	ours, theirs := noise(3000, 1), noise(3000, 2)
	a, b := mustSender(t, mustFile(t, ours), qr.Dense, 300), mustSender(t, mustFile(t, theirs), qr.Dense, 300)
	r := qr.NewReceiver(newClock().now)
	var p qr.Progress
	foreign := 0
	for !p.Done {
		var err error
		if p, err = r.Add(a.Next().Text); err != nil {
			t.Fatal(err)
		}
		if foreign++; p.Done || foreign%3 > 0 {
			continue
		}
		rank := p.Rank
		p, err = r.Add(b.Next().Text)
		var other *qr.ForeignError
		if !errors.As(err, &other) || other.Got != b.Name() || other.Reading != a.Name() || other.Hint() == "" {
			t.Fatalf("a frame of the other: %v", err)
		}
		if p.Name != a.Name() || p.Rank != rank || p.News {
			t.Fatalf("progress is %+v", p)
		}
	}
	wantContent(t, r, ours)
}

func TestReceiverGoesOverToWhatIsShownNow(t *testing.T) {
	old, now := mustSender(t, mustFile(t, noise(3000, 1)), qr.Dense, 300), mustSender(t, mustFile(t, noise(3000, 2)), qr.Dense, 300)
	r := qr.NewReceiver(newClock().now)
	for range 5 {
		if _, err := r.Add(old.Next().Text); err != nil {
			t.Fatal(err)
		}
	}
	var p qr.Progress
	switched := 0
	for !p.Done {
		var err error
		p, err = r.Add(now.Next().Text)
		var other *qr.ForeignError
		if errors.As(err, &other) && other.Switched {
			switched++
		}
	}
	if switched != 1 {
		t.Errorf("it said %d times that it goes over", switched)
	}
	wantContent(t, r, noise(3000, 2))
}

func TestManyTransfersDoNotFillTheMemory(t *testing.T) {
	s := mustSender(t, mustFile(t, noise(3000, 1)), qr.Dense, 300)
	r := qr.NewReceiver(newClock().now)
	var p qr.Progress
	for i := 0; !p.Done; i++ {
		var err error
		if p, err = r.Add(s.Next().Text); err != nil {
			t.Fatal(err)
		}
		if p.Done {
			break
		}
		other := mustSender(t, mustFile(t, noise(2000, byte(2+i))), qr.Dense, 300)
		if p, err = r.Add(other.Frame().Text); err == nil {
			t.Fatal("a frame of another transfer was taken")
		}
	}
	wantContent(t, r, noise(3000, 1))
}

// The attack: a symbol that has all numbers of the transfer, and other data.
func TestForgedFrameMakesItStartAgain(t *testing.T) {
	content := noise(3000, 1)
	m := mustFile(t, content)
	s := mustSender(t, m, qr.Dense, 300)
	f, err := armour.Parse(s.At(3).Text)
	if err != nil {
		t.Fatal(err)
	}
	f.Part.Data = noise(len(f.Part.Data), 9)
	r := qr.NewReceiver(newClock().now)
	if _, err := r.Add(armour.Dense(f.Part)); err != nil {
		t.Fatal(err)
	}
	restarts := 0
	for p := (qr.Progress{}); !p.Done; {
		p, err = r.Add(s.Next().Text)
		var again *qr.RestartError
		if errors.As(err, &again) && again.Hint() != "" {
			restarts++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if restarts != 1 {
		t.Errorf("it started again %d times", restarts)
	}
	wantContent(t, r, content)
}

func TestChangedSizeKeepsWhatIsKnown(t *testing.T) {
	content := noise(6000, 1)
	s := mustSender(t, mustFile(t, content), qr.Dense, 200)
	r := qr.NewReceiver(newClock().now)
	for range s.Parts() * 2 / 3 {
		if _, err := r.Add(s.Next().Text); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Resize(700); err != nil {
		t.Fatal(err)
	}
	more := 0
	for p := (qr.Progress{}); !p.Done; more++ {
		var err error
		s.Next()
		if p, err = r.Add(s.At(s.Parts() + 1 + more).Text); err != nil {
			t.Fatal(err)
		}
	}
	if limit := s.Parts()*2/3 + 6; more > limit {
		t.Errorf("it took %d more frames of %d", more, s.Parts())
	}
	wantContent(t, r, content)
}

func TestOtherTextsDoNoHarm(t *testing.T) {
	content := noise(2000, 1)
	s := mustSender(t, mustFile(t, content), qr.Dense, 300)
	r := qr.NewReceiver(newClock().now)
	for p := (qr.Progress{}); !p.Done; {
		for _, text := range []string{"https://example.com", "", "*", s.Frame().Text[:40], "$AAAA", strings.Repeat("C1:", 4000)} {
			if _, err := r.Add(text); err == nil {
				t.Fatalf("%.20q was taken", text)
			}
		}
		var err error
		if p, err = r.Add(s.Next().Text); err != nil {
			t.Fatal(err)
		}
	}
	wantContent(t, r, content)
}

func TestMessageOfAnotherProgramIsForgotten(t *testing.T) {
	e, err := ur.NewEncoder(ur.WrapBytes([]byte("somebody's bitcoins, in three parts")), 15)
	if err != nil {
		t.Fatal(err)
	}
	r := qr.NewReceiver(newClock().now)
	for seq := range e.Stream().Fragments {
		_, err = r.Add(armour.UR(e.Part(uint32(seq + 1))))
	}
	var other *qr.NotEnvelopeError
	if !errors.As(err, &other) || other.Hint() == "" {
		t.Fatal(err)
	}
	content := noise(500, 1)
	s := mustSender(t, mustFile(t, content), qr.Dense, 300)
	for p := (qr.Progress{}); !p.Done; {
		if p, err = r.Add(s.Next().Text); err != nil {
			t.Fatal(err)
		}
	}
	wantContent(t, r, content)
}

func TestProgressSaysHowLongItTakes(t *testing.T) {
	s := mustSender(t, mustFile(t, noise(6000, 1)), qr.Dense, 300)
	c := newClock()
	r := qr.NewReceiver(func() time.Time { return c.t })
	var p qr.Progress
	for range 10 {
		c.t = c.t.Add(125 * time.Millisecond) // 8 a second
		p, _ = r.Add(s.Next().Text)
	}
	if want := time.Duration(p.Need-10) * 125 * time.Millisecond; p.Rank != 10 || p.Expect != want || p.Name != s.Name() {
		t.Errorf("%+v, want %v", p, want)
	}
	c.t = c.t.Add(10 * time.Second) // somebody stands in between
	if q, _ := r.Add(s.Frame().Text); q.News || q.Expect <= p.Expect {
		t.Errorf("after a silence: %+v", q)
	}
}

func TestWrongBaseIsNamed(t *testing.T) {
	waiting := qrtest.Waiting(t, 100, 3)
	m := mustPack(t, waiting, qr.Bases(waiting)...)
	var shelf qr.Shelf
	shelf.Add(qrtest.Bytes(t, qrtest.Before(qrtest.Waiting(t, 99)))) // of another repository
	_, err := qr.Unpack(m.Envelope.Bytes(), shelf.Find)
	var wrong *envelope.WrongBaseError
	if !errors.As(err, &wrong) || wrong.Want != m.Envelope.Bases[0] {
		t.Fatal(err)
	}
	shelf.Add(qrtest.Bytes(t, qrtest.Before(waiting)))
	crosses(t, m, waiting, &shelf)
}

func TestBundleCrossesWithoutAnyBase(t *testing.T) {
	waiting := qrtest.Waiting(t, 20, 3)
	m := mustPack(t, waiting)
	if len(m.Envelope.Bases) > 0 {
		t.Fatal("it has a base")
	}
	crosses(t, m, waiting, new(qr.Shelf))
	c, err := qr.Unpack(m.Envelope.Bytes(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var kind *qr.KindError
	if _, err := c.Answer(); !errors.As(err, &kind) || kind.Hint() == "" {
		t.Error(err)
	}
}

func TestTooSmallSymbolsAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ bytes, chars int }{
		"a symbol that holds nothing": {100, 30}, "too many frames": {1 << 20, 100},
	} {
		_, err := qr.NewSender(mustFile(t, noise(c.bytes, 1)), qr.Dense, c.chars)
		var large *qr.TooLargeError
		if !errors.As(err, &large) || large.Hint() == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzReceiver(f *testing.F) {
	s := mustSender(f, mustFile(f, []byte("a small message that takes a few frames at this size, or one")), qr.Dense, 100)
	for seq := 1; seq < 6; seq++ {
		f.Add(s.At(seq).Text)
	}
	f.Add(armour.Short(make([]byte, 67)))
	f.Fuzz(func(t *testing.T, text string) {
		r := qr.NewReceiver(newClock().now)
		p, err := r.Add(s.At(1).Text)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 { // more than it takes to go over to another transfer
			if p, err = r.Add(text); p.Done {
				break
			}
		}
		raw, done := r.Done()
		if done != p.Done {
			t.Fatalf("done is %v, progress %+v, %v", done, p, err)
		}
		if done {
			if _, err := envelope.Parse(raw); err != nil {
				t.Fatalf("what came out is no envelope: %v", err)
			}
		}
	})
}

// The live targets travel along with a change of the root, and the machine in the room has never held them.
func TestNobodyHasToHoldWhatOnlyTravelsAlong(t *testing.T) {
	b := qrtest.Waiting(t, 3)
	if n := len(qr.Bases(b)); n != 2 {
		t.Errorf("root and targets change on %d bases, want 2", n)
	}
	b.Documents = b.Documents[:1]
	if n := len(qr.Bases(b)); n != 1 || !b.RootAlone() {
		t.Errorf("the root alone (%v) changes on %d bases, want its chain", b.RootAlone(), n)
	}
}
