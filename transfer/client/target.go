package client

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"conclave/ceremony/tuf"
)

// ErrNoTarget says that no role in charge of a path lists it.
var ErrNoTarget = errors.New("no such target")

// A Target is what the metadata says of one file.
type Target struct {
	Path   string // its name in the metadata
	Role   string // the role that lists it
	Length int64
	Hashes map[string][]byte // by algorithm: sha256, sha512
}

// A Download is a target file on this machine.
type Download struct {
	Target *Target
	File   string
	Cached bool // it was there already, whole and right
}

// Target looks a path up, most trusted role first (TUF 5.6.7: pre-order,
// depth-first). It refreshes first if nobody has.
func (c *Client) Target(ctx context.Context, name string) (*Target, error) {
	if err := c.Refresh(ctx); err != nil {
		return nil, err
	}
	todo := []delegation{{tuf.Targets, tuf.Root}}
	visited := map[string]bool{}
	for len(todo) > 0 && len(visited) <= MaxDelegations {
		next := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if visited[next.role] {
			continue
		}
		signed, err := c.role(ctx, next.role, next.parent)
		if err != nil {
			return nil, err
		}
		if file := signed.Targets[name]; file != nil {
			return newTarget(name, next.role, file)
		}
		visited[next.role] = true
		children, terminating, err := delegates(signed.Delegations, name)
		if err != nil {
			return nil, fmt.Errorf("search role %q: %w", next.role, err)
		}
		if terminating {
			todo = todo[:0]
		}
		for _, child := range slices.Backward(children) {
			if isTopLevel(child) {
				return nil, fmt.Errorf("search role %q: it delegates to a role named %q, which would take the place of a top-level role", next.role, child)
			}
			todo = append(todo, delegation{child, next.role})
		}
	}
	return nil, fmt.Errorf("find %q: %w", name, ErrNoTarget)
}

func newTarget(name, role string, file *metadata.TargetFiles) (*Target, error) {
	t := &Target{Path: name, Role: role, Length: file.Length, Hashes: map[string][]byte{}}
	for algorithm, digest := range file.Hashes {
		if hasher(algorithm) == nil {
			return nil, fmt.Errorf("find %q: its hash algorithm %q is unknown", name, algorithm)
		}
		t.Hashes[algorithm] = digest
	}
	if len(t.Hashes) == 0 || t.Length < 0 {
		return nil, fmt.Errorf("find %q: the metadata gives it no hash or no length", name)
	}
	return t, nil
}

// delegates lists the roles that d puts in charge of name, in order, and
// whether the search ends with the last of them.
func delegates(d *metadata.Delegations, name string) (roles []string, terminating bool, err error) {
	if d == nil {
		return nil, false, nil
	}
	if d.Roles == nil && d.SuccinctRoles != nil {
		bits := d.SuccinctRoles.BitLength
		if bits < 1 || bits > 32 { // TAP 15
			return nil, false, fmt.Errorf("bit_length %d is not between 1 and 32", bits)
		}
		for _, bin := range d.SuccinctRoles.GetRolesForTarget(name) {
			roles = append(roles, bin.Name)
		}
		return roles, true, nil
	}
	for _, r := range d.Roles {
		if !inCharge(r, name) {
			continue
		}
		roles = append(roles, r.Name)
		if r.Terminating {
			return roles, true, nil
		}
	}
	return roles, false, nil
}

// isTopLevel reports whether a name is, or in some file systems would be, that of a top-level role.
func isTopLevel(name string) bool {
	return slices.ContainsFunc([]string{tuf.Root, tuf.Timestamp, tuf.Snapshot, tuf.Targets}, func(top string) bool {
		return strings.EqualFold(name, top)
	})
}

// inCharge reports whether a role's paths or path_hash_prefixes cover name (TUF 4.5).
func inCharge(r metadata.DelegatedRole, name string) bool {
	digest := sha256.Sum256([]byte(name))
	hexed := hex.EncodeToString(digest[:])
	return slices.ContainsFunc(r.Paths, func(pattern string) bool {
		ok, err := path.Match(pattern, name) // a * never crosses a slash
		return err == nil && ok
	}) || slices.ContainsFunc(r.PathHashPrefixes, func(prefix string) bool {
		return strings.HasPrefix(hexed, prefix)
	})
}

