package publish

import (
	"bytes"
	"context"
	"fmt"
	"io"
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

// lookAround looks for the files that were put, and lets every observer follow what is live, all at once.
func (w *push) lookAround(ctx context.Context, before *live, now *still, s *stage, after *live) error {
	looks := []func(context.Context) error{func(ctx context.Context) error { return w.readFiles(ctx, s) }}
	for who, cache := range w.observers(before) {
		for _, follow := range []func(context.Context, *still, *stage, *live, client.Memory) error{w.readUpdater, w.readBack} {
			looks = append(looks, func(ctx context.Context) error {
				if err := follow(ctx, now, s, after, maps.Clone(cache)); err != nil {
					return withHint(fmt.Errorf("%s refuses what is live now: %w", who, err),
						"this was tried before and worked: look at the store and at who else writes to it")
				}
				return nil
			})
		}
	}
	return each(ctx, looks, func(ctx context.Context, look func(context.Context) error) error { return look(ctx) })
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

// readUpdater follows the live repository as clients of others do.
func (w *push) readUpdater(ctx context.Context, now *still, _ *stage, _ *live, cache client.Memory) error {
	return w.updaterReads(ctx, &view{store: now}, cache)
}

// readBack follows the live repository as our client does, and downloads some of the files that this push has put.
func (w *push) readBack(ctx context.Context, now *still, s *stage, after *live, cache client.Memory) error {
	v := &view{store: now}
	goal := &goal{root: after.root(), docs: s.goal.docs, bins: s.goal.bins, fresh: s.goal.fresh}
	if now := s.goal.docs[tuf.Targets]; now != nil && after.targets.Version() != now.Version() || after.snapshot.Version() != version(s.snapshot) {
		goal.docs, goal.bins, goal.fresh = nil, nil, nil // others have published on top
	}
	c, err := w.follow(ctx, v, cache, goal)
	if err != nil {
		return err
	}
	put := s.put()
	lists := [][]tuf.TargetFile{goal.newFiles()}
	for _, doc := range goal.docs {
		lists = append(lists, doc.Files())
	}
	for _, files := range lists {
		sampled := 0
		for _, f := range files {
			if sampled == maxSampled || put[targetName(f)].name == "" || f.Length > maxSampledLength {
				continue
			}
			sampled++
			if _, err := c.Fetch(ctx, f.Path, io.Discard); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxSampled and maxSampledLength bound what is downloaded whole to see that clients can.
const (
	maxSampled       = 4
	maxSampledLength = 4 << 20
)

// put returns the files that this push has put, by name.
func (s *stage) put() map[string]upload {
	put := map[string]upload{}
	for _, f := range s.files {
		if !f.keep {
			put[f.name] = f
		}
	}
	return put
}

// readFiles makes sure that every file that was put is there. A bucket has compared each one's SHA-256 when it took it, so
// it is enough to list them; of any other store they are read.
func (w *push) readFiles(ctx context.Context, s *stage) error {
	put := s.put()
	catalogue, ok := w.p.Store.(catalogue)
	if !ok {
		return each(ctx, slices.Collect(maps.Values(put)), func(ctx context.Context, f upload) error {
			if err := contains(ctx, w.p.Store, f.name, f.content); err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
			return nil
		})
	}
	there, err := catalogue.Lengths(ctx, targetsDir, slices.Sorted(maps.Keys(put)))
	if err != nil {
		return err
	}
	for name, f := range put {
		if n, ok := there[name]; !ok || n != f.content.Length {
			return fmt.Errorf("%s: %w, or not as it was put", name, ErrNotFound)
		}
	}
	return nil
}
