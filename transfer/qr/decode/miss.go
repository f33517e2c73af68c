package decode

import "fmt"

// Stage is how far a picture came that gave nothing.
type Stage int

// The stages, each further than the one before.
const (
	NoSymbol   Stage = iota // nothing that looks like a symbol
	Located                 // three finder patterns, but no symbol's patterns between them
	Unreadable              // a symbol in its place, whose modules could not be read
)

// Miss says that a picture gave no content, and how near it came. It is the
// usual answer to a camera's frame.
type Miss struct {
	Stage  Stage
	Module float64 // pixels a module, 0 if nothing was seen
}

// Error says what was missing.
func (m *Miss) Error() string {
	switch m.Stage {
	case Located:
		return fmt.Sprintf("read QR symbol: found its corners only (%.1f pixels a module)", m.Module)
	case Unreadable:
		return fmt.Sprintf("read QR symbol: found one, but its modules are not clear (%.1f pixels a module)", m.Module)
	}
	return "read QR symbol: found none in the picture"
}

// fewPixels is the module's size below which a camera should come closer.
const fewPixels = 2.5

// Hint says what the person with the camera can do.
func (m *Miss) Hint() string {
	switch {
	case m.Stage == NoSymbol:
		return "bring the whole symbol into view, with its light border"
	case m.Module < fewPixels:
		return "go closer, or show a less dense symbol"
	}
	return "hold still, avoid reflections, and check the focus"
}

func (m *Miss) see(t *triple) {
	if m.Stage < Located {
		m.Stage, m.Module = Located, t.tl.module()
	}
}

func (m *Miss) fit(s *pose) { m.Stage, m.Module = Unreadable, s.module() }
