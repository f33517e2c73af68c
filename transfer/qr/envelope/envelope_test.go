package envelope

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"conclave/ceremony/tuf"
)

// shelf finds bases by their digest.
func shelf(bases ...[]byte) Find {
	return func(want tuf.Digest) ([]byte, bool) {
		for _, b := range bases {
			if tuf.DigestOf(b) == want {
				return b, true
			}
		}
		return nil, false
	}
}

// listing is a text like a targets file of n entries; those of changed have other hashes.
func listing(n int, changed ...int) []byte {
	var b strings.Builder
	b.WriteString("{\"signed\": {\"targets\": {")
	for i := range n {
		seed := uint64(i)
		if slices.Contains(changed, i) {
			seed += 1 << 40
		}
		dice := rand.New(rand.NewPCG(seed, 7))
		fmt.Fprintf(&b, "\n  \"packages/some-name-%05d.tar.gz\": {\"hashes\": {\"sha256\": \"%016x%016x%016x%016x\"}, \"length\": %d},",
			i, dice.Uint64(), dice.Uint64(), dice.Uint64(), dice.Uint64(), 1000+dice.IntN(1e6))
	}
	b.WriteString("}}}")
	return []byte(b.String())
}

// prose is text of words in any order.
func prose(seed uint64) []byte {
	dice := rand.New(rand.NewPCG(1, 2))
	var words []string
	for range 300 {
		word := make([]byte, 3+dice.IntN(8))
		for i := range word {
			word[i] = 'g' + byte(dice.IntN(20))
		}
		words = append(words, string(word))
	}
	dice = rand.New(rand.NewPCG(seed, seed))
	var b strings.Builder
	for range 5000 {
		b.WriteString(words[dice.IntN(len(words))] + " ")
	}
	return []byte(b.String())
}

func mustSeal(t testing.TB, content []byte, bases ...[]byte) *Envelope {
	t.Helper()
	e, err := Seal(File, content, bases...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// reread is the envelope as the other side gets it.
func reread(t testing.TB, e *Envelope) *Envelope {
	t.Helper()
	got, err := Parse(e.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestContentComesBack(t *testing.T) {
	dice := rand.NewChaCha8([32]byte{1})
	noise := make([]byte, 5000)
	_, _ = dice.Read(noise)
	old := listing(300)
	cases := map[string]struct {
		content []byte
		bases   [][]byte
		codec   Codec
	}{
		"nothing":                     {nil, nil, Plain},
		"a few equal bytes":           {make([]byte, 28), nil, Zstd},
		"noise":                       {noise, nil, Plain},
		"prose":                       {prose(1), nil, Zstd},
		"prose with a useless base":   {prose(1), [][]byte{noise}, Zstd},
		"prose by the same author":    {prose(1)[:3000], [][]byte{prose(2)}, Dictionary},
		"metadata without a base":     {old, nil, Patch},
		"some entries changed":        {listing(300, 4, 50, 299), [][]byte{old}, Patch},
		"from two bases":              {slices.Concat(old, []byte("-"), noise), [][]byte{noise, nil, old, old}, Patch},
		"the same again":              {old, [][]byte{old}, Patch},
		"cut at the end":              {old[:len(old)/2], [][]byte{old}, Patch},
		"cut at the front":            {old[len(old)/3:], [][]byte{old}, Patch},
		"a base in front of the same": {slices.Concat(old, old, []byte(`"0123456789abcdef0123456789abcdef"`)), [][]byte{old}, Patch},
	}
	for name, c := range cases {
		e := reread(t, mustSeal(t, c.content, c.bases...))
		got, err := e.Open(shelf(c.bases...))
		if err != nil || !bytes.Equal(got, c.content) {
			t.Errorf("%s: %d bytes came back for %d, %v", name, len(got), len(c.content), err)
		}
		if e.Codec != c.codec {
			t.Errorf("%s: packed as %v in %d bytes, want %v", name, e.Codec, len(e.Bytes()), c.codec)
		}
	}
}

func TestAnyPatchGivesItsContent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.OneOf(
			rapid.SliceOfN(rapid.Byte(), 0, 60),
			rapid.Map(rapid.StringMatching(`[0-9a-f]{0,90}`), func(s string) []byte { return []byte(s) }),
		)
		pieces := rapid.SliceOfN(piece, 1, 20).Draw(t, "pieces")
		mix := func(name string) []byte {
			return bytes.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 30).Draw(t, name), nil)
		}
		base, content := mix("base"), mix("content")
		base = underBases(base)
		got, err := unpatch(base, patch(base, content), len(content))
		if err != nil || !bytes.Equal(got, content) {
			t.Fatalf("%q came back for %q, %v", got, content, err)
		}
	})
}

