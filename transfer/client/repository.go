package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Open returns the repository behind two base URLs: file:, http: or https:, or
// a plain path. target may be empty for a client that only refreshes.
func Open(metadataURL, targetURL string) (Repository, error) {
	metadataBase, err := openBase(metadataURL)
	if err != nil {
		return nil, fmt.Errorf("open repository: %w", err)
	}
	if targetURL == "" {
		return &bases{metadata: metadataBase}, nil
	}
	targetBase, err := openBase(targetURL)
	if err != nil {
		return nil, fmt.Errorf("open repository: %w", err)
	}
	return &bases{metadata: metadataBase, target: targetBase}, nil
}

// A base opens the file behind a relative reference, each segment of which is URL-quoted.
type base interface {
	open(ctx context.Context, reference string) (io.ReadCloser, error)
}

// bases is a repository made of two places.
type bases struct{ metadata, target base }

func (b *bases) Metadata(ctx context.Context, file string) (io.ReadCloser, error) {
	return b.metadata.open(ctx, url.PathEscape(file))
}

func (b *bases) Target(ctx context.Context, path string) (io.ReadCloser, error) {
	if b.target == nil {
		return nil, errors.New("no place for target files was given")
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return b.target.open(ctx, strings.Join(segments, "/"))
}

func openBase(raw string) (base, error) {
	if dir, ok := localPath(raw); ok {
		return folder(dir), nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, withHint(fmt.Errorf("%q: URLs of this kind are not known", raw), "use file:, http: or https:")
	}
	return openHTTP(u)
}

// localPath understands file:///absolute, file:relative and plain paths.
func localPath(raw string) (string, bool) {
	if rest, ok := strings.CutPrefix(raw, "file:"); ok {
		rest = strings.TrimPrefix(rest, "//localhost")
		rest = strings.TrimPrefix(rest, "//")
		if unquoted, err := url.PathUnescape(rest); err == nil {
			rest = unquoted
		}
		if runtime.GOOS == "windows" {
			rest = strings.TrimPrefix(rest, "/")
		}
		return filepath.FromSlash(rest), true
	}
	return raw, !strings.Contains(raw, "://")
}

// folder is a base in the file system.
type folder string

func (d folder) open(_ context.Context, reference string) (io.ReadCloser, error) {
	segments := strings.Split(reference, "/")
	for i, s := range segments {
		// A quoted slash stays quoted: it is part of a name, not of a path.
		if plain, err := url.PathUnescape(s); err == nil && !strings.ContainsAny(plain, `/\`) {
			segments[i] = plain
		}
	}
	local := filepath.Join(segments...)
	if !filepath.IsLocal(local) {
		return nil, fmt.Errorf("%q is outside of the repository", reference)
	}
	f, err := os.Open(filepath.Join(string(d), local))
	if isNotExist(err) {
		return nil, fmt.Errorf("%q: %w", local, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return nil, errors.Join(fmt.Errorf("%q: %w", local, ErrNotFound), err, f.Close())
	}
	return f, nil
}
