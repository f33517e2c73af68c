//go:build !offline

package publish_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// A fault is what happens to one request on its way.
type fault string

const (
	answer403  fault = "answered 403"
	answer409  fault = "answered 409"
	answer412  fault = "answered 412"
	answer500  fault = "answered 500"
	answer503  fault = "answered 503"
	cutBefore  fault = "cut before its effect"
	cutAfter   fault = "cut after its effect"
	fail500    fault = "answered 500 after its effect"
	twice      fault = "sent twice"
	delayed    fault = "sent again after the one that followed"
	halfAnswer fault = "answered by half"
	halfBody   fault = "sent by half"
)

var faults = []fault{
	answer403, answer409, answer412, answer500, answer503,
	cutBefore, cutAfter, fail500, twice, delayed, halfAnswer, halfBody,
}

// A proxy stands between the publisher and the server and does harm to
// chosen requests. The signed Host header passes unchanged.
type proxy struct {
	*httptest.Server
	t      testing.TB
	target *url.URL

	mu    sync.Mutex
	what  fault                    // owned by mu
	wants func(*http.Request) bool // owned by mu: which requests are counted
	nth   int                      // owned by mu: the request that is harmed, from 0; -1 for none
	many  int                      // owned by mu: how many from there on
	seen  int                      // owned by mu
	log   []string                 // owned by mu
	late  *http.Request            // owned by mu: waits until another one has passed
	wait  time.Duration            // owned by mu: added to every request
}

func newProxy(t testing.TB, target string) *proxy {
	u, err := url.Parse(target)
	must(t, err)
	p := &proxy{t: t, target: u, nth: -1}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

// harm arms the proxy: what happens to the nth request that wants accepts, and to the many-1 after it.
func (p *proxy) harm(what fault, nth, many int, wants func(*http.Request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.what, p.nth, p.many, p.wants, p.seen, p.late = what, nth, many, wants, 0, nil
}

// peace disarms it and says how many requests were counted.
func (p *proxy) peace() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nth = -1
	return p.seen
}

func (p *proxy) delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wait = d
}

// requests returns what has passed, and forgets it.
func (p *proxy) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	log := p.log
	p.log = nil
	return log
}

func writes(r *http.Request) bool { return r.Method == http.MethodPut || r.Method == http.MethodPost }
func reads(r *http.Request) bool  { return !writes(r) }

// next decides what happens to a request.
func (p *proxy) next(r *http.Request) (what fault, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, r.Method+" "+r.URL.Path)
	if p.nth < 0 || p.wants != nil && !p.wants(r) {
		return "", p.wait
	}
	this := p.seen
	p.seen++
	if this < p.nth || this >= p.nth+p.many {
		return "", p.wait
	}
	return p.what, p.wait
}

// ServeHTTP implements http.Handler.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	what, wait := p.next(r)
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		}
	}
	if what == "" && wait > 0 || what == "" && r.ContentLength > 1<<20 {
		p.stream(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the sender gave up
	}
	send := func() *answer { return p.send(r, body) }
	switch what {
	case answer403:
		refuse(w, r, 403, "AccessDenied")
		return
	case answer409:
		refuse(w, r, 409, "ConditionalRequestConflict")
		return
	case answer412:
		refuse(w, r, 412, "PreconditionFailed")
		return
	case answer500:
		refuse(w, r, 500, "InternalError")
		return
	case answer503:
		refuse(w, r, 503, "SlowDown")
		return
	case cutBefore:
		panic(http.ErrAbortHandler)
	case cutAfter:
		send()
		panic(http.ErrAbortHandler)
	case fail500:
		send()
		refuse(w, r, 500, "InternalError")
		return
	case halfBody:
		p.send(r, body[:len(body)/2])
		panic(http.ErrAbortHandler)
	case twice:
		send()
	case delayed:
		p.keep(r, body)
		panic(http.ErrAbortHandler)
	}
	a := send()
	a.write(w, what == halfAnswer)
	p.release()
}

// keep holds a request back until another has passed.
func (p *proxy) keep(r *http.Request, body []byte) {
	late := r.Clone(r.Context())
	late.Body = io.NopCloser(bytes.NewReader(body))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.late = late
}

