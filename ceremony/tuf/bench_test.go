package tuf

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
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

func newECDSA(tb testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}
