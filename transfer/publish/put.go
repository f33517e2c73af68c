package publish

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"conclave/ceremony/tuf"
)

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
	add(actFor(s.hasRoot()), documentName(tuf.Root, root.Version()), int64(len(root.Bytes())))
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

// hasRoot reports whether the goal's root is in the store.
func (s *stage) hasRoot() bool {
	return s.before.hasRoot && s.before.root().Digest() == s.goal.root.Digest()
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
	if s.snapshot != s.before.snapshot {
		if err := w.putDocument(ctx, tuf.Snapshot, s.snapshot); err != nil {
			return err
		}
	}
	if !s.hasRoot() {
		if err := w.putDocument(ctx, tuf.Root, s.goal.root); err != nil {
			return err
		}
	}
	return w.commit(ctx, s)
}

func (w *push) putDocument(ctx context.Context, role string, doc *tuf.Document) error {
	name := documentName(role, doc.Version())
	if err := w.store.PutNew(ctx, name, Bytes(doc.Bytes())); err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	return nil
}

// commit replaces the timestamp if it is still the one that was read. From here on clients see the new state.
func (w *push) commit(ctx context.Context, s *stage) error {
	_, err := w.store.PutIf(ctx, timestampName, s.timestamp.Bytes(), s.base)
	if err == nil {
		w.p.tell("published timestamp %d", s.timestamp.Version())
		return nil
	}
	if errors.Is(err, ErrChanged) {
		// An answer that was lost makes a store say this of our own work.
		live, _, readErr := read(ctx, w.store, timestampName, tuf.MaxTimestampSize)
		if readErr == nil && string(live) == string(s.timestamp.Bytes()) {
			return nil
		}
	}
	return fmt.Errorf("put %s: %w", timestampName, err)
}

// putFiles puts target files, many at once, each in constant memory.
func (w *push) putFiles(ctx context.Context, files []upload) error {
	todo := slices.DeleteFunc(slices.Clone(files), func(f upload) bool { return f.keep })
	m := newMeter(w.p, todo)
	return each(ctx, todo, func(ctx context.Context, f upload) error {
		counted := m.file(f.content)
		if err := w.p.Store.PutNew(ctx, f.name, counted.content()); err != nil {
			return fmt.Errorf("put %s: %w", f.name, fileError(err))
		}
		counted.done()
		return nil
	})
}

// fileError keeps the place of a target file that holds something else from
// being taken for a race: its name carries its hash, so what lies there is damaged.
func fileError(err error) error {
	if errors.Is(err, ErrExists) {
		return withHint(errors.New("a damaged file lies in its place: "+err.Error()),
			"remove that file from the store by hand, then run the same command again")
	}
	return err
}
