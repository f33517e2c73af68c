package publish

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"conclave/ceremony/tuf"
)

// maxSkipped is how many snapshot versions may have been claimed by pushes that were cut short.
const maxSkipped = 1000

// A stage is everything that a push puts, ready and tried out.
type stage struct {
	before    *live
	goal      *goal
	files     []upload
	snapshot  *tuf.Document // the one to be live; it may be live already
	timestamp *tuf.Document // nil where nothing has to change
	base      ETag          // of the timestamp that is replaced
}

// documents are those that clients get of a stage that is signed, by name.
func (s *stage) documents() map[string]*tuf.Document {
	docs := map[string]*tuf.Document{
		timestampName: s.timestamp,
		documentName(tuf.Snapshot, s.snapshot.Version()): s.snapshot,
		documentName(tuf.Root, s.goal.root.Version()):    s.goal.root,
	}
	for role, doc := range s.goal.docs {
		docs[documentName(role, doc.Version())] = doc
	}
	return docs
}

// prepare plans, signs, journals and tries out. The store is not touched.
func (w *push) prepare(ctx context.Context, before *live, g *goal, files []upload) (*stage, error) {
	s := &stage{before: before, goal: g, files: files, base: before.etag, snapshot: before.snapshot}
	kept, err := w.state.journal(w.journal())
	if err != nil {
		return nil, err
	}
	if kept != nil && !maps.Equal(kept.Documents, g.hashes()) {
		kept = nil // of a push that was given up
	}
	if (w.bundle != nil || w.change != nil) && isLive(before, g) && w.isSettled(before, kept) {
		w.report.Already = true
		w.plan(s, before, online{before.snapshot.Version(), before.timestamp.Version()})
		return s, nil
	}
	if err := w.checkSigners(g.root); err != nil {
		return nil, err
	}
	if w.dryRun {
		n, err := w.intended(ctx, s, before, kept)
		if err == nil {
			w.plan(s, before, n)
		}
		return s, err
	}
	if err := w.sign(ctx, s, before, kept); err != nil {
		return nil, err
	}
	if err := w.simulate(ctx, s, before); err != nil {
		return nil, errors.Join(err, w.state.clearJournal(w.journal()))
	}
	w.plan(s, before, s.signed())
	return s, nil
}

// isLive reports whether clients get all of the goal.
func isLive(before *live, g *goal) bool {
	if before.timestamp == nil || !before.hasRoot || before.root().Digest() != g.root.Digest() {
		return false
	}
	for role, doc := range g.docs {
		listed := before.snapshot.Snapshot().Meta[role+".json"]
		if listed == nil || listed.Version != doc.Version() || listed.VerifyLengthHashes(doc.Bytes()) != nil {
			return false
		}
	}
	for role, l := range g.bins {
		listed := before.snapshot.Snapshot().Meta[role+".json"]
		if listed == nil || listed.Version != l.version || listed.VerifyLengthHashes(l.raw) != nil {
			return false
		}
	}
	return verifyBy(tuf.Timestamp, before.timestamp, g.root) == nil && verifyBy(tuf.Snapshot, before.snapshot, g.root) == nil
}

// isSettled reports whether no push of this goal is waiting for its timestamp:
// that one, or one that another host has put on top, is live.
func (w *push) isSettled(before *live, kept *journal) bool {
	if kept == nil {
		return true
	}
	waiting, err := tuf.Parse(kept.Timestamp)
	return err != nil || waiting.Version() <= before.timestamp.Version()
}

// checkSigners makes sure that the root takes our online keys, before anything is signed with them.
func (w *push) checkSigners(root *tuf.Document) error {
	if err := w.p.Open(); err != nil {
		return err
	}
	for role, s := range map[string]*Signer{tuf.Snapshot: w.p.Snapshot, tuf.Timestamp: w.p.Timestamp} {
		if s == nil {
			return fmt.Errorf("push: no %s key was opened", role)
		}
		r := root.Root().Roles[role]
		if r == nil {
			return fmt.Errorf("push: %s knows no role %s", root.Title(), role)
		}
		if r.Threshold != 1 {
			return fmt.Errorf("push: %s asks for %d %s signatures; this program gives one", root.Title(), r.Threshold, role)
		}
		if keyIn(root, role, s) == "" {
			return withHint(fmt.Errorf("push: the %s key at hand is none of those that %s lists", role, root.Title()),
				"use the key whose .pub was given to the ceremony; after a rotation, the configuration must name the new key")
		}
	}
	return nil
}

// listed returns the keyid under which a requirement lists a signer's key, "" where it does not.
func listed(reqs []tuf.Requirement, s *Signer) string {
	for _, r := range reqs {
		for _, k := range r.Keys {
			if k.SPKI == s.Key().SPKI {
				return k.ID
			}
		}
	}
	return ""
}

