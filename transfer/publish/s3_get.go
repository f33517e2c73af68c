//go:build !offline

package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"conclave/transfer"
)

// Get implements Store. A read that breaks off goes on where it stopped, on the same state of the object.
func (b *Bucket) Get(ctx context.Context, name string, w io.Writer) (ETag, error) {
	key, err := b.key(name)
	if err != nil {
		return "", err
	}
	var etag ETag
	written := int64(0)
	for try := range readTries {
		if try > 0 {
			if err := pause(ctx, try); err != nil {
				return "", err
			}
		}
		in := &s3.GetObjectInput{Bucket: &b.place.Bucket, Key: key}
		if written > 0 {
			in.Range, in.IfMatch = aws.String(fmt.Sprintf("bytes=%d-", written)), aws.String(string(etag))
		}
		var out *s3.GetObjectOutput
		out, err = b.api.GetObject(ctx, in)
		if written > 0 && statusOf(err) == http.StatusPreconditionFailed {
			return "", fmt.Errorf("read: %w", ErrChanged)
		}
		if err != nil {
			return "", b.explain(actRead, err) // the SDK has tried often enough
		}
		etag = ETag(aws.ToString(out.ETag))
		var n int64
		n, err = drain(w, out.Body)
		written += n
		var local *localError
		if err == nil || errors.As(err, &local) || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return "", b.explain(actRead, err)
	}
	return etag, nil
}

// drain copies body to w and closes it. An error of w is a localError: no second try mends it.
func drain(w io.Writer, body io.ReadCloser) (int64, error) {
	defer body.Close()
	sink := &sinkWriter{w: w}
	n, err := transfer.Copy(sink, body)
	if sink.err != nil {
		err = &localError{sink.err}
	}
	return n, err
}

// sinkWriter remembers that the writer failed, and not the reader.
type sinkWriter struct {
	w   io.Writer
	err error
}

func (s *sinkWriter) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil {
		s.err = err
	}
	return n, err
}

// Same compares an object with content, by the checksum that the server keeps or, where
// it keeps none, by reading the object.
func (b *Bucket) Same(ctx context.Context, name string, c Content) error {
	key, err := b.key(name)
	if err != nil {
		return err
	}
	head, err := b.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.place.Bucket, Key: key, ChecksumMode: types.ChecksumModeEnabled})
	if statusOf(err) == http.StatusNotFound {
		return ErrNotFound
	}
	if err != nil {
		return b.explain(actLook, err)
	}
	if n := aws.ToInt64(head.ContentLength); n != c.Length {
		return fmt.Errorf("it has %d bytes where %d were expected", n, c.Length)
	}
	kept := aws.ToString(head.ChecksumSHA256)
	var want string
	switch {
	case kept == "":
		return contains(ctx, b, name, c)
	case !strings.Contains(kept, "-"):
		want = base64Sum(c.SHA256)
	default:
		if want, err = compositeChecksum(ctx, c); err != nil {
			return err
		}
		if partsOf(kept) != partsOf(want) { // uploaded in other parts than ours
			return contains(ctx, b, name, c)
		}
	}
	if kept != want {
		return fmt.Errorf("its SHA-256 is %s where %s was expected", kept, want)
	}
	return nil
}

// partsOf is the number of parts behind a composite checksum.
func partsOf(checksum string) string {
	_, n, _ := strings.Cut(checksum, "-")
	return n
}
