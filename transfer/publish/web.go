package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"conclave/transfer"
	"conclave/transfer/client"
)

// A web is a repository as anybody reads it, for those who only look: status, and mirrors of it.
type web struct{ repo client.Repository }

// OpenWeb returns the repository at a base URL, http: or https:, below which metadata/ and targets/ lie. Nothing can be put there.
func OpenWeb(base string) (Store, error) {
	base = strings.TrimSuffix(base, "/")
	repo, err := client.Open(base+"/metadata", base+"/targets")
	if err != nil {
		return nil, err
	}
	return &web{repo}, nil
}

// isWeb reports whether raw is a URL that OpenWeb takes.
func isWeb(raw string) bool {
	return strings.HasPrefix(raw, "https://") || strings.HasPrefix(raw, "http://")
}

// OpenSource returns a place to read from: a store, or a web address.
func OpenSource(raw string) (Store, error) {
	if isWeb(raw) {
		return OpenWeb(raw)
	}
	return Open(raw)
}

// Address is the base below which clients without credentials find a store's metadata/ and targets/.
func Address(ctx context.Context, s Store) (string, error) {
	switch s := s.(type) {
	case *Folder:
		return "file:" + s.Dir(), nil
	case interface {
		PublicURL(ctx context.Context, name string) (string, error)
	}:
		public, err := s.PublicURL(ctx, timestampName)
		return strings.TrimSuffix(public, "/"+timestampName), err
	}
	return "", errors.New("this store has no address of its own")
}

// errReadOnly is what a web address answers to every write.
var errReadOnly = errors.New("nothing can be put at a web address")

// Get implements Store. Other files than metadata and targets are not part of the address.
func (s *web) Get(ctx context.Context, name string, w io.Writer) (ETag, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	open := func() (io.ReadCloser, error) { return nil, client.ErrNotFound }
	if file, ok := strings.CutPrefix(name, metadataDir); ok {
		open = func() (io.ReadCloser, error) { return s.repo.Metadata(ctx, file) }
	} else if path, ok := strings.CutPrefix(name, targetsDir); ok {
		open = func() (io.ReadCloser, error) { return s.repo.Target(ctx, path) }
	}
	body, err := open()
	if errors.Is(err, client.ErrNotFound) {
		return "", fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if err != nil {
		return "", err
	}
	defer body.Close()
	_, err = transfer.Copy(w, body)
	return Absent, err
}

// PutNew implements Store: it refuses.
func (s *web) PutNew(context.Context, string, Content) error { return errReadOnly }

// PutIf implements Store: it refuses.
func (s *web) PutIf(context.Context, string, []byte, ETag) (ETag, error) { return "", errReadOnly }
