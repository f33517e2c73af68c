//go:build linux

package pcscdtest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/hsm"
	"conclave/hsm/hsmtest"
	"conclave/hsm/piv"
	"conclave/hsm/virtual"
)

const tokenPIN = "314159"

var lastSerial atomic.Uint32

func newCard(t *testing.T, firmware string) *virtual.Card {
	t.Helper()
	card, err := virtual.NewCard(virtual.Options{Serial: 40_000_000 + lastSerial.Add(1), Firmware: firmware})
	if err != nil {
		t.Fatal(err)
	}
	card.SetPIN(tokenPIN)
	card.AutoTouch(true)
	return card
}

// A seat is one of pcscd's readers and the card in it, if any.
type seat struct {
	t      *testing.T
	n      int
	tokens *piv.Tokens

	mu   sync.Mutex // guards plug: tests pull while a signature is under way
	plug *virtual.Plug
}

func sit(t *testing.T, n int) *seat {
	t.Helper()
	needPCSCD(t)
	s := &seat{t: t, n: n, tokens: piv.New()}
	if n == foreignSeat {
		s.tokens = piv.New(piv.AnyMaker())
	}
	t.Cleanup(func() {
		s.pull()
		_ = s.tokens.Close()
	})
	return s
}

func (s *seat) name() string { return readerName(s.n) }

// insert puts a card in and returns when pcscd has seen it.
func (s *seat) insert(card *virtual.Card) string {
	s.t.Helper()
	s.pull()
	plug, err := virtual.PlugIn(address(s.n), card)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	s.plug = plug
	s.mu.Unlock()
	s.until("the insertion", func(r hsm.Reader) bool { return r.Card })
	return s.name()
}

// pull takes the card out and returns when pcscd has seen it.
func (s *seat) pull() {
	s.t.Helper()
	s.yank()
	s.until("the removal", func(r hsm.Reader) bool { return !r.Card })
}

// yank takes the card out; pcscd may find out by itself.
func (s *seat) yank() {
	s.mu.Lock()
	plug := s.plug
	s.plug = nil
	s.mu.Unlock()
	if plug != nil {
		plug.Pull()
	}
}

// reader is the seat's reader as pcscd shows it now.
func (s *seat) reader() hsm.Reader {
	s.t.Helper()
	readers, err := s.tokens.Seen(s.t.Context())
	if err != nil && s.t.Context().Err() == nil {
		s.t.Fatal(err)
	}
	for _, r := range readers {
		if r.Name == s.name() {
			return r
		}
	}
	return hsm.Reader{}
}

func (s *seat) until(what string, ok func(hsm.Reader) bool) {
	s.t.Helper()
	if s.t.Context().Err() != nil {
		return // tidying up
	}
	late := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok(s.reader()) {
		select {
		case <-late:
			s.t.Fatalf("pcscd did not see %s: %+v", what, s.reader())
		case <-tick.C:
		}
	}
}

var breaks = map[hsmtest.Break]virtual.Fault{
	hsmtest.RemovedBeforeSigning: virtual.RemoveBeforeSigning,
	hsmtest.RemovedAwaitingTouch: virtual.RemoveAwaitingTouch,
	hsmtest.RemovedAfterSigning:  virtual.RemoveAfterSigning,
	hsmtest.FailedAfterSigning:   virtual.ErrorAfterSigning,
	hsmtest.Garbled:              virtual.GarbledSignature,
}

// fixture is a new card in the seat.
func (s *seat) fixture(firmware string) hsmtest.Fixture {
	s.t.Helper()
	card := newCard(s.t, firmware)
	return hsmtest.Fixture{
		Tokens: piv.New(), Reader: s.insert(card), Serial: card.Serial(), PIN: tokenPIN, TryPINs: true,
		Control: &hsmtest.Control{
			AutoTouch: card.AutoTouch, Touch: card.Touch, Waiting: card.Waiting(),
			TouchTimeout: card.TouchTimeout, Slow: card.Slow,
			Remove: s.pull,
			Insert: func() string { return s.insert(card) },
			Break:  func(b hsmtest.Break) { card.FailNext(breaks[b]) },
			Counts: func() hsmtest.Counts {
				n := card.Counts()
				return hsmtest.Counts{Verify: n.Verify, Sign: n.Sign, Generate: n.Generate}
			},
		},
	}
}

// again waits until the watch has found the service that came back.
func (s *seat) again() {
	s.t.Helper()
	late := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if readers, err := s.tokens.Seen(s.t.Context()); err == nil && len(readers) > 0 {
			return
		}
		select {
		case <-late:
			s.t.Fatal("the watch did not find the service again")
		case <-tick.C:
		}
	}
}
