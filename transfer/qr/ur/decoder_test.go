package ur

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func mustEncoder(t testing.TB, message []byte, size int) *Encoder {
	t.Helper()
	e, err := NewEncoder(message, size)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func mustDecoder(t testing.TB, p Part) *Decoder {
	t.Helper()
	d, err := NewDecoder(p)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAnyEnoughPartsGiveTheMessage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		message := rapid.SliceOfN(rapid.Byte(), 1, 3000).Draw(t, "message")
		e, err := NewEncoder(message, rapid.IntRange(MinFragment, 400).Draw(t, "size"))
		if err != nil {
			t.Fatal(err)
		}
		part := e.Part
		if rapid.Bool().Draw(t, "weighted") {
			part = e.Weighted
		}
		loss := rapid.IntRange(0, 70).Draw(t, "loss")
		seed := rapid.Uint64().Draw(t, "seed")
		dice := rand.New(rand.NewPCG(seed, seed))
		var d *Decoder
		seq := uint32(0)
		for shown := 0; d == nil || d.Message() == nil; shown++ {
			if shown > 40*e.Stream().Fragments+400 {
				t.Fatalf("not complete after %d parts, rank %d of %d", shown, d.Rank(), e.Stream().Fragments)
			}
			if seq = e.Stream().After(seq); dice.IntN(100) < loss {
				continue
			}
			p := part(seq)
			if d == nil {
				if d, err = NewDecoder(p); err != nil {
					t.Fatal(err)
				}
			}
			before := d.Rank()
			news, err := d.Add(p)
			if err != nil || news != (d.Rank() == before+1) {
				t.Fatalf("rank went from %d to %d, news %v, %v", before, d.Rank(), news, err)
			}
			if again, err := d.Add(p); again || err != nil {
				t.Fatalf("the same part again: news %v, %v", again, err)
			}
		}
		if !bytes.Equal(d.Message(), message) {
			t.Fatal("another message came out")
		}
	})
}

