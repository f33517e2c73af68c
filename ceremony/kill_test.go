package ceremony

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"conclave/ceremony/record"
	"conclave/ceremony/tuf"
	"conclave/transfer"
)

var errKilled = errors.New("the plug was pulled")

// A plug pulls the power at one append: before anything is written, or right after it is on the disk.
type plug struct {
	journal
	at    int // the append at which to pull, counted from 1
	after bool
	n     *int // appends so far
}

func (p *plug) Append(now time.Time, actor, event string, data any) (record.Entry, error) {
	*p.n++
	if *p.n != p.at {
		return p.journal.Append(now, actor, event, data)
	}
	if p.after {
		if _, err := p.journal.Append(now, actor, event, data); err != nil {
			return record.Entry{}, err
		}
	}
	return record.Entry{}, errKilled
}

// holdKilled holds the ceremony of b with one power cut at append number at, then
// resumes and ends it. It reports whether the power was cut at all.
func (w *world) holdKilled(b *transfer.Bundle, anchor *tuf.Document, at int, after bool) (State, bool) {
	w.t.Helper()
	n := 0
	cfg := w.cfg
	cfg.wrap = func(j journal) journal { return &plug{journal: j, at: at, after: after, n: &n} }
	s, err := Begin(cfg, b, anchor)
	if err == nil {
		err = w.hold(s)
		_ = s.Close()
	}
	if err != nil && !errors.Is(err, errKilled) {
		w.t.Fatalf("before the power cut: %v (%s)", err, hintOf(err))
	}
	killed := err != nil
	if killed {
		s = w.again(b, anchor, at == 1 && !after)
		if err := w.hold(s); err != nil {
			w.t.Fatalf("after the power cut: %v (%s)", err, hintOf(err))
		}
		_ = s.Close()
	}
	return s.State(), killed
}

// again starts the program anew: a ceremony that has no entry yet begins, any other is resumed.
func (w *world) again(b *transfer.Bundle, anchor *tuf.Document, empty bool) *Session {
	w.t.Helper()
	if empty {
		return w.begin(b, anchor)
	}
	s, err := Resume(w.cfg)
	if err != nil {
		w.t.Fatalf("resume: %v (%s)", err, hintOf(err))
	}
	return s
}

// checkAfter holds what must be true of a ceremony that was cut off somewhere.
func (w *world) checkAfter(state State, anchor *tuf.Document) {
	w.t.Helper()
	if anchor == nil {
		anchor = state.Bundle().Document(tuf.Root)
	}
	if _, err := state.Bundle().Verify(anchor); err != nil {
		w.t.Errorf("the bundle is not complete: %v", err)
	}
	entries, torn, err := record.Read(filepath.Join(w.cfg.Dir, RecordFile))
	if err != nil || torn {
		w.t.Fatalf("read record: torn %v, %v", torn, err)
	}
	w.checkOnce(entries)
	replayed, err := Replay(entries, Beside(w.cfg.Dir))
	if err != nil {
		w.t.Fatalf("replay: %v", err)
	}
	if got, want := fingerprint(w.t, replayed), fingerprint(w.t, state); got != want {
		w.t.Errorf("replayed state differs:\n%s\nfrom the session's:\n%s", got, want)
	}
	if got := len(w.medium.files); got != 2 {
		w.t.Errorf("%d files on the stick, want the bundle and the record", got)
	}
}

// checkOnce finds what was asked for twice although it was on the record.
func (w *world) checkOnce(entries []record.Entry) {
	w.t.Helper()
	seen := map[string]int{}
	for _, entry := range entries {
		e, err := DecodeEvent(entry.Event, entry.Data)
		if err != nil {
			w.t.Fatalf("entry %d: %v", entry.Seq, err)
		}
		for _, what := range onceOnly(e) {
			seen[what]++
			if seen[what] > 1 {
				w.t.Errorf("entry %d: %s stands on the record twice", entry.Seq, what)
			}
		}
	}
}

func onceOnly(e Event) []string {
	switch e := e.(type) {
	case Excepted:
		return []string{"exception for " + e.What}
	case Arrived:
		return []string{"arrival of " + e.Holder}
	case Enrolled:
		return []string{"enrolment of " + e.Holder}
	case Reviewed:
		return []string{"review by " + e.Holder}
	case Approved:
		var all []string
		for role := range e.Digests {
			all = append(all, fmt.Sprintf("approval of %s by %s", role, e.Holder))
		}
		return all
	case Signed:
		return []string{fmt.Sprintf("signature on %s by %s", e.Role, e.Holder)}
	case Opened, PreflightPassed, RollCalled, Frozen, ReviewClosed, SigningClosed, Confirmed, Exported, Closed:
		return []string{e.Kind()}
	}
	return nil
}

// killEverywhere cuts the power before and after every single append.
func killEverywhere(t *testing.T, fresh func(*testing.T) (*world, *transfer.Bundle, *tuf.Document), check func(*world, State)) {
	for _, after := range []bool{false, true} {
		killed := true
		for at := 1; killed; at++ {
			if at > 500 {
				t.Fatal("the ceremony does not end")
			}
			name := fmt.Sprintf("before entry %d", at)
			if after {
				name = fmt.Sprintf("after entry %d", at)
			}
			t.Run(name, func(t *testing.T) {
				w, b, anchor := fresh(t)
				var state State
				state, killed = w.holdKilled(b, anchor, at, after)
				w.checkAfter(state, anchor)
				check(w, state)
			})
		}
	}
}

func TestPowerCutAnywhereInAGenesis(t *testing.T) {
	fresh := func(t *testing.T) (*world, *transfer.Bundle, *tuf.Document) {
		w := newWorld(t, threePeople...)
		return w, w.planGenesis(), nil
	}
	killEverywhere(t, fresh, func(w *world, state State) {
		lost := 0
		for name, token := range w.owned {
			if token.generated != 1 {
				w.t.Errorf("%s's token made %d keys, want 1", name, token.generated)
			}
			lost += token.signed
		}
		lost -= signatures(state)
		if lost > 1 {
			w.t.Errorf("tokens made %d signatures more than are on the record; one power cut can lose one", lost)
		}
	})
}

func signatures(state State) int {
	n := 0
	for _, d := range state.Bundle().Documents {
		n += len(d.Metadata.Signatures())
	}
	return n
}

func TestPowerCutAnywhereInAReleaseAndARenewal(t *testing.T) {
	made := newWorld(t, threePeople...)
	first := made.done(made.planGenesis(), nil)
	root1 := first.Document(tuf.Root)
	later := func(t *testing.T) *world {
		w := *made
		w.t = t
		w.away = []string{"Carol"}
		return w.next()
	}
	t.Run("release", func(t *testing.T) {
		killEverywhere(t, func(t *testing.T) (*world, *transfer.Bundle, *tuf.Document) {
			w := later(t)
			b, err := PlanTargets(baseOf(first), TargetsChange{Remove: []string{"app/conclave.tar.gz"}, Expires: w.now.Add(90 * day)}, w.now)
			if err != nil {
				t.Fatal(err)
			}
			return w, b, root1
		}, func(*world, State) {})
	})
	t.Run("renewal", func(t *testing.T) {
		killEverywhere(t, func(t *testing.T) (*world, *transfer.Bundle, *tuf.Document) {
			w := later(t)
			b, err := PlanRoot(baseOf(first), "renewal", w.now.Add(365*day), w.now)
			if err != nil {
				t.Fatal(err)
			}
			return w, b, root1
		}, func(*world, State) {})
	})
}
