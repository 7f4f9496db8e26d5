package authtest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/fault"
)

func (s *suite[X]) bad(t X) {
	if len(s.Bad) == 0 {
		t.Skipf("there are no settings in Fixture.Bad")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Bad)) {
		a, err := try(&s.Fixture, func() (auth.Authenticator, error) { return s.Bad[name](t.Context()) })
		if err = s.seen.err(err); err == nil {
			s.close(a)
		}
		if fault.Of(err) != fault.Invalid {
			t.Errorf("%s: Open = %v, want an error of kind %s", name, err, fault.Invalid)
		}
	}
}

func (s *suite[X]) odd(t X) {
	if len(s.Odd) == 0 {
		t.Skipf("there are no settings in Fixture.Odd")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Odd)) {
		a, err := try(&s.Fixture, func() (auth.Authenticator, error) { return s.Odd[name](t.Context()) })
		if err = s.seen.err(err); err != nil {
			if fault.Of(err) != fault.Invalid {
				t.Errorf("%s: Open = %v, want none or one of kind %s", name, err, fault.Invalid)
			}
			continue
		}
		if _, err := s.answer(t.Context(), a); err != nil {
			t.Errorf("%s: Open took it, but then: %v", name, err)
		}
		s.close(a)
	}
}

func (s *suite[X]) openAsksNobody(t X) {
	if s.Issuer == nil || s.Issuer.Asked == nil {
		t.Skipf("there is no issuer to ask: Fixture.Issuer.Asked")
	}
	before := s.Issuer.Asked()
	s.must(t, s.Open)
	if n := s.Issuer.Asked() - before; n != 0 {
		t.Errorf("Open made %d requests: it is called at every start, and must not fail because a server is away", n)
	}
}

func (s *suite[X]) names(t X) {
	var seen []string
	for _, scheme := range s.Traits.Schemes {
		if scheme == "" || strings.ContainsFunc(scheme, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) }) {
			t.Errorf("%q is no name of a scheme", scheme)
		}
		if lower := strings.ToLower(scheme); slices.Contains(seen, lower) {
			t.Errorf("%q is there twice", scheme)
		} else {
			seen = append(seen, lower)
		}
	}
}

func (s *suite[X]) eachScheme(t X) {
	a := s.must(t, s.Open)
	for _, scheme := range s.Traits.Schemes {
		if _, _, err := s.first(t.Context(), a, s.target(), scheme); err != nil {
			t.Errorf("asked for %s alone: %v", scheme, err)
		}
	}
}

func (s *suite[X]) amongOthers(t X) {
	a := s.must(t, s.Open)
	for _, scheme := range s.Traits.Schemes {
		demand := s.demand(scheme)
		name, rest, _ := strings.Cut(demand, " ")
		for how, challenge := range map[string][]string{
			"in lower case":   {strings.ToLower(name) + strings.TrimSuffix(" "+rest, " ")},
			"in upper case":   {strings.ToUpper(name) + strings.TrimSuffix(" "+rest, " ")},
			"in a header":     {`Unheard-Of realm="a, b"`, demand, "Another"},
			"in one's list":   {`Unheard-Of realm="a, b", ` + demand},
			"in a list first": {demand + ", Another"},
		} {
			l, err := s.begin(t.Context(), a, s.target(), scheme)
			if err == nil {
				_, err = l.leg(t.Context(), challenge...)
			}
			if err != nil {
				t.Errorf("%s %s, %q: %v", scheme, how, challenge, err)
			}
		}
	}
}

func (s *suite[X]) emptyChallenge(t X) {
	a := s.must(t, s.Open)
	for _, challenge := range [][]string{nil, {""}} {
		s.unanswerable(t, a, challenge)
	}
}

// unanswerable makes a first leg with a challenge that need not be answered.
func (s *suite[X]) unanswerable(t X, a auth.Authenticator, challenge []string) {
	t.Helper()
	l, err := s.begin(t.Context(), a, s.target(), s.Traits.Schemes...)
	if err == nil {
		_, err = l.leg(t.Context(), challenge...)
	}
	if err := unfitFor(err); err != nil {
		t.Errorf("to %.80q: %v", challenge, err)
	}
}

