package tuf

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestWordListsAreWhole(t *testing.T) {
	for i, list := range wordLists {
		if len(list) != 256 {
			t.Errorf("list %d has %d words", i, len(list))
		}
		seen := map[string]bool{}
		for _, w := range list {
			seen[strings.ToLower(w)] = true
		}
		if len(seen) != 256 {
			t.Errorf("list %d has %d different words", i, len(seen))
		}
	}
	for _, w := range wordLists[0] {
		if slices.Contains(wordLists[1], w) {
			t.Errorf("%s is in both lists", w)
		}
	}
}

// The example that everybody who describes the list gives.
func TestWordsOfTheWellKnownExample(t *testing.T) {
	b, err := hex.DecodeString(strings.ReplaceAll("E582 94F2 E9A2 2748 6E8B 061B 31CC 528F D7FA 3F19", " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	const want = "topmost Istanbul Pluto vagabond treadmill Pacific brackish dictator goldfish Medusa " +
		"afflict bravado chatter revolver Dupont midsummer stopwatch whimsical cowbell bottomless"
	if got := strings.Join(words(b), " "); got != want {
		t.Errorf("got %s", got)
	}
}

func TestDigestForms(t *testing.T) {
	d := DigestOf([]byte("hello"))
	if got := d.Hex(); got != "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" {
		t.Error(got)
	}
	if got := d.String(); got != "2cf2 4dba 5fb0 a30e 26e8 3b2a c5b9 e29e 1b16 1e5c 1fa7 425e 7304 3362 938b 9824" {
		t.Error(got)
	}
	if got := d.Half(); got != "2cf2 4dba 5fb0 a30e 26e8 3b2a c5b9 e29e" {
		t.Error(got)
	}
	if got := d.Short(); got != "2cf2 4dba" {
		t.Error(got)
	}
	if w := d.Words(); len(w) != 32 || w[0] != "Burbank" || w[1] != "vagabond" {
		t.Error(w)
	}
}

func TestDigestIsReadBackFromAllItsForms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d Digest
		copy(d[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest"))
		for _, form := range []string{d.Hex(), d.String()} {
			if got, err := ParseDigest(form); err != nil || got != d {
				t.Fatalf("%q: %v", form, err)
			}
		}
		said := d.Words()
		for i := range said {
			if rapid.Bool().Draw(t, "loud") {
				said[i] = strings.ToUpper(said[i])
			}
		}
		if got, err := ParseWords(said); err != nil || got != d {
			t.Fatalf("%v: %v", said, err)
		}
		i := rapid.IntRange(0, 30).Draw(t, "swapped")
		said[i], said[i+1] = said[i+1], said[i]
		if _, err := ParseWords(said); err == nil {
			t.Fatal("two swapped words went unheard")
		}
	})
}

func TestDigestsThatAreNotRead(t *testing.T) {
	d := DigestOf(nil)
	for name, s := range map[string]string{
		"nothing":           "",
		"one digit short":   d.Hex()[1:],
		"one digit more":    d.Hex() + "0",
		"upper case":        strings.ToUpper(d.Hex()),
		"no hex":            strings.Repeat("zz", 32),
		"two spaces":        strings.Replace(d.String(), " ", "  ", 1),
		"odd groups":        strings.Replace(d.String(), " ", "", 1),
		"a space before":    " " + d.String(),
		"a newline after":   d.Hex() + "\n",
		"colons":            strings.ReplaceAll(d.String(), " ", ":"),
		"a prefix":          "sha256:" + d.Hex(),
		"a full-width zero": strings.Replace(d.Hex(), "0", "\uff10", 1),
	} {
		if _, err := ParseDigest(s); err == nil {
			t.Errorf("%s: %q was read", name, s)
		}
	}
	for _, said := range [][]string{nil, {"button"}, append(d.Words(), "button"), append(d.Words()[:31], "no-such-word")} {
		if _, err := ParseWords(said); err == nil {
			t.Errorf("%d words were read", len(said))
		}
	}
}

func FuzzParseDigest(f *testing.F) {
	d := DigestOf([]byte("hello"))
	f.Add(d.Hex())
	f.Add(d.String())
	f.Add(strings.ToUpper(d.Hex()))
	f.Add(strings.Join(d.Words(), " "))
	f.Add(" ")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDigest(s)
		if err == nil && s != d.Hex() && s != d.String() {
			t.Fatalf("%q is a second spelling", s)
		}
		if d, err := ParseWords(strings.Fields(s)); err == nil && !slices.EqualFunc(d.Words(), strings.Fields(s), strings.EqualFold) {
			t.Fatalf("%q is read as other words", s)
		}
	})
}
