package decode

import (
	"sort"
	"time"
)

// pass is one way to look for finders: at full or half size, smoothed or not,
// with thresholds from near or far around.
type pass struct {
	half, smooth  bool
	reach, margin int
}

// passes go from what most pictures need to what few do.
var passes = []pass{
	{reach: 2, margin: 4},
	{smooth: true, reach: 3, margin: 2},
	{half: true, reach: 2, margin: 2},
	{reach: 6, margin: 0},
	{smooth: true, reach: 1, margin: 1},
	{half: true, reach: 1, margin: 0},
	{smooth: true, reach: 8, margin: 6},
}

// search is one acquisition: what has been seen so far in one picture.
type search struct {
	p, soft *plane
	now     func() time.Time
	until   time.Time
	want    int // symbols
	frames  []frame
	tried   map[[3]int]bool
	found   []finding
	miss    Miss
}

// finding is a symbol that was read, and where.
type finding struct {
	text string
	pose pose
}

func (s *search) late() bool { return s.now().After(s.until) }

func (s *search) done() bool { return len(s.found) >= s.want }

// run goes through the passes until enough is found or time is up: first the
// best hits of each, then the third finders that two found ones promise, then
// what is left.
func (s *search) run() {
	var rest []hits
	for _, q := range passes {
		found := s.hits(q)
		n := min(len(found), 2*batch)
		s.work(found[:n])
		rest = append(rest, found[n:])
		if s.stop() {
			return
		}
	}
	s.complete()
	s.combine()
	for _, found := range rest {
		s.work(found)
	}
}

// batch is how many hits are looked at before their combinations are tried:
// the best come first, and most pictures need no more.
const batch = 24

// work looks at hits batch by batch.
func (s *search) work(found hits) {
	for len(found) > 0 && !s.stop() {
		n := min(len(found), batch)
		before := len(s.frames)
		s.check(found[:n])
		found = found[n:]
		if len(s.frames) > before {
			s.combine()
		}
	}
}

func (s *search) stop() bool { return s.done() || s.late() || len(s.frames) >= maxFrames }

// maxFrames bounds how many finders are kept: those of 80 symbols.
const maxFrames = 240

// hits are the places that one pass finds, those seen on most lines first.
func (s *search) hits(q pass) hits {
	p, scale := s.p, 1.
	if q.smooth {
		p = s.smoothed()
	}
	if q.half {
		p, scale = s.p.half(), 2
	}
	if p.w < minSide || p.h < minSide {
		return nil
	}
	found := p.binarize(q.reach, q.margin).scan(1)
	for i := range found {
		h := &found[i]
		h.c, h.wide, h.high = h.c.mul(scale), h.wide*scale, h.high*scale
	}
	return found
}

// check turns hits into frames.
func (s *search) check(found hits) {
	for _, h := range found {
		if s.stop() {
			return
		}
		if s.seen(h.c, h.module()) {
			continue
		}
		if f, ok := s.smoothed().frameOf(h); ok && !s.seen(f.c, f.module()) {
			s.frames = append(s.frames, f)
		}
	}
}

func (s *search) smoothed() *plane {
	if s.soft == nil {
		s.soft = s.p.smooth()
	}
	return s.soft
}

// seen tells whether a finder is already among the frames.
func (s *search) seen(c point, module float64) bool {
	for i := range s.frames {
		f := &s.frames[i]
		if m := f.module(); f.c.sub(c).abs() < 2*m && module < 2.5*m && m < 2.5*module {
			return true
		}
	}
	return false
}

// maxTriples bounds how many combinations of finders one pass weighs, and
// maxAttempts how many it follows.
const (
	maxTriples  = 150
	maxAttempts = 16
)

// idea is a triple taken for one version.
type idea struct {
	t *triple
	g guess
}

// combine weighs the finders' combinations that have not been tried, by their
// timing lines, and follows the best.
func (s *search) combine() {
	all := triples(s.frames)
	var ideas []idea
	for i := 0; i < len(all) && i < maxTriples && !s.late(); i++ {
		t := &all[i]
		if s.tried[t.key()] {
			continue
		}
		s.tried[t.key()] = true
		s.miss.see(t)
		for i, g := range t.versions(s.smoothed()) {
			if i < maxGuesses && g.score > minTiming {
				ideas = append(ideas, idea{t, g})
			}
		}
	}
	sort.SliceStable(ideas, func(i, j int) bool { return ideas[i].g.score > ideas[j].g.score })
	for i := 0; i < len(ideas) && i < maxAttempts && !s.done() && !s.late(); i++ {
		if s.taken(ideas[i].t) {
			continue
		}
		if f, ok := s.attempt(&ideas[i]); ok {
			s.found = append(s.found, f)
		}
	}
}

// key tells combinations apart.
func (t *triple) key() [3]int {
	return [3]int{int(t.tl.c.x)<<16 | int(t.tl.c.y), int(t.tr.c.x)<<16 | int(t.tr.c.y), int(t.bl.c.x)<<16 | int(t.bl.c.y)}
}

// taken tells whether one of a triple's finders belongs to a symbol that has
// been read.
func (s *search) taken(t *triple) bool {
	return s.covered(t.tl.c) || s.covered(t.tr.c) || s.covered(t.bl.c)
}

// covered tells whether a point lies in a symbol that has been read.
func (s *search) covered(c point) bool {
	for i := range s.found {
		if s.found[i].pose.covers(c) {
			return true
		}
	}
	return false
}

// covers tells whether a point lies within the symbol.
func (s *pose) covers(c point) bool {
	n := float64(s.size())
	corners := [...]point{s.pointAt(0, 0), s.pointAt(n, 0), s.pointAt(n, n), s.pointAt(0, n)}
	sign := 0.
	for i, a := range corners {
		x := corners[(i+1)%4].sub(a).cross(c.sub(a))
		if x*sign < 0 {
			return false
		}
		sign = x
	}
	return true
}

// minTiming is the score of a version's timing lines, at most 2, below which
// it is not followed, and maxGuesses how many versions of a triple are.
const (
	minTiming  = -.4
	maxGuesses = 3
)

// attempt places a symbol and reads it.
func (s *search) attempt(i *idea) (finding, bool) {
	q, agree := i.t.place(s.smoothed(), &i.g)
	if agree < limitAgree {
		return finding{}, false
	}
	s.miss.fit(&q)
	for _, p := range [...]*plane{s.p, s.smoothed()} {
		if text, ok := q.readout(p, s.late); ok {
			return finding{text, q}, true
		}
		if s.late() {
			break
		}
	}
	return finding{}, false
}
