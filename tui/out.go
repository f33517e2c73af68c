package tui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"conclave/ceremony"
	"conclave/tui/say"
	"conclave/tui/text"
)

// A confirmScreen has the result verified as a client will.
type confirmScreen struct {
	stage
	open string // what people may decide on: the result was refused because of it
}

func (s *confirmScreen) Title() string { return "confirm" }

func (s *confirmScreen) Body(w, _ int) Page {
	st := s.app.state
	p := Page{Lines: append(tallyTable(st, w), blank)}
	if st.Complete() {
		p.Lines = append(p.Lines, paras(w, 0, plain, text.Clean("Every requirement is met. The result is now verified the way a client will do it, from the trusted root on."))...)
	} else {
		p.Lines = append(p.Lines, cleanParas(w, st.Still())...)
		p.Lines = append(p.Lines, paras(w, 0, plain, say.Partial()...)...)
	}
	p.Foot = s.said(w)
	if s.busy != 0 {
		p.Foot = append(p.Foot, blank, say1(plain, "Verifying ..."))
	}
	return p
}

func cleanParas(w int, lines []string) []Line { return paras(w, 0, plain, cleanAll(lines)...) }

func (s *confirmScreen) Keys() []Key {
	keys := []Key{on("v", "verify", s.verify, "v")}
	if s.open != "" {
		keys = append(keys, on("x", "exception", func() tea.Cmd { return s.except(s.open) }, "x"))
	}
	if !s.app.state.Complete() {
		keys = append(keys, on("b", "back to signing", s.reopen, "b"))
	}
	return s.idle(append(keys, s.queueKey())...)
}

// verify keeps the verdict for the screens that follow.
func (s *confirmScreen) verify() tea.Cmd {
	s.clear()
	cmd := ask(s.app, noContextFor(s.app.session.Confirm), func(verdict []string, err error) tea.Cmd {
		s.busy = 0
		s.open = ceremony.Decidable(err)
		if err != nil {
			s.tell(say.Trouble(err))
			return nil
		}
		s.app.verdict = cleanAll(verdict)
		return nil
	})
	s.busy = s.app.lastOp
	return cmd
}

func (s *stage) reopen() tea.Cmd { return s.act(s.app.session.ReopenSigning, nil, nil) }

// verdictLines show what confirm found.
func (s *stage) verdictLines(w int) []Line {
	if len(s.app.verdict) == 0 {
		return nil
	}
	mark := sp(good, "%-5s", say.OK)
	if !s.app.state.Complete() {
		mark = sp(warn, "%-5s", say.Note)
	}
	var lines []Line
	for i, v := range s.app.verdict {
		if i > 0 {
			mark = sp(plain, "     ")
		}
		lines = append(lines, hanging(w, mark, v, plain)...)
	}
	return append(lines, blank)
}

// exportLines show the files that are on the medium.
func (s *stage) exportLines(w int) []Line {
	var lines []Line
	for _, e := range s.app.state.Exports() {
		lines = append(lines, okLines(w, text.Clean("written, read back from the medium and compared:"))...)
		lines = append(lines, hanging(w, sp(plain, "     "), text.Clean(e.Path), strong)...)
		lines = append(lines, hanging(w, sp(plain, "     SHA-256 "), text.Groups(e.SHA256), plain)...)
		lines = append(lines, blank)
	}
	return lines
}

// export writes the bundle to the medium.
func (s *stage) export() tea.Cmd {
	s.clear()
	cmd := ask(s.app, noContextFor(s.app.session.Export), func(_ ceremony.Exported, err error) tea.Cmd {
		s.busy = 0
		if err != nil {
			s.tell(say.Trouble(err))
		}
		return nil
	})
	s.busy = s.app.lastOp
	return cmd
}

// verdictAgain works the verdict out where it was not just found: after a resume.
func (s *stage) verdictAgain() tea.Cmd {
	if len(s.app.verdict) > 0 {
		return nil
	}
	state, when := s.app.state, s.app.now
	return ask(s.app, func(context.Context) ([]string, error) {
		verdict, _, err := state.Verdict(when)
		return verdict, err
	}, func(verdict []string, err error) tea.Cmd {
		if err == nil {
			s.app.verdict = cleanAll(verdict)
		}
		return nil
	})
}

// An exportScreen writes the bundle to the medium.
type exportScreen struct{ stage }

func (s *exportScreen) start() tea.Cmd { return s.verdictAgain() }
func (s *exportScreen) Title() string  { return "export" }

func (s *exportScreen) Body(w, _ int) Page {
	p := Page{Lines: s.verdictLines(w)}
	p.Lines = append(p.Lines, s.exportLines(w)...)
	p.Lines = append(p.Lines, paras(w, 0, plain,
		text.Clean("The bundle goes to the medium. It is written as a new file, read back and compared; nothing is overwritten."),
		text.Clean("Leave the stick in until this screen says that it is done."))...)
	p.Foot = s.said(w)
	if s.busy != 0 {
		p.Foot = append(p.Foot, blank, say1(strong, "Writing. Leave the stick in."))
	}
	return p
}

