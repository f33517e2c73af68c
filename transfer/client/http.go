//go:build !offline

package client

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// webTimeout is how long a server may take to answer at all.
const webTimeout = 30 * time.Second

// maxRedirects is more than any CDN needs.
const maxRedirects = 5

// web is a base behind HTTP.
type web struct {
	base   string // ends in a slash
	client *http.Client
}

func openHTTP(u *url.URL) (base, error) {
	if u.RawQuery != "" || u.Fragment != "" || u.Host == "" {
		return nil, fmt.Errorf("%q is not a base URL", u.Redacted())
	}
	return &web{
		base: strings.TrimSuffix(u.String(), "/") + "/",
		client: &http.Client{
			Transport: &http.Transport{
				Proxy:                 http.ProxyFromEnvironment,
				DialContext:           (&net.Dialer{Timeout: webTimeout}).DialContext,
				TLSHandshakeTimeout:   webTimeout,
				ResponseHeaderTimeout: webTimeout,
				IdleConnTimeout:       webTimeout,
				ForceAttemptHTTP2:     true,
				// Lengths and hashes are over the bytes as they lie in the repository.
				DisableCompression: true,
			},
			CheckRedirect: checkRedirect,
		},
	}, nil
}

// checkRedirect keeps a repository on https once it was asked for there.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return fmt.Errorf("redirected from https to %s", req.URL.Scheme)
	}
	return nil
}

func (w *web) open(ctx context.Context, reference string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+reference, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "conclave")
	res, err := w.client.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode == http.StatusOK {
		return res.Body, nil
	}
	_ = res.Body.Close() // nothing was asked of it
	switch res.StatusCode {
	case http.StatusNotFound, http.StatusForbidden:
		return nil, fmt.Errorf("%s: %w", res.Status, ErrNotFound)
	}
	return nil, fmt.Errorf("%s: the server answers %s", req.URL.Redacted(), res.Status)
}
