package transfer

import (
	"io"
	"sync"
)

// copySize is a good size to read files in.
const copySize = 64 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copySize]byte) }}

// Copy is io.Copy with buffers that thousands of small files share: io.Copy makes a new one for each, which is most of what a
// push of them allocates.
func Copy(to io.Writer, from io.Reader) (int64, error) {
	buf := copyBuffers.Get().(*[copySize]byte)
	defer copyBuffers.Put(buf)
	// Bare, so that neither end copies by itself, with a buffer of its own.
	return io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, buf[:])
}
