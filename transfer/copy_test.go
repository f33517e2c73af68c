package transfer_test

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"

	"conclave/transfer"
)

// A push of 100,000 small files copies each three times. A new buffer for every copy was nine tenths of what it allocated.
func TestCopiesOfSmallFilesShareTheirBuffers(t *testing.T) {
	const copies, fresh = 1000, 32 << 10 // what io.Copy takes for each
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range copies {
		if n, err := transfer.Copy(io.Discard, strings.NewReader("small")); n != 5 || err != nil {
			t.Fatal(n, err)
		}
	}
	runtime.ReadMemStats(&after)
	// The race detector throws a quarter of the buffers away.
	if got := after.TotalAlloc - before.TotalAlloc; got > copies*fresh*3/4 {
		t.Errorf("%d copies allocate %d bytes", copies, got)
	}
	var whole bytes.Buffer
	long := strings.Repeat("long ", 100_000)
	if n, err := transfer.Copy(&whole, strings.NewReader(long)); n != int64(len(long)) || err != nil || whole.String() != long {
		t.Errorf("a long one: %d, %v", n, err)
	}
}
