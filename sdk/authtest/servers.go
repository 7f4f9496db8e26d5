package authtest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/internal/httpauth"
)

var errOther = errors.New("another header than when it is alone")

func (s *suite[X]) instancesDoNotMix(t X) {
	if s.Other == nil {
		t.Skipf("there is no second account: Fixture.Other")
	}
	a := s.must(t, s.Open)
	first, constant := s.constant(t, a)
	b := s.must(t, s.Other)
	second, both := s.constant(t, b)
	if !constant || !both {
		t.Skipf("its headers differ from login to login: whose they are shows only by Fixture.URL and OtherURL")
	}
	if first.Value == second.Value {
		t.Fatalf("both accounts have the same header")
	}
	s.together(t, 32, func(i int) error {
		account, want := a, first
		if i%2 == 1 {
			account, want = b, second
		}
		h, err := s.answer(t.Context(), account)
		if err == nil && h != want {
			err = errOther
		}
		return err
	})
}

func (s *suite[X]) issuerAway(t X) {
	if s.Issuer == nil || s.Issuer.Away == nil {
		t.Skipf("there is no issuer to be away: Fixture.Issuer.Away")
	}
	_, err := s.answer(t.Context(), s.must(t, s.Issuer.Away))
	if fault.Of(err) != fault.Unavailable || err == nil {
		t.Errorf("logging in = %v (%s), want %s: nobody has refused anything", err, fault.Of(err), fault.Unavailable)
	}
}

// stuckFor is how long a login under way is left to itself before its context ends; it ends never too early.
const stuckFor = 100 * time.Millisecond

func (s *suite[X]) stuckIssuer(t X) {
	if s.Issuer == nil || s.Issuer.Stuck == nil {
		t.Skipf("there is no issuer to be stuck: Fixture.Issuer.Stuck")
	}
	a := s.must(t, s.Issuer.Stuck)
	ctx, cancel := context.WithTimeout(t.Context(), stuckFor)
	defer cancel()
	if _, err := s.answer(ctx, a); fault.Of(err) != fault.Unavailable || err == nil {
		t.Errorf("logging in = %v (%s), want the context's error", err, fault.Of(err))
	}
}

// client returns what a backend would be given: an http.Client that logs in by itself.
func (s *suite[X]) client(t X, a auth.Authenticator) *http.Client {
	transport := httpauth.New(httpauth.Options{RootCAs: s.RootCAs, Proxy: s.Proxy, Timeout: s.Patience, Identities: []httpauth.Identity{{
		Name: "account", Schemes: s.Traits.Schemes, PerConnection: s.Traits.PerConnection, PerMailbox: s.Traits.PerMailbox,
		Attempts: s.Traits.Attempts, Auth: s.watched(a),
	}}})
	t.Cleanup(transport.Close)
	return transport.Client()
}

// watched is a as the far end of the wire shows it: a panic is an error. What it answers is looked at.
func (s *suite[X]) watched(a auth.Authenticator) auth.Authenticator {
	return beginFunc(func(ctx context.Context, target auth.Target) (auth.Exchange, error) {
		l, err := s.begin(ctx, a, target, s.Traits.Schemes...)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, challenge []string) (auth.Header, error) { return l.leg(ctx, challenge...) }, nil
	})
}

