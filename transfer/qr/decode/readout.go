package decode

// spread of the mean that a module is compared with, in modules.
const (
	levelReach = 7
	wideReach  = 15
)

// readout reads the symbol at a pose. It tries the plain brightness first and
// then what the equaliser makes of it.
func (s *pose) readout(p *plane) (string, bool) {
	t := templateOf(s.version)
	g := s.read(p)
	l := g.level(levelReach)
	if text, ok := l.accept(t); ok {
		return text, true
	}
	e, ok := train(l, t.at)
	if !ok {
		return "", false
	}
	f := e.apply(l)
	if text, ok := f.accept(t); ok {
		return text, true
	}
	// the first reading is mostly right: learn from all of it
	for range 2 {
		decided := f
		e, ok = train(l, func(x, y int) colour {
			if c := t.at(x, y); c != unknown {
				return c
			}
			return darkIf(decided.at(x, y) < 0)
		})
		if !ok {
			return "", false
		}
		f = e.apply(l)
		if text, ok := f.accept(t); ok {
			return text, true
		}
	}
	return "", false
}

// accept decodes modules that can be a symbol of the template's version.
func (g *grid) accept(t *template) (string, bool) {
	if g.knownErrors(t) > maxKnownErrors || g.formatErrors() > maxFormatErrors {
		return "", false
	}
	text, err := g.text()
	return text, err == nil
}
