package tui

import (
	tea "charm.land/bubbletea/v2"

	"conclave/ceremony"
	"conclave/tui/say"
	"conclave/tui/text"
)

// A rollCallScreen asks who is in the room. A token that is put in answers for its holder.
type rollCallScreen struct {
	stage
	at int // the chosen participant
}

func (s *rollCallScreen) Title() string { return "roll call" }

func (s *rollCallScreen) people() []ceremony.Participant { return s.app.state.Participants() }

func (s *rollCallScreen) unasked() int {
	n := 0
	for _, p := range s.people() {
		if p.Presence == ceremony.Unknown {
			n++
		}
	}
	return n
}

func (s *rollCallScreen) Body(w, _ int) Page {
	p := Page{Lines: []Line{
		say1(plain, "Who is here? Put in a token: it answers for its holder."),
		say1(plain, "The conductor answers for the others. No PIN is asked for."), blank,
	}}
	for i, who := range s.people() {
		p.Lines = append(p.Lines, personLine(who, i == s.at))
	}
	if e := say.Evidence(s.app.state.Proofs()); len(e.Items) > 0 {
		p.Lines = append(append(p.Lines, blank), sectionLines(e, w)...)
	}
	p.Foot = append(s.said(w), s.app.blindLines(w)...)
	p.Foot = append(p.Foot, blank)
	if n := s.unasked(); n > 0 {
		p.Foot = append(p.Foot, say1(plain, "Not asked yet: %d of %d.", n, len(s.people())))
	} else {
		p.Foot = append(p.Foot, say1(strong, "Everybody has been asked for."))
	}
	return p
}

func personLine(p ceremony.Participant, chosen bool) Line {
	mark, t := sp(plain, "   "), plain
	if chosen {
		mark, t = sp(strong, " > "), picked
	}
	state := plain
	switch p.Presence {
	case ceremony.Here:
		state = good
	case ceremony.Unknown:
		state = warn
	}
	l := ln(mark, span{text.Pad(text.Clean(p.Name), 18), t}, sp(plain, "  "),
		span{text.Pad(say.Standing(p), 24), plain}, sp(plain, "  "), span{say.Presence(p), state})
	if chosen {
		return l.focused()
	}
	return l
}

func (s *rollCallScreen) Keys() []Key {
	keys := []Key{
		on("up/down", "choose", now(func() { s.at = max(0, s.at-1) }), "up"),
		on("", "", now(func() { s.at = min(len(s.people())-1, s.at+1) }), "down"),
		on("h", "here", s.answer(true), "h"), on("a", "away", s.answer(false), "a"),
	}
	if s.unasked() == 0 {
		keys = append(keys, on("enter", "continue", func() tea.Cmd {
			return s.act(s.app.session.CloseRollCall, nil, nil)
		}, "enter"))
	}
	return s.idle(append(append(keys, s.unblockKeys()...), s.sheetKeys()...)...)
}

// answer answers for the chosen participant and goes on to the next.
func (s *rollCallScreen) answer(here bool) func() tea.Cmd {
	return func() tea.Cmd {
		name, session := s.people()[s.at].Name, s.app.session
		return s.act(func() error {
			if here {
				return session.Arrive(name, 0)
			}
			return session.Miss(name)
		}, nil, s.nextUnasked)
	}
}

func (s *rollCallScreen) nextUnasked() {
	people := s.people()
	for n := range people {
		if i := (s.at + n) % len(people); people[i].Presence == ceremony.Unknown {
			s.at = i
			return
		}
	}
}

func (s *rollCallScreen) waiting() bool       { return s.busy == 0 }
func (s *rollCallScreen) left(string) tea.Cmd { s.blocked, s.seen = nil, nil; return nil }

func (s *rollCallScreen) arrived(v ceremony.Visitor, err error) tea.Cmd {
	switch {
	case err != nil:
		s.tell(say.Trouble(err))
		return nil
	case v.Holder == "":
		s.tell(say.Stranger(v))
		s.seeBlocked(v)
		s.seen = &v
		return nil
	}
	s.seeBlocked(v)
	s.seen = &v
	session := s.app.session
	return s.act(func() error { return session.Arrive(v.Holder, v.Info.Serial) }, nil, func() {
		s.good("%s is here, token %d.", v.Holder, v.Info.Serial)
		s.nextUnasked()
	})
}
