package tui

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"conclave/hsm"
	"conclave/tui/text"
)

const (
	// burst is how quickly one character must follow another to be typed by
	// a machine: a token that is touched types its one-time password.
	burst = 20 * time.Millisecond
	// burstRest is how long the keys must rest before a burst is over; the
	// enter at its end must not count.
	burstRest = 300 * time.Millisecond
	// modhex is the alphabet of those passwords, the same on all keyboards.
	modhex = "cbdefghijklnrtuv"
)

// A pinField takes a PIN. It shows that keys arrive and nothing else: not the
// PIN, not its length. It cannot be pasted into, and it throws away what is
// longer than a PIN can be, as a token that was touched by mistake types it.
type pinField struct {
	mono  func() time.Time
	pin   hsm.PIN
	count int       // characters since the field was empty, also those that did not fit
	hex   bool      // all of them were modhex
	first time.Time // of those characters
	last  time.Time
	flood bool // throwing away what comes until the keys rest
	said  text.Safe
}

func (f *pinField) typed(k tea.KeyPressMsg) {
	t := f.mono()
	if f.flood && t.Sub(f.last) < burstRest {
		f.last = t
		return
	}
	if k.Code == tea.KeyBackspace {
		f.flood = false
		f.pin.Backspace()
		f.count = f.pin.Len()
		return
	}
	switch len(k.Text) {
	case 0:
		return
	case 1:
	default:
		f.said = text.Clean("A PIN has plain letters, digits and signs only. That key was left out.")
		return
	}
	f.flood = false
	f.char(k.Text[0], t)
}

func (f *pinField) char(c byte, t time.Time) {
	if f.count == 0 {
		f.first, f.hex, f.said = t, true, text.Safe{}
	}
	f.count++
	f.hex = f.hex && strings.IndexByte(modhex, c) >= 0
	f.last = t
	if !f.pin.Append(c) {
		f.reject(t)
	}
}

// reject empties the field and says why.
func (f *pinField) reject(t time.Time) {
	switch quick := t.Sub(f.first) < time.Duration(f.count)*burst; {
	case quick || f.hex:
		f.said = text.Clean("That came from the token: it was touched, and types a password of its own. Thrown away; no try is lost.")
	default:
		f.said = text.F("A PIN has at most %d characters. All of it was thrown away; no try is lost.", hsm.MaxPIN)
	}
	f.wipe()
	f.flood, f.last = true, t
}

// pasted refuses.
func (f *pinField) pasted() {
	f.said = text.Clean("A PIN is typed, never pasted. Nothing was taken.")
}

// flooded reports that a burst is still going on, so that its enter does nothing.
func (f *pinField) flooded() bool {
	if f.flood && f.mono().Sub(f.last) < burstRest {
		f.last = f.mono()
		return true
	}
	return false
}

func (f *pinField) complete() bool { return f.pin.Complete() }

// take hands the PIN over and forgets it. The caller wipes what it got.
func (f *pinField) take() *hsm.PIN {
	p := new(hsm.PIN)
	*p, f.pin = f.pin, hsm.PIN{} // wiping the field's would wipe the one handed out
	f.wipe()
	return p
}

func (f *pinField) wipe() {
	f.pin.Wipe()
	f.count = 0
}

// span shows that there is something, never what or how much.
func (f *pinField) span(active bool) span {
	switch {
	case f.pin.Len() == 0:
		return sp(dim, "(empty)  ")
	case active:
		return sp(strong, "(typing) ")
	}
	return sp(strong, "(entered)")
}
