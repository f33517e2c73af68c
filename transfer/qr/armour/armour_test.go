package armour

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"conclave/transfer/qr/ur"
)

func message(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*i>>2 + i)
	}
	return b
}

func parts(t testing.TB, length, size int, seqs ...uint32) (list []ur.Part) {
	t.Helper()
	e, err := ur.NewEncoder(message(length), size)
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range seqs {
		list = append(list, e.Weighted(seq))
	}
	return list
}

func samePart(a, b ur.Part) bool {
	return a.Stream == b.Stream && a.Seq == b.Seq && a.Weighted == b.Weighted && bytes.Equal(a.Data, b.Data)
}

func TestBothFormsAreReadInEitherCase(t *testing.T) {
	few := append(parts(t, 500, 60, 1, 9, 10, 4000, ur.LastSeq), parts(t, 40, 60, 1)...)
	for _, p := range few {
		wantRead(t, Dense(p), p)
	}
	e, err := ur.NewEncoder(message(500), 60)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range append(few[:2], e.Part(10), e.Part(70000), few[len(few)-1]) {
		wantRead(t, UR(p), p)
	}
}

func wantRead(t *testing.T, text string, p ur.Part) {
	t.Helper()
	for _, s := range []string{text, strings.ToLower(text), text + "\r\n"} {
		f, err := Parse(s)
		if err != nil || f.Short != nil || !samePart(f.Part, p) {
			t.Errorf("%s: read %+v, %v", s, f, err)
		}
	}
	if strings.Trim(text, alphabet) != "" || strings.HasSuffix(text, " ") {
		t.Errorf("%q is not all alphanumeric, or ends in a space", text)
	}
}

// Some scanners cut off spaces at a text's end.
func TestNoFrameEndsInASpace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 300).Draw(t, "size")
		data := rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "data")
		length := rapid.IntRange(1, ur.MaxMessage).Draw(t, "length")
		text := Dense(ur.Part{Stream: ur.Stream{Length: length, Size: size, Sum: rapid.Uint32().Draw(t, "sum")}, Seq: 7, Data: data})
		if strings.HasSuffix(text, " ") {
			t.Fatal(text)
		}
	})
}

func TestShortMessagesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "message")
		text := Short(want)
		f, err := Parse(text)
		if err != nil || !bytes.Equal(f.Short, want) {
			t.Fatalf("read %x, %v", f.Short, err)
		}
		if f, err = Parse(strings.TrimRight(text, " ")); err != nil || !bytes.Equal(f.Short, want) {
			t.Fatalf("without the last space: read %x, %v", f.Short, err)
		}
	})
}

func TestShortMessageOf131BytesFitsTheSmallestScreen(t *testing.T) {
	const version6 = 195 // alphanumeric characters at level L
	if got := len(Short(make([]byte, 131))); got > version6 {
		t.Errorf("it takes %d characters", got)
	}
	if f, err := Parse(Short(bytes.Repeat([]byte{0xff}, 131))); err != nil || len(f.Short) != 131 {
		t.Errorf("the largest one: %x, %v", f.Short, err)
	}
}

