package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"conclave/ceremony/tuf"
	"conclave/transfer"
	"conclave/transfer/client"
)

// A Publisher puts bundles into one store and keeps its online roles fresh.
type Publisher struct {
	Store         Store
	PinnedRoot    string // path of the root that everything is verified from
	StateDir      string // this host's memory
	Practice      bool   // the store is for rehearsals
	Snapshot      *Signer
	Timestamp     *Signer
	Bins          *Signer // signs hash bins; nil where people do, or where there are none
	SnapshotLife  time.Duration
	TimestampLife time.Duration
	BinsLife      time.Duration

	// Keys opens the signers when they are needed first; nil where they are open. A push of what is live already needs none,
	// and opening a key costs most of its time.
	Keys func() (*Keys, error)

	Public client.Repository // where the world reads the store; nil is not to look

	Now  func() time.Time // nil is the clock
	Tell func(string)     // hears one line per step; nil is silence

	Progress func(Progress) // hears how far the target files are, one call at a time and very often; nil is not to count

	opening  sync.Mutex // held while the signers are opened
	unopened error      // owned by opening: why they could not be
}

// Keys are the online keys of a publisher.
type Keys struct {
	Snapshot, Timestamp *Signer
	Bins                *Signer // nil for none
}

// Open opens the signers, if they are not open yet. It fails for good: the PIN of a token must not be tried again by itself.
func (p *Publisher) Open() error {
	p.opening.Lock()
	defer p.opening.Unlock()
	if p.Keys == nil || p.Snapshot != nil || p.Timestamp != nil || p.unopened != nil {
		return p.unopened
	}
	k, err := p.Keys()
	if err != nil {
		p.unopened = err
		return err
	}
	p.Snapshot, p.Timestamp, p.Bins = k.Snapshot, k.Timestamp, k.Bins
	return nil
}

// OpenEarly begins to open the signers on a host that has published nothing yet, while its caller reads the bundle: that
// host's push will need them. On others the push looks first whether the bundle brings news.
func (p *Publisher) OpenEarly() {
	if p.isNew() {
		go func() { _ = p.Open() }() // whoever needs them has the error
	}
}

func (p *Publisher) now() time.Time {
	if p.Now != nil {
		return p.Now().UTC()
	}
	return time.Now().UTC()
}

func (p *Publisher) tell(format string, args ...any) {
	if p.Tell != nil {
		p.Tell(fmt.Sprintf(format, args...))
	}
}

// PushOptions are the choices of one push.
type PushOptions struct {
	// TrustRoot and RootDigest start the trust of a publisher that has no pinned root yet: the root itself, from other
	// media than the bundle, or the digest of its payload, in hex or in words, from the printed record.
	TrustRoot  []byte
	RootDigest string
	// DryRun stops before anything is signed or stored.
	DryRun bool
}

// A Report says what a push or a refresh did, or would do.
type Report struct {
	DryRun   bool             `json:"dry_run"`
	Already  bool             `json:"already_published"` // everything was live before
	Practice bool             `json:"practice"`
	Versions map[string]int64 `json:"versions"` // what is live now, by role
	Actions  []Action         `json:"actions"`
	Warnings []string         `json:"warnings"`
}

// An Action is one object of the store and what becomes of it.
type Action struct {
	Name   string `json:"name"`
	Act    string `json:"act"` // "create", "keep" or "replace"
	Length int64  `json:"length"`
}

// What a push can be refused for; cmd gives ErrMoved its own exit code.
var (
	ErrMoved    = errors.New("the repository has moved on")
	ErrNoPin    = errors.New("no pinned root")
	ErrPractice = errors.New("practice and real do not mix")
	ErrExpired  = errors.New("expired")
	ErrBusy     = errors.New("other publishers keep changing the store")
)

// maxAttempts is how often a push plans anew after another publisher was faster.
const maxAttempts = 10

