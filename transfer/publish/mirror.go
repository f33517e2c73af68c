package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"conclave/ceremony/tuf"
)

// A Copy says what a pull or a restore did.
type Copy struct {
	Versions map[string]int64 `json:"versions"` // what lies there now, by role
	Copied   []string         `json:"copied"`   // names that were missing
	Replaced []string         `json:"replaced"` // names that held something else
	Kept     int              `json:"kept"`     // files that were right already
	Signed   bool             `json:"signed"`   // new online documents were made
	Bytes    int64            `json:"bytes"`    // copied
}

// A repository is everything that clients can come to read of one, verified.
type repository struct {
	live    *live
	roots   []*tuf.Document          // from version 1, as far as they are there
	roles   map[string]*tuf.Document // targets and delegated roles, by name
	targets []tuf.TargetFile
}

// maxDelegated is more roles than any repository has that one person can oversee.
const maxDelegated = 1 << 17

// readRepository reads everything that clients can come to read from anchor on, and verifies it. Target files are only listed.
func readRepository(ctx context.Context, s Store, anchor *tuf.Document) (*repository, error) {
	now, err := readLive(ctx, s, anchor)
	if err != nil {
		return nil, err
	}
	if now.timestamp == nil || !now.hasRoot {
		return nil, fmt.Errorf("%w: there is no complete repository", ErrUnpublished)
	}
	r := &repository{live: now, roles: map[string]*tuf.Document{tuf.Targets: now.targets}}
	if r.roots, err = olderRoots(ctx, s, anchor); err != nil {
		return nil, err
	}
	r.roots = append(r.roots, now.chain.Roots()...)
	if err := r.readRoles(ctx, s); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, doc := range r.roles {
		for _, f := range doc.Files() {
			if err := checkTarget(f); err != nil {
				return nil, err
			}
			if name := targetName(f); !seen[name] {
				seen[name] = true
				r.targets = append(r.targets, f)
			}
		}
	}
	slices.SortFunc(r.targets, func(a, b tuf.TargetFile) int { return strings.Compare(targetName(a), targetName(b)) })
	return r, nil
}

// olderRoots reads the roots before the pinned one, for clients that are older than it. They count only
// where they lead to it, step by step; where the first ones are gone there are none.
func olderRoots(ctx context.Context, s Store, anchor *tuf.Document) ([]*tuf.Document, error) {
	if anchor.Version() == 1 {
		return nil, nil
	}
	var roots []*tuf.Document
	for v := anchor.Version() - 1; v >= 1; v-- {
		doc, err := readDocument(ctx, s, documentName(tuf.Root, v))
		if errors.Is(err, ErrNotFound) {
			break
		}
		if err != nil {
			return nil, unsoundRead(err)
		}
		roots = append(roots, doc)
	}
	slices.Reverse(roots)
	if len(roots) == 0 {
		return nil, nil
	}
	chain, err := tuf.NewChain(roots[0])
	for _, next := range append(slices.Clone(roots[1:]), anchor) {
		if err == nil {
			chain, err = chain.Extend(next)
		}
	}
	if err != nil {
		return nil, unsound(fmt.Errorf("roots before the pinned one: %w", err))
	}
	return roots, nil
}

// readRoles reads every delegated role that the snapshot lists. Its signatures are not checked here: a role is
// exactly the bytes that the snapshot names, and clients check who may sign it.
func (r *repository) readRoles(ctx context.Context, s Store) error {
	meta := r.live.snapshot.Snapshot().Meta
	if len(meta) > maxDelegated {
		return unsound(fmt.Errorf("the snapshot lists %d roles", len(meta)))
	}
	for file, listed := range meta {
		role := strings.TrimSuffix(file, ".json")
		if role == tuf.Targets || role == tuf.Root {
			continue
		}
		if err := checkRoleName(role); err != nil {
			return err
		}
		doc, err := readDocument(ctx, s, documentName(role, listed.Version))
		if err != nil {
			return unsoundRead(err)
		}
		if err := listed.VerifyLengthHashes(doc.Bytes()); err != nil || doc.Version() != listed.Version {
			return unsound(fmt.Errorf("%s %d is not what the snapshot lists", role, listed.Version))
		}
		r.roles[role] = doc
	}
	return nil
}

