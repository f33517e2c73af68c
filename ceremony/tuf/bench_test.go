package tuf

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// sizes are the numbers of targets that are measured.
var sizes = []struct {
	name string
	n    int
}{{"1k", 1_000}, {"10k", 10_000}, {"100k", 100_000}}

// manyFiles makes n targets with made-up hashes.
func manyFiles(n int) []TargetFile {
	files := make([]TargetFile, n)
	for i := range files {
		var seed [8]byte
		binary.BigEndian.PutUint64(seed[:], uint64(i))
		files[i] = TargetFile{
			Path:   fmt.Sprintf("release/%03d/tool-%06d.tar.gz", i%997, i),
			Length: int64(1000 + i),
			SHA256: DigestOf(seed[:]),
		}
	}
	return files
}

func manyTargets(b *testing.B, n int) *Document {
	b.Helper()
	d, err := NewTargets(TargetsSpec{Version: 1, Expires: time.Date(2027, 11, 22, 0, 0, 0, 0, time.UTC), Files: manyFiles(n)})
	if err != nil {
		b.Fatal(err)
	}
	return d
}

// BenchmarkPayload compares how the canonical bytes of go-tuf's value are made.
func BenchmarkPayload(b *testing.B) {
	for _, size := range sizes {
		d := manyTargets(b, size.n)
		b.Run("ours-"+size.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := encode(d.signed); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("gotuf-"+size.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := cjson.EncodeCanonical(d.signed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkParse compares reading a file: ours includes go-tuf's decoding and
// the check that both understood the same.
func BenchmarkParse(b *testing.B) {
	for _, size := range sizes {
		raw := manyTargets(b, size.n).Bytes()
		b.Run("ours-"+size.name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				if _, err := Parse(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("gotuf-"+size.name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				if _, err := new(metadata.Metadata[metadata.TargetsType]).FromBytes(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRefuse times a file that is all signatures: 65 are as many as are
// looked at, however many follow. The goal is milliseconds.
func BenchmarkRefuse(b *testing.B) {
	raw := manySignatures(150_000)
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := Parse(raw); err == nil {
			b.Fatal("taken")
		}
	}
}

// BenchmarkVerify compares counting a threshold of 2 of 3 over a document that
// was read already. "proof" is what Verify does: our count and go-tuf's, both.
func BenchmarkVerify(b *testing.B) {
	root := threeOfFive(b, 1)
	for _, size := range sizes {
		doc := manyTargets(b, size.n)
		reqs := mustReqs(b, Targets, doc, nil, root)
		doc = signed(b, doc, reqs, "Alice", "Bob")
		b.Run("ours-"+size.name, func(b *testing.B) {
			for b.Loop() {
				if !met(Count(doc, reqs), Tally.Complete) {
					b.Fatal("not complete")
				}
			}
		})
		b.Run("gotuf-"+size.name, func(b *testing.B) {
			delegated := doc.envelope()
			for b.Loop() {
				if err := verifyDelegate(reqs[0], delegated); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("proof-"+size.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Verify(doc, reqs); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDiff compares explaining a release in which one file in a hundred
// changed. go-tuf can only tell whether two targets are equal.
func BenchmarkDiff(b *testing.B) {
	for _, size := range sizes {
		files := manyFiles(size.n)
		old := manyTargets(b, size.n)
		for i := 0; i < len(files); i += 100 {
			files[i].Length++
		}
		next := mustTargets(b, TargetsSpec{Version: 2, Expires: now.AddDate(1, 0, 0), Files: files})
		b.Run("ours-"+size.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Compare(old, next, now); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("gotuf-"+size.name, func(b *testing.B) {
			for b.Loop() {
				changed := 0
				for path, after := range next.Targets().Targets {
					if before := old.Targets().Targets[path]; before == nil || !before.Equal(*after) {
						changed++
					}
				}
				if changed != (size.n+99)/100 {
					b.Fatal(changed)
				}
			}
		})
	}
}

// BenchmarkAttach measures one signature on a document of many targets.
func BenchmarkAttach(b *testing.B) {
	root, alice := threeOfFive(b, 1), who("Alice")
	for _, size := range sizes {
		doc := manyTargets(b, size.n)
		reqs := mustReqs(b, Targets, doc, nil, root)
		sig := alice.sign(b, doc)
		b.Run("ours-"+size.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Attach(doc, reqs, alice.key.ID, sig); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
