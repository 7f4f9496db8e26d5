package soak_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/host/internal/endpoint"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/launch"
)

type mutation = calendar.Mutation

// A stage is Exchange, the plugins' processes, a store and the endpoint for notices. Many schedules are played on it, each in
// a tenant and with mailboxes of its own. Its clock, which is the server's and the engine's, only goes when it is set.
type stage struct {
	*testing.T
	sim     *exchangesim.Server
	store   *store.Store
	plugins *plugins
	public  string // URL of the endpoint

	mu      sync.Mutex
	time    time.Time
	tenants []string
	plays   int
}

func (s *stage) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.time
}

func (s *stage) set(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.time = t
}

// newStage makes a stage that end tears down; database is "sqlite" or "postgres".
func newStage(t *testing.T, database string) *stage {
	t.Helper()
	s := &stage{T: t, time: time.Now().UTC(), plays: number(t, "PLAYS", 0)}
	url := storetest.SQLite
	if database == "postgres" {
		url = storetest.Postgres
	}
	s.store = storetest.New(t, store.Options{URL: url(t), Now: s.now})
	var err error
	s.sim, err = exchangesim.New(exchangesim.Options{
		Now: s.now, RetryBase: 10 * time.Millisecond, CopyToAttendees: true, TokenLifetime: 100 * 24 * time.Hour,
		People: []exchangesim.Person{{
			Address: "svc-rooms@example.com", User: `EXAMPLE\svc-rooms`, Password: "secret", Impersonation: true, NoMailbox: true,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.sim.Close(); err != nil {
			t.Errorf("close Exchange: %v", err)
		}
	})
	s.listen()
	return s
}

// listen starts what others call: Exchange's two kinds, and the endpoint.
func (s *stage) listen() {
	ews, err := s.sim.Start("127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = ews.Close() })
	online, err := s.sim.StartOnlineTLS("127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = online.Close() })
	ca := filepath.Join(s.TempDir(), "online.pem")
	if err := os.WriteFile(ca, online.CertificatePEM, 0o600); err != nil {
		s.Fatal(err)
	}
	run, err := os.MkdirTemp("", "rwsoak") // the path of a socket is short
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = os.RemoveAll(run) })
	tenant, http := exchangesim.SampleTenant(), launch.HTTPOptions{CAPEM: online.CertificatePEM, Timeout: patience}
	app := map[string]any{
		"tenant_id": tenant.ID, "app_id": tenant.Apps[0].ID, "client_secret": tenant.Apps[0].Secrets[0].Value,
		"cloud": "custom", "authority": strings.Replace(online.URL, "127.0.0.1", "localhost", 1), "ca_file": ca,
	}
	s.plugins = &plugins{
		dir: pluginDir(s.T), run: run,
		running: map[string]*launch.Process{}, sums: map[string][]byte{}, logins: map[string]openLogin{}, open: map[string]openBackend{},
		before: func(string) error { return nil }, after: func(string) error { return nil },
		how: map[string]modeConfig{
			onPremises: {
				backend: "backend-exchange2013", auth: "auth-ntlm", url: ews.URL + "/EWS/Exchange.asmx",
				login: map[string]any{"user": `EXAMPLE\svc-rooms`, "password": "secret"}, http: launch.HTTPOptions{Timeout: patience},
			},
			overEWS: {
				backend: "backend-exchangeonline", auth: "auth-oauth", url: online.URL + "/EWS/Exchange.asmx", login: app, http: http,
			},
			overGraph: {backend: "backend-graph", auth: "auth-oauth", url: online.URL + "/v1.0", login: app, http: http},
		},
	}
	s.Cleanup(func() { s.plugins.stop(s.T) })
	s.serve()
}

// serve starts the endpoint for notices.
func (s *stage) serve() {
	server := endpoint.Server(endpoint.New(endpoint.Options{
		Tenants:       func() []string { s.mu.Lock(); defer s.mu.Unlock(); return s.tenants },
		Subscriptions: endpoint.OnStore(s.store, func() time.Duration { return 0 }),
		Receiver: func(mode string) (backend.Pusher, bool) {
			_, found := s.plugins.how[mode]
			return &handle{s.plugins, mode}, found
		},
		Backends: func() []string { return []string{"graph"} },
		DefaultMode: func(backend string) string {
			if backend == "graph" {
				return overGraph
			}
			return onPremises
		},
		Now: s.now, TouchEvery: -1, Linger: -1,
	}))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	s.public = "http://" + ln.Addr().String()
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }()
	s.Cleanup(func() {
		_ = server.Close()
		if err := <-done; err != http.ErrServerClosed { //nolint:errorlint // it is returned as it is
			s.Errorf("the endpoint: %v", err)
		}
	})
}

func (s *stage) noticesTo(tenant, mode string) string {
	path := endpoint.NotificationPath
	if mode == overGraph {
		path = endpoint.WebhookRoot + "graph"
	}
	return fmt.Sprintf("%s%s?%s", s.public, path, tenant)
}

// delivered waits until every notice that is under way has arrived.
func (s *stage) delivered() {
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	if err := s.sim.WaitIdle(ctx); err != nil {
		panic(broken{"notices do not arrive", err.Error()})
	}
}