// A copier brings a repository into another store, dependencies first.
type copier struct {
	from, to Store
	repair   bool // replace what holds something else
	report   *Copy
	progress func(Progress) // nil is not to count
}

// copyAll copies everything but the timestamp.
func (c *copier) copyAll(ctx context.Context, r *repository, snapshot *tuf.Document) error {
	if err := c.copyTargets(ctx, r.targets); err != nil {
		return err
	}
	if err := c.copyRoles(ctx, r.roles); err != nil {
		return err
	}
	if err := c.document(ctx, tuf.Targets, r.roles[tuf.Targets]); err != nil {
		return err
	}
	if err := c.document(ctx, tuf.Snapshot, snapshot); err != nil {
		return err
	}
	for _, root := range r.roots {
		if err := c.document(ctx, tuf.Root, root); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) document(ctx context.Context, role string, doc *tuf.Document) error {
	f, err := c.file(ctx, documentName(role, doc.Version()), Bytes(doc.Bytes()))
	if err == nil {
		c.count(f)
	}
	return err
}

// What became of one file.
type fate struct {
	name     string
	length   int64
	replaced bool
	copied   bool
}

func (c *copier) count(f fate) {
	switch {
	case f.replaced:
		c.report.Replaced = append(c.report.Replaced, f.name)
	case f.copied:
		c.report.Copied = append(c.report.Copied, f.name)
	default:
		c.report.Kept++
		return
	}
	c.report.Bytes += f.length
}

// copyTargets copies target files, many at once.
func (c *copier) copyTargets(ctx context.Context, files []tuf.TargetFile) error {
	fates := make([]fate, len(files))
	uploads := make([]upload, len(files))
	for i, f := range files {
		name := targetName(f)
		uploads[i] = upload{name: name, content: fromStore(ctx, c.from, name, f)}
	}
	m := newMeter(c.progress, uploads)
	err := each(ctx, slices.Collect(seq(len(files))), func(ctx context.Context, i int) (err error) {
		counted := m.file(uploads[i].content)
		if fates[i], err = c.file(ctx, uploads[i].name, counted.content()); err == nil {
			counted.done()
		}
		return err
	})
	c.countAll(fates)
	return err
}

// copyRoles copies the delegated roles, of which there may be thousands.
func (c *copier) copyRoles(ctx context.Context, roles map[string]*tuf.Document) error {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(roles)), func(role string) bool { return role == tuf.Targets })
	fates := make([]fate, len(names))
	err := each(ctx, slices.Collect(seq(len(names))), func(ctx context.Context, i int) error {
		doc := roles[names[i]]
		var err error
		fates[i], err = c.file(ctx, documentName(names[i], doc.Version()), Bytes(doc.Bytes()))
		return err
	})
	c.countAll(fates)
	return err
}

func (c *copier) countAll(fates []fate) {
	for _, f := range fates {
		if f.name != "" {
			c.count(f)
		}
	}
}

// file makes sure that name holds content.
func (c *copier) file(ctx context.Context, name string, content Content) (fate, error) {
	f := fate{name: name, length: content.Length}
	err := c.compare(ctx, name, content)
	var failed error
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, ErrNotFound):
		f.copied = true
		failed = c.create(ctx, name, content)
	case !c.repair:
		return fate{}, withHint(fmt.Errorf("copy %s: %w: %w", name, ErrExists, err), "the place holds another file under this name: use an empty one, or publish restore")
	default:
		f.replaced = true
		failed = c.replace(ctx, name, content)
	}
	if failed != nil {
		return fate{}, fmt.Errorf("copy %s: %w", name, failed)
	}
	return f, nil
}

// create puts what is not there.
func (c *copier) create(ctx context.Context, name string, content Content) error {
	err := c.to.PutNew(ctx, name, content)
	reviver, ok := c.to.(interface {
		Revive(ctx context.Context, name string, content Content) error
	})
	if !ok || !c.repair || !errors.Is(err, ErrBuried) {
		return err
	}
	return reviver.Revive(ctx, name, content)
}

// compare looks what lies there: by the checksum that the store keeps, or by reading it.
func (c *copier) compare(ctx context.Context, name string, content Content) error {
	return same(ctx, c.to, name, content)
}