func TestPatchCostsWhatIsNew(t *testing.T) {
	const entries, changed = 10_000, 10 // 1.4 MB
	var which []int
	for i := range changed {
		which = append(which, i*997)
	}
	e := mustSeal(t, listing(entries, which...), listing(entries))
	t.Logf("%d changed entries of %d take %d bytes as %v", changed, entries, len(e.Bytes()), e.Codec)
	if limit := 70 + changed*(32+20); len(e.Bytes()) > limit {
		t.Errorf("they take %d bytes, more than %d", len(e.Bytes()), limit)
	}
}

func TestWrongBaseIsNamedAndNotDecoded(t *testing.T) {
	old := listing(300)
	e := reread(t, mustSeal(t, listing(300, 7), old))
	for name, find := range map[string]Find{
		"no way to find any": nil,
		"it is not here":     shelf(listing(299)),
		"another is offered": func(tuf.Digest) ([]byte, bool) { return listing(299), true },
	} {
		got, err := e.Open(find)
		var wrong *WrongBaseError
		if got != nil || !errors.As(err, &wrong) || wrong.Want != tuf.DigestOf(old) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
			continue
		}
		if !strings.Contains(wrong.Hint(), tuf.DigestOf(old).Hex()) {
			t.Errorf("%s: the hint does not name the base: %s", name, wrong.Hint())
		}
	}
}

// The attack: an envelope whose content is not what it names, so that a person
// who compared the digest on the screen would sign something else.
func TestOtherContentIsThrownAway(t *testing.T) {
	old, content := listing(100), listing(100, 5)
	for _, e := range []*Envelope{mustSeal(t, content, old), mustSeal(t, content), mustSeal(t, []byte("x"))} {
		e.Result[3] ^= 1
		if got, err := reread(t, e).Open(shelf(old)); got != nil || !errors.Is(err, ErrResult) {
			t.Errorf("%v: %d bytes, %v", e.Codec, len(got), err)
		}
	}
}

