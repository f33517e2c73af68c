package publish

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"conclave/ceremony/tuf"
	"conclave/transfer/client"
)

// finish reads back what was published, as clients do, and remembers it.
func (w *push) finish(ctx context.Context, memory *seen, before *live, s *stage) error {
	after, err := w.outcome(ctx, before, s)
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if err := memory.check(after, w.p.now()); err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	memory.record(after, w.p.now())
	if err := w.state.setSeen(memory); err != nil {
		return err
	}
	if err := w.rememberBins(after, s.goal); err != nil {
		return err
	}
	keep := map[string]bool{}
	for role, doc := range after.documents() {
		w.report.Versions[role] = doc.Version()
		keep[documentName(role, doc.Version())] = true
	}
	w.store.prune(keep)
	if err := w.state.clearJournal(w.journal()); err != nil {
		return err
	}
	return w.readPublic(ctx, after)
}

// outcome is what is live after the work. A refresh, which runs every hour for years, takes the store's word for the one
// small file that it has put with its hash: clients were tried out on the same bytes a moment ago.
func (w *push) outcome(ctx context.Context, before *live, s *stage) (*live, error) {
	if w.bundle == nil && w.change == nil && s.timestamp != nil {
		after := *before
		after.timestamp, after.snapshot = s.timestamp, s.snapshot
		return &after, nil
	}
	if s.timestamp == nil {
		return before, nil // nothing was put; it was verified a moment ago
	}
	put := s.documents()
	now := newStill(w.p.Store, slices.Collect(maps.Values(put))...)
	now.prefetch(ctx, append(slices.Collect(maps.Keys(put)), documentName(tuf.Root, s.goal.root.Version()+1)))
	after, err := readLive(ctx, now, w.anchor)
	if err != nil {
		return nil, err
	}
	if err := w.compare(s, after); err != nil {
		return nil, err
	}
	if err := w.lookAround(ctx, before, now, s, after); err != nil {
		return nil, err
	}
	w.p.tell("read back as a client: timestamp %d, snapshot %d, targets %d, root %d",
		after.timestamp.Version(), after.snapshot.Version(), after.targets.Version(), after.root().Version())
	return after, nil
}

// lookAround looks for the files that were put. Clients that get byte for byte what they were tried out on before it was
// put need not be asked again; of anything else they are, for others have published on top.
func (w *push) lookAround(ctx context.Context, before *live, now *still, s *stage, after *live) error {
	if err := w.readFiles(ctx, s); err != nil {
		return err
	}
	if w.isAsPut(ctx, now, s, after) {
		return nil
	}
	err := w.tryOut(ctx, before, func(ctx context.Context, cache client.Memory) error {
		return w.readBack(ctx, now, s, after, cache)
	}, func(ctx context.Context, cache client.Memory) error {
		return w.updaterReads(ctx, &view{store: now}, cache)
	})
	if err != nil {
		return withHint(err, "this was tried before and worked: look at the store and at who else writes to it")
	}
	return nil
}

// isAsPut reports whether the store's metadata is that of the stage. Bins are not read back one by one: clients look into some.
func (w *push) isAsPut(ctx context.Context, now *still, s *stage, after *live) bool {
	for name, doc := range s.documents() {
		if raw, _, err := read(ctx, now, name, tuf.MaxSize); err != nil || !bytes.Equal(raw, doc.Bytes()) {
			return false
		}
	}
	return after.root().Digest() == s.goal.root.Digest() && len(s.goal.bins) == 0
}

// readPublic follows the repository at its public address, where a CDN or a web server may
// serve something else than the store holds.
func (w *push) readPublic(ctx context.Context, after *live) error {
	if w.p.Public == nil {
		return nil
	}
	c, err := w.follow(ctx, w.p.Public, client.Memory{tuf.Root: w.anchor.Bytes()}, &goal{root: after.root()})
	if err == nil && c.Version(tuf.Timestamp) < after.timestamp.Version() {
		err = fmt.Errorf("it serves timestamp %d, in the store is %d", c.Version(tuf.Timestamp), after.timestamp.Version())
	}
	if err != nil {
		return withHint(fmt.Errorf("read back: the public address does not serve what is in the store: %w", err),
			"everything is in the store, so do not publish again; look at caches and at the address, then run the same command to check")
	}
	w.p.tell("read back from the public address: timestamp %d", c.Version(tuf.Timestamp))
	return nil
}

// compare asserts that exactly what was published is live, or what others have put on top of it since.
func (w *push) compare(s *stage, after *live) error {
	if after.timestamp == nil {
		return fmt.Errorf("no timestamp is there")
	}
	if s.timestamp == nil {
		return nil
	}
	for _, pair := range []struct{ put, live *tuf.Document }{
		{s.timestamp, after.timestamp},
		{s.snapshot, after.snapshot},
		{s.goal.root, after.root()},
		{s.goal.docs[tuf.Targets], after.targets},
	} {
		switch {
		case pair.put == nil:
		case pair.live.Version() < pair.put.Version():
			return fmt.Errorf("%s is live instead of %s", pair.live.Title(), pair.put.Title())
		case pair.live.Version() == pair.put.Version() && !bytes.Equal(pair.live.Bytes(), pair.put.Bytes()):
			return fmt.Errorf("%s holds other bytes than were put", pair.live.Title())
		}
	}
	return nil
}

// readBack follows the live repository as our client does.
func (w *push) readBack(ctx context.Context, now *still, s *stage, after *live, cache client.Memory) error {
	goal := &goal{root: after.root(), docs: s.goal.docs, bins: s.goal.bins}
	if now := s.goal.docs[tuf.Targets]; now != nil && after.targets.Version() != now.Version() || after.snapshot.Version() != version(s.snapshot) {
		goal.docs, goal.bins = nil, nil // others have published on top
	}
	_, err := w.follow(ctx, &view{store: now}, cache, goal)
	return err
}

// maxSampled and maxSampledLength bound what is read back whole to see that clients can.
const (
	maxSampled       = 4
	maxSampledLength = 4 << 20
)

// readFiles makes sure that every file that was put is there. A bucket has compared each one's SHA-256 when it took it, so
// it is enough to list them, and to read a few; of any other store they are all read.
func (w *push) readFiles(ctx context.Context, s *stage) error {
	put := slices.DeleteFunc(slices.Clone(s.files), func(f upload) bool { return f.keep })
	catalogue, ok := w.p.Store.(catalogue)
	if !ok {
		return w.readAll(ctx, put)
	}
	names := make([]string, len(put))
	for i, f := range put {
		names[i] = f.name
	}
	there, err := catalogue.Lengths(ctx, targetsDir, names, true)
	if err != nil {
		return err
	}
	for _, f := range put {
		if n, ok := there[f.name]; !ok || n != f.content.Length {
			return fmt.Errorf("%s: %w, or not as it was put", f.name, ErrNotFound)
		}
	}
	put = slices.DeleteFunc(put, func(f upload) bool { return f.content.Length > maxSampledLength })
	return w.readAll(ctx, put[:min(maxSampled, len(put))])
}

// readAll reads files back whole.
func (w *push) readAll(ctx context.Context, files []upload) error {
	return each(ctx, files, func(ctx context.Context, f upload) error {
		if err := contains(ctx, w.p.Store, f.name, f.content); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		return nil
	})
}
