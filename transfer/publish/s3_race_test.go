//go:build !offline

package publish_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/client"
	"conclave/transfer/publish"
)

// raceFor lets the race be as long as somebody wants to wait: go test -run Race ./transfer/publish -race-for 1m
var raceFor = flag.Duration("race-for", 0, "how long publishers and refreshers race; without it some seconds")

// raceTime is how long the hosts race; each works on against a deadline of its own.
func raceTime() time.Duration {
	if *raceFor > 0 {
		return *raceFor
	}
	if thorough() {
		return 15 * time.Second
	}
	return 3 * time.Second
}

// Two publishers with bundles of their own and four refreshers work on one bucket, while our client and
// go-tuf's poll it. Every refresh adds one timestamp, every bundle is either live in the end or was
// refused, and no client ever sees a state that does not verify, nor one that is older.
func TestManyHostsRaceOnOneBucket(t *testing.T) {
	r := newRemote(t, newBucket(t), "race")
	r.now = time.Now().UTC().Truncate(time.Second) // go-tuf's client knows no other day
	r.genesis()
	var hosts sync.WaitGroup
	var refreshed, pushed, polled, polledByOthers atomic.Int64
	enough := func() bool {
		return refreshed.Load() >= 4 && pushed.Load() >= 2 && polled.Load() >= 4 && polledByOthers.Load() >= 4
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go stopRace(ctx, stop, enough)
	for i := range 4 {
		host := r.host(fmt.Sprint("refresher", i))
		host.PinnedRoot = r.pub.PinnedRoot
		hosts.Go(func() {
			for ctx.Err() == nil {
				switch _, err := host.Refresh(context.Background()); {
				case err == nil:
					refreshed.Add(1)
				case !errors.Is(err, publish.ErrBusy):
					t.Errorf("refresh: %v", err)
				}
				breathe(ctx)
			}
		})
	}
	hosts.Go(func() { r.pollUntil(ctx, &polled) })
	hosts.Go(func() { r.pollWith(ctx, goTUF, &polledByOthers) })
	var turn sync.Mutex // of planning: ceremonies build on what is live
	for i := range 2 {
		host := r.host(fmt.Sprint("publisher", i))
		host.PinnedRoot = r.pub.PinnedRoot
		hosts.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				turn.Lock()
				r.learn()
				r.file("tool.tar", fmt.Sprintf("tool %d of %d", n, i))
				b, dir := r.signed(tuf.Targets), r.targetsCopy(i)
				turn.Unlock()
				r.raceWith(host, b, dir, &pushed)
			}
		})
	}
	hosts.Wait()
	r.check()
	r.learn()
	versions := r.base.Seen
	t.Logf("%d refreshes, %d pushes, %d and %d polls; live: %v", refreshed.Load(), pushed.Load(), polled.Load(), polledByOthers.Load(), versions)
	if got, want := versions[tuf.Targets], 1+pushed.Load(); got != want {
		t.Errorf("targets %d is live after %d pushes", got, pushed.Load())
	}
	if got, least := versions[tuf.Timestamp], 1+refreshed.Load()+pushed.Load(); got < least {
		t.Errorf("timestamp %d is live, but %d were published: an update was lost", got, least)
	}
	if !enough() {
		t.Error("too little happened for a race")
	}
}

// stopRace ends a race after its time, or later on a machine where too little has happened by then.
func stopRace(ctx context.Context, stop func(), enough func() bool) {
	end := time.Now().Add(raceTime())
	for ctx.Err() == nil && (time.Now().Before(end) || !enough() && time.Since(end) < time.Minute) {
		breathe(ctx)
	}
	stop()
}

// breathe waits a little between two refreshes: without any pause they would be all that ever wins.
func breathe(ctx context.Context) {
	timer := time.NewTimer(50 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// targetsCopy is the folder of target files of one publisher.
func (r *remote) targetsCopy(i int) string {
	r.t.Helper()
	dir := fmt.Sprintf("%s-%d", r.targetsDir(), i)
	must(r.t, copyTree(r.targetsDir(), dir))
	return dir
}

// raceWith pushes a bundle that another one may have overtaken.
func (r *remote) raceWith(host *publish.Publisher, b *transfer.Bundle, dir string, pushed *atomic.Int64) {
	for {
		switch _, err := host.Push(context.Background(), b, dir, publish.PushOptions{}); {
		case err == nil:
			pushed.Add(1)
			return
		case errors.Is(err, publish.ErrMoved):
			return
		case !errors.Is(err, publish.ErrBusy):
			r.t.Errorf("push: %v", err)
			return
		}
	}
}

// pollUntil follows the repository as one client that keeps what it has seen.
func (r *remote) pollUntil(ctx context.Context, polled *atomic.Int64) {
	cache := r.fresh()
	repo, err := r.open()
	if err != nil {
		r.t.Error(err)
		return
	}
	for ctx.Err() == nil {
		c, err := client.New(client.Options{Repository: repo, Cache: cache, Now: r.now})
		if err == nil {
			err = c.Refresh(context.Background())
		}
		if err == nil {
			_, err = c.Target(context.Background(), "tool.tar")
		}
		if err != nil {
			r.t.Errorf("a polling client refuses what it sees: %v", err)
			return
		}
		polled.Add(1)
	}
}

// pollWith lets a client of others follow the repository, with what it keeps from one time to the next.
func (r *remote) pollWith(ctx context.Context, c clientOf, polled *atomic.Int64) {
	v, err := r.keep(r.fresh())
	for err == nil && ctx.Err() == nil {
		if err = c(v); err == nil {
			polled.Add(1)
		}
	}
	if err != nil {
		r.t.Errorf("a polling client of others refuses what it sees: %v", err)
	}
}