func TestMixedPartsAloneGiveTheMessage(t *testing.T) {
	message := WrapBytes(wolf(32767))
	e := mustEncoder(t, message, 1000)
	d := mustDecoder(t, e.Part(101))
	for seq := uint32(101); d.Message() == nil; seq++ {
		if seq > 400 {
			t.Fatalf("rank is %d after 300 parts", d.Rank())
		}
		if _, err := d.Add(e.Part(seq)); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(d.Message(), message) {
		t.Error("another message came out")
	}
}

func TestPartsOfAnotherMessageChangeNothing(t *testing.T) {
	ours, theirs := mustEncoder(t, wolf(500), 50), mustEncoder(t, wolf(499), 50)
	d := mustDecoder(t, ours.Part(1))
	for seq := uint32(1); d.Message() == nil; seq++ {
		if _, err := d.Add(theirs.Part(seq)); !errors.Is(err, ErrOtherStream) {
			t.Fatalf("part %d of another message: %v", seq, err)
		}
		if _, err := d.Add(ours.Part(seq)); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(d.Message(), wolf(500)) {
		t.Error("another message came out")
	}
}

// The attack: somebody holds a symbol into the picture which belongs to the
// message by all its numbers, and carries other data. Whatever comes out, it must not be
// another message; and once the symbol is gone the message must still get through.
func TestForgedPartIsFoundAndForgotten(t *testing.T) {
	message := wolf(900)
	e := mustEncoder(t, message, 90)
	for at := range 10 {
		d := mustDecoder(t, e.Part(1))
		found := false
		for seq := uint32(1); d.Message() == nil; seq++ {
			if seq > 60 {
				t.Fatalf("forged at %d: the message does not get through, rank %d", at, d.Rank())
			}
			p := e.Part(seq)
			if int(seq) == at+1 {
				p.Data[7] ^= 1
			}
			_, err := d.Add(p)
			found = found || errors.Is(err, ErrContradiction)
		}
		if !found {
			t.Errorf("forged at %d: nobody noticed", at)
		}
		if !bytes.Equal(d.Message(), message) {
			t.Fatalf("forged at %d: another message came out", at)
		}
	}
}

// The attack: parts whose numbers promise more than fits into memory, or make no sense.
func TestPartsBeyondTheLimitsAreRefused(t *testing.T) {
	part := func(seq, k, length, sum uint64, data []byte) []byte {
		b := []byte{0x85}
		for _, n := range []uint64{seq, k, length, sum} {
			b = binary.BigEndian.AppendUint32(append(b, 0x1a), uint32(n))
		}
		return append(appendHead(b, majorBytes, uint32(len(data))), data...)
	}
	e := mustEncoder(t, wolf(100), 50)
	good := e.Part(1).CBOR()
	cases := map[string][]byte{
		"nothing":                       nil,
		"a number in a longer form":     part(1, 2, 100, 7, make([]byte, 50)),
		"four billion fragments":        part(1<<20, 1<<32-1, 1<<32-1, 1<<31, make([]byte, 50)),
		"a message of four gigabytes":   part(1<<20, 1<<16, 1<<32-1, 1<<31, make([]byte, 50)),
		"a text instead of bytes":       append([]byte{0x85, 1, 1, 1, 1, 0x61}, 'x'),
		"part number 0":                 {0x85, 0, 1, 1, 1, 0x41, 0},
		"no fragments":                  {0x85, 1, 0, 1, 1, 0x41, 0},
		"an empty message":              {0x85, 1, 1, 0, 1, 0x41, 0},
		"no data":                       {0x85, 1, 1, 1, 1, 0x40},
		"less data than announced":      good[:len(good)-1],
		"more data than announced":      append(bytes.Clone(good), 0),
		"data that cannot hold it":      {0x85, 1, 2, 10, 1, 0x44, 0, 0, 0, 0},
		"one fragment more than needed": {0x85, 1, 3, 4, 1, 0x42, 0, 0},
		"a list of four":                {0x84, 1, 1, 1, 1},
		"a number of 64 bits":           {0x85, 0x1b, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0x41, 0},
		"an endless list":               {0x9f, 1, 1, 1, 1, 0x41, 0, 0xff},
	}
	for name, raw := range cases {
		_, err := ParsePart(raw)
		var refused *PartError
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParsePart(good); err != nil {
		t.Errorf("a good part: %v", err)
	}
}

func TestFillingMustBeZero(t *testing.T) {
	message := wolf(99)
	e := mustEncoder(t, message, 50)
	d := mustDecoder(t, e.Part(1))
	if _, err := d.Add(e.Part(1)); err != nil {
		t.Fatal(err)
	}
	last := e.Part(2)
	last.Data[49] = 1 // behind the message's end
	if _, err := d.Add(last); !errors.Is(err, ErrContradiction) {
		t.Errorf("got %v", err)
	}
}

func TestMessagesBeyondTheLimitsAreNotCut(t *testing.T) {
	for name, c := range map[string]struct{ length, size int }{
		"nothing":            {0, 100},
		"too long":           {MaxMessage + 1, 1 << 20},
		"too small pieces":   {100, MinFragment - 1},
		"too many fragments": {MaxFragments*MinFragment + 1, MinFragment},
	} {
		if _, err := NewEncoder(make([]byte, c.length), c.size); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestOneLostFrameNeedsOneMore(t *testing.T) {
	e := mustEncoder(t, wolf(600), 60)
	k := e.Stream().Fragments
	for lost := range k {
		d := mustDecoder(t, e.Part(1))
		for i := range k + 1 {
			if i == lost {
				continue
			}
			if _, err := d.Add(e.Weighted(uint32(i + 1))); err != nil {
				t.Fatal(err)
			}
		}
		if d.Message() == nil {
			t.Errorf("frame %d is lost: %d of %d", lost, d.Rank(), k)
		}
	}
}

// Pictures and paper have few parts to spare: in the standard's form too, they must fill any one gap.
func TestOneSparePartFillsAnyGap(t *testing.T) {
	for _, k := range []int{2, 3, 10, 50} {
		e := mustEncoder(t, wolf(20*k), 20)
		spare := e.Spare(max(2, k/5))
		if len(spare) != max(2, k/5) || e.mixer.degree(spare[0]) != k {
			t.Fatalf("K %d: %d spare parts, the first of %d fragments", k, len(spare), e.mixer.degree(spare[0]))
		}
		for _, seq := range spare[1:] {
			if d := e.mixer.degree(seq); seq <= uint32(k) || seq == spare[0] || 5*d < 2*k || 3*d > 2*k+3 {
				t.Errorf("K %d: spare part %d has %d fragments", k, seq, d)
			}
		}
	}
}

func TestOrderBeginsAgainWithLaterParts(t *testing.T) {
	s := mustEncoder(t, wolf(100), 50).Stream()
	if a, b := s.After(LastSeq-1), s.After(LastSeq); a != LastSeq || b != 3 {
		t.Errorf("got %d and %d", a, b)
	}
	one := mustEncoder(t, wolf(10), 50).Stream()
	if a, b := one.After(0), one.After(1); a != 1 || b != 1 {
		t.Errorf("of one fragment: %d and %d", a, b)
	}
}

// The field's rules hold for every pair; what elimination divides by must never be missing.
func TestProductsAreThoseOfAField(t *testing.T) {
	for a := 1; a < 256; a++ {
		seen := make(map[byte]bool)
		for b := range 256 {
			p := products[a][b]
			if p != products[b][a] || products[a][b^0x53] != p^products[a][0x53] {
				t.Fatalf("%d times %d is %d", a, b, p)
			}
			seen[p] = true
		}
		if len(seen) != 256 || products[a][inverses[a]] != 1 {
			t.Fatalf("%d times something hits %d values; its inverse is %d", a, len(seen), inverses[a])
		}
	}
}

// A person may first show the standard's parts, then weighted ones: what is known stays.
func TestBothKindsOfLaterPartsAddUp(t *testing.T) {
	message := wolf(1000)
	e := mustEncoder(t, message, 50)
	d := mustDecoder(t, e.Part(1))
	for seq := uint32(21); d.Message() == nil; seq++ {
		if seq > 60 {
			t.Fatalf("rank %d of 20", d.Rank())
		}
		for _, p := range []Part{e.Weighted(seq), e.Part(seq)} {
			if _, err := d.Add(p); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !bytes.Equal(d.Message(), message) {
		t.Error("another message came out")
	}
}

func FuzzParsePart(f *testing.F) {
	for _, n := range []int{1, 9, 100, 5000} {
		e := mustEncoder(f, wolf(n), 40)
		for _, seq := range []uint32{1, 2, 30, 300, 70000} {
			f.Add(e.Part(seq).CBOR())
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := ParsePart(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(p.CBOR(), raw) {
			t.Fatalf("a second spelling was read: %x", raw)
		}
		d, err := NewDecoder(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Add(p); err != nil && !errors.Is(err, ErrContradiction) {
			t.Fatal(err)
		}
	})
}

func FuzzParseBytewords(f *testing.F) {
	f.Add(Bytewords(wolf(40)))
	f.Add("AEADAOLAZMJENDEOTI")
	f.Fuzz(func(t *testing.T, s string) {
		b, err := ParseBytewords(s)
		if err == nil && Bytewords(b) != string(bytes.ToLower([]byte(s))) {
			t.Fatalf("a second spelling was read: %q", s)
		}
	})
}

// FuzzDecoder feeds parts that claim to be of one small message.
func FuzzDecoder(f *testing.F) {
	e := mustEncoder(f, wolf(40), MinFragment)
	var parts []byte
	for seq := uint32(1); seq < 8; seq++ {
		parts = append(append(parts, byte(seq)), e.Part(seq).Data...)
	}
	f.Add(parts)
	f.Fuzz(func(t *testing.T, parts []byte) {
		d := mustDecoder(t, e.Part(1))
		for ; len(parts) > MinFragment; parts = parts[1+MinFragment:] {
			_, err := d.Add(Part{Stream: e.Stream(), Seq: uint32(parts[0] & 0x7f), Data: parts[1 : 1+MinFragment], Weighted: parts[0] >= 0x80})
			if err != nil && !errors.Is(err, ErrContradiction) && !errors.Is(err, ErrOtherStream) {
				t.Fatal(err)
			}
		}
		if m := d.Message(); m != nil && checksum(m) != e.Stream().Sum {
			t.Fatal("a message with another checksum came out")
		}
	})
}

func TestWhatIsKnownSurvivesAnotherCut(t *testing.T) {
	message := wolf(5000)
	small, large := mustEncoder(t, message, 60), mustEncoder(t, message, 190)
	for _, c := range []struct {
		name     string
		from, to *Encoder
	}{{"to larger frames", small, large}, {"to smaller frames", large, small}} {
		half := mustDecoder(t, c.from.Part(1))
		for seq := 1; seq <= c.from.Stream().Fragments/2; seq++ {
			if _, err := half.Add(c.from.Part(uint32(seq))); err != nil {
				t.Fatal(err)
			}
		}
		d := mustDecoder(t, c.to.Part(1))
		if err := d.Borrow(half); err != nil {
			t.Fatal(err)
		}
		if least := c.to.Stream().Fragments/2 - 2; d.Rank() < least {
			t.Errorf("%s: rank %d, want %d", c.name, d.Rank(), least)
		}
		for seq := uint32(1); d.Message() == nil; seq++ {
			if _, err := d.Add(c.to.Weighted(seq)); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(d.Message(), message) {
			t.Errorf("%s: another message came out", c.name)
		}
		again := mustDecoder(t, c.from.Part(1))
		if err := again.Borrow(d); err != nil || !bytes.Equal(again.Message(), message) {
			t.Errorf("%s: from a whole one: rank %d, %v", c.name, again.Rank(), err)
		}
	}
	other := mustDecoder(t, mustEncoder(t, wolf(4999), 60).Part(1))
	if err := mustDecoder(t, small.Part(1)).Borrow(other); err != nil {
		t.Error(err)
	}
}

// BenchmarkDecode is the work for one frame where the first pass lost 30 %, and where only later parts came.
func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct {
		name    string
		k, size int
		from    uint32
	}{{"100, a third lost", 100, 440, 1}, {"1000, a third lost", 1000, 120, 1}, {"1000, all weighted", 1000, 120, 1001}} {
		b.Run(c.name, func(b *testing.B) {
			e := mustEncoder(b, wolf(c.k*c.size), c.size)
			frames := 0
			for b.Loop() {
				d := mustDecoder(b, e.Part(1))
				for seq := c.from; d.Message() == nil; seq++ {
					if seq%3 == 0 {
						continue
					}
					frames++
					if _, err := d.Add(e.Weighted(seq)); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(frames), "µs/frame")
		})
	}
}
