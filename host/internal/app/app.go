// Package app wires the host together: New(config), Run(ctx).
package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"

	"github.com/roomwire/roomwire/host/internal/api"
	"github.com/roomwire/roomwire/host/internal/apikey"
	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/endpoint"
	"github.com/roomwire/roomwire/host/internal/schedule"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/supervise"
	"github.com/roomwire/roomwire/host/internal/syncer"
)

// stopTimeout is how long work under way may take when the host is stopped.
const stopTimeout = 20 * time.Second

// Options makes an App.
type Options struct {
	Config    *config.Config
	Log       hclog.Logger
	Version   string
	Failpoint func(step string) // for tests; may be nil
}

// App is the host, ready to run.
type App struct {
	Options
	store      *store.Store
	engine     *syncer.Engine
	supervisor *supervise.Supervisor
	schedule   *schedule.Schedule
	modes      *modes

	notifications, rest net.Listener
}

// New opens the store, the plugins' catalog and both listeners. What is wrong with any of them is its error.
func New(ctx context.Context, o Options) (_ *App, err error) {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	a := &App{Options: o}
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	if a.store, err = openStore(ctx, o.Config, o.Log); err != nil {
		return nil, err
	}
	a.supervisor = supervise.New(supervise.Options{
		Dir: o.Config.Plugins.Dir, RunDir: filepath.Join(DataDir(o.Config), "run"), Log: o.Log,
	})
	a.modes = newModes(o.Config, a.supervisor)
	a.engine = newEngine(o, a.store, a.modes)
	a.schedule, err = schedule.New(ctx, schedule.Options{
		Store: a.store, Workers: workers(o.Config), Log: o.Log.Named("schedule"),
		Work: func(ctx context.Context, tenant, person string) (schedule.Outcome, error) {
			out, err := a.engine.Pass(ctx, tenant, person)
			return schedule.Outcome{Clean: out.Clean, Next: out.Next}, err
		},
		Coalesce: o.Config.Sync.Coalesce, DrainTimeout: stopTimeout,
	})
	if err != nil {
		return nil, err
	}
	if a.notifications, err = listen("listen.notifications", o.Config.Listen.Notifications); err != nil {
		return nil, err
	}
	if a.rest, err = listen("listen.api", o.Config.Listen.API); err != nil {
		return nil, err
	}
	return a, nil
}

// openStore opens the database, making the folder of an SQLite file where there is none.
func openStore(ctx context.Context, cfg *config.Config, log hclog.Logger) (*store.Store, error) {
	if err := os.MkdirAll(DataDir(cfg), 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	st, err := store.Open(ctx, store.Options{URL: cfg.Store.URL, Log: log.Named("store")})
	if err != nil {
		return nil, fmt.Errorf("open the store %s: %w", cfg.Store, err)
	}
	return st, nil
}

func newEngine(o Options, st *store.Store, m syncer.Modes) *syncer.Engine {
	s := o.Config.Sync
	limits := syncer.DefaultLimits()
	limits.SubscriptionInterval, limits.StatusFrequency = s.SubscriptionInterval, s.StatusFrequency
	limits.ReconcileInterval, limits.PollInterval, limits.AttemptTimeout = s.ReconcileInterval, s.PollInterval, s.AttemptTimeout
	limits.WorkersPerServer, limits.RetryBase = s.WorkersPerServer, s.RetryDelay
	limits.MassDeletionLimit, limits.MassDeletionShare = s.MassDeletionLimit, s.MassDeletionShare
	limits.RollbackTries, limits.CancelTries = s.RollbackTries, s.CancelTries
	return syncer.New(syncer.Options{
		Store: st, Modes: m, Log: o.Log.Named("sync"), Render: api.Render, Failpoint: o.Failpoint, Limits: limits,
		Zone: func(tenant string) string {
			t, _ := o.Config.Tenant(tenant)
			return t.TimeZone
		},
		NotificationURL: func(tenant string) string {
			t, found := o.Config.Tenant(tenant)
			if !found || t.NotificationURL() == "" {
				return ""
			}
			return withTenant(t.NotificationURL(), t.Name)
		},
	})
}

// workers is how many mailboxes are worked on at once, over all servers.
func workers(cfg *config.Config) int {
	return max(16, cfg.Sync.WorkersPerServer*max(1, len(cfg.SyncModes)))
}

// DataDir is where the host keeps what is its own beside the database: the key file, the plugins' sockets.
func DataDir(cfg *config.Config) string {
	if path, ok := strings.CutPrefix(cfg.Store.URL, "sqlite:"); ok && path != ":memory:" {
		return filepath.Dir(path)
	}
	return filepath.Join(cfg.Dir, "data")
}

func listen(name string, l config.Listener) (net.Listener, error) {
	ln, err := net.Listen("tcp", l.Addr)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot listen at %q: %w; choose another address in roomwire.hcl, or end the program that uses it", name, l.Addr, err)
	}
	if !l.TLS() {
		return ln, nil
	}
	cert, err := tls.LoadX509KeyPair(l.CertFile, l.KeyFile)
	if err != nil {
		_ = ln.Close()
		return nil, fmt.Errorf("%s: certificate %q with key %q: %w", name, l.CertFile, l.KeyFile, err)
	}
	return tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}), nil
}

