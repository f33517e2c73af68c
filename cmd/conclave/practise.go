package main

import (
	"context"
	"errors"
	"fmt"

	"conclave/ceremony"
	"conclave/tui"
)

// practise opens the screens, or the plain lines, on the next act of a rehearsal.
func (r *rehearsal) practise(ctx context.Context, lines bool) error {
	act := r.next()
	if act == "" {
		fmt.Fprintf(r.p.out, "This rehearsal is complete: %s\n", r.dir)
		return nil
	}
	s, err := r.open(ctx, act)
	if err != nil {
		return err
	}
	defer s.Close()
	err = r.p.front(ctx, s, &tray{r: r}, lines)
	if err != nil && !errors.Is(err, tui.ErrInterrupted) {
		return err
	}
	if s.State().Step() != ceremony.StepDone {
		return &statusError{
			code: exitInterrupted,
			text: "the rehearsal stopped at " + string(s.State().Step()),
			hint: "go on with: conclave rehearse " + r.dir,
		}
	}
	return r.afterAct(ctx, act, s)
}

// afterAct publishes what was just signed and says what comes next.
func (r *rehearsal) afterAct(ctx context.Context, act string, s *ceremony.Session) error {
	if !s.State().Complete() {
		return &statusError{
			code: exitIncomplete,
			text: "the record was closed before the threshold was met; there is nothing to publish",
			hint: "practise again in another folder",
		}
	}
	if err := r.finish(ctx, act, s); err != nil {
		return err
	}
	if next := r.next(); next != "" {
		fmt.Fprintf(r.p.out, "Next: %s. Call: conclave rehearse %s\n", actTitles[next], r.dir)
	}
	return nil
}
