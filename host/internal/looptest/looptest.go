// Package looptest is the Synchronisationstest: it runs the whole loop on a person's real mailbox and says how far it
// got, and why not further.
//
// A run makes an item of its own, far in the future, changes it, waits until the server has told of that, and removes it.
// No other item is touched and nobody is mailed. The item bears a key that no booking can have, so the sync leaves it
// alone. The key is stored before the item is made, and that nothing is left of it only after the item is gone: when a
// host dies half-way, whichever host comes next finds the item by its key and removes it.
//
//	r := looptest.New(looptest.Options{Store: st, Modes: modes, …})
//	go r.Serve(ctx)
//	run, already, err := r.Start(ctx, "Default", "alice")
package looptest

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer"
	"github.com/roomwire/roomwire/sdk/fault"
)

// KeyPrefix begins the marker of every test item. A booking's marker ends in a dot and a number, which these never have.
const KeyPrefix = "looptest-"

// What a Run came to.
const (
	Running     = "running"
	Passed      = "passed"
	Failed      = "failed"
	Interrupted = "interrupted" // its host was stopped or died
)

// The states of a Step, and of a Check those that it can have.
const (
	StatePending = "pending"
	StateRunning = "running"
	StateOK      = "ok"
	StateFailed  = "failed"
	StateSkipped = "skipped"
	StateDoubt   = "doubtful" // a Check only: it may be the cause, or may not
)

// The steps, in their order.
const (
	StepConfiguration = "configuration"
	StepCreate        = "create"
	StepChange        = "change"
	StepNotification  = "notification"
	StepDelete        = "delete"
)

// A Step is one of the five parts of a run.
type Step struct {
	Name   string        `json:"name"`
	State  string        `json:"state"`
	Began  time.Time     `json:"began,omitzero"`
	Took   time.Duration `json:"took,omitzero"`
	Detail string        `json:"detail,omitempty"` // what was found, or why it was skipped
	Cause  string        `json:"cause,omitempty"`  // of a failure: a sentence
	Remedy string        `json:"remedy,omitempty"` // what to do about it
	Checks []Check       `json:"checks,omitempty"` // what was looked at to find the cause
}

// A Check is one thing that was looked at because no notification arrived.
type Check struct {
	Name   string `json:"name"`
	State  string `json:"state"` // StateOK, StateFailed, StateDoubt or StateSkipped
	Detail string `json:"detail"`
}

// A Run is one test of the loop on a person's mailbox.
type Run struct {
	Tenant, ID, Person string
	Outcome            string
	Way                string // in which notices were to arrive; empty before the configuration was checked
	Started, Ended     time.Time
	Steps              []Step
}

// A Resolver finds addresses; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Arrivals count what the notification endpoint of this process could not use, since its start.
type Arrivals struct {
	Untrusted   int64 // messages whose token no living subscription has
	Mismatched  int64 // a living token with another subscription's id
	Unanswered  int64 // could not be taken, because plugin or store were away or too much arrived at once
	Unreadable  int64 // no messages of the protocol, too large, or incomplete
	UnknownPath int64 // requests for paths that are not ours
}

// Options makes a Runner. Store and Modes are required.
type Options struct {
	Store *store.Store
	Modes syncer.Modes
	Log   hclog.Logger
	Now   func() time.Time
	// NotificationURL returns where the servers of a sync mode send notices of a tenant to, with the tenant's query and
	// without a token.
	NotificationURL func(tenant, mode string) string
	// Arrivals reads the counters of the endpoint. It may be nil.
	Arrivals func() Arrivals
	// Wake has the engine look at a mailbox now, even one that waits after a failure; nil: it is marked dirty.
	Wake func(ctx context.Context, tenant, person string) error
	// FallBack is told that notices do not arrive in the way that the mailbox is on; Proved that they do. Both may be nil.
	FallBack func(ctx context.Context, tenant, person, reason string) error
	Proved   func(ctx context.Context, tenant, person string) error

	// Resolver, Dial, Roots and Proxy are how the notification URL is looked at; nil: as this machine does it.
	Resolver Resolver
	Dial     func(ctx context.Context, network, address string) (net.Conn, error)
	Roots    *x509.CertPool
	Proxy    func(*http.Request) (*url.URL, error)

	// Patience is how long a notification is waited for on a way; nil: two minutes on every one.
	Patience func(way string) time.Duration
	// Failpoint is called between the steps of every effect; tests make it end the run as a crash would. It may be nil.
	Failpoint func(step string)
}