func (s *exportScreen) Keys() []Key {
	verb := "write the bundle"
	if len(s.notice) > 0 {
		verb = "try again"
	}
	keys := []Key{on("w", verb, s.export, "w"), s.lightKey("l")}
	if !s.app.state.Complete() {
		keys = append(keys, on("b", "back to signing", s.reopen, "b"))
	}
	return s.idle(keys...)
}

// A closeScreen seals the record.
type closeScreen struct {
	stage
	form      form
	statement *field
	word      *field
}

func newCloseScreen(s stage) *closeScreen {
	c := &closeScreen{stage: s, statement: newField("statement"), word: newField("type seal")}
	c.statement.hint = text.Clean("none; or what a witness wants on record")
	c.form.fields = []*field{c.statement, c.word}
	return c
}

func (s *closeScreen) start() tea.Cmd { return s.verdictAgain() }
func (s *closeScreen) Title() string  { return "close" }

func (s *closeScreen) Body(w, _ int) Page {
	p := Page{Lines: append(s.verdictLines(w), s.exportLines(w)...)}
	p.Foot = append(paras(w, 0, plain,
		text.Clean("Closing seals the record: nothing can be added to it. It is written beside the bundle.")), blank)
	p.Foot = append(p.Foot, s.form.lines(w)...)
	p.Foot = append(p.Foot, s.said(w)...)
	return p
}

func (s *closeScreen) Keys() []Key {
	return s.idle(append(s.form.keys("close it", s.seal), on("ctrl+o", "export again", s.export, "ctrl+o").less(), s.lightKey("ctrl+l"))...)
}

func (s *closeScreen) seal() tea.Cmd {
	if !say.SameName("seal", s.word.text()) {
		s.tell(say.Notice{What: text.Clean("Type the word seal to close the ceremony."), Kept: text.Clean("It is still open.")})
		return nil
	}
	return s.sealWith(s.statement.text())
}

// sealWith seals the record and writes it to the medium. Where only the second
// fails, the ceremony is closed all the same: the last screen says so.
func (s *stage) sealWith(statement string) tea.Cmd {
	session := s.app.session
	s.app.parting = nil
	return s.act(func() error { return session.CloseCeremony(statement) }, func(err error) say.Notice {
		n := say.Trouble(err)
		s.app.parting = &n
		return n
	}, nil)
}

func (s *closeScreen) typing() bool            { return s.busy == 0 }
func (s *closeScreen) typed(k tea.KeyPressMsg) { s.form.current().typed(k) }
func (s *closeScreen) pasted(t string)         { s.form.current().pasted(t) }

// A doneScreen says what there is to take away.
type doneScreen struct{ stage }

func (s *doneScreen) start() tea.Cmd { return s.verdictAgain() }
func (s *doneScreen) Title() string  { return "closed" }

func (s *doneScreen) Body(w, _ int) Page {
	st := s.app.state
	p := Page{Lines: append([]Line{blank}, okLines(w, text.Clean("The ceremony is closed and its record is sealed."))...)}
	if n := s.app.parting; n != nil {
		p.Lines = append(append(p.Lines, blank), noticeLines(w, *n)...)
	}
	p.Lines = append(append(p.Lines, blank), s.verdictLines(w)...)
	p.Lines = append(p.Lines, s.exportLines(w)...)
	p.Lines = append(p.Lines, paras(w, 0, plain, say.Days(st, s.app.now)...)...)
	p.Lines = append(p.Lines, paras(w, 0, plain, say.Queued(st.Queued())...)...)
	for _, e := range st.Exceptions() {
		p.Lines = append(p.Lines, hanging(w, sp(warn, "%-5s", say.Stop), text.F("exception: %s, %s", e.What, say.Exception(e)), plain)...)
	}
	p.Lines = append(append(p.Lines, blank), paras(w, 0, plain, say.Head(st.Head())...)...)
	next := "Take the medium to the online host and publish the bundle there."
	if !st.Complete() {
		next = "Signatures are missing: take the medium to the next site, or to the next keyholder."
	}
	p.Foot = paras(w, 0, strong, text.Clean(next))
	return p
}

func (s *doneScreen) Keys() []Key {
	keys := []Key{on("q", "leave this ceremony", s.app.goHome, "q"), s.lightKey("l")}
	if s.app.parting != nil {
		again := on("w", "write the record again", func() tea.Cmd { return s.sealWith("") }, "w")
		keys = append([]Key{again}, keys...)
	}
	return s.idle(keys...)
}
