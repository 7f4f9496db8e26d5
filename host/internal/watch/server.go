package watch

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/roomwire/roomwire/host/internal/remedy"
	"github.com/roomwire/roomwire/sdk/fault"
)

// What holds for each server.
const (
	listensPerServer = 8                // subscriptions asked for at once
	regrow           = 10 * time.Minute // one more connection is dared after this long without being refused one
	loginPause       = 5 * time.Minute  // after a refused login; doubles …
	loginPauseMax    = time.Hour        // … up to this
	busyPause        = 30 * time.Second // for a server that asks for a pause and does not say how long
)

// A server bounds what all groups of one server do together.
type server struct {
	name    string
	until   time.Time // how long listening there is this host's duty; zero: it is not. Protected by Watch.mu
	listens chan struct{}

	mu       sync.Mutex
	paused   time.Time // nobody goes there before
	refusals int       // logins refused in a row
	trying   bool      // somebody finds out whether the login works again; the others wait
	open     int       // connections
	limit    int       // how many there may be; zero: the server has not refused one yet
	growAt   time.Time
	changed  chan struct{} // closed when one of these changed
}

func newServer(name string) *server {
	return &server{name: name, listens: make(chan struct{}, listensPerServer), changed: make(chan struct{})}
}

// enter waits until a call may be made; connection says whether it keeps one open. The caller says by leave how it went.
func (s *server) enter(ctx context.Context, way string) (leave func(error), err error) {
	connection := way == streaming
	for {
		wait, entered := s.try(connection)
		if entered {
			var once sync.Once
			return func(err error) { once.Do(func() { s.leave(connection, err) }) }, nil
		}
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-t.C:
		}
		t.Stop()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

func (s *server) try(connection bool) (wait time.Duration, entered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	switch {
	case s.paused.After(now):
		return s.paused.Sub(now), false
	case s.refusals > 0 && s.trying:
		return time.Minute, false
	case connection && s.limit > 0 && s.open >= s.limit:
		if s.growAt.After(now) {
			return s.growAt.Sub(now), false
		}
		s.limit, s.growAt = s.limit+1, now.Add(regrow)
	}
	s.trying = s.refusals > 0
	if connection {
		s.open++
	}
	return 0, true
}

// good records that the server lets us in, while a call goes on.
func (s *server) good() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refusals > 0 {
		s.refusals, s.trying = 0, false
		s.tell()
	}
}

// forgive forgets what the server refused: it is asked otherwise from now on.
func (s *server) forgive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused, s.refusals, s.trying = time.Time{}, 0, false
	s.tell()
}

func (s *server) leave(connection bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.tell()
	s.trying = false
	if connection {
		s.open--
	}
	now := time.Now()
	fe, _ := errors.AsType[*fault.Error](err)
	switch fault.Of(err) {
	case "":
		s.refusals = 0
	case fault.Unauthorized, fault.Forbidden:
		if !refusesAll(err) {
			break
		}
		// Every try with a wrong password counts towards locking the service account out.
		s.refusals++
		s.paused = now.Add(min(loginPause<<min(s.refusals-1, 8), loginPauseMax))
	case fault.Throttled:
		if connection {
			s.limit, s.growAt = max(1, s.open), now.Add(regrow)
		}
		if fe != nil && fe.Scope == fault.ScopeServer {
			s.paused = now.Add(max(fe.After, busyPause))
		}
	}
}

// refusesAll reports whether the server refuses everybody: the login, or whoever logged in.
func refusesAll(err error) bool {
	switch fault.Of(err) {
	case fault.Unauthorized:
		return wide(err)
	case fault.Forbidden:
		return remedy.ByAll(err)
	}
	return false
}

// tell wakes those who wait. The lock is held.
func (s *server) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}