// release lets the request that was held back pass.
func (p *proxy) release() {
	p.mu.Lock()
	late := p.late
	p.late = nil
	p.mu.Unlock()
	if late == nil {
		return
	}
	body, _ := io.ReadAll(late.Body)
	p.send(late, body)
}

// An answer is the server's, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error
}

func (p *proxy) outgoing(r *http.Request, body io.Reader, length int64) *http.Request {
	out := &http.Request{
		Method: r.Method, URL: &url.URL{Scheme: p.target.Scheme, Host: p.target.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery},
		Header: r.Header.Clone(), Host: r.Host, ContentLength: length, Body: io.NopCloser(body), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if length == 0 {
		out.Body = http.NoBody
	}
	out.Header.Del("Expect")
	return out
}

// proxyTransport is shared: a transport of their own would leave connections behind.
var proxyTransport = &http.Transport{MaxIdleConnsPerHost: 128, DisableCompression: true}

// send passes a request on. Its length is the one that was announced, so half a body ends in a cut.
func (p *proxy) send(r *http.Request, body []byte) *answer {
	out, err := proxyTransport.RoundTrip(p.outgoing(r, bytes.NewReader(body), max(r.ContentLength, 0)))
	if err != nil {
		return &answer{err: err}
	}
	defer out.Body.Close()
	raw, err := io.ReadAll(out.Body)
	return &answer{out.StatusCode, out.Header, raw, err}
}

// stream passes a request on without holding it.
func (p *proxy) stream(w http.ResponseWriter, r *http.Request) {
	out, err := proxyTransport.RoundTrip(p.outgoing(r, r.Body, max(r.ContentLength, 0)))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer out.Body.Close()
	copyHeader(w, out.Header)
	w.WriteHeader(out.StatusCode)
	if _, err := io.Copy(w, out.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func copyHeader(w http.ResponseWriter, h http.Header) {
	for name, values := range h {
		w.Header()[name] = values
	}
}

func (a *answer) write(w http.ResponseWriter, half bool) {
	if a.err != nil {
		panic(http.ErrAbortHandler)
	}
	copyHeader(w, a.header)
	w.WriteHeader(a.status)
	if half {
		_, _ = w.Write(a.body[:len(a.body)/2])
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(a.body)
}

// refuse answers in the server's place.
func refuse(w http.ResponseWriter, r *http.Request, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>by the proxy</Message></Error>`, code)
	}
}

func isMissingRoot(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "1000000.root.json") }

// newForgetful stands in front of the server, ignores one header and signs the request anew: a server
// that does not know it.
func newForgetful(t testing.TB, b *bucket, header string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		a := b.server.resend(r, body, header)
		a.write(w, false)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// resend passes a request on without one header, signed by the administrator.
func (s *server) resend(r *http.Request, body []byte, without string) *answer {
	target, err := url.Parse(s.url)
	if err != nil {
		return &answer{err: err}
	}
	p := &proxy{target: target}
	out := p.outgoing(r, bytes.NewReader(body), int64(len(body)))
	anonymous := out.Header.Get("Authorization") == ""
	out.Header.Del(without)
	out.Host = target.Host
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Content-Sha256", "Amz-Sdk-Request", "Amz-Sdk-Invocation-Id", "Accept-Encoding"} {
		out.Header.Del(name)
	}
	if !anonymous {
		hash := fmt.Sprintf("%x", sha256.Sum256(body))
		out.Header.Set("X-Amz-Content-Sha256", hash)
		credentials := aws.Credentials{AccessKeyID: rootAccess, SecretAccessKey: rootSecret}
		if err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(
			r.Context(), credentials, out, hash, "s3", "us-east-1", time.Now()); err != nil {
			return &answer{err: err}
		}
	}
	got, err := proxyTransport.RoundTrip(out)
	if err != nil {
		return &answer{err: err}
	}
	defer got.Body.Close()
	raw, err := io.ReadAll(got.Body)
	return &answer{got.StatusCode, got.Header, raw, err}
}
