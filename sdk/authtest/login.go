package authtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/launch"
)

// Evidence is what a run has seen: the errors, and what must not be in them.
type evidence struct {
	mu      sync.Mutex
	errors  []string
	secrets map[string]string // to what it is
}

// minSecret is the length of the shortest text that is looked for: a shorter one is anywhere.
const minSecret = 4

func (e *evidence) secret(text, what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(text) >= minSecret {
		e.secrets[text] = what
	}
}

// header keeps the credentials of a header that ends a login; those of earlier legs prove nothing.
func (e *evidence) header(h auth.Header) {
	if _, credentials, _ := strings.Cut(h.Value, " "); !h.More {
		e.secret(credentials, "a header")
	}
}

// err keeps an error of the plugin and returns one that can be shown.
func (e *evidence) err(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error() // not under the lock: it may be a hidden one
	e.mu.Lock()
	e.errors = append(e.errors, text)
	e.mu.Unlock()
	return hidden{err, e}
}

func (e *evidence) heard() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.errors)
}

// shownIn says what of the secrets is in a text; nothing if none is.
func (e *evidence) shownIn(text string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	for secret, what := range e.secrets {
		if strings.Contains(text, secret) {
			return what
		}
	}
	if strings.Contains(text, launch.Hidden) {
		return "a secret, which the host has hidden"
	}
	return ""
}

// hide returns a text without the secrets.
func (e *evidence) hide(text string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	for secret, what := range e.secrets {
		text = strings.ReplaceAll(text, secret, "["+what+"]")
	}
	return strings.TrimSpace(text)
}

// A hidden error is an error of the plugin without the secrets that it should not have shown.
type hidden struct {
	error
	seen *evidence
}

// Error implements error.
func (h hidden) Error() string { return h.seen.hide(h.error.Error()) }

// Unwrap gives the kind.
func (h hidden) Unwrap() error { return h.error }

// try calls f and waits for it. A panic, and a call that does not end, are errors of kind fault.Internal.
func try[R any](s *Fixture, f func() (R, error)) (R, error) {
	type result struct {
		value R
		err   error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil {
				r.err = fmt.Errorf("it panicked: %v: %w", p, fault.Internal)
			}
			done <- r
		}()
		r.value, r.err = f()
	}()
	ctx, cancel := context.WithTimeout(context.Background(), s.Patience)
	defer cancel()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none R
		return none, fmt.Errorf("it did not end within %s: %w", s.Patience, fault.Internal)
	}
}

// must opens an instance that lives as long as the check.
func (s *suite[X]) must(t X, open Open) auth.Authenticator {
	t.Helper()
	a, err := try(&s.Fixture, func() (auth.Authenticator, error) { return open(t.Context()) })
	if err = s.seen.err(err); err != nil {
		t.Fatalf("opening it: %v", err)
	}
	t.Cleanup(func() { s.close(a) })
	return a
}

func (s *suite[X]) close(a auth.Authenticator) {
	if c, ok := a.(io.Closer); ok {
		_ = s.seen.err(c.Close())
	}
}

// target is that of a login at the server, or at one that does not exist.
func (s *suite[X]) target() auth.Target {
	t := auth.Target{Origin: "https://calendar.example.com:443"}
	if u, err := url.Parse(s.URL); err == nil && u.Host != "" {
		t.Origin = u.Scheme + "://" + u.Host
	}
	if strings.HasPrefix(t.Origin, "https:") {
		t.ChannelBinding = []byte("0123456789abcdef0123456789abcdef")
	}
	if s.Traits.PerMailbox {
		t.Mailbox = s.Mailboxes[0]
	}
	return t
}

// demand is how a server asks for a login by a scheme.
func (s *suite[X]) demand(scheme string) string {
	for name, challenge := range s.Challenges {
		if strings.EqualFold(name, scheme) {
			return challenge
		}
	}
	return scheme
}

// A login is an exchange under examination.
type login struct {
	f        *Fixture
	seen     *evidence
	exchange auth.Exchange
	schemes  []string // by one of which it must answer
}

// begin begins a login whose answers must be by one of schemes.
func (s *suite[X]) begin(ctx context.Context, a auth.Authenticator, target auth.Target, schemes ...string) (*login, error) {
	exchange, err := try(&s.Fixture, func() (auth.Exchange, error) { return a.Begin(ctx, target) })
	err = s.seen.err(err)
	if err == nil && exchange == nil {
		err = fmt.Errorf("Begin returned neither an exchange nor an error: %w", fault.Internal)
	}
	return &login{f: &s.Fixture, seen: &s.seen, exchange: exchange, schemes: schemes}, err
}

// errUnfit is the error of a header that cannot be sent.
var errUnfit = errors.New("the header cannot be sent")

// leg makes one leg. An answer that is no header of one of the login's schemes is an error.
func (l *login) leg(ctx context.Context, challenge ...string) (auth.Header, error) {
	h, err := try(l.f, func() (auth.Header, error) { return l.exchange(ctx, challenge) })
	if err = l.seen.err(err); err != nil {
		return auth.Header{}, err
	}
	l.seen.header(h)
	return h, fit(h, l.schemes)
}

// fit reports why a header is none of schemes; it does not show it.
func fit(h auth.Header, schemes []string) error {
	scheme, credentials, _ := strings.Cut(h.Value, " ")
	switch {
	case h.Value == "":
		return fmt.Errorf("%w: it is empty", errUnfit)
	case strings.ContainsFunc(h.Value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return fmt.Errorf("%w: it holds a line end or another control character", errUnfit)
	case !slices.ContainsFunc(schemes, func(s string) bool { return strings.EqualFold(s, scheme) }):
		return fmt.Errorf("%w: it does not begin with %s and a blank", errUnfit, strings.Join(schemes, " or "))
	case strings.TrimSpace(credentials) == "":
		return fmt.Errorf("%w: nothing follows the scheme", errUnfit)
	}
	return nil
}

// first begins a login that is asked for by one scheme, and makes its first leg.
func (s *suite[X]) first(ctx context.Context, a auth.Authenticator, target auth.Target, scheme string) (*login, auth.Header, error) {
	l, err := s.begin(ctx, a, target, scheme)
	if err != nil {
		return l, auth.Header{}, err
	}
	h, err := l.leg(ctx, s.demand(scheme))
	return l, h, err
}

// answer makes a login's first leg as the server's first scheme demands it, and gives the login up then.
func (s *suite[X]) answer(ctx context.Context, a auth.Authenticator) (auth.Header, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_, h, err := s.first(ctx, a, s.target(), s.Traits.Schemes[0])
	return h, err
}

// constant reports whether the header is the whole login and is always the same, so that it can be compared.
func (s *suite[X]) constant(t X, a auth.Authenticator) (auth.Header, bool) {
	t.Helper()
	one, err := s.answer(t.Context(), a)
	if err != nil {
		t.Fatalf("logging in: %v", err)
	}
	two, err := s.answer(t.Context(), a)
	if err != nil {
		t.Fatalf("logging in again: %v", err)
	}
	return one, one == two && !one.More && one.Expires.IsZero()
}

// unfitFor reports what is wrong with an answer to something that cannot be answered: it may be a good header all the
// same, of a plugin that does not look, or else fault.Unauthorized.
func unfitFor(err error) error {
	if err == nil || fault.Of(err) == fault.Unauthorized {
		return nil
	}
	return fmt.Errorf("%w (%s); want a header or %s", err, fault.Of(err), fault.Unauthorized)
}
