package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
)

const (
	lookAgain = 5 * time.Second // for what other hosts did
	dutyFor   = time.Minute     // longer than a try takes
	stopGrace = 5 * time.Second
	batch     = 100
)

// Stats counts what was sent since the start of the host.
type Stats struct {
	Sent    uint64 // messages that the other side took
	Failed  uint64 // tries that came to nothing
	GivenUp uint64 // messages that became dead ones
}

type counters struct{ sent, failed, givenUp atomic.Uint64 }

// Stats returns the counts of this host.
func (s *Service) Stats() Stats {
	return Stats{Sent: s.counts.sent.Load(), Failed: s.counts.failed.Load(), GivenUp: s.counts.givenUp.Load()}
}

type name struct{ tenant, id string }

// Run sends until ctx ends: all webhooks beside each other, the messages of each one after the other. Several hosts on one
// store share the webhooks.
func (s *Service) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	running := map[name]worker{}
	defer func() {
		for _, w := range running {
			w.stop()
		}
	}()
	for {
		changed := s.changes()
		all, err := s.Store.Webhooks(ctx, "")
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			s.Log.Error("webhooks cannot be read", "error", err)
		} else {
			wanted := map[name]bool{}
			for _, w := range all {
				wanted[name{w.Tenant, w.ID}] = !w.Disabled
			}
			for n, w := range running {
				if !wanted[n] {
					w.stop()
				}
				if w.hasEnded() { // not before: of two at a time one would send what the other has not stored yet
					delete(running, n)
				}
			}
			for n, on := range wanted {
				if _, runs := running[n]; on && !runs {
					work, stop := context.WithCancel(ctx)
					w := worker{stop: stop, ended: make(chan struct{})}
					running[n] = w
					wg.Go(func() {
						defer s.changed() // it may be wanted again by now
						defer close(w.ended)
						s.work(work, n)
					})
				}
			}
		}
		if !pause(ctx, lookAgain, changed, nil) {
			return nil
		}
	}
}

// A worker serves one webhook.
type worker struct {
	stop  context.CancelFunc
	ended chan struct{}
}

func (w worker) hasEnded() bool {
	select {
	case <-w.ended:
		return true
	default:
		return false
	}
}

// pause waits until one of the two wakes it, or d is over; false once ctx has ended.
func pause(ctx context.Context, d time.Duration, changed, news <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	case <-changed:
	case <-news:
	}
	return ctx.Err() == nil
}

// work serves one webhook until ctx ends.
func (s *Service) work(ctx context.Context, n name) {
	news, cancel := s.Store.WatchChanges(n.tenant)
	defer cancel()
	log := s.Log.With("tenant", n.tenant, "webhook", n.id)
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err := s.Store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.DropDuty(ctx, n.duty(), s.Holder) })
		if err != nil {
			log.Debug("the duty for a webhook was not given back; it runs out", "error", err)
		}
	}()
	for {
		changed := s.changes()
		next, err := s.deliver(ctx, n)
		if err != nil && ctx.Err() == nil {
			log.Error("a webhook cannot be served", "error", err)
		}
		d := lookAgain
		if err == nil && !next.IsZero() {
			d = min(max(next.Sub(s.now()), 0), lookAgain)
		}
		if !pause(ctx, d, changed, news) {
			return
		}
	}
}

func (n name) duty() string { return "webhook/" + n.tenant + "/" + n.id }

// deliver sends what a webhook is to be sent now, and returns when to go on: zero once all is sent.
func (s *Service) deliver(ctx context.Context, n name) (time.Time, error) {
	for {
		w, found, err := s.Store.Webhook(ctx, n.tenant, n.id)
		if err != nil || !found || w.Disabled {
			return time.Time{}, err
		}
		if w.NextAt.After(s.now()) {
			return w.NextAt, nil
		}
		changes, err := s.Store.Changes(ctx, w.Tenant, w.Seq, batch)
		if err != nil || len(changes) == 0 {
			return time.Time{}, err
		}
		if missed := changes[0].Seq - w.Seq - 1; missed > 0 {
			s.Log.Warn("a webhook misses changes: the feed does not keep them for as long as it was not served (keep_changes); "+
				"its receiver has to read the bookings anew", "tenant", w.Tenant, "webhook", w.ID, "changes", missed)
			w.Seq = changes[0].Seq - 1
		}
		i := slices.IndexFunc(changes, func(c store.ChangeRecord) bool { return len(w.Kinds) == 0 || slices.Contains(w.Kinds, c.Kind) })
		skipped := changes
		if i >= 0 {
			skipped = changes[:i]
		}
		if len(skipped) > 0 {
			w.Seq = skipped[len(skipped)-1].Seq
		}
		mine, err := s.hold(ctx, n)
		if err != nil || !mine {
			return time.Time{}, err
		}
		if i >= 0 {
			err = s.attempt(ctx, &w, changes[i])
		} else {
			err = s.save(ctx, w, nil)
		}
		if err != nil {
			return time.Time{}, err
		}
	}
}

