//go:build !offline

package publish_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/publish"
)

// cost returns the requests that an act costs.
func (r *remote) cost(act func() error) []string {
	r.t.Helper()
	r.proxy.requests()
	must(r.t, act())
	return r.proxy.requests()
}

func TestARefreshCostsThreeRequests(t *testing.T) {
	r := newRemote(t, newBucket(t), "cost")
	r.genesis()
	refresh := func() error { _, err := r.pub.Refresh(context.Background()); return err }
	for range 3 { // the first one behind a push, too
		r.now = r.now.Add(time.Hour)
		if got := r.cost(refresh); len(got) > 3 {
			t.Errorf("a refresh costs %q", got)
		}
	}
	r.now = r.now.Add(20 * time.Hour)
	if got := r.cost(refresh); len(got) <= 3 {
		t.Errorf("after a day nothing but %q was looked at", got)
	}
}

// A numbered file is removed from the bucket behind everybody's back.
func TestARefreshNoticesWithinADayWhatWasRemoved(t *testing.T) {
	r := newRemote(t, newBucket(t), "removed")
	r.genesis()
	_, err := r.pub.Refresh(context.Background())
	must(t, err)
	deleteObject(t, r.bucket, "removed/metadata/1.targets.json")
	r.now = r.now.Add(20 * time.Hour)
	if _, err := r.pub.Refresh(context.Background()); !errors.Is(err, publish.ErrUnsound) {
		t.Errorf("error is %v", err)
	}
}

// many puts n files at hand and returns a bundle that lists them.
func (r *remote) many(n int) *transfer.Bundle {
	for i := range n {
		r.file(fmt.Sprintf("many/%04d", i), fmt.Sprintf("content %d", i))
	}
	return r.signed(tuf.Targets)
}

func TestARerunCostsAlmostNothing(t *testing.T) {
	const n = 300
	r := newRemote(t, newBucket(t), "rerun")
	r.genesis()
	b := r.many(n)
	push := func() error {
		_, err := r.pub.Push(context.Background(), b, r.targetsDir(), publish.PushOptions{})
		return err
	}
	if got := len(r.cost(push)); got > n+60 {
		t.Errorf("%d files cost %d requests", n, got)
	}
	if got := r.cost(push); len(got) > 3 {
		t.Errorf("the same push again costs %d requests: %q", len(got), got)
	}
	if got := r.cost(func() error {
		o := publish.PushOptions{DryRun: true}
		report, err := r.pub.Push(context.Background(), b, r.targetsDir(), o)
		if err == nil && !report.Already {
			t.Error("a dry run takes it for something new")
		}
		return err
	}); len(got) > 3 {
		t.Errorf("a dry run of it costs %d requests: %q", len(got), got)
	}
	if got := r.cost(func() error { _, err := r.pub.Status(context.Background()); return err }); len(got) > 8 {
		t.Errorf("a look costs %d requests: %q", len(got), got)
	}
	r.learn()
	r.file("many/0007", "changed")
	b = r.signed(tuf.Targets)
	if got := r.cost(push); len(got) > 60 {
		t.Errorf("one changed file costs %d requests: %q", len(got), got)
	}
}

// A push of many files is cut short; what has arrived is not sent again.
func TestARerunAfterACrashSendsOnlyWhatIsMissing(t *testing.T) {
	const n = 200
	r := newRemote(t, newBucket(t), "crash")
	r.genesis()
	b := r.many(n)
	r.proxy.harm(answer403, 150, 1_000_000, writes)
	if _, err := r.pub.Push(context.Background(), b, r.targetsDir(), publish.PushOptions{}); !errors.Is(err, publish.ErrDenied) {
		t.Fatalf("error is %v", err)
	}
	r.proxy.peace()
	arrived := r.bucket.list("crash/targets/many/") // who was under way when the first was refused may have been cut off
	if len(arrived) < 75 {
		t.Errorf("only %d of 150 have arrived", len(arrived))
	}
	for _, request := range r.cost(func() error {
		_, err := r.pub.Push(context.Background(), b, r.targetsDir(), publish.PushOptions{})
		return err
	}) {
		for key := range arrived {
			if strings.HasPrefix(request, http.MethodPut) && strings.Contains(request, key) {
				t.Errorf("sent again: %s", request)
			}
		}
	}
}

func TestProgressReachesTheEnd(t *testing.T) {
	r := newRemote(t, newBucket(t), "progress")
	r.genesis()
	b := r.many(50)
	must(t, os.WriteFile(filepath.Join(r.targetsDir(), "many/0000"), []byte("content 0"), 0o644))
	var last publish.Progress
	r.pub.Progress = func(p publish.Progress) {
		if p.Bytes > p.AllBytes || p.Files > p.AllFiles {
			t.Errorf("beyond the end: %+v", p)
		}
		last = p
	}
	r.proxy.harm(cutAfter, 10, 5, writes) // sent again, not counted again
	_, err := r.pub.Push(context.Background(), b, r.targetsDir(), publish.PushOptions{})
	must(t, err)
	if last.Files != 50 || last.Files != last.AllFiles || last.Bytes != last.AllBytes {
		t.Errorf("it ends at %+v", last)
	}
}
