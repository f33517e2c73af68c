package decode

// track looks for the symbols where the last picture had them. held says that
// one is in its place though it could not be read: a frame that the screen was
// changing in, or that a hand smeared.
func (d *Decoder) track(p *plane, late func() bool) (texts []string, held *pose) {
	var found []finding
	for i := range d.last {
		q := d.last[i]
		if !q.follow(p) {
			continue
		}
		if text, ok := q.readout(p, late); ok {
			found = append(found, finding{text, q})
			continue
		}
		held = &q
	}
	if len(found) == 0 {
		return nil, held
	}
	d.keep(found)
	return contents(found), nil
}

// patience is how many frames in a row a symbol may be held unread before the
// whole picture is searched again.
const patience = 6

// follow moves a pose from the last picture to this one.
func (s *pose) follow(p *plane) bool {
	next := newPose(s.version, p)
	if next.centre != s.centre {
		return false
	}
	t := templateOf(s.version)
	var known sights
	far := float64(s.size()) - 3.5
	for _, c := range [...][2]float64{{3.5, 3.5}, {far, 3.5}, {3.5, far}} {
		f, ok := s.finderNear(p, c[0], c[1])
		if !ok {
			return false
		}
		for _, o := range [...][2]float64{{0, 0}, {-3.5, -3.5}, {3.5, -3.5}, {-3.5, 3.5}, {3.5, 3.5}} {
			known.point(c[0]+o[0], c[1]+o[1], f.at(o[0], o[1]), 1)
		}
	}
	// the shape between the finders stays as it was, moved along with them
	s.fit(known, 6)
	return s.sane(p) && s.settle(p, t, 3) > limitAgree
}

// trackReach is how far a finder may move from one frame to the next, in
// modules.
const trackReach = 4

// finderNear looks for a finder around where it was.
func (s *pose) finderNear(p *plane, mx, my float64) (frame, bool) {
	c := s.pointAt(mx, my)
	right, down := s.steps(mx, my)
	best := frame{fit: -1}
	for y := -trackReach * 1.; y <= trackReach; y += .5 {
		for x := -trackReach * 1.; x <= trackReach; x += .5 {
			f := frame{c: c.plus(right, x).plus(down, y), u: right, v: down}
			if f.fit = p.finderFit(&f); f.fit > best.fit {
				best = f
			}
		}
	}
	if best.fit < minFit-.1 {
		return best, false
	}
	return p.polish(best)
}
