//go:build !offline

package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"conclave/ceremony/tuf"
	"conclave/transfer/client"
)

// storeURL is a base that the fetcher takes off again; nothing ever resolves it.
const storeURL = "store:///"

// updaterReads follows the live repository with go-tuf's own updater: a second opinion
// beside our client, by the code that many clients run.
func (w *push) updaterReads(ctx context.Context, v *view, cache client.Memory) (err error) {
	dir, err := os.MkdirTemp("", "conclave-readback-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for role, raw := range cache {
		if err := os.WriteFile(filepath.Join(dir, role+".json"), raw, 0o600); err != nil {
			return err
		}
	}
	cfg, err := config.New(storeURL+"metadata", cache[tuf.Root])
	if err != nil {
		return err
	}
	cfg.LocalMetadataDir, cfg.LocalTargetsDir = dir, dir
	cfg.Fetcher = &viewFetcher{ctx, v}
	up, err := updater.New(cfg)
	if err != nil {
		return fmt.Errorf("go-tuf: %w", err)
	}
	up.UnsafeSetRefTime(w.p.now())
	if err := up.Refresh(); err != nil {
		return fmt.Errorf("go-tuf: %w", err)
	}
	return nil
}

// viewFetcher serves a view to go-tuf.
type viewFetcher struct {
	ctx context.Context
	v   *view
}

// DownloadFile implements go-tuf's fetcher.Fetcher.
func (f *viewFetcher) DownloadFile(address string, maxLength int64, _ time.Duration) ([]byte, error) {
	file, err := url.PathUnescape(strings.TrimPrefix(address, storeURL+metadataDir))
	if err != nil {
		return nil, err
	}
	body, err := f.v.Metadata(f.ctx, file)
	if errors.Is(err, client.ErrNotFound) {
		return nil, &metadata.ErrDownloadHTTP{StatusCode: http.StatusNotFound, URL: address}
	}
	if err != nil {
		return nil, err
	}
	defer body.Close()
	raw, err := io.ReadAll(io.LimitReader(body, maxLength+1))
	if err == nil && int64(len(raw)) > maxLength {
		err = &metadata.ErrDownloadLengthMismatch{Msg: fmt.Sprintf("%s is longer than %d bytes", file, maxLength)}
	}
	return raw, err
}
