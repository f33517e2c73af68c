//go:build !offline

package publish

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
)

// Tries of a write. A server that is out for longer ends the push; running it again completes it.
const (
	writeTries = 6
	firstWait  = 100 * time.Millisecond
)

// slowest is the rate below which an upload counts as stuck, and grace what any request may take.
const (
	slowest = 64 << 10 // bytes a second
	grace   = 60 * time.Second
)

// PutNew implements Store.
func (b *Bucket) PutNew(ctx context.Context, name string, c Content) error {
	key, err := b.key(name)
	if err != nil {
		return err
	}
	if c.Length > multipartAbove {
		return b.putLarge(ctx, name, *key, c)
	}
	for try := range writeTries {
		if try > 0 {
			if err := pause(ctx, try); err != nil {
				return err
			}
		}
		err = b.putOnce(ctx, name, *key, c, createCondition)
		settled, then := b.settle(ctx, name, c, err)
		if settled {
			return then
		}
		if judge(err) == occupied && try+1 == buriedTries {
			return buried(err)
		}
	}
	return b.explain(actCreate, err)
}

// buriedTries is how often an object is found both there and not there before that is believed.
const buriedTries = 3

func buried(err error) error {
	return withHint(&bucketError{actCreate + ": " + ErrBuried.Error(), ErrBuried, err}, `nobody may delete here; "conclave publish restore" brings it back`)
}

// Revive puts content without any condition, for a restore whose PutNew has met ErrBuried. One operator does it at a time.
func (b *Bucket) Revive(ctx context.Context, name string, c Content) error {
	key, err := b.key(name)
	if err != nil {
		return err
	}
	if c.Length > multipartAbove {
		return b.explain(actUpload, b.uploadParts(ctx, name, *key, c, nil))
	}
	return b.explain(actCreate, b.putOnce(ctx, name, *key, c, nil))
}

// settle decides what a create-only write has come to: done, lost to another writer, failed, or to be tried again.
func (b *Bucket) settle(ctx context.Context, name string, c Content, err error) (settled bool, then error) {
	switch judge(err) {
	case done:
		return true, nil
	case refused:
		return true, b.explain(actCreate, err)
	case clash:
		return false, nil
	}
	if ctx.Err() != nil {
		return true, ctx.Err()
	}
	// It may be there: ours, if the answer was lost, or another's.
	switch found := b.Same(ctx, name, c); {
	case found == nil:
		return true, nil
	case errors.Is(found, ErrNotFound):
		return false, nil
	case judge(err) == occupied && !isTransient(found):
		return true, fmt.Errorf("%w: %w", ErrExists, found)
	case isTransient(found) || errors.Is(found, ErrDenied):
		return true, errors.Join(b.explain(actCreate, err), found)
	default:
		return true, fmt.Errorf("%w: %w", ErrExists, found)
	}
}

