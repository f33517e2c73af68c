//go:build !offline

package publish

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// An examination looks at one bucket with scratch objects of its own.
type examination struct {
	b        *Bucket
	o        ExamineOptions
	findings []Finding
	scratch  []string // keys to be taken away
	created  bool     // the bucket is new
	http     *http.Client
}

// Limits of what is still right.
const (
	maxSkew       = 2 * time.Minute // S3 refuses requests from 15 minutes on
	publicTimeout = 15 * time.Second
)

// Examine looks whether the bucket is fit to publish in: not what it claims, but what it does. It writes
// scratch objects below targets/ and takes them away, where it may.
func (b *Bucket) Examine(ctx context.Context, o ExamineOptions) []Finding {
	e := &examination{b: b, o: o, http: &http.Client{Timeout: publicTimeout}}
	if e.bucket(ctx) {
		e.versions(ctx)
		e.open(ctx)
		e.missing(ctx)
		if e.createOnly(ctx) {
			e.swap(ctx)
			e.parts(ctx)
			e.checksum(ctx)
			e.access(ctx)
		}
		e.clean(ctx)
	}
	return e.findings
}

func (e *examination) find(check string, state State, says, hint string) {
	e.findings = append(e.findings, Finding{check, state, says, hint})
}

// failed records what the server answered.
func (e *examination) failed(check string, state State, err error) {
	var h interface{ Hint() string }
	hint := ""
	if errors.As(err, &h) {
		hint = h.Hint()
	}
	e.find(check, state, err.Error(), hint)
}

// bucket looks whether it is there, and at the clock of this machine.
func (e *examination) bucket(ctx context.Context) bool {
	in := &s3.HeadBucketInput{Bucket: &e.b.place.Bucket}
	out, err := e.b.api.HeadBucket(ctx, in)
	state := Fine
	if statusOf(err) == http.StatusNotFound && e.o.Create {
		state = Changed
		if err = e.create(ctx); err == nil {
			out, err = e.b.api.HeadBucket(ctx, in)
		}
	}
	switch {
	case statusOf(err) == http.StatusNotFound:
		e.find("bucket", Failed, "there is no bucket "+e.b.place.Bucket, "is it the right name, region and account? --create-bucket makes it")
		return false
	case err != nil:
		e.failed("bucket", Failed, e.b.explain(actLook, err))
		return false
	}
	e.find("bucket", state, e.b.place.Bucket+" is there", "")
	e.clock(out)
	return true
}

func (e *examination) create(ctx context.Context) error {
	in := &s3.CreateBucketInput{Bucket: &e.b.place.Bucket}
	if region := e.b.api.Options().Region; region != defaultS3Region {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}
	}
	_, err := e.b.api.CreateBucket(ctx, in)
	e.created = err == nil
	return err
}

// unblock is what stands between a bucket and the public at Amazon.
const unblock = "Amazon's Block Public Access stands in the way, of the bucket or of the whole account: " +
	"an administrator takes it off (s3:PutBucketPublicAccessBlock, s3:PutBucketPolicy); or let a CDN read the bucket, and say --private"

// open lets everybody read a bucket that was made here. Whatever else a bucket holds may be private: others are left alone.
func (e *examination) open(ctx context.Context) {
	if !e.created || !e.o.Public {
		return
	}
	// Amazon refuses such a policy for as long as new buckets are blocked from it; other servers do not know the block.
	_, _ = e.b.api.DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: &e.b.place.Bucket})
	region := e.b.api.Options().Region
	text, err := publicReading(e.b.place.Bucket, region).Text()
	if err == nil {
		_, err = e.b.api.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &e.b.place.Bucket, Policy: &text})
	}
	switch {
	case statusOf(err) == http.StatusForbidden:
		e.find("public reading", Failed, "the server refuses (403) to let everybody read the bucket", unblock)
		return
	case err != nil:
		e.failed("public reading", Failed, fmt.Errorf("let everybody read the bucket: %w", e.b.explain(actSwap, err)))
		return
	}
	e.find("public reading", Changed, "everybody may read the bucket from now on", "")
}

func (e *examination) clock(out *s3.HeadBucketOutput) {
	server, ok := awsmiddleware.GetServerTime(out.ResultMetadata)
	if !ok {
		e.find("clock", Skipped, "the server does not tell the time", "")
		return
	}
	if skew := time.Since(server); skew.Abs() > maxSkew {
		e.find("clock", Failed, fmt.Sprintf("this machine's clock differs from the server's by %v", skew.Round(time.Second)),
			"set the clock: signatures of requests fail, and metadata would get wrong dates")
		return
	}
	e.find("clock", Fine, "the server's time is this machine's", "")
}

