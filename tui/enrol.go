package tui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"conclave/ceremony"
	"conclave/hsm"
	"conclave/tui/say"
	"conclave/tui/text"
)

// An enrolScreen has each holder's token make its key.
type enrolScreen struct {
	stage
	name    string            // the chosen holder
	token   *ceremony.Visitor // the token that is to make the key
	form    form
	working bool
	tried   map[uint32]bool // tokens whose enrolment was begun here: the key in them is theirs to take
}

// erases reports that going on would destroy a key.
func (s *enrolScreen) erases(v ceremony.Visitor) bool { return !v.Blank && !s.tried[v.Info.Serial] }

func (s *enrolScreen) Title() string { return "enrolment" }

// holder is who is chosen, or the first who has no key yet.
func (s *enrolScreen) holder() ceremony.Participant {
	people := s.app.state.Participants()
	var first *ceremony.Participant
	for i, p := range people {
		if p.Name == s.name && !p.Enrolled {
			return p
		}
		if !p.Enrolled && (first == nil || first.Presence != ceremony.Here && p.Presence == ceremony.Here) {
			first = &people[i]
		}
	}
	if first == nil {
		return ceremony.Participant{}
	}
	return *first
}

// move chooses the next holder without a key in a direction.
func (s *enrolScreen) move(by int) {
	people, name := s.app.state.Participants(), s.holder().Name
	for i, p := range people {
		if p.Name != name {
			continue
		}
		for j := i + by; j >= 0 && j < len(people); j += by {
			if !people[j].Enrolled {
				s.name = people[j].Name
				return
			}
		}
	}
}

func (s *enrolScreen) Body(w, _ int) Page {
	if s.token != nil {
		return s.tokenPage(w)
	}
	who := s.holder().Name
	var p Page
	p.Lines = []Line{say1(plain, "Each holder's YubiKey makes its own key. It never leaves the token."), blank}
	for _, h := range s.app.state.Participants() {
		p.Lines = append(p.Lines, enrolLine(h, h.Name == who))
	}
	p.Foot = append(s.said(w), s.app.blindLines(w)...)
	return Page{Lines: p.Lines, Foot: append(p.Foot, blank,
		ln(sp(strong, "%s", who), sp(plain, ", put in the YubiKey that is to be yours.")))}
}

func enrolLine(h ceremony.Participant, chosen bool) Line {
	mark, state := sp(plain, "   "), sp(plain, "no key yet")
	if chosen {
		mark = sp(strong, " > ")
	}
	switch {
	case h.Enrolled && len(h.Serials) > 0:
		state = sp(good, "%s  token %d has made its key", say.OK, h.Serials[0])
	case h.Enrolled:
		state = sp(good, "%s  has a key", say.OK)
	case h.Presence == ceremony.Away:
		state = sp(dim, "no key yet; away")
	}
	l := ln(mark, span{text.Pad(text.Clean(h.Name), 18), plain}, sp(plain, "  "), state)
	if chosen {
		return l.focused()
	}
	return l
}

func (s *enrolScreen) tokenPage(w int) Page {
	v, who := s.token, s.holder().Name
	slot := "slot 9c is empty"
	if !v.Blank {
		slot = "slot 9c holds a key"
	}
	p := Page{Lines: []Line{
		ln(sp(strong, "%s", who), sp(plain, " enrols YubiKey "), sp(strong, "%d", v.Info.Serial)),
		say1(plain, "firmware %s, %s, %s", v.Info.Firmware, slot, say.Tries(v.Info.Retries)), blank,
	}}
	if s.working {
		p.Lines = append(p.Lines, hangingAt(w, touchIn, sp(touch, "%s", say.Touch),
			text.F("Touch the token when it blinks: it proves that %s's new key works.", who), strong)...)
		p.Lines = append(p.Lines, para(w, touchIn, plain, text.Clean("Making a key takes a few seconds."))...)
		return p
	}
	if s.erases(*v) {
		p.Lines = append(p.Lines, noticeLines(w, say.Notice{
			What: text.Clean("This token already holds a key. Going on destroys that key for ever."),
			Do:   text.Clean("If you are not certain, esc, and take another token."),
		})...)
		p.Lines = append(p.Lines, blank)
	}
	p.Lines = append(p.Lines, s.form.lines(w)...)
	p.Foot = append(pinSaid(w, &s.form), s.said(w)...)
	return p
}

// pinSaid is what the PIN fields of a form have to say.
func pinSaid(w int, f *form) []Line {
	for _, fl := range f.fields {
		if fl.pin != nil && !fl.pin.said.Empty() {
			return append([]Line{blank}, noticeLines(w, say.Notice{What: fl.pin.said})...)
		}
	}
	return nil
}

func (s *enrolScreen) Keys() []Key {
	switch {
	case s.busy != 0:
		return nil
	case s.token != nil:
		return append(s.form.keys("make the key", s.enrol), back("put it away", s.away))
	}
	return []Key{
		on("up/down", "choose", now(func() { s.move(-1) }), "up"), on("", "", now(func() { s.move(1) }), "down"),
		on("l", "look again", now(s.app.lookAgain), "l"),
		on("d", "leave somebody out", s.dropHolder, "d"),
	}
}

