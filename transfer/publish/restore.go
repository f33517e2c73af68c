package publish

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"conclave/ceremony/tuf"
)

// Restore rebuilds a store that was damaged or deleted from another place: a mirror, a backup, a second bucket, or the
// older versions of its own objects. Files that are right stay; missing and damaged ones are put.
//
// No client that saw the latest version is broken: offline roles older than those that this host has seen are refused, and where
// the backup's snapshot or timestamp is older than what clients may have, new ones are signed on top. Clients are tried out on the
// result before anything is written, and read it afterwards.
func (p *Publisher) Restore(ctx context.Context, from Store) (done *Copy, err error) {
	anchor, err := p.pinned()
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	st, err := openState(ctx, p.StateDir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	memory, err := st.seen()
	if err != nil {
		return nil, err
	}
	w := &push{p: p, state: st, anchor: anchor, store: newMemo(p.Store, "", p.now)}
	w.now = newStill(from)
	r, err := readRepository(ctx, w.now, anchor)
	if err != nil {
		return nil, fmt.Errorf("restore: read what to restore from: %w", err)
	}
	if r.live.root().Practice() != p.Practice {
		return nil, fmt.Errorf("restore: %w: what to restore is %s, the configuration says %s", ErrPractice, kind(r.live.root().Practice()), kind(p.Practice))
	}
	s, err := w.planRestore(ctx, r, memory)
	if err != nil {
		return nil, err
	}
	return w.restore(ctx, from, r, s, memory)
}

// planRestore settles which online documents shall be live: those of the backup, or new ones on top of what clients have seen.
func (w *push) planRestore(ctx context.Context, r *repository, memory *seen) (*stage, error) {
	l := r.live
	if err := memory.checkOffline(l); err != nil {
		return nil, err
	}
	if err := w.checkClock(memory, l); err != nil {
		return nil, err
	}
	floor := memory.floor()
	if there := w.survivor(ctx, l); there != nil {
		listed := there.Timestamp().Meta["snapshot.json"].Version
		floor[tuf.Timestamp] = max(floor[tuf.Timestamp], there.Version())
		floor[tuf.Snapshot] = max(floor[tuf.Snapshot], listed)
		if err := w.checkSurvivor(ctx, r, listed); err != nil {
			return nil, err
		}
	}
	s := &stage{before: l, goal: &goal{root: l.root(), docs: r.roles}, snapshot: l.snapshot, timestamp: l.timestamp}
	if err := w.checkExpiry(l, s.goal); err != nil {
		return nil, err
	}
	old := memory.olderThan(l) || l.timestamp.Version() < floor[tuf.Timestamp] || l.snapshot.Version() < floor[tuf.Snapshot]
	now := w.p.now()
	rotated := verifyBy(tuf.Timestamp, l.timestamp, l.root()) != nil || verifyBy(tuf.Snapshot, l.snapshot, l.root()) != nil
	if old || rotated || now.After(l.timestamp.Expires()) || now.After(l.snapshot.Expires()) {
		return s, w.signAnew(ctx, s, floor)
	}
	return s, nil
}

// survivor is the timestamp that is still in the store, where it was signed for this repository. Clients may have it.
func (w *push) survivor(ctx context.Context, l *live) *tuf.Document {
	raw, _, err := read(ctx, w.p.Store, timestampName, tuf.MaxTimestampSize)
	if err != nil {
		return nil
	}
	doc, err := tuf.Parse(raw)
	if err != nil || doc.Type() != tuf.Timestamp || l.verify(tuf.Timestamp, doc) != nil || doc.Timestamp().Meta["snapshot.json"] == nil {
		return nil
	}
	return doc
}

// checkSurvivor refuses a backup whose roles are older than what the store's own snapshot, where it is still there, has told clients.
func (w *push) checkSurvivor(ctx context.Context, r *repository, snapshot int64) error {
	doc, err := readDocument(ctx, w.p.Store, documentName(tuf.Snapshot, snapshot))
	if err != nil || doc.Snapshot() == nil || r.live.verify(tuf.Snapshot, doc) != nil {
		return nil //nolint:nilerr // it has not survived, or is damaged: it tells nothing
	}
	for file, listed := range doc.Snapshot().Meta {
		role := strings.TrimSuffix(file, ".json")
		if have := r.roles[role]; version(have) < listed.Version {
			return withHint(fmt.Errorf("restore: %w: the backup has %s %d, clients have seen %d", ErrRolledBack, role, version(have), listed.Version),
				"nothing was changed; find a newer backup, or the bundle of that ceremony")
		}
	}
	return nil
}

// signAnew makes a snapshot and a timestamp that no client has seen yet.
func (w *push) signAnew(ctx context.Context, s *stage, floor map[string]int64) error {
	if err := w.checkSigners(s.goal.root); err != nil {
		return err
	}
	before := *s.before
	for version := max(before.snapshot.Version(), floor[tuf.Snapshot]) + 1; ; version++ {
		_, _, err := read(ctx, w.p.Store, documentName(tuf.Snapshot, version), tuf.MaxSize)
		if errors.Is(err, ErrNotFound) {
			floor[tuf.Snapshot] = version
			break
		}
		if err != nil {
			return fmt.Errorf("restore: look for a free snapshot version: %w", err)
		}
	}
	snapshot, err := tuf.From(&metadata.SnapshotType{
		Type: tuf.Snapshot, SpecVersion: metadata.SPECIFICATION_VERSION, Version: floor[tuf.Snapshot],
		Expires: w.p.now().Add(w.p.SnapshotLife), Meta: maps.Clone(before.snapshot.Snapshot().Meta), UnrecognizedFields: w.marks(),
	})
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if s.snapshot, err = signWith(w.p.Snapshot, tuf.Snapshot, snapshot, s.goal.root); err != nil {
		return err
	}
	timestamp, err := tuf.From(&metadata.TimestampType{
		Type: tuf.Timestamp, SpecVersion: metadata.SPECIFICATION_VERSION,
		Version: max(before.timestamp.Version(), floor[tuf.Timestamp]) + 1, Expires: w.p.now().Add(w.p.TimestampLife),
		Meta: map[string]*metadata.MetaFiles{"snapshot.json": metaOf(s.snapshot)}, UnrecognizedFields: w.marks(),
	})
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	s.timestamp, err = signWith(w.p.Timestamp, tuf.Timestamp, timestamp, s.goal.root)
	return err
}

// restore tries the result out, brings it into the store and reads it back.
func (w *push) restore(ctx context.Context, from Store, r *repository, s *stage, memory *seen) (*Copy, error) {
	if err := w.tryRestored(ctx, &view{w.now, map[string][]byte{
		timestampName: s.timestamp.Bytes(), documentName(tuf.Snapshot, s.snapshot.Version()): s.snapshot.Bytes(),
	}}, s); err != nil {
		return nil, withHint(fmt.Errorf("restore: simulate: %w", err), "nothing was changed")
	}
	if w.p.Practice {
		if err := w.p.Store.PutNew(ctx, practiceMark, Bytes([]byte(markText))); err != nil {
			return nil, fmt.Errorf("restore: %w", err)
		}
	}
	c := &copier{from: from, to: w.p.Store, repair: true, report: newCopy(), progress: w.p.Progress}
	c.report.Signed = s.timestamp != s.before.timestamp
	if err := c.copyAll(ctx, r, s.snapshot); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	if err := c.setTimestamp(ctx, s.timestamp); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	w.now = newStill(w.p.Store)
	after, err := readLive(ctx, w.now, w.anchor)
	if err != nil {
		return nil, fmt.Errorf("restore: read back: %w", err)
	}
	if err := w.tryRestored(ctx, &view{store: w.now}, s); err != nil {
		return nil, fmt.Errorf("restore: read back: %w", err)
	}
	memory.record(after, w.p.now())
	if err := w.state.setSeen(memory); err != nil {
		return nil, err
	}
	c.report.versions(after)
	return c.report, errors.Join(w.state.clearJournal(pushJournal), w.state.clearJournal(refreshJournal))
}

// tryRestored lets a new client and one that saw the backup's state follow.
func (w *push) tryRestored(ctx context.Context, v *view, s *stage) error {
	for who, cache := range w.observers(s.before) {
		if err := w.updaterReads(ctx, v, maps.Clone(cache)); err != nil {
			return fmt.Errorf("%s: %w", who, err)
		}
		c, err := w.follow(ctx, v, cache, s.goal)
		if err != nil {
			return fmt.Errorf("%s: %w", who, err)
		}
		if got := c.Version(tuf.Timestamp); got != s.timestamp.Version() {
			return fmt.Errorf("%s: it ends at timestamp %d instead of %d", who, got, s.timestamp.Version())
		}
	}
	return nil
}

// floor is the highest version of every role that this host has seen.
func (s *seen) floor() map[string]int64 {
	versions := map[string]int64{}
	for role, v := range s.Roles {
		versions[role] = v.Version
	}
	return versions
}

// checkOffline refuses root and targets that are older than what was seen: nobody can sign those here.
func (s *seen) checkOffline(l *live) error {
	for role, doc := range map[string]*tuf.Document{tuf.Root: l.root(), tuf.Targets: l.targets} {
		before, ok := s.Roles[role]
		if !ok {
			continue
		}
		digest := sum(doc.Bytes())
		switch {
		case doc.Version() < before.Version:
			return withHint(fmt.Errorf("restore: %w: the backup has %s %d, clients have seen %d", ErrRolledBack, role, doc.Version(), before.Version),
				"nothing was changed; find a newer backup, or the bundle of that ceremony, or let keyholders sign a version on top")
		case doc.Version() == before.Version && hex.EncodeToString(digest[:]) != before.SHA256:
			return withHint(fmt.Errorf("restore: %w: %s %d", ErrForked, role, doc.Version()), "nothing was changed; treat it as an incident")
		}
	}
	return nil
}

// olderThan reports whether online documents differ from what was seen, so that clients need newer ones.
func (s *seen) olderThan(l *live) bool {
	for role, doc := range map[string]*tuf.Document{tuf.Snapshot: l.snapshot, tuf.Timestamp: l.timestamp} {
		before, ok := s.Roles[role]
		digest := sum(doc.Bytes())
		if ok && (doc.Version() < before.Version || doc.Version() == before.Version && hex.EncodeToString(digest[:]) != before.SHA256) {
			return true
		}
	}
	return false
}

// PastOf returns the older versions of the publisher's own bucket as a place to restore from.
func (p *Publisher) PastOf(ctx context.Context) (Store, error) {
	bucket, ok := p.Store.(interface{ Past(func([]byte) bool) Store })
	if !ok {
		return nil, withHint(errors.New("restore: this store keeps no old versions"), "name a mirror or a backup to restore from")
	}
	anchor, err := p.pinned()
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	l := new(live)
	if err := l.readRoots(ctx, bucket.Past(nil), anchor); err != nil {
		return nil, fmt.Errorf("restore: read the roots of the past: %w", err)
	}
	return bucket.Past(func(raw []byte) bool {
		doc, err := tuf.Parse(raw)
		return err == nil && doc.Type() == tuf.Timestamp && l.verify(tuf.Timestamp, doc) == nil
	}), nil
}
