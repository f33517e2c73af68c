package publish

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"conclave/ceremony/tuf"
)

// plan fills the report with what put will do, or would do, in its order, and with the versions that are live then.
func (w *push) plan(s *stage, before *live, n online) {
	add := func(act, name string, length int64) {
		w.report.Actions = append(w.report.Actions, Action{name, act, length})
	}
	for _, f := range s.files {
		add(actFor(f.keep), f.name, f.content.Length)
	}
	for _, role := range slices.Sorted(maps.Keys(s.goal.bins)) {
		l := s.goal.bins[role]
		add("create", documentName(role, l.version), int64(len(l.raw)))
	}
	for _, role := range putOrder(s.goal) {
		doc := s.goal.docs[role]
		add(actFor(isListed(before, role, doc)), documentName(role, doc.Version()), int64(len(doc.Bytes())))
	}
	w.report.Versions = map[string]int64{
		tuf.Root: s.goal.root.Version(), tuf.Targets: max(version(s.goal.docs[tuf.Targets]), version(before.targets)),
		tuf.Snapshot: n.snapshot, tuf.Timestamp: n.timestamp,
	}
	if n.timestamp == version(before.timestamp) {
		return
	}
	if n.snapshot != version(before.snapshot) {
		add("create", documentName(tuf.Snapshot, n.snapshot), sizeOf(s.snapshot, n.snapshot))
	}
	root := s.goal.root
	add(actFor(s.hasRoot()), documentName(tuf.Root, root.Version()), int64(len(root.Bytes())))
	act := "replace"
	if before.timestamp == nil {
		act = "create"
	}
	add(act, timestampName, sizeOf(s.timestamp, n.timestamp))
}

// online are the versions of the online documents that are live in the end.
type online struct{ snapshot, timestamp int64 }

// signed are the versions of a stage that is ready.
func (s *stage) signed() online { return online{version(s.snapshot), version(s.timestamp)} }

// intended are the versions of a stage whose online documents would be signed.
func (w *push) intended(ctx context.Context, s *stage, before *live, kept *journal) (n online, err error) {
	n = online{version(before.snapshot), w.last(tuf.Timestamp, before.timestamp, before, s.goal) + 1}
	meta := w.snapshotMeta(before, s.goal)
	if !w.needsSnapshot(before, s.goal, meta) {
		return n, nil
	}
	if doc := w.keptSnapshot(ctx, before, s.goal, meta, kept); doc != nil {
		n.snapshot = doc.Version()
		return n, nil
	}
	n.snapshot, err = w.freeSnapshot(ctx, before, s.goal)
	return n, err
}

// sizeOf is the length of a document that is signed already, 0 of one that would be.
func sizeOf(doc *tuf.Document, v int64) int64 {
	if doc == nil || doc.Version() != v {
		return 0
	}
	return int64(len(doc.Bytes()))
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
	if err := w.putBins(ctx, s.goal); err != nil {
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
	m := newMeter(w.p.Progress, todo)
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