// The attack: a few bytes that unpack to gigabytes.
func TestBombsAreDefused(t *testing.T) {
	w, err := zstd.NewWriter(nil, zstd.WithWindowSize(zstd.MinWindowSize))
	if err != nil {
		t.Fatal(err)
	}
	bomb := w.EncodeAll(make([]byte, 64<<20), nil)
	huge := mustSeal(t, []byte("x"))
	huge.Length = MaxContent + 1
	if _, err := Parse(huge.Bytes()); err == nil {
		t.Error("content beyond the limit was announced and read")
	}
	cases := map[string]*Envelope{
		"zstd that makes more than announced": {Kind: File, Codec: Zstd, Length: 1000, packed: bomb},
		"a patch that makes more":             {Kind: File, Codec: Patch, Length: 10, Bases: []tuf.Digest{tuf.DigestOf([]byte("abc"))}, packed: []byte{0, 1, 0, 11<<2 | copyHere}},
		"deflated steps that are more":        {Kind: File, Codec: Patch, Length: 1000, Bases: []tuf.Digest{tuf.DigestOf([]byte("abc"))}, packed: append([]byte{1, 5, 5, 200, 1}, deflated(make([]byte, 1<<20))[:200]...)},
	}
	for name, e := range cases {
		var bad *FormatError
		if got, err := reread(t, e).Open(shelf([]byte("abc"))); got != nil || !errors.As(err, &bad) || bad.Hint() == "" {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

func TestDamagedEnvelopesAreRefused(t *testing.T) {
	good := mustSeal(t, listing(50, 3), listing(50)).Bytes()
	change := func(at int, to byte) []byte {
		b := bytes.Clone(good)
		b[at] = to
		return b
	}
	cases := map[string][]byte{
		"nothing":                   nil,
		"cut in the digest":         good[:20],
		"cut in the base":           good[:50],
		"another format":            change(0, 2<<4|1),
		"an unknown kind":           change(0, 1<<4|9),
		"kind 0":                    change(0, 1<<4),
		"an unknown codec":          change(1, 9),
		"a length in a longer form": append([]byte{good[0], good[1], 0x80, 0x00}, good[4:]...),
		"an endless length":         append(good[:2:2], bytes.Repeat([]byte{0xff}, 40)...),
		"more bases than there are": change(36, 8),
		"nine bases":                change(36, 9),
	}
	for name, raw := range cases {
		var bad *FormatError
		if _, err := Parse(raw); !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Parse(good); err != nil {
		t.Errorf("a good one: %v", err)
	}
}

func TestPatchesThatMakeNoSenseAreRefused(t *testing.T) {
	base := []byte("0123456789")
	for name, raw := range map[string][]byte{
		"nothing":                      {},
		"an unknown form":              {2, 0, 0},
		"no steps":                     {0, 0, 0},
		"text that is not there":       {0, 1, 2, 4 << 2, 'a', 'b'},
		"hex that is not there":        {0, 1, 0, 1<<2 | takeHex, 1},
		"a copy from before the base":  {0, 2, 0, 4<<2 | copyThere, 1},
		"a copy from behind the base":  {0, 2, 0, 4<<2 | copyThere, 12},
		"a cursor without its number":  {0, 1, 0, 4<<2 | copyThere},
		"steps that are left over":     {0, 2, 0, 4<<2 | copyHere, 4<<2 | copyHere},
		"text that is left over":       {0, 1, 1, 4<<2 | copyHere, 'a'},
		"hex that is left over":        {0, 1, 0, 4<<2 | copyHere, 1},
		"deflated rubbish":             {1, 1, 0, 1, 0xff},
		"a deflated part that goes on": append([]byte{1, 1, 0, byte(len(deflated([]byte{16<<2 | copyHere})) + 1)}, append(deflated([]byte{16 << 2}), 0)...),
	} {
		var bad *FormatError
		if got, err := unpatch(base, raw, 5); !errors.As(err, &bad) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if got, err := unpatch(base, []byte{0, 1, 0, 4<<2 | copyHere}, 5); err != nil || string(got) != "01234" {
		t.Errorf("a good one: %q, %v", got, err)
	}
}

// What was packed by one version must be unpacked by every later one.
func TestSkeletonNeverChanges(t *testing.T) {
	const want = "1297a0fb364540f7377737b174f3dbd639de98d3002c596bbafe45cddaa88f9b"
	if got := tuf.DigestOf([]byte(skeleton)).Hex(); got != want {
		t.Errorf("the skeleton's digest is %s, not %s", got, want)
	}
}

func FuzzOpen(f *testing.F) {
	base := listing(20)
	for _, e := range []*Envelope{
		mustSeal(f, listing(20, 3), base), mustSeal(f, listing(20)), mustSeal(f, []byte("x")),
		{Kind: Answer, Codec: Dictionary, Length: 5, Bases: []tuf.Digest{tuf.DigestOf(base)}, packed: []byte{1}},
	} {
		f.Add(e.Bytes())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := Parse(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(e.Bytes(), raw) {
			t.Fatalf("a second spelling was read: %x", raw)
		}
		if e.Length > 1<<20 {
			return
		}
		got, err := e.Open(func(tuf.Digest) ([]byte, bool) { return base, true })
		if err == nil && tuf.DigestOf(got) != e.Result {
			t.Fatal("content with another digest was given out")
		}
	})
}

// FuzzUnpatch goes past the digests, which a fuzzer cannot guess.
func FuzzUnpatch(f *testing.F) {
	base, content := listing(20), listing(20, 3, 9)
	f.Add(patch(base, content), len(content))
	f.Add(patch(nil, []byte("abc")), 3)
	f.Fuzz(func(t *testing.T, raw []byte, length int) {
		if length < 0 || length > 1<<20 {
			return
		}
		if got, err := unpatch(base, raw, length); err == nil && len(got) != length {
			t.Fatalf("%d bytes came out, %d were announced", len(got), length)
		}
	})
}

func FuzzUnzstd(f *testing.F) {
	base, content := listing(20), listing(20, 3, 9)
	packed, err := zstandard(content, base)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed, len(content))
	f.Fuzz(func(t *testing.T, raw []byte, length int) {
		if length < 0 || length > 1<<20 {
			return
		}
		if got, err := unzstd(raw, base, length); err == nil && len(got) > length {
			t.Fatalf("%d bytes came out, %d were announced", len(got), length)
		}
	})
}

func BenchmarkSealPatch(b *testing.B) {
	old, content := listing(100_000), listing(100_000, 5, 500, 50_000)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		b.ReportMetric(float64(len(mustSeal(b, content, old).Bytes())), "bytes")
	}
}
