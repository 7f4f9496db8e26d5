package app

import (
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

// notificationURL returns where servers shall send notices of a tenant to, empty if nothing is configured.
func (f *inForce) notificationURL(tenant string) string { return notificationURL(f.get(), tenant) }

func notificationURL(cfg *config.Config, tenant string) string {
	t, found := cfg.Tenant(tenant)
	if !found || t.NotificationURL() == "" {
		return ""
	}
	return withTenant(t.NotificationURL(), t.Name)
}

// mailsOn says whether mails can be sent to people.
func (f *inForce) mailsOn() bool { return f.get().Mail.On() }
