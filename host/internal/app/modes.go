package app

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/sunset"
	"github.com/roomwire/roomwire/host/internal/supervise"
	"github.com/roomwire/roomwire/host/internal/syncer"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/launch"
)

// modes makes the sync modes of the configuration usable: each is one backend instance, and so is each of its overrides for
// single mail domains.
type modes struct {
	supervisor *supervise.Supervisor

	mu    sync.RWMutex
	order []*mode
	by    map[string]*mode // by lower-case name
}

type mode struct {
	config.SyncMode
	handle  *supervise.Backend
	origins *origins
}

func newModes(cfg *config.Config, s *supervise.Supervisor) *modes {
	m := &modes{supervisor: s, by: map[string]*mode{}}
	m.replace(cfg, nil)
	return m
}

// replace takes over the modes of another configuration. Those that changes do not concern go on as they are; what is no
// longer used is returned, to be closed when nobody works with it any more.
func (m *modes) replace(next *config.Config, changes []config.Change) (over []*supervise.Backend) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.by
	m.order, m.by = nil, map[string]*mode{}
	for _, c := range next.AllModes() {
		key := strings.ToLower(c.Name)
		one, had := before[key]
		if !had || config.ModeChanged(changes, c.Name) {
			known := &origins{known: map[string]bool{}}
			if had {
				known.take(one.origins) // its persons' mailboxes lie where they lay
			}
			one = &mode{SyncMode: c, handle: m.supervisor.Backend(instanceOf(c, known)), origins: known}
		} else {
			one = &mode{SyncMode: c, handle: one.handle, origins: one.origins} // its overrides may be others
		}
		m.order, m.by[key] = append(m.order, one), one
	}
	for key, old := range before {
		if now := m.by[key]; now == nil || now.handle != old.handle {
			over = append(over, old.handle)
		}
	}
	return over
}

func (m *modes) find(name string) (*mode, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	one, found := m.by[strings.ToLower(name)]
	return one, found
}

// serving returns what serves the mailbox of an address in a sync mode.
func (m *modes) serving(name, address string) (*mode, bool) {
	one, found := m.find(name)
	if !found {
		return nil, false
	}
	if override, found := m.find(one.For(address).Name); found { // else another configuration comes into force just now
		return override, true
	}
	return one, true
}

// instance names what serves the mailbox of an address in a sync mode.
func (m *modes) instance(name, address string) string {
	if one, found := m.serving(name, address); found {
		return one.Name
	}
	return name
}

func (m *modes) all() []*mode {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.order
}

// names returns the sync modes in the order in which a lost mailbox is looked for by them: that of the configuration, with
// those last whose interface ends, for whoever is found by one of them would have to move once more.
func (m *modes) names() []string {
	var stay, end []string
	for _, one := range m.all() {
		switch _, ends := sunset.Of(one.SyncMode, nil); {
		case one.Domain != "":
		case ends:
			end = append(end, one.Name)
		default:
			stay = append(stay, one.Name)
		}
	}
	return append(stay, end...)
}

// instanceOf says how the backend of a mode is opened.
func instanceOf(mode config.SyncMode, known *origins) supervise.Instance {
	markers := backend.DefaultMarkers()
	if mode.Markers.AppointmentOidName != "" {
		markers.Foreign = backend.Property{Set: mode.Markers.AppointmentOidSet, Name: mode.Markers.AppointmentOidName}
	}
	plugins := mode.Plugins()
	in := supervise.Instance{
		Name: mode.Name, Plugin: plugins[0], Fit: supervise.Fit(mode, plugins[0]),
		ActAs: mode.UseImpersonation, Markers: markers,
		HTTP: launch.HTTPOptions{CAFile: mode.HTTP.CAFile, Proxy: mode.HTTP.Proxy, Timeout: mode.HTTP.Timeout},
		Allow: func(origin string) error {
			if problem := mode.CheckURL(origin + "/EWS/Exchange.asmx"); problem != nil { // the path is not what is asked about
				return fmt.Errorf("sync mode %q may not log in at %s: %s: %w", mode.Name, origin, problem, fault.Invalid)
			}
			if !known.has(origin) {
				return fmt.Errorf("sync mode %q may not log in at %s: no person of the mode has a mailbox there: %w", mode.Name, origin, fault.Invalid)
			}
			return nil
		},
	}
	for _, name := range plugins[1:] {
		in.Identities = append(in.Identities, supervise.Identity{Plugin: name, Settings: mode.Given(name).Reveal(), Fit: supervise.Fit(mode, name)})
	}
	return in
}

// Mode implements syncer.Modes.
func (m *modes) Mode(ctx context.Context, name, address string) (syncer.Mode, error) {
	one, found := m.serving(name, address)
	if !found {
		return syncer.Mode{}, fmt.Errorf("sync mode %q is not configured: add a sync_mode block to roomwire.hcl, or give the person another mode: %w", name, fault.Invalid)
	}
	can, err := one.handle.Abilities(ctx)
	if err != nil {
		return syncer.Mode{Auth: one.Auth}, fmt.Errorf("sync mode %q: %w", one.Name, err)
	}
	mode := syncer.Mode{
		Name: one.Name, Auth: one.Auth, URL: one.URL, Domain: one.Domain, Prefilled: one.BaseURL, Breadth: one.Breadth(),
		Backend: one.handle, Notices: one.Notices, Admit: one.origins.add, Everything: can.Everything,
	}
	if can.Pusher {
		mode.Pusher = one.handle
	}
	if can.Watcher {
		mode.Watcher, mode.Asking = one.handle, can.AskingOnly
	}
	if can.Finder {
		mode.Finder = one.handle
	}
	if can.Drift {
		mode.Drift = one.handle
	}
	if can.FreeBusy {
		mode.FreeBusy = one.handle
	}
	if can.GroupExpander {
		mode.Groups = one.handle
	}
	if can.Responder {
		mode.Responder = one.handle
	}
	if can.Answers {
		mode.Answers = one.handle
	}
	return mode, nil
}

// pusher returns the plugin that reads the messages of a mode.
func (m *modes) pusher(name string) (backend.Pusher, bool) {
	one, found := m.find(name)
	if !found {
		return nil, false
	}
	return one.handle, true
}

// defaultPusher names a mode whose plugin answers messages without a living token at the path of a backend; an empty one
// stands for Exchange Web Services. One that is called by its servers goes before one that asks, which may have been called
// once.
func (m *modes) defaultPusher(backend string) string {
	found := ""
	for _, mode := range m.all() {
		if mode.Backend != backend && (backend != "" || !mode.IsEWS()) {
			continue
		}
		if mode.Notices == config.NoticesPush {
			return mode.Name
		}
		if found == "" {
			found = mode.Name
		}
	}
	return found
}

// origins are those at which mailboxes of a mode lie: nowhere else may its backend log in.
type origins struct {
	mu    sync.RWMutex
	known map[string]bool
}

func (o *origins) add(rawURL string) {
	origin := originOf(rawURL)
	if o.has(origin) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.known[origin] = true
}

func (o *origins) take(from *origins) {
	from.mu.RLock()
	defer from.mu.RUnlock()
	for origin := range from.known {
		o.add(origin)
	}
}

func (o *origins) has(origin string) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.known[originOf(origin)]
}

// originOf returns scheme://host:port in a form that compares.
func originOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return strings.ToLower(u.Scheme + "://" + u.Hostname() + ":" + port)
}