// Download brings a target file into dir, unless it is there already with the
// right content. It is written whole or not at all, under its own path
// where that is safe and else under its URL-quoted name.
func (c *Client) Download(ctx context.Context, name, dir string) (*Download, error) {
	target, err := c.Target(ctx, name)
	if err != nil {
		return nil, err
	}
	local, err := localName(name)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, local)
	if matches(target, file) {
		return &Download{target, file, true}, nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, fmt.Errorf("download %q: %w", name, err)
	}
	err = replaceFile(file, func(w *os.File) error { return c.stream(ctx, target, w) })
	if err != nil {
		return nil, fmt.Errorf("download %q: %w", name, err)
	}
	return &Download{target, file, false}, nil
}

// replaceFile writes a file beside path, makes it durable and moves it into place.
func replaceFile(path string, write func(*os.File) error) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".conclave-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tmp.Close(), ignoreMissing(os.Remove(tmp.Name())))
		}
	}()
	if err := write(tmp); err != nil {
		return err
	}
	if err := tmp.Chmod(0o644); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return tmp.Close()
}

func ignoreMissing(err error) error {
	if isNotExist(err) {
		return nil
	}
	return err
}

// Fetch streams a target to w and verifies it on the way. Nothing of what w got may be used when it fails.
func (c *Client) Fetch(ctx context.Context, name string, w io.Writer) (*Target, error) {
	target, err := c.Target(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := c.stream(ctx, target, w); err != nil {
		return nil, fmt.Errorf("fetch %q: %w", name, err)
	}
	return target, nil
}

// stream copies the target from the repository and checks it on the way. Nothing
// may be used of w when it fails.
func (c *Client) stream(ctx context.Context, t *Target, w io.Writer) error {
	body, err := c.repo.Target(ctx, c.remotePath(t))
	if err != nil {
		return err
	}
	defer body.Close()
	check := newCheck(t)
	if _, err := io.Copy(io.MultiWriter(w, check), io.LimitReader(body, t.Length+1)); err != nil {
		return err
	}
	return check.verdict()
}

// remotePath is the target's path in the repository: with consistent snapshots
// the last part carries a hash (TUF 5.7.3).
func (c *Client) remotePath(t *Target) string {
	if !c.trusted.Root.Signed.ConsistentSnapshot {
		return t.Path
	}
	digest, ok := t.Hashes["sha256"]
	if !ok {
		digest = t.Hashes["sha512"]
	}
	dir, base := path.Split(t.Path)
	return dir + hex.EncodeToString(digest) + "." + base
}

// matches reports whether file already is the target.
func matches(t *Target, file string) bool {
	info, err := os.Lstat(file)
	if err != nil || !info.Mode().IsRegular() || info.Size() != t.Length {
		return false
	}
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	check := newCheck(t)
	if _, err := io.Copy(check, io.LimitReader(f, t.Length+1)); err != nil {
		return false
	}
	return check.verdict() == nil
}

// A check counts and hashes what is written to it.
type check struct {
	target *Target
	length int64
	hashes map[string]hash.Hash
}

func newCheck(t *Target) *check {
	c := &check{target: t, hashes: map[string]hash.Hash{}}
	for algorithm := range t.Hashes {
		c.hashes[algorithm] = hasher(algorithm)
	}
	return c
}

func (c *check) Write(p []byte) (int, error) {
	c.length += int64(len(p))
	for _, h := range c.hashes {
		_, _ = h.Write(p) // never fails
	}
	return len(p), nil
}

func (c *check) verdict() error {
	if c.length > c.target.Length {
		return fmt.Errorf("the file is longer than the %d bytes that the metadata gives", c.target.Length)
	}
	if c.length < c.target.Length {
		return fmt.Errorf("the file has %d bytes, the metadata says %d", c.length, c.target.Length)
	}
	for algorithm, h := range c.hashes {
		if got := h.Sum(nil); string(got) != string(c.target.Hashes[algorithm]) {
			return fmt.Errorf("the file's %s is %x, the metadata says %x", algorithm, got, c.target.Hashes[algorithm])
		}
	}
	return nil
}

// hasher returns nil for an algorithm that this client does not know.
func hasher(algorithm string) hash.Hash {
	switch algorithm {
	case "sha256":
		return sha256.New()
	case "sha512":
		return sha512.New()
	}
	return nil
}

// localName turns a target's path, which is text from outside, into a file
// name that stays inside its folder.
func localName(name string) (string, error) {
	printable := utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == '\\' })
	if printable && path.Clean(name) == name && filepath.IsLocal(filepath.FromSlash(name)) && name != "." {
		return filepath.FromSlash(name), nil
	}
	quoted := url.PathEscape(name)
	if quoted == "." || !filepath.IsLocal(quoted) {
		return "", fmt.Errorf("download %q: this name cannot be a file name here", name)
	}
	return quoted, nil
}
