package watch

import (
	"context"
	"slices"
	"sync"
	"time"
)

// maxBatch bounds one transaction.
const maxBatch = 500

// commitTimeout is how long a transaction may take.
const commitTimeout = 30 * time.Second

// notices lets what groups hear while a transaction runs share the next one. The first of a batch commits it.
type notices struct {
	commit func(ctx context.Context, batch []id) error
	turn   chan struct{} // held by the one that commits

	mu   sync.Mutex
	open *batch // takes more; nil if the next one begins a batch
}

type batch struct {
	who  []id
	done chan struct{} // closed when err is set
	err  error
}

func newNotices(commit func(ctx context.Context, batch []id) error) *notices {
	return &notices{commit: commit, turn: make(chan struct{}, 1)}
}

// add returns when it is durable that something changed in the mailboxes, or why that is not known.
func (n *notices) add(ctx context.Context, who []id) error {
	n.mu.Lock()
	cur := n.open
	first := cur == nil || len(cur.who) >= maxBatch
	if first {
		cur = &batch{done: make(chan struct{})}
		n.open = cur
	}
	cur.who = append(cur.who, who...)
	n.mu.Unlock()
	if first {
		n.run(ctx, cur)
	}
	select {
	case <-cur.done:
		return cur.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// run commits cur when its turn comes, even if ctx ends, because others depend on it.
func (n *notices) run(ctx context.Context, cur *batch) {
	n.turn <- struct{}{}
	defer func() { <-n.turn }()
	n.mu.Lock()
	if n.open == cur {
		n.open = nil
	}
	n.mu.Unlock()
	defer close(cur.done)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	cur.err = n.commit(ctx, ordered(cur.who))
}

// ordered returns each mailbox once, in the order in which everybody locks many: PostgreSQL takes a second to find a deadlock.
func ordered(who []id) []id {
	slices.SortFunc(who, id.compare)
	return slices.Compact(who)
}
