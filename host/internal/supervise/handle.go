package supervise

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/launch"
)

// An Identity names an auth plugin and what it is opened with.
type Identity struct {
	Plugin   string // e.g. auth-ntlm
	Settings map[string]any
	// Fit, if any, makes what the plugin is opened with, in the form that its running process declares. Settings only tell
	// identities apart then: those for which they are the same must have the same from Fit.
	Fit func(launch.Description) map[string]any
}

// An Instance says how a backend is opened.
type Instance struct {
	Name       string // for people: the sync mode
	Plugin     string // e.g. backend-exchange2013
	Settings   map[string]any
	Fit        func(launch.Description) map[string]any // as an Identity's, in place of Settings
	Identities []Identity                              // in the order of preference
	ActAs      bool
	Markers    backend.Markers
	HTTP       launch.HTTPOptions
	// Allow reports why an origin may not see the identities; nil allows every one.
	Allow func(origin string) error
}

// A Backend is a handle of an instance that outlives the plugin's processes. It implements every interface of package
// backend; what the plugin does not offer answers fault.Unsupported, see Abilities.
type Backend struct {
	s      *Supervisor
	spec   Instance
	keeper *keeper

	opened  *opened[launch.Backend]
	retired atomic.Bool
}

// Retire says that the configuration no longer has the sync mode, or has another handle for it: Status does not tell of it
// any more. Calls go on until Close.
func (b *Backend) Retire() { b.retired.Store(true) }

// Backend returns a handle of an instance. The plugin is started as soon as the Supervisor runs.
func (s *Supervisor) Backend(spec Instance) *Backend {
	// At once, so that nobody who closes the last other handle stops a plugin between.
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range spec.Identities {
		s.keeper(id.Plugin)
	}
	b := &Backend{s: s, spec: spec, keeper: s.keeper(spec.Plugin), opened: newOpened[launch.Backend]()}
	s.handles[b] = true
	return b
}

// get returns the open instance in the running process, opening it if this process has none yet.
func (b *Backend) get(ctx context.Context) (launch.Backend, process, error) {
	return inRunning(ctx, b.keeper, b.opened, b.open(ctx))
}

// open returns how the instance is opened.
func (b *Backend) open(ctx context.Context) func(*launch.Process) (launch.Backend, error) {
	return func(lp *launch.Process) (launch.Backend, error) {
		config := launch.BackendConfig{
			Settings: fitted(b.spec.Settings, b.spec.Fit, lp.Description()), ActAs: b.spec.ActAs, Markers: b.spec.Markers, HTTP: b.spec.HTTP,
		}
		for _, id := range b.spec.Identities {
			i, err := b.identity(ctx, id)
			if err != nil {
				return nil, err
			}
			config.Identities = append(config.Identities, i)
		}
		open, err := lp.OpenBackend(ctx, config)
		if err != nil {
			return nil, fmt.Errorf("open plugin %s for sync mode %q: %w", b.spec.Plugin, b.spec.Name, err)
		}
		return open, nil
	}
}

// with makes a call, in the process that is there by then if the one before is being stopped.
func with[R any](ctx context.Context, b *Backend, call func(launch.Backend) (R, error)) (R, error) {
	for {
		open, p, err := b.get(ctx)
		if err != nil {
			var none R
			return none, err
		}
		r, err := call(open)
		if !errors.Is(err, launch.ErrStopping) || !b.keeper.moved(p) {
			return r, err
		}
	}
}

// timed is with for a call of which it is told how it went.
func timed[R any](ctx context.Context, b *Backend, call func(launch.Backend) (R, error)) (R, error) {
	return with(ctx, b, func(open launch.Backend) (R, error) {
		began := time.Now()
		r, err := call(open)
		b.keeper.calls.done(time.Since(began), err)
		return r, late(b.spec.Plugin, err)
	})
}

// late says of a call that was given up which plugin did not answer.
func late(plugin string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("plugin %s did not answer in time: its server is slow, or it hangs: %w", plugin, err)
	}
	return err
}

// able is open as one of the optional interfaces.
func able[A any](open launch.Backend, plugin, what string) (A, error) {
	a, ok := backend.As[A](open)
	if !ok {
		return a, fmt.Errorf("plugin %s has no %s: %w", plugin, what, fault.Unsupported)
	}
	return a, nil
}

// fitted is what a plugin is opened with.
func fitted(settings map[string]any, fit func(launch.Description) map[string]any, about launch.Description) map[string]any {
	if fit == nil {
		return settings
	}
	return fit(about)
}

