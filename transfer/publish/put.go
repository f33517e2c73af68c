package publish

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"conclave/ceremony/tuf"
)

// uploaders is how many target files are put at once.
const uploaders = 8

// plan fills the report with what put will do, in its order.
func (w *push) plan(ctx context.Context, s *stage, before *live) {
	add := func(act, name string, length int64) {
		w.report.Actions = append(w.report.Actions, Action{name, act, length})
	}
	for _, f := range s.files {
		add(actFor(f.keep), f.name, f.content.Length)
	}
	for _, role := range putOrder(s.goal) {
		doc := s.goal.docs[role]
		add(actFor(isListed(before, role, doc)), documentName(role, doc.Version()), int64(len(doc.Bytes())))
	}
	if s.timestamp == nil && !w.dryRun {
		return
	}
	if s.timestamp == nil { // a dry run: nothing is signed
		add("create", documentName(tuf.Snapshot, version(before.snapshot)+1), 0)
	} else if s.snapshot != before.snapshot {
		add("create", documentName(tuf.Snapshot, s.snapshot.Version()), int64(len(s.snapshot.Bytes())))
	}
	root := s.goal.root
	add(actFor(before.hasRoot && before.root().Digest() == root.Digest()), documentName(tuf.Root, root.Version()), int64(len(root.Bytes())))
	timestamp := Action{timestampName, "replace", 0}
	if before.timestamp == nil {
		timestamp.Act = "create"
	}
	if s.timestamp != nil {
		timestamp.Length = int64(len(s.timestamp.Bytes()))
	}
	w.report.Actions = append(w.report.Actions, timestamp)
}

func actFor(keep bool) string {
	if keep {
		return "keep"
	}
	return "create"
}

func isListed(before *live, role string, doc *tuf.Document) bool {
	if before.snapshot == nil {
		return false
	}
	listed := before.snapshot.Snapshot().Meta[role+".json"]
	return listed != nil && listed.Version == doc.Version()
}

// putOrder is the order of the goal's documents: delegated roles before the targets that delegate to them.
func putOrder(g *goal) []string {
	roles := slices.Sorted(maps.Keys(g.docs))
	slices.SortStableFunc(roles, func(a, b string) int { return rank(a) - rank(b) })
	return roles
}

func rank(role string) int {
	if role == tuf.Targets {
		return 1
	}
	return 0
}

// put brings the stage into the store, dependencies first. Until the last line clients
// see what they saw before, plus a newer root.
func (w *push) put(ctx context.Context, s *stage) error {
	if s.timestamp == nil {
		return nil
	}
	if err := w.putFiles(ctx, s.files); err != nil {
		return err
	}
	for _, role := range putOrder(s.goal) {
		if err := w.putDocument(ctx, role, s.goal.docs[role]); err != nil {
			return err
		}
	}
	if err := w.putDocument(ctx, tuf.Snapshot, s.snapshot); err != nil {
		return err
	}
	if err := w.putDocument(ctx, tuf.Root, s.goal.root); err != nil {
		return err
	}
	return w.commit(ctx, s)
}

func (w *push) putDocument(ctx context.Context, role string, doc *tuf.Document) error {
	name := documentName(role, doc.Version())
	if err := w.p.Store.PutNew(ctx, name, Bytes(doc.Bytes())); err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	return nil
}

// commit replaces the timestamp if it is still the one that was read. From here on clients see the new state.
func (w *push) commit(ctx context.Context, s *stage) error {
	_, err := w.p.Store.PutIf(ctx, timestampName, s.timestamp.Bytes(), s.base)
	if err == nil {
		w.p.tell("published timestamp %d", s.timestamp.Version())
		return nil
	}
	if errors.Is(err, ErrChanged) {
		// An answer that was lost makes a store say this of our own work.
		live, _, readErr := read(ctx, w.p.Store, timestampName, tuf.MaxTimestampSize)
		if readErr == nil && string(live) == string(s.timestamp.Bytes()) {
			return nil
		}
	}
	return fmt.Errorf("put %s: %w", timestampName, err)
}

// putFiles puts target files, several at once, each in constant memory.
func (w *push) putFiles(ctx context.Context, files []upload) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan upload)
	var workers sync.WaitGroup
	for range uploaders {
		workers.Go(func() {
			for f := range todo {
				if err := w.p.Store.PutNew(ctx, f.name, f.content); err != nil {
					cancel(fmt.Errorf("put %s: %w", f.name, fileError(err)))
				}
			}
		})
	}
	for _, f := range files {
		if f.keep || ctx.Err() != nil {
			continue
		}
		select {
		case todo <- f:
		case <-ctx.Done():
		}
	}
	close(todo)
	workers.Wait()
	return context.Cause(ctx)
}

// fileError keeps the place of a target file that holds something else from
// being taken for a race: its name carries its hash, so what lies there is damaged.
func fileError(err error) error {
	if errors.Is(err, ErrExists) {
		return withHint(fmt.Errorf("a damaged file lies in its place (%v)", err),
			"remove that file from the store by hand, then run the same command again")
	}
	return err
}
