package piv_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"conclave/hsm"
	"conclave/hsm/hsmtest"
	"conclave/hsm/piv"
	"conclave/hsm/virtual"
)

const (
	// soon is how fast a token that comes or goes must be seen.
	soon = 500 * time.Millisecond
	// patience is how long a test waits on a machine that is busy.
	patience = 10 * time.Second
)

func watching(t testing.TB, options ...piv.Option) *piv.Tokens {
	t.Helper()
	ts := piv.New(options...)
	t.Cleanup(func() { _ = ts.Close() })
	return ts
}

func seen(t testing.TB, ts *piv.Tokens) []hsm.Reader {
	t.Helper()
	readers, err := ts.Seen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return readers
}

func find(readers []hsm.Reader, name string) (hsm.Reader, bool) {
	i := slices.IndexFunc(readers, func(r hsm.Reader) bool { return r.Name == name })
	if i < 0 {
		return hsm.Reader{}, false
	}
	return readers[i], true
}

// until looks again and again, as the front ends do, and returns how long that took.
func until(t testing.TB, ts *piv.Tokens, what string, ok func([]hsm.Reader) bool) time.Duration {
	t.Helper()
	start := time.Now()
	late := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok(seen(t, ts)) {
		select {
		case <-late:
			t.Fatalf("%s was not seen: %+v", what, seen(t, ts))
		case <-tick.C:
		}
	}
	return time.Since(start)
}

func TestComingsAndGoingsAreSeenWithoutOpening(t *testing.T) {
	ts := watching(t)
	seen(t, ts)
	best := patience
	for range 5 { // the machine may be busy, but not each time
		card, reader := insert(t, "5.7.1")
		came := until(t, ts, "the insertion", func(now []hsm.Reader) bool {
			r, ok := find(now, reader)
			return ok && r.Card && r.Changes != 0
		})
		service.Remove(card)
		went := until(t, ts, "the removal", func(now []hsm.Reader) bool {
			r, ok := find(now, reader)
			return !ok || !r.Card
		})
		best = min(best, max(came, went))
		if n := card.Counts().APDUs; n != 0 {
			t.Fatalf("watching sent %d commands", n)
		}
	}
	if best > soon {
		t.Fatalf("it took %v to see a token come or go", best)
	}
}

// Between two looks of the screen Alice's token goes out and Mallory's into
// the same port: the reader has the same name, and the screen still says Alice.
func TestSwapWithinOneLook(t *testing.T) {
	ts := watching(t)
	alice, reader := insert(t, "5.7.1")
	until(t, ts, "Alice's token", func(now []hsm.Reader) bool { _, ok := find(now, reader); return ok })
	first, _ := find(seen(t, ts), reader)

	service.Remove(alice)
	_, again := insert(t, "5.7.1")
	if again != reader {
		t.Fatalf("the second token came in %q, not %q: this tests nothing", again, reader)
	}
	until(t, ts, "the swap", func(now []hsm.Reader) bool {
		r, ok := find(now, reader)
		return ok && r.Card && r.ID() != first.ID()
	})
	if _, err := ts.Open(t.Context(), first.ID()); !errors.Is(err, hsm.ErrRemoved) {
		t.Fatalf("opened under Alice's ID: %v", err)
	}
	now, _ := find(seen(t, ts), reader)
	token, err := ts.Open(t.Context(), now.ID())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = token.Close() }()
	if token.Info().Reader != now.ID() || token.Info().Serial == alice.Serial() {
		t.Fatalf("info %+v", token.Info())
	}
	if r, ok := find(seen(t, ts), reader); !ok || r.ID() != now.ID() {
		t.Fatalf("opening changed the ID from %q to %q", now.ID(), r.ID())
	}
}

func TestIDsOfAnotherWatchAreRefused(t *testing.T) {
	_, reader := insert(t, "5.7.1")
	stale := hsm.Reader{Name: reader, Changes: 4_000_000_000}
	if _, err := watching(t).Open(t.Context(), stale.ID()); !errors.Is(err, hsm.ErrRemoved) {
		t.Fatalf("opened: %v", err)
	}
}

func TestATokenThatIsHeldIsSeenSo(t *testing.T) {
	ts := watching(t)
	_, reader := insert(t, "5.7.1")
	token := open(t, reader)
	until(t, ts, "the holding", func(now []hsm.Reader) bool { r, ok := find(now, reader); return ok && r.Taken })
	_ = token.Close()
	until(t, ts, "the letting go", func(now []hsm.Reader) bool { r, ok := find(now, reader); return ok && !r.Taken })
}

func TestWatchingEndsWithClose(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 5 {
		ts := piv.New()
		seen(t, ts)
		if err := ts.Close(); err != nil {
			t.Fatal(err)
		}
		_ = ts.Close()
	}
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Fatalf("%d goroutines, before %d", n, before)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := watching(t).Seen(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("an ended context: %v", err)
	}
}

func TestEmptyReadersAndOtherCardsArePassedOver(t *testing.T) {
	empty, err := service.AddEmptyReader("Yubico YubiKey that is no more than a reader")
	if err != nil {
		t.Fatal(err)
	}
	foreign := insertForeign(t)
	before := foreign.card.Counts().APDUs
	ts := watching(t)
	present, err := ts.Present(t.Context())
	if err != nil || slices.Contains(present, empty) || slices.Contains(present, foreign.reader) {
		t.Fatalf("present %q, error %v", present, err)
	}
	if r, ok := find(seen(t, ts), empty); !ok || r.Card {
		t.Fatalf("the empty reader is seen as %+v, %v", r, ok)
	}
	if _, ok := find(seen(t, ts), foreign.reader); ok {
		t.Fatal("another maker's card is seen")
	}
	for _, reader := range []string{empty, foreign.reader} {
		if _, err := ts.Open(t.Context(), reader); err == nil {
			t.Fatalf("opened %q", reader)
		}
	}
	if n := foreign.card.Counts().APDUs - before; n != 0 {
		t.Fatalf("another maker's card was sent %d commands", n)
	}
}

