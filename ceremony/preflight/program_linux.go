package preflight

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"conclave/ceremony/tuf"
)

// wordsPerLine fits the indent of a preflight line at 80 columns.
const wordsPerLine = 6

// programCheck shows which program this is, so that two people can compare it with the printed release.
func (m *Machine) programCheck() Check {
	c := Check{Name: "program", Status: OK}
	sum, err := m.program()
	if err != nil {
		c.Status, c.Text = Stop, fmt.Sprintf("cannot read this program's own file: %v", err)
		c.Fix = "start it from a medium that stays plugged in"
		return c
	}
	digest := tuf.Digest(sum)
	c.Text = digest.String()
	words := digest.Words()
	for len(words) > 0 {
		n := min(wordsPerLine, len(words))
		c.Detail = append(c.Detail, strings.Join(words[:n], " "))
		words = words[n:]
	}
	return c
}

// programDigest reads the binary that really runs, once: /proc/self/exe stays
// that file even when its name was given to another one since.
var programDigest = sync.OnceValues(func() ([32]byte, error) {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return [32]byte{}, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return [32]byte{}, err
	}
	return [32]byte(h.Sum(nil)), nil
})
