package tui

import (
	"context"
	"slices"

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
	answers enrolAnswers
	working bool
}

// enrolAnswers are the fields of the form; nil where one is not asked for.
type enrolAnswers struct {
	serial, pin, newPIN, pinAgain, puk, newPUK, pukAgain *field
}

// erases reports that going on would destroy a key.
func erases(v ceremony.Visitor) bool { return !v.Blank && v.Left == "" }

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
		ln(sp(strong, "%s", who), sp(plain, ", put in the YubiKey that is to be %s.", say.ToBe(s.holder()))))}
}

func enrolLine(h ceremony.Participant, chosen bool) Line {
	mark, state := sp(plain, "   "), sp(plain, "no key yet")
	if chosen {
		mark = sp(strong, " > ")
	}
	switch {
	case h.Enrolled && len(h.Made) > 1:
		state = sp(good, "%s  tokens %d and %d have made their keys", say.OK, h.Made[0], h.Made[1])
	case h.Enrolled && len(h.Made) > 0:
		state = sp(good, "%s  token %d has made its key", say.OK, h.Made[0])
	case h.Backup && len(h.Made) > 0:
		state = sp(plain, "token %d has made its key; no backup yet", h.Made[0])
	case h.Backup:
		state = sp(plain, "has a key; no backup yet")
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
	as := ""
	if s.holder().Backup {
		as = " as backup"
	}
	p := Page{Lines: []Line{
		ln(sp(strong, "%s", who), sp(plain, " enrols YubiKey "), sp(strong, "%d", v.Info.Serial), sp(plain, "%s", as)),
		say1(plain, "firmware %s, %s, %s", v.Info.Firmware, slot, say.Tries(v.Info.Retries)), blank,
	}}
	if s.working {
		p.Lines = append(p.Lines, hangingAt(w, touchIn, sp(touch, "%s", say.Touch),
			text.F("Touch the token when it blinks: it proves that %s's new key works.", who), strong)...)
		p.Lines = append(p.Lines, para(w, touchIn, plain, text.Clean("Making a key takes a few seconds."))...)
		return p
	}
	if v.Left != "" {
		p.Lines = append(append(p.Lines, para(w, 0, plain, say.Left(*v))...), blank)
	}
	if v.Stray {
		p.Lines = append(append(p.Lines, para(w, 0, plain, say.Stray(*v))...), blank)
	}
	if erases(*v) {
		p.Lines = append(p.Lines, noticeLines(w, say.Notice{
			What: text.Clean("This token already holds a key. Going on destroys that key for ever."),
			Do:   text.Clean("If you are not certain, esc, and take another token."),
		})...)
		p.Lines = append(p.Lines, blank)
	}
	p.Lines = append(p.Lines, s.form.lines(w)...)
	p.Foot = append(fieldSaid(w, &s.form), s.said(w)...)
	return p
}

// fieldSaid is what the fields of a form have to say.
func fieldSaid(w int, f *form) []Line {
	for _, fl := range f.fields {
		if said := fl.says(); !said.Empty() {
			return append([]Line{blank}, noticeLines(w, say.Notice{What: said})...)
		}
	}
	return nil
}

func (s *enrolScreen) Keys() []Key {
	switch {
	case s.busy != 0:
		return nil
	case s.token != nil && s.token.Left != "":
		return append(s.form.keys("take the key", s.enrol), back("put it away", s.away))
	case s.token != nil:
		return append(s.form.keys("make the key", s.enrol), back("put it away", s.away))
	}
	return append([]Key{
		on("up/down", "choose", now(func() { s.move(-1) }), "up"), on("", "", now(func() { s.move(1) }), "down"),
		on("l", "look again", now(s.app.lookAgain), "l"),
		on("d", "leave somebody out", s.dropHolder, "d"),
	}, append(s.unblockKeys(), s.sheetKeys()...)...)
}

func (s *enrolScreen) dropHolder() tea.Cmd {
	who, session := s.holder().Name, s.app.session
	on, about := s.holder().Dropping(), []text.Safe{
		text.F("Leave %s out of the new repository?", who),
		text.Clean("The draft is made without this holder. This is an exception: why, and by whom it was decided, goes on record."),
	}
	if s.holder().Backup {
		about = []text.Safe{
			text.F("Leave %s's backup out?", who),
			text.F("The draft is made without it; %s's first key stays. This is an exception: why, and by whom it was decided, goes on record.", who),
		}
	}
	return s.app.open(decide(s.stage, decision{
		title: "leave out", on: on, about: about,
		do:    func(why string, by []string) error { return session.Drop(who, why, by) },
		after: func() { s.good("On record: %s is left out.", on) },
	}))
}

func (s *enrolScreen) typing() bool            { return s.token != nil && s.busy == 0 }
func (s *enrolScreen) typed(k tea.KeyPressMsg) { s.form.current().typed(k) }
func (s *enrolScreen) pasted(t string)         { s.form.current().pasted(t) }

func (s *enrolScreen) waiting() bool { return s.token == nil && s.busy == 0 }

func (s *enrolScreen) left(reader string) tea.Cmd {
	s.blocked, s.seen = nil, nil
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
	s.seen = nil
	if err == nil {
		s.seen = &v
	}
	switch {
	case err != nil:
		s.tell(say.Trouble(err))
		return nil
	case v.Info.Retries == 0:
		s.clear()
		s.seeBlocked(v)
		return nil
	}
	s.blocked = nil
	switch p, ok := say.Find(s.app.state, v.Holder); {
	case ok && p.Enrolled:
		if s.news.Empty() {
			s.tell(say.Notice{What: text.F("Token %d is %s's already.", v.Info.Serial, v.Holder), Do: text.Clean("Take it out.")})
		}
		return nil
	case ok && slices.Contains(p.Made, v.Info.Serial):
		if s.news.Empty() {
			s.tell(say.Notice{What: say.MadeFirst(v, p.Name)})
		}
		return nil
	case v.Counts:
		s.tell(say.Notice{What: say.Needed(v)})
		return nil
	case ok:
		s.name = p.Name // who put it in at the roll call, or whose key is in it
	}
	s.clear()
	s.token, s.form = &v, s.fields(v)
	return nil
}

func (s *enrolScreen) fields(v ceremony.Visitor) form {
	var f form
	add := func(fl *field, note string, args ...any) *field {
		if note != "" {
			fl.note = sp(plain, note, args...)
		}
		f.fields = append(f.fields, fl)
		return fl
	}
	secret := func(label string) *field { return newPINField(s.app.mono, "%s", label) }
	s.answers = enrolAnswers{}
	a := &s.answers
	if v.Left != "" {
		a.pin = add(secret("its PIN"), "%s", say.Tries(v.Info.Retries))
		return f
	}
	if erases(v) {
		a.serial = add(newField("serial, to destroy its key"), "")
	}
	a.pin = add(secret("current PIN"), "a new YubiKey's PIN is 123456")
	a.newPIN = add(secret("new PIN"), "%s", say.NewPIN())
	a.pinAgain = add(secret("new PIN again"), "")
	if !v.Guard.PUK.Factory {
		a.puk = add(secret("present PUK"), "%s", say.PresentPUK(v))
	}
	a.newPUK = add(secret("new PUK"), "%s", say.NewPUK())
	a.pukAgain = add(secret("new PUK again"), "")
	return f
}

// enrol checks what was typed and has the token make the key.
func (s *enrolScreen) enrol() tea.Cmd {
	if s.form.flooded() {
		return nil
	}
	v, a := *s.token, s.answers
	if s.form.missing() {
		s.tell(say.Notice{What: text.F("%s: %d to %d characters.", s.form.current().label, hsm.MinPIN, hsm.MaxPIN), Kept: text.Clean("Nothing was sent to the token.")})
		return nil
	}
	e := ceremony.Enrolling{Holder: s.holder().Name}
	if a.serial != nil {
		if e.Erase = v.Info.Serial; !say.IsSerial(a.serial.text(), e.Erase) {
			s.tell(say.Notice{What: text.F("That is not the serial of this token, %d.", v.Info.Serial), Kept: text.Clean("Nothing was sent to the token.")})
			s.form.to(a.serial)
			return nil
		}
	}
	if v.Left == "" && !(s.goodPair("PIN", a.newPIN, a.pinAgain, hsm.CheckNewPIN(a.newPIN.secret(), v.Info)) &&
		s.goodPair("PUK", a.newPUK, a.pukAgain, hsm.CheckNewPUK(a.newPUK.secret(), a.newPIN.secret(), v.Info))) {
		return nil
	}
	e.PIN, e.NewPIN, e.PUK, e.NewPUK = a.pin.taken(), a.newPIN.taken(), a.puk.taken(), a.newPUK.taken()
	s.form.wipe()
	return s.make(v, e)
}

// goodPair reports whether a new PIN or PUK is good and was typed twice the same; else it says what is wrong, and both are typed again.
func (s *enrolScreen) goodPair(what string, first, again *field, weak error) bool {
	n, ok := pairTrouble(what, first, again, weak)
	if !ok {
		s.form.to(first)
		s.tell(n)
	}
	return ok
}

// pairTrouble says what is wrong with a new PIN or PUK that was typed twice, and empties both.
func pairTrouble(what string, first, again *field, weak error) (say.Notice, bool) {
	n := say.Differ(what)
	switch {
	case weak != nil:
		n = say.Trouble(weak)
	case first.secret().Equal(again.secret()):
		return say.Notice{}, true
	}
	first.pin.wipe()
	again.pin.wipe()
	return n, false
}

func (s *enrolScreen) make(v ceremony.Visitor, e ceremony.Enrolling) tea.Cmd {
	session := s.app.session
	s.clear()
	s.working = true
	cmd := s.app.do(func(ctx context.Context) error {
		defer e.Wipe()
		return session.Enrol(ctx, v, e)
	}, func(err error) tea.Cmd {
		s.busy, s.working, s.token = 0, false, nil
		s.form.wipe()
		if err != nil {
			s.tell(say.Trouble(err))
			return nil
		}
		s.name = ""
		s.good("%s's token %d has made its key. Take it out and keep it.", e.Holder, v.Info.Serial)
		return nil
	})
	s.busy = s.app.lastOp
	return cmd
}