type inserted struct {
	card   *virtual.Card
	reader string
}

func insertForeign(t testing.TB) inserted {
	t.Helper()
	nextSerial++
	card, err := virtual.NewCard(virtual.Options{Serial: nextSerial, Firmware: "5.2.7", Foreign: true})
	if err != nil {
		t.Fatal(err)
	}
	card.SetPIN(practicePIN)
	card.AutoTouch(true)
	reader, err := service.Insert(card)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { service.Remove(card) })
	return inserted{card, reader}
}

// A PIV card of another maker makes a key and signs. It cannot prove where
// the key was made, and says so in one way.
func TestAnotherMakersCardWorksButProvesNothing(t *testing.T) {
	foreign := insertForeign(t)
	ts := watching(t, piv.AnyMaker())
	present, err := ts.Present(t.Context())
	if err != nil || !slices.Contains(present, foreign.reader) {
		t.Fatalf("present %q, error %v", present, err)
	}
	token, err := ts.Open(t.Context(), foreign.reader)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = token.Close() }()
	another, err := ts.Open(t.Context(), insertForeign(t).reader)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = another.Close() }()
	if a, b := token.Info(), another.Info(); !a.Unprinted || !b.Unprinted || a.Serial == 0 || a.Serial == b.Serial {
		t.Fatalf("cards that cannot be told apart: %+v, %+v", a, b)
	}
	if _, err := token.Enrol(t.Context(), enrolment(t)); err != nil {
		t.Fatal(err)
	}
	keys, err := token.Keys(t.Context())
	if err != nil || len(keys) != 1 || keys[0].Holder != "Alice" || keys[0].Generated {
		t.Fatalf("keys %+v, error %v", keys, err)
	}
	if _, err := token.Attest(t.Context(), hsm.SlotSignature); !errors.Is(err, hsm.ErrNotGenuine) || !strings.Contains(err.Error(), "attestation") {
		t.Fatalf("attested: %v", err)
	}
	if _, err := token.Sign(t.Context(), hsmtest.PIN(t, practicePIN), hsm.SlotSignature, digest[:]); err != nil {
		t.Fatal(err)
	}
}

// go-piv keeps the handle of a card without a PIV applet until the program
// ends, and with it the reader.
func TestATokenWithoutPIVIsLetGo(t *testing.T) {
	card, reader := insert(t, "5.7.1")
	card.DisablePIV(true)
	before := service.Handles()
	for range 3 {
		if _, err := piv.New().Open(t.Context(), reader); !errors.Is(err, hsm.ErrNotPIV) {
			t.Fatalf("opened: %v", err)
		}
	}
	if n := service.Handles(); n != before {
		t.Fatalf("%d handles, before %d", n, before)
	}
	card.DisablePIV(false)
	open(t, reader)
}

// libpcsclite finds its service once in the life of a process, so this one
// runs in another: its socket is a link, which can be pointed to the next service.
func TestRecoveryAfterTheServiceDied(t *testing.T) {
	const here = "CONCLAVE_TEST_RECOVERY"
	if os.Getenv(here) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRecoveryAfterTheServiceDied$")
		cmd.Env = append(os.Environ(), withoutService+"=1", here+"=1", "PCSCLITE_CSOCK_NAME="+shortDir(t)+"/comm")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	link := os.Getenv("PCSCLITE_CSOCK_NAME")
	start := func() *virtual.Service {
		s, err := virtual.Start(filepath.Dir(link))
		if err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(link)
		if err := os.Symlink(s.Socket(), link); err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := start()
	card, err := virtual.NewCard(virtual.Options{Serial: 1})
	if err != nil {
		t.Fatal(err)
	}
	reader, err := first.Insert(card)
	if err != nil {
		t.Fatal(err)
	}
	ts := watching(t)
	before, ok := find(seen(t, ts), reader)
	if !ok {
		t.Fatal("the token is not seen")
	}
	token := open(t, reader)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := token.Keys(t.Context()); !errors.Is(err, hsm.ErrRemoved) {
		t.Errorf("after the death of the service: %v", err)
	}
	untilSeen(t, ts, "the death of the service", func(_ []hsm.Reader, err error) bool { return errors.Is(err, hsm.ErrNoService) })
	second := start()
	defer func() { _ = second.Close() }()
	if _, err := second.Insert(card); err != nil {
		t.Fatal(err)
	}
	untilSeen(t, ts, "the token, again", func(now []hsm.Reader, _ error) bool {
		r, ok := find(now, reader)
		return ok && r.ID() != before.ID()
	})
	open(t, reader)
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pcsc") // a test's own folder can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func untilSeen(t *testing.T, ts *piv.Tokens, what string, ok func([]hsm.Reader, error) bool) {
	t.Helper()
	late := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := ts.Seen(t.Context())
		if ok(now, err) {
			return
		}
		select {
		case <-late:
			t.Fatalf("%s was not seen: %+v, %v", what, now, err)
		case <-tick.C:
		}
	}
}

// BenchmarkSeen measures one look of a front end, which happens several times a second.
func BenchmarkSeen(b *testing.B) {
	insert(b, "5.7.1")
	ts := watching(b)
	for b.Loop() {
		if _, err := ts.Seen(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
