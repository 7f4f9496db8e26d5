// Package config reads what an administrator wrote and makes one value of it.
//
// It knows three sources. RoomsAppSettings.config is taken as an existing ROOMS
// installation has it; roomwire.hcl holds what is Roomwire's own; the
// environment beats both. Load never panics, never stops at the first fault,
// and names file, line and remedy for each:
//
//	cfg, diags := config.Load(config.Source{Dir: "configs", Environ: os.Environ(), Executable: exe})
//	fmt.Fprint(os.Stderr, diags)
//	if diags.HasErrors() {
//		return 1
//	}
package config

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"
)

// Config is the configuration in force. It is made by Load and not changed
// afterwards: hosts that take over another configuration load another value.
type Config struct {
	Dir       string // the folder of roomwire.hcl, absolute
	Listen    Listen
	Store     Store
	Plugins   Plugins
	Log       Log
	Watch     bool // a changed file is taken over by itself
	Sync      Sync
	Pull      Pull
	Mail      Mail
	Tenants   []Tenant   // at least one, in the order of the file
	SyncModes []SyncMode // in the order of the file, then the built-in ones

	shown   []shownValue            // what Redacted prints
	schemas map[string]PluginSchema // what is known of the plugins; nil by Load
}

// Listen holds the addresses the host answers on.
type Listen struct {
	Notifications Listener // public: the notification endpoint and /healthz, nothing else
	API           Listener // REST
}

// Listener is one address. It speaks TLS when CertFile and KeyFile are set;
// either both are or none.
type Listener struct {
	Addr     string // host:port, the host may be empty
	CertFile string // absolute, PEM
	KeyFile  string // absolute, PEM
}

// TLS reports whether the listener speaks TLS by itself.
func (l Listener) TLS() bool { return l.CertFile != "" }

// Store says where everything that must outlive a crash is kept. Its String
// form hides a password in the URL.
type Store struct {
	URL string // sqlite:/absolute/path, sqlite::memory: or postgres://…
}

// String hides the password.
func (s Store) String() string { return hideURLPassword(s.URL) }

// GoString hides the password.
func (s Store) GoString() string { return s.String() }

// MarshalJSON hides the password.
func (s Store) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// Plugins says where plugin binaries and their pins are.
type Plugins struct {
	Dir  string // absolute
	Lock string // plugins.lock in Dir
	// MemoryLimit is how much memory one plugin's process may use, in bytes; 0: as much as there is.
	MemoryLimit int64
}

// Log says what is logged and how.
type Log struct {
	Level  string // trace, debug, info, warn or error
	Format string // text or json
}

// Sync holds the engine's and the schedule's numbers. Every duration is
// positive unless it says otherwise.
type Sync struct {
	SubscriptionInterval time.Duration // how often all push subscriptions are renewed
	StatusFrequency      time.Duration // how often Exchange shows a sign of life; whole minutes, 1 to 1440
	BackSyncDelay        time.Duration // how long a notice waits before its mailbox is pulled; may be zero
	Coalesce             time.Duration // notices of one mailbox within this time are one pass; may be zero
	ReconcileInterval    time.Duration // how often a mailbox is compared in full
	PollInterval         time.Duration // timed pulls, where no notices can arrive
	AttemptTimeout       time.Duration // one pass over one mailbox, or one write
	RetryDelay           time.Duration // the first wait after a fault that passes; at most 10 minutes
	WorkersPerServer     int           // calls under way to one server
	WorkersPerMailbox    int           // calls under way for one mailbox
	MassDeletionLimit    int           // more deletions than this in one pass stop the mailbox, if also more than the share
	MassDeletionShare    float64       // share of the mailbox's linked items, 0 to 1
	MassChangeLimit      int           // more bookings changed by a calendar in one pass wait for a word, if also more than the share
	MassChangeShare      float64       // share of the mailbox's linked items, 0 to 1
	RollbackTries        int           // then sync of that booking is disabled
	CancelTries          int           // then sync of that booking is disabled
	FollowMoves          bool          // a person whose mailbox is found by another sync mode is moved there
	KeepTimeline         time.Duration // how long what was done and why is kept
	KeepChanges          time.Duration // how long the change feed is kept
	ResolveGroups        bool          // ExchangeSyncResolveDistributionGroups
}

