package piv

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"conclave/hsm"
)

// mostHolders bounds how many programs are named.
const mostHolders = 4

// explained adds to hsm.ErrBusy which programs may be the reason.
func explained(err error) error {
	if !errors.Is(err, hsm.ErrBusy) {
		return err
	}
	names := holders("/proc", os.Getpid())
	if len(names) == 0 {
		return err
	}
	return fmt.Errorf("%w; programs here that speak to smart cards: %s", err, strings.Join(names, ", "))
}

// notHolders are the service itself and what only starts it.
var notHolders = []string{"pcscd", "systemd"}

// holders names the processes that have the smart card library loaded, and
// GnuPG's card daemon, which may do without. Which of them holds a token
// the service tells nobody; those of other users stay hidden.
func holders(proc string, self int) []string {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == self {
			continue
		}
		name := processName(filepath.Join(proc, e.Name()))
		if name == "" || slices.Contains(notHolders, name) || !speaksToCards(filepath.Join(proc, e.Name()), name) {
			continue
		}
		names = append(names, fmt.Sprintf("%s (process %d)", name, pid))
		if len(names) == mostHolders {
			break
		}
	}
	return names
}

// processName is text of another program: only what can be seen is taken.
func processName(dir string) string {
	b, err := os.ReadFile(filepath.Join(dir, "comm"))
	if err != nil {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return -1
		}
		return r
	}, strings.TrimSpace(string(b)))
}

func speaksToCards(dir, name string) bool {
	if name == "scdaemon" {
		return true
	}
	maps, err := os.ReadFile(filepath.Join(dir, "maps"))
	return err == nil && bytes.Contains(maps, []byte("/libpcsclite.so"))
}
