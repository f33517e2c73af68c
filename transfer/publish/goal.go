package publish

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
)

// soon is how long before its end an offline document is warned about: time
// enough to call keyholders together.
const soon = 14 * 24 * time.Hour

// A goal is what shall be live of the offline roles.
type goal struct {
	root *tuf.Document            // the newest root
	docs map[string]*tuf.Document // targets and delegated roles that the bundle brings

	bins  map[string]leaf    // that are signed here
	fresh []listing          // the files that come into bins, by path
	seen  map[string]seenBin // bins that were looked at or signed
}

// hashes names every file of the goal, for the journal.
func (g *goal) hashes() map[string]string {
	h := map[string]string{tuf.Root: fmt.Sprintf("%x", sum(g.root.Bytes()))}
	for role, doc := range g.docs {
		h[role] = fmt.Sprintf("%x", sum(doc.Bytes()))
	}
	for role, l := range g.bins {
		h[role] = fmt.Sprintf("%x", sum(l.raw))
	}
	return h
}

// goal verifies the bundle and settles what shall be live.
func (w *push) goal(ctx context.Context, before *live) (*goal, error) {
	g := &goal{root: before.root(), docs: map[string]*tuf.Document{}}
	if w.bundle != nil {
		if err := w.fromBundle(ctx, before, g); err != nil {
			return nil, err
		}
	}
	if !g.root.Root().ConsistentSnapshot {
		return nil, errors.New("push: the root says consistent_snapshot false; only consistent snapshots are published")
	}
	return g, w.checkExpiry(before, g)
}

func (w *push) fromBundle(ctx context.Context, before *live, g *goal) error {
	complete, err := w.bundle.Verify(bundleAnchor(w.bundle, before, w.anchor))
	if err != nil {
		return fmt.Errorf("push: %w", err)
	}
	if err := w.checkMoved(ctx, before); err != nil {
		return err
	}
	for _, d := range w.bundle.Documents {
		doc := complete.Document(d.Role).Document()
		if err := checkRoleName(d.Role); err != nil {
			return err
		}
		if doc.Practice() != w.p.Practice {
			return withHint(fmt.Errorf("push: %w: %s is %s", ErrPractice, doc.Title(), kind(doc.Practice())),
				"rehearsals are published into a practice store: conclave publish init --practice")
		}
		doc, err := w.settle(ctx, d.Role, doc, before, complete)
		if err != nil {
			return err
		}
		if d.Role == tuf.Root {
			g.root = doc
		} else {
			g.docs[d.Role] = doc
		}
	}
	if before.targets == nil && g.docs[tuf.Targets] == nil {
		return errors.New("push: nothing is live yet and the bundle brings no targets")
	}
	return nil
}

// bundleAnchor is the root from which the bundle's chain is checked: the one of the
// trusted chain that has the version at which the bundle begins.
func bundleAnchor(b *transfer.Bundle, before *live, anchor *tuf.Document) *tuf.Document {
	if len(b.Base.Roots) == 0 {
		return anchor
	}
	for _, r := range before.chain.Roots() {
		if r.Version() == b.Base.Roots[0].Version() {
			return r
		}
	}
	return anchor
}

// settle looks whether the store has this version of the role already. The same payload with other signatures is
// taken as it lies there, for numbered files never change; another payload ends the push.
func (w *push) settle(ctx context.Context, role string, doc *tuf.Document, before *live, complete *transfer.Complete) (*tuf.Document, error) {
	stored, err := readDocument(ctx, w.now, documentName(role, doc.Version()))
	if errors.Is(err, ErrNotFound) {
		return doc, nil
	}
	if err != nil {
		return nil, fmt.Errorf("push: %w", err)
	}
	if stored.Digest() != doc.Digest() {
		return nil, withHint(fmt.Errorf("push: %w: the store holds another %s", ErrMoved, stored.Title()),
			"numbered files never change; plan the next version on top of what is live")
	}
	if string(stored.Bytes()) == string(doc.Bytes()) {
		return doc, nil
	}
	reqs, err := w.bundle.Requirements(role)
	if err != nil {
		return nil, fmt.Errorf("push: %w", err)
	}
	if _, err := tuf.Verify(stored, reqs); err != nil {
		return nil, fmt.Errorf("push: the store holds a %s with too few signatures: %w", stored.Title(), err)
	}
	return stored, nil
}

// A MovedError says what the bundle builds on and what is live.
type MovedError struct {
	Role string
	Base int64 // version that the bundle builds on, 0 for none
	Live int64
}

// Error names both versions.
func (e *MovedError) Error() string {
	return fmt.Sprintf("push: the repository has moved on: the bundle builds on %s %d, live is %d", e.Role, e.Base, e.Live)
}

// Is makes every MovedError an ErrMoved.
func (e *MovedError) Is(target error) bool { return target == ErrMoved }