// Push publishes what a ceremony signed; targetsDir holds the target files, under
// the paths that the metadata gives them. A push that is cut short is completed by the same push again.
func (p *Publisher) Push(ctx context.Context, b *transfer.Bundle, targetsDir string, o PushOptions) (report *Report, err error) {
	anchor, unpinned, err := p.anchor(b, o)
	if err != nil {
		return nil, err
	}
	st, err := openState(ctx, p.StateDir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	work := &push{
		p: p, state: st, anchor: anchor, bundle: b, dir: targetsDir, dryRun: o.DryRun, unpinned: unpinned,
		store: p.memo(),
	}
	if err := p.checkPractice(ctx, work.store, b.Practice); err != nil {
		return nil, err
	}
	return work.run(ctx)
}

// anchor is the pinned root, or at the first push the one that the operator vouches for.
func (p *Publisher) anchor(b *transfer.Bundle, o PushOptions) (anchor *tuf.Document, unpinned bool, err error) {
	pinned, err := p.pinned()
	if !errors.Is(err, ErrNoPin) {
		return pinned, false, err
	}
	candidate := b.Root()
	if len(b.Base.Roots) > 0 {
		candidate = b.Base.Roots[0]
	}
	if candidate == nil {
		return nil, false, errors.New("push: the bundle holds no root to start from")
	}
	switch {
	case o.TrustRoot != nil:
		given, err := tuf.Parse(o.TrustRoot)
		if err != nil {
			return nil, false, fmt.Errorf("read the root to trust: %w", err)
		}
		return given, true, nil
	case o.RootDigest != "":
		if err := compareDigest(candidate, o.RootDigest); err != nil {
			return nil, false, err
		}
		return candidate, true, nil
	}
	return nil, false, withHint(fmt.Errorf("push: %w at %s", ErrNoPin, p.PinnedRoot),
		"the first push needs --trust-root FILE, or --root-digest with the words of the printed record")
}

// compareDigest checks a root against what the operator typed.
func compareDigest(root *tuf.Document, typed string) error {
	digest, err := parseDigest(typed)
	if err != nil {
		return err
	}
	if digest != root.Digest() {
		return withHint(fmt.Errorf("push: the bundle's %s has digest %s, not the one given", root.Title(), root.Digest()),
			"do not publish: this is not the root of the printed record, or the digest was mistyped")
	}
	return nil
}

// pinned reads the pinned root.
func (p *Publisher) pinned() (*tuf.Document, error) {
	raw, err := os.ReadFile(p.PinnedRoot)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoPin
	}
	if err != nil {
		return nil, fmt.Errorf("read pinned root: %w", err)
	}
	doc, err := tuf.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("read pinned root: %w", err)
	}
	if doc.Type() != tuf.Root {
		return nil, fmt.Errorf("read pinned root: %s is of type %s", p.PinnedRoot, doc.Type())
	}
	return doc, nil
}

// checkPractice keeps rehearsals and the real thing apart: in the
// configuration, in the store, and in the bundle.
func (p *Publisher) checkPractice(ctx context.Context, s Store, bundle bool) error {
	marked, err := isPractice(ctx, s)
	if err != nil {
		return err
	}
	if marked == p.Practice && bundle == p.Practice {
		return nil
	}
	return withHint(fmt.Errorf("push: %w: the bundle is %s, the store is %s, the configuration says %s",
		ErrPractice, kind(bundle), kind(marked), kind(p.Practice)),
		"rehearsals are published into a practice store: conclave publish init --practice")
}

func kind(practice bool) string {
	if practice {
		return "practice"
	}
	return "real"
}

// A push is one run of Push or Refresh. It is owned by one goroutine.
type push struct {
	p        *Publisher
	store    *memo  // p.Store, with what was read of it before
	now      *still // the store as this attempt found it
	state    *state
	anchor   *tuf.Document
	unpinned bool             // the anchor is still to be stored
	bundle   *transfer.Bundle // nil for a refresh and for a change
	change   *Change          // of files in bins; nil for none
	dir      string
	dryRun   bool
	report   Report
	memory   *seen // of this attempt
}

// journal is the name under which this work is journaled.
func (w *push) journal() string {
	switch {
	case w.change != nil:
		return changeJournal
	case w.bundle == nil:
		return refreshJournal
	}
	return pushJournal
}

// run plans and acts, and plans anew while others are faster.
func (w *push) run(ctx context.Context) (*Report, error) {
	for try := range maxAttempts {
		if err := w.yield(ctx, try); err != nil {
			return nil, err
		}
		w.report = Report{DryRun: w.dryRun, Practice: w.p.Practice, Versions: map[string]int64{}, Warnings: []string{}, Actions: []Action{}}
		err := w.attempt(ctx)
		if err == nil {
			return &w.report, nil
		}
		if errors.Is(err, ErrUnsound) && w.store.forget() {
			continue // the memory may be what is wrong
		}
		if !errors.Is(err, ErrExists) && !errors.Is(err, ErrChanged) {
			return nil, err
		}
		w.p.tell("another publisher was faster (%v); looking again", err)
	}
	return nil, withHint(fmt.Errorf("push: %w", ErrBusy), "what was done is not lost; run the same command again")
}

// politeness is the longest wait after the first lost race; it doubles with every other one, up to politest.
const (
	politeness = 20 * time.Millisecond
	politest   = time.Second
)

