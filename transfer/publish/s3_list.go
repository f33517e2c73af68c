//go:build !offline

package publish

import (
	"context"
	"errors"
	"maps"
	"slices"
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
// than to ask for every name. Where most are expected to be there, it knows where each page of the list must begin, and asks
// for all pages at once.
func (b *Bucket) Lengths(ctx context.Context, prefix string, names []string, expected bool) (map[string]int64, error) {
	if len(names) < listPrice {
		return b.lookUp(ctx, names)
	}
	stretches := [][]string{slices.Sorted(slices.Values(names))}
	if expected {
		stretches = slices.Collect(slices.Chunk(stretches[0], listPage))
	}
	there := map[string]int64{}
	var mu sync.Mutex
	err := each(ctx, slices.Collect(seq(len(stretches))), func(ctx context.Context, i int) error {
		after := ""
		if i > 0 {
			after = stretches[i-1][len(stretches[i-1])-1]
		}
		found, err := b.list(ctx, prefix, after, stretches[i])
		mu.Lock()
		defer mu.Unlock()
		maps.Copy(there, found)
		return err
	})
	return there, err
}

// list lists what lies under prefix and behind the name after, up to the last of names, which are sorted.
func (b *Bucket) list(ctx context.Context, prefix, after string, names []string) (map[string]int64, error) {
	in := &s3.ListObjectsV2Input{Bucket: &b.place.Bucket, Prefix: aws.String(b.place.Prefix + prefix)}
	if after != "" {
		in.StartAfter = aws.String(b.place.Prefix + after)
	}
	there, last := map[string]int64{}, names[len(names)-1]
	pages := s3.NewListObjectsV2Paginator(b.api, in)
	for range len(names)/listPrice + 1 {
		page, err := pages.NextPage(ctx)
		if err != nil {
			if err = b.explain(actList, err); errors.Is(err, ErrDenied) {
				return b.lookUp(ctx, names)
			}
			return nil, err
		}
		reached := ""
		for _, o := range page.Contents {
			reached = strings.TrimPrefix(aws.ToString(o.Key), b.place.Prefix)
			there[reached] = aws.ToInt64(o.Size)
		}
		if !pages.HasMorePages() || reached >= last {
			return there, nil
		}
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
