// Package client is the far end of a repository: it follows the TUF client
// workflow (TUF 5) and downloads target files, as any user of the repository does.
//
// Its promise: nothing is kept that was not verified, starting at a root the
// user was given; after a failure the cache holds exactly what had been
// verified until then, byte for byte as the repository served it; and no
// repository can make it read more than a named limit.
//
// Signatures, thresholds, versions and expiry are judged by go-tuf's
// trustedmetadata. This package adds what go-tuf leaves open: strict JSON before go-tuf sees a file,
// 403 beside 404 for "no newer root", delegations verified again for every path that leads to
// them, path_hash_prefixes as written in the specification, and streams instead of buffers.
package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"conclave/ceremony/tuf"
)

// Limits of one refresh or lookup. The sizes are those of the reference client.
const (
	MaxRootRotations = 256         // newer roots followed in one refresh
	MaxDelegations   = 32          // roles visited in the search for one target
	MaxSnapshotSize  = 2_000_000   // where the timestamp gives no length
	MaxTargetsSize   = 5_000_000   // where the snapshot gives no length
	metadataTimeout  = time.Minute // for one metadata file
)

// A Repository serves the files of one TUF repository. Both methods fail with
// ErrNotFound where the repository says that it has no such file, or that the
// caller may not know whether it has (HTTP 404 and 403).
type Repository interface {
	// Metadata opens a metadata file by its bare name, like "4.root.json". The name may
	// hold any character where a delegated role's name does.
	Metadata(ctx context.Context, file string) (io.ReadCloser, error)
	// Target opens a target file by its slash-separated path, hash prefix included.
	Target(ctx context.Context, path string) (io.ReadCloser, error)
}

// A Cache keeps the trusted metadata between runs, one file per role.
type Cache interface {
	// Load returns what was stored for role, or an error that is fs.ErrNotExist.
	Load(role string) ([]byte, error)
	// Store replaces what is kept for role, whole or not at all.
	Store(role string, raw []byte) error
}

// Options are what a client needs to know.
type Options struct {
	Repository Repository
	Cache      Cache
	// Now is the time at which metadata must be valid; zero is the clock's. A test or an
	// auditor sets it; whoever else does has switched off the protection against old metadata.
	Now time.Time
}

// A Client is one run of the workflow: it refreshes once and then answers
// any number of lookups from the same state. It is not safe for concurrent use.
type Client struct {
	repo      Repository
	cache     Cache
	trusted   *trustedmetadata.TrustedMetadata
	refreshed bool
	roles     map[delegation]*metadata.TargetsType // loaded in this run
}

// A delegation is one role as one parent delegates it.
type delegation struct{ role, parent string }

// ErrNotFound says that a repository does not have a file.
var ErrNotFound = errors.New("not in the repository")

// ErrUninitialised says that the cache holds no root to start from.
var ErrUninitialised = errors.New("no trusted root to start from")

// Init puts the root that the user decided to trust into cache. It makes no request.
// A cache that starts from another root is left alone.
func Init(cache Cache, root []byte) error {
	if _, err := trust(root); err != nil {
		return fmt.Errorf("trust root: %w", err)
	}
	switch kept, err := cache.Load(tuf.Root); {
	case err == nil && string(kept) == string(root):
		return nil
	case err == nil:
		return withHint(errors.New("trust root: this folder already trusts another root"),
			"use an empty metadata folder for another repository or another start")
	case !isNotExist(err):
		return fmt.Errorf("read cache: %w", err)
	}
	if err := cache.Store(tuf.Root, root); err != nil {
		return fmt.Errorf("keep root: %w", err)
	}
	return nil
}

// New starts a run from the cache's root. It makes no request.
func New(o Options) (*Client, error) {
	raw, err := o.Cache.Load(tuf.Root)
	if isNotExist(err) {
		return nil, withHint(ErrUninitialised, "run init with a root.json from a source you trust first")
	}
	if err != nil {
		return nil, fmt.Errorf("read cache: %w", err)
	}
	trusted, err := trust(raw)
	if err != nil {
		return nil, fmt.Errorf("load trusted root: %w", err)
	}
	if !o.Now.IsZero() {
		trusted.RefTime = o.Now.UTC()
	}
	return &Client{
		repo: o.Repository, cache: o.Cache, trusted: trusted,
		roles: map[delegation]*metadata.TargetsType{},
	}, nil
}

// Refresh brings the four top-level roles up to date (TUF 5.3 to 5.6). It does
// its work once; later calls return at once.
func (c *Client) Refresh(ctx context.Context) error {
	if c.refreshed {
		return nil
	}
	for _, step := range []func(context.Context) error{c.updateRoot, c.updateTimestamp, c.updateSnapshot, c.updateTargets} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	c.refreshed = true
	return nil
}

// Version returns the trusted version of a role, 0 where none was loaded in this run.
func (c *Client) Version(role string) int64 {
	switch t := c.trusted; {
	case role == tuf.Root:
		return t.Root.Signed.Version
	case role == tuf.Timestamp && t.Timestamp != nil:
		return t.Timestamp.Signed.Version
	case role == tuf.Snapshot && t.Snapshot != nil:
		return t.Snapshot.Signed.Version
	case t.Targets[role] != nil:
		return t.Targets[role].Signed.Version
	}
	return 0
}

