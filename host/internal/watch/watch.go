// Package watch listens for changes of mailboxes where their server cannot call in: by streaming, a connection kept open,
// or by asking at intervals.
//
// Which mailboxes are listened to is the engine's decision, read from the store. They are put into groups of one server
// and way; a group is watched by one call of its backend's Watcher. What is heard only marks a mailbox dirty. Whether a
// group is connected is kept in memory: the engine is told when mailboxes have not been listened to for a while, so that
// they are read by the clock meanwhile, and when they are again. Hosts on one database share the servers among them.
package watch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer"
)

// An Engine decides which way a mailbox is on.
type Engine interface {
	// Listening is told of mailboxes that are listened to from now on; what was before is not known.
	Listening(ctx context.Context, way string, mailboxes []store.Watched) error
	// Deaf is told of mailboxes that have not been listened to for a while, and are still tried.
	Deaf(ctx context.Context, way string, mailboxes []store.Watched, reason string) error
	// CannotListen is told of a mailbox that cannot be listened to, while others of its server can.
	CannotListen(ctx context.Context, way string, mailbox store.Watched, reason string) error
}

// Options are what a Watch works with. All but Log must be set.
type Options struct {
	Store  *store.Store
	Engine Engine
	Modes  syncer.Modes
	// Instance names what serves the mailbox of an address in a sync mode: the mode itself, or its override for the mail domain.
	// It may be nil: there are no overrides.
	Instance func(mode, address string) string
	Holder   string // names this host among those on the same database
	Log      hclog.Logger
	Limits   Limits // at the start; see SetLimits
}

// Limits are a Watch's numbers. Those but Delay concern asking at intervals.
type Limits struct {
	Delay               time.Duration // how long after a notice its mailbox shall be pulled
	BatchGetEvents      int           // subscriptions asked for at once
	BatchSubscribe      int           // subscriptions made before those that are there are asked for
	FailedGetEvents     int           // subscriptions lost in a row until a mailbox falls back to another way
	FailedSubscribe     int           // subscriptions refused in a row until then
	SubscribeInterval   time.Duration // how often subscriptions that could not be made are tried again
	TaskInterval        time.Duration // how often is asked
	SubscriptionTimeout time.Duration // how long the server keeps a subscription that nobody asks for; whole minutes
}

// DefaultLimits are those of an installation that configures nothing.
func DefaultLimits() Limits {
	return Limits{
		BatchGetEvents: 100, BatchSubscribe: 100, FailedGetEvents: 10, FailedSubscribe: 10,
		SubscribeInterval: 20 * time.Minute, TaskInterval: 30 * time.Second, SubscriptionTimeout: 12 * time.Hour,
	}
}

// LimitsOf returns the limits that a configuration asks for.
func LimitsOf(c *config.Config) Limits {
	p := c.Pull
	return Limits{
		Delay: c.Sync.BackSyncDelay, BatchGetEvents: p.BatchGetEvents, BatchSubscribe: p.BatchSubscribe,
		FailedGetEvents: p.FailedGetEventsLimit, FailedSubscribe: p.FailedSubscribeLimit,
		SubscribeInterval: p.SubscribeInterval, TaskInterval: p.TaskInterval, SubscriptionTimeout: p.SubscriptionTimeout,
	}
}

// What is not configured.
const (
	reloadEvery = 30 * time.Second // how often the store is asked who is to be listened to
	tendEvery   = 10 * time.Second // how often duties and connections are looked after
	dutyFor     = time.Minute      // how long a host that died keeps its servers
	deafAfter   = 2 * time.Minute  // how long a mailbox may be without a connection before it is read by the clock
	debounce    = time.Second      // how long a group waits for more newcomers
)

// A Watch listens for this host.
type Watch struct {
	Options
	inForce atomic.Pointer[Limits]
	notices *notices
	wake    chan struct{} // of capacity 1

	reopened, lost atomic.Int64

	mu      sync.Mutex // protects what follows, and the members of groups
	changed map[id]bool
	roster  map[id]*member
	servers map[string]*server
	groups  map[place][]*group
	running sync.WaitGroup
}

// New returns a Watch. Nothing is listened to before Run.
func New(o Options) *Watch {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Instance == nil {
		o.Instance = func(mode, _ string) string { return mode }
	}
	w := &Watch{
		Options: o, wake: make(chan struct{}, 1), changed: map[id]bool{}, roster: map[id]*member{},
		servers: map[string]*server{}, groups: map[place][]*group{},
	}
	w.notices = newNotices(w.record)
	w.SetLimits(o.Limits)
	return w
}

// SetLimits puts other limits into force. Groups that exist keep their size.
func (w *Watch) SetLimits(l Limits) { w.inForce.Store(&l) }

func (w *Watch) limits() *Limits { return w.inForce.Load() }