// isTransient reports whether a comparison could not be made, as opposed to having found a difference.
func isTransient(err error) bool {
	var failed *bucketError
	return errors.As(err, &failed) || isLocal(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// createCondition is If-None-Match: nothing may be there.
var createCondition = aws.String("*")

// putOnce sends one request that puts an object.
func (b *Bucket) putOnce(ctx context.Context, name, key string, c Content, ifNoneMatch *string) error {
	r, err := c.Open()
	if err != nil {
		return &localError{err}
	}
	defer r.Close()
	body := newChecked(r, c)
	if c.Length == 0 { // nothing is ever read of it
		if err := body.end(); err != nil {
			return &localError{err}
		}
	}
	err = b.put(ctx, &s3.PutObjectInput{Key: &key, Body: body, IfNoneMatch: ifNoneMatch}, name, c.Length, c.SHA256)
	if wrong := body.wrong(); wrong != nil && err != nil { // the transport hides it
		return &localError{wrong}
	}
	return err
}

// put sends in with everything that is the same for all objects.
func (b *Bucket) put(ctx context.Context, in *s3.PutObjectInput, name string, length int64, digest [32]byte) error {
	_, err := b.putETag(ctx, in, name, length, digest)
	return err
}

func (b *Bucket) putETag(ctx context.Context, in *s3.PutObjectInput, name string, length int64, digest [32]byte) (ETag, error) {
	cache, contentType := headers(name)
	in.Bucket, in.ContentLength = &b.place.Bucket, &length
	in.CacheControl, in.ContentType = &cache, &contentType
	in.ChecksumSHA256 = aws.String(base64Sum(digest))
	ctx, cancel := context.WithTimeoutCause(ctx, grace+time.Duration(length/slowest)*time.Second, errStuck)
	defer cancel()
	out, err := b.api.PutObject(ctx, in, once, signPayload(digest))
	if err != nil {
		return "", errors.Join(err, stuck(ctx))
	}
	return ETag(aws.ToString(out.ETag)), nil
}

var errStuck = errors.New("the server takes nothing any more")

// stuck is errStuck where that is why ctx ended, else nil.
func stuck(ctx context.Context) error {
	if context.Cause(ctx) == errStuck { //nolint:errorlint // the cause itself
		return errStuck
	}
	return nil
}

// once keeps the SDK from repeating a write: it does not know what a lost answer means here.
func once(o *s3.Options) { o.Retryer = aws.NopRetryer{} }

// signPayload puts the content's hash, which is known, under the request's signature.
// The SDK would read the content twice for it over http, and leave it out over https.
func signPayload(digest [32]byte) func(*s3.Options) {
	add := middleware.FinalizeMiddlewareFunc("ConclavePayloadHash",
		func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			return next.HandleFinalize(v4.SetPayloadHash(ctx, hex.EncodeToString(digest[:])), in)
		})
	return s3.WithAPIOptions(func(stack *middleware.Stack) error { return stack.Finalize.Add(add, middleware.Before) })
}

func base64Sum(digest [32]byte) string { return base64.StdEncoding.EncodeToString(digest[:]) }

// PutIf implements Store.
func (b *Bucket) PutIf(ctx context.Context, name string, data []byte, old ETag) (ETag, error) {
	key, err := b.key(name)
	if err != nil {
		return "", err
	}
	for try := range writeTries {
		if try > 0 {
			if err := pause(ctx, try); err != nil {
				return "", err
			}
		}
		var etag ETag
		etag, err = b.swapOnce(ctx, name, key, data, old)
		etag, settled, then := b.settleSwap(ctx, name, data, old, etag, err)
		if settled {
			return etag, then
		}
	}
	return "", b.explain(actSwap, err)
}

func (b *Bucket) swapOnce(ctx context.Context, name string, key *string, data []byte, old ETag) (ETag, error) {
	in := &s3.PutObjectInput{Key: key, Body: bytes.NewReader(data)}
	if old == Absent {
		in.IfNoneMatch = aws.String("*")
	} else {
		in.IfMatch = aws.String(string(old))
	}
	return b.putETag(ctx, in, name, int64(len(data)), sum(data))
}

// settleSwap decides what a compare-and-swap has come to.
func (b *Bucket) settleSwap(ctx context.Context, name string, data []byte, old, put ETag, err error) (etag ETag, settled bool, then error) {
	switch j := judge(err); {
	case j == done:
		return put, true, nil
	case j == clash:
		return "", false, nil
	case statusOf(err) == 404 && codeOf(err) != "NoSuchBucket" && old != Absent:
		return "", true, withHint(fmt.Errorf("%w: %s", ErrVanished, name),
			"nobody may delete it: find out who did; newer versions of the object, or a backup, bring it back")
	case j == refused:
		return "", true, b.explain(actSwap, err)
	}
	if ctx.Err() != nil {
		return "", true, ctx.Err()
	}
	live, now, found := read(ctx, b, name, int64(max(len(data), maxSwapped)))
	switch {
	case found == nil && bytes.Equal(live, data):
		return now, true, nil // it took effect, and the answer was lost
	case found == nil && now == old:
		return "", false, nil
	case errors.Is(found, ErrNotFound) && old == Absent:
		return "", false, nil
	case found == nil:
		return "", true, ErrChanged
	case errors.Is(found, ErrNotFound):
		return "", true, fmt.Errorf("%w: %s", ErrVanished, name)
	}
	return "", true, errors.Join(b.explain(actSwap, err), found)
}

// maxSwapped is more than any object that is swapped.
const maxSwapped = 1 << 20

// checked reads content and fails, before its last byte is out, where it is not what it claims to be.
type checked struct {
	r  io.Reader
	c  Content
	mu sync.Mutex // the transport may still read when the answer is there

	// owned by mu
	h     hash.Hash
	n     int64
	ended bool  // the end was looked at
	err   error // what was wrong with it
}

func newChecked(r io.Reader, c Content) *checked { return &checked{r: r, c: c, h: sha256.New()} }

// Read implements io.Reader. The server compares the same hash; this one says what is wrong.
func (k *checked) Read(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return 0, k.err
	}
	if k.n == k.c.Length {
		if k.err = k.end(); k.err != nil {
			return 0, k.err
		}
		return 0, io.EOF
	}
	n, err := k.r.Read(p[:min(int64(len(p)), k.c.Length-k.n)])
	k.h.Write(p[:n])
	k.n += int64(n)
	if k.n == k.c.Length {
		if k.err = k.end(); k.err != nil {
			return 0, k.err
		}
		return n, nil
	}
	switch {
	case errors.Is(err, io.EOF):
		k.err = k.c.compare(k.n, k.h)
	case err != nil:
		k.err = err
	}
	return n, k.err
}

// wrong is what was wrong with the content as far as it was read.
func (k *checked) wrong() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// end checks that the content ends where it should, with the right hash.
func (k *checked) end() error {
	if k.ended {
		return nil
	}
	k.ended = true
	var more [1]byte
	if n, _ := io.ReadFull(k.r, more[:]); n > 0 {
		return k.c.compare(k.c.Length+1, k.h)
	}
	return k.c.compare(k.n, k.h)
}

// randomFraction spreads the tries of many hosts. It protects nothing.
func randomFraction() float64 { return rand.Float64() }
