package httpauth

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/roomwire/roomwire/sdk/fault"
)

// A trial lets one request at a time show that an identity is accepted, until one has: many callers with a wrong
// password would else lock the account out before the first of them learns of it. Those who wait when a request is refused
// are refused with it.
type trial struct {
	accepted atomic.Bool
	refusal  atomic.Pointer[error] // the latest
	flight   flight[struct{}]
}

// trialSet holds the trials of a Transport.
type trialSet struct {
	mu   sync.Mutex
	byID map[poolKey]*trial
}

func (s *trialSet) trial(k poolKey) *trial {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID == nil {
		s.byID = map[poolKey]*trial{}
	}
	t, ok := s.byID[k]
	if !ok {
		t = &trial{}
		s.byID[k] = t
	}
	return t
}

// send makes the request by do, now or after those that are on trial.
func (t *trial) send(ctx context.Context, do func() (*http.Response, error)) (*http.Response, error) {
	known := t.refusal.Load()
	for !t.accepted.Load() {
		if since := t.refusal.Load(); since != known {
			return nil, *since
		}
		var resp *http.Response
		mine := false
		_, err := t.flight.do(ctx, func() (struct{}, error) {
			var err error
			mine = true
			resp, err = t.judged(do()) //nolint:bodyclose // the caller's caller closes it
			return struct{}{}, err
		})
		if mine || fault.Of(err) == fault.Unauthorized {
			return resp, err
		}
		if ctx.Err() != nil { // the other's answer, even a good one, is none of ours
			return nil, ctx.Err()
		}
	}
	return t.judged(do())
}

// judged keeps in mind what the answer says of the identity.
func (t *trial) judged(resp *http.Response, err error) (*http.Response, error) {
	switch {
	case err == nil:
		t.accepted.Store(true)
	case fault.Of(err) == fault.Unauthorized:
		t.accepted.Store(false)
		t.refusal.Store(&err)
	}
	return resp, err
}
