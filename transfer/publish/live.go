package publish

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"conclave/ceremony/tuf"
)

// maxRoots is how many roots are followed; a root a week fills it in five years.
const maxRoots = 256

// live is the state of the store, verified from the pinned root. Expiry is not
// judged: an expired repository must be repairable.
type live struct {
	chain     *tuf.Chain
	hasRoot   bool          // the chain's newest root is in the store
	timestamp *tuf.Document // nil where nothing was published yet
	etag      ETag          // the timestamp's
	snapshot  *tuf.Document
	targets   *tuf.Document
}

func (l *live) root() *tuf.Document { return l.chain.Latest() }

// documents lists the top-level documents that are live.
func (l *live) documents() map[string]*tuf.Document {
	docs := map[string]*tuf.Document{}
	if l.hasRoot {
		docs[tuf.Root] = l.root()
	}
	for role, d := range map[string]*tuf.Document{tuf.Timestamp: l.timestamp, tuf.Snapshot: l.snapshot, tuf.Targets: l.targets} {
		if d != nil {
			docs[role] = d
		}
	}
	return docs
}

// ErrUnsound says that what is live does not verify from the pinned root.
var ErrUnsound = errors.New("the live repository does not verify")

func unsound(err error) error {
	return withHint(fmt.Errorf("%w: %w", ErrUnsound, err),
		"nothing was changed; look at the store: clients may be refusing it at this moment")
}

// A badFile says that a file was read and is not what it must be, as opposed to not read at all.
type badFile struct{ error }

func (e *badFile) Unwrap() error { return e.error }

// unsoundRead tells a repository that is wrong from a store that does not answer, which is no alarm.
func unsoundRead(err error) error {
	var bad *badFile
	if errors.As(err, &bad) || errors.Is(err, ErrNotFound) {
		return unsound(err)
	}
	return err
}

// readLive reads and verifies what clients see.
func readLive(ctx context.Context, s Store, anchor *tuf.Document) (*live, error) {
	l := new(live)
	if err := l.readRoots(ctx, s, anchor); err != nil {
		return nil, err
	}
	raw, etag, err := read(ctx, s, timestampName, tuf.MaxTimestampSize)
	if errors.Is(err, ErrNotFound) {
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	l.etag = etag
	if l.timestamp, err = tuf.Parse(raw); err != nil {
		return nil, unsound(fmt.Errorf("timestamp: %w", err))
	}
	if err := l.verify(tuf.Timestamp, l.timestamp); err != nil {
		return nil, unsound(err)
	}
	if l.snapshot, err = l.readListed(ctx, s, tuf.Snapshot, l.timestamp.Timestamp().Meta); err != nil {
		return nil, err
	}
	l.targets, err = l.readListed(ctx, s, tuf.Targets, l.snapshot.Snapshot().Meta)
	return l, err
}

// readRoots walks the store's root chain from the anchor to its end.
func (l *live) readRoots(ctx context.Context, s Store, anchor *tuf.Document) (err error) {
	if l.chain, err = tuf.NewChain(anchor); err != nil {
		return err
	}
	first, err := readDocument(ctx, s, documentName(tuf.Root, anchor.Version()))
	switch {
	case errors.Is(err, ErrNotFound):
	case err != nil:
		return unsoundRead(err)
	case first.Digest() != anchor.Digest():
		return unsound(fmt.Errorf("its root %d is not the pinned one: another repository, or a forged one", anchor.Version()))
	default:
		l.hasRoot = true
	}
	for range maxRoots {
		next, err := readDocument(ctx, s, documentName(tuf.Root, l.root().Version()+1))
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return unsoundRead(err)
		}
		if l.chain, err = l.chain.Extend(next); err != nil {
			return unsound(err)
		}
		l.hasRoot = true
	}
	return fmt.Errorf("walk root chain: more than %d roots behind the pinned one", maxRoots)
}

// verify checks doc by the keys of the newest root or, where a push was cut
// short between a root and what it asks for, by those of an older one.
func (l *live) verify(role string, doc *tuf.Document) error {
	newest := verifyBy(role, doc, l.root())
	if newest == nil {
		return nil
	}
	roots := l.chain.Roots()
	for i := len(roots) - 2; i >= 0; i-- {
		if verifyBy(role, doc, roots[i]) == nil {
			return nil
		}
	}
	return newest
}

// readListed reads the document that meta lists for role and verifies it as a client would.
func (l *live) readListed(ctx context.Context, s Store, role string, meta map[string]*metadata.MetaFiles) (*tuf.Document, error) {
	listed := meta[role+".json"]
	if listed == nil {
		return nil, unsound(fmt.Errorf("%s is not listed", role))
	}
	doc, err := readDocument(ctx, s, documentName(role, listed.Version))
	if err != nil {
		return nil, unsoundRead(err)
	}
	if err := listed.VerifyLengthHashes(doc.Bytes()); err != nil {
		return nil, unsound(fmt.Errorf("%s %d: %w", role, listed.Version, err))
	}
	if doc.Version() != listed.Version {
		return nil, unsound(fmt.Errorf("the file of %s %d holds version %d", role, listed.Version, doc.Version()))
	}
	if err := l.verify(role, doc); err != nil {
		return nil, unsound(err)
	}
	return doc, nil
}

// verifyBy checks that doc carries the signatures that root demands of role.
func verifyBy(role string, doc, root *tuf.Document) error {
	reqs, err := tuf.Requirements(role, doc, nil, root)
	if err != nil {
		return err
	}
	_, err = tuf.Verify(doc, reqs)
	return err
}

// readDocument reads one metadata file strictly.
func readDocument(ctx context.Context, s Store, name string) (*tuf.Document, error) {
	raw, _, err := read(ctx, s, name, tuf.MaxSize)
	if err != nil {
		return nil, err
	}
	parse := tuf.Parse
	if s, ok := s.(*still); ok {
		parse = s.parse
	}
	doc, err := parse(raw)
	if err != nil {
		return nil, &badFile{fmt.Errorf("%s: %w", name, err)}
	}
	return doc, nil
}

// Names in the store.
const (
	metadataDir   = "metadata/"
	targetsDir    = "targets/"
	timestampName = metadataDir + "timestamp.json"
	practiceMark  = "PRACTICE.txt"
)

// documentName is where version of a role lies. Role names are checked by checkRoleName before.
func documentName(role string, version int64) string {
	return fmt.Sprintf("%s%d.%s.json", metadataDir, version, url.PathEscape(role))
}
