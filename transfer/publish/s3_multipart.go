//go:build !offline

package publish

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Limits of uploads in parts.
const (
	partMemory   = 64 << 20 // of all parts that are under way at once
	abortTimeout = 10 * time.Second
)

// putLarge creates a large object. The condition is judged only at the end of
// an upload, so it looks first.
func (b *Bucket) putLarge(ctx context.Context, name, key string, c Content) error {
	switch err := b.Same(ctx, name, c); {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotFound):
	case isTransient(err):
		return err
	default:
		return fmt.Errorf("%w: %w", ErrExists, err)
	}
	var err error
	for try := range writeTries {
		if try > 0 {
			if err := pause(ctx, try); err != nil {
				return err
			}
		}
		err = b.uploadParts(ctx, name, key, c, createCondition)
		if settled, then := b.settle(ctx, name, c, err); settled {
			return then
		}
		if judge(err) == occupied && try+1 == buriedTries {
			return buried(err)
		}
	}
	return b.explain(actUpload, err)
}

// An upload of one file in parts. Its parts are owned by the goroutines that send them until wait returns.
type multipart struct {
	b    *Bucket
	key  string
	id   string
	size int64

	mu    sync.Mutex
	parts []types.CompletedPart
}

// uploadParts does a whole upload once. What it cannot complete it takes away.
func (b *Bucket) uploadParts(ctx context.Context, name, key string, c Content, ifNoneMatch *string) (err error) {
	cache, contentType := headers(name)
	made, err := b.api.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &b.place.Bucket, Key: &key, CacheControl: &cache, ContentType: &contentType,
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256, ChecksumType: types.ChecksumTypeComposite,
	})
	if err != nil {
		return err
	}
	up := &multipart{b: b, key: key, id: aws.ToString(made.UploadId), size: partSize(c.Length)}
	defer func() {
		if err != nil {
			up.abort(ctx)
		}
	}()
	up.parts = make([]types.CompletedPart, (c.Length+up.size-1)/up.size)
	if err := up.send(ctx, c); err != nil {
		return err
	}
	return up.complete(ctx, name, c, ifNoneMatch)
}

// send reads the content once, in order, and sends its parts side by side. It
// fails where the content is not what it claims to be: the server compares every part with the hash that was known
// before, or all of it is hashed here once more.
func (u *multipart) send(ctx context.Context, c Content) error {
	r, err := c.Open()
	if err != nil {
		return &localError{err}
	}
	defer r.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var body io.Reader = contextReader{ctx, r}
	if c.parts == nil {
		body = newChecked(body, c)
	}
	var running sync.WaitGroup
	for i := range u.parts {
		length := min(u.size, c.Length-int64(i)*u.size)
		weight := min(length, partMemory)
		if err := u.b.memory.Acquire(ctx, weight); err != nil {
			break
		}
		part := take(length)
		if _, err := io.ReadFull(body, part); err != nil {
			u.b.memory.Release(weight)
			give(part)
			cancel(&localError{err})
			break
		}
		running.Go(func() {
			defer u.b.memory.Release(weight)
			defer give(part)
			digest := c.part(i, part)
			if err := u.sendPart(ctx, i, part, digest); err != nil {
				if judge(err) == refused && sum(part) != digest {
					err = &localError{fmt.Errorf("it has changed since it was read first, near byte %d", int64(i)*u.size)}
				}
				cancel(err)
			}
		})
	}
	running.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// part is the hash of the i-th part, which holds data if nothing has changed since it was read first.
func (c Content) part(i int, data []byte) [32]byte {
	if c.parts != nil {
		return c.parts[i]
	}
	return sum(data)
}

// sendPart sends one part. Sending it again is harmless, so the SDK may.
func (u *multipart) sendPart(ctx context.Context, i int, part []byte, digest [32]byte) error {
	number := int32(i + 1)
	ctx, cancel := context.WithTimeoutCause(ctx, readTries*(grace+time.Duration(len(part)/slowest)*time.Second), errStuck)
	defer cancel()
	out, err := u.b.api.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &u.b.place.Bucket, Key: &u.key, UploadId: &u.id, PartNumber: &number,
		Body: bytes.NewReader(part), ContentLength: aws.Int64(int64(len(part))), ChecksumSHA256: aws.String(base64Sum(digest)),
	}, signPayload(digest))
	if err != nil {
		return errors.Join(err, stuck(ctx))
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.parts[i] = types.CompletedPart{PartNumber: &number, ETag: out.ETag, ChecksumSHA256: aws.String(base64Sum(digest))}
	return nil
}

// complete makes the object of its parts, if there is none yet. A lost answer is repeated
// here: the parts need not be sent again as long as the upload is known.
func (u *multipart) complete(ctx context.Context, name string, c Content, ifNoneMatch *string) error {
	var err error
	for try := range writeTries {
		if try > 0 {
			if err := pause(ctx, try); err != nil {
				return err
			}
		}
		_, err = u.b.api.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &u.b.place.Bucket, Key: &u.key, UploadId: &u.id, IfNoneMatch: ifNoneMatch,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
		}, once)
		if judge(err) != unknown && (statusOf(err) != http.StatusNotFound || try == 0) {
			return err
		}
		if u.b.Same(ctx, name, c) == nil {
			return nil
		}
	}
	return err
}

// abort takes the parts away, also after ctx has ended. What it cannot reach, the bucket's rule for unfinished uploads does.
func (u *multipart) abort(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	_, _ = u.b.api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.b.place.Bucket, Key: &u.key, UploadId: &u.id}, once)
}

// compositeChecksum is what S3 keeps of an object that came in parts: the SHA-256 of its parts' SHA-256.
func compositeChecksum(ctx context.Context, c Content) (string, error) {
	if c.parts == nil {
		parts := newParted(c.Length)
		r, err := c.Open()
		if err != nil {
			return "", &localError{err}
		}
		defer r.Close()
		if _, err := io.Copy(parts, newChecked(contextReader{ctx, r}, c)); err != nil {
			return "", &localError{err}
		}
		parts.end()
		c.parts = parts.sums
	}
	whole := sha256.New()
	for _, part := range c.parts {
		whole.Write(part[:])
	}
	return fmt.Sprintf("%s-%d", base64Sum(digestOf(whole)), len(c.parts)), nil
}

// parts is where buffers of the usual size wait to be used again.
var parts = sync.Pool{New: func() any { return make([]byte, smallestPart) }}

func take(length int64) []byte {
	if length > smallestPart {
		return make([]byte, length)
	}
	return parts.Get().([]byte)[:length]
}

func give(part []byte) {
	if cap(part) == smallestPart {
		parts.Put(part[:cap(part)]) //nolint:staticcheck // one small header per 8 MiB
	}
}
