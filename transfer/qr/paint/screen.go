package paint

import "fmt"

// Cells say how many modules a terminal's cell shows.
type Cells int

// The kinds of cells. HalfBlocks are in every font; of the others the font must have the
// characters: sextants are in Unicode 13 (and not quite square), octants in Unicode 16.
const (
	HalfBlocks Cells = iota // 1 x 2
	Sextants                // 2 x 3
	Octants                 // 2 x 4
)

// AllCells lists the kinds of cells, least dense first.
var AllCells = []Cells{HalfBlocks, Sextants, Octants}

func (c Cells) String() string {
	switch c {
	case Sextants:
		return "sextants"
	case Octants:
		return "octants"
	}
	return "half blocks"
}

// grid is how many modules a cell has across and down.
func (c Cells) grid() (across, down int) {
	switch c {
	case Sextants:
		return 2, 3
	case Octants:
		return 2, 4
	}
	return 1, 2
}

// The colours of a symbol: black on white, also where a terminal's own colours are others. Without
// true colour, 256 colours have fixed numbers for both.
const (
	BlackOnWhite = "\x1b[0;38;5;16;48;5;231m"
	Reset        = "\x1b[0m"
)

// A Screen is the part of a terminal that a symbol may fill.
type Screen struct {
	Cols, Rows int
	Cells      Cells
}

// Largest is the largest version that fits with its quiet zone; 0 where none does.
func (s Screen) Largest() int {
	for v := MaxVersion; v > 0; v-- {
		if s.scale(v) > 0 {
			return v
		}
	}
	return 0
}

// Versions are the largest version for every size that modules can have on this
// screen, smallest modules first: what a person chooses from whose camera does not see the densest. Where
// the largest has the least quiet zone, the largest with a whole one follows.
func (s Screen) Versions() (list []int) {
	scale, tight := 0, s.above(s.Largest()) < QuietZone
	for v := s.Largest(); v > 0; v-- {
		whole := tight && s.above(v) == QuietZone
		if s.scale(v) > scale || whole {
			scale, tight = s.scale(v), tight && !whole
			list = append(list, v)
		}
	}
	return list
}

// scale is how many times larger than needed each module can be.
func (s Screen) scale(version int) int {
	across, down := s.Cells.grid()
	n := Modules(version)
	return max(0, min(s.Cols*across/(n+2*QuietZone), s.Rows*down/(n+LeastQuietZone+QuietZone)))
}

// above is the quiet zone above a symbol of that version.
func (s Screen) above(version int) int {
	_, down := s.Cells.grid()
	if (Modules(version)+2*QuietZone)*s.scale(version) > s.Rows*down {
		return LeastQuietZone
	}
	return QuietZone
}

// A SizeError says that a symbol does not fit.
type SizeError struct {
	Version int
	Screen  Screen
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("draw symbol: version %d does not fit into %d columns and %d rows of %v", e.Version, e.Screen.Cols, e.Screen.Rows, e.Screen.Cells)
}

// Hint says what to do.
func (e *SizeError) Hint() string {
	return "Enlarge the window or use a smaller font; 80 columns and 24 rows are enough. Or write pictures: --png, --gif or --pdf."
}

// Draw gives the symbol and its quiet zone as lines of equal width, without colours: each line is to be
// shown BlackOnWhite. Modules are as large as fits, all of one size.
func (s Screen) Draw(sym *Symbol) ([]string, error) {
	scale := s.scale(sym.Version)
	if scale == 0 {
		return nil, &SizeError{sym.Version, s}
	}
	across, down := s.Cells.grid()
	above := s.above(sym.Version)
	width, height := (sym.side+2*QuietZone)*scale, (sym.side+above+QuietZone)*scale
	dark := func(x, y int) bool { return sym.Dark(x/scale-QuietZone, y/scale-above) }
	var lines []string
	for y := 0; y < height; y += down {
		var line []rune
		for x := 0; x < width; x += across {
			mask := 0
			for i := range across * down {
				if dark(x+i%across, y+i/across) {
					mask |= 1 << i
				}
			}
			line = append(line, s.Cells.block(mask))
		}
		lines = append(lines, string(line))
	}
	return lines, nil
}

// block is the character whose ink is mask: bit 0 is the upper left module, then row by row.
func (c Cells) block(mask int) rune {
	switch c {
	case Sextants:
		return sextants[mask]
	case Octants:
		return octants[mask]
	}
	return [...]rune{' ', '▀', '▄', '█'}[mask]
}

// sextants and octants run through the masks in order, but for those that other characters had already.
var (
	sextants = blocks(1<<6, '\U0001fb00', map[int]rune{0: ' ', 0b010101: '▌', 0b101010: '▐', 0b111111: '█'})
	octants  = blocks(1<<8, '\U0001cd00', map[int]rune{
		// The sixteen that are made of quarters.
		0b00000000: ' ', 0b00000101: '▘', 0b00001010: '▝', 0b00001111: '▀',
		0b01010000: '▖', 0b01010101: '▌', 0b01011010: '▞', 0b01011111: '▛',
		0b10100000: '▗', 0b10100101: '▚', 0b10101010: '▐', 0b10101111: '▜',
		0b11110000: '▄', 0b11110101: '▙', 0b11111010: '▟', 0b11111111: '█',
		// A quarter or three quarters of the height.
		0b00000011: '\U0001fb82', 0b00111111: '\U0001fb85', 0b11000000: '▂', 0b11111100: '▆',
		// One corner alone, and half the height in the middle of one side.
		0b00000001: '\U0001cea8', 0b00000010: '\U0001ceab', 0b01000000: '\U0001cea3', 0b10000000: '\U0001cea0',
		0b00010100: '\U0001fbe6', 0b00101000: '\U0001fbe7',
	})
)

func blocks(n int, first rune, others map[int]rune) []rune {
	table := make([]rune, n)
	for mask := range table {
		r, other := others[mask]
		if !other {
			r = first
			first++
		}
		table[mask] = r
	}
	return table
}
