package preflight

import (
	"context"
	"io/fs"
	"os"
)

// A Machine is where evidence is read from. The zero value is not usable: call Here.
type Machine struct {
	root    fs.FS                    // "/" of the machine; tests bring their own
	program func() ([32]byte, error) // SHA-256 of the running binary
	memory  func() Check
}

// Here is the machine that this program runs on.
func Here() *Machine {
	return &Machine{root: os.DirFS("/"), program: programDigest, memory: lockMemory}
}

// Inspect gathers all evidence: network, radios, swap, memory, program. It
// reads /sys and /proc only and sends nothing.
func (m *Machine) Inspect(ctx context.Context) []Check {
	return append(m.Quick(ctx), m.programCheck())
}

// Quick gathers what may change in the middle of a ceremony and is cheap to look at
// before every signature: everything but the digest of the program.
func (m *Machine) Quick(context.Context) []Check {
	return []Check{m.networkCheck(), m.radioCheck(), m.swapCheck(), m.memory()}
}