// yield waits for a random time, longer after every lost race, so that hosts that collided do not collide again.
func (w *push) yield(ctx context.Context, try int) error {
	if try == 0 {
		return ctx.Err()
	}
	wait := min(politeness<<(try-1), politest)
	timer := time.NewTimer(time.Duration(rand.Int64N(int64(wait))))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// attempt does the whole work once, in the order that never breaks a client.
func (w *push) attempt(ctx context.Context) error {
	memory, err := w.state.seen()
	if err != nil {
		return err
	}
	w.memory = memory
	w.recall(memory)
	if w.bringsNews(memory) {
		go func() { _ = w.p.Open() }()    // meanwhile
		defer func() { _ = w.p.Open() }() // whoever needs them has the error
	}
	w.now = newStill(w.store, w.brought()...)
	w.now.prefetch(ctx, w.expected(memory))
	before, err := readLive(ctx, w.now, w.anchor)
	if err != nil {
		return err
	}
	if err := w.checkClock(memory, before); err != nil {
		return err
	}
	alarm := memory.check(before, w.p.now())
	if alarm != nil && !errors.Is(alarm, ErrFastForward) {
		return alarm
	}
	if w.bundle == nil && before.timestamp == nil {
		return withHint(fmt.Errorf("refresh: %w", ErrUnpublished), "push a complete bundle first")
	}
	goal, err := w.goal(ctx, before)
	if alarm != nil && (err != nil || !w.recovers(before, goal)) {
		return alarm
	}
	if err != nil {
		return err
	}
	if err := w.addBins(ctx, before, goal); err != nil {
		return err
	}
	files, err := w.files(ctx, before, goal)
	if err != nil {
		return err
	}
	stage, err := w.prepare(ctx, before, goal, files)
	if err != nil || w.dryRun {
		return err
	}
	if err := w.pin(); err != nil {
		return err
	}
	if err := w.put(ctx, stage); err != nil {
		return err
	}
	return w.finish(ctx, memory, before, stage)
}

// expected is what will be read first, as far as it is known: the way to a far store is gone once for all of it.
func (w *push) expected(memory *seen) []string {
	names := []string{timestampName}
	newest := min(max(memory.Roles[tuf.Root].Version, w.anchor.Version()), w.anchor.Version()+maxRoots)
	for v := w.anchor.Version(); v <= newest+1; v++ {
		names = append(names, documentName(tuf.Root, v))
	}
	for _, role := range []string{tuf.Snapshot, tuf.Targets} {
		if v := memory.Roles[role].Version; v > 0 {
			names = append(names, documentName(role, v))
		}
	}
	if w.bundle != nil {
		names = append(names, documentName(tuf.Snapshot, memory.Roles[tuf.Snapshot].Version+1))
		for _, d := range w.bundle.Documents {
			if checkRoleName(d.Role) == nil {
				names = append(names, documentName(d.Role, d.Metadata.Version()))
			}
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// bringsNews reports whether the bundle has what this host has never seen live: most likely the keys will be needed, and to
// stretch a passphrase takes as long as everything else before the first upload. A refresh, for which nobody waits, opens them
// when it has looked at the store: in less memory.
func (w *push) bringsNews(memory *seen) bool {
	if w.bundle == nil {
		return false
	}
	for _, role := range []string{tuf.Root, tuf.Targets} {
		if version(w.bundle.Document(role)) > memory.Roles[role].Version {
			return true
		}
	}
	return false
}

// recall spares go-tuf's second opinion of documents that this host has seen live, under the same root: it was asked then.
// Who signed them is counted anew all the same.
func (w *push) recall(memory *seen) {
	docs := append(w.brought(), w.anchor)
	known := slices.DeleteFunc(docs, func(d *tuf.Document) bool { return d == nil || !memory.holds(d) })
	root := slices.IndexFunc(known, func(d *tuf.Document) bool { return d.Type() == tuf.Root })
	if root < 0 {
		return
	}
	for _, d := range known {
		if d.Type() != tuf.Targets {
			continue
		}
		if reqs, err := tuf.Requirements(tuf.Targets, d, nil, known[root]); err == nil {
			d.Recall(reqs)
		}
	}
}

// brought are the documents of the bundle.
func (w *push) brought() []*tuf.Document {
	if w.bundle == nil {
		return nil
	}
	docs := slices.Clone(w.bundle.Base.Roots)
	for _, d := range slices.Concat(w.bundle.Base.Documents, w.bundle.Documents) {
		docs = append(docs, d.Metadata)
	}
	return docs
}

// pin stores the anchor of a first push, before the store is touched.
func (w *push) pin() error {
	if !w.unpinned {
		return nil
	}
	if err := writeNew(w.p.PinnedRoot, w.anchor.Bytes(), 0o644); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("pin root: %w", err)
	}
	w.unpinned = false
	w.p.tell("pinned %s at %s", w.anchor.Title(), w.p.PinnedRoot)
	return nil
}
