package graph

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

const inQuery = "Default&k=s3cret"

func notice(state, kind string) string {
	return fmt.Sprintf(`{"subscriptionId":"sub-1","clientState":%q,"changeType":"updated",%s"resource":"Users/x/Events/y"}`, state, kind)
}

func TestReceive(t *testing.T) {
	t.Parallel()
	good := clientState(inQuery)
	const lifecycle = `"lifecycleEvent":"missed",`
	for name, tc := range map[string]struct {
		query, body string
		untrusted   bool
		status      int
		hints       []backend.Hint
		reply       string
		invalid     bool
	}{
		"a change":              {body: `{"value":[` + notice(good, "") + `]}`, status: 202, hints: []backend.Hint{{Subscription: "sub-1", Kind: backend.Dirty}}},
		"several changes":       {body: `{"value":[` + notice(good, "") + `,` + notice(good, "") + `]}`, status: 202, hints: []backend.Hint{{Subscription: "sub-1", Kind: backend.Dirty}}},
		"the second is ours":    {body: `{"value":[` + notice("wrong", "") + `,` + notice(good, "") + `]}`, status: 202, hints: []backend.Hint{{Subscription: "sub-1", Kind: backend.Dirty}}},
		"a lifecycle event":     {body: `{"value":[` + notice(good, lifecycle) + `]}`, status: 202, hints: []backend.Hint{{Subscription: "sub-1", Kind: backend.Lost}}},
		"the gravest counts":    {body: `{"value":[` + notice(good, lifecycle) + `,` + notice(good, "") + `]}`, status: 202, hints: []backend.Hint{{Subscription: "sub-1", Kind: backend.Lost}}},
		"another's state":       {body: `{"value":[` + notice(clientState("Default&k=other"), "") + `]}`, status: 202},
		"no state":              {body: `{"value":[{"subscriptionId":"sub-1"}]}`, status: 202},
		"no subscription":       {body: `{"value":[{"clientState":"` + good + `"}]}`, status: 202},
		"nothing":               {body: `{"value":[]}`, status: 202},
		"not trusted":           {body: `{"value":[` + notice(good, "") + `]}`, untrusted: true, status: 202},
		"no list":               {body: `{}`, invalid: true},
		"no list, not trusted":  {body: `{"value":"x"}`, untrusted: true, invalid: true},
		"no JSON":               {body: `<a/>`, invalid: true},
		"nothing at all":        {invalid: true},
		"a handshake":           {query: "&validationToken=Validation%3A+Testing%20%3Cb%3E+1%2b1", status: 200, reply: "Validation: Testing <b> 1+1", hints: []backend.Hint{{Kind: backend.Alive}}},
		"a stranger's":          {query: "&validationToken=x", untrusted: true, status: 404},
		"a handshake that long": {query: "&validationToken=" + strings.Repeat("x", longestToken+1), status: 404},
	} {
		b, _ := fakeBackend(t, nil)
		r, err := b.Receive(t.Context(), backend.Inbound{Method: "POST", Query: inQuery + tc.query, Body: []byte(tc.body), Trusted: !tc.untrusted})
		if tc.invalid {
			if fault.Of(err) != fault.Invalid || len(r.Hints) > 0 {
				t.Errorf("%s: %+v, %v; want Invalid", name, r, err)
			}
			continue
		}
		if err != nil || r.Status != tc.status || string(r.Body) != tc.reply || fmt.Sprint(r.Hints) != fmt.Sprint(tc.hints) {
			t.Errorf("%s: %d %q %+v, %v", name, r.Status, r.Body, r.Hints, err)
		}
		if tc.reply != "" && r.ContentType != "text/plain" {
			t.Errorf("%s: the handshake is answered as %q", name, r.ContentType)
		}
	}
}

func FuzzReceive(f *testing.F) {
	f.Add(inQuery, `{"value":[`+notice(clientState(inQuery), "")+`]}`)
	f.Add(inQuery+"&validationToken=abc", "")
	f.Add("%zz;;&k=", `{"value":[null,1,{}]}`)
	f.Fuzz(func(t *testing.T, query, body string) {
		b := &Backend{}
		r, err := b.Receive(t.Context(), backend.Inbound{Method: "POST", Query: query, Body: []byte(body)})
		if len(r.Hints) > 0 || r.Status >= 200 && r.Status < 202 {
			t.Errorf("a stranger got %+v", r)
		}
		if err != nil && fault.Of(err) != fault.Invalid {
			t.Errorf("%v", err)
		}
		if r, err := b.Receive(t.Context(), backend.Inbound{Method: "POST", Query: query, Body: []byte(body), Trusted: true}); err == nil && r.Status == 0 {
			t.Errorf("%+v", r)
		}
	})
}

// An endpoint is where messages arrive, as at the host.
type endpoint struct {
	*httptest.Server
	b *Backend

	mu    sync.Mutex
	hints []backend.Hint
	more  chan struct{}
}

func newEndpoint(t *testing.T, b *Backend) *endpoint {
	e := &endpoint{b: b, more: make(chan struct{}, 1000)}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

// ServeHTTP implements http.Handler.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body json.RawMessage
	_ = json.NewDecoder(r.Body).Decode(&body)
	reply, err := e.b.Receive(r.Context(), backend.Inbound{
		Method: r.Method, Query: r.URL.RawQuery, Header: r.Header, Body: body, Trusted: strings.Contains(r.URL.RawQuery, "k=s3cret"),
	})
	if err != nil {
		w.WriteHeader(400)
		return
	}
	e.mu.Lock()
	e.hints = append(e.hints, reply.Hints...)
	e.mu.Unlock()
	w.Header().Set("Content-Type", reply.ContentType)
	w.WriteHeader(reply.Status)
	_, _ = w.Write(reply.Body)
	e.more <- struct{}{}
}

