package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// spread calls do for 0 to n-1, so many at a time.
func spread(ctx context.Context, atOnce, n int, do func(i int) error) error {
	var next atomic.Int64
	errs := make([]error, atOnce)
	var all sync.WaitGroup
	for w := range atOnce {
		all.Go(func() {
			for {
				i := int(next.Add(1) - 1)
				if i >= n || ctx.Err() != nil {
					return
				}
				if errs[w] = do(i); errs[w] != nil {
					return
				}
			}
		})
	}
	all.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}

// paced is spread at a steady rate: do is told when its turn was due.
func paced(ctx context.Context, perSecond, n int, do func(i int, due time.Time) error) error {
	began := time.Now()
	return spread(ctx, 64, n, func(i int) error {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		return do(i, due)
	})
}
