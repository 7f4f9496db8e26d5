package httpauth

import (
	"context"
	"sync"
)

// A flight lets many callers share one piece of work. Unlike golang.org/x/sync/singleflight, a caller whose own context
// ends takes nobody with it: the next one does the work.
type flight[T any] struct {
	mu   sync.Mutex
	work *work[T]
}

type work[T any] struct {
	done      chan struct{}
	value     T
	err       error
	abandoned bool // the context of the caller who did it ended
}

func (f *flight[T]) do(ctx context.Context, fn func() (T, error)) (T, error) {
	for {
		f.mu.Lock()
		w := f.work
		if w == nil {
			w = &work[T]{done: make(chan struct{})}
			f.work = w
			f.mu.Unlock()
			w.value, w.err = fn()
			w.abandoned = w.err != nil && ctx.Err() != nil
			f.mu.Lock()
			f.work = nil
			f.mu.Unlock()
			close(w.done)
			return w.value, w.err
		}
		f.mu.Unlock()
		select {
		case <-w.done:
			if !w.abandoned {
				return w.value, w.err
			}
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		}
	}
}
