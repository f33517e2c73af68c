package tui

import (
	tea "charm.land/bubbletea/v2"

	"conclave/ceremony"
	"conclave/tui/say"
	"conclave/tui/text"
)

// A signScreen shows who has signed and who is still needed, and deals with
// one token at a time.
type signScreen struct {
	stage
	card *card // the token that is being dealt with
}

func (s *signScreen) Title() string { return "sign" }

func (s *signScreen) Body(w, _ int) Page {
	if s.card != nil {
		return s.card.page(w)
	}
	st := s.app.state
	p := Page{Lines: tallyTable(st, w)}
	p.Lines = append(p.Lines, blank)
	if st.Complete() {
		p.Lines = append(p.Lines, okLines(w, text.Clean("Everything is signed. Nobody else is needed."))...)
	}
	for _, l := range st.Still() {
		p.Lines = append(p.Lines, hanging(w, sp(plain, "   "), text.Clean(l), plain)...)
	}
	p.Foot = append(s.said(w), s.app.blindLines(w)...)
	if open := st.Open(); len(open) > 0 {
		p.Foot = append(append(p.Foot, blank), hanging(w, sp(warn, "%-5s", say.Stop), say.WantDecision(open), strong)...)
	}
	if !st.Complete() {
		p.Foot = append(p.Foot, blank, say1(strong, "   Put in the next token."))
	}
	return p
}

func (s *signScreen) Keys() []Key {
	if s.card != nil {
		return s.card.keys()
	}
	st := s.app.state
	var keys []Key
	if st.Complete() {
		keys = append(keys, on("enter", "continue", func() tea.Cmd { return s.act(s.app.session.CloseSigning, nil, nil) }, "enter"))
	} else {
		keys = append(keys, on("e", "go on partial", s.partial, "e"))
	}
	return s.idle(append(append(keys, s.unblockKeys()...),
		on("x", "exception", s.exception, "x"),
		on("l", "look again", now(s.app.lookAgain), "l"),
		on("w", "words", s.witness, "w", "ctrl+w").less(), s.queueKey(), s.changeKey())...)
}

// partial asks whether to leave signing while signatures are missing.
func (s *signScreen) partial() tea.Cmd {
	return s.app.open(&sureScreen{
		stage: stage{app: s.app}, title: "partial", yes: "go on without them",
		says:   append(append([]text.Safe{}, cleanAll(s.app.state.Still())...), say.Partial()...),
		commit: s.app.session.CloseSigning,
	})
}

func cleanAll(lines []string) []text.Safe {
	var out []text.Safe
	for _, l := range lines {
		out = append(out, text.Clean(l))
	}
	return out
}

// exception puts on record a decision on what is open, or else whatever happened.
func (s *signScreen) exception() tea.Cmd {
	if open := s.app.state.Open(); len(open) > 0 {
		return s.except(open[0])
	}
	what := newField("what happened")
	session := s.app.session
	a := decide(s.stage, decision{
		title: "exception",
		about: []text.Safe{text.Clean("Put on record what happened against the script, and what was decided. Nothing else changes.")},
		do:    func(why string, by []string) error { return session.Except(what.text(), why, by) },
		after: func() { s.good("On record: %s.", what.text()) },
	})
	a.fields = append([]*field{what}, a.fields...)
	return s.app.open(a)
}

func (s *signScreen) witness() tea.Cmd { return s.app.open(&witnessScreen{app: s.app}) }

func (s *signScreen) typing() bool { return s.card != nil && s.card.typing() }

func (s *signScreen) typed(k tea.KeyPressMsg) { s.card.form.current().typed(k) }

func (s *signScreen) pasted(t string) {
	if f := s.card.form.current(); f.pin != nil {
		f.pasted(t) // which refuses; words are heard and typed, not pasted
	}
}

func (s *signScreen) waiting() bool { return s.card == nil && s.busy == 0 }

// left says that a token was taken out. While it signs, the act itself tells.
func (s *signScreen) left(reader string) tea.Cmd {
	s.blocked = nil
	if s.card == nil || s.card.v.Reader != reader || s.card.signing() {
		return nil
	}
	holder := s.card.v.Holder
	s.putAway()
	s.tell(say.Notice{What: text.F("%s's token was taken out.", holder), Kept: text.Clean("Nothing more was signed.")})
	return nil
}

// putAway ends a visit and forgets what was typed.
func (s *signScreen) putAway() {
	if s.card != nil {
		s.card.wipe()
		s.card = nil
	}
	s.clear()
}

// arrived deals with a token: it may sign, must review first, or has nothing to do here.
func (s *signScreen) arrived(v ceremony.Visitor, err error) tea.Cmd {
	switch {
	case err != nil:
		s.tell(say.Trouble(err))
		return nil
	case v.Info.Retries == 0:
		s.clear()
		s.seeBlocked(v)
		return nil
	case v.Holder != "" && say.MustReview(s.app.state, v.Holder) && len(v.Done) == 0:
		return s.app.open(&reviewScreen{stage: stage{app: s.app}, only: v.Holder, done: s.app.lookAgain})
	case len(v.Acts) == 0:
		if s.news.Empty() || len(v.Done) == 0 { // its holder has just been told
			s.tell(say.Useless(v))
		}
		return nil
	}
	return s.challenge(v)
}

// challenge asks which words the holder must type and opens the card.
func (s *signScreen) challenge(v ceremony.Visitor) tea.Cmd {
	session := s.app.session
	s.clear()
	cmd := ask(s.app, noContextFor(func() ([]ceremony.Challenge, error) { return session.Challenges(v) }),
		func(asked []ceremony.Challenge, err error) tea.Cmd {
			s.busy = 0
			if err != nil {
				s.tell(say.Trouble(err))
				return nil
			}
			s.app.rest()
			s.card = newCard(s, v, asked)
			return nil
		})
	s.busy = s.app.lastOp
	return cmd
}
