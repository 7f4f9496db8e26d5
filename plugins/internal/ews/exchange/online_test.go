package exchange

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// newOnline is a world whose server is Exchange Online.
func newOnline(t *testing.T, o exchangesim.Options) *world {
	t.Helper()
	sim, err := exchangesim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	at, err := sim.StartOnlineTLS("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	origin := strings.Replace(at.URL, "127.0.0.1", "localhost", 1)
	w := &world{sim: sim, at: at, url: origin + "/EWS/Exchange.asmx"}
	w.alice = w.mailbox("alice@example.com")
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(at.CertificatePEM)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	w.Backend, err = New(backend.Env{
		HTTP: &http.Client{Transport: &bearer{origin: origin, next: transport}}, ActAs: true, Markers: backend.DefaultMarkers(),
	}, "test", Online)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_, _ = at.Close(), sim.Close()
	})
	return w
}

// bearer authorizes with a token of the sample app.
type bearer struct {
	origin string
	next   http.RoundTripper

	mu    sync.Mutex
	token string
}

func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := b.get(r.Context())
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	return b.next.RoundTrip(r)
}

func (b *bearer) get(ctx context.Context) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.token != "" {
		return b.token, nil
	}
	tenant := exchangesim.SampleTenant()
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {tenant.Apps[0].ID}, "client_secret": {tenant.Apps[0].Secrets[0].Value},
		"scope": {b.origin + "/.default"},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.origin+"/"+tenant.ID+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := b.next.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", err
	}
	b.token = answer.Token
	return b.token, nil
}

func TestOnlineActsForTheMailboxInEveryCall(t *testing.T) {
	t.Parallel()
	w := newOnline(t, exchangesim.Options{})
	w.sim.RequireAnchor(true)
	item := w.create(t, "bk-1", desk())
	w.pull(t, "")
	if _, err := w.Find(t.Context(), w.alice, backend.ByUID, item.Event.UID); err != nil {
		t.Error(err)
	}
	sub, err := w.Listen(t.Context(), backend.ListenRequest{Mailbox: w.alice, Way: backend.WayAsking})
	if err != nil {
		t.Fatal(err)
	}
	request := backend.WatchRequest{Way: backend.WayAsking, Watched: []backend.Watched{{Mailbox: w.alice, Subscription: sub}}}
	if err := w.Watch(t.Context(), request, func([]backend.Hint) error { return nil }); err != nil {
		t.Error(err)
	}
	if _, err := w.Apply(t.Context(), calendar.Mutation{Op: calendar.Delete, Mailbox: w.alice, Ref: item.Ref}); err != nil {
		t.Error(err)
	}
	status, err := w.Probe(t.Context(), w.alice)
	if err != nil || status.Delegate || !strings.HasPrefix(status.Server, "Exchange 15.20.") {
		t.Errorf("%+v, %v", status, err)
	}
}

func TestOnlineIsNotReachedAsADelegate(t *testing.T) {
	t.Parallel()
	_, err := New(backend.Env{HTTP: http.DefaultClient, Markers: backend.DefaultMarkers()}, "test", Online)
	if fault.Of(err) != fault.Invalid || !strings.Contains(err.Error(), "use_impersonation") {
		t.Errorf("%v, want Invalid", err)
	}
}

func TestOnlineTellsATenantWithoutEWSFromAMailboxWithoutIt(t *testing.T) {
	t.Parallel()
	off, on := false, true
	tenant := exchangesim.SampleTenant().ID
	for name, tc := range map[string]struct {
		change func(*exchangesim.Tenant)
		want   bool // of everybody
	}{
		"EWS is switched off":           {func(o *exchangesim.Tenant) { o.EWSEnabled = &off }, true},
		"the app is not on the list":    {func(o *exchangesim.Tenant) { o.EWSEnabled, o.EWSAllowedApps = &on, []string{} }, true},
		"the app's scope is one person": {func(o *exchangesim.Tenant) { o.Apps[0].Mailboxes = []string{"alice@example.com"} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const n = 6
			w := newOnline(t, exchangesim.Options{Generate: n})
			if _, err := w.Probe(t.Context(), w.alice); err != nil {
				t.Fatal(err)
			}
			for i := range n {
				if _, err := w.Probe(t.Context(), w.mailbox(fmt.Sprintf("user%d@example.com", i+1))); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.sim.ChangeTenant(tenant, tc.change); err != nil {
				t.Fatal(err)
			}
			var last error
			for i := range n {
				_, last = w.Probe(t.Context(), w.mailbox(fmt.Sprintf("user%d@example.com", i+1)))
				if fault.Of(last) != fault.Forbidden {
					t.Errorf("%v, want Forbidden", last)
				}
			}
			fe, _ := last.(*fault.Error)
			if fe == nil || (fe.Scope == fault.ScopeServer) != tc.want || (fe.Code == "EWSDisabled") != tc.want {
				t.Errorf("%+v, want that of everybody: %t", fe, tc.want)
			}
		})
	}
}

func TestOnlineSaysThatAMailboxIsOnPremises(t *testing.T) {
	t.Parallel()
	w := newOnline(t, exchangesim.Options{})
	if ok, err := w.sim.SetPlace(w.alice.Address, exchangesim.PlaceOnPremises); !ok || err != nil {
		t.Fatal(ok, err)
	}
	_, err := w.Probe(t.Context(), w.alice)
	if fault.Of(err) != fault.MailboxNotFound || !strings.Contains(err.Error(), "on premises") {
		t.Errorf("%v, want MailboxNotFound", err)
	}
	if _, err := w.sim.SetPlace(w.alice.Address, exchangesim.PlaceMoving); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Probe(t.Context(), w.alice); fault.Of(err) != fault.MailboxMoved {
		t.Errorf("%v, want MailboxMoved", err)
	}
}

func TestOnlineRefusesAnEndedToken(t *testing.T) {
	t.Parallel()
	w := newOnline(t, exchangesim.Options{})
	if _, err := w.Probe(t.Context(), w.alice); err != nil {
		t.Fatal(err)
	}
	w.sim.RevokeTokens()
	_, err := w.Probe(t.Context(), w.alice)
	if fault.Of(err) != fault.Unauthorized || !strings.Contains(err.Error(), "token") || strings.Contains(err.Error(), "password") {
		t.Errorf("%v, want Unauthorized", err)
	}
}
