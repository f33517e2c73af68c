package decode

import (
	"math"
	"sort"
)

// line is a timing line between two finders, drawn as a curve that leaves each
// finder in that finder's own direction; perspective and a lens bend and
// stretch it, the finders tell how.
type line struct {
	from, to   point // at the two finders' centres, moved to the timing row
	lead, tail point // one module there
	count      float64
}

// row is the upper timing line, column the left one, for a number of modules
// from finder to finder.
func (t *triple) row(count float64) line {
	return line{t.tl.at(0, 3), t.tr.at(0, 3), t.tl.u, t.tr.u, count}
}

func (t *triple) column(count float64) line {
	return line{t.tl.at(3, 0), t.bl.at(3, 0), t.tl.v, t.bl.v, count}
}

// at is the place and step at i modules from the first finder's centre.
func (l *line) at(i float64) (p, step point) {
	s := i / l.count
	a, b := l.lead.mul(l.count), l.tail.mul(l.count)
	s2, s3 := s*s, s*s*s
	p = l.from.mul(2*s3-3*s2+1).plus(a, s3-2*s2+s).plus(l.to, 3*s2-2*s3).plus(b, s3-s2)
	d := l.from.mul(6*s2-6*s).plus(a, 3*s2-4*s+1).plus(l.to, 6*s-6*s2).plus(b, 3*s2-2*s)
	return p, d.mul(1 / l.count)
}

// tick is a change of colour found on a timing line.
type tick struct {
	at     float64 // modules from the first finder's centre
	p      point
	step   point
	weight float64
}

// follow walks from both finders to the middle, correcting its stride by each
// change of colour. The score is near 1 when the colours alternate as they
// must for this number of modules, and near 0 for another.
func (l *line) follow(p *plane) (ticks []tick, score float64) {
	var good, all float64
	var off [2]float64
	mid := math.Floor(l.count / 2)
	for side := range 2 {
		for k := 3.5; k <= mid+.5; k++ {
			i, rise := k, int(k-3.5)%2 == 0
			if side == 1 {
				i = l.count - k
				rise = !rise
			}
			q, step := l.at(i)
			q = q.plus(step, off[side])
			shift, contrast := p.edge(q.x, q.y, step.x, step.y)
			if !rise {
				contrast = -contrast
			}
			all += math.Abs(contrast)
			good += contrast
			if contrast > 0 {
				ticks = append(ticks, tick{i, q.plus(step, shift), step, contrast})
				off[side] += max(-.2, min(.2, .4*shift))
			}
		}
	}
	if all == 0 {
		return nil, 0
	}
	return ticks, good/all - max(0, math.Abs(off[0]-off[1])-.5)
}

// guess is a version with the evidence for it.
type guess struct {
	version     int
	row, column []tick
	score       float64
}

// versions ranks the versions that a triple may be.
func (t *triple) versions(p *plane) []guess {
	v0 := int(math.Round((t.count - 10) / 4))
	reach := 1 + v0/6
	var out []guess
	for v := max(1, v0-reach); v <= min(40, v0+reach); v++ {
		count := float64(10 + 4*v)
		row, column := t.row(count), t.column(count)
		g := guess{version: v}
		var a, b float64
		g.row, a = row.follow(p)
		g.column, b = column.follow(p)
		g.score = a + b - .02*math.Abs(float64(v-v0))
		out = append(out, g)
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].score > out[j].score })
	return out
}
