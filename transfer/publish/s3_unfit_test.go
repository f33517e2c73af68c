//go:build !offline

package publish_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"conclave/transfer/publish"
)

// An impostor stands in front of the server: instead may answer in its place, and change changes what it answers. Both may be nil.
type impostor struct {
	instead func(r *http.Request, body []byte) *answer
	change  func(r *http.Request, a *answer)
}

func (i impostor) serve(t testing.TB, b *bucket) string {
	t.Helper()
	p := newProxy(t, b.server.url)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		var a *answer
		if i.instead != nil {
			a = i.instead(r, body)
		}
		if a == nil {
			a = p.send(r, body)
		}
		if i.change != nil {
			i.change(r, a)
		}
		a.write(w, false)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// refuses answers an error to the requests that are meant.
func refuses(status int, code string, meant func(*http.Request) bool) impostor {
	return impostor{instead: func(r *http.Request, _ []byte) *answer {
		if !meant(r) {
			return nil
		}
		w := httptest.NewRecorder()
		refuse(w, r, status, code)
		return &answer{status: status, header: w.Header(), body: w.Body.Bytes()}
	}}
}

// asks means requests of one method for one part of the bucket's configuration.
func asks(method, part string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method && r.URL.Query().Has(part) }
}

// keepNoVersions turns the bucket's versions off.
func (b *bucket) keepNoVersions() {
	b.t.Helper()
	_, err := b.api.PutBucketVersioning(context.Background(), &s3.PutBucketVersioningInput{
		Bucket: &b.name, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusSuspended},
	})
	must(b.t, err)
}

// finding is what an examination says of one check.
func finding(t testing.TB, all []publish.Finding, check string) publish.Finding {
	t.Helper()
	for _, f := range all {
		if f.Check == check {
			return f
		}
	}
	t.Fatalf("nothing is said of %s: %v", check, all)
	return publish.Finding{}
}

// Each of these is a bucket that something is wrong with, and what the operator reads.
func TestExamineSaysWhatIsWrongAndWhatToDo(t *testing.T) {
	date := func(change func(http.Header)) impostor {
		return impostor{change: func(r *http.Request, a *answer) {
			if r.Method == http.MethodHead && strings.Count(r.URL.Path, "/") == 1 {
				change(a.header)
			}
		}}
	}
	for name, c := range map[string]struct {
		impostor impostor
		bare     bool // the bucket keeps no versions
		options  publish.ExamineOptions
		check    string
		state    publish.State
		says     string
	}{
		"a clock that differs by an hour": {date(func(h http.Header) {
			h.Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		}), false, publish.ExamineOptions{}, "clock", publish.Failed, "differs from the server's by 1h0m"},
		"a server that does not tell the time": {
			date(func(h http.Header) { h["Date"] = nil }),
			false,
			publish.ExamineOptions{},
			"clock", publish.Skipped, "does not tell the time",
		},
		"a bucket in another region": {
			refuses(301, "PermanentRedirect", func(r *http.Request) bool { return r.Method == http.MethodHead }),
			false,
			publish.ExamineOptions{},
			"bucket", publish.Failed, "in another region: put ?region=REGION",
		},
		"a bucket that keeps no versions": {
			impostor{},
			true,
			publish.ExamineOptions{},
			"versions", publish.Warning, "are not kept: turn versioning on",
		},
		"versions that nobody tells of": {
			refuses(403, "AccessDenied", asks(http.MethodGet, "versioning")),
			false,
			publish.ExamineOptions{},
			"versions", publish.Skipped, "403",
		},
		"versions that may not be turned on": {
			refuses(403, "AccessDenied", asks(http.MethodPut, "versioning")),
			true,
			publish.ExamineOptions{Prepare: true},
			"versions", publish.Warning, "turn versioning on: replace: the store refuses access",
		},
		"a server without conditions": {
			refuses(501, "NotImplemented", func(r *http.Request) bool { return r.Header.Get("If-None-Match") != "" }),
			false,
			publish.ExamineOptions{},
			"create-only writes", publish.Failed, "does not know conditional writes (501)",
		},
		"a policy that lets nothing be replaced": {
			refuses(403, "AccessDenied", func(r *http.Request) bool { return r.Header.Get("If-Match") != "" }),
			false,
			publish.ExamineOptions{},
			"compare-and-swap", publish.Skipped, "lets nothing but the timestamp be replaced",
		},
		"a web server that finds everything": {impostor{change: func(r *http.Request, a *answer) {
			if isMissingRoot(r) && r.Header.Get("Authorization") == "" {
				a.status = http.StatusOK
			}
		}}, false, publish.ExamineOptions{}, "missing objects in public", publish.Failed, "clients get 200 instead of 404"},
		"credentials that may delete nothing": {
			refuses(403, "AccessDenied", func(r *http.Request) bool { return r.Method == http.MethodDelete }),
			false,
			publish.ExamineOptions{},
			"scratch objects", publish.Fine, "may delete nothing, as it should be",
		},
		"a bucket that nobody may read": {
			refuses(403, "AccessDenied", func(r *http.Request) bool { return r.Header.Get("Authorization") == "" }),
			false,
			publish.ExamineOptions{Public: true},
			"public access", publish.Failed, "cannot read it without credentials (403): \"conclave publish policy\" prints a policy for public reading, for which Amazon's Block Public Access must be off",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBucket(t)
			if c.bare {
				b.keepNoVersions()
			}
			all := publish.Examine(context.Background(), b.open("", c.impostor.serve(t, b)), c.options)
			f := finding(t, all, c.check)
			if f.State != c.state || !strings.Contains(f.Says+": "+f.Hint, c.says) {
				t.Errorf("found %+v", f)
			}
			if publish.Fit(all) != (c.state != publish.Failed) {
				t.Errorf("fit: %v", all)
			}
		})
	}
}

