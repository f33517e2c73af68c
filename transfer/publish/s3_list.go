//go:build !offline

package publish

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// listPage is how many names one request lists, and listPrice how many
// look-ups it costs, in money and in time.
const (
	listPage  = 1000
	listPrice = 12
)

// Lengths looks which of the names under prefix are there, and how long they are. It lists while that is cheaper
// than to ask for every name.
func (b *Bucket) Lengths(ctx context.Context, prefix string, names []string) (map[string]int64, error) {
	pages := len(names)/listPrice + 1
	if len(names) < listPrice {
		return b.lookUp(ctx, names)
	}
	there := map[string]int64{}
	under := b.place.Prefix + prefix
	list := s3.NewListObjectsV2Paginator(b.api, &s3.ListObjectsV2Input{Bucket: &b.place.Bucket, Prefix: &under})
	for range pages {
		if !list.HasMorePages() {
			return there, nil
		}
		page, err := list.NextPage(ctx)
		if err != nil {
			if err = b.explain(actList, err); errors.Is(err, ErrDenied) {
				return b.lookUp(ctx, names)
			}
			return nil, err
		}
		for _, o := range page.Contents {
			there[strings.TrimPrefix(aws.ToString(o.Key), b.place.Prefix)] = aws.ToInt64(o.Size)
		}
	}
	if !list.HasMorePages() {
		return there, nil
	}
	return b.lookUp(ctx, names) // far more lies there than we ask for
}

// lookUp asks for every name.
func (b *Bucket) lookUp(ctx context.Context, names []string) (map[string]int64, error) {
	there := map[string]int64{}
	var mu sync.Mutex
	err := each(ctx, names, func(ctx context.Context, name string) error {
		key, err := b.key(name)
		if err != nil {
			return err
		}
		head, err := b.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.place.Bucket, Key: key})
		if err = b.explain(actLook, err); errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		there[name] = aws.ToInt64(head.ContentLength)
		return nil
	})
	return there, err
}
