package httpauth

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"sync"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A stream is a request whose answer is read for minutes (backend.WithStream). It has a connection of its own, outside
// of the pools: lanes are few, and one that is held for half an hour would be missed.

// asStream makes a transport fit for streams. Compression holds back what is small, and with HTTP/2 one lost connection
// would end all streams at once.
func asStream(t *http.Transport) {
	t.DisableCompression = true
	t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
}

// shared returns the transport for a request without a connection of its own identity.
func (t *Transport) shared(r *http.Request) *http.Transport {
	if backend.IsStream(r.Context()) {
		return t.streams
	}
	return t.plain
}

// onOwnLane sends the request on a new lane that ends with the answer. Of p it uses what is known of logins only.
func (c *caller) onOwnLane(r *http.Request, body *body, p *pool) (*http.Response, error) {
	l := c.t.newLane()
	asStream(l.transport)
	resp, err := c.onThisLane(r, body, p, l)
	if err != nil {
		l.hangUp()
		return nil, err
	}
	hangUp := sync.OnceFunc(l.hangUp)
	stop := context.AfterFunc(r.Context(), hangUp)
	resp.Body = &watched{ReadCloser: resp.Body, done: func() {
		stop()
		hangUp()
	}}
	return resp, nil
}

// errTooLong ends a request whose time is over.
var errTooLong = &fault.Error{Kind: fault.Unavailable, Message: "the request took too long"}

// inTime makes a request that must be over, its answer read, within the options' time.
func (t *Transport) inTime(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(r.Context(), t.options.Timeout, errTooLong)
	late := func() bool { return context.Cause(ctx) == errTooLong }
	resp, err := t.roundTrip(r.WithContext(ctx))
	if err != nil {
		defer cancel()
		if late() {
			return nil, &fault.Error{Kind: fault.Unavailable, Message: fmt.Sprintf(
				"%s did not answer within %s", originOf(r.URL), t.options.Timeout)}
		}
		return nil, err
	}
	resp.Request = r
	resp.Body = &watched{ReadCloser: resp.Body, done: cancel}
	return resp, nil
}
