package tuf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"pgregory.net/rapid"
)

func goTUFPayload(v any) ([]byte, error) { return cjson.EncodeCanonical(v) }

func TestCanonicalForm(t *testing.T) {
	for name, c := range map[string]struct{ in, out string }{
		"names in order of bytes":       {`{"b": 1, "a": 2, "B": 3, "ä": 4, "": 5}`, `{"":5,"B":3,"a":2,"b":1,"ä":4}`},
		"nested out of order":           {`{"b":{"d":[],"c":{}},"a":[{"z":1,"y":2}]}`, `{"a":[{"y":2,"z":1}],"b":{"c":{},"d":[]}}`},
		"line breaks stand raw":         {`"a\nb"`, "\"a\nb\""},
		"quote and backslash escaped":   {`"\"\\\/\u0041"`, `"\"\\/A"`},
		"white space gone":              {" [ 1 ,\t-2 , true,false ,null ] \n", `[1,-2,true,false,null]`},
		"characters beyond the plane":   {`"\ud83d\ude00"`, `"😀"`},
		"names that begin another name": {`{"ab":1,"a":2,"a\"":3}`, `{"a":2,"a\"":3,"ab":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Canonical([]byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.out {
				t.Errorf("got %s, want %s", got, c.out)
			}
		})
	}
}

// sameAsGoTUF compares our canonical form of raw with go-tuf's. Where ours
// refuses there is nothing to compare.
func sameAsGoTUF(t interface{ Fatalf(string, ...any) }, raw []byte) {
	ours, err := Canonical(raw)
	if err != nil {
		return
	}
	theirs, err := cjson.EncodeCanonical(json.RawMessage(raw))
	if err != nil {
		t.Fatalf("go-tuf refuses %q: %v", raw, err)
	}
	if !bytes.Equal(ours, theirs) {
		t.Fatalf("of %q\nours   %q\ntheirs %q", raw, ours, theirs)
	}
}

// anyValue draws JSON values of the kinds that metadata may hold.
func anyValue(depth int) *rapid.Generator[any] {
	kinds := []*rapid.Generator[any]{
		rapid.Map(rapid.String(), func(s string) any { return strings.Map(printable, s) }),
		rapid.Map(rapid.Int64Range(-maxInteger, maxInteger), func(n int64) any { return n }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Just[any](nil),
	}
	if depth > 0 {
		name := rapid.Map(rapid.String(), func(s string) string { return strings.Map(printable, s) })
		kinds = append(kinds,
			rapid.Map(rapid.SliceOfN(anyValue(depth-1), 0, 4), func(s []any) any { return s }),
			rapid.Map(rapid.MapOfN(name, anyValue(depth-1), 0, 6), func(m map[string]any) any { return m }),
		)
	}
	return rapid.OneOf(kinds...)
}

func printable(c rune) rune {
	if isControl(c) || c == 0xfffd {
		return '_'
	}
	return c
}

func TestCanonicalIsGoTUFs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyValue(4).Draw(t, "value")
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Canonical(raw); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		sameAsGoTUF(t, raw)
		typed, err := encode(v)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Canonical(raw); err != nil || !bytes.Equal(again, typed) {
			t.Fatalf("the two encoders differ: %q %q %v", again, typed, err)
		}
		pretty, err := encodePretty(v)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Canonical(pretty); err != nil || !bytes.Equal(again, typed) {
			t.Fatalf("the file form differs: %q %q %v", again, typed, err)
		}
	})
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, `""`, `0`, `-1`, `{"b":1,"a":{"d":[1,2,{"z":"\u00e4","y":null}],"c":true}}`,
		`"\ud83d\ude00\n\\\""`, `{"a":1,"a":2}`, `1.5`, `1e3`, `{"a":-0}`, "\ufeff{}", `{"<>&":"\u2028"}`, small,
		`[9007199254740991,9007199254740992]`, `{"z":{"b":1,"a":2},"y":{"b":1,"a":2}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		sameAsGoTUF(t, raw)
		ours, err := Canonical(raw)
		if err != nil {
			return
		}
		if len(ours) > len(raw) {
			t.Fatalf("the canonical form of %q is longer than it", raw)
		}
	})
}

func TestDeepestCanonicalIsStillRead(t *testing.T) {
	for depth, ok := range map[int]bool{MaxDepth: true, MaxDepth + 1: false} {
		raw := fmt.Sprintf("%s1%s", strings.Repeat("[", depth), strings.Repeat("]", depth))
		if _, err := Canonical([]byte(raw)); (err == nil) != ok {
			t.Errorf("depth %d: %v", depth, err)
		}
	}
}
