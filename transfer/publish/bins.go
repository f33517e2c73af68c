package publish

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"conclave/ceremony/tuf"
)

// A Change is what becomes of files that hash bins list. The bins are signed here, online: that suits repositories with more files
// than one targets document holds well, and files whose release needs no ceremony.
type Change struct {
	Add    []tuf.TargetFile // new, or new content of an old path
	Remove []string         // paths
}

// ErrNoBins says that files cannot be listed here.
var ErrNoBins = errors.New("the live targets delegate to no hash bins that are signed here")

// Add publishes target files below dir without a ceremony: it lists them in hash bins, to which the signed targets must delegate
// with this publisher's bin key. The order and the checks are those of Push; cut short, it is completed by the same call again.
func (p *Publisher) Add(ctx context.Context, c Change, dir string, dryRun bool) (report *Report, err error) {
	anchor, err := p.pinned()
	if err != nil {
		return nil, fmt.Errorf("add: %w", err)
	}
	st, err := openState(ctx, p.StateDir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	work := &push{p: p, state: st, anchor: anchor, change: &c, dir: dir, dryRun: dryRun, store: p.memo()}
	if err := p.checkPractice(ctx, work.store, p.Practice); err != nil {
		return nil, err
	}
	return work.run(ctx)
}

// bins is one push's view of the hash bins that shall be live.
type bins struct {
	w       *push
	before  *live
	targets *tuf.Document // that delegate to the bins
	tuf.Bins
	change map[string]*binChange // by bin
	due    bool                  // every bin is looked at, whether it must be signed anew
	known  map[string]bool       // names of files that are in the store, because other roles list them

	mu    sync.Mutex
	signs map[string]leaf    // owned by mu
	fresh []listing          // owned by mu
	seen  map[string]seenBin // owned by mu
}

// A binChange is what becomes of the files of one bin. It points into the list of all: with 100,000 of them a second one counts.
type binChange struct {
	add    []*tuf.TargetFile
	remove []string
}

// A leaf is a bin that is to be put, without what only its making needed: there may be thousands.
type leaf struct {
	version int64
	raw     []byte
	probe   string // a path that it lists, "" for none
}

// maxProbes bounds in how many bins a client that is tried out looks a file up: they are all made in one way.
const maxProbes = 16

// probes are paths that clients must find through bins.
func (g *goal) probes() []string {
	var paths []string
	for _, role := range slices.Sorted(maps.Keys(g.bins)) {
		if path := g.bins[role].probe; path != "" && len(paths) < maxProbes {
			paths = append(paths, path)
		}
	}
	return paths
}

// putBins puts bins, many at once.
func (w *push) putBins(ctx context.Context, g *goal) error {
	return each(ctx, slices.Sorted(maps.Keys(g.bins)), func(ctx context.Context, role string) error {
		l := g.bins[role]
		name := documentName(role, l.version)
		if err := w.p.Store.PutNew(ctx, name, Bytes(l.raw)); err != nil {
			return fmt.Errorf("put %s: %w", name, err)
		}
		return nil
	})
}

// addBins adds the bins that must be signed to the goal: those whose files change, those that are new, and, when the
// snapshot is signed anew anyway, those whose life is half over.
func (w *push) addBins(ctx context.Context, before *live, g *goal) error {
	targets := cmp.Or(g.docs[tuf.Targets], before.targets)
	if targets == nil {
		return nil
	}
	d := targets.Delegations().Bins
	if w.change == nil && d == nil {
		return nil
	}
	fresh := g.docs[tuf.Targets] != nil && (before.targets == nil || before.targets.Digest() != g.docs[tuf.Targets].Digest())
	due := fresh || w.needsSnapshot(before, g, w.snapshotMeta(before, g))
	if w.change == nil && !due {
		return nil
	}
	if err := w.p.Open(); err != nil {
		return err
	}
	if w.change == nil && w.p.Bins == nil {
		return nil // people sign them
	}
	if d == nil || w.p.Bins == nil {
		return withHint(fmt.Errorf("add: %w", ErrNoBins),
			`a ceremony delegates to them: conclave plan delegation --bins PREFIX --online-key bins.pub; "bins_key" in the configuration names the key`)
	}
	b := &bins{w: w, before: before, targets: targets, Bins: *d, change: map[string]*binChange{}, due: due, known: map[string]bool{}, signs: map[string]leaf{}, seen: map[string]seenBin{}}
	if err := b.checkSigner(); err != nil {
		return err
	}
	if err := b.sort(ctx); err != nil {
		return err
	}
	if err := b.build(ctx); err != nil {
		return err
	}
	slices.SortFunc(b.fresh, func(x, y listing) int { return cmp.Compare(x.Path, y.Path) })
	g.bins, g.fresh, g.seen = b.signs, b.fresh, b.seen
	return nil
}

// checkSigner makes sure that clients take our signatures for bins.
func (b *bins) checkSigner() error {
	if b.Threshold != 1 {
		return fmt.Errorf("push: %s asks for %d signatures of each bin; this program gives one", b.targets.Title(), b.Threshold)
	}
	if slices.ContainsFunc(b.Keys, func(k tuf.HeldKey) bool { return k.Key.SPKI == b.w.p.Bins.Key().SPKI }) {
		return nil
	}
	return withHint(fmt.Errorf("push: the bin key at hand is none of those that %s lists", b.targets.Title()),
		"use the key whose .pub was given to the ceremony")
}

// sort assigns what changes to the bins. Where other bins, or the targets themselves, have listed files until now, these move.
func (b *bins) sort(ctx context.Context) error {
	of := func(path string) *binChange {
		role := b.Role(path)
		if b.change[role] == nil {
			b.change[role] = &binChange{}
		}
		return b.change[role]
	}
	moved, err := b.moved(ctx)
	if err != nil {
		return err
	}
	for _, f := range moved {
		b.known[targetName(f)] = true
	}
	changes := []Change{{Add: moved}}
	if b.w.change != nil {
		changes = append(changes, *b.w.change)
	}
	for _, c := range changes {
		for i := range c.Add {
			f := &c.Add[i]
			if err := checkTarget(*f); err != nil {
				return fmt.Errorf("add: %w", err)
			}
			to := of(f.Path)
			to.add = append(to.add, f)
		}
		for _, path := range c.Remove {
			to := of(path)
			to.remove = append(to.remove, path)
		}
	}
	return nil
}

// moved lists files that clients would lose with new bins: those of the bins before, and those that the targets list no longer.
func (b *bins) moved(ctx context.Context) ([]tuf.TargetFile, error) {
	if b.targets == b.before.targets || b.before.targets == nil {
		return nil, nil
	}
	old := b.before.targets.Delegations().Bins
	if old != nil && old.Prefix == b.Prefix && old.Bits == b.Bits {
		return nil, nil
	}
	var files []tuf.TargetFile
	if old == nil {
		stay := map[string]bool{}
		for _, f := range b.targets.Files() {
			stay[f.Path] = true
		}
		for _, f := range b.before.targets.Files() {
			if !stay[f.Path] {
				files = append(files, f)
			}
		}
		return files, nil
	}
	for _, role := range old.Roles() {
		doc, err := readDelegated(ctx, b.w.p.Store, b.before, role)
		if err != nil {
			return nil, err
		}
		if doc != nil {
			files = append(files, doc.Files()...)
		}
	}
	return files, nil
}

// What bounds the memory of bins: so much of their JSON is held parsed at once, which takes some ten times as much, and so long is
// one file in it, about.
const (
	maxParsed   = 4 << 20
	listedBytes = 160
)

// atOnce is how many of the bins fit into maxParsed: many small ones, or a few large ones.
func (b *bins) atOnce(roles []string) int {
	all := int64(1)
	for _, role := range roles {
		if b.isLive(role) {
			all += max(b.before.snapshot.Snapshot().Meta[role+".json"].Length, 0)
		}
		if c := b.change[role]; c != nil {
			all += int64(len(c.add)) * listedBytes
		}
	}
	return int(min(max(maxParsed*int64(len(roles))/all, 1), workers))
}

// build makes the bins that must be signed, many at once.
func (b *bins) build(ctx context.Context) error {
	roles := slices.DeleteFunc(b.Roles(), func(role string) bool {
		return b.change[role] == nil && b.isLive(role) && !b.due
	})
	desks := make(chan struct{}, b.atOnce(roles))
	return each(ctx, roles, func(ctx context.Context, role string) error {
		select {
		case desks <- struct{}{}:
			defer func() { <-desks }()
		case <-ctx.Done():
			return ctx.Err()
		}
		var now *tuf.Document
		if b.isLive(role) {
			var err error
			if now, err = readDelegated(ctx, b.w.p.Store, b.before, role); err != nil {
				return err
			}
		}
		doc, err := b.next(ctx, role, now)
		if err != nil {
			return err
		}
		if doc == nil {
			b.see(role, now)
			return nil
		}
		b.see(role, doc)
		b.keep(role, now, doc)
		return nil
	})
}

// see keeps in mind when a bin expires.
func (b *bins) see(role string, doc *tuf.Document) {
	s := seenBinOf(doc)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen[role] = s
}

// keep remembers a bin that is to be put, and its files that are new.
func (b *bins) keep(role string, now, doc *tuf.Document) {
	before := map[string]bool{}
	if now != nil {
		for _, f := range now.Files() {
			before[targetName(f)] = true
		}
	}
	l := leaf{version: doc.Version(), raw: doc.Bytes()}
	var fresh []listing
	for _, f := range doc.Files() {
		l.probe = f.Path
		if name := targetName(f); !before[name] {
			fresh = append(fresh, listing{f, name, b.known[name]})
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.signs[role] = l
	b.fresh = append(b.fresh, fresh...)
}

func (b *bins) isLive(role string) bool {
	return b.before.snapshot != nil && b.before.snapshot.Snapshot().Meta[role+".json"] != nil
}

// next is a bin's next document, signed unless this is a dry run; nil where the live one stays.
func (b *bins) next(ctx context.Context, role string, now *tuf.Document) (*tuf.Document, error) {
	files := b.files(role, now)
	if now != nil && sameFiles(now.Files(), files) && b.isGood(role, now) {
		return nil, nil
	}
	for v := version(now) + 1; v <= version(now)+maxSkipped; v++ {
		stored, err := readDocument(ctx, b.w.p.Store, documentName(role, v))
		if errors.Is(err, ErrNotFound) {
			return b.sign(role, now, v, files)
		}
		if err != nil {
			return nil, fmt.Errorf("look for a free version of %s: %w", role, err)
		}
		if sameFiles(stored.Files(), files) && b.isGood(role, stored) {
			return stored, nil // of a run that was cut short
		}
	}
	return nil, fmt.Errorf("look for a free version of %s: %d are taken that nothing refers to", role, maxSkipped)
}

// files are what a bin lists from now on, by path.
func (b *bins) files(role string, now *tuf.Document) []tuf.TargetFile {
	byPath := map[string]tuf.TargetFile{}
	if now != nil {
		for _, f := range now.Files() {
			byPath[f.Path] = f
		}
	}
	c := b.change[role]
	if c == nil {
		c = &binChange{}
	}
	for _, path := range c.remove {
		delete(byPath, path)
	}
	for _, added := range c.add {
		f := *added
		if before, ok := byPath[f.Path]; ok {
			f.Custom = before.Custom
		}
		byPath[f.Path] = f
	}
	return slices.SortedFunc(maps.Values(byPath), func(x, y tuf.TargetFile) int { return cmp.Compare(x.Path, y.Path) })
}

// sameFiles reports whether two lists hold the same; both are sorted by path.
func sameFiles(x, y []tuf.TargetFile) bool {
	return slices.EqualFunc(x, y, func(x, y tuf.TargetFile) bool {
		return x.Path == y.Path && x.Length == y.Length && x.SHA256 == y.SHA256 && bytes.Equal(x.Custom, y.Custom)
	})
}

// isGood reports whether a bin need not be signed anew: clients take it, and half of its life is left.
func (b *bins) isGood(role string, doc *tuf.Document) bool {
	reqs, err := tuf.Requirements(role, doc, nil, b.targets)
	if err != nil {
		return false
	}
	_, err = tuf.Verify(doc, reqs)
	return err == nil && b.w.fresh(doc, b.w.p.BinsLife)
}

func (b *bins) sign(role string, now *tuf.Document, v int64, files []tuf.TargetFile) (*tuf.Document, error) {
	doc, err := tuf.NewTargets(tuf.TargetsSpec{
		Version: v, Expires: b.w.p.now().Add(b.w.p.BinsLife).Truncate(time.Second), Files: files, Practice: b.w.p.Practice, Base: now,
	})
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", role, err)
	}
	if b.w.dryRun {
		return doc, nil
	}
	return signWith(b.w.p.Bins, role, doc, b.targets)
}
