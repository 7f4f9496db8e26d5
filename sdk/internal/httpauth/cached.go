package httpauth

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/roomwire/roomwire/sdk/auth"
)

// expiryMargin is how long before its end a header is no longer used.
const expiryMargin = 30 * time.Second

// A headerCache holds the headers that are good for many requests.
type headerCache struct {
	mu      sync.Mutex
	entries map[poolKey]*headerEntry
}

type headerEntry struct {
	mu      sync.Mutex
	header  auth.Header
	version int // counts the headers; 0 means that there is none yet
	flight  flight[heldHeader]
}

// A heldHeader is a header together with its place in the sequence, so that many requests refused with one header
// cause one new header.
type heldHeader struct {
	auth.Header
	version int
	fresh   bool // made for this request, not found in the cache
}

func (c *headerCache) entry(k poolKey) *headerEntry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = map[poolKey]*headerEntry{}
	}
	e, ok := c.entries[k]
	if !ok {
		e = &headerEntry{}
		c.entries[k] = e
	}
	return e
}

// newer returns a header that is still good and came after version, if there is one.
func (e *headerEntry) newer(version int) (heldHeader, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	good := e.header.Expires.IsZero() || time.Now().Before(e.header.Expires.Add(-expiryMargin))
	return heldHeader{Header: e.header, version: e.version}, e.version > version && good
}

func (e *headerEntry) keep(h auth.Header) heldHeader {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.version++
	e.header = h
	return heldHeader{Header: h, version: e.version, fresh: true}
}

// withHeader sends the request with a header that authorizes it alone, for servers that look at every request. A cached
// header that is refused is replaced once; one that is new is the server's last word, but for further attempts.
func (c *caller) withHeader(r *http.Request, body *body) (*http.Response, error) {
	used, err := c.header(r, heldHeader{}, c.offer.challenges, 0)
	if err != nil {
		return nil, err
	}
	for retry, sent := 0, 0; ; {
		resp, err := c.t.shared(r).RoundTrip(body.request(r, used.Value))
		if err != nil {
			return nil, explain(r.Context(), r.URL, err)
		}
		if resp.StatusCode != http.StatusUnauthorized {
			return resp, nil
		}
		challenges := resp.Header.Values("WWW-Authenticate")
		drain(resp)
		if used.fresh {
			retry++
		}
		if sent++; retry >= c.attempts() || sent > c.attempts()+1 {
			return nil, c.refused(challenges)
		}
		next, err := c.header(r, used, challenges, retry)
		if err != nil {
			return nil, err
		}
		if next.Value == used.Value {
			return nil, c.refused(challenges)
		}
		used = next
	}
}

func (c *caller) attempts() int { return max(c.identity.Attempts, 1) }

// header returns the cached header, or a new one where the cached one is the one that was refused, or older. The zero
// heldHeader is none.
func (c *caller) header(r *http.Request, refused heldHeader, challenges []string, retry int) (heldHeader, error) {
	e := c.t.headers.entry(c.key())
	if h, ok := e.newer(refused.version); ok {
		return h, nil
	}
	return e.flight.do(r.Context(), func() (heldHeader, error) {
		if h, ok := e.newer(refused.version); ok {
			return h, nil
		}
		h, err := c.exchange(r, refused, challenges, retry)
		if err != nil {
			return heldHeader{}, err
		}
		return e.keep(h), nil
	})
}

// exchange carries out a login whose result authorizes requests on any connection.
func (c *caller) exchange(r *http.Request, refused heldHeader, challenges []string, retry int) (auth.Header, error) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	target := c.target(c.offer.binding, retry)
	if refused.version > 0 {
		target.Refused = auth.RefusedSum(refused.Value)
	}
	leg, err := c.identity.Auth.Begin(ctx, target)
	if err != nil {
		return auth.Header{}, err
	}
	for legs := 0; legs < maxLegs; legs++ {
		h, err := leg(ctx, challenges)
		if err != nil || !h.More {
			return h, err
		}
		resp, err := c.t.plain.RoundTrip(emptyRequest(ctx, r, h.Value))
		if err != nil {
			return auth.Header{}, explain(r.Context(), r.URL, err)
		}
		challenges = resp.Header.Values("WWW-Authenticate")
		drain(resp)
	}
	return auth.Header{}, c.endless()
}
