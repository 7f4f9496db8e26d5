package main

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/fault"
)

// The times of the cache.
const (
	// hostMargin is how long before Header.Expires the sdk asks for another header.
	hostMargin = 30 * time.Second
	// askAgain is when the host asks next while a renewal is under way or waits.
	askAgain = 30 * time.Second
	// youngFor is how long a token that the server refuses is not replaced: another one would be refused as well.
	youngFor = time.Minute
	// bareFor is how long a token without any permission serves before another is asked for: once somebody consents, the next
	// one has them. Where permissions are given in Exchange (RBAC for Applications), tokens never have any.
	bareFor = 2 * time.Minute
	// requestTimeout bounds one round with the login server.
	requestTimeout = 30 * time.Second
	// firstPause and lastPause bound the wait after failures; maxPause what a server may ask for.
	firstPause, lastPause, maxPause = 15 * time.Second, 5 * time.Minute, time.Hour
	// minRenewBefore keeps the end of a token from meeting requests under way.
	minRenewBefore     = time.Minute
	defaultRenewBefore = 20 * time.Minute
)

// A token is an access token. The zero value is none.
type token struct {
	value               string
	issued, renew, ends time.Time // renew is when it should be replaced
	bare                bool      // it bears no permission
}

// bearer is the value of the Authorization header.
func (t token) bearer() string { return "Bearer " + t.value }

// An issue gets a token from the login server; claims are those that a server insists on, or empty.
type issue func(ctx context.Context, scope, claims string) (token, error)

// errYoung means that the server refuses a token that was issued just now.
var errYoung = errors.New("a token that was issued just now is refused")

// tokens keeps one token for each scope. A scope's token is asked for once for all who wait, renewed ahead of its end
// while the one before serves, and not asked for again and again while the login server fails. It is safe for concurrent use.
type tokens struct {
	issue       issue
	renewBefore time.Duration
	log         hclog.Logger

	ctx    context.Context // ends with close; of requests, which outlive the callers who wait for them
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu sync.Mutex
	by map[string]*entry
}

// An entry is what is known of one scope.
type entry struct {
	token    token
	claims   string // that the server insisted on, for the next request
	work     *work  // the request under way; nil if there is none
	failures int    // in a row
	failure  error  // of the latest request
	next     time.Time
}

type work struct {
	done  chan struct{}
	token token
	err   error
}

func newTokens(issue issue, renewBefore time.Duration, log hclog.Logger) *tokens {
	if renewBefore <= 0 {
		renewBefore = defaultRenewBefore
	}
	t := &tokens{issue: issue, renewBefore: max(renewBefore, minRenewBefore), log: log, by: map[string]*entry{}}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// close ends requests under way and waits for them.
func (t *tokens) close() {
	t.cancel()
	t.wg.Wait()
}

// A demand is what is asked of the cache.
type demand struct {
	scope   string
	refused []byte // auth.RefusedSum of the header that the server refused; may be empty
	claims  string // that it insisted on
}

// get returns a token and until when it need not be asked for again. It waits only when there is no token that serves, or one
// without any permission is due to be replaced, so that the first who asks after a consent gets by. The error is errYoung together with the token that was refused, or that of the login server.
func (t *tokens) get(ctx context.Context, d demand) (token, time.Time, error) {
	t.mu.Lock()
	now := time.Now()
	e := t.entry(d.scope)
	held := e.token
	serves := now.Before(held.ends)
	if serves && len(d.refused) > 0 && bytes.Equal(d.refused, auth.RefusedSum(held.bearer())) {
		if now.Sub(held.issued) < youngFor {
			t.mu.Unlock()
			return held, time.Time{}, errYoung
		}
		e.token, e.claims, serves = token{}, d.claims, false
	}
	if serves && now.Before(held.renew) {
		t.mu.Unlock()
		return held, earlier(held.renew.Add(hostMargin), held.ends), nil
	}
	if e.work == nil && !now.Before(e.next) {
		t.start(d.scope, e)
	}
	w, failure, wait := e.work, e.failure, e.next.Sub(now)
	t.mu.Unlock()
	meanwhile := earlier(now.Add(askAgain+hostMargin), held.ends)
	switch {
	case serves && (w == nil || !held.bare):
		return held, meanwhile, nil
	case w == nil:
		return token{}, time.Time{}, afterwards(failure, wait)
	}
	select {
	case <-w.done:
		if w.err != nil && serves {
			return held, meanwhile, nil
		}
		return w.token, earlier(w.token.renew.Add(hostMargin), w.token.ends), w.err
	case <-ctx.Done():
		return token{}, time.Time{}, ctx.Err()
	}
}

func (t *tokens) entry(scope string) *entry {
	e, ok := t.by[scope]
	if !ok {
		e = &entry{}
		t.by[scope] = e
	}
	return e
}

// start asks the login server, with the lock held.
func (t *tokens) start(scope string, e *entry) {
	w := &work{done: make(chan struct{})}
	e.work = w
	claims := e.claims
	t.wg.Go(func() {
		ctx, cancel := context.WithTimeout(t.ctx, requestTimeout)
		defer cancel()
		w.token, w.err = t.issue(ctx, scope, claims)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.finish(scope, e, w)
		e.work = nil
		close(w.done)
	})
}

// finish takes over what came of a request, with the lock held.
func (t *tokens) finish(scope string, e *entry, w *work) {
	now := time.Now()
	if w.err == nil {
		w.token.renew = t.renewal(w.token)
		if e.failures > 0 {
			t.log.Info("tokens are issued again", "scope", scope)
		}
		*e = entry{token: w.token, work: e.work}
		return
	}
	e.failures++
	e.failure = w.err
	pause := min(firstPause<<min(e.failures-1, 10), lastPause)
	pause = max(pause, min(fault.After(w.err), maxPause))
	e.next = now.Add(pause)
	if now.Before(e.token.ends) {
		t.log.Warn("a token could not be renewed; the one before serves until its end", "scope", scope,
			"end", e.token.ends.UTC().Format(time.RFC3339), "next_try", pause.String(), "error", w.err)
	}
}

// renewal returns when a token is to be replaced: renewBefore its end, but no earlier than after half of its life, or when
// the login server says.
func (t *tokens) renewal(k token) time.Time {
	at := k.ends.Add(-t.renewBefore)
	if half := k.issued.Add(k.ends.Sub(k.issued) / 2); at.Before(half) {
		at = half
	}
	if !k.renew.IsZero() && k.renew.After(k.issued) {
		at = earlier(at, k.renew)
	}
	return at
}

// afterwards is an earlier failure, told again with the time until the login server is asked next.
func afterwards(err error, wait time.Duration) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	again := *f
	again.After = max(wait, 0)
	return &again
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