// versions looks whether old states are kept: they are what a restore is made of.
func (e *examination) versions(ctx context.Context) {
	const hint = "turn versioning on: it is what brings back an object that somebody has replaced or deleted"
	out, err := e.b.api.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &e.b.place.Bucket})
	switch {
	case err != nil:
		e.failed("versions", Skipped, e.b.explain(actLook, err))
		return
	case out.Status == types.BucketVersioningStatusEnabled:
		e.find("versions", Fine, "old versions are kept", "")
		return
	case !e.o.Prepare:
		e.find("versions", Warning, "old versions are not kept", hint+" (--prepare does it)")
		return
	}
	_, err = e.b.api.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket:                  &e.b.place.Bucket,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		e.failed("versions", Warning, fmt.Errorf("turn versioning on: %w", e.b.explain(actSwap, err)))
		return
	}
	e.find("versions", Changed, "old versions are kept from now on", "")
}

// missing looks what the publisher is told of objects that do not exist.
func (e *examination) missing(ctx context.Context) {
	_, err := e.b.Get(ctx, documentName("root", 1_000_000), io.Discard)
	switch {
	case errors.Is(err, ErrNotFound):
		e.find("missing objects", Fine, "the publisher gets 404", "")
	case errors.Is(err, ErrDenied):
		e.find("missing objects", Failed, "the publisher gets 403 instead of 404",
			`allow it to list the bucket (s3:ListBucket); "conclave publish policy" prints how`)
	default:
		e.failed("missing objects", Failed, err)
	}
}

// key makes a scratch object's key.
func (e *examination) key() *string {
	key := e.b.place.Prefix + targetsDir + "conclave-check-" + strings.ToLower(rand.Text())
	e.scratch = append(e.scratch, key)
	return &key
}

// write puts one scratch object, past everything that mends faults.
func (e *examination) write(ctx context.Context, key *string, text string, with func(*s3.PutObjectInput)) (ETag, error) {
	in := &s3.PutObjectInput{Key: key, Body: bytes.NewReader([]byte(text))}
	with(in)
	return e.b.putETag(ctx, in, targetsDir, int64(len(text)), sum([]byte(text)))
}

func createOnly(in *s3.PutObjectInput) { in.IfNoneMatch = createCondition }

func ifMatch(etag ETag) func(*s3.PutObjectInput) {
	return func(in *s3.PutObjectInput) { in.IfMatch = aws.String(string(etag)) }
}

const unconditional = "publishers would overwrite each other there: use a store that honours If-None-Match and If-Match"

// createOnly looks whether an object can be created twice.
func (e *examination) createOnly(ctx context.Context) bool {
	key := e.key()
	if _, err := e.write(ctx, key, "first", createOnly); err != nil {
		e.failed("create-only writes", Failed, e.b.explain(actCreate, err))
		return false
	}
	_, err := e.write(ctx, key, "second", createOnly)
	if judge(err) != occupied {
		e.find("create-only writes", Failed, "an object was created over another one", unconditional)
		return false
	}
	e.find("create-only writes", Fine, "an object is created once", "")
	return true
}

// swap looks whether compare-and-swap compares.
func (e *examination) swap(ctx context.Context) {
	const check = "compare-and-swap"
	key := e.key()
	first, err := e.write(ctx, key, "first", createOnly)
	if err != nil {
		e.failed(check, Failed, e.b.explain(actCreate, err))
		return
	}
	second, err := e.write(ctx, key, "second", ifMatch(first))
	if statusOf(err) == http.StatusForbidden {
		e.find(check, Skipped, "the bucket's policy lets nothing but the timestamp be replaced", "")
		return
	}
	if err != nil {
		e.failed(check, Failed, e.b.explain(actSwap, err))
		return
	}
	if _, err := e.write(ctx, key, "third", ifMatch(first)); judge(err) != occupied || second == first {
		e.find(check, Failed, "an object was replaced that had changed meanwhile", unconditional)
		return
	}
	if _, err := e.write(ctx, e.key(), "fourth", ifMatch(first)); err == nil {
		e.find(check, Failed, "an object was replaced that was not there", unconditional)
		return
	}
	e.find(check, Fine, "an object is replaced only if it is still the one that was read", "")
}