// identity looks what an auth plugin can do; it must have been started once for that.
func (b *Backend) identity(ctx context.Context, id Identity) (launch.Identity, error) {
	a, err := b.s.authenticator(b, id)
	if err != nil {
		return launch.Identity{}, err
	}
	p, err := a.keeper.get(ctx)
	if err != nil {
		return launch.Identity{}, err
	}
	traits := p.Description().Auth
	return launch.Identity{
		Name: id.Plugin, AuthTraits: traits, Auth: a,
		Allow: func(origin string) error {
			for _, scheme := range traits.Schemes {
				if strings.EqualFold(scheme, "Basic") && !strings.HasPrefix(origin, "https://") {
					return fmt.Errorf("the password is not sent to %s, which is not encrypted: use https, or another auth plugin than %s: %w", origin, id.Plugin, fault.Invalid)
				}
			}
			if b.spec.Allow != nil {
				return b.spec.Allow(origin)
			}
			return nil
		},
	}, nil
}

// Abilities opens the instance if need be and says which optional interfaces it has.
func (b *Backend) Abilities(ctx context.Context) (backend.Abilities, error) {
	open, _, err := b.get(ctx)
	if err != nil {
		return backend.Abilities{}, err
	}
	return backend.AbilitiesOf(open), nil
}

// Probe implements backend.Backend.
func (b *Backend) Probe(ctx context.Context, m backend.Mailbox) (backend.Status, error) {
	return timed(ctx, b, func(open launch.Backend) (backend.Status, error) { return open.Probe(ctx, m) })
}

// Pull implements backend.Backend.
func (b *Backend) Pull(ctx context.Context, req backend.PullRequest, emit func(backend.Page) error) error {
	_, err := with(ctx, b, func(open launch.Backend) (struct{}, error) {
		began, away := time.Now(), time.Duration(0)
		err := open.Pull(ctx, req, func(p backend.Page) error {
			left := time.Now()
			defer func() { away += time.Since(left) }()
			return emit(p)
		})
		b.keeper.calls.done(time.Since(began)-away, err)
		return struct{}{}, late(b.spec.Plugin, err)
	})
	return err
}

// Fetch implements backend.Backend.
func (b *Backend) Fetch(ctx context.Context, m backend.Mailbox, refs []backend.Ref) ([]backend.Fetched, error) {
	return timed(ctx, b, func(open launch.Backend) ([]backend.Fetched, error) {
		return open.Fetch(ctx, m, refs)
	})
}

// Apply implements backend.Backend.
func (b *Backend) Apply(ctx context.Context, m calendar.Mutation) (backend.Result, error) {
	return timed(ctx, b, func(open launch.Backend) (backend.Result, error) { return open.Apply(ctx, m) })
}

// What plugins may lack, for people.
const (
	push   = "push notifications"
	listen = "streaming or pull notifications"
	search = "search by marker"
	busy   = "free/busy"
	groups = "look at distribution groups"
	answer = "answers of invitations"
	texts  = "look at what attendees wrote"
	drift  = "cheap look whether anything has changed"
)

// Subscribe implements backend.Pusher.
func (b *Backend) Subscribe(ctx context.Context, req backend.SubscribeRequest) (backend.Subscription, error) {
	return timed(ctx, b, func(open launch.Backend) (backend.Subscription, error) {
		p, err := able[backend.Pusher](open, b.spec.Plugin, push)
		if err != nil {
			return backend.Subscription{}, err
		}
		return p.Subscribe(ctx, req)
	})
}

// Unsubscribe implements backend.Pusher.
func (b *Backend) Unsubscribe(ctx context.Context, m backend.Mailbox, s backend.Subscription) error {
	_, err := timed(ctx, b, func(open launch.Backend) (struct{}, error) {
		p, err := able[backend.Pusher](open, b.spec.Plugin, push)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, p.Unsubscribe(ctx, m, s)
	})
	return err
}

// Receive implements backend.Pusher.
func (b *Backend) Receive(ctx context.Context, in backend.Inbound) (backend.Reply, error) {
	return timed(ctx, b, func(open launch.Backend) (backend.Reply, error) {
		p, err := able[backend.Pusher](open, b.spec.Plugin, push)
		if err != nil {
			return backend.Reply{}, err
		}
		return p.Receive(ctx, in)
	})
}

// Listen implements backend.Watcher.
func (b *Backend) Listen(ctx context.Context, req backend.ListenRequest) (backend.Subscription, error) {
	return timed(ctx, b, func(open launch.Backend) (backend.Subscription, error) {
		w, err := able[backend.Watcher](open, b.spec.Plugin, listen)
		if err != nil {
			return backend.Subscription{}, err
		}
		return w.Listen(ctx, req)
	})
}

