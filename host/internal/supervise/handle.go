package supervise

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

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

	opened *opened[launch.Backend]
}

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
func (b *Backend) get(ctx context.Context) (launch.Backend, error) {
	p, err := b.keeper.get(ctx)
	if err != nil {
		return nil, err
	}
	return b.opened.get(ctx, p, func(lp *launch.Process) (launch.Backend, error) {
		config := launch.BackendConfig{
			Settings: fitted(b.spec.Settings, b.spec.Fit, lp), ActAs: b.spec.ActAs, Markers: b.spec.Markers, HTTP: b.spec.HTTP,
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
	})
}

// fitted is what the process is opened with.
func fitted(settings map[string]any, fit func(launch.Description) map[string]any, p *launch.Process) map[string]any {
	if fit == nil {
		return settings
	}
	return fit(p.Description())
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
	open, err := b.get(ctx)
	if err != nil {
		return backend.Abilities{}, err
	}
	_, pusher := open.(backend.Pusher)
	_, finder := open.(backend.Finder)
	_, watcher := open.(backend.Watcher)
	return backend.Abilities{Pusher: pusher, Finder: finder, Watcher: watcher}, nil
}

// Probe implements backend.Backend.
func (b *Backend) Probe(ctx context.Context, m backend.Mailbox) (backend.Status, error) {
	open, err := b.get(ctx)
	if err != nil {
		return backend.Status{}, err
	}
	return open.Probe(ctx, m)
}

// Pull implements backend.Backend.
func (b *Backend) Pull(ctx context.Context, req backend.PullRequest, emit func(backend.Page) error) error {
	open, err := b.get(ctx)
	if err != nil {
		return err
	}
	return open.Pull(ctx, req, emit)
}

// Fetch implements backend.Backend.
func (b *Backend) Fetch(ctx context.Context, m backend.Mailbox, refs []backend.Ref) ([]backend.Fetched, error) {
	open, err := b.get(ctx)
	if err != nil {
		return nil, err
	}
	got, err := open.Fetch(ctx, m, refs)
	if err == nil && len(got) != len(refs) {
		return nil, fmt.Errorf("plugin %s answered %d items for %d: %w", b.spec.Plugin, len(got), len(refs), fault.Internal)
	}
	return got, err
}

// Apply implements backend.Backend.
func (b *Backend) Apply(ctx context.Context, m calendar.Mutation) (backend.Result, error) {
	open, err := b.get(ctx)
	if err != nil {
		return backend.Result{}, err
	}
	return open.Apply(ctx, m)
}

// Subscribe implements backend.Pusher.
func (b *Backend) Subscribe(ctx context.Context, req backend.SubscribeRequest) (backend.Subscription, error) {
	p, err := b.pusher(ctx)
	if err != nil {
		return backend.Subscription{}, err
	}
	return p.Subscribe(ctx, req)
}

// Unsubscribe implements backend.Pusher.
func (b *Backend) Unsubscribe(ctx context.Context, m backend.Mailbox, s backend.Subscription) error {
	p, err := b.pusher(ctx)
	if err != nil {
		return err
	}
	return p.Unsubscribe(ctx, m, s)
}

// Receive implements backend.Pusher.
func (b *Backend) Receive(ctx context.Context, in backend.Inbound) (backend.Reply, error) {
	p, err := b.pusher(ctx)
	if err != nil {
		return backend.Reply{}, err
	}
	return p.Receive(ctx, in)
}

func (b *Backend) pusher(ctx context.Context) (backend.Pusher, error) {
	open, err := b.get(ctx)
	if err != nil {
		return nil, err
	}
	p, ok := open.(backend.Pusher)
	if !ok {
		return nil, fmt.Errorf("plugin %s has no push notifications: %w", b.spec.Plugin, fault.Unsupported)
	}
	return p, nil
}

// Listen implements backend.Watcher.
func (b *Backend) Listen(ctx context.Context, req backend.ListenRequest) (backend.Subscription, error) {
	w, err := b.watcher(ctx)
	if err != nil {
		return backend.Subscription{}, err
	}
	return w.Listen(ctx, req)
}

// Watch implements backend.Watcher. When the plugin is stopped or replaced, it ends without an error.
func (b *Backend) Watch(ctx context.Context, req backend.WatchRequest, emit func([]backend.Hint) error) error {
	w, err := b.watcher(ctx)
	if err != nil {
		return err
	}
	return w.Watch(ctx, req, emit)
}

func (b *Backend) watcher(ctx context.Context) (backend.Watcher, error) {
	open, err := b.get(ctx)
	if err != nil {
		return nil, err
	}
	w, ok := open.(backend.Watcher)
	if !ok {
		return nil, fmt.Errorf("plugin %s has no streaming or pull notifications: %w", b.spec.Plugin, fault.Unsupported)
	}
	return w, nil
}

// Find implements backend.Finder.
func (b *Backend) Find(ctx context.Context, m backend.Mailbox, by backend.Marker, value string) ([]backend.Item, error) {
	open, err := b.get(ctx)
	if err != nil {
		return nil, err
	}
	f, ok := open.(backend.Finder)
	if !ok {
		return nil, fmt.Errorf("plugin %s cannot search: %w", b.spec.Plugin, fault.Unsupported)
	}
	return f.Find(ctx, m, by, value)
}

var (
	_ backend.Backend    = (*Backend)(nil)
	_ backend.Pusher     = (*Backend)(nil)
	_ backend.Finder     = (*Backend)(nil)
	_ backend.Watcher    = (*Backend)(nil)
	_ auth.Authenticator = (*authenticator)(nil)
)

// An authenticator is a handle of an auth instance that outlives the plugin's processes. Sync modes with the same
// plugin and settings share one, and with it cached headers.
type authenticator struct {
	keeper   *keeper
	settings map[string]any
	fit      func(launch.Description) map[string]any
	opened   *opened[*launch.Authenticator]
}

// authenticator returns the one that b shares with others. Once b is closed there is none: nobody would close it.
func (s *Supervisor) authenticator(b *Backend, id Identity) (*authenticator, error) {
	key := identityKey(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.handles[b] {
		return nil, errClosed
	}
	if s.auths[key] == nil {
		s.auths[key] = &authenticator{keeper: s.keeper(id.Plugin), settings: id.Settings, fit: id.Fit, opened: newOpened[*launch.Authenticator]()}
	}
	return s.auths[key], nil
}

// identityKey is the same for identities that may share an instance.
func identityKey(id Identity) string { return id.Plugin + "/" + digest(id.Settings) }

// digest tells settings apart without keeping them a second time.
func digest(settings map[string]any) string {
	raw, _ := json.Marshal(settings) // what cannot be encoded is refused when it is opened
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// Begin implements auth.Authenticator.
func (a *authenticator) Begin(ctx context.Context, target auth.Target) (auth.Exchange, error) {
	p, err := a.keeper.get(ctx)
	if err != nil {
		return nil, err
	}
	open, err := a.opened.get(ctx, p, func(lp *launch.Process) (*launch.Authenticator, error) {
		open, err := lp.OpenAuth(ctx, fitted(a.settings, a.fit, lp))
		if err != nil {
			return nil, fmt.Errorf("open plugin %s: %w", a.keeper.name, err)
		}
		return open, nil
	})
	if err != nil {
		return nil, err
	}
	return open.Begin(ctx, target)
}