// parts looks whether an upload in parts overwrites an object.
func (e *examination) parts(ctx context.Context) {
	const check = "create-only uploads in parts"
	key := e.key()
	if _, err := e.write(ctx, key, "first", createOnly); err != nil {
		e.failed(check, Failed, e.b.explain(actCreate, err))
		return
	}
	text := []byte("second, in one part")
	name := strings.TrimPrefix(*key, e.b.place.Prefix)
	err := e.b.uploadParts(ctx, name, *key, Bytes(text), createCondition)
	switch judge(err) {
	case occupied:
		e.find(check, Fine, "they overwrite nothing", "")
	case done:
		e.find(check, Failed, "an upload in parts has overwritten an object", unconditional)
	default:
		e.failed(check, Warning, e.b.explain(actUpload, err))
	}
}

// checksum looks whether the server compares what it gets with the SHA-256 it is told.
func (e *examination) checksum(ctx context.Context) {
	in := &s3.PutObjectInput{Key: e.key(), Body: bytes.NewReader([]byte("other")), IfNoneMatch: createCondition}
	if err := e.b.put(ctx, in, targetsDir, 5, sum([]byte("first"))); err == nil {
		e.find("checksums", Failed, "the server has taken bytes whose SHA-256 is not the one it was told", "a broken upload would go unnoticed there")
		return
	}
	e.find("checksums", Fine, "the server compares SHA-256", "")
}

// access reads a scratch object and one that does not exist as anybody could.
func (e *examination) access(ctx context.Context) {
	there, err := e.anonymous(ctx, strings.TrimPrefix(e.scratch[0], e.b.place.Prefix))
	if err != nil {
		e.failed("public access", Skipped, err)
		return
	}
	switch {
	case e.o.Private && there == http.StatusOK:
		e.find("public access", Failed, "anybody can read the bucket, which is meant to be private", "take public reading away, or leave out --private")
	case e.o.Private:
		e.find("public access", Fine, fmt.Sprintf("anybody is refused (%d), as intended", there), "")
	case there != http.StatusOK:
		state := Warning
		if e.o.Public {
			state = Failed
		}
		e.find("public access", state, fmt.Sprintf("clients cannot read it without credentials (%d)", there),
			`"conclave publish policy" prints a policy for public reading, for which Amazon's Block Public Access must be off; behind a CDN with an identity of its own, say --private`)
	default:
		e.find("public access", Fine, "anybody can read it", "")
		e.missingInPublic(ctx)
	}
}

// missingInPublic looks what clients are told of the next root, which does not exist.
func (e *examination) missingInPublic(ctx context.Context) {
	switch status, err := e.anonymous(ctx, documentName("root", 1_000_000)); {
	case err != nil:
		e.failed("missing objects in public", Skipped, err)
	case status == http.StatusNotFound:
		e.find("missing objects in public", Fine, "clients get 404", "")
	case status == http.StatusForbidden:
		e.find("missing objects in public", Warning, "clients get 403 instead of 404 for the next root, which does not exist: some clients stop there",
			"let clients list the bucket, or let the CDN answer 404 for the origin's 403")
	default:
		e.find("missing objects in public", Failed, fmt.Sprintf("clients get %d instead of 404", status), "clients take the next root to be there, or the server to be broken")
	}
}

func (e *examination) anonymous(ctx context.Context, name string) (int, error) {
	address, err := e.b.PublicURL(ctx, name)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	answer, err := e.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	return answer.StatusCode, nil
}

// PublicURL is the address of an object for those who have no credentials.
func (b *Bucket) PublicURL(ctx context.Context, name string) (string, error) {
	key, err := b.key(name)
	if err != nil {
		return "", err
	}
	signed, err := s3.NewPresignClient(b.api).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &b.place.Bucket, Key: key})
	if err != nil {
		return "", b.explain(actLook, err)
	}
	address, _, _ := strings.Cut(signed.URL, "?")
	return address, nil
}

// clean takes the scratch objects away.
func (e *examination) clean(ctx context.Context) {
	left := 0
	for _, key := range e.scratch {
		_, err := e.b.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &e.b.place.Bucket, Key: &key})
		if err != nil && statusOf(err) != http.StatusNotFound {
			left++
		}
	}
	if left > 0 {
		e.find("scratch objects", Fine, fmt.Sprintf("%d of a few bytes stay below %s: these credentials may delete nothing, as it should be", left, targetsDir), "")
	}
}
