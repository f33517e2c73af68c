//go:build !offline

package publish_test

import (
	"context"
	"maps"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"conclave/transfer/publish"
)

func states(findings []publish.Finding) map[string]publish.State {
	m := map[string]publish.State{}
	for _, f := range findings {
		m[f.Check] = f.State
	}
	return m
}

func TestExamineABucketThatIsFit(t *testing.T) {
	b := newBucket(t)
	got := states(publish.Examine(context.Background(), b.open("p", b.server.url), publish.ExamineOptions{}))
	want := map[string]publish.State{
		"bucket": publish.Fine, "clock": publish.Fine, "versions": publish.Fine, "missing objects": publish.Fine,
		"create-only writes": publish.Fine, "compare-and-swap": publish.Fine, "create-only uploads in parts": publish.Fine,
		"checksums": publish.Fine, "public access": publish.Fine, "missing objects in public": publish.Fine,
	}
	if !maps.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
	if left := b.list(""); len(left) > 0 {
		t.Errorf("%v were left behind", left)
	}
}

func TestExamineMakesAndPreparesABucket(t *testing.T) {
	s := startServer(t)
	b := &bucket{t: t, server: s, name: "made-by-examine", api: s.client(rootAccess, rootSecret)}
	store, ctx := b.open("", s.url), context.Background()
	if got := publish.Examine(ctx, store, publish.ExamineOptions{}); publish.Fit(got) || len(got) != 1 {
		t.Errorf("a bucket that is not there: %v", got)
	}
	got := states(publish.Examine(ctx, store, publish.ExamineOptions{Create: true, Prepare: true, Private: true}))
	if got["bucket"] != publish.Changed || got["versions"] != publish.Changed || got["public access"] != publish.Fine {
		t.Errorf("found %v", got)
	}
	if got := states(publish.Examine(ctx, store, publish.ExamineOptions{})); got["public access"] != publish.Warning {
		t.Errorf("a private bucket that is meant to be public: %v", got)
	}
	b.policy(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + b.name + `/*"}]}`)
	if got := states(publish.Examine(ctx, store, publish.ExamineOptions{Private: true})); got["public access"] != publish.Failed {
		t.Errorf("a public bucket that is meant to be private: %v", got)
	}
}

// A server ignores the conditions, or a proxy in front of it takes them away.
func TestExamineFindsAServerThatIgnoresConditions(t *testing.T) {
	for header, check := range map[string]string{
		"If-None-Match": "create-only writes", "If-Match": "compare-and-swap", "X-Amz-Checksum-Sha256": "checksums",
	} {
		t.Run(header, func(t *testing.T) {
			b := newBucket(t)
			server := newForgetful(t, b, header)
			got := publish.Examine(context.Background(), b.open("", server), publish.ExamineOptions{})
			if states(got)[check] != publish.Failed || publish.Fit(got) {
				t.Errorf("found %v", got)
			}
		})
	}
}

func TestExamineExplains403ForWhatIsMissing(t *testing.T) {
	b := newBucket(t)
	r := newProxy(t, b.server.url)
	r.harm(answer403, 0, 1_000_000, isMissingRoot)
	got := publish.Examine(context.Background(), b.open("", r.URL), publish.ExamineOptions{})
	if s := states(got); s["missing objects"] != publish.Failed || s["missing objects in public"] != publish.Warning {
		t.Errorf("found %v", got)
	}
}

func TestPublicURLIsWhereClientsReadAnObject(t *testing.T) {
	p, err := publish.ParsePlace("s3://bucket.of.ours/a%20b?region=eu-central-1")
	must(t, err)
	startServer(t) // for credentials
	s, err := publish.OpenBucket(context.Background(), p)
	must(t, err)
	got, err := s.PublicURL(context.Background(), "targets/x+y")
	if want := "https://s3.eu-central-1.amazonaws.com/bucket.of.ours/a%20b/targets/x%2By"; err != nil || got != want {
		t.Errorf("%s, %v", got, err)
	}
}

func TestABucketThatIsMadeForClientsIsOpenToThem(t *testing.T) {
	s := startServer(t)
	b := &bucket{t: t, server: s, name: "made-for-clients", api: s.client(rootAccess, rootSecret)}
	store, ctx := b.open("some/prefix", s.url), context.Background()
	got := publish.Examine(ctx, store, publish.ExamineOptions{Create: true, Prepare: true, Public: true})
	if s := states(got); s["public reading"] != publish.Changed || s["public access"] != publish.Fine || s["missing objects in public"] != publish.Fine {
		t.Errorf("found %v", got)
	}
}

// What lies in a bucket of somebody else may be private.
func TestABucketThatIsThereIsNotOpened(t *testing.T) {
	s := startServer(t)
	b := &bucket{t: t, server: s, name: "not-for-clients", api: s.client(rootAccess, rootSecret)}
	ctx := context.Background()
	_, err := b.api.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &b.name})
	must(t, err)
	got := publish.Examine(ctx, b.open("", s.url), publish.ExamineOptions{Create: true, Prepare: true, Public: true})
	if states(got)["public access"] != publish.Failed || publish.Fit(got) {
		t.Errorf("found %v", got)
	}
}