// Addresses says where the host can be reached, a line each.
func (a *App) Addresses() []string {
	return []string{"notifications: " + a.NotificationsURL(), "REST:          " + a.APIURL()}
}

// NotificationsURL is the address of the public listener itself, as seen from this machine.
func (a *App) NotificationsURL() string {
	return address(a.notifications, a.Config.Listen.Notifications) + endpoint.NotificationPath
}

// APIURL is the address of the REST listener as seen from this machine.
func (a *App) APIURL() string { return address(a.rest, a.Config.Listen.API) }

func address(ln net.Listener, l config.Listener) string {
	scheme := "http://"
	if l.TLS() {
		scheme = "https://"
	}
	host, port, _ := net.SplitHostPort(ln.Addr().String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + net.JoinHostPort(host, port)
}

// Run serves until ctx ends, then finishes what is under way.
func (a *App) Run(ctx context.Context) error {
	key, hash := apikey.NewAdmin()
	if err := apikey.Write(DataDir(a.Config), apikey.File{URL: a.APIURL(), Key: key}); err != nil {
		return err
	}
	defer func() { _ = apikey.Remove(DataDir(a.Config)) }()
	switch n, err := a.engine.Resume(ctx); {
	case err != nil:
		return fmt.Errorf("take up the mailboxes that wait: %w", err)
	case n > 0:
		a.Log.Info("mailboxes that waited after a failure are tried again", "mailboxes", n)
	}

	// The plugins outlive the work that needs them, and the listeners open before there is something to hear.
	plugins, stopPlugins := context.WithCancel(context.WithoutCancel(ctx))
	defer stopPlugins()
	supervised := make(chan struct{})
	var unsupervised error // why; set when supervised is closed
	go func() {
		defer close(supervised)
		unsupervised = a.supervisor.Run(plugins)
	}()

	g, run := errgroup.WithContext(ctx)
	g.Go(func() error {
		select {
		case <-supervised: // it never ends by itself: it could not begin, and everything would wait for plugins for good
			return unsupervised
		case <-run.Done():
			return run.Err()
		}
	})
	g.Go(func() error { return serveUntil(run, a.notifications, a.quiet(endpoint.Server(a.public()))) })
	g.Go(func() error { return serveUntil(run, a.rest, a.quiet(api.Server(a.restHandler(run, hash)))) })
	g.Go(func() error { return a.schedule.Run(run) })
	g.Go(func() error { return a.tidy(run) })
	a.Log.Info("running", "version", a.Version, "notifications", a.NotificationsURL(), "api", a.APIURL(), "store", a.Config.Store.String())
	err := g.Wait()
	stopPlugins()
	<-supervised
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	a.Log.Info("stopped")
	return err
}

func (a *App) public() http.Handler {
	return endpoint.New(endpoint.Options{
		Tenants:       tenantNames(a.Config),
		Subscriptions: endpoint.OnStore(a.store, a.Config.Sync.BackSyncDelay),
		Receiver:      a.modes.pusher,
		DefaultMode:   a.modes.defaultPusher(),
		Health:        a.store.Ping,
		Log:           a.Log.Named("endpoint"),
	})
}

func (a *App) restHandler(ctx context.Context, adminKeyHash []byte) http.Handler {
	return api.New(apiOptions(ctx, a.Config, a.store, a.engine, adminKeyHash, a.Log))
}

// quiet has net/http log what strangers do wrong, such as a failed TLS handshake, where only we would look.
func (a *App) quiet(srv *http.Server) *http.Server {
	srv.ErrorLog = a.Log.Named("http").StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug})
	return srv
}

// serveUntil serves until ctx ends, then waits for the requests under way.
func serveUntil(ctx context.Context, ln net.Listener, srv *http.Server) error {
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := srv.Shutdown(wait); err != nil {
		_ = srv.Close()
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	}
	return ctx.Err()
}

// How long the timeline with closed differences, the change feed, and the answers to requests that may be repeated are kept.
const (
	keepTimeline = 90 * 24 * time.Hour
	keepChanges  = 400 * 24 * time.Hour
	keepAnswers  = 48 * time.Hour
)

func prune(ctx context.Context, tx *store.Tx, now time.Time) error {
	_, err := tx.Prune(ctx, store.Before{
		Timeline: now.Add(-keepTimeline), Changes: now.Add(-keepChanges), Answers: now.Add(-keepAnswers),
	})
	return err
}

// tidy removes what is older than anybody asks for.
func (a *App) tidy(ctx context.Context) error {
	t := time.NewTicker(6 * time.Hour)
	defer t.Stop()
	for {
		err := a.store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			return prune(ctx, tx, time.Now())
		})
		if err != nil && ctx.Err() == nil {
			a.Log.Warn("old entries of the timeline could not be removed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
}

// Close releases what New opened. Run must have ended.
func (a *App) Close() {
	for _, ln := range []net.Listener{a.notifications, a.rest} {
		if ln != nil {
			_ = ln.Close()
		}
	}
	if a.store != nil {
		_ = a.store.Close()
	}
}

func tenantNames(cfg *config.Config) []string {
	names := make([]string, len(cfg.Tenants))
	for i, t := range cfg.Tenants {
		names[i] = t.Name
	}
	return names
}
