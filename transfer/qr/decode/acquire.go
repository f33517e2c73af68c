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

func (s *search) late() bool { return time.Now().After(s.until) }

func (s *search) done() bool { return len(s.found) >= s.want }

// run goes through the passes until enough is found or time is up.
func (s *search) run() {
	for _, q := range passes {
		if s.done() || s.late() {
			return
		}
		before := len(s.frames)
		s.look(q)
		if len(s.frames) > before {
			s.combine()
		}
	}
	if !s.done() && !s.late() {
		s.complete()
		s.combine()
	}
}

// maxFrames bounds how many finders are kept: those of 80 symbols.
const maxFrames = 240

// look adds the finders that one pass sees.
func (s *search) look(q pass) {
	p, scale := s.p, 1.
	if q.smooth {
		p = s.smoothed()
	}
	if q.half {
		p, scale = s.p.half(), 2
	}
	if p.w < 21 || p.h < 21 {
		return
	}
	for _, h := range p.binarize(q.reach, q.margin).scan(1) {
		if s.late() || len(s.frames) >= maxFrames {
			return
		}
		h.c, h.wide, h.high = h.c.mul(scale), h.wide*scale, h.high*scale
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
	return s.read(t.tl.c) || s.read(t.tr.c) || s.read(t.bl.c)
}

// read tells whether a point lies in a symbol that has been read.
func (s *search) read(c point) bool {
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
		if text, ok := q.readout(p); ok {
			return finding{text, q}, true
		}
	}
	return finding{}, false
}
