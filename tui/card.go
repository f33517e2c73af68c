package tui

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"conclave/ceremony"
	"conclave/hsm"
	"conclave/tui/say"
	"conclave/tui/text"
)

// shownWords is how many words of a digest stand beside an act, at most.
const shownWords = 6

// A card is one visit of one token: words first, then the PIN, then a touch
// for each act. There is no way to the token but through all three.
type card struct {
	s       *signScreen
	v       ceremony.Visitor
	asked   []ceremony.Challenge
	form    form // the words, then the serial where one try is left, and the PIN
	matched bool // the words were typed and approved
	left    []ceremony.Act
	done    []ceremony.Act
	op      opID      // the effect that is under way
	began   time.Time // when the token was asked for the present act
	pin     *hsm.PIN  // held while the acts of one visit are made
	notice  []say.Notice
}

func newCard(s *signScreen, v ceremony.Visitor, asked []ceremony.Challenge) *card {
	c := &card{s: s, v: v, asked: asked, left: v.Acts}
	for _, q := range asked {
		c.form.fields = append(c.form.fields, newWordField("%s", say.Ask(q, v.Acts)))
	}
	if len(asked) == 0 { // approved on an earlier visit, and on the record
		c.matched = true
		c.askPIN()
	}
	return c
}

func (c *card) typing() bool  { return c.op == 0 && len(c.form.fields) > 0 }
func (c *card) signing() bool { return c.op != 0 && c.matched }

func (c *card) wipe() {
	c.form.wipe()
	if !c.signing() { // else the act under way has it, and wipes it
		c.pin.Wipe()
	}
	c.pin = nil
	c.s.app.drop(c.op)
	c.op = 0
}

func (c *card) keys() []Key {
	away := back("sign nothing", c.s.putAway)
	if len(c.done) > 0 {
		away = back("put it away", c.s.putAway)
	}
	switch {
	case c.signing():
		return []Key{back("stop waiting", c.stop)}
	case c.op != 0:
		return nil
	case c.matched:
		return append(c.form.keys("sign", c.sign), away)
	}
	return append(c.form.keys("compare the words", c.approve), away, on("ctrl+w", "words", c.s.witness, "ctrl+w").less())
}

// approve has the words compared. They are the way to the PIN.
func (c *card) approve() tea.Cmd {
	c.notice = nil
	if c.form.missing() {
		return nil
	}
	var words []string
	for _, f := range c.form.fields {
		words = append(words, f.text())
	}
	session := c.s.app.session
	cmd := c.s.app.do(noContext(func() error { return session.Approve(c.v, c.asked, words) }), func(err error) tea.Cmd {
		c.op = 0
		if err != nil {
			c.notice = []say.Notice{say.WordTrouble(err)}
			c.form.at = 0
			return nil
		}
		c.matched = true
		c.askPIN()
		return nil
	})
	c.op = c.s.app.lastOp
	return cmd
}

// askPIN shows the PIN field, and before a last try one for the serial.
func (c *card) askPIN() {
	c.form = form{}
	if c.v.Info.Retries == 1 {
		f := newField("serial, from the token's back")
		f.note = sp(warn, "a wrong PIN now blocks the token")
		c.form.fields = append(c.form.fields, f)
	}
	f := newPINField(c.s.app.mono, "PIN of %d", c.v.Info.Serial)
	f.note = sp(plain, "%s", say.Tries(c.v.Info.Retries))
	c.form.fields = append(c.form.fields, f)
}

// sign takes the PIN and has the token make the first act.
func (c *card) sign() tea.Cmd {
	f := c.form.fields[len(c.form.fields)-1]
	if f.pin.flooded() {
		return nil
	}
	c.notice = nil
	if !f.pin.complete() {
		c.notice = []say.Notice{{
			What: text.F("A PIN has %d to %d characters.", hsm.MinPIN, hsm.MaxPIN),
			Kept: text.Clean("Nothing was sent to the token; no try is lost."),
		}}
		return nil
	}
	serial, ok := c.serialTyped()
	if !ok {
		c.form.at = 0
		c.notice = []say.Notice{{
			What: text.Clean("That is not the serial of this token."),
			Kept: text.Clean("Nothing was sent to the token; no try is lost."),
			Do:   text.Clean("The serial is printed on its back. Is it the right token?"),
		}}
		return nil
	}
	c.pin = f.pin.take()
	return c.next(serial)
}

// serialTyped is the serial where one is asked for, and whether it is right.
func (c *card) serialTyped() (uint32, bool) {
	if len(c.form.fields) == 1 {
		return 0, true
	}
	return c.v.Info.Serial, say.IsSerial(c.form.fields[0].text(), c.v.Info.Serial)
}

// next has the token make the next act.
func (c *card) next(serial uint32) tea.Cmd {
	act, pin, session, v := c.left[0], c.pin, c.s.app.session, c.v
	c.began = c.s.app.mono()
	cmd := c.s.app.do(func(ctx context.Context) error { return session.Sign(ctx, v, act, pin, serial) },
		func(err error) tea.Cmd { return c.made(act, serial, err) })
	c.op = c.s.app.lastOp
	c.s.app.whenDropped(c.op, pin.Wipe)
	return cmd
}