// withGrace returns a context that outlives ctx for a while, so that a stop does not have a message sent twice.
func (s *Service) withGrace(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(s.grace, cancel)
		context.AfterFunc(longer, func() { t.Stop() })
	})
	return longer, func() {
		stop()
		cancel()
	}
}

// hold takes the duty for a webhook, or prolongs it; false if another host has it.
func (s *Service) hold(ctx context.Context, n name) (mine bool, err error) {
	err = s.Store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		mine, err = tx.TakeDuty(ctx, n.duty(), s.Holder, tx.Now().Add(dutyFor))
		return err
	})
	return mine, err
}

// attempt tries to send one change and stores what came of it.
func (s *Service) attempt(ctx context.Context, w *store.Webhook, c store.ChangeRecord) error {
	m, err := s.message(*w, c)
	if err != nil {
		return err
	}
	ctx, cancel := s.withGrace(ctx)
	defer cancel()
	err = s.send(ctx, *w, m)
	if err != nil && ctx.Err() != nil {
		return ctx.Err() // the host stops: it was no try
	}
	now := s.now()
	if err == nil {
		w.Seq, w.Attempts, w.NextAt, w.LastOK, w.Failing, w.Problem = c.Seq, 0, time.Time{}, now, time.Time{}, ""
		return s.save(ctx, *w, nil)
	}
	w.Attempts++
	w.Problem = err.Error()
	if w.Failing.IsZero() {
		w.Failing = now
	}
	log := s.Log.With("tenant", w.Tenant, "webhook", w.ID, "change", c.Seq, "tries", w.Attempts, "error", w.Problem)
	if r, is := errors.AsType[*refusal](err); is && r.status == http.StatusGone {
		log.Warn("a webhook is switched off: its receiver wants no more messages")
		w.Attempts, w.NextAt = 0, time.Time{}
		sent := w.URL
		return s.save(ctx, *w, func(ctx context.Context, tx *store.Tx, stored store.Webhook) error {
			if stored.URL != sent {
				return nil // another receiver was named meanwhile
			}
			stored.Disabled = true
			return tx.PutWebhook(ctx, stored)
		})
	}
	if d, again := s.wait(w.Attempts, err); again {
		w.NextAt = now.Add(d)
		log.Info("a message to a webhook did not get through", "again", w.NextAt)
		return s.save(ctx, *w, nil)
	}
	log.Warn("a message to a webhook was given up; it can be sent again")
	dead := store.DeadMessage{Tenant: w.Tenant, Webhook: w.ID, Seq: c.Seq, At: now, Attempts: w.Attempts, Problem: w.Problem}
	w.Seq, w.Attempts, w.NextAt = c.Seq, 0, time.Time{}
	s.counts.givenUp.Add(1)
	return s.save(ctx, *w, func(ctx context.Context, tx *store.Tx, _ store.Webhook) error {
		return tx.AddDeadMessage(ctx, dead)
	})
}

// save stores how far a webhook came, and what also shall be stored with that. It stores nothing if the webhook is gone or
// another host serves it by now.
func (s *Service) save(ctx context.Context, w store.Webhook, also func(context.Context, *store.Tx, store.Webhook) error) error {
	return s.Store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		n := name{w.Tenant, w.ID}
		stored, found, err := tx.Webhook(ctx, w.Tenant, w.ID)
		if err != nil || !found {
			return err
		}
		mine, err := tx.TakeDuty(ctx, n.duty(), s.Holder, tx.Now().Add(dutyFor))
		if err != nil {
			return err
		}
		if !mine {
			return fmt.Errorf("webhook %s is served by another host", w.ID)
		}
		if stored.Seq > w.Seq {
			return nil // this host was away for so long that another one came further
		}
		if stored.URL != w.URL {
			w.Attempts, w.NextAt = 0, time.Time{} // changed while the old one was tried
		}
		if also != nil {
			if err := also(ctx, tx, stored); err != nil {
				return err
			}
		}
		return tx.SaveWebhookProgress(ctx, w)
	})
}
