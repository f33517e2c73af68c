package main

import (
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// A web lets scripts use the address https://updates.example.com, as clients would: a proxy leads there, and the
// server behind it serves the bucket "updates" of the scripts' storage, without credentials.
type web struct {
	storage *storage
	env     map[string]string
}

func newWeb(t *testing.T) *web {
	w := &web{storage: newStorage(t)}
	front := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: w.rewrite})
	t.Cleanup(front.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connect(w, r, front.Listener.Addr().String())
	}))
	t.Cleanup(proxy.Close)
	certificate := filepath.Join(t.TempDir(), "certificate.pem")
	raw := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw})
	if err := os.WriteFile(certificate, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	w.env = map[string]string{"HTTPS_PROXY": proxy.URL, "SSL_CERT_FILE": certificate, "NO_PROXY": "127.0.0.1"}
	return w
}

func (w *web) setup(e *testscript.Env) {
	for name, value := range w.env {
		e.Setenv(name, value)
	}
}

// rewrite leads a request to the bucket.
func (w *web) rewrite(r *httputil.ProxyRequest) {
	target := &url.URL{}
	if server, err := w.storage.server(); err == nil {
		target, _ = url.Parse(server.URL)
	}
	host, _, _ := strings.Cut(r.In.Host, ".example.com")
	r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = target.Scheme, target.Host, target.Host
	r.Out.URL.Path = "/" + host + r.In.URL.Path
}

// connect leads what a client wants to say to any host to one address.
func connect(w http.ResponseWriter, r *http.Request, address string) {
	if r.Method != http.MethodConnect {
		http.Error(w, "only encrypted connections pass", http.StatusForbidden)
		return
	}
	to, err := net.Dial("tcp", address)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	from, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = to.Close()
		return
	}
	_, _ = io.WriteString(from, "HTTP/1.1 200 Connected\r\n\r\n")
	go func() {
		_, _ = io.Copy(to, from)
		_ = to.Close()
	}()
	_, _ = io.Copy(from, to)
	_ = from.Close()
}