func (s *enrolScreen) dropHolder() tea.Cmd {
	who, session := s.holder().Name, s.app.session
	return s.app.open(decide(s.stage, decision{
		title: "leave out", on: "holder " + who,
		about: []text.Safe{
			text.F("Leave %s out of the new repository?", who),
			text.Clean("The draft is made without this holder. This is an exception: why, and by whom it was decided, goes on record."),
		},
		do:    func(why string, by []string) error { return session.Drop(who, why, by) },
		after: func() { s.good("On record: %s is left out.", who) },
	}))
}

func (s *enrolScreen) typing() bool            { return s.token != nil && s.busy == 0 }
func (s *enrolScreen) typed(k tea.KeyPressMsg) { s.form.current().typed(k) }
func (s *enrolScreen) pasted(t string)         { s.form.current().pasted(t) }

func (s *enrolScreen) waiting() bool { return s.token == nil && s.busy == 0 }

func (s *enrolScreen) left(reader string) tea.Cmd {
	if s.token != nil && s.token.Reader == reader && s.busy == 0 {
		s.away()
		s.tell(say.Notice{What: text.Clean("The token was taken out."), Kept: text.Clean("Nothing was changed on it.")})
	}
	return nil
}

func (s *enrolScreen) away() {
	s.form.wipe()
	s.token = nil
	s.clear()
}

func (s *enrolScreen) arrived(v ceremony.Visitor, err error) tea.Cmd {
	switch {
	case err != nil:
		s.tell(say.Trouble(err))
		return nil
	case v.Info.Retries == 0:
		s.tell(say.Trouble(hsm.ErrBlocked))
		return nil
	}
	switch p, ok := say.Find(s.app.state, v.Holder); {
	case ok && p.Enrolled:
		if s.news.Empty() {
			s.tell(say.Notice{What: text.F("Token %d is %s's already.", v.Info.Serial, v.Holder), Do: text.Clean("Take it out.")})
		}
		return nil
	case ok:
		s.name = p.Name // who put it in at the roll call
	}
	s.clear()
	s.token, s.form = &v, s.fields(v)
	return nil
}

func (s *enrolScreen) fields(v ceremony.Visitor) form {
	var f form
	if s.erases(v) {
		f.fields = append(f.fields, newField("serial, to destroy its key"))
	}
	current := newPINField(s.app.mono, "current PIN")
	current.note = sp(plain, "a new YubiKey's PIN is 123456")
	fresh := newPINField(s.app.mono, "new PIN")
	fresh.note = sp(plain, "%d to %d characters", hsm.MinPIN, hsm.MaxPIN)
	f.fields = append(f.fields, current, fresh, newPINField(s.app.mono, "new PIN again"))
	return f
}

// enrol checks what was typed and has the token make the key.
func (s *enrolScreen) enrol() tea.Cmd {
	n := len(s.form.fields)
	current, fresh, again := s.form.fields[n-3], s.form.fields[n-2], s.form.fields[n-1]
	if again.pin.flooded() {
		return nil
	}
	if s.form.missing() {
		s.tell(say.Notice{What: text.F("%s: %d to %d characters.", s.form.current().label, hsm.MinPIN, hsm.MaxPIN), Kept: text.Clean("Nothing was sent to the token.")})
		return nil
	}
	v, erase := *s.token, uint32(0)
	if s.erases(v) {
		if erase = v.Info.Serial; !say.IsSerial(s.form.fields[0].text(), erase) {
			s.tell(say.Notice{What: text.F("That is not the serial of this token, %d.", v.Info.Serial), Kept: text.Clean("Nothing was sent to the token.")})
			s.form.at = 0
			return nil
		}
	}
	if !fresh.pin.pin.Equal(&again.pin.pin) {
		fresh.pin.wipe()
		again.pin.wipe()
		s.form.at = n - 2
		s.tell(say.Notice{What: text.Clean("The two new PINs differ."), Kept: text.Clean("Nothing was sent to the token."), Do: text.Clean("Type the new PIN again, twice.")})
		return nil
	}
	again.pin.wipe()
	return s.make(v, current.pin.take(), fresh.pin.take(), erase)
}

func (s *enrolScreen) make(v ceremony.Visitor, current, fresh *hsm.PIN, erase uint32) tea.Cmd {
	who, session := s.holder().Name, s.app.session
	s.clear()
	s.working = true
	cmd := s.app.do(func(ctx context.Context) error {
		defer current.Wipe()
		defer fresh.Wipe()
		return session.Enrol(ctx, v, who, current, fresh, erase)
	}, func(err error) tea.Cmd {
		s.busy, s.working, s.token = 0, false, nil
		s.form.wipe()
		if err != nil {
			s.tried[v.Info.Serial] = true
			s.tell(say.Trouble(err))
			return nil
		}
		s.name = ""
		s.good("%s's token %d has made its key. Take it out and keep it.", who, v.Info.Serial)
		return nil
	})
	s.busy = s.app.lastOp
	return cmd
}
