package publish

import (
	"context"
	"sync"
)

// workers is how many requests are under way at once: at 30 ms a round trip that is 2,000 small files a second.
const workers = 64

// each does a thing to all items, many at once, and stops at the first failure.
func each[T any](ctx context.Context, items []T, do func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan T)
	var running sync.WaitGroup
	for range min(workers, len(items)) {
		running.Go(func() {
			for item := range todo {
				if err := do(ctx, item); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, item := range items {
		select {
		case todo <- item:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
	}
	close(todo)
	running.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
