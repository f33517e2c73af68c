package publish

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// ErrClock says that this machine's clock cannot be right.
var ErrClock = errors.New("the clock of this machine is wrong")

// ErrUnpublished says that there is nothing to refresh yet.
var ErrUnpublished = errors.New("nothing is published yet")

// maxBackwards is how far a clock may step back between two runs without being called wrong.
const maxBackwards = 5 * time.Minute

// Refresh signs a new timestamp, and a new snapshot when half of the old one's life is over. Several hosts
// may run it at once: one is faster, the others follow on top. It refuses to sign for a store that has
// gone back in time, has jumped ahead or does not verify: those are alarms.
func (p *Publisher) Refresh(ctx context.Context) (report *Report, err error) {
	anchor, err := p.pinned()
	if errors.Is(err, ErrNoPin) {
		return nil, withHint(fmt.Errorf("refresh: %w at %s", ErrNoPin, p.PinnedRoot), "the first push pins the root; refresh comes after it")
	}
	if err != nil {
		return nil, err
	}
	st, err := openState(ctx, p.StateDir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	work := &push{p: p, state: st, anchor: anchor, store: p.memo()}
	if err := p.checkPractice(ctx, work.store, p.Practice); err != nil {
		return nil, err
	}
	return work.run(ctx)
}

// Every refreshes now and then again after each interval until ctx ends; done hears of each
// run, and decides by its answer whether to go on after a failure. Hosts that were started together drift
// apart; after a failure the next try comes sooner, and later with each one that fails too.
func (p *Publisher) Every(ctx context.Context, interval time.Duration, done func(*Report, error) error) error {
	failures := 0
	for {
		report, err := p.Refresh(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		failures++
		if err == nil {
			failures = 0
		}
		if err := done(report, err); err != nil {
			return err
		}
		timer := time.NewTimer(nextTry(interval, failures))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// firstRetry is how soon a refresh that failed is tried again.
const firstRetry = 30 * time.Second

// nextTry is how long to wait: the interval, up to a tenth shorter, or less after failures.
func nextTry(interval time.Duration, failures int) time.Duration {
	wait := interval
	if failures > 0 {
		wait = min(interval, firstRetry<<min(failures-1, 10))
	}
	return wait - time.Duration(rand.Int64N(int64(wait)/10+1))
}

// checkClock refuses to sign with a clock that runs before what is known to have happened.
func (w *push) checkClock(memory *seen, before *live) error {
	floor := memory.Time.Add(-maxBackwards)
	if before.timestamp != nil {
		// No timestamp of ours is signed longer than this before it expires.
		signed := before.timestamp.Expires().Add(-maxTimestampDays * 24 * time.Hour)
		if signed.After(floor) {
			floor = signed
		}
	}
	if now := w.p.now(); now.Before(floor) {
		return withHint(fmt.Errorf("%w: it says %s, but %s is past for sure", ErrClock, now.Format(time.RFC3339), floor.UTC().Format(time.RFC3339)),
			"nothing was signed; set the clock and run the command again")
	}
	return nil
}
