package paint

import (
	"errors"
	"image"
	"slices"
	"strings"
	"testing"

	"conclave/transfer/qr/qrtest"
)

// sample is a text of n characters that keeps an encoder in alphanumeric mode.
func sample(n int) string {
	const some = "*7WA5*-Q/%$9BZ X.+"
	return strings.Repeat(some, n/len(some)+1)[:n]
}

func mustEncode(t testing.TB, text string, version int, level Level) *Symbol {
	t.Helper()
	s, err := Encode(text, version, level)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCapacitiesAreTheEncodersOwn(t *testing.T) {
	for _, level := range []Level{L, M} {
		for v := 1; v <= MaxVersion; v += 3 {
			full := Capacity(v, level)
			s := mustEncode(t, sample(full), v, level)
			if s.Side() != Modules(v) {
				t.Errorf("version %d has %d modules", v, s.Side())
			}
			if VersionFor(full, level) != v || VersionFor(full+1, level) == v {
				t.Errorf("version %d is not the smallest for %d characters", v, full)
			}
			if _, err := Encode(sample(full+1), v, level); err == nil {
				t.Errorf("version %d takes one character more than %d", v, full)
			}
		}
	}
	if Capacity(6, L) != 195 || Capacity(14, L) != 667 || Capacity(40, L) != 4296 || Capacity(0, L) != 0 || Capacity(41, M) != 0 {
		t.Error("capacities are not the standard's")
	}
}

// The encoder takes digits apart from letters where that is shorter. It must never be longer.
func TestEveryMixtureFitsItsCapacity(t *testing.T) {
	for _, mixture := range []string{"A1", "AB12345", "ABCDEFG1234567890", "12345678901234A", "A:1234567890123"} {
		for _, v := range []int{1, 6, 9, 10, 14, 26, 27, 40} {
			full := Capacity(v, L)
			if _, err := Encode(strings.Repeat(mixture, full/len(mixture)+1)[:full], v, L); err != nil {
				t.Errorf("%s: %v", mixture, err)
			}
		}
	}
}

func TestTextsThatReadersGuessAtAreRefused(t *testing.T) {
	for _, text := range []string{"abc", "A\nB", "Ä", "A,B", "\xff", strings.Repeat("A", 4297)} {
		if _, err := Encode(text, 0, L); err == nil {
			t.Errorf("%.10q: no error", text)
		}
	}
	for _, v := range []int{-1, 41} {
		if _, err := Encode("A", v, L); err == nil {
			t.Errorf("version %d: no error", v)
		}
	}
}

func TestVersionsFollowFromTheTerminal(t *testing.T) {
	for _, c := range []struct {
		screen Screen
		want   int
	}{
		{Screen{80, 23, HalfBlocks}, 6},
		{Screen{80, 24, HalfBlocks}, 7},
		{Screen{100, 29, HalfBlocks}, 9},
		{Screen{120, 39, HalfBlocks}, 14},
		{Screen{120, 40, HalfBlocks}, 15},
		{Screen{160, 49, HalfBlocks}, 19},
		{Screen{200, 60, HalfBlocks}, 25},
		{Screen{80, 24, Sextants}, 13},
		{Screen{80, 24, Octants}, 19},
		{Screen{400, 200, HalfBlocks}, 40},
		{Screen{20, 10, HalfBlocks}, 0},
		{Screen{40, 200, HalfBlocks}, 4},
		{Screen{}, 0},
	} {
		if got := c.screen.Largest(); got != c.want {
			t.Errorf("%+v: version %d, want %d", c.screen, got, c.want)
		}
	}
	for _, c := range []struct {
		screen Screen
		want   []int
	}{
		{Screen{80, 23, HalfBlocks}, []int{6}},
		{Screen{80, 24, HalfBlocks}, []int{7, 6, 1}},
		{Screen{200, 59, HalfBlocks}, []int{24, 9, 4, 2}},
		{Screen{200, 60, HalfBlocks}, []int{25, 24, 10, 5, 2, 1}},
		{Screen{}, nil},
	} {
		if got := c.screen.Versions(); !slices.Equal(got, c.want) {
			t.Errorf("%+v: versions %v, want %v", c.screen, got, c.want)
		}
	}
	_, err := Screen{20, 10, HalfBlocks}.Draw(mustEncode(t, "A", 0, L))
	var small *SizeError
	if !errors.As(err, &small) || small.Hint() == "" {
		t.Errorf("too small a screen: %v", err)
	}
}

// A row of the terminal more would be needed for the whole quiet zone; the symbol is one row higher up then.
func TestTheQuietZoneAboveGivesWay(t *testing.T) {
	s := mustEncode(t, sample(20), 7, L)
	for rows, above := range map[int]int{24: 1, 25: 2} {
		lines, err := Screen{80, rows, HalfBlocks}.Draw(s)
		if err != nil || len(lines) > rows {
			t.Fatalf("%d lines, %v", len(lines), err)
		}
		first := []rune(lines[above/2])[QuietZone]
		if want := [...]rune{1: '▄', 2: '█'}[above]; first != want {
			t.Errorf("%d rows: the symbol's corner is %c", rows, first)
		}
	}
}

func TestDrawingHasEveryModuleInItsPlace(t *testing.T) {
	for _, cells := range AllCells {
		across, down := cells.grid()
		for version, scale := range map[int]int{1: 3, 6: 1, 9: 1} {
			s := mustEncode(t, sample(20), version, L)
			side := (s.side + 2*QuietZone) * scale
			screen := Screen{(side + across - 1) / across, (side + down - 1) / down, cells}
			lines, err := screen.Draw(s)
			if err != nil {
				t.Fatal(err)
			}
			for y := range side {
				for x := range side {
					cell := []rune(lines[y/down])[x/across]
					a, d, mask := qrtest.Ink(cell)
					bit := (y%down)*d/down*a + (x%across)*a/across
					if got := mask>>bit&1 == 1; got != s.Dark(x/scale-QuietZone, y/scale-screen.above(version)) {
						t.Fatalf("%v, version %d: module %d,%d is dark: %v (%c)", cells, version, x, y, got, cell)
					}
				}
			}
			if slices.ContainsFunc(lines, func(l string) bool { return len([]rune(l)) != len([]rune(lines[0])) }) {
				t.Errorf("%v: lines are of different widths", cells)
			}
		}
	}
}

// Some characters of the standard by their names.
func TestBlocksAreTheirNames(t *testing.T) {
	for mask, want := range map[int]rune{0b000001: 0x1fb00, 0b010100: 0x1fb13, 0b010110: 0x1fb14, 0b101011: 0x1fb28, 0b111110: 0x1fb3b} {
		if sextants[mask] != want {
			t.Errorf("sextant %06b is %x, want %x", mask, sextants[mask], want)
		}
	}
	for mask, want := range map[int]rune{
		0b00000100: 0x1cd00, 0b00000110: 0x1cd01, 0b00001011: 0x1cd05, 0b00010111: 0x1cd0f, 0b00110010: 0x1cd29, 0b00110011: 0x1cd2a, 0b11111110: 0x1cde5,
	} {
		if octants[mask] != want {
			t.Errorf("octant %08b is %x, want %x", mask, octants[mask], want)
		}
	}
}

// The terminal's screen, as readers of other projects see it: cells of several
// shapes, and the dark gaps that some terminals leave between lines.
func TestOthersReadTheTerminal(t *testing.T) {
	screens := map[string]Screen{
		"80x24": {80, 23, HalfBlocks}, "120x40": {120, 39, HalfBlocks}, "200x60": {200, 59, HalfBlocks},
		"80x24 in sextants": {80, 23, Sextants}, "80x24 in octants": {80, 23, Octants},
	}
	fonts := []struct {
		name string
		qrtest.Font
		only string // the reader that bears it; all where empty
	}{
		{"8x16", qrtest.Font{Width: 8, Height: 16}, ""},
		{"9x20", qrtest.Font{Width: 9, Height: 20}, ""},
		{"8x16 and a gap of 1", qrtest.Font{Width: 8, Height: 16, Gap: 1}, "zbarimg"},
		{"10x20 and a gap of 2", qrtest.Font{Width: 10, Height: 20, Gap: 2}, "zbarimg"},
	}
	var names, want []string
	var pictures [2][]*image.Gray // without and with gaps
	var gapWant, gapNames []string
	for name, screen := range screens {
		text := sample(Capacity(screen.Largest(), L))
		lines, err := screen.Draw(mustEncode(t, text, 0, L))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range fonts {
			img := qrtest.Raster(lines, f.Font)
			if f.only == "" {
				pictures[0], want, names = append(pictures[0], img), append(want, text), append(names, name+", "+f.name)
			} else if screen.Cells == HalfBlocks {
				pictures[1], gapWant, gapNames = append(pictures[1], img), append(gapWant, text), append(gapNames, name+", "+f.name)
			}
		}
	}
	for _, r := range qrtest.Readers {
		t.Run(r.Name, func(t *testing.T) {
			for i, got := range r.Read(t, pictures[0]) {
				if !slices.Equal(got, want[i:i+1]) {
					t.Errorf("%s: read %.60q", names[i], got)
				}
			}
		})
	}
	t.Run("zbarimg with gaps", func(t *testing.T) {
		for i, got := range qrtest.Zbar(t, pictures[1]) {
			if !slices.Equal(got, gapWant[i:i+1]) {
				t.Errorf("%s: read %.60q", gapNames[i], got)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	for _, v := range []int{6, 14, 24, 40} {
		text := sample(Capacity(v, L))
		b.Run("version "+string(rune('0'+v/10))+string(rune('0'+v%10)), func(b *testing.B) {
			for b.Loop() {
				mustEncode(b, text, v, L)
			}
		})
	}
}
