package corpus

import (
	"hash/crc32"
	"math"
	"testing"
)

func TestSamePictureEveryTime(t *testing.T) {
	for _, c := range Classes {
		s := Draw(c, 1)
		s.Version, s.Module = 5, 2
		a, err := s.Picture()
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Picture()
		if err != nil {
			t.Fatal(err)
		}
		if a.Text != b.Text || crc32.ChecksumIEEE(a.Gray.Pix) != crc32.ChecksumIEEE(b.Gray.Pix) {
			t.Errorf("%s: two pictures of one Spec differ", c)
		}
		if Draw(c, 1) != Draw(c, 1) || Draw(c, 1) == Draw(c, 2) {
			t.Errorf("%s: numbers do not name Specs", c)
		}
	}
}

func TestClassesCoverWhatTheyMust(t *testing.T) {
	most := map[Class]Spec{}
	lowest, highest, m := 40, 1, 0
	for _, c := range Classes {
		w := Spec{Contrast: 1}
		for i := range 600 {
			s := Draw(c, i)
			lowest, highest = min(lowest, s.Version), max(highest, s.Version)
			if s.LevelM {
				m++
			}
			if s.Module < 2 || s.Module > 6 {
				t.Errorf("%v: module of %.1f pixels", s, s.Module)
			}
			w.Rotation, w.Barrel = max(w.Rotation, math.Abs(s.Rotation)), max(w.Barrel, s.Barrel)
			w.Ghost, w.Tear, w.Cell.Gap = max(w.Ghost, s.Ghost), max(w.Tear, s.Tear), max(w.Cell.Gap, s.Cell.Gap)
			w.Contrast = min(w.Contrast, s.Contrast)
		}
		most[c] = w
	}
	if lowest != 5 || highest != 40 || m < 1000 || m > 1400 {
		t.Errorf("versions %d to %d, %d of 2400 at level M", lowest, highest, m)
	}
	p := most[Poor]
	if p.Rotation < 44 || p.Barrel < .098 || p.Ghost < .34 || p.Tear == 0 || p.Cell.Gap == 0 || p.Contrast > .21 {
		t.Errorf("the hardest pictures are not hard: %v", p)
	}
	if g := most[Clean]; g.Rotation != 0 || g.Barrel != 0 || g.Ghost != 0 || g.Cell.Gap == 0 {
		t.Errorf("clean pictures are not clean: %v", g)
	}
}

func TestCapacityIsWhatTheEncoderTakes(t *testing.T) {
	long := make([]byte, 8000)
	for i := range long {
		long[i] = 'A'
	}
	for _, v := range []int{1, 5, 9, 10, 26, 27, 40} {
		for _, m := range []bool{false, true} {
			n := capacity(v, m)
			if _, err := Symbol(string(long[:n]), v, m); err != nil {
				t.Errorf("version %d: %d characters are too many: %v", v, n, err)
			}
			if _, err := Symbol(string(long[:n+1]), v, m); err == nil {
				t.Errorf("version %d: %d characters fit", v, n+1)
			}
		}
	}
}

// A pixel that the picture's own map names shows that module's colour.
func TestPixelIsWhereTheModuleIs(t *testing.T) {
	s := Draw(Poor, 5)
	s.Version, s.Module, s.Contrast = 7, 5, .9
	s.Blur, s.Motion, s.Noise, s.Glare, s.Ghost, s.Tear, s.JPEG = 0, 0, 0, 0, 0, 0, 0
	s.Cell = Cell{}
	p, err := s.Picture()
	if err != nil {
		t.Fatal(err)
	}
	m, err := Symbol(p.Text, 7, s.LevelM)
	if err != nil {
		t.Fatal(err)
	}
	mid := 127 * s.Contrast
	for y := range m {
		for x := range m {
			px, py := p.Pixel(float64(x)+.5, float64(y)+.5)
			v := float64(p.Gray.GrayAt(int(px), int(py)).Y)
			if dark := v < mid+20; dark != m[y][x] {
				t.Fatalf("module %d,%d is %v, pixel %.0f,%.0f is %.0f", x, y, m[y][x], px, py, v)
			}
		}
	}
}

func TestNextIsAnotherTextOfTheSameView(t *testing.T) {
	s := Draw(Good, 2)
	s.Version, s.Module = 5, 2
	a, err := s.Picture()
	if err != nil {
		t.Fatal(err)
	}
	s.Swap = true
	b, err := s.Picture()
	if err != nil {
		t.Fatal(err)
	}
	if a.Text != b.Next || a.Next != b.Text || a.Text == a.Next {
		t.Error("swapping does not exchange the texts")
	}
	ax, ay := a.Pixel(3, 4)
	bx, by := b.Pixel(3, 4)
	if ax != bx || ay != by {
		t.Error("swapping moves the camera")
	}
}

func TestCellsDealTheirPixelsOut(t *testing.T) {
	for _, c := range cells {
		seen := map[[2]int]int{}
		gaps := 0
		for py := range c.H + c.Gap {
			for px := range c.W {
				x := (float64(px) + .5) / float64(c.W) * float64(c.Cols)
				y := (float64(py) + .5) / float64(c.H+c.Gap) * float64(c.Rows)
				ix, iy, gap := c.module(x, y, 21)
				if gap {
					gaps++
					continue
				}
				seen[[2]int{ix, iy}]++
			}
		}
		if len(seen) != c.Cols*c.Rows || gaps != c.Gap*c.W {
			t.Errorf("%v: %d modules and %d pixels of gap", c, len(seen), gaps)
		}
		least := (c.W / c.Cols) * (c.H / c.Rows)
		for m, k := range seen {
			if k < least {
				t.Errorf("%v: module %v has %d pixels of %d", c, m, k, least)
			}
		}
	}
}