// Changed has a mailbox looked at soon, because it may be meant to be listened to otherwise than before. It never blocks.
func (w *Watch) Changed(tenant, person string) {
	w.mu.Lock()
	w.changed[id{tenant, person}] = true
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// ModeChanged has everything of a sync mode that is configured otherwise from now on opened again, at once.
func (w *Watch) ModeChanged(mode string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, s := range w.servers {
		if strings.HasPrefix(name, serverOf(mode, "")) {
			s.forgive()
		}
	}
	for p, list := range w.groups {
		if p.mode != strings.ToLower(mode) {
			continue
		}
		for _, g := range list {
			g.anew = true
			g.poke()
		}
	}
}

// Run listens until ctx ends. It may be called once.
func (w *Watch) Run(ctx context.Context) error {
	run, cancel := context.WithCancel(ctx)
	defer w.giveUp(context.WithoutCancel(ctx))
	defer w.running.Wait()
	defer cancel()
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	next := time.Now() // of the next look at everybody
	for {
		if !time.Now().Before(next) {
			began := time.Now()
			if err := w.reload(ctx); err != nil {
				w.complain(ctx, "cannot look for mailboxes that are to be listened to; trying again", err)
			}
			// A very large installation spends a twentieth of its time here at most.
			next = time.Now().Add(max(reloadEvery, 20*time.Since(began)))
		}
		if err := w.look(ctx); err != nil {
			w.complain(ctx, "cannot look how mailboxes are to be listened to; trying again", err)
		}
		if err := w.takeDuties(ctx); err != nil {
			w.complain(ctx, "cannot agree with other hosts on who listens; trying again", err)
		}
		w.arrange(run)
		w.tellDeaf(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-w.wake:
			if !sleep(ctx, debounce) {
				return ctx.Err()
			}
		}
	}
}

func (w *Watch) complain(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		w.Log.Warn(what, "error", err)
	}
}

// sleep returns false if ctx ended before d was over.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// record makes durable that something changed in mailboxes.
func (w *Watch) record(ctx context.Context, batch []id) error {
	delay := w.limits().Delay
	return w.Store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		at := time.Time{}
		if delay > 0 {
			at = tx.Now().Add(delay)
		}
		for _, m := range batch {
			if err := tx.Notice(ctx, m.tenant, m.person, at); err != nil {
				return err
			}
		}
		return nil
	})
}

// takeDuties makes this host the one that listens at the servers that nobody else listens at.
func (w *Watch) takeDuties(ctx context.Context) error {
	w.mu.Lock()
	needed := map[string]bool{}
	for _, m := range w.roster {
		needed[m.place.server] = true
	}
	for name := range needed {
		if w.servers[name] == nil {
			w.servers[name] = newServer(name)
		}
	}
	due := map[string]*server{}
	for name, s := range w.servers {
		if needed[name] && time.Until(s.until) < dutyFor*2/3 {
			due[name] = s
		}
	}
	w.mu.Unlock()
	var failed []error
	for name, s := range due {
		until, ours := time.Now().Add(dutyFor), false
		err := w.Store.Tx(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
			ours, err = tx.TakeDuty(ctx, duty(name), w.Holder, tx.Now().Add(dutyFor))
			return err
		})
		if err != nil {
			failed = append(failed, err) // it is ours until it runs out
			continue
		}
		w.mu.Lock()
		s.until = time.Time{}
		if ours {
			s.until = until
		}
		w.mu.Unlock()
	}
	return errors.Join(failed...)
}

// giveUp lets another host listen at once.
func (w *Watch) giveUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for name, s := range w.servers {
		if s.until.IsZero() {
			continue
		}
		err := w.Store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.DropDuty(ctx, duty(name), w.Holder) })
		if err != nil {
			w.Log.Debug("a duty was not given back; it runs out by itself", "server", name, "error", err)
		}
	}
}

func duty(server string) string { return "watch/" + server }

// tellDeaf tells the engine who has not been listened to for too long.
func (w *Watch) tellDeaf(ctx context.Context) {
	type silent struct {
		g      *group
		way    string
		reason string
		who    []*member
		rows   []store.Watched
	}
	var all []silent
	w.mu.Lock()
	for _, list := range w.groups {
		for _, g := range list {
			s := silent{g: g, way: g.place.way, reason: g.trouble()}
			for _, m := range g.members {
				if !m.up && !m.told && time.Since(m.down) >= deafAfter {
					s.who = append(s.who, m)
				}
			}
			slices.SortFunc(s.who, func(a, b *member) int { return a.id.compare(b.id) })
			for _, m := range s.who {
				s.rows = append(s.rows, m.row)
			}
			if len(s.who) > 0 {
				all = append(all, s)
			}
		}
	}
	w.mu.Unlock()
	for _, s := range all {
		if err := w.Engine.Deaf(ctx, s.way, s.rows, s.reason); err != nil {
			w.complain(ctx, "cannot record that mailboxes are not listened to; trying again", err)
			continue
		}
		w.Log.Info("mailboxes are not listened to; they are read by the clock meanwhile",
			"mailboxes", len(s.rows), "server", s.g.place.server, "way", s.way, "why", s.reason)
		w.mu.Lock()
		for _, m := range s.who {
			m.told, m.unread = true, true
		}
		w.mu.Unlock()
	}
}

// serverOf names what duties and limits hold for: a server with the credentials of a mode.
func serverOf(mode, rawURL string) string {
	host := rawURL
	if _, rest, ok := strings.Cut(rawURL, "://"); ok {
		host, _, _ = strings.Cut(rest, "/")
	}
	return fmt.Sprintf("%s@%s", strings.ToLower(mode), strings.ToLower(host))
}