// A server honours the condition of a whole object and not that of one in parts.
func TestExamineFindsUploadsInPartsThatOverwrite(t *testing.T) {
	b := newBucket(t)
	forgetful := impostor{instead: func(r *http.Request, body []byte) *answer {
		if r.Method == http.MethodPost && r.URL.Query().Has("uploadId") {
			return b.server.resend(r, body, "If-None-Match")
		}
		return nil
	}}
	f := finding(t, publish.Examine(context.Background(), b.open("", forgetful.serve(t, b)), publish.ExamineOptions{}), "create-only uploads in parts")
	if f.State != publish.Failed || !strings.Contains(f.Says, "has overwritten") {
		t.Errorf("found %+v", f)
	}
}

// Amazon blocks public policies on new buckets: the block is asked away first. Where the account has one too, the policy is
// refused, and the operator reads what stands in the way.
func TestANewBucketIsOpenedPastTheBlockOfPublicAccess(t *testing.T) {
	s := startServer(t)
	for name, c := range map[string]struct {
		account bool
		state   publish.State
		says    string
	}{
		"the bucket's block": {false, publish.Changed, "everybody may read"},
		"the account's too":  {true, publish.Failed, "(403) to let everybody read the bucket: Amazon's Block Public Access stands in the way"},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bucket{t: t, server: s, name: "blocked-" + strings.ToLower(rand.Text()), api: s.client(rootAccess, rootSecret)}
			blocked := true
			amazon := impostor{instead: func(r *http.Request, _ []byte) *answer {
				switch {
				case asks(http.MethodDelete, "publicAccessBlock")(r):
					blocked = c.account
					return &answer{status: http.StatusNoContent, header: http.Header{}}
				case blocked && asks(http.MethodPut, "policy")(r):
					w := httptest.NewRecorder()
					refuse(w, r, 403, "AccessDenied")
					return &answer{status: 403, header: w.Header(), body: w.Body.Bytes()}
				}
				return nil
			}}
			all := publish.Examine(context.Background(), b.open("", amazon.serve(t, b)), publish.ExamineOptions{Create: true, Prepare: true, Public: true})
			if f := finding(t, all, "public reading"); f.State != c.state || !strings.Contains(f.Says+": "+f.Hint, c.says) {
				t.Errorf("found %+v", f)
			}
			if publish.Fit(all) == c.account {
				t.Errorf("fit: %v", all)
			}
		})
	}
}

func TestInitMakesNothingForABucketThatIsUnfit(t *testing.T) {
	b := newBucket(t)
	o := publish.InitOptions{
		Dir: filepath.Join(t.TempDir(), "online"), Practice: true, PassphraseFile: "passphrase",
		Store: b.url("", newForgetful(t, b, "If-None-Match")),
	}
	made, err := publish.Init(context.Background(), o)
	if !errors.Is(err, publish.ErrUnfit) || made == nil || publish.Fit(made.Findings) {
		t.Errorf("%+v, %v", made, err)
	}
	if _, err := os.Stat(o.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the publisher's folder is there: %v", err)
	}
	if left := b.list(""); len(left) > 0 {
		t.Errorf("%v were left in the bucket", left)
	}
	o.Store = b.url("", b.server.url)
	if _, err := publish.Init(context.Background(), o); err != nil {
		t.Errorf("the same in a bucket that is fit: %v", err)
	}
}
