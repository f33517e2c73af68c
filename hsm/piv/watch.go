package piv

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"conclave/hsm"
	"conclave/hsm/piv/pcsc"
)

const (
	// watchFor bounds one wait: a reader that comes at the very moment between
	// the list and the wait is seen at the next.
	watchFor = 250 * time.Millisecond
	// watchAgain is how long a service that has gone is left alone.
	watchAgain = 300 * time.Millisecond
)

// A watch follows the readers from its first question on. Asking from time to
// time is not enough: the name of a reader is used again when another YubiKey
// is put in, and its count of events begins anew.
type watch struct {
	stop  chan struct{}
	first chan struct{} // closed when there is something to tell
	ended chan struct{}

	mu      sync.Mutex // guards the rest
	context *pcsc.Context
	seen    []seen
	err     error

	changes *atomic.Uint32 // the last number given out, by any watch of these Tokens
}

// seen is one reader as it was last.
type seen struct {
	pcsc.State
	changes uint32
}

func startWatch(changes *atomic.Uint32) *watch {
	w := &watch{stop: make(chan struct{}), first: make(chan struct{}), ended: make(chan struct{}), changes: changes}
	go w.run()
	return w
}

// run watches until it is stopped, through any death of the service.
func (w *watch) run() {
	defer close(w.ended)
	for {
		w.lost(w.follow())
		select {
		case <-w.stop:
			return
		case <-time.After(watchAgain):
		}
	}
}

// follow watches until something fails.
func (w *watch) follow() error {
	c, err := pcsc.Establish()
	if err != nil {
		return err
	}
	defer func() { _ = c.Release() }()
	defer w.holds(nil)
	w.holds(c)
	for {
		states, err := c.Look()
		if err != nil {
			return err
		}
		w.note(states)
		if w.stopped() {
			return nil
		}
		if states, err = c.Wait(states, watchFor); err != nil {
			return err
		}
		w.note(states)
	}
}

func (w *watch) holds(c *pcsc.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.context = c
}

func (w *watch) stopped() bool {
	select {
	case <-w.stop:
		return true
	default:
		return false
	}
}

// note compares what is there with what was.
func (w *watch) note(states []pcsc.State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var now []seen
	for _, s := range states {
		if s.Gone {
			continue
		}
		next := seen{State: s}
		i := slices.IndexFunc(w.seen, func(o seen) bool { return o.Reader == s.Reader })
		if i >= 0 && w.seen[i].Same(s) {
			next.changes = w.seen[i].changes
		} else {
			next.changes = w.changes.Add(1)
		}
		now = append(now, next)
	}
	w.seen, w.err = now, nil
	w.told()
}

// lost forgets all readers: what comes back is new.
func (w *watch) lost(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = nil
	if err != nil {
		w.err = err
	}
	w.told()
}

// told lets the first question be answered. The caller holds w.mu.
func (w *watch) told() {
	select {
	case <-w.first:
	default:
		close(w.first)
	}
}

func (w *watch) readers(ctx context.Context) ([]hsm.Reader, error) {
	select {
	case <-w.first:
	case <-w.ended:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return nil, w.err
	}
	readers := make([]hsm.Reader, len(w.seen))
	for i, s := range w.seen {
		readers[i] = hsm.Reader{Name: s.Reader, Card: s.Card, Taken: s.Exclusive, Changes: s.changes}
	}
	return readers, nil
}

// end stops the watch and waits for it.
func (w *watch) end() {
	close(w.stop)
	w.mu.Lock()
	if w.context != nil {
		w.context.Cancel()
	}
	w.mu.Unlock()
	<-w.ended
}

// Seen lists the readers that may hold a token of ours, with how often that
// changed. From the first call on a goroutine follows what comes and goes, until Close.
func (ts *Tokens) Seen(ctx context.Context) ([]hsm.Reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	all, err := ts.watching().readers(ctx)
	switch {
	case errors.Is(err, pcsc.ErrUnsupported):
		return ts.seenByName(ctx)
	case err != nil && ctx.Err() != nil:
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("watch smart card readers: %w: %w", hsm.ErrNoService, err)
	}
	return slices.DeleteFunc(all, func(r hsm.Reader) bool { return !ts.ours(r.Name) }), nil
}

// seenByName is for builds that cannot watch.
func (ts *Tokens) seenByName(ctx context.Context) ([]hsm.Reader, error) {
	names, err := ts.Present(ctx)
	if err != nil {
		return nil, err
	}
	var readers []hsm.Reader
	for _, n := range names {
		readers = append(readers, hsm.Reader{Name: n, Card: true})
	}
	return readers, nil
}

func (ts *Tokens) watching() *watch {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.watch == nil {
		ts.watch = startWatch(&ts.changes)
	}
	return ts.watch
}

// Close ends the watching. Tokens that are open stay so.
func (ts *Tokens) Close() error {
	ts.mu.Lock()
	w := ts.watch
	ts.watch = nil
	ts.mu.Unlock()
	if w != nil {
		w.end()
	}
	return nil
}