// Pull holds the numbers of the modes that ask instead of being called, those
// whose Notices is "pull". They are checked always.
type Pull struct {
	BatchGetEvents       int           // BatchGetEventsSize
	BatchSubscribe       int           // BatchSubscribeSize
	FailedGetEventsLimit int           // FailedGetEventsTillDeactivate
	FailedSubscribeLimit int           // FailedSubscribeTillDeactivate
	SubscribeInterval    time.Duration // IntervallSubscribeInMinutes
	TaskInterval         time.Duration // IntervallTaskInSeconds
	TokenRenewBefore     time.Duration // OAuthTokenMinutesBeforeRenew
	SubscriptionTimeout  time.Duration // SubscriptionTimeoutInMinutes
}

// Tenant is one ROOMS installation (Mandant).
type Tenant struct {
	Name     string
	RootURL  string // "Applikation Root-Url", without a trailing slash; may be empty
	TimeZone string // IANA; for what comes without a zone
	RoomSync bool   // the mailboxes of resources are synced: "Exchange Ressource Sync enabled"
	// PrivateBusy: of private bookings and items the other side is only told when somebody is busy.
	PrivateBusy bool

	notificationURL string
}

// SyncMode is one way to reach mailboxes: a backend, the auth plugins it may
// use, and their settings.
type SyncMode struct {
	Name             string
	Backend          string   // plugin name: roomwire-backend-NAME
	Auth             []string // plugin names in order of preference: the first that the server offers is used
	URL              string   // prefilled for persons that have none of their own; may be empty
	Pull             bool     // ask the server for news at intervals: Notices is "pull"
	Notices          string   // the preferred way to learn of changes: push, streaming, pull or poll
	UseImpersonation bool     // false: delegate access by folder permission, which cannot subscribe
	HTTP             HTTP
	Markers          Markers
	AuthSettings     map[string]Settings // by auth plugin, as far as they are known without asking it; see SettingsFor
	BackendSettings  Settings            // as they were written; see SettingsFor
	BuiltIn          bool                // made from ROOMS keys alone, without a sync_mode block
	Overrides        []SyncMode          // what holds for single mail domains in place of this; see For

	// Domain is that of an override, in small letters, and Base the name of the sync mode that it is of, as persons name it;
	// both are empty otherwise. The Name of an override is BASE/DOMAIN.
	Domain, Base string
	BaseURL      string // of an override: the sync mode's own URL

	given *givens // nil if not made by Load
}

// HTTP is how a mode's server is reached. Plugins inherit no environment, so
// this is all they know. Its String form hides a password of the proxy.
type HTTP struct {
	CAFile  string        // absolute, PEM; in addition to the system's authorities
	Proxy   string        // URL; empty means none
	Timeout time.Duration // one request
}

// String hides the proxy's password.
func (h HTTP) String() string {
	return "{ca_file=" + h.CAFile + " proxy=" + hideURLPassword(h.Proxy) + " timeout=" + h.Timeout.String() + "}"
}

// GoString hides the proxy's password.
func (h HTTP) GoString() string { return h.String() }

// MarshalJSON hides the proxy's password.
func (h HTTP) MarshalJSON() ([]byte, error) { return json.Marshal(h.String()) }

// Markers names the property by which ROOMS marks its items. Installations
// differ; Roomwire's own marker does not.
type Markers struct {
	AppointmentOidSet  string // an Exchange property set's name, or a GUID
	AppointmentOidName string
}

// Mode returns the sync mode called name, as persons name it, or an override
// by its own name. Upper and lower case are the same.
func (c *Config) Mode(name string) (SyncMode, bool) {
	for _, m := range c.AllModes() {
		if strings.EqualFold(m.Name, name) {
			return m, true
		}
	}
	return SyncMode{}, false
}

// Tenant returns the tenant called name. Upper and lower case are the same,
// because it is a path element of URLs served by IIS.
func (c *Config) Tenant(name string) (Tenant, bool) {
	for _, t := range c.Tenants {
		if strings.EqualFold(t.Name, name) {
			return t, true
		}
	}
	return Tenant{}, false
}

// hideURLPassword replaces what stands between the colon and the last @ of a
// URL's authority. It works on text that is no valid URL, too.
func hideURLPassword(raw string) string {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return raw
	}
	if u, err := url.Parse(raw); err == nil && u.Query().Has("password") {
		q := u.Query()
		q.Set("password", "(set)")
		u.RawQuery = q.Encode()
		scheme, rest, _ = strings.Cut(u.String(), "://")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	// A password may hold the characters that end an authority, unescaped.
	if at := strings.LastIndexByte(rest, '@'); at >= end {
		end = len(rest)
	}
	at := strings.LastIndexByte(rest[:end], '@')
	if at < 0 {
		return scheme + "://" + rest
	}
	user, _, has := strings.Cut(rest[:at], ":")
	if !has {
		return scheme + "://" + rest
	}
	return scheme + "://" + user + ":(set)" + rest[at:]
}