// The numbers of a run.
const (
	defaultPatience = 2 * time.Minute
	lookEvery       = time.Second      // at the store, for what another host may have changed
	firstPassWait   = time.Minute      // for a person whose mailbox was never looked at
	callTimeout     = 60 * time.Second // of one request to a backend
	lease           = 90 * time.Second // a run that has not said for so long that it is alive is dead; more than callTimeout
	beat            = 20 * time.Second
	sweepEvery      = 30 * time.Second
	stopGrace       = 15 * time.Second // for cleaning up when the host is stopped
	runsAtOnce      = 8
	throttleBudget  = time.Minute // that a server's requests to wait are followed within a step
)

// Runner runs tests, keeps what came of them, and cleans up after those that died. It is safe for concurrent use.
type Runner struct {
	Options
	mu      sync.Mutex
	pending []*active
	serving bool
	woken   chan struct{} // 1: pending has grown

	sweeping atomic.Bool

	watch  hub // runs that are followed
	noted  hub // mailboxes whose notice is waited for
	atOnce chan struct{}
	alive  sync.WaitGroup
}

// New returns a Runner. It does nothing before Serve.
func New(o Options) *Runner {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NotificationURL == nil {
		o.NotificationURL = func(string, string) string { return "" }
	}
	if o.Arrivals == nil {
		o.Arrivals = func() Arrivals { return Arrivals{} }
	}
	if o.Wake == nil {
		o.Wake = func(ctx context.Context, tenant, person string) error {
			return o.Store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
				return tx.MarkDirty(ctx, tenant, person, o.Now())
			})
		}
	}
	if o.FallBack == nil {
		o.FallBack = func(context.Context, string, string, string) error { return nil }
	}
	if o.Proved == nil {
		o.Proved = func(context.Context, string, string) error { return nil }
	}
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: checkTimeout}).DialContext
	}
	if o.Proxy == nil {
		o.Proxy = http.ProxyFromEnvironment
	}
	if o.Patience == nil {
		o.Patience = func(string) time.Duration { return defaultPatience }
	}
	if o.Failpoint == nil {
		o.Failpoint = func(string) {}
	}
	return &Runner{Options: o, woken: make(chan struct{}, 1), atOnce: make(chan struct{}, runsAtOnce)}
}

func (r *Runner) now() time.Time { return r.Now().UTC().Truncate(time.Millisecond) }

// Start begins a test of the person's mailbox, which goes on when ctx ends. If one is under way, on any host, that one is
// returned and already is true. A person that does not exist is booking.ErrNotFound; fault.Unavailable means that this
// process runs no tests.
func (r *Runner) Start(ctx context.Context, tenant, person string) (run Run, already bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock() // held until the run is handed over, so that Serve does not end in between
	if !r.serving {
		return Run{}, false, fmt.Errorf("the test of person %q cannot run: no host runs, or it is being stopped; start it and try again: %w",
			person, fault.Unavailable)
	}
	var a *active
	err = r.Store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		a, run, already = nil, Run{}, false
		// Reading the person keeps others from beginning a run of theirs at the same time.
		if _, found, err := tx.Person(ctx, tenant, person); err != nil {
			return err
		} else if !found {
			return fmt.Errorf("person %q: %w", person, booking.ErrNotFound)
		}
		last, err := tx.TestRuns(ctx, tenant, person, 1)
		if err != nil {
			return err
		}
		if len(last) == 1 && last[0].Outcome == Running && last[0].AliveUntil.After(r.now()) {
			run, err = fromRow(last[0])
			already = true
			return err
		}
		a = r.newRun(tenant, person)
		run = a.snapshot()
		return tx.PutTestRun(ctx, a.row(r.now()))
	})
	if err != nil || already {
		return run, already, err
	}
	r.pending = append(r.pending, a)
	select {
	case r.woken <- struct{}{}:
	default:
	}
	r.Log.Info("a synchronisation test begins", "tenant", tenant, "person", person, "run", run.ID)
	return run, false, nil
}