// keyIn returns the keyid under which root lists a signer's key for role.
func keyIn(root *tuf.Document, role string, s *Signer) string {
	r := root.Root().Roles[role]
	for id, k := range root.Keys() {
		if k.SPKI == s.Key().SPKI && slices.Contains(r.KeyIDs, id) {
			return id
		}
	}
	return ""
}

// sign makes the online documents, or takes those of the journal, and journals them.
func (w *push) sign(ctx context.Context, s *stage, before *live, kept *journal) (err error) {
	if meta := w.snapshotMeta(before, s.goal); w.needsSnapshot(before, s.goal, meta) {
		s.snapshot = w.keptSnapshot(ctx, before, s.goal, meta, kept)
		if s.snapshot == nil {
			if s.snapshot, err = w.newSnapshot(ctx, before, s.goal, meta); err != nil {
				return err
			}
		}
	}
	s.timestamp = w.keptTimestamp(before, s, kept)
	if s.timestamp == nil {
		if s.timestamp, err = w.newTimestamp(before, s); err != nil {
			return err
		}
	}
	return w.state.setJournal(w.journal(), &journal{
		Base: s.base, Documents: s.goal.hashes(),
		Snapshot: s.snapshot.Bytes(), Timestamp: s.timestamp.Bytes(),
	})
}

// recovers reports whether clients forget, with the root that is to be live, every online document that has jumped ahead. Such a
// push is what an alarm of that kind calls for.
func (w *push) recovers(before *live, g *goal) bool {
	for role, doc := range map[string]*tuf.Document{tuf.Snapshot: before.snapshot, tuf.Timestamp: before.timestamp} {
		if w.memory.jumped(role, doc, w.p.now()) && !w.forgets(role, before, g) {
			return false
		}
	}
	return true
}

func (w *push) forgets(role string, before *live, g *goal) bool {
	roots := before.chain.Roots()
	if g.root.Version() > before.root().Version() {
		roots = append(slices.Clone(roots), g.root)
	}
	return forgotten(role, roots, w.memory.Roles[tuf.Root].Version)
}

// last is the version that the next one of an online role follows: the live one. One that has jumped ahead and that clients forget
// does not count: a thief may have left no room above it.
func (w *push) last(role string, doc *tuf.Document, before *live, g *goal) int64 {
	if w.memory.jumped(role, doc, w.p.now()) && w.forgets(role, before, g) {
		return w.memory.Roles[role].Version
	}
	return version(doc)
}

// snapshotMeta is what the snapshot shall list: what it lists now and the goal's
// documents. Nothing is ever dropped: clients refuse a snapshot that lists less (TUF 5.5.5).
func (w *push) snapshotMeta(before *live, g *goal) map[string]*metadata.MetaFiles {
	meta := map[string]*metadata.MetaFiles{}
	if before.snapshot != nil {
		maps.Copy(meta, before.snapshot.Snapshot().Meta)
	}
	for role, doc := range g.docs {
		meta[role+".json"] = metaOf(doc)
	}
	for role, l := range g.bins {
		meta[role+".json"] = metaOfBytes(l.version, l.raw)
	}
	return meta
}

// metaOf gives length and SHA-256 of the exact bytes: some clients limit downloads by the one, all check the other.
func metaOf(doc *tuf.Document) *metadata.MetaFiles { return metaOfBytes(doc.Version(), doc.Bytes()) }

func metaOfBytes(version int64, raw []byte) *metadata.MetaFiles {
	digest := sum(raw)
	return &metadata.MetaFiles{
		Version: version, Length: int64(len(raw)),
		Hashes: metadata.Hashes{"sha256": digest[:]},
	}
}

func sameMeta(a, b map[string]*metadata.MetaFiles) bool {
	return maps.EqualFunc(a, b, func(x, y *metadata.MetaFiles) bool {
		return x.Version == y.Version && x.Length == y.Length &&
			maps.EqualFunc(x.Hashes, y.Hashes, func(p, q metadata.HexBytes) bool { return string(p) == string(q) })
	})
}

// needsSnapshot reports whether the live snapshot cannot stay: there is none, it lists other
// files, its keys are not in force any more, or half of its life is over.
func (w *push) needsSnapshot(before *live, g *goal, meta map[string]*metadata.MetaFiles) bool {
	return before.snapshot == nil ||
		!sameMeta(meta, before.snapshot.Snapshot().Meta) ||
		verifyBy(tuf.Snapshot, before.snapshot, g.root) != nil ||
		!w.fresh(before.snapshot, w.p.SnapshotLife)
}

// fresh reports whether at least half of life is left.
func (w *push) fresh(doc *tuf.Document, life time.Duration) bool {
	return doc.Expires().Sub(w.p.now()) >= life/2
}

