package publish_test

import (
	"os"
	"testing"
)

// atEnd ends what all tests share.
var atEnd []func()

// TestMain moves the tests' folders into memory where there is such a place:
// every write is synced, and a busy disk would make them crawl.
func TestMain(m *testing.M) {
	const memory = "/dev/shm"
	if info, err := os.Stat(memory); err == nil && info.IsDir() && os.Getenv("TMPDIR") == "" {
		if err := os.Setenv("TMPDIR", memory); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	for _, end := range atEnd {
		end()
	}
	os.Exit(code)
}
