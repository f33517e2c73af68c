package light

import (
	"errors"
	"slices"
	"time"

	"conclave/transfer/qr"
	"conclave/transfer/qr/paint"
)

// Measures of the text beside a symbol, in cells.
const (
	PanelWidth = 29 // what version 7 leaves of 80 columns
	Gap        = 2
	barHeight  = 2 // of the text where it stands below
)

// A Density is how a symbol is drawn: in which cells, and in which version.
type Density struct {
	Cells   paint.Cells
	Version int
}

// speeds are how many frames are shown in a second.
var speeds = []int{1, 2, 3, 4, 5, 6, 8, 10, 12, 15}

const usualSpeed = 6 // its place in speeds

// A Player shows the frames of one offer, one after the other and without end.
type Player struct {
	offer     *Offer
	style     qr.Style
	sender    *qr.Sender
	beside    bool // the text stands beside the symbol, not below it
	screen    paint.Screen
	densities []Density
	at        int // the density that is used
	chosen    int // by a person: how many steps from the usual one
	speed     int
	shown     int
	symbol    *paint.Symbol
}

// NewPlayer makes a player. Resize must follow.
func NewPlayer(o *Offer, style qr.Style) *Player {
	return &Player{offer: o, style: style, speed: usualSpeed}
}

// Frames is how many frames are enough to show an offer on a terminal of that size; at least 1.
func Frames(o *Offer, style qr.Style, cols, rows int) int {
	p := NewPlayer(o, style)
	_ = p.Resize(cols, rows) // where there is no room, the screen says so
	return max(p.Status().Enough, 1)
}

// ErrNoRoom says that no symbol can be shown.
var ErrNoRoom = errors.New("show frames: the terminal is too small, or the message too large for its symbols")

// Resize fits the symbols to a terminal. A receiver keeps most of what it knows.
func (p *Player) Resize(cols, rows int) error {
	beside := paint.Screen{Cols: cols - PanelWidth - Gap, Rows: rows}
	below := paint.Screen{Cols: cols, Rows: rows - barHeight}
	p.beside = beside.Largest() >= below.Largest()
	p.screen = below
	if p.beside {
		p.screen = beside
	}
	var usual int
	p.densities, usual = p.fitting()
	if len(p.densities) == 0 {
		p.sender, p.symbol = nil, nil
		return ErrNoRoom
	}
	p.chosen = min(max(p.chosen, -usual), len(p.densities)-1-usual)
	return p.use(usual + p.chosen)
}

// fitting lists the densities that this message can be shown in, sparsest first, and which of
// them is the usual one: the sparsest in which one symbol is enough, else the densest of half blocks.
func (p *Player) fitting() (list []Density, usual int) {
	usual = -1
	largest := 0
	for _, cells := range paint.AllCells {
		screen := p.screen
		screen.Cells = cells
		versions := screen.Versions() // smallest modules first
		if cells != paint.HalfBlocks {
			versions = versions[:min(1, len(versions))]
		}
		for _, v := range slices.Backward(versions) {
			if v <= largest {
				continue
			}
			s, err := qr.NewSender(p.offer.Message, p.style, paint.Capacity(v, paint.L))
			if err != nil {
				continue
			}
			largest = v
			if s.Parts() == 1 && usual < 0 {
				usual = len(list)
			}
			list = append(list, Density{cells, v})
		}
		if cells == paint.HalfBlocks && usual < 0 {
			usual = len(list) - 1
		}
	}
	return list, max(usual, 0)
}

// use goes over to a density.
func (p *Player) use(at int) error {
	p.at = at
	chars := paint.Capacity(p.densities[at].Version, paint.L)
	if p.sender == nil {
		sender, err := qr.NewSender(p.offer.Message, p.style, chars)
		if err != nil {
			return err
		}
		p.sender, p.shown = sender, 1
	} else if p.sender.Chars() != chars {
		if err := p.sender.Resize(chars); err != nil {
			return err
		}
		p.shown = 1
	}
	return p.encode()
}

// encode makes the symbol of the present frame. One that stands alone is as small as it can
// be, and so has the largest modules.
func (p *Player) encode() (err error) {
	version := p.densities[p.at].Version
	if p.sender.Parts() == 1 {
		version = 0
	}
	p.symbol, err = paint.Encode(p.sender.Frame().Text, version, paint.L)
	return err
}

// Next goes on to the next frame.
func (p *Player) Next() error {
	if p.sender == nil || p.Still() {
		return nil
	}
	p.sender.Next()
	p.shown++
	return p.encode()
}

// Still reports that one symbol is all there is.
func (p *Player) Still() bool { return p.sender == nil || p.sender.Parts() == 1 }

// Denser and sparser symbols, as far as they fit.
func (p *Player) Denser(by int) error {
	at := min(max(p.at+by, 0), len(p.densities)-1)
	if p.sender == nil || at == p.at {
		return nil
	}
	p.chosen += at - p.at
	return p.use(at)
}

// CanDenser reports whether there is a density that many steps away.
func (p *Player) CanDenser(by int) bool { return p.at+by >= 0 && p.at+by < len(p.densities) }

// Faster shows more frames in a second, or fewer.
func (p *Player) Faster(by int) { p.speed = min(max(p.speed+by, 0), len(speeds)-1) }

// Speed is how many frames are shown in a second.
func (p *Player) Speed() int { return speeds[p.speed] }

// Each is how long each frame is seen.
func (p *Player) Each() time.Duration { return time.Second / time.Duration(p.Speed()) }

// Lines are the symbol, to be shown in black on white; none where there is no room.
func (p *Player) Lines() []string {
	if p.symbol == nil {
		return nil
	}
	screen := p.screen
	screen.Cells = p.densities[p.at].Cells
	lines, err := screen.Draw(p.symbol)
	if err != nil { // it was chosen to fit
		return nil
	}
	return lines
}

// Beside reports whether the text has room beside the symbol; else it goes below.
func (p *Player) Beside() bool { return p.beside }

// A Status says what is seen.
type Status struct {
	Name    string // of the transfer, as the receiver says it
	Shown   int    // frames so far
	Enough  int    // frames that are enough when none is lost
	Density Density
}

// Status says what is seen now.
func (p *Player) Status() Status {
	if p.sender == nil {
		return Status{}
	}
	d := p.densities[p.at]
	d.Version = p.symbol.Version
	return Status{Name: p.sender.Name(), Shown: p.shown, Enough: p.sender.Parts(), Density: d}
}

// Frame is the text of the symbol that is seen.
func (p *Player) Frame() string {
	if p.sender == nil {
		return ""
	}
	return p.sender.Frame().Text
}
