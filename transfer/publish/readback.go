package publish

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"conclave/ceremony/tuf"
	"conclave/transfer/client"
)

// finish reads back what was published, as clients do, and remembers it.
func (w *push) finish(ctx context.Context, memory *seen, before *live, s *stage) error {
	after, err := readLive(ctx, w.p.Store, w.anchor)
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if err := w.compare(s, after); err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	for who, cache := range w.observers(before) {
		if err := w.readBack(ctx, s, after, cache); err != nil {
			return withHint(fmt.Errorf("read back: %s refuses what is live now: %w", who, err),
				"this was tried before and worked: look at the store and at who else writes to it")
		}
	}
	if err := memory.check(after, w.p.now()); err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	memory.record(after, w.p.now())
	if err := w.state.setSeen(memory); err != nil {
		return err
	}
	for role, doc := range after.documents() {
		w.report.Versions[role] = doc.Version()
	}
	w.p.tell("read back as a client: timestamp %d, snapshot %d, targets %d, root %d",
		after.timestamp.Version(), after.snapshot.Version(), after.targets.Version(), after.root().Version())
	if err := w.state.clearJournal(w.journal()); err != nil {
		return err
	}
	return w.readPublic(ctx, after)
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

// readBack follows the live repository with two implementations and downloads every
// file that this push has put.
func (w *push) readBack(ctx context.Context, s *stage, after *live, cache client.Memory) error {
	v := &view{store: w.p.Store}
	if err := w.updaterReads(ctx, v, cache); err != nil {
		return err
	}
	now := &goal{root: after.root(), docs: s.goal.docs}
	if after.targets.Version() != version(s.goal.docs[tuf.Targets]) {
		now.docs = nil // others have published on top
	}
	c, err := w.follow(ctx, v, cache, now)
	if err != nil {
		return err
	}
	for _, doc := range now.docs {
		for _, f := range doc.Files() {
			if !w.wasPut(s, f) {
				continue
			}
			if _, err := c.Fetch(ctx, f.Path, io.Discard); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *push) wasPut(s *stage, f tuf.TargetFile) bool {
	name := targetName(f)
	for _, up := range s.files {
		if up.name == name {
			return !up.keep
		}
	}
	return false
}