// Hint says what to do.
func (e *MovedError) Hint() string {
	return "nothing was changed; plan again on top of what is live, and let it be signed again"
}

// checkMoved refuses a bundle that was not made for what is live. What is
// live may also be the bundle's own work, where an earlier push was cut short.
func (w *push) checkMoved(ctx context.Context, before *live) error {
	if err := w.checkRootMoved(before); err != nil {
		return err
	}
	for _, d := range w.bundle.Documents {
		if d.Role == tuf.Root {
			continue
		}
		now, err := w.liveDocument(ctx, before, d.Role)
		if err != nil {
			return err
		}
		if err := compareBase(d.Role, w.bundle.Base.Document(d.Role), now, d.Metadata); err != nil {
			return err
		}
	}
	for role, d := range map[string]*tuf.Document{
		tuf.Targets: before.targets, tuf.Snapshot: before.snapshot, tuf.Timestamp: before.timestamp,
	} {
		seen := w.bundle.Base.Seen[role]
		if seen > version(d) && !(isOnline(role) && forgotten(role, before.chain.Roots(), version(w.bundle.TrustedRoot()))) {
			return rolledBack(role, version(d), seen)
		}
	}
	return nil
}

func (w *push) checkRootMoved(before *live) error {
	var now *tuf.Document
	if before.hasRoot {
		now = before.root()
	}
	own := w.bundle.Document(tuf.Root)
	if now == nil && w.bundle.TrustedRoot() == nil && own != nil {
		return nil
	}
	return compareBase(tuf.Root, w.bundle.TrustedRoot(), now, own)
}

// compareBase accepts a live document that is the base, or that is the bundle's own.
func compareBase(role string, base, now, own *tuf.Document) error {
	switch {
	case now != nil && own != nil && now.Digest() == own.Digest():
		return nil
	case now == nil && base == nil:
		return nil
	case now != nil && base != nil && now.Digest() == base.Digest():
		return nil
	case version(now) < version(base):
		return rolledBack(role, version(now), version(base))
	}
	return &MovedError{role, version(base), version(now)}
}

func rolledBack(role string, now, seen int64) error {
	return withHint(fmt.Errorf("push: %w: %s %d is live, the bundle has seen %d", ErrRolledBack, role, now, seen),
		"nothing was changed; is this the right store? then find out who restored an old state")
}

func version(d *tuf.Document) int64 {
	if d == nil {
		return 0
	}
	return d.Version()
}

// liveDocument is what is live of a role, nil for nothing.
func (w *push) liveDocument(ctx context.Context, before *live, role string) (*tuf.Document, error) {
	if role == tuf.Targets || before.snapshot == nil {
		return before.targets, nil
	}
	return readDelegated(ctx, w.now, before, role)
}

// readDelegated reads what is live of a delegated role, nil for nothing.
func readDelegated(ctx context.Context, s Store, before *live, role string) (*tuf.Document, error) {
	listed := before.snapshot.Snapshot().Meta[role+".json"]
	if listed == nil {
		return nil, nil
	}
	doc, err := readDocument(ctx, s, documentName(role, listed.Version))
	if err != nil {
		return nil, unsoundRead(err)
	}
	if err := listed.VerifyLengthHashes(doc.Bytes()); err != nil || doc.Version() != listed.Version {
		return nil, unsound(fmt.Errorf("%s %d is not what the snapshot lists", role, listed.Version))
	}
	return doc, nil
}

// checkExpiry refuses what clients would refuse and warns of what they soon will.
func (w *push) checkExpiry(before *live, g *goal) error {
	docs := maps.Clone(g.docs)
	docs[tuf.Root] = g.root
	if docs[tuf.Targets] == nil && before.targets != nil {
		docs[tuf.Targets] = before.targets
	}
	for _, role := range slices.Sorted(maps.Keys(docs)) {
		doc := docs[role]
		left := doc.Expires().Sub(w.p.now())
		if left <= 0 {
			return withHint(fmt.Errorf("%s %w on %s", doc.Title(), ErrExpired, doc.Expires().Format(time.RFC3339)),
				"clients refuse it; a ceremony must sign a new version. If the date of this machine is wrong, set it right first")
		}
		if left < soon {
			w.warn("%s expires in %d days, on %s", doc.Title(), int(left.Hours()/24), doc.Expires().Format(time.DateOnly))
		}
	}
	return nil
}

func (w *push) warn(format string, args ...any) {
	w.report.Warnings = append(w.report.Warnings, fmt.Sprintf(format, args...))
}

// checkRoleName refuses delegated roles whose file name web servers decode in different ways.
func checkRoleName(role string) error {
	if role == "" || url.PathEscape(role) != role || strings.ContainsAny(role, `%/\:;*?"<>|`) || strings.HasPrefix(role, ".") {
		return withHint(fmt.Errorf("push: role %q has a name that web servers and clients write differently", role),
			"use letters, digits, dash, underscore and dot in role names")
	}
	return nil
}