// keptSnapshot returns the journal's snapshot where it can still be used, else nil.
func (w *push) keptSnapshot(ctx context.Context, before *live, g *goal, meta map[string]*metadata.MetaFiles, kept *journal) *tuf.Document {
	if kept == nil || len(kept.Snapshot) == 0 {
		return nil
	}
	doc, err := tuf.Parse(kept.Snapshot)
	if err != nil || doc.Snapshot() == nil || doc.Version() <= w.last(tuf.Snapshot, before.snapshot, before, g) ||
		!sameMeta(doc.Snapshot().Meta, meta) || verifyBy(tuf.Snapshot, doc, g.root) != nil || !w.fresh(doc, w.p.SnapshotLife) {
		return nil
	}
	stored, _, err := read(ctx, w.now, documentName(tuf.Snapshot, doc.Version()), tuf.MaxSize)
	if errors.Is(err, ErrNotFound) || err == nil && string(stored) == string(kept.Snapshot) {
		return doc
	}
	return nil
}

// freeSnapshot is the next version of the snapshot that nobody has claimed.
func (w *push) freeSnapshot(ctx context.Context, before *live, g *goal) (int64, error) {
	next := w.last(tuf.Snapshot, before.snapshot, before, g) + 1
	for skipped := 0; ; skipped++ {
		_, _, err := read(ctx, w.now, documentName(tuf.Snapshot, next), tuf.MaxSize)
		if errors.Is(err, ErrNotFound) {
			return next, nil
		}
		if err != nil {
			return 0, fmt.Errorf("look for a free snapshot version: %w", err)
		}
		if skipped == maxSkipped {
			return 0, fmt.Errorf("look for a free snapshot version: %d are taken that nothing refers to", skipped)
		}
		next++
	}
}

// newSnapshot signs the next snapshot.
func (w *push) newSnapshot(ctx context.Context, before *live, g *goal, meta map[string]*metadata.MetaFiles) (*tuf.Document, error) {
	next, err := w.freeSnapshot(ctx, before, g)
	if err != nil {
		return nil, err
	}
	doc, err := tuf.From(&metadata.SnapshotType{
		Type: tuf.Snapshot, SpecVersion: metadata.SPECIFICATION_VERSION, Version: next,
		Expires: w.p.now().Add(w.p.SnapshotLife), Meta: meta, UnrecognizedFields: w.marks(),
	})
	if err != nil {
		return nil, fmt.Errorf("build snapshot: %w", err)
	}
	return signWith(w.p.Snapshot, tuf.Snapshot, doc, g.root)
}

// keptTimestamp returns the journal's timestamp where it replaces the same live one
// and names the same snapshot, else nil.
func (w *push) keptTimestamp(before *live, s *stage, kept *journal) *tuf.Document {
	if kept == nil || kept.Base != before.etag || string(kept.Snapshot) != string(s.snapshot.Bytes()) {
		return nil
	}
	doc, err := tuf.Parse(kept.Timestamp)
	if err != nil || doc.Timestamp() == nil || doc.Version() != w.last(tuf.Timestamp, before.timestamp, before, s.goal)+1 ||
		!sameMeta(doc.Timestamp().Meta, map[string]*metadata.MetaFiles{"snapshot.json": metaOf(s.snapshot)}) ||
		verifyBy(tuf.Timestamp, doc, s.goal.root) != nil || !w.fresh(doc, w.p.TimestampLife) {
		return nil
	}
	return doc
}

func (w *push) newTimestamp(before *live, s *stage) (*tuf.Document, error) {
	doc, err := tuf.From(&metadata.TimestampType{
		Type: tuf.Timestamp, SpecVersion: metadata.SPECIFICATION_VERSION, Version: w.last(tuf.Timestamp, before.timestamp, before, s.goal) + 1,
		Expires:            w.p.now().Add(w.p.TimestampLife),
		Meta:               map[string]*metadata.MetaFiles{"snapshot.json": metaOf(s.snapshot)},
		UnrecognizedFields: w.marks(),
	})
	if err != nil {
		return nil, fmt.Errorf("build timestamp: %w", err)
	}
	return signWith(w.p.Timestamp, tuf.Timestamp, doc, s.goal.root)
}

// marks are the fields of our own in online documents.
func (w *push) marks() map[string]any {
	if w.p.Practice {
		return map[string]any{tuf.PracticeField: true}
	}
	return nil
}

// signWith signs doc and verifies the signature with the key that root lists, before anybody else sees it. For a
// delegated role root is the targets document that delegates to it.
func signWith(signer *Signer, role string, doc, root *tuf.Document) (*tuf.Document, error) {
	reqs, err := tuf.Requirements(role, doc, nil, root)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", role, err)
	}
	sig, err := signer.Sign(doc.Payload())
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", role, err)
	}
	signed, err := tuf.Attach(doc, reqs, listed(reqs, signer), sig)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", role, err)
	}
	if _, err := tuf.Verify(signed, reqs); err != nil {
		return nil, fmt.Errorf("sign %s: %w", role, err)
	}
	return signed, nil
}
