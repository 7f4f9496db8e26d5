package app

import (
	"slices"
	"sync/atomic"

	"github.com/roomwire/roomwire/host/internal/config"
)

// inForce is the configuration in force, which may be replaced at any time.
type inForce struct{ p atomic.Pointer[config.Config] }

func (f *inForce) get() *config.Config  { return f.p.Load() }
func (f *inForce) set(c *config.Config) { f.p.Store(c) }

func (f *inForce) tenants() []string {
	cfg := f.get()
	names := make([]string, len(cfg.Tenants))
	for i, t := range cfg.Tenants {
		names[i] = t.Name
	}
	return names
}

func (f *inForce) modes() []config.SyncMode { return f.get().SyncModes }

// zone returns the time zone of a tenant's bookings that come without one.
func (f *inForce) zone(tenant string) string {
	t, _ := f.get().Tenant(tenant)
	return t.TimeZone
}

// roomSync says whether the mailboxes of a tenant's rooms are synced.
func (f *inForce) roomSync(tenant string) bool {
	t, _ := f.get().Tenant(tenant)
	return t.RoomSync
}

// privateBusy says whether private bookings and items of a tenant are busy blocks on the other side.
func (f *inForce) privateBusy(tenant string) bool {
	t, _ := f.get().Tenant(tenant)
	return t.PrivateBusy
}

// notificationURL returns where the servers of a sync mode shall send notices of a tenant to, empty if nothing is configured.
func (f *inForce) notificationURL(tenant, mode string) string {
	return notificationURL(f.get(), tenant, mode)
}

func notificationURL(cfg *config.Config, tenant, mode string) string {
	m, known := cfg.Mode(mode)
	if !known {
		return ""
	}
	return backendURL(cfg, tenant, m.Backend)
}

// backendURL is notificationURL of every sync mode that has the backend.
func backendURL(cfg *config.Config, tenant, backend string) string {
	t, found := cfg.Tenant(tenant)
	if !found || t.NotificationURL(backend) == "" {
		return ""
	}
	return withTenant(t.NotificationURL(backend), t.Name)
}

// backends returns the names of the backends in use.
func (f *inForce) backends() []string {
	var names []string
	for _, m := range f.get().SyncModes {
		if !slices.Contains(names, m.Backend) {
			names = append(names, m.Backend)
		}
	}
	return names
}

// mailsOn says whether mails can be sent to people.
func (f *inForce) mailsOn() bool { return f.get().Mail.On() }