// hears waits for a hint.
func (e *endpoint) hears(t *testing.T, want backend.Hint) {
	t.Helper()
	for {
		e.mu.Lock()
		for i, h := range e.hints {
			if h == want {
				e.hints = e.hints[i+1:]
				e.mu.Unlock()
				return
			}
		}
		e.mu.Unlock()
		select {
		case <-e.more:
		case <-t.Context().Done():
			t.Fatalf("%+v was not heard", want)
		}
	}
}

func (e *endpoint) request(m backend.Mailbox) backend.SubscribeRequest {
	return backend.SubscribeRequest{Mailbox: m, URL: e.URL + "/api/webhooks/graph?" + inQuery, StatusInterval: time.Minute}
}

func TestASubscriptionIsRenewedUnderItsURL(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := newEndpoint(t, w.Backend)
	s, err := w.Subscribe(t.Context(), e.request(w.alice))
	if err != nil || s.ID == "" || !s.Quiet || s.Kept {
		t.Fatalf("%+v, %v", s, err)
	}
	if life := time.Until(s.Expires); life < 3*day-time.Hour || life > 3*day+time.Hour {
		t.Errorf("it lives for %s", life)
	}
	w.create(t, "bk-1", desk())
	e.hears(t, backend.Hint{Subscription: s.ID, Kind: backend.Dirty})

	req := e.request(w.alice)
	req.Existing, req.URL = &s, strings.Replace(req.URL, "s3cret", "another", 1)
	w.now = func() time.Time { return time.Now().Add(day) }
	again, err := w.Subscribe(t.Context(), req)
	if err != nil || again.ID != s.ID || !again.Kept || !again.Quiet || !again.Expires.After(s.Expires) {
		t.Errorf("renewed: %+v, %v", again, err)
	}
	for _, event := range []string{"reauthorizationRequired", "missed"} {
		if _, err := w.sim.TellLifecycle("alice@example.com", event); err != nil {
			t.Fatal(err)
		}
		e.hears(t, backend.Hint{Subscription: s.ID, Kind: backend.Lost})
	}
	// One that is gone is made anew, here for the URL with the secret that is known.
	if n := w.sim.ExpireGraph("alice@example.com"); n != 1 {
		t.Fatalf("%d subscriptions ended", n)
	}
	req.URL = e.request(w.alice).URL
	made, err := w.Subscribe(t.Context(), req)
	if err != nil || made.ID == s.ID || made.Kept {
		t.Errorf("made anew: %+v, %v", made, err)
	}
	w.create(t, "bk-2", desk())
	e.hears(t, backend.Hint{Subscription: made.ID, Kind: backend.Dirty})
	for range 2 {
		if err := w.Unsubscribe(t.Context(), w.alice, made); err != nil {
			t.Errorf("ending it: %v", err)
		}
	}
	if left := w.sim.GraphSubscriptions(); len(left) > 0 {
		t.Errorf("left: %+v", left)
	}
}

// A subscription of ours that nobody remembers is in the way of a new one, and is ended; one that leads elsewhere is not.
func TestAForgottenSubscriptionIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e, other := newEndpoint(t, w.Backend), newEndpoint(t, w.Backend)
	forgotten, err := w.Subscribe(t.Context(), e.request(w.alice))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Subscribe(t.Context(), e.request(w.mailbox("bob@example.com"))); err != nil {
		t.Fatal(err)
	}
	s, err := w.Subscribe(t.Context(), e.request(w.alice))
	if err != nil || s.ID == forgotten.ID {
		t.Errorf("%+v, %v", s, err)
	}
	if n := len(w.sim.GraphSubscriptions()); n != 2 {
		t.Errorf("%d subscriptions, want Alice's and Bob's", n)
	}
	if _, err := w.Subscribe(t.Context(), other.request(w.alice)); fault.Of(err) != fault.SubscriptionLost {
		t.Errorf("where one leads elsewhere: %v, want SubscriptionLost", err)
	}
}

// However much the server says before it repeats our address, no part of the secret is told.
func TestNoPartOfTheSecretIsTold(t *testing.T) {
	t.Parallel()
	for pad := range 320 {
		b, m := fakeBackend(t, func(r *http.Request) (*http.Response, error) {
			said := strings.Repeat("x", pad) + " https://rooms.example.com/api/webhooks/graph?Default&k=0123456789"
			return answered(r, 400, `{"error":{"code":"ValidationError","message":"`+said+`"}}`), nil
		})
		req := backend.SubscribeRequest{Mailbox: m, URL: "https://rooms.example.com/api/webhooks/graph?Default&k=0123456789"}
		if _, err := b.Subscribe(t.Context(), req); fault.Of(err) != fault.Invalid || strings.Contains(err.Error(), "k=0") {
			t.Fatalf("after %d letters: %v", pad, err)
		}
	}
}

func TestAnEndpointThatDoesNotAnswerGetsNoSubscription(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, exchangesim.Options{}, Settings{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	_ = l.Close()
	for _, url := range []string{"http://" + at + "/api/webhooks/graph?" + inQuery, newEndpoint(t, w.Backend).URL + "/?Default&k=stranger", "::", "rooms"} {
		req := backend.SubscribeRequest{Mailbox: w.alice, URL: url}
		if s, err := w.Subscribe(t.Context(), req); err == nil {
			t.Errorf("%s: %+v", url, s)
		} else if strings.Contains(err.Error(), "k=") {
			t.Errorf("the error tells the secret: %v", err)
		}
	}
}
