package tuf

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// A Digest is the SHA-256 of a payload: for ECDSA P-256 exactly what a token signs.
type Digest [32]byte

// digestGroup is how many hex digits stand together: as many as people read at once.
const digestGroup = 4

// DigestOf returns the SHA-256 of b.
func DigestOf(b []byte) Digest { return sha256.Sum256(b) }

// String returns the digest in hex, in groups of four digits.
func (d Digest) String() string {
	h := d.Hex()
	groups := make([]string, 0, len(h)/digestGroup)
	for i := 0; i < len(h); i += digestGroup {
		groups = append(groups, h[i:i+digestGroup])
	}
	return strings.Join(groups, " ")
}

// Hex returns the digest as 64 hex digits, for files.
func (d Digest) Hex() string { return hex.EncodeToString(d[:]) }

// Short returns the first eight digits in two groups: enough to tell a few
// digests apart on a screen, never enough to compare them.
func (d Digest) Short() string { return d.String()[:2*digestGroup+1] }

// Half returns the first 16 bytes in groups: as many as nobody can make another thing match.
func (d Digest) Half() string { return d.String()[:len(d)/2*2+len(d)/4-1] }

// Words returns the digest as 32 PGP words to read aloud: even bytes two
// syllables, odd bytes three, so that a dropped or swapped word is heard
// (Juola and Zimmermann 1996).
func (d Digest) Words() []string { return words(d[:]) }

// errDigest says what ParseDigest reads.
var errDigest = errors.New("read digest: want 64 lower-case hex digits, together or in groups of four")

// ParseDigest reads what Hex or String printed, and nothing else.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	digits := s
	if strings.Contains(s, " ") {
		digits = strings.ReplaceAll(s, " ", "")
	}
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) != len(d) {
		return Digest{}, errDigest
	}
	copy(d[:], b)
	if s != d.Hex() && s != d.String() {
		return Digest{}, errDigest
	}
	return d, nil
}

// ParseWords reads a digest from its 32 words, whatever their case.
func ParseWords(said []string) (Digest, error) {
	var d Digest
	if len(said) != len(d) {
		return Digest{}, fmt.Errorf("read digest words: want %d words, got %d", len(d), len(said))
	}
	for i, w := range said {
		b, ok := wordByte(i, w)
		if !ok {
			return Digest{}, fmt.Errorf("read digest words: word %d, %q, is not one that can stand there", i+1, shorten(w, 24))
		}
		d[i] = b
	}
	return d, nil
}
