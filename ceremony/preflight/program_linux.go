package preflight

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"conclave/ceremony/tuf"
)

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
	for words := range slices.Chunk(digest.Words(), WordsPerLine) {
		c.Detail = append(c.Detail, strings.Join(words, " "))
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