func (s *suite[X]) otherSchemes(t X) {
	a := s.must(t, s.Open)
	s.unanswerable(t, a, []string{"Unheard-Of"})
	s.unanswerable(t, a, []string{`Unheard-Of realm="x", Another nonce="y"`, "Third"})
}

// garbage is what no server says after the name of a scheme.
func garbage() []string {
	return []string{
		" ", " !!!", " ====", " AAAA", " TlRMTVNTUAACAAAA", ` realm="`, ` realm="\`, " realm", ` realm=,,,`, " =", ",", `, , ,"`,
		" \x00\x01\x02", " \xff\xfe", " a\r\nX-Injected: 1", ` realm="a` + "\r\n" + `X-Injected: 1"`, ` nonce="%s%n"`,
		" " + strings.Repeat("A", 64<<10), ` realm="` + strings.Repeat("ä", 32<<10) + `"`, " " + strings.Repeat(`x="1", `, 4<<10),
	}
}

func (s *suite[X]) garbage(t X) {
	a := s.must(t, s.Open)
	for _, g := range garbage() {
		s.unanswerable(t, a, []string{strings.TrimSpace(g)})
		for _, scheme := range s.Traits.Schemes {
			s.unanswerable(t, a, []string{scheme + g})
		}
	}
	s.unanswerable(t, a, slices.Repeat([]string{s.Traits.Schemes[0]}, 1000))
}

func (s *suite[X]) garbageInTheMiddle(t X) {
	a := s.must(t, s.Open)
	if h, err := s.answer(t.Context(), a); err != nil {
		t.Fatalf("logging in: %v", err)
	} else if !h.More {
		t.Skipf("a login has one leg")
	}
	for _, scheme := range s.Traits.Schemes {
		for _, challenge := range append([][]string{nil, {scheme}, {"Unheard-Of"}}, eachAfter(scheme)...) {
			l, h, err := s.first(t.Context(), a, s.target(), scheme)
			if err == nil && h.More {
				_, err = l.leg(t.Context(), challenge...)
			}
			if err := unfitFor(err); err != nil {
				t.Errorf("to %.80q: %v", challenge, err)
			}
		}
	}
}

func eachAfter(scheme string) [][]string {
	var all [][]string
	for _, g := range garbage() {
		all = append(all, []string{scheme + g})
	}
	return all
}

func (s *suite[X]) expires(t X) {
	h, err := s.answer(t.Context(), s.must(t, s.Open))
	if err != nil {
		t.Fatalf("logging in: %v", err)
	}
	if h.Expires.IsZero() {
		t.Skipf("its header does not say when it expires")
	}
	if !h.Expires.After(time.Now()) {
		t.Errorf("a new header expires at %s: it would be asked for again with every request", h.Expires)
	}
}

func (s *suite[X]) legsEnd(t X) {
	a := s.must(t, s.Open)
	for _, scheme := range s.Traits.Schemes {
		l, h, err := s.first(t.Context(), a, s.target(), scheme)
		for legs := 1; err == nil && h.More; legs++ {
			if legs == maxLegs {
				t.Errorf("%s: after %d legs it wants another: a login has no more than that", scheme, legs)
				break
			}
			h, err = l.leg(t.Context(), s.demand(scheme))
		}
		if err := unfitFor(err); err != nil {
			t.Errorf("%s, whenever it was asked to log in: %v", scheme, err)
		}
	}
}

func (s *suite[X]) binding(t X) {
	a := s.must(t, s.Open)
	for name, tc := range map[string]struct {
		origin string
		hash   int
	}{
		"SHA-256": {"https://calendar.example.com:443", 32}, "SHA-384": {"https://calendar.example.com:443", 48},
		"SHA-512": {"https://calendar.example.com:443", 64}, "none": {"https://calendar.example.com:443", 0}, "no TLS": {"http://calendar.example.com:80", 0},
	} {
		target := s.target()
		target.Origin, target.ChannelBinding = tc.origin, make([]byte, tc.hash)
		_, _, err := s.first(t.Context(), a, target, s.Traits.Schemes[0])
		if kind := fault.Of(err); tc.hash == 0 && (kind == fault.Invalid || kind == fault.Unauthorized) {
			continue // one may insist on it
		}
		if err != nil {
			t.Errorf("hash of the server's certificate %s: %v", name, err)
		}
	}
}

