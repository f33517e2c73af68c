package tuf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// FuzzParse: nothing panics; what is read is read by go-tuf in the same way,
// reads again to the same payload, and keeps its signed bytes when signatures
// are taken away or added.
func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add(threeOfFive(f, 1).Bytes())
	for _, s := range []string{
		``, `{}`, `[]`, `{"signatures":[],"signed":{}}`,
		`{"signatures":[],"signed":{"_type":"timestamp","expires":"2027-11-22T00:00:00Z","meta":{"snapshot.json":{"version":1}},"spec_version":"1.0.31","version":1}}`,
		`{"signatures":[null],"signed":{"_type":"root","keys":{"a":null},"roles":{"root":null}}}`,
		`{"signatures":[],"signed":{"_type":"targets","targets":{"x":null}}}`,
	} {
		f.Add([]byte(s))
	}
	for _, file := range []string{
		"sigstore-roots/4.root.json", "sigstore-staging-roots/14.root.json", "docker/targets.json",
		"tuf-demo/snapshot.json", "tuf-demo/timestamp.json",
	} {
		f.Add(readReal(f, file))
	}
	many := make([]string, pieceSize+2) // are decoded in two pieces
	for i := range many {
		many[i] = fmt.Sprintf(`"%x":{"length":0,"hashes":{"x":"00"}}`, i)
	}
	f.Add([]byte(`{"signatures":[],"signed":{"_type":"targets","expires":"2027-11-22T00:00:00Z","spec_version":"1.0.31","version":1,"targets":{` +
		strings.Join(many, ",") + `}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := Parse(raw)
		if err != nil {
			var syntax *SyntaxError
			var format *FormatError
			if !errors.As(err, &syntax) && !errors.As(err, &format) {
				t.Fatalf("an error without a place: %v", err)
			}
			if first := Check(raw); first != nil && first.Error() != err.Error() {
				t.Fatalf("Parse says %v, Check %v", err, first)
			} else if first == nil && syntax != nil {
				t.Fatalf("Check does not see that %v", err)
			}
			return
		}
		if err := Check(raw); err != nil {
			t.Fatalf("Check refuses what Parse reads: %v", err)
		}
		checkAgainstGoTUF(t, d)
		if whole := decodedWhole(t, d); !reflect.DeepEqual(whole, d.signed) {
			t.Fatalf("go-tuf reads the whole as %+v, the pieces as %+v", whole, d.signed)
		}
		if !bytes.Equal(d.Bytes(), raw) {
			t.Fatal("the bytes changed")
		}
		for what, next := range map[string]*Document{
			"the same":             d,
			"without signatures":   Unsigned(d),
			"with other ones":      d.with([]entry{{Signature: Signature{"a\"é", []byte{1, 2}}}, {Signature: Signature{"b", nil}}}),
			"with its own ordered": d.with(d.entries),
		} {
			again, err := Parse(next.Bytes())
			if err != nil {
				t.Fatalf("%s it is not read again: %v", what, err)
			}
			if again.Digest() != d.Digest() || signedText(t, again) != signedText(t, d) {
				t.Fatalf("%s it is another document", what)
			}
		}
		diff, err := Compare(nil, d, now)
		if err != nil || len(diff.Changes) == 0 {
			t.Fatalf("it cannot be explained: %v", err)
		}
		Compat(d)
		if d.Type() == Root {
			reqs := mustReqs(t, Root, d, nil, nil)
			if !met(Count(Unsigned(d), reqs), Tally.Complete) {
				return
			}
			t.Fatal("nobody signed, and it is complete")
		}
	})
}

// decodedWhole is what go-tuf reads from the signed part in one go.
func decodedWhole(t testing.TB, d *Document) any {
	t.Helper()
	v := newSigned(d.Type())
	if err := json.Unmarshal([]byte(signedText(t, d)), v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Many files are decoded in pieces. Nobody must see that, whatever their names hold and wherever the pieces end.
func TestManyFilesAreReadAsGoTUFReadsThem(t *testing.T) {
	for _, n := range []int{pieceSize - 1, pieceSize, pieceSize + 1, 2*pieceSize + 7} {
		var files []string
		for i := range n {
			// Not in the order of the names, with a name that looks like the end of a piece, and all that may stand beside a hash.
			files = append(files, fmt.Sprintf(`"%d \u0022},\"targets\":{\u00e9": {"length" : %d, "hashes":{"sha256":"%064x","sha512":"00"}%s}`,
				n-i, i, i, []string{``, `,"custom":{"a":[1,{}]}`, `,"x-more":"}, \"", "y":7`, `,"custom":"\n"`}[i%4]))
		}
		raw := `{"signatures":[],"signed":{"x-before":{"targets":{"a":1}},"version":1,"targets":{` + strings.Join(files, " ,\n") +
			`},"delegations":{"keys":{},"roles":[]},"spec_version":"1.0.31","_type":"targets","expires":"2027-11-22T00:00:00Z","x-after":[{}]}}`
		d := mustParse(t, []byte(raw))
		if got := len(d.Targets().Targets); got != n {
			t.Errorf("%d files of %d are read", got, n)
		}
		if !reflect.DeepEqual(decodedWhole(t, d), d.signed) {
			t.Errorf("of %d files go-tuf reads something else", n)
		}
		checkAgainstGoTUF(t, d)
	}
}

// What go-tuf refuses in a piece is refused, and said.
func TestPieceThatGoTUFRefuses(t *testing.T) {
	members := `"a":{"length":1,"hashes":{"sha256":"00"}},"b":{"length":1,"hashes":{}}`
	files := map[string]*metadata.TargetFiles{}
	err := decodeFiles(members, span{0, len(members)}, []int{strings.Index(members, `,"b"`)}, files)
	if err == nil || !strings.Contains(err.Error(), "hashes must not be empty") {
		t.Errorf("got %v", err)
	}
}

// TestGoTUFAcceptsWhatParseAccepts: the strict reader is strict in one
// direction only.
func TestGoTUFAcceptsWhatParseAccepts(t *testing.T) {
	for _, file := range allReal(t) {
		raw := readReal(t, file)
		d, err := Parse(raw)
		if err != nil {
			continue
		}
		var theirs any
		switch d.Type() {
		case Root:
			theirs, err = new(metadata.Metadata[metadata.RootType]).FromBytes(raw)
		case Targets:
			theirs, err = new(metadata.Metadata[metadata.TargetsType]).FromBytes(raw)
		case Snapshot:
			theirs, err = new(metadata.Metadata[metadata.SnapshotType]).FromBytes(raw)
		case Timestamp:
			theirs, err = new(metadata.Metadata[metadata.TimestampType]).FromBytes(raw)
		}
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if out, err := json.Marshal(theirs); err != nil || !json.Valid(out) {
			t.Errorf("%s: %v", file, err)
		}
	}
}
