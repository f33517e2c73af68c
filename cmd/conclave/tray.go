package main

import (
	"sync"

	"conclave/tui"
)

// tray is the row of virtual tokens that somebody who practises plugs in and
// out. It satisfies tui.Tray.
type tray struct {
	r  *rehearsal
	mu sync.Mutex // insertions come from the screens, yanks may come at any time
}

// Tokens lists the tokens in the order of the people.
func (t *tray) Tokens() []tui.TrayToken {
	out := make([]tui.TrayToken, len(t.r.people))
	for i, p := range t.r.people {
		out[i] = tui.TrayToken{
			Name:            p.name,
			Serial:          p.card.Serial(),
			Inserted:        t.r.service.Inserted(p.card),
			WaitingForTouch: p.card.AwaitingTouch(),
		}
	}
	return out
}

// Insert puts token i into a reader of its own.
func (t *tray) Insert(i int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i < 0 || i >= len(t.r.people) || t.r.service.Inserted(t.r.people[i].card) {
		return
	}
	// The service refuses only when every reader is taken; then the tray shows it as not in.
	_, _ = t.r.service.Insert(t.r.people[i].card)
}

// Remove pulls token i out.
func (t *tray) Remove(i int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i >= 0 && i < len(t.r.people) {
		t.r.service.Remove(t.r.people[i].card)
	}
}

// Touch touches whichever token waits for it.
func (t *tray) Touch() {
	for _, p := range t.r.people {
		if p.card.AwaitingTouch() {
			p.card.Touch()
			return
		}
	}
}

// Yank pulls out the token that is at work, or else the first that is in.
func (t *tray) Yank() {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := -1
	for i, p := range t.r.people {
		if !t.r.service.Inserted(p.card) {
			continue
		}
		if p.card.AwaitingTouch() {
			first = i
			break
		}
		if first < 0 {
			first = i
		}
	}
	if first >= 0 {
		t.r.service.Remove(t.r.people[first].card)
	}
}

// PIN is what every practice token's PIN is, once it is enrolled.
func (t *tray) PIN() string { return practicePIN }
