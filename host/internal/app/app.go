// Package app wires the host together: New(config), Run(ctx).
package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"

	"github.com/roomwire/roomwire/host/internal/api"
	"github.com/roomwire/roomwire/host/internal/apikey"
	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/doctor"
	"github.com/roomwire/roomwire/host/internal/endpoint"
	"github.com/roomwire/roomwire/host/internal/freebusy"
	"github.com/roomwire/roomwire/host/internal/looptest"
	"github.com/roomwire/roomwire/host/internal/mail"
	"github.com/roomwire/roomwire/host/internal/metrics"
	"github.com/roomwire/roomwire/host/internal/schedule"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/supervise"
	"github.com/roomwire/roomwire/host/internal/syncer"
	"github.com/roomwire/roomwire/host/internal/watch"
	"github.com/roomwire/roomwire/host/internal/webhook"
)

// stopTimeout is how long work under way may take when the host is stopped.
const stopTimeout = 20 * time.Second

// Options makes an App.
type Options struct {
	Config *config.Config // made by Load
	// Load reads the configuration anew; nil: it cannot be changed while the host runs.
	Load      func() (*config.Config, config.Diagnostics)
	Log       hclog.Logger
	Version   string
	Ready     func()            // called when the host serves; may be nil
	Reloading func(begins bool) // called when another configuration is taken over and when that is done; may be nil
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
	force      inForce
	started    time.Time

	meter    *metrics.Meter
	counters *endpoint.Counters
	doctor   *doctor.Doctor
	tests    *looptest.Runner
	hooks    *webhook.Service
	mails    *mail.Sender
	watch    *watch.Watch

	reloading sync.Mutex
	adminKey  string               // of commands on this machine; empty before Run
	graces    map[*time.Timer]bool // until what a configuration replaced is closed
	closed    bool

	notifications, rest *listener
}

// New opens the store, the plugins' catalog and both listeners. What is wrong with any of them is its error.
func New(ctx context.Context, o Options) (_ *App, err error) {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	a := &App{
		Options: o, started: time.Now(), meter: metrics.New(o.Version), counters: &endpoint.Counters{},
		graces: map[*time.Timer]bool{},
	}
	a.force.set(o.Config)
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	if a.store, err = openStore(ctx, o.Config, o.Log); err != nil {
		return nil, err
	}
	a.supervisor = supervise.New(supervise.Options{
		Dir: o.Config.Plugins.Dir, RunDir: filepath.Join(DataDir(o.Config), "run"), Log: o.Log, MemoryLimit: o.Config.Plugins.MemoryLimit,
	})
	a.modes = newModes(o.Config, a.supervisor)
	a.engine = a.newEngine()
	a.watch = a.newWatch()
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
	a.besides()
	if a.notifications, err = listen("listen.notifications", o.Config.Listen.Notifications); err != nil {
		return nil, err
	}
	if a.rest, err = listen("listen.api", o.Config.Listen.API); err != nil {
		return nil, err
	}
	return a, nil
}

// Addresses says where the host can be reached, a line each.
func (a *App) Addresses() []string {
	return []string{"notifications: " + a.NotificationsURL(), "REST:          " + a.APIURL()}
}

// NotificationsURL is the address of the public listener itself, as seen from this machine.
func (a *App) NotificationsURL() string {
	return a.notifications.url() + endpoint.NotificationPath
}

// APIURL is the address of the REST listener as seen from this machine.
func (a *App) APIURL() string { return a.rest.url() }

// tellCommands writes the file by which commands on this machine find the host. a.reloading is held.
func (a *App) tellCommands() error {
	if a.adminKey == "" {
		return nil
	}
	file := apikey.File{URL: a.APIURL(), Key: a.adminKey}
	if cert := a.rest.cert.Load(); cert != nil {
		file.Certificate = apikey.Fingerprint(cert.Certificate[0])
	}
	return apikey.Write(DataDir(a.Config), file)
}

// Run serves until ctx ends, then finishes what is under way.
func (a *App) Run(ctx context.Context) error {
	key, hash := apikey.NewAdmin()
	a.reloading.Lock()
	a.adminKey = key
	err := a.tellCommands()
	a.reloading.Unlock()
	if err != nil {
		return err
	}
	defer func() { _ = apikey.Remove(DataDir(a.Config)) }()
	switch n, err := a.engine.Resume(ctx); {
	case ctx.Err() != nil:
		return nil // stopped before it began
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
	g.Go(func() error { return a.endLeftovers(run) })
	g.Go(func() error { return a.extendSeries(run) })
	g.Go(func() error { return a.watch.Run(run) })
	g.Go(func() error { return a.tests.Serve(run) })
	g.Go(func() error { return a.hooks.Run(run) })
	g.Go(func() error { return a.mails.Run(run) })
	g.Go(func() error { return a.watchFiles(run) })
	g.Go(func() error { return a.announce(run) })
	g.Go(func() error { a.checkSettings(run); return nil })
	g.Go(func() error { return countDown(run, a.Log, a.endings, time.Now) })
	a.Log.Info("running", "version", a.Version, "notifications", a.NotificationsURL(), "api", a.APIURL(), "store", a.Config.Store.String())
	err = g.Wait()
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
		Tenants:       a.force.tenants,
		Subscriptions: noticing{endpoint.OnStore(a.store, func() time.Duration { return a.force.get().Sync.BackSyncDelay }), a.tests},
		Receiver:      a.modes.pusher,
		Backends:      a.force.backends,
		DefaultMode:   a.modes.defaultPusher,
		Health:        a.store.Ping,
		Log:           a.Log.Named("endpoint"),
		Counters:      a.counters,
	})
}

// restHandler is what the API's listener serves: REST, and the figures for Prometheus.
func (a *App) restHandler(ctx context.Context, adminKeyHash []byte) http.Handler {
	o := apiOptions(ctx, &a.force, a.store, a.engine, adminKeyHash, a.Log)
	o.FreeBusy = &freebusy.Service{Reads: a.store, Modes: a.modes, ModeNames: a.modes.names}
	o.Explainer, o.Tests, o.Webhooks = explainer{a}, tests{a.tests}, webhooks{a.hooks}
	o.Doctor, o.Host, o.Observe = examiner{a}, self{a}, a.meter.Requested
	rest, figures := api.New(o), a.meter.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" {
			figures.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}

// quiet has net/http log what strangers do wrong, such as a failed TLS handshake, where only we would look.
func (a *App) quiet(srv *http.Server) *http.Server {
	srv.ErrorLog = a.Log.Named("http").StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug})
	return srv
}

// Close releases what New opened. Run must have ended.
func (a *App) Close() {
	for _, ln := range []*listener{a.notifications, a.rest} {
		if ln != nil {
			_ = ln.Close()
		}
	}
	a.reloading.Lock()
	a.closed = true
	for t := range a.graces {
		t.Stop() // the plugins ended with Run
	}
	a.reloading.Unlock()
	if a.store != nil {
		_ = a.store.Close()
	}
}
