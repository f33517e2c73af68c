//go:build !offline

package publish_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"conclave/transfer/publish"
	"conclave/transfer/publish/s3test"
)

// The server's administrator.
const (
	rootAccess = s3test.Access
	rootSecret = s3test.Secret
)

// A server is a real S3 server on this machine.
type server struct {
	url    string
	binary string
	*s3test.Server

	mu sync.Mutex // for profile
}

// theServer is one for all tests; each has buckets of its own.
var theServer struct {
	sync.Mutex
	running *server
	err     error
}

func init() { atEnd = append(atEnd, stopServer) }

// stopServer ends it, after all tests.
func stopServer() {
	theServer.Lock()
	defer theServer.Unlock()
	if theServer.running != nil {
		theServer.running.Close()
	}
}

// startServer returns the running server. Where it cannot be built, the test is skipped; in CI it fails.
func startServer(t testing.TB) *server {
	t.Helper()
	theServer.Lock()
	defer theServer.Unlock()
	if theServer.running == nil && theServer.err == nil {
		theServer.running, theServer.err = newServer()
	}
	if theServer.err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(theServer.err)
		}
		t.Skip("no S3 server to test with: ", theServer.err)
	}
	return theServer.running
}

// newServer starts one and makes this process one that finds its administrator's credentials.
func newServer() (*server, error) {
	s, err := s3test.Start("../../testdata/s3")
	if err != nil {
		return nil, err
	}
	for name, value := range s.Environment() {
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	return &server{url: s.URL, binary: s.Binary, Server: s}, nil
}

// profile adds a section to the credentials file.
func (s *server) profile(name, access, secret string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Profile(name, access, secret)
}

// A bucket is one of the server's, and how the tests look into it.
type bucket struct {
	t      testing.TB
	server *server
	name   string
	api    *s3.Client
}

var (
	bucketsMade sync.Mutex
	bucketCount int
)

// newBucket makes an empty bucket that anybody may read, with versions.
func newBucket(t testing.TB) *bucket {
	t.Helper()
	s := startServer(t)
	bucketsMade.Lock()
	bucketCount++
	b := &bucket{t: t, server: s, name: fmt.Sprintf("bucket-%d", bucketCount)}
	bucketsMade.Unlock()
	b.api = s.client(rootAccess, rootSecret)
	ctx := context.Background()
	_, err := b.api.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &b.name})
	must(t, err)
	b.policy(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + b.name + `/*"}]}`)
	_, err = b.api.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket: &b.name, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	must(t, err)
	return b
}

// client speaks to the server directly, past any proxy.
func (s *server) client(access, secret string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &s.url, Region: "us-east-1", UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: access, SecretAccessKey: secret}, nil
		}),
	})
}

func (b *bucket) policy(text string) {
	b.t.Helper()
	_, err := b.api.PutBucketPolicy(context.Background(), &s3.PutBucketPolicyInput{Bucket: &b.name, Policy: &text})
	must(b.t, err)
}

// url is what an operator would write, with the server at endpoint.
func (b *bucket) url(prefix, endpoint string) string {
	return publish.Place{Bucket: b.name, Prefix: prefix, Endpoint: endpoint, PathLike: true, Region: "us-east-1"}.String()
}

// as opens the bucket as a user whose profile was written.
func (b *bucket) as(profile string) *publish.Bucket {
	b.t.Helper()
	s, err := publish.OpenBucket(context.Background(), publish.Place{
		Bucket: b.name, Endpoint: b.server.url, PathLike: true, Region: "us-east-1", Profile: profile,
	})
	must(b.t, err)
	return s
}

// open opens the bucket as a store, as the administrator.
func (b *bucket) open(prefix, endpoint string) *publish.Bucket {
	b.t.Helper()
	p, err := publish.ParsePlace(b.url(prefix, endpoint))
	must(b.t, err)
	s, err := publish.OpenBucket(context.Background(), p)
	must(b.t, err)
	return s
}

// list reads every object under a prefix. While others publish, the timestamp is read
// before the rest, so that everything it leads to is in the list.
func (b *bucket) list(prefix string) map[string]string {
	b.t.Helper()
	files := map[string]string{}
	timestamp := prefix + "metadata/timestamp.json"
	early, found := b.find(timestamp)
	pages := s3.NewListObjectsV2Paginator(b.api, &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		must(b.t, err)
		for _, o := range page.Contents {
			if *o.Key == timestamp && found {
				files[timestamp] = early
				continue
			}
			files[*o.Key] = b.read(*o.Key)
		}
	}
	return files
}

// find reads an object that may not be there.
func (b *bucket) find(key string) (string, bool) {
	b.t.Helper()
	out, err := b.api.GetObject(context.Background(), &s3.GetObjectInput{Bucket: &b.name, Key: &key})
	var missing *types.NoSuchKey
	if errors.As(err, &missing) {
		return "", false
	}
	must(b.t, err)
	defer out.Body.Close()
	raw, err := io.ReadAll(out.Body)
	must(b.t, err)
	return string(raw), true
}

func (b *bucket) read(key string) string {
	b.t.Helper()
	out, err := b.api.GetObject(context.Background(), &s3.GetObjectInput{Bucket: &b.name, Key: &key})
	must(b.t, err)
	defer out.Body.Close()
	raw, err := io.ReadAll(out.Body)
	must(b.t, err)
	return string(raw)
}

// versions counts the states that every object under a prefix has had.
func (b *bucket) versions(prefix string) map[string]int {
	b.t.Helper()
	count := map[string]int{}
	pages := s3.NewListObjectVersionsPaginator(b.api, &s3.ListObjectVersionsInput{Bucket: &b.name, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		must(b.t, err)
		for _, v := range page.Versions {
			count[*v.Key]++
		}
		for _, v := range page.DeleteMarkers {
			count[*v.Key] += 1000
		}
	}
	return count
}

// deleteObject takes an object away, as nothing of ours ever does.
func deleteObject(t testing.TB, b *bucket, key string) {
	t.Helper()
	_, err := b.api.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &b.name, Key: &key})
	must(t, err)
}
