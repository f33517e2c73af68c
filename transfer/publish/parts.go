package publish

import (
	"crypto/sha256"
	"hash"
	"io"
	"sync"
)

// Large files go up in parts.
const (
	multipartAbove = 16 << 20 // one request carries this much
	smallestPart   = 8 << 20
	mostParts      = 10_000 // S3's limit
)

// partSize is the size of the parts of a file. It depends on the length alone: the
// checksum of the whole can be computed again.
func partSize(length int64) int64 {
	const mib = 1 << 20
	size := (length + mostParts - 1) / mostParts
	return max(smallestPart, (size+mib-1)/mib*mib)
}

// parted hashes what is written to it part by part.
type parted struct {
	size, left int64
	part       hash.Hash
	sums       [][32]byte
}

func newParted(length int64) *parted {
	size := partSize(length)
	return &parted{size: size, left: size, part: sha256.New()}
}

// Write never fails.
func (p *parted) Write(b []byte) (int, error) {
	written := len(b)
	for len(b) > 0 {
		n := min(p.left, int64(len(b)))
		p.part.Write(b[:n])
		b = b[n:]
		if p.left -= n; p.left == 0 {
			p.end()
		}
	}
	return written, nil
}

// end closes the part that was begun, if any.
func (p *parted) end() {
	if p.left == p.size {
		return
	}
	p.sums = append(p.sums, digestOf(p.part))
	p.part.Reset()
	p.left = p.size
}

func digestOf(h hash.Hash) [32]byte { return [32]byte(h.Sum(nil)) }

// alongside writes to two writers that never fail, at once: hashing is what reading a large file takes its time for.
type alongside struct{ one, other io.Writer }

func (a alongside) Write(b []byte) (int, error) {
	var running sync.WaitGroup
	running.Go(func() { _, _ = a.one.Write(b) })
	_, _ = a.other.Write(b)
	running.Wait()
	return len(b), nil
}
