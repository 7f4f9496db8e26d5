package exchange

import (
	"context"
	"errors"
	"sync"

	"github.com/roomwire/roomwire/plugins/internal/ews"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

const (
	// askers is how many mailboxes are asked at once.
	askers = 4
	// maxRounds bounds what is read of one subscription at a time; the rest is there when it is asked again.
	maxRounds = 20
)

// An asking goes once round the mailboxes that are watched.
type asking struct {
	cancel context.CancelCauseFunc
	emit   func([]backend.Hint) error

	mu      sync.Mutex
	told    bool  // some mailbox was heard of
	refused bool  // the host wants to hear no more
	trouble error // the first of a mailbox that passes: it is asked again next time
}

// ask asks every mailbox for its events, a few at once. What is wrong with one mailbox does not keep the others from being
// asked; what is wrong with the server does.
func (b *Backend) ask(ctx context.Context, watched []backend.Watched, emit func([]backend.Hint) error) error {
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a := &asking{cancel: cancel, emit: emit}
	next := make(chan backend.Watched)
	var all sync.WaitGroup
	for range min(askers, len(watched)) {
		all.Go(func() {
			for w := range next {
				a.heard(b.askOne(within, w))
			}
		})
	}
	for _, w := range watched {
		select {
		case next <- w:
		case <-within.Done():
		}
	}
	close(next)
	all.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case within.Err() != nil:
		return context.Cause(within)
	case a.told:
		return nil
	}
	return a.trouble
}

// heard passes on what one mailbox answered.
func (a *asking) heard(hint backend.Hint, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refused {
		return
	}
	if err == nil {
		a.told = true
		if err := a.emit([]backend.Hint{hint}); err != nil {
			a.refused = true
			a.cancel(err)
		}
		return
	}
	if e, ok := errors.AsType[*fault.Error](err); ok && e.Scope == fault.ScopeServer {
		a.cancel(err)
	}
	if a.trouble == nil {
		a.trouble = err
	}
}

// askOne reads the events of one subscription, round after round until there are no more.
func (b *Backend) askOne(ctx context.Context, w backend.Watched) (backend.Hint, error) {
	ctx = backend.WithMailbox(ctx, w.Mailbox.Address)
	hint := backend.Hint{Subscription: w.Subscription.ID, Kind: backend.Alive}
	r := ews.EventsRequest{
		ID: w.Subscription.ID, Watermark: w.Subscription.Mark, Affinity: ews.ParseAffinity(w.Subscription.Group),
	}
	for range maxRounds {
		n, err := b.ews.GetEvents(ctx, w.Mailbox, r)
		switch {
		case ofMailboxAlone(err):
			hint.Kind, hint.Mark = backend.Lost, ""
			return hint, nil
		case err != nil && hint.Kind == backend.Dirty: // what was read so far is told; the rest is there next time
			return hint, nil
		case err != nil:
			return hint, err
		}
		if n.Events > 0 {
			hint.Kind = backend.Dirty
		}
		hint.Mark, r.Watermark = n.Watermark, n.Watermark
		if !n.More {
			break
		}
	}
	return hint, nil
}
