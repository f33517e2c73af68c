package tui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"conclave/ceremony"
	"conclave/hsm"
	"conclave/tui/say"
	"conclave/tui/text"
)

// An unblockScreen gives a token whose PIN is blocked a new one by its PUK. It
// opens by a key only, and sends the PUK once.
type unblockScreen struct {
	stage
	form
	v             ceremony.Visitor
	serial        *field // nil unless the PUK has one try left
	puk           *field
	newPIN, again *field
}

func newUnblock(a *App, v ceremony.Visitor) *unblockScreen {
	s := &unblockScreen{stage: stage{app: a}, v: v}
	if say.LastPUKTry(v) {
		s.serial = newField("serial, from the token's back")
		s.serial.note = sp(warn, "a wrong PUK now costs its keys")
		s.fields = append(s.fields, s.serial)
	}
	s.puk = newPINField(a.mono, "PUK of %d", v.Info.Serial)
	s.puk.note = sp(plain, "%s", say.PUKTries(v))
	s.newPIN = newPINField(a.mono, "new PIN")
	s.newPIN.note = sp(plain, "%s", say.NewPIN())
	s.again = newPINField(a.mono, "new PIN again")
	s.fields = append(s.fields, s.puk, s.newPIN, s.again)
	return s
}

func (s *unblockScreen) Title() string { return "unblock" }

func (s *unblockScreen) Body(w, _ int) Page {
	lines := append([]Line{blank}, noticeLines(w, say.Blocked(s.v))...)
	lines = append(lines, blank)
	lines = append(lines, s.form.lines(w)...)
	return Page{Lines: lines, Foot: append(fieldSaid(w, &s.form), s.said(w)...)}
}

func (s *unblockScreen) Keys() []Key {
	return s.idle(append(s.form.keys("set the new PIN", s.submit), back("leave it blocked", s.away))...)
}

func (s *unblockScreen) away() {
	s.form.wipe()
	s.app.shut()
}

func (s *unblockScreen) typing() bool            { return s.busy == 0 }
func (s *unblockScreen) typed(k tea.KeyPressMsg) { s.current().typed(k) }
func (s *unblockScreen) pasted(t string)         { s.current().pasted(t) }

// submit checks what was typed and sends it.
func (s *unblockScreen) submit() tea.Cmd {
	if s.flooded() {
		return nil
	}
	if s.missing() {
		s.tell(say.Notice{What: text.F("Please fill in: %s.", s.current().label), Kept: text.Clean("Nothing was sent to the token.")})
		return nil
	}
	var serial uint32
	if s.serial != nil {
		if serial = s.v.Info.Serial; !say.IsSerial(s.serial.text(), serial) {
			s.to(s.serial)
			s.tell(say.Notice{What: text.Clean("That is not the serial of this token."), Kept: text.Clean("Nothing was sent to the token; no try is lost.")})
			return nil
		}
	}
	if n, ok := pairTrouble("PIN", s.newPIN, s.again, hsm.CheckNewPIN(s.newPIN.secret(), s.v.Info)); !ok {
		s.to(s.newPIN)
		s.tell(n)
		return nil
	}
	return s.send(s.puk.taken(), s.newPIN.taken(), serial)
}

func (s *unblockScreen) send(puk, fresh *hsm.PIN, serial uint32) tea.Cmd {
	session, v := s.app.session, s.v
	s.form.wipe()
	s.clear()
	cmd := s.app.do(func(ctx context.Context) error {
		defer puk.Wipe()
		defer fresh.Wipe()
		return session.Unblock(ctx, v, puk, fresh, serial)
	}, func(err error) tea.Cmd {
		s.busy = 0
		s.app.shut()
		s.app.lookAgain() // whatever came of it, the token says how it stands
		if below, ok := s.app.screen.(unblocker); ok {
			below.unblocked(v, err)
		}
		return nil
	})
	s.busy = s.app.lastOp
	return cmd
}

// An unblocker is a screen from which a token can be unblocked.
type unblocker interface {
	unblocked(v ceremony.Visitor, err error)
}

// seeBlocked offers it where a token that came wants it.
func (s *stage) seeBlocked(v ceremony.Visitor) {
	s.blocked = nil
	if v.Info.Retries == 0 {
		s.blocked = &v
	}
}

// unblockKeys offer to set a blocked PIN anew.
func (s *stage) unblockKeys() []Key {
	if s.blocked == nil || !say.CanUnblock(*s.blocked) {
		return nil
	}
	v := *s.blocked
	return []Key{on("u", "unblock with PUK", func() tea.Cmd { return s.app.open(newUnblock(s.app, v)) }, "u")}
}

// unblocked says what came of it.
func (s *stage) unblocked(v ceremony.Visitor, err error) {
	s.blocked = nil
	if err != nil {
		s.tell(say.Trouble(err))
		return
	}
	s.good("%s", say.Unblocked(v))
}