// Run returns one run as it is now, whichever host it is on.
func (r *Runner) Run(ctx context.Context, tenant, id string) (Run, bool, error) {
	row, found, err := r.Store.TestRun(ctx, tenant, id)
	if err != nil || !found {
		return Run{}, false, err
	}
	run, err := fromRow(row)
	return run, err == nil, err
}

// Runs returns the runs on a person's mailbox, newest first.
func (r *Runner) Runs(ctx context.Context, tenant, person string, limit int) ([]Run, error) {
	rows, err := r.Store.TestRuns(ctx, tenant, person, limit)
	if err != nil {
		return nil, err
	}
	runs := make([]Run, len(rows))
	for i, row := range rows {
		if runs[i], err = fromRow(row); err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// Changed returns a channel that gets a value after the run has changed in this process; several changes may give one.
// A run may be another host's, so look again now and then. cancel ends the watch.
func (r *Runner) Changed(tenant, id string) (changed <-chan struct{}, cancel func()) {
	return r.watch.listen(tenant + "\x00" + id)
}

// Noticed tells that a server said that something changed in a mailbox. It only makes a run notice sooner.
func (r *Runner) Noticed(tenant, person string) { r.noted.wake(tenant + "\x00" + person) }

// Serve executes the runs that are started and cleans up after dead ones, of any host, until ctx ends. Then runs under
// way are interrupted and cleaned up after, as far as that is possible within some seconds.
func (r *Runner) Serve(ctx context.Context) error {
	r.mu.Lock()
	if r.serving {
		r.mu.Unlock()
		return errors.New("the runner of synchronisation tests is served already")
	}
	// An SQLite database belongs to one process at a time: what was running before this moment cannot be alive.
	horizon := r.now()
	if r.Store.Dialect() == store.SQLite {
		horizon = horizon.Add(lease)
	}
	r.serving = true
	r.mu.Unlock()
	defer r.alive.Wait()
	defer func() {
		r.mu.Lock()
		r.serving = false
		r.mu.Unlock()
		r.launch(ctx) // what was started in the last moment is interrupted like the rest
	}()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	r.sweep(ctx, horizon)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.woken:
			r.launch(ctx)
		case <-sweep.C:
			r.sweep(ctx, r.now())
		}
	}
}

// launch executes what was started.
func (r *Runner) launch(ctx context.Context) {
	r.mu.Lock()
	pending := r.pending
	r.pending = nil
	r.mu.Unlock()
	for _, a := range pending {
		r.alive.Go(func() { r.execute(ctx, a) })
	}
}

// newID returns 128 random bits.
func newID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// A hub wakes those who wait for something to happen to what a name stands for.
type hub struct {
	mu sync.Mutex
	of map[string]map[chan struct{}]struct{}
}

func (h *hub) listen(name string) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of == nil {
		h.of = map[string]map[chan struct{}]struct{}{}
	}
	if h.of[name] == nil {
		h.of[name] = map[chan struct{}]struct{}{}
	}
	h.of[name][c] = struct{}{}
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.of[name], c)
		if len(h.of[name]) == 0 {
			delete(h.of, name)
		}
	}
}

func (h *hub) wake(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.of[name] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