// Watch implements backend.Watcher. When the plugin is stopped or replaced, it ends without an error.
func (b *Backend) Watch(ctx context.Context, req backend.WatchRequest, emit func([]backend.Hint) error) error {
	_, err := with(ctx, b, func(open launch.Backend) (struct{}, error) {
		w, err := able[backend.Watcher](open, b.spec.Plugin, listen)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, w.Watch(ctx, req, emit)
	})
	return err
}

// Find implements backend.Finder.
func (b *Backend) Find(ctx context.Context, m backend.Mailbox, by backend.Marker, value string) ([]backend.Item, error) {
	return timed(ctx, b, func(open launch.Backend) ([]backend.Item, error) {
		f, err := able[backend.Finder](open, b.spec.Plugin, search)
		if err != nil {
			return nil, err
		}
		return f.Find(ctx, m, by, value)
	})
}

// Respond implements backend.Responder.
func (b *Backend) Respond(ctx context.Context, r backend.Reaction) error {
	_, err := timed(ctx, b, func(open launch.Backend) (struct{}, error) {
		a, err := able[backend.Responder](open, b.spec.Plugin, answer)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, a.Respond(ctx, r)
	})
	return err
}

// Answer implements backend.Answers.
func (b *Backend) Answer(ctx context.Context, m backend.Mailbox, ref backend.Ref, attendee string) (string, error) {
	return timed(ctx, b, func(open launch.Backend) (string, error) {
		a, err := able[backend.Answers](open, b.spec.Plugin, texts)
		if err != nil {
			return "", err
		}
		return a.Answer(ctx, m, ref, attendee)
	})
}

// State implements backend.DriftChecker.
func (b *Backend) State(ctx context.Context, m backend.Mailbox, since backend.Cursor) (string, error) {
	return timed(ctx, b, func(open launch.Backend) (string, error) {
		d, err := able[backend.DriftChecker](open, b.spec.Plugin, drift)
		if err != nil {
			return "", err
		}
		return d.State(ctx, m, since)
	})
}

// FreeBusy implements backend.FreeBusy.
func (b *Backend) FreeBusy(ctx context.Context, m backend.Mailbox, addresses []string, from, to time.Time) ([]backend.Availability, error) {
	return timed(ctx, b, func(open launch.Backend) ([]backend.Availability, error) {
		f, err := able[backend.FreeBusy](open, b.spec.Plugin, busy)
		if err != nil {
			return nil, err
		}
		return f.FreeBusy(ctx, m, addresses, from, to)
	})
}

// Members implements backend.GroupExpander.
func (b *Backend) Members(ctx context.Context, m backend.Mailbox, group string) ([]calendar.Address, error) {
	return timed(ctx, b, func(open launch.Backend) ([]calendar.Address, error) {
		g, err := able[backend.GroupExpander](open, b.spec.Plugin, groups)
		if err != nil {
			return nil, err
		}
		return g.Members(ctx, m, group)
	})
}

var (
	_ backend.Backend       = (*Backend)(nil)
	_ backend.Pusher        = (*Backend)(nil)
	_ backend.Finder        = (*Backend)(nil)
	_ backend.Watcher       = (*Backend)(nil)
	_ backend.Responder     = (*Backend)(nil)
	_ backend.Answers       = (*Backend)(nil)
	_ auth.Authenticator    = (*authenticator)(nil)
	_ backend.DriftChecker  = (*Backend)(nil)
	_ backend.FreeBusy      = (*Backend)(nil)
	_ backend.GroupExpander = (*Backend)(nil)
)

// abilities names what the plugin offers beyond the mandatory, if the instance is open.
func (b *Backend) abilities() []string {
	select {
	case b.opened.lock <- struct{}{}:
	default:
		return nil // it is just being opened
	}
	defer b.opened.unlock()
	if b.opened.in == nil {
		return nil
	}
	can := backend.AbilitiesOf(b.opened.value)
	var out []string
	for _, one := range []struct {
		is   bool
		name string
	}{{can.Pusher, "push"}, {can.Watcher, "watch"}, {can.Finder, "find"}, {can.Everything, "everything"}, {can.Responder, "respond"}, {can.Answers, "answers"}, {can.Drift, "drift"}, {can.FreeBusy, "free/busy"}, {can.GroupExpander, "groups"}} {
		if one.is {
			out = append(out, one.name)
		}
	}
	if can.Omits != 0 {
		out = append(out, "without "+strings.ReplaceAll(can.Omits.String(), ",", ", "))
	}
	return out
}