func (s *suite[X]) perMailbox(t X) {
	if !s.Traits.PerMailbox {
		t.Skipf("one header serves all mailboxes")
	}
	a, target := s.must(t, s.Open), s.target()
	var headers [2]auth.Header
	for i, address := range s.Mailboxes {
		target.Mailbox = address
		var err error
		if _, headers[i], err = s.first(t.Context(), a, target, s.Traits.Schemes[0]); err != nil {
			t.Fatalf("logging in for %s: %v", address, err)
		}
	}
	if headers[0].Value == headers[1].Value {
		t.Errorf("%s and %s have the same header: say so by Traits.PerMailbox false, or heed Target.Mailbox", s.Mailboxes[0], s.Mailboxes[1])
	}
}

func (s *suite[X]) attempts(t X) {
	if s.Traits.Attempts == 1 {
		t.Skipf("there is one attempt")
	}
	a, target := s.must(t, s.Open), s.target()
	var before []string
	for target.Retry = range s.Traits.Attempts {
		_, h, err := s.first(t.Context(), a, target, s.Traits.Schemes[0])
		if target.Retry > 0 && fault.Of(err) == fault.Unauthorized {
			continue
		}
		if err != nil {
			t.Errorf("attempt %d: %v", target.Retry+1, err)
		} else if !h.More && slices.Contains(before, h.Value) {
			t.Errorf("attempt %d is what the server has refused already: that locks accounts", target.Retry+1)
		}
		before = append(before, h.Value)
	}
}

func (s *suite[X]) endedContext(t X) {
	a := s.must(t, s.Open)
	for when, end := range map[string]func() (context.Context, context.CancelFunc){
		"cancelled": func() (context.Context, context.CancelFunc) { return context.WithCancel(t.Context()) },
		"whose deadline is over": func() (context.Context, context.CancelFunc) {
			return context.WithDeadline(t.Context(), time.Unix(0, 0))
		},
	} {
		ctx, cancel := end()
		cancel()
		if _, _, err := s.first(ctx, a, s.target(), s.Traits.Schemes[0]); fault.Of(err) != fault.Unavailable && err != nil {
			t.Errorf("with a context %s: %v (%s); want the context's error", when, err, fault.Of(err))
		}
	}
	if _, err := s.answer(t.Context(), a); err != nil {
		t.Errorf("after logins that were cancelled: %v", err)
	}
}

func (s *suite[X]) loginsDoNotMix(t X) {
	const logins = 3
	a := s.must(t, s.Open)
	alone, err := s.answer(t.Context(), a)
	if err != nil {
		t.Fatalf("logging in: %v", err)
	}
	_, constant := s.constant(t, a)
	var begun []*login
	for i := range logins { // all begin before the first goes on
		l, err := s.begin(t.Context(), a, s.target(), s.Traits.Schemes[0])
		if err != nil {
			t.Fatalf("login %d of %d: %v", i+1, logins, err)
		}
		begun = append(begun, l)
	}
	for i, l := range begun {
		h, err := l.leg(t.Context(), s.demand(s.Traits.Schemes[0]))
		switch {
		case err != nil:
			t.Errorf("login %d of %d: %v", i+1, logins, err)
		case h.More != alone.More:
			t.Errorf("login %d of %d: More = %v in the first leg, but %v when it is alone", i+1, logins, h.More, alone.More)
		case constant && h != alone:
			t.Errorf("login %d of %d: another header than when it is alone", i+1, logins)
		}
	}
}

// together calls f many times at once and reports the errors.
func (s *suite[X]) together(t X, times int, f func(i int) error) {
	t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, times)
	for i := range times {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("%d of %d at once: %v", i+1, times, err)
			return // the others say the same
		}
	}
}

func (s *suite[X]) loginsAtOnce(t X) {
	a := s.must(t, s.Open)
	alone, constant := s.constant(t, a)
	s.together(t, 32, func(int) error {
		h, err := s.answer(t.Context(), a)
		if err == nil && constant && h != alone {
			err = errOther
		}
		return err
	})
}
