package endpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
)

// maxBatch bounds one transaction.
const maxBatch = 500

// linger is how long a mere sign of life waits for others to share its transaction. 100,000 subscriptions give 55 of them a
// second, and nobody waits for one.
const linger = 250 * time.Millisecond

// A batcher lets messages that arrive while a transaction runs share the next one. The first of a batch commits it, in
// its own goroutine; the others wait for it.
type batcher struct {
	commit  func(ctx context.Context, batch []Heard) error
	timeout time.Duration
	linger  time.Duration // of signs of life
	turn    chan struct{} // held by the one that commits

	mu   sync.Mutex
	open *batch // takes messages; nil if the next one begins a batch
}

type batch struct {
	heard  []Heard
	urgent bool          // one of them is more than a sign of life
	news   chan struct{} // closed when it is urgent
	done   chan struct{} // closed when errs is set
	errs   []error       // per message
}

func newBatcher(commit func(ctx context.Context, batch []Heard) error, timeout time.Duration) *batcher {
	return &batcher{commit: commit, timeout: timeout, linger: linger, turn: make(chan struct{}, 1)}
}

// add returns when h is durable, or with the reason why it is not known to be.
func (b *batcher) add(ctx context.Context, h Heard) error {
	b.mu.Lock()
	cur := b.open
	first := cur == nil || len(cur.heard) >= maxBatch
	if first {
		cur = &batch{news: make(chan struct{}), done: make(chan struct{})}
		b.open = cur
	}
	mine := len(cur.heard)
	cur.heard = append(cur.heard, h)
	if h.Kind != backend.Alive && !cur.urgent {
		cur.urgent = true
		close(cur.news)
	}
	b.mu.Unlock()

	if first {
		if h.Kind == backend.Alive {
			cur.wait(ctx, b.linger)
		}
		b.run(ctx, cur)
	}
	select {
	case <-cur.done:
		return cur.errs[mine]
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// wait returns when the batch is urgent, or has waited long enough.
func (b *batch) wait(ctx context.Context, long time.Duration) {
	over := time.NewTimer(long)
	defer over.Stop()
	select {
	case <-b.news:
	case <-over.C:
	case <-ctx.Done(): // the others may still be there
	}
}

// run commits cur when its turn comes. It does not end early with ctx, because other messages depend on it.
func (b *batcher) run(ctx context.Context, cur *batch) {
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	b.mu.Lock()
	if b.open == cur {
		b.open = nil
	}
	heard := cur.heard
	b.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.timeout)
	defer cancel()
	errs := make([]error, len(heard))
	defer func() {
		cur.errs = errs
		close(cur.done)
	}()
	merged := merge(heard)
	err := b.safely(ctx, merged)
	if err == nil {
		return
	}
	// One bad entry must not cost the others their mark: each gets a transaction, and an error, of its own.
	single := map[string]error{}
	for _, h := range merged {
		if len(merged) > 1 && ctx.Err() == nil {
			single[string(h.TokenHash)] = b.safely(ctx, []Heard{h})
		} else {
			single[string(h.TokenHash)] = err
		}
	}
	for i, h := range heard {
		errs[i] = single[string(h.TokenHash)]
	}
}

var errPanicked = errors.New("recording what was heard panicked")

// safely turns a panic into an error: the messages of other callers hang on this call.
func (b *batcher) safely(ctx context.Context, heard []Heard) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %v", errPanicked, v)
		}
	}()
	return b.commit(ctx, heard)
}

// merge keeps one entry per subscription: the strongest hint and the latest time. They are in the order of their mailboxes,
// which is that in which everybody locks many: PostgreSQL takes a second to find a deadlock.
func merge(heard []Heard) []Heard {
	at := make(map[string]int, len(heard))
	merged := make([]Heard, 0, len(heard))
	for _, h := range heard {
		i, ok := at[string(h.TokenHash)]
		if !ok {
			at[string(h.TokenHash)] = len(merged)
			merged = append(merged, h)
			continue
		}
		m := &merged[i]
		m.Kind = max(m.Kind, h.Kind)
		if h.At.After(m.At) {
			m.At = h.At
		}
	}
	slices.SortStableFunc(merged, func(a, b Heard) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Person, b.Person))
	})
	return merged
}
