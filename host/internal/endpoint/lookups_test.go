package endpoint

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/backend"
)

// slowStore answers when it is released.
type slowStore struct {
	asked   chan struct{}
	release chan struct{}
}

func (s slowStore) ByToken(context.Context, []byte) (store.Subscription, bool, error) {
	s.asked <- struct{}{}
	<-s.release
	return store.Subscription{}, false, nil
}

func (slowStore) Heard(context.Context, []Heard) error { return nil }

func TestNoMoreThanAFewAskTheStoreAtOnce(t *testing.T) {
	t.Parallel()
	slow := slowStore{asked: make(chan struct{}), release: make(chan struct{})}
	h := New(Options{
		Tenants: func() []string { return []string{"Default"} }, Subscriptions: slow, MaxUntrusted: maxLookups,
		Receiver: func(string) (backend.Pusher, bool) { return nil, false },
	})
	post := func(ctx context.Context) int {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, NotificationPath+"?Default&k=guess", strings.NewReader("x"))
		h.ServeHTTP(w, r.WithContext(ctx))
		return w.Code
	}
	var all sync.WaitGroup
	for range maxLookups {
		all.Go(func() { post(t.Context()) })
		<-slow.asked
	}
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if got := post(impatient); got != http.StatusServiceUnavailable {
		t.Errorf("whose turn does not come is answered %d, want 503 and never Unsubscribe", got)
	}
	close(slow.release)
	all.Wait()
}
