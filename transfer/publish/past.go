//go:build !offline

package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// A past is a bucket as it was before somebody replaced or deleted objects in it: of numbered files and
// target files the first version, which is the only one that ever was right, and of the timestamp the newest
// one that satisfies verify.
type past struct {
	b      *Bucket
	verify func([]byte) bool
}

// Past returns the bucket's older versions as a store to restore from. verify says whether bytes are a timestamp
// to go back to.
func (b *Bucket) Past(verify func([]byte) bool) Store { return &past{b, verify} }

// mostVersions bounds how many versions of one object are looked through: a
// timestamp a minute, for two months.
const mostVersions = 100_000

// Get implements Store.
func (p *past) Get(ctx context.Context, name string, w io.Writer) (ETag, error) {
	key, err := p.b.key(name)
	if err != nil {
		return "", err
	}
	versions, err := p.versions(ctx, *key)
	if err != nil {
		return "", err
	}
	if len(versions) == 0 {
		return "", ErrNotFound
	}
	if name == timestampName {
		return p.timestamp(ctx, *key, versions, w)
	}
	return p.read(ctx, *key, versions[len(versions)-1], w)
}

// versions lists the versions of one object, the newest first. Marks of deletion are left out.
func (p *past) versions(ctx context.Context, key string) ([]types.ObjectVersion, error) {
	var all []types.ObjectVersion
	list := s3.NewListObjectVersionsPaginator(p.b.api, &s3.ListObjectVersionsInput{Bucket: &p.b.place.Bucket, Prefix: &key})
	for list.HasMorePages() && len(all) < mostVersions {
		page, err := list.NextPage(ctx)
		if err != nil {
			return nil, p.b.explain(actList, err)
		}
		for _, v := range page.Versions {
			if aws.ToString(v.Key) == key {
				all = append(all, v)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b types.ObjectVersion) int {
		return aws.ToTime(b.LastModified).Compare(aws.ToTime(a.LastModified))
	})
	return all, nil
}

func (p *past) read(ctx context.Context, key string, v types.ObjectVersion, w io.Writer) (ETag, error) {
	out, err := p.b.api.GetObject(ctx, &s3.GetObjectInput{Bucket: &p.b.place.Bucket, Key: &key, VersionId: v.VersionId})
	if err != nil {
		return "", p.b.explain(actRead, err)
	}
	_, err = drain(w, out.Body)
	return ETag(aws.ToString(out.ETag)), p.b.explain(actRead, err)
}

// timestamp finds the newest one that verifies.
func (p *past) timestamp(ctx context.Context, key string, versions []types.ObjectVersion, w io.Writer) (ETag, error) {
	for _, v := range versions {
		b := bounded{max: maxSwapped}
		etag, err := p.read(ctx, key, v, &b)
		var bad *badFile
		if errors.As(err, &bad) {
			continue
		}
		if err != nil {
			return "", err
		}
		if p.verify(b.buf.Bytes()) {
			_, err := w.Write(b.buf.Bytes())
			return etag, err
		}
	}
	return "", fmt.Errorf("%w: no version of it is right", ErrNotFound)
}

// PutNew implements Store: it refuses.
func (p *past) PutNew(context.Context, string, Content) error { return errPast }

// PutIf implements Store: it refuses.
func (p *past) PutIf(context.Context, string, []byte, ETag) (ETag, error) { return "", errPast }

var errPast = errors.New("nothing can be put into the past")