// made takes what came of an act.
func (c *card) made(act ceremony.Act, serial uint32, err error) tea.Cmd {
	c.op = 0
	if err != nil {
		c.refused(act, err)
		return nil
	}
	c.done, c.left = append(c.done, act), c.left[1:]
	if len(c.left) > 0 {
		return c.next(serial)
	}
	holder, done := c.v.Holder, c.done
	c.s.putAway()
	c.s.good("%s signed %s, verified on the spot. Take the token out.", holder, say.Acts(done))
	return nil
}

// refused says why an act was not made. Whatever it was, the PIN is forgotten.
func (c *card) refused(act ceremony.Act, err error) {
	c.pin.Wipe()
	c.pin = nil
	n := say.SignTrouble(err, act)
	var refused *hsm.PINError
	switch {
	case errors.As(err, &refused):
		c.v.Info.Retries = refused.Retries
	case errors.Is(err, hsm.ErrTouchTimeout):
	case errors.Is(err, hsm.ErrBlocked):
		v := c.v
		v.Info.Retries = 0
		c.s.putAway()
		c.s.tell(n)
		c.s.seeBlocked(v)
		return
	default:
		c.s.putAway()
		c.s.tell(n)
		return
	}
	c.notice = []say.Notice{n}
	c.askPIN()
	c.s.app.rest()
}

// stop ends the waiting, not the act: that is the token's to end.
func (c *card) stop() {
	n := say.Stopped(c.v, c.left[0])
	c.s.putAway()
	c.s.tell(n)
}

func (c *card) page(w int) Page {
	p := Page{Lines: para(w, 0, strong, say.Visitor(c.v))}
	if len(c.done) == 0 {
		p.Lines = append(p.Lines, para(w, 0, plain, say.Visit(c.v))...)
	}
	p.Lines = append(p.Lines, blank)
	p.Lines = append(p.Lines, c.actLines(w)...)
	p.Lines = append(p.Lines, blank)
	switch {
	case c.signing():
		p.Lines = append(p.Lines, c.touchLines(w)...)
	case c.matched:
		p.Lines = append(p.Lines, okLines(w, text.F("The words match. %s", c.visitLine()))...)
		p.Lines = append(p.Lines, blank)
		p.Lines = append(p.Lines, c.form.lines(w)...)
	default:
		p.Lines = append(p.Lines, say1(plain, "Hear these words from the conductor and type them."), blank)
		p.Lines = append(p.Lines, c.form.lines(w)...)
	}
	p.Foot = fieldSaid(w, &c.form)
	for _, n := range c.notice {
		p.Foot = append(append(p.Foot, blank), noticeLines(w, n)...)
	}
	return p
}

func (c *card) visitLine() text.Safe {
	if len(c.left) == 1 {
		return text.F("The PIN, then a touch, signs %s.", say.Act(c.left[0]))
	}
	return text.F("One PIN, then a touch for each of the %s.", text.Count(len(c.left), "signature"))
}

// actLines list the acts of the visit with the start of their digests. Words
// that are asked for are masked: they are heard, not read here.
func (c *card) actLines(w int) []Line {
	var lines []Line
	for i, a := range append(slices.Clone(c.done), c.left...) {
		state := sp(plain, "     ")
		switch {
		case i < len(c.done):
			state = sp(good, "%-5s", say.OK)
		case i == len(c.done) && c.signing():
			state = sp(strong, "  >  ")
		}
		l := ln(state, sp(plain, "%d  ", i+1), span{text.Pad(say.Act(a), 14), strong})
		l.spans = append(l.spans, sp(plain, " %s ...", c.words(a, w-l.width()-len("  ..."))))
		lines = append(lines, l)
		if extra := say.Extra(a); !extra.Empty() && i >= len(c.done) {
			lines = append(lines, ln(sp(dim, "%23s(%s)", "", extra)))
		}
	}
	return lines
}

// words is the start of an act's digest, as many words as fit w cells.
func (c *card) words(a ceremony.Act, w int) string {
	words := slices.Clone(a.Digest.Words()[:shownWords])
	for _, q := range c.asked {
		if !c.matched && q.Role == a.Role && q.Position <= shownWords {
			words[q.Position-1] = "_____"
		}
	}
	for len(words) > 1 && text.Width(strings.Join(words, " ")) > w {
		words = words[:len(words)-1]
	}
	return strings.Join(words, " ")
}

// touchLines ask for the touch that the present act waits for.
func (c *card) touchLines(w int) []Line {
	waited := int(c.s.app.mono().Sub(c.began) / time.Second)
	lines := hangingAt(w, touchIn, sp(touch, "%s", say.Touch), say.TouchNow(c.left[0]), strong)
	return append(lines, para(w, touchIn, plain,
		text.F("%d s. It gives up by itself after about 15 s; nothing is lost then.", waited))...)
}
