package app

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/supervise"
	"github.com/roomwire/roomwire/host/internal/syncer"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/launch"
)

// modes makes the sync modes of the configuration usable: each is one backend instance.
type modes struct {
	cfg     *config.Config
	handles map[string]*supervise.Backend // by lower-case mode name
	origins map[string]*origins
}

func newModes(cfg *config.Config, s *supervise.Supervisor) *modes {
	m := &modes{cfg: cfg, handles: map[string]*supervise.Backend{}, origins: map[string]*origins{}}
	for _, mode := range cfg.SyncModes {
		key := strings.ToLower(mode.Name)
		m.origins[key] = &origins{known: map[string]bool{}}
		m.handles[key] = s.Backend(instanceOf(mode, m.origins[key]))
	}
	return m
}

// instanceOf says how the backend of a mode is opened.
func instanceOf(mode config.SyncMode, known *origins) supervise.Instance {
	markers := backend.DefaultMarkers()
	if mode.Markers.AppointmentOidName != "" {
		markers.Foreign = backend.Property{Set: mode.Markers.AppointmentOidSet, Name: mode.Markers.AppointmentOidName}
	}
	in := supervise.Instance{
		Name: mode.Name, Plugin: "backend-" + mode.Backend, Settings: mode.BackendSettings.Reveal(),
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
	for _, name := range mode.Auth {
		in.Identities = append(in.Identities, supervise.Identity{Plugin: "auth-" + name, Settings: mode.AuthSettings[name].Reveal()})
	}
	return in
}

// Mode implements syncer.Modes.
func (m *modes) Mode(ctx context.Context, name string) (syncer.Mode, error) {
	cfg, found := m.cfg.Mode(name)
	if !found {
		return syncer.Mode{}, fmt.Errorf("sync mode %q is not configured: add a sync_mode block to roomwire.hcl, or give the person another mode: %w", name, fault.Invalid)
	}
	key := strings.ToLower(cfg.Name)
	h := m.handles[key]
	can, err := h.Abilities(ctx)
	if err != nil {
		return syncer.Mode{}, fmt.Errorf("sync mode %q: %w", cfg.Name, err)
	}
	mode := syncer.Mode{
		Name: cfg.Name, URL: cfg.URL, Backend: h, Subscribe: cfg.UseImpersonation && !cfg.Pull, Admit: m.origins[key].add,
	}
	if can.Pusher {
		mode.Pusher = h
	}
	if can.Finder {
		mode.Finder = h
	}
	return mode, nil
}

// pusher returns the plugin that reads the messages of a mode.
func (m *modes) pusher(name string) (backend.Pusher, bool) {
	h, found := m.handles[strings.ToLower(name)]
	return h, found
}

// defaultPusher names a mode whose plugin answers messages without a living token.
func (m *modes) defaultPusher() string {
	for _, mode := range m.cfg.SyncModes {
		if mode.UseImpersonation && !mode.Pull {
			return mode.Name
		}
	}
	return ""
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
