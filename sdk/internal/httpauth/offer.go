package httpauth

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/roomwire/roomwire/sdk/fault"
)

const noIdentity = math.MaxInt

// offerLifetime is how long it is believed what a server offers.
const offerLifetime = time.Hour

// An offer is what a server answered to a request without credentials.
type offer struct {
	demanded   bool     // it asked for credentials
	settled    bool     // the answer may be believed for a while
	challenges []string // WWW-Authenticate
	binding    []byte   // of the certificate that it showed
}

// An origin is what is known of a server.
type origin struct {
	name string

	mu      sync.Mutex
	offer   offer
	until   time.Time
	binding []byte // of the latest certificate seen
	// refused is the identity that the server refused last, or noIdentity; none behind it is tried in its place.
	refused int
	flight  flight[offer]
}

func (t *Transport) origin(u *url.URL) *origin {
	name := originOf(u)
	t.mu.Lock()
	defer t.mu.Unlock()
	o, ok := t.origins[name]
	if !ok {
		o = &origin{name: name, refused: noIdentity}
		t.origins[name] = o
	}
	return o
}

// offer returns what the origin offers, asking it by an empty request where that is not known.
func (t *Transport) offer(ctx context.Context, o *origin, r *http.Request) (offer, error) {
	if known, ok := o.known(); ok {
		return known, nil
	}
	return o.flight.do(ctx, func() (offer, error) {
		if known, ok := o.known(); ok {
			return known, nil
		}
		resp, err := t.plain.RoundTrip(emptyRequest(ctx, r, ""))
		if err != nil {
			return offer{}, explain(ctx, r.URL, err)
		}
		defer drain(resp)
		return o.learn(offerOf(resp)), nil
	})
}

func offerOf(resp *http.Response) offer {
	f := offer{demanded: resp.StatusCode == http.StatusUnauthorized, binding: bindingOf(resp.TLS)}
	f.settled = resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests
	if f.demanded {
		f.challenges = resp.Header.Values("WWW-Authenticate")
	}
	return f
}

func (o *origin) known() (offer, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.offer, time.Now().Before(o.until)
}

// learn keeps what a request without credentials was answered. Where that was no demand, a later one corrects it.
func (o *origin) learn(f offer) offer {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.binding = f.binding
	if f.settled {
		o.offer, o.until = f, time.Now().Add(offerLifetime)
	}
	return f
}

// latestBinding is the best guess for a connection that does not exist yet.
func (o *origin) latestBinding() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.binding
}

func (o *origin) sawBinding(b []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.binding = b
}

// heard keeps in mind whether identity i was accepted.
func (o *origin) heard(i int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil:
		o.refused = noIdentity
	case fault.Of(err) == fault.Unauthorized:
		o.refused = i
		o.until = time.Time{} // it may offer something else once its administrator has changed it
	}
}

// choose returns the first identity that can answer the offer, and the scheme by which.
func (t *Transport) choose(o *origin, f offer) (int, string, error) {
	offered := schemesOf(f.challenges)
	for i, id := range t.identities {
		for _, scheme := range id.Schemes {
			if slices.ContainsFunc(offered, func(s string) bool { return strings.EqualFold(s, scheme) }) {
				return i, scheme, o.notBehindRefused(t, i)
			}
		}
	}
	var mine []string
	for _, id := range t.identities {
		mine = append(mine, fmt.Sprintf("%s (%s)", id.Name, strings.Join(id.Schemes, ", ")))
	}
	return 0, "", &fault.Error{Kind: fault.Unauthorized, Scope: fault.ScopeServer, Message: fmt.Sprintf(
		"%s offers %s, which none of the configured ways to log in answers: %s",
		o.name, schemeList(f.challenges), strings.Join(mine, "; "))}
}

func (o *origin) notBehindRefused(t *Transport, i int) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if i <= o.refused {
		return nil
	}
	return &fault.Error{Kind: fault.Unauthorized, Scope: fault.ScopeServer, Message: fmt.Sprintf(
		"%s refused %q and no longer offers its scheme; %q is not tried in its place", o.name,
		t.identities[o.refused].Name, t.identities[i].Name)}
}

// schemesOf returns the names of the schemes in WWW-Authenticate values, some of which hold several.
func schemesOf(challenges []string) []string {
	var out []string
	for _, c := range challenges {
		for _, part := range splitChallenges(c) {
			name, _, _ := strings.Cut(part, " ")
			if name != "" && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// splitChallenges splits a header value that lists several challenges, "Negotiate, NTLM, Basic realm="a, b"". A part is
// a challenge if it begins with a bare word; others are parameters of the one before, which are dropped.
func splitChallenges(v string) []string {
	var parts []string
	quoted, start := false, 0
	cut := func(end int) {
		part := strings.TrimSpace(v[start:end])
		word, _, _ := strings.Cut(part, " ")
		if word != "" && !strings.ContainsAny(word, `="`) {
			parts = append(parts, part)
		}
		start = end + 1
	}
	for i := 0; i < len(v); i++ {
		switch {
		case quoted && v[i] == '\\':
			i++
		case v[i] == '"':
			quoted = !quoted
		case v[i] == ',' && !quoted:
			cut(i)
		}
	}
	cut(len(v))
	return parts
}

func schemeList(challenges []string) string {
	if s := schemesOf(challenges); len(s) > 0 {
		return strings.Join(s, ", ")
	}
	return "nothing"
}