// maxReplaced is the largest file that is replaced where it lies. Larger ones must be removed by hand first.
const maxReplaced = 64 << 20

// replace puts content over something else, if it is still what was read.
func (c *copier) replace(ctx context.Context, name string, content Content) error {
	if content.Length > maxReplaced {
		return withHint(errors.New("it is damaged, and too large to be replaced in its place"), "delete this object by hand, then run the same command again")
	}
	etag, err := c.to.Get(ctx, name, io.Discard)
	if err != nil {
		return err
	}
	raw, err := content.read(ctx)
	if err != nil {
		return err
	}
	_, err = c.to.PutIf(ctx, name, raw, etag)
	return err
}

// read returns small content, checked.
func (c Content) read(ctx context.Context) ([]byte, error) {
	r, err := c.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(contextReader{ctx, r}, c.Length+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) != c.Length || sum(raw) != c.SHA256 {
		return nil, errors.New("its source is damaged")
	}
	return raw, nil
}

// fromStore is content that lies in another store. What does not match its hash is refused where it is put.
func fromStore(ctx context.Context, s Store, name string, f tuf.TargetFile) Content {
	return Content{Length: f.Length, SHA256: f.SHA256, Open: func() (io.ReadCloser, error) {
		ctx, cancel := context.WithCancel(ctx)
		r, w := io.Pipe()
		go func() {
			_, err := s.Get(ctx, name, w)
			w.CloseWithError(err)
		}()
		return &pipe{r, cancel}, nil
	}}
}

// A pipe ends its writer when it is closed early.
type pipe struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (p *pipe) Close() error {
	p.cancel()
	return p.PipeReader.Close()
}

// setTimestamp swaps in the timestamp, last. One that is there and newer stays: other hosts have gone on.
func (c *copier) setTimestamp(ctx context.Context, doc *tuf.Document) error {
	raw, etag, err := read(ctx, c.to, timestampName, tuf.MaxTimestampSize)
	var bad *badFile
	switch {
	case errors.Is(err, ErrNotFound):
	case errors.As(err, &bad): // far too long
		if etag, err = c.to.Get(ctx, timestampName, io.Discard); err != nil {
			return err
		}
	case err != nil:
		return err
	case bytes.Equal(raw, doc.Bytes()):
		c.report.Kept++
		return nil
	}
	if there, err := tuf.Parse(raw); err == nil && there.Type() == tuf.Timestamp && there.Version() > doc.Version() && !c.repair {
		return rolledBack(tuf.Timestamp, doc.Version(), there.Version())
	}
	if _, err := c.to.PutIf(ctx, timestampName, doc.Bytes(), etag); err != nil {
		return fmt.Errorf("copy %s: %w", timestampName, err)
	}
	c.count(fate{name: timestampName, length: int64(len(doc.Bytes())), copied: etag == Absent, replaced: etag != Absent})
	return nil
}

// Pull copies the repository in from, verified from root, into to: a mirror, a second bucket, or a backup. What is there
// already stays, and a place that holds something else under a name is refused. Clients of to never see less than before:
// the timestamp comes last. progress hears how far the target files are; nil is not to count.
func Pull(ctx context.Context, from, to Store, root *tuf.Document, progress func(Progress)) (*Copy, error) {
	r, err := readRepository(ctx, from, root)
	if err != nil {
		return nil, fmt.Errorf("pull: %w", err)
	}
	if r.live.root().Practice() {
		if err := MarkPractice(ctx, to); err != nil {
			return nil, fmt.Errorf("pull: %w", err)
		}
	}
	c := &copier{from: from, to: to, report: newCopy(), progress: progress}
	if err := c.copyAll(ctx, r, r.live.snapshot); err != nil {
		return nil, fmt.Errorf("pull: %w", err)
	}
	if err := c.setTimestamp(ctx, r.live.timestamp); err != nil {
		return nil, fmt.Errorf("pull: %w", err)
	}
	c.report.versions(r.live)
	return c.report, nil
}

func newCopy() *Copy {
	return &Copy{Versions: map[string]int64{}, Copied: []string{}, Replaced: []string{}}
}

func (c *Copy) versions(l *live) {
	for role, doc := range l.documents() {
		c.Versions[role] = doc.Version()
	}
}
