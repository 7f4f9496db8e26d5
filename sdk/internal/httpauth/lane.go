package httpauth

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// idleTimeout is how long an unused connection is kept: shorter than what servers keep (IIS: 2 minutes), so that a
// request seldom meets a connection that is being closed.
const idleTimeout = 50 * time.Second

// A lane is one connection of one identity, used by one request at a time. A lane that was authorized needs no header
// until its connection ends.
type lane struct {
	transport *http.Transport
	// live is the connection that exists now, and authorized the one that a login succeeded on.
	live       atomic.Pointer[laneConn]
	authorized *laneConn
	idleSince  time.Time
}

// A laneConn tells its lane when it is closed.
type laneConn struct {
	net.Conn
	lane *lane
}

// Close implements net.Conn.
func (c *laneConn) Close() error {
	c.lane.live.CompareAndSwap(c, nil)
	return c.Conn.Close()
}

func (t *Transport) newLane() *lane {
	l := &lane{transport: t.newTransport()}
	l.transport.MaxConnsPerHost = 1
	l.transport.MaxIdleConnsPerHost = 1
	l.transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{} // no HTTP/2
	dialer := &net.Dialer{Timeout: 30 * time.Second}
	l.transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c := &laneConn{Conn: conn, lane: l}
		l.live.Store(c)
		return c, nil
	}
	return l
}

// isAuthorized reports whether the connection that a login succeeded on still exists.
func (l *lane) isAuthorized() bool { return l.authorized != nil && l.live.Load() == l.authorized }

// do makes a request on the lane's connection and returns which one that was. The transport has one connection at a
// time, so it is the one that lives when the request gets it.
func (l *lane) do(r *http.Request) (*http.Response, *laneConn, error) {
	var got atomic.Pointer[laneConn]
	ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { got.Store(laneConnOf(info.Conn)) },
	})
	resp, err := l.transport.RoundTrip(r.WithContext(ctx))
	return resp, got.Load(), err
}

func laneConnOf(c net.Conn) *laneConn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	l, _ := c.(*laneConn)
	return l
}

// hangUp ends the lane's connection, so that the next request gets a fresh one.
func (l *lane) hangUp() {
	l.authorized = nil
	if c := l.live.Load(); c != nil {
		_ = c.Close()
	}
	l.transport.CloseIdleConnections()
}

// A poolSet holds the lanes: those of two keys are never the same.
type poolSet struct {
	mu    sync.Mutex
	pools map[poolKey]*pool
}

// A pool lends the lanes of one key, at most as many as it was made for.
type pool struct {
	slots chan struct{}

	mu   sync.Mutex
	idle []*lane // the latest used is last
	// retry is the attempt that the server accepted last: later lanes begin with it.
	retry int
}

func (s *poolSet) pool(k poolKey, lanes int) *pool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pools == nil {
		s.pools = map[poolKey]*pool{}
	}
	p, ok := s.pools[k]
	if !ok {
		s.prune()
		p = &pool{slots: make(chan struct{}, lanes)}
		s.pools[k] = p
	}
	return p
}

// prune forgets pools that nobody uses; it is called with the lock held, when another is added.
func (s *poolSet) prune() {
	for k, p := range s.pools {
		p.mu.Lock()
		unused := len(p.slots) == 0
		for _, l := range p.idle {
			unused = unused && time.Since(l.idleSince) > idleTimeout
		}
		p.mu.Unlock()
		if unused {
			delete(s.pools, k)
		}
	}
}

func (s *poolSet) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pools {
		p.mu.Lock()
		for _, l := range p.idle {
			l.transport.CloseIdleConnections()
		}
		p.idle = nil
		p.mu.Unlock()
	}
	s.pools = nil
}

// take lends a lane, waiting for one where all are in use.
func (p *pool) take(ctx context.Context, fresh func() *lane) (*lane, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 {
		l := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return l, nil
	}
	return fresh(), nil
}

// put gives a lane back.
func (p *pool) put(l *lane) {
	p.mu.Lock()
	l.idleSince = time.Now()
	p.idle = append(p.idle, l)
	p.mu.Unlock()
	<-p.slots
}

func (p *pool) firstRetry() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.retry
}

func (p *pool) learnRetry(retry int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retry = retry
}
