package tuf

import (
	"bytes"
	"encoding/json"
	"errors"
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
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := Parse(raw)
		if err != nil {
			var syntax *SyntaxError
			var format *FormatError
			if !errors.As(err, &syntax) && !errors.As(err, &format) {
				t.Fatalf("an error without a place: %v", err)
			}
			return
		}
		checkAgainstGoTUF(t, d)
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
