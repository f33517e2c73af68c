package decode

// blockShift is the block's size for thresholds: 8 pixels.
const blockShift = 3

// bitmap is a picture in two colours: 1 is dark.
type bitmap struct {
	pix  []uint8
	w, h int
}

// binarize compares each pixel with the mean of the blocks around its own, up
// to reach blocks away. A pixel must be darker by more than margin, so that
// noise on an even surface stays light.
func (p *plane) binarize(reach, margin int) *bitmap {
	bw, bh := (p.w+7)>>blockShift, (p.h+7)>>blockShift
	sums, counts := p.blockTable(bw, bh)
	b := &bitmap{pix: make([]uint8, len(p.pix)), w: p.w, h: p.h}
	row := make([]uint8, bw)
	for by := range bh {
		y0, y1 := max(0, by-reach), min(bh, by+reach+1)
		for bx := range bw {
			x0, x1 := max(0, bx-reach), min(bw, bx+reach+1)
			s := area(sums, bw, x0, y0, x1, y1)
			n := area(counts, bw, x0, y0, x1, y1)
			row[bx] = uint8(max(0, int(s/max(1, n))-margin))
		}
		for y := by << blockShift; y < min(p.h, (by+1)<<blockShift); y++ {
			b.threshold(p, y, row)
		}
	}
	return b
}

// threshold fills one row.
func (b *bitmap) threshold(p *plane, y int, limits []uint8) {
	in, out := p.pix[y*p.w:(y+1)*p.w], b.pix[y*p.w:(y+1)*p.w]
	for bx, limit := range limits {
		x0, x1 := bx<<blockShift, min(p.w, (bx+1)<<blockShift)
		o := out[x0:x1]
		for i, v := range in[x0:x1] {
			// 1 where v < limit, without a branch
			o[i] = uint8((int32(v) - int32(limit)) >> 31 & 1)
		}
	}
}

// blockTable are summed-area tables over blocks: of brightness and of pixels.
func (p *plane) blockTable(bw, bh int) (sums, counts []int64) {
	sums, counts = make([]int64, (bw+1)*(bh+1)), make([]int64, (bw+1)*(bh+1))
	line := make([]int64, bw)
	for by := range bh {
		clear(line)
		y1 := min(p.h, (by+1)<<blockShift)
		for y := by << blockShift; y < y1; y++ {
			row := p.pix[y*p.w : (y+1)*p.w]
			for bx := range line {
				s := uint32(0)
				for _, v := range row[bx<<blockShift : min(p.w, (bx+1)<<blockShift)] {
					s += uint32(v)
				}
				line[bx] += int64(s)
			}
		}
		s, n := int64(0), int64(0)
		rows := int64(y1 - by<<blockShift)
		for bx, v := range line {
			s += v
			n += rows * int64(min(p.w, (bx+1)<<blockShift)-bx<<blockShift)
			i := (by+1)*(bw+1) + bx + 1
			sums[i], counts[i] = sums[i-bw-1]+s, counts[i-bw-1]+n
		}
	}
	return sums, counts
}

func area(t []int64, bw, x0, y0, x1, y1 int) int64 {
	w := bw + 1
	return t[y1*w+x1] - t[y0*w+x1] - t[y1*w+x0] + t[y0*w+x0]
}