// get logs in at url, and reports why that was not possible.
func (s *suite[X]) get(ctx context.Context, c *http.Client, url string) error {
	if s.Traits.PerMailbox {
		ctx = backend.WithMailbox(ctx, s.Mailboxes[0])
	}
	_, err := try(&s.Fixture, func() (struct{}, error) {
		resp, err := ask(ctx, c, url)
		if err != nil {
			return struct{}{}, err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return struct{}{}, err
	})
	return s.seen.err(err)
}

func ask(ctx context.Context, c *http.Client, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return c.Do(req)
}

// demanding ends the check unless there is a server at url and it demands a login that the plugin is for.
func (s *suite[X]) demanding(t X, url, field string) {
	t.Helper()
	if url == "" {
		t.Skipf("there is no server to log in to: Fixture.%s", field)
	}
	transport := httpauth.New(httpauth.Options{RootCAs: s.RootCAs, Proxy: s.Proxy, Timeout: s.Patience})
	defer transport.Close()
	resp, err := ask(t.Context(), transport.Client(), url)
	if err != nil {
		t.Fatalf("asking Fixture.%s without a login: %v", field, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Fatalf("Fixture.%s answers %s without a login: it cannot show whether one is good", field, resp.Status)
	}
	offered := strings.Join(resp.Header.Values("WWW-Authenticate"), ", ")
	if !slices.ContainsFunc(s.Traits.Schemes, func(scheme string) bool {
		return strings.Contains(strings.ToLower(offered), strings.ToLower(scheme))
	}) {
		t.Fatalf("Fixture.%s offers %q, none of %v", field, offered, s.Traits.Schemes)
	}
}

func (s *suite[X]) serverTakes(t X) {
	s.demanding(t, s.URL, "URL")
	c := s.client(t, s.must(t, s.Open))
	for _, when := range []string{"first", "second"} {
		if err := s.get(t.Context(), c, s.URL); err != nil {
			t.Errorf("the %s request: %v", when, err)
		}
	}
}

func (s *suite[X]) serverTakesMany(t X) {
	s.demanding(t, s.URL, "URL")
	a := s.must(t, s.Open)
	s.together(t, 16, func(int) error { return s.get(t.Context(), s.client(t, a), s.URL) })
}

func (s *suite[X]) serverTellsApart(t X) {
	s.demanding(t, s.URL, "URL")
	s.demanding(t, s.OtherURL, "OtherURL")
	if s.Other == nil {
		t.Skipf("there is no second account: Fixture.Other")
	}
	a, b := s.must(t, s.Open), s.must(t, s.Other)
	s.together(t, 16, func(i int) error {
		account, url := a, s.URL
		if i%2 == 1 {
			account, url = b, s.OtherURL
		}
		return s.get(t.Context(), s.client(t, account), url)
	})
	if err := s.get(t.Context(), s.client(t, b), s.URL); fault.Of(err) != fault.Unauthorized {
		t.Errorf("Fixture.URL and the account of Fixture.Other: %v, want %s, or nothing is shown", err, fault.Unauthorized)
	}
}

func (s *suite[X]) serverRefuses(t X) {
	s.demanding(t, s.URL, "URL")
	if s.Wrong == nil {
		t.Skipf("there is no account with a wrong secret: Fixture.Wrong")
	}
	err := s.get(t.Context(), s.client(t, s.must(t, s.Wrong)), s.URL)
	if fault.Of(err) != fault.Unauthorized {
		t.Errorf("logging in with a wrong secret = %v (%s), want %s", err, fault.Of(err), fault.Unauthorized)
	}
}

// serverTakesInterleaved logs in twice at once, each leg of the one after the same leg of the other.
func (s *suite[X]) serverTakesInterleaved(t X) {
	s.demanding(t, s.URL, "URL")
	pair := &pair{Authenticator: s.must(t, s.Open), turn: sync.NewCond(&sync.Mutex{})}
	s.together(t, 2, func(i int) error {
		defer pair.leave(i)
		return s.get(t.Context(), s.client(t, pair.side(i)), s.URL)
	})
}

// A pair keeps two logins in step.
type pair struct {
	auth.Authenticator
	turn *sync.Cond
	legs [2]int
	gone [2]bool
}

// leave says that a side makes no more legs.
func (p *pair) leave(side int) {
	p.turn.L.Lock()
	defer p.turn.L.Unlock()
	p.gone[side] = true
	p.turn.Broadcast()
}

// pass waits until the other side has made as many legs as this one, or makes no more.
func (p *pair) pass(side int) {
	p.turn.L.Lock()
	defer p.turn.L.Unlock()
	p.legs[side]++
	p.turn.Broadcast()
	for other := 1 - side; !p.gone[other] && p.legs[other] < p.legs[side]; {
		p.turn.Wait()
	}
}

func (p *pair) side(i int) auth.Authenticator {
	return beginFunc(func(ctx context.Context, target auth.Target) (auth.Exchange, error) {
		exchange, err := p.Begin(ctx, target)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, challenge []string) (auth.Header, error) {
			h, err := exchange(ctx, challenge)
			if err == nil {
				p.pass(i)
			}
			return h, err
		}, nil
	})
}

type beginFunc func(ctx context.Context, target auth.Target) (auth.Exchange, error)

// Begin implements auth.Authenticator.
func (f beginFunc) Begin(ctx context.Context, target auth.Target) (auth.Exchange, error) {
	return f(ctx, target)
}

func (s *suite[X]) restart(t X) {
	a := s.must(t, s.Open)
	before, constant := s.constant(t, a)
	if s.Restart != nil {
		if err := s.Restart(t.Context()); err != nil {
			t.Fatalf("restarting it: %v", err)
		}
	}
	after, err := s.answer(t.Context(), s.must(t, s.Open))
	switch {
	case err != nil:
		t.Errorf("logging in after the restart: %v", err)
	case constant && after != before, after.More != before.More:
		t.Errorf("after the restart the header is another: nothing must be kept but what the settings say")
	}
	if s.URL == "" {
		return
	}
	if err := s.get(t.Context(), s.client(t, s.must(t, s.Open)), s.URL); err != nil {
		t.Errorf("logging in at the server after the restart: %v", err)
	}
}

func (s *suite[X]) secretsInErrors(t X) {
	all := s.seen.heard()
	for _, text := range all {
		if what := s.seen.shownIn(text); what != "" {
			t.Errorf("one of the %d errors that there were shows %s: %s", len(all), what, s.seen.hide(text))
			return
		}
	}
	t.Logf("there were %d errors", len(all))
}

func (s *suite[X]) secretsInLog(t X) {
	if s.Logged == nil {
		t.Skipf("what it logs is not known: Fixture.Logged")
	}
	for line := range strings.Lines(s.Logged()) {
		if what := s.seen.shownIn(line); what != "" {
			t.Errorf("a line of its log shows %s: %s", what, s.seen.hide(line))
			return
		}
	}
}
