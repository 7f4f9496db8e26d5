package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/roomwire/roomwire/host/internal/store"
)

const (
	sendTimeout = 15 * time.Second
	maxAnswer   = 64 << 10 // bytes that are read of an answer, so that its connection can be used again
)

// waits are between the tries of one message: twelve tries over a day.
var waits = []time.Duration{
	5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour,
	3 * time.Hour, 4 * time.Hour, 5 * time.Hour, 8 * time.Hour,
}

// longestWait bounds what the other side may ask for.
const longestWait = 24 * time.Hour

func newClient(t *tls.Config) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: control}
	return &http.Client{
		Timeout: sendTimeout,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSClientConfig: t, ForceAttemptHTTP2: true,
			MaxIdleConnsPerHost: 1, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		},
		// What answers with a redirect has not taken the message, and where it points to nobody has approved.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// control keeps away from addresses that are no receiver's, also when a name leads there.
func control(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err == nil && forbidden(a.Addr()) {
		return errors.New("the name leads to an address that no receiver can have")
	}
	return nil
}

// A refusal is an answer other than 2xx.
type refusal struct {
	status int
	after  time.Duration // how long the other side wants to be left alone
}

func (r *refusal) Error() string {
	switch {
	case r.status >= 300 && r.status < 400:
		return fmt.Sprintf("the receiver answered %d: redirects are not followed, so give the URL it points to", r.status)
	case r.status == http.StatusGone:
		return "the receiver answered 410: it wants no more messages"
	}
	return fmt.Sprintf("the receiver answered %d %s", r.status, http.StatusText(r.status))
}

// send makes one try. Its error says why for people, without the URL, which may hold a secret.
func (s *Service) send(ctx context.Context, w store.Webhook, m message) error {
	now := s.now()
	sig, err := signature(w, m, now)
	if err != nil {
		return err
	}
	if err := checkURL(w.URL, s.Plain); err != nil {
		return err // allowed when it was made, perhaps
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(m.body))
	if err != nil {
		return errors.New("the URL cannot be sent to")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Roomwire-Webhook/1")
	// Set, so that they are written as the standard has them; HTTP does not care.
	req.Header.Set(standard.HeaderWebhookID, m.id)
	req.Header.Set(standard.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	req.Header.Set(standard.HeaderWebhookSignature, sig)
	resp, err := s.http.Do(req)
	if err != nil {
		s.counts.failed.Add(1)
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("the receiver could not be reached: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		s.counts.failed.Add(1)
		return &refusal{status: resp.StatusCode, after: retryAfter(resp.Header.Get("Retry-After"), now)}
	}
	s.counts.sent.Add(1)
	return nil
}

// retryAfter reads a Retry-After header: seconds, or a date; 0 if there is none.
func retryAfter(text string, now time.Time) time.Duration {
	var d time.Duration
	if n, err := strconv.Atoi(text); err == nil {
		d = time.Duration(min(max(n, 0), int(longestWait/time.Second))) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), longestWait)
}

// wait is how long to wait after so many failed tries; ok is false when it was the last one.
func (s *Service) wait(attempts int, err error) (d time.Duration, ok bool) {
	if attempts > len(waits) {
		return 0, false
	}
	d = waits[attempts-1]
	d += time.Duration(float64(d) * s.spread() / 5)
	if r, is := errors.AsType[*refusal](err); is {
		d = max(d, r.after)
	}
	return d, true
}

func fraction() float64 { return rand.Float64() }