func TestOtherSymbolsAreNotOurs(t *testing.T) {
	for _, text := range []string{
		"", "https://example.com", "C1:ABC", "hello", "WIFI:S:x;;", "ur:crypto-psbt/1-2/abcd", "c1", strings.Repeat("*AAA", 5000), "\u0131",
	} {
		if _, err := Parse(text); !errors.Is(err, ErrNotOurs) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func TestDamagedFramesAreNamed(t *testing.T) {
	p := parts(t, 500, 60, 12)[0]
	dense, bw, short := Dense(p), UR(p), Short(message(70))
	cases := map[string]string{
		"nothing behind the prefix":     "*",
		"too little to hold a checksum": "*0000",
		"half a frame":                  dense[:len(dense)/2],
		"a character changed":           strings.Replace(dense, dense[20:21], string(alphabet[(worth[dense[20]]+1)%45]), 1),
		"a letter of no alphabet":       dense[:10] + "ä" + dense[12:],
		"part number 0":                 Dense(ur.Part{Stream: p.Stream, Data: p.Data}),
		"more data than message":        Dense(ur.Part{Stream: ur.Stream{Length: 3}, Seq: 1, Data: p.Data}),
		"a message of no bytes":         Dense(ur.Part{Seq: 1, Data: p.Data}),
		"half a UR":                     bw[:len(bw)-10],
		"a UR with another number":      strings.Replace(bw, "/12-", "/13-", 1),
		"a UR with a padded number":     strings.Replace(bw, "/12-", "/012-", 1),
		"a UR without body":             "UR:BYTES/1-2/",
		"a UR without anything":         "UR:BYTES/",
		"a UR that is no part":          "UR:BYTES/1-1/" + strings.ToUpper(ur.Bytewords([]byte("hello"))),
		"half a short message":          short[:len(short)/2],
		"an empty short message":        "$",
		"a short message changed":       short[:30] + "0" + short[31:],
	}
	for name, text := range cases {
		_, err := Parse(text)
		var damaged *CorruptError
		if !errors.As(err, &damaged) || damaged.Hint() == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFramesFitTheTextsTheyAreCutFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		length := rapid.IntRange(1, 200_000).Draw(t, "length")
		chars := rapid.IntRange(100, MaxText).Draw(t, "chars")
		for _, form := range []Form{DenseForm, URForm} {
			size := form.FragmentSize(length, chars)
			if size == 0 {
				t.Fatalf("nothing fits into %d characters", chars)
			}
			e, err := ur.NewEncoder(make([]byte, length), size)
			if err != nil {
				t.Skip() // too many fragments
			}
			for _, seq := range []uint32{1, uint32(e.Stream().Fragments), 24, 256, ur.LastSeq} {
				if e.Stream().Fragments == 1 && seq > 1 {
					continue
				}
				if got := len(form.Write(e.Part(seq))); got > chars {
					t.Fatalf("part %d of %d has %d characters, more than %d", seq, e.Stream().Fragments, got, chars)
				}
			}
		}
	})
}

// German keyboards have other places for these; a scanner set to US English types them so.
var german = strings.NewReplacer("Y", "Z", "Z", "Y", "-", "ß", "/", "-", ":", "Ö", "*", "(", "+", "`")

// A French keyboard gives digits only with shift.
var french = strings.NewReplacer("Q", "A", "A", "Q", "W", "Z", "Z", "W", "M", "?", "1", "&", "2", "é", "3", `"`, "4", "'", "5", "(",
	"6", "-", "7", "è", "8", "_", "9", "ç", "0", "à", "-", ")", "$", "4", "%", "5", "*", "8", ".", ":", "/", "!", ":", ".")

func TestWedgePutsTheLayoutRight(t *testing.T) {
	p := parts(t, 900, 200, 3)[0]
	for name, layout := range map[string]*strings.Replacer{"german": german, "french": french} {
		var w Wedge
		frames, err := w.Type(layout.Replace(LayoutCheck()) + "\r")
		if len(frames) != 0 || err != nil {
			t.Fatalf("%s: the check gave %q, %v", name, frames, err)
		}
		for _, write := range []func(ur.Part) string{Dense, UR} {
			frames, err = w.Type(layout.Replace(write(p)) + "\r")
			if err != nil || !slices.Equal(frames, []string{write(p)}) {
				t.Errorf("%s: got %q, %v", name, frames, err)
			}
		}
		if d := w.Layout().Differs(); !slices.Contains(d, "Z is typed Y") && !slices.Contains(d, "Z is typed W") {
			t.Errorf("%s: differs in %q", name, d)
		}
	}
}

func TestWedgeChangesNothingOnTheSameLayout(t *testing.T) {
	var w Wedge
	if _, err := w.Type(strings.ToLower(LayoutCheck()) + "\r"); err != nil { // caps lock
		t.Fatal(err)
	}
	if d := w.Layout().Differs(); len(d) != 0 {
		t.Errorf("differs in %q", d)
	}
}

func TestLayoutThatLosesCharactersIsRefused(t *testing.T) {
	var w Wedge
	_, err := w.Type(strings.NewReplacer("/", "-").Replace(LayoutCheck()) + "\r")
	var clash *LayoutError
	if !errors.As(err, &clash) || !slices.Equal(clash.Same, []string{"/ like -"}) || clash.Hint() == "" {
		t.Errorf("got %v", err)
	}
}

func TestWedgeTakesWhatScannersType(t *testing.T) {
	long := strings.Repeat("A", MaxText+10)
	cases := map[string]struct {
		typed []string
		want  []string
		fails bool
	}{
		"enter":                          {[]string{"ONE\rTWO\r"}, []string{"ONE", "TWO"}, false},
		"tab":                            {[]string{"ONE\tTWO\t"}, []string{"ONE", "TWO"}, false},
		"both line ends":                 {[]string{"ONE\r\nTWO\r\n"}, []string{"ONE", "TWO"}, false},
		"one character at a time":        {strings.Split("ONE\rT", ""), []string{"ONE"}, false},
		"a paste without a line end":     {[]string{"\x1b[200~ONE\nTWO\x1b[201~"}, []string{"ONE", "TWO"}, false},
		"a paste cut in its marks":       {[]string{"\x1b", "[2", "00~ON", "E\x1b[20", "1~"}, []string{"ONE"}, false},
		"arrow keys in between":          {[]string{"O\x1b[AN\x1b[1;5CE\r"}, []string{"ONE"}, false},
		"a correction":                   {[]string{"\x7fONX\x7fE\r"}, []string{"ONE"}, false},
		"control characters":             {[]string{"O\x00N\x01E\r"}, []string{"ONE"}, false},
		"too long a line, and a new one": {[]string{long, long, "\rONE\r"}, []string{"ONE"}, true},
		"an endless control sequence":    {[]string{"\x1b[" + strings.Repeat("1", 17) + "ONE\r"}, []string{"ONE"}, false},
		"escape alone":                   {[]string{"\x1bONE\r"}, []string{"ONE"}, false},
	}
	for name, c := range cases {
		var w Wedge
		var got []string
		failed := false
		for _, s := range c.typed {
			frames, err := w.Type(s)
			got = append(got, frames...)
			failed = failed || err != nil
		}
		if !slices.Equal(got, c.want) || failed != c.fails {
			t.Errorf("%s: got %q, failed %v", name, got, failed)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, p := range parts(f, 500, 60, 1, 5, 12) {
		f.Add(Dense(p))
		p.Weighted = false
		f.Add(UR(p))
	}
	f.Add(UR(parts(f, 40, 60, 1)[0]))
	f.Add(Short(message(69)))
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Parse(text)
		if err != nil {
			return
		}
		spellings := []string{Dense(got.Part), UR(got.Part)}
		if got.Short != nil {
			spellings = []string{Short(got.Short), strings.TrimSuffix(Short(got.Short), " ")}
		}
		if !slices.Contains(spellings, upper(strings.TrimRight(text, "\r\n\t"))) {
			t.Fatalf("a second spelling was read: %q", text)
		}
	})
}

func FuzzWedge(f *testing.F) {
	f.Add(LayoutCheck() + "\rONE\r")
	f.Add("\x1b[200~ONE\nTWO\x1b[201~")
	f.Fuzz(func(t *testing.T, typed string) {
		var whole, bits Wedge
		want, _ := whole.Type(typed)
		var got []string
		for _, r := range typed {
			frames, _ := bits.Type(string(r))
			got = append(got, frames...)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("typed at once %q, in pieces %q", want, got)
		}
	})
}
