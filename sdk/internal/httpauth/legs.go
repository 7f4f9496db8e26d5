package httpauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

const (
	maxLegs = 8 // of one exchange
	// maxFresh is how often a login begins anew because its connection ended or showed another certificate.
	maxFresh = 4
)

// errFresh means that the login must begin anew, on a fresh connection.
var errFresh = errors.New("the connection changed during the login")

// onLane sends the request on a connection that belongs to the identity, logging it in where it is not.
func (c *caller) onLane(r *http.Request, body *body) (*http.Response, error) {
	p := c.t.pools.pool(c.key(), c.t.options.Lanes)
	if backend.IsStream(r.Context()) {
		return c.onOwnLane(r, body, p)
	}
	l, err := p.take(r.Context(), c.t.newLane)
	if err != nil {
		return nil, err
	}
	resp, err := c.onThisLane(r, body, p, l)
	if err != nil {
		l.hangUp()
		p.put(l)
		return nil, err
	}
	c.hold(r.Context(), resp, p, l)
	return resp, nil
}

// hold keeps the lane until the answer's body is closed, or the request's context ends, for then its connection ends too.
func (c *caller) hold(ctx context.Context, resp *http.Response, p *pool, l *lane) {
	release := sync.OnceFunc(func() { p.put(l) })
	stop := context.AfterFunc(ctx, release)
	resp.Body = &watched{ReadCloser: resp.Body, done: func() {
		stop()
		release()
	}}
}

func (c *caller) onThisLane(r *http.Request, body *body, p *pool, l *lane) (*http.Response, error) {
	if l.isAuthorized() {
		resp, _, err := l.do(body.request(r, ""))
		if err != nil {
			return nil, explain(r.Context(), r.URL, err)
		}
		if resp.StatusCode != http.StatusUnauthorized {
			return resp, nil
		}
		drain(resp) // the connection was another, or is no longer logged in: once more from the beginning
	}
	fresh := 0
	for retry := p.firstRetry(); ; {
		resp, challenges, err := c.logIn(r, body, l, retry)
		switch {
		case errors.Is(err, errFresh):
			if fresh++; fresh >= maxFresh {
				return nil, &fault.Error{Kind: fault.Unavailable, Message: c.origin.name +
					" ends connections during the login, or shows another certificate on each: a proxy or load balancer in between may be the reason"}
			}
			l.hangUp()
		case err != nil:
			return nil, explain(r.Context(), r.URL, err)
		case resp != nil:
			p.learnRetry(retry)
			return resp, nil
		default:
			if retry++; retry >= c.attempts() {
				p.learnRetry(0)
				return nil, c.refused(challenges)
			}
			l.hangUp()
		}
	}
}

// logIn carries out one exchange on the lane's connection; the last leg is the request itself. It returns no response
// when the server refused, with what it offered then.
func (c *caller) logIn(r *http.Request, body *body, l *lane, retry int) (*http.Response, []string, error) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	binding := c.origin.latestBinding()
	leg, err := c.identity.Auth.Begin(ctx, c.target(binding, retry))
	if err != nil {
		return nil, nil, err
	}
	var conn *laneConn
	challenges := c.offer.challenges
	for legs := 0; legs < maxLegs; legs++ {
		h, err := leg(ctx, challenges)
		if err != nil {
			return nil, nil, err
		}
		if !h.More {
			return c.lastLeg(r, body, l, h, conn)
		}
		resp, on, err := l.do(emptyRequest(r.Context(), r, h.Value))
		if err != nil {
			return nil, nil, err
		}
		drain(resp)
		if seen := bindingOf(resp.TLS); !bytes.Equal(seen, binding) {
			c.origin.sawBinding(seen)
			return nil, nil, errFresh
		}
		if conn != nil && on != conn {
			return nil, nil, errFresh
		}
		conn = on
		if resp.StatusCode != http.StatusUnauthorized {
			return c.unasked(r, body, l)
		}
		challenges = resp.Header.Values("WWW-Authenticate")
	}
	return nil, nil, c.endless()
}

// lastLeg sends the request with the header that ends the login.
func (c *caller) lastLeg(r *http.Request, body *body, l *lane, h auth.Header, conn *laneConn) (*http.Response, []string, error) {
	resp, on, err := l.do(body.request(r, h.Value))
	if err != nil {
		return nil, nil, err
	}
	if resp.StatusCode != http.StatusUnauthorized {
		l.authorized = on
		return resp, nil, nil
	}
	drain(resp)
	if conn != nil && on != conn {
		return nil, nil, errFresh
	}
	return nil, resp.Header.Values("WWW-Authenticate"), nil
}

// unasked sends the request as it is: the server did not take up the login, so it seems to want none here.
func (c *caller) unasked(r *http.Request, body *body, l *lane) (*http.Response, []string, error) {
	resp, _, err := l.do(body.request(r, ""))
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, nil, err
	}
	drain(resp)
	return nil, resp.Header.Values("WWW-Authenticate"), nil
}

func (c *caller) endless() error {
	return &fault.Error{Kind: fault.Unauthorized, Scope: fault.ScopeServer, Message: fmt.Sprintf(
		"the login of %q at %s did not end after %d steps", c.identity.Name, c.origin.name, maxLegs)}
}
