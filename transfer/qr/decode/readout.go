package decode

// levelReach is how far around a module its mean is taken, in modules.
const levelReach = 7

// readout reads the symbol at a pose: the plain brightness first, then what a
// filter makes of it that is trained on the known modules, then filters that
// learn from the reading before, most of which is right. It stops early when
// it is late.
func (s *pose) readout(p *plane, late func() bool) (string, bool) {
	t := templateOf(s.version)
	if text, ok := s.read(p).level(levelReach).accept(t); ok {
		return text, true
	}
	if late() {
		return "", false
	}
	m := s.mesh(p)
	lesson := t.at
	for i := 0; i < 3 && !late(); i++ {
		e, ok := m.train(lesson)
		if !ok {
			return "", false
		}
		g := m.apply(&e)
		if text, ok := g.accept(t); ok {
			return text, true
		}
		lesson = g.lesson(t)
	}
	return "", false
}

// sure is how far from the threshold a filtered module must be to be learned
// from; colours are at -1 and 1.
const sure = .25

// lesson takes a reading for true where it is clear.
func (g *grid) lesson(t *template) func(x, y int) colour {
	return func(x, y int) colour {
		if c := t.at(x, y); c != unknown {
			return c
		}
		switch v := g.at(x, y); {
		case v < -sure:
			return dark
		case v > sure:
			return light
		}
		return unknown
	}
}

// accept decodes modules that can be a symbol of the template's version.
func (g *grid) accept(t *template) (string, bool) {
	if g.knownErrors(t) > maxKnownErrors || g.formatErrors() > maxFormatErrors {
		return "", false
	}
	text, err := g.text()
	return text, err == nil
}
