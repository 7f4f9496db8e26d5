// Package webhook tells other systems of changes: it sends the change feed to URLs, signed as Standard Webhooks has it.
//
// A webhook is a cursor over the feed. It moves once the other side has taken a message, or the message was given up and
// laid aside as dead. So nothing is lost and the order is kept, whatever dies. A message may come twice; its webhook-id
// is then the same.
package webhook

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/host/internal/store"
)

// ErrNotFound means that there is no such webhook or dead message; it is wrapped with which.
var ErrNotFound = errors.New("not found")

// An InvalidError refuses what somebody wants of a webhook.
type InvalidError struct {
	Field  string // as in the REST API
	Reason string // a sentence that says what to do
}

// Error implements error.
func (e *InvalidError) Error() string { return e.Field + " " + e.Reason }

// Options makes a Service.
type Options struct {
	Store *store.Store
	Log   hclog.Logger
	Now   func() time.Time
	// Holder names this host among those that share the store. Empty: a random name.
	Holder string
	// Render gives a change the form it has in the REST API. It is required.
	Render func(store.ChangeRecord) (json.RawMessage, error)
	// Plain allows http:// to other machines, too.
	Plain bool
	// TLS is how the other side's certificate is checked; nil: by the system's authorities.
	TLS *tls.Config
}

// Service sends webhooks and keeps them. It is safe for concurrent use.
type Service struct {
	Options
	http   *http.Client
	spread func() float64 // of waits, 0 to 1
	grace  time.Duration  // how long a message under way may outlive a stop
	counts counters

	mu   sync.Mutex
	kick chan struct{} // closed when webhooks were changed here
}

// New returns a Service. Run makes it work.
func New(o Options) *Service {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Holder == "" {
		o.Holder = random(8)
	}
	return &Service{Options: o, http: newClient(o.TLS), spread: fraction, grace: stopGrace, kick: make(chan struct{})}
}

func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// A Wish is what somebody wants a webhook to be.
type Wish struct {
	Name     string
	URL      string
	Kinds    []string // of changes: created, updated, cancelled, problem, answered; empty: all
	Disabled bool
}

// Create makes a webhook that is sent every change from now on. Its Secret is given here and by RotateSecret only. The
// error may be *InvalidError.
func (s *Service) Create(ctx context.Context, tenant string, want Wish) (store.Webhook, error) {
	if err := s.check(want); err != nil {
		return store.Webhook{}, err
	}
	secret := newSecret()
	w := store.Webhook{
		Tenant: tenant, ID: "wh_" + random(10), Name: want.Name, URL: want.URL, Secret: secret, Kinds: want.Kinds,
		Disabled: want.Disabled, Created: s.now(),
	}
	err := s.Store.Tx(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		if w.Seq, err = tx.LastSeq(ctx, tenant); err != nil {
			return err
		}
		return tx.PutWebhook(ctx, w)
	})
	if err != nil {
		return store.Webhook{}, err
	}
	s.changed()
	return w, nil
}

// Update changes a webhook. What it was not sent while it was disabled is sent once it no longer is, and what waits for
// another try is tried at once. Errors: ErrNotFound, *InvalidError.
func (s *Service) Update(ctx context.Context, tenant, id string, want Wish) (store.Webhook, error) {
	if err := s.check(want); err != nil {
		return store.Webhook{}, err
	}
	return s.change(ctx, tenant, id, func(w *store.Webhook) {
		w.Name, w.URL, w.Kinds, w.Disabled = want.Name, want.URL, want.Kinds, want.Disabled
		w.Attempts, w.NextAt = 0, time.Time{}
	})
}

// RotateSecret gives a webhook another secret and returns it. For a day messages are signed with the old one as well, so
// that the other side has time to take the new one over. The error may be ErrNotFound.
func (s *Service) RotateSecret(ctx context.Context, tenant, id string) (secret string, err error) {
	secret = newSecret()
	_, err = s.change(ctx, tenant, id, func(w *store.Webhook) {
		w.Secret = rotated(w.Secret, secret, s.now().Add(oldSecretFor))
	})
	return secret, err
}

// Delete forgets a webhook with its dead messages. The error may be ErrNotFound.
func (s *Service) Delete(ctx context.Context, tenant, id string) error {
	err := s.Store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		found, err := tx.DeleteWebhook(ctx, tenant, id)
		if err == nil && !found {
			err = notFound(id)
		}
		return err
	})
	if err == nil {
		s.changed()
	}
	return err
}

// Get returns a webhook without its secret. The error may be ErrNotFound.
func (s *Service) Get(ctx context.Context, tenant, id string) (store.Webhook, error) {
	w, found, err := s.Store.Webhook(ctx, tenant, id)
	if err == nil && !found {
		err = notFound(id)
	}
	w.Secret = ""
	return w, err
}

// List returns the webhooks of a tenant without their secrets, oldest first.
func (s *Service) List(ctx context.Context, tenant string) ([]store.Webhook, error) {
	list, err := s.Store.Webhooks(ctx, tenant)
	for i := range list {
		list[i].Secret = ""
	}
	return list, err
}

// Dead returns the messages that a webhook was given up for, after the change with the given number. The error may be
// ErrNotFound.
func (s *Service) Dead(ctx context.Context, tenant, id string, page Page) ([]store.DeadMessage, error) {
	w, err := s.Get(ctx, tenant, id)
	if err != nil {
		return nil, err
	}
	return s.Store.DeadMessages(ctx, w, page.After, page.Limit)
}

// A Page chooses a part of a list.
type Page struct {
	After int64 // number of the last change of the page before
	Limit int   // 0: as many as a page may hold
}

// change reads, changes and writes a webhook.
func (s *Service) change(ctx context.Context, tenant, id string, f func(*store.Webhook)) (store.Webhook, error) {
	var w store.Webhook
	err := s.Store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		var found bool
		var err error
		if w, found, err = tx.Webhook(ctx, tenant, id); err != nil {
			return err
		} else if !found {
			return notFound(id)
		}
		f(&w)
		return tx.PutWebhook(ctx, w)
	})
	if err != nil {
		return store.Webhook{}, err
	}
	s.changed()
	w.Secret = ""
	return w, nil
}

// changed wakes those of this host who work on webhooks. Other hosts look now and then.
func (s *Service) changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.kick)
	s.kick = make(chan struct{})
}

func (s *Service) changes() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kick
}

func notFound(id string) error { return fmt.Errorf("webhook %q: %w", id, ErrNotFound) }

// random returns n random bytes in hexadecimal digits.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