// updateRoot follows the chain of roots to its newest end (TUF 5.3).
func (c *Client) updateRoot(ctx context.Context) error {
	for range MaxRootRotations {
		next := c.trusted.Root.Signed.Version + 1
		raw, err := c.fetch(ctx, numbered(next, tuf.Root), tuf.MaxRootSize)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		// TUF 5.3.4, 5.3.5: signed by the old and the new root, version exactly one more.
		err = c.accept(tuf.Root, raw, func() error {
			_, err := c.trusted.UpdateRoot(raw)
			return err
		})
		if err != nil {
			return fmt.Errorf("update root to version %d: %w", next, err)
		}
	}
	return nil
}

func (c *Client) updateTimestamp(ctx context.Context) error {
	// The kept timestamp protects against older ones, an expired one too.
	if raw, err := c.load(tuf.Timestamp); err != nil {
		return err
	} else if raw != nil {
		_ = guarded(raw, func() error {
			_, err := c.trusted.UpdateTimestamp(raw)
			return err
		})
	}
	raw, err := c.fetch(ctx, tuf.Timestamp+".json", tuf.MaxTimestampSize)
	if err != nil {
		return err
	}
	err = c.accept(tuf.Timestamp, raw, func() error {
		_, err := c.trusted.UpdateTimestamp(raw)
		return err
	})
	// TUF 5.4.3: the same version is not an error, and the kept one stays.
	if errors.Is(err, &metadata.ErrEqualVersionNumber{}) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("update timestamp: %w", err)
	}
	return nil
}

func (c *Client) updateSnapshot(ctx context.Context) error {
	if raw, err := c.load(tuf.Snapshot); err != nil {
		return err
	} else if raw != nil {
		err := guarded(raw, func() error {
			_, err := c.trusted.UpdateSnapshot(raw, true)
			return err
		})
		if err == nil {
			return nil
		}
	}
	meta := c.trusted.Timestamp.Signed.Meta[tuf.Snapshot+".json"]
	if meta == nil {
		return errors.New("update snapshot: the timestamp does not name one")
	}
	raw, err := c.fetch(ctx, c.name(tuf.Snapshot, meta.Version), limit(meta.Length, MaxSnapshotSize))
	if err != nil {
		return err
	}
	err = c.accept(tuf.Snapshot, raw, func() error {
		_, err := c.trusted.UpdateSnapshot(raw, false)
		return err
	})
	if err != nil {
		return fmt.Errorf("update snapshot to version %d: %w", meta.Version, err)
	}
	return nil
}

func (c *Client) updateTargets(ctx context.Context) error {
	_, err := c.role(ctx, tuf.Targets, tuf.Root)
	return err
}

// role brings one targets role up to date as parent delegates it. Its
// signatures are judged by this parent even if another path has led to the role before:
// trust in one path is no trust in the next.
func (c *Client) role(ctx context.Context, role, parent string) (*metadata.TargetsType, error) {
	if signed := c.roles[delegation{role, parent}]; signed != nil {
		return signed, nil
	}
	if err := c.updateRole(ctx, role, parent); err != nil {
		return nil, err
	}
	signed := &c.trusted.Targets[role].Signed
	c.roles[delegation{role, parent}] = signed
	return signed, nil
}

func (c *Client) updateRole(ctx context.Context, role, parent string) error {
	update := func(raw []byte) func() error {
		return func() error {
			_, err := c.trusted.UpdateDelegatedTargets(raw, role, parent)
			return err
		}
	}
	if raw, err := c.load(role); err != nil {
		return err
	} else if raw != nil && guarded(raw, update(raw)) == nil {
		return nil
	}
	meta := c.trusted.Snapshot.Signed.Meta[role+".json"]
	if meta == nil {
		return fmt.Errorf("update role %q: the snapshot does not list it", role)
	}
	raw, err := c.fetch(ctx, c.name(role, meta.Version), limit(meta.Length, MaxTargetsSize))
	if err != nil {
		return err
	}
	if err := c.accept(role, raw, update(raw)); err != nil {
		return fmt.Errorf("update role %q to version %d: %w", role, meta.Version, err)
	}
	return nil
}

// accept verifies raw and keeps it.
func (c *Client) accept(role string, raw []byte, update func() error) error {
	if err := guarded(raw, update); err != nil {
		return err
	}
	if err := c.cache.Store(role, raw); err != nil {
		return fmt.Errorf("keep %s: %w", role, err)
	}
	return nil
}

// load returns what the cache keeps for role, nil where it keeps nothing.
func (c *Client) load(role string) ([]byte, error) {
	raw, err := c.cache.Load(role)
	if isNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read cache: %w", err)
	}
	return raw, nil
}

// fetch reads one metadata file of at most max bytes.
func (c *Client) fetch(ctx context.Context, file string, max int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
	defer cancel()
	body, err := c.repo.Metadata(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("fetch %q: %w", file, err)
	}
	defer body.Close()
	raw, err := io.ReadAll(io.LimitReader(body, max+1))
	if err != nil {
		return nil, fmt.Errorf("fetch %q: %w", file, err)
	}
	if int64(len(raw)) > max {
		return nil, fmt.Errorf("fetch %q: longer than %d bytes", file, max)
	}
	return raw, nil
}

// name is a metadata file's name in the repository.
func (c *Client) name(role string, version int64) string {
	if c.trusted.Root.Signed.ConsistentSnapshot {
		return numbered(version, role)
	}
	return role + ".json"
}

func numbered(version int64, role string) string {
	return fmt.Sprintf("%d.%s.json", version, role)
}

// limit is how much may be read where the metadata gives length, which may be 0 for unknown.
func limit(length, unknown int64) int64 {
	if length <= 0 {
		return unknown
	}
	return min(length, tuf.MaxSize)
}
