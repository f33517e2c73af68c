package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"

	"conclave/ceremony/tuf"
	"conclave/transfer/client"
)

// A view is the store as a client sees it, with staged metadata laid over it. It is a client.Repository.
type view struct {
	store  Store
	staged map[string][]byte // by name in the store
}

// Metadata opens a metadata file, staged ones first.
func (v *view) Metadata(ctx context.Context, file string) (io.ReadCloser, error) {
	name := metadataDir + file
	if raw, ok := v.staged[name]; ok {
		return io.NopCloser(bytes.NewReader(raw)), nil
	}
	raw, _, err := read(ctx, v.store, name, tuf.MaxSize)
	if errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", err, client.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(raw)), nil
}

// Target opens a target file.
func (v *view) Target(ctx context.Context, path string) (io.ReadCloser, error) {
	r, w := io.Pipe()
	go func() {
		_, err := v.store.Get(ctx, targetsDir+path, w)
		if errors.Is(err, ErrNotFound) {
			err = fmt.Errorf("%w: %w", err, client.ErrNotFound)
		}
		w.CloseWithError(err)
	}()
	return r, nil
}

// observers are the two clients that every push is tried on: one that knows only the pinned
// root, and one that is up to date with what was live before.
func (w *push) observers(before *live) map[string]client.Memory {
	all := map[string]client.Memory{"a new client": {tuf.Root: w.anchor.Bytes()}}
	if before.timestamp != nil {
		all["a client at the live version"] = client.Memory{
			tuf.Root:      before.root().Bytes(),
			tuf.Timestamp: before.timestamp.Bytes(),
			tuf.Snapshot:  before.snapshot.Bytes(),
			tuf.Targets:   before.targets.Bytes(),
		}
	}
	return all
}

// tryApart is the size of targets metadata, in bytes, from which observers do not follow it all at once: go-tuf takes some forty
// times as much memory for each. Tests lower it.
var tryApart = 2 << 20

// tryOut lets every observer follow the repository in every way.
func (w *push) tryOut(ctx context.Context, before *live, ways ...func(context.Context, client.Memory) error) error {
	var tries []func(context.Context) error
	for who, cache := range w.observers(before) {
		for _, follow := range ways {
			tries = append(tries, func(ctx context.Context) error {
				if err := follow(ctx, maps.Clone(cache)); err != nil {
					return fmt.Errorf("%s would refuse this update: %w", who, err)
				}
				return nil
			})
		}
	}
	if w.targetsSize(before) < tryApart {
		return each(ctx, tries, func(ctx context.Context, try func(context.Context) error) error { return try(ctx) })
	}
	for _, try := range tries {
		if err := try(ctx); err != nil {
			return err
		}
	}
	return nil
}

// targetsSize is how large the targets are that clients get, or had.
func (w *push) targetsSize(before *live) int {
	size := 0
	for _, doc := range append(w.brought(), before.targets) {
		if doc != nil && doc.Type() == tuf.Targets {
			size = max(size, len(doc.Payload()))
		}
	}
	return size
}

// simulate lets clients follow the staged update before anything is stored: ours, and go-tuf's, which many run.
func (w *push) simulate(ctx context.Context, s *stage, before *live) error {
	staged := map[string][]byte{}
	for name, doc := range s.documents() {
		staged[name] = doc.Bytes()
	}
	for role, l := range s.goal.bins {
		staged[documentName(role, l.version)] = l.raw
	}
	v := &view{w.now, staged}
	err := w.tryOut(ctx, before, func(ctx context.Context, cache client.Memory) error {
		_, err := w.follow(ctx, v, cache, s.goal)
		return err
	}, func(ctx context.Context, cache client.Memory) error {
		if w.bundle == nil && w.change == nil {
			return nil // a refresh changes nothing that one client would take and another would not
		}
		return w.updaterReads(ctx, v, cache)
	})
	if err != nil {
		return withHint(fmt.Errorf("simulate: %w", err), "nothing was changed; clients would break, so this is not published")
	}
	w.p.tell("simulated clients accept the update")
	return w.simulateGap(ctx, s, before)
}

// simulateGap looks at the moment between the new root and the new timestamp. It only warns: where a root
// replaces online keys or targets keys, no order of uploads avoids it.
func (w *push) simulateGap(ctx context.Context, s *stage, before *live) error {
	if before.timestamp == nil || s.goal.root.Digest() == before.root().Digest() {
		return nil
	}
	v := &view{w.now, map[string][]byte{documentName(tuf.Root, s.goal.root.Version()): s.goal.root.Bytes()}}
	now := &goal{root: s.goal.root}
	for who, cache := range w.observers(before) {
		if _, err := w.follow(ctx, v, cache, now); err != nil {
			w.warn("for the moment between the new root and the new timestamp %s refuses the repository (%v)", who, err)
		}
	}
	return ctx.Err()
}

// follow runs one client over a repository and returns it. Of every role in the goal it looks up one file, so that delegations are walked.
func (w *push) follow(ctx context.Context, r client.Repository, cache client.Memory, g *goal) (*client.Client, error) {
	c, err := client.New(client.Options{Repository: r, Cache: cache, Now: w.p.now()})
	if err != nil {
		return nil, err
	}
	if err := c.Refresh(ctx); err != nil {
		return nil, err
	}
	if got := c.Version(tuf.Root); got < g.root.Version() { // at the public address others may have published on top
		return nil, fmt.Errorf("it ends at root %d instead of %d", got, g.root.Version())
	}
	for role, doc := range g.docs {
		if err := lookUp(ctx, c, role, doc); err != nil {
			return nil, err
		}
	}
	for _, path := range g.probes() {
		if _, err := c.Target(ctx, path); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// lookUp finds the first file of doc through the delegations.
func lookUp(ctx context.Context, c *client.Client, role string, doc *tuf.Document) error {
	for _, f := range doc.Files() {
		_, err := c.Target(ctx, f.Path)
		return err
	}
	if role == tuf.Targets && c.Version(role) != doc.Version() {
		return fmt.Errorf("it ends at targets %d instead of %d", c.Version(role), doc.Version())
	}
	return nil
}
