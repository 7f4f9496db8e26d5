package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Paths of the public notification endpoint. They are matched without regard
// to case, as IIS does.
const (
	LegacyEndpoint  = "/WebServices/SyncNotification.svc"
	WebhookEndpoint = "/api/webhooks/exchange"
)

// webhookRoot is the path below which every other backend has its own endpoint, by its name.
const webhookRoot = "/api/webhooks/"

func endpointPaths() []string { return []string{LegacyEndpoint, WebhookEndpoint} }

// NotificationURL is the address given to the servers of a backend, without tenant and token; empty when none is configured:
// then nobody of this tenant can be subscribed. For Exchange Web Services it is ExchangePushNotificationEndpointUrl, else
// ExchangeServiceUrl, else scheme and host of the root URL with the endpoint's path. Every other backend has its own path,
// /api/webhooks/BACKEND, at the same place.
func (t Tenant) NotificationURL(backend string) string {
	if t.notificationURL == "" || isEWS(backend) {
		return t.notificationURL
	}
	u, err := url.Parse(t.notificationURL)
	if err != nil {
		return "" // was checked; cannot happen
	}
	base := ""
	for _, p := range endpointPaths() {
		if n := len(u.Path) - len(p); n >= 0 && strings.EqualFold(u.Path[n:], p) {
			base = u.Path[:n] // what a reverse proxy takes off
		}
	}
	return u.Scheme + "://" + u.Host + base + webhookRoot + url.PathEscape(backend)
}

// NotificationURLs lists the addresses given to the servers of the sync modes that are called by theirs, without tenant and
// token; that of Exchange Web Services if there is no such mode.
func (c *Config) NotificationURLs(t Tenant) []string {
	var out []string
	add := func(backend string) {
		if u := t.NotificationURL(backend); u != "" && !slices.Contains(out, u) {
			out = append(out, u)
		}
	}
	for _, m := range c.SyncModes {
		if m.Notices == NoticesPush {
			add(m.Backend)
		}
	}
	if len(out) == 0 {
		add(backendOnPremises)
	}
	return out
}

// isEWS reports whether the backend speaks Exchange Web Services, whose notification paths are those of ROOMS.
func isEWS(backend string) bool {
	return backend == backendOnPremises || backend == backendOnline
}

// Breadth is how many times sync.workers_per_server calls may be under way to one of the mode's servers. Exchange Online and
// Microsoft Graph are one host for everybody, and count what is asked of them by mailbox.
func (m SyncMode) Breadth() int {
	if m.Backend == backendOnline || m.Backend == backendGraph {
		return 4
	}
	return 1
}

// IsEWS reports whether the mode's servers are reached by Exchange Web Services.
func (m SyncMode) IsEWS() bool { return isEWS(m.Backend) }

// endpoint is what the ROOMS keys say of the notification URL.
type endpoint struct {
	override string // the whole URL; empty means from the root URL
	path     string // for the root URL's host
}

func (l *loader) endpoint(rooms section) endpoint {
	e := endpoint{path: LegacyEndpoint}
	if !rooms.boolean("ExchangePushNotificationUseLegacyEndpoint") {
		e.path = WebhookEndpoint
	}
	for _, name := range []string{"ExchangePushNotificationEndpointUrl", "ExchangeServiceUrl"} {
		v, at, _ := rooms.get(name)
		raw, _ := v.(string)
		if raw == "" {
			continue
		}
		clean := l.endpointURL(name, raw, at)
		if e.override == "" {
			e.override = clean
		}
	}
	return e
}

// endpointURL drops what Roomwire adds by itself and warns of paths nobody
// answers.
func (l *loader) endpointURL(name, raw string, at place) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw // was checked; cannot happen
	}
	if u.RawQuery != "" || u.ForceQuery {
		l.add(at, Warning, fmt.Sprintf("%s has a query; it is left out", name), "Roomwire adds the tenant and a secret for each subscription itself.", "Delete the ? and what follows it.")
		u.RawQuery, u.ForceQuery = "", false
	}
	known := endpointPaths()
	if !slices.ContainsFunc(known, func(p string) bool { return strings.EqualFold(p, u.Path) }) {
		l.add(at, Warning, fmt.Sprintf("%s has the path %q, which Roomwire does not answer", name, u.Path), "Exchange would call there, and notifications would be lost unless a reverse proxy rewrites the path.",
			"End it in "+LegacyEndpoint+" or "+WebhookEndpoint+".")
	}
	return u.String()
}

func (l *loader) tenants(spec block, e endpoint) []Tenant {
	list := l.hcl.labelled["tenant"]
	if len(list) == 0 {
		list = []labelled{{label: "Default"}}
	}
	var out []Tenant
	for _, t := range list {
		out = append(out, l.tenant(spec, t, e))
	}
	return out
}

// privateBusy is the value of the settings private with which private items are busy blocks.
const privateBusy = "busy"

func (l *loader) tenant(spec block, t labelled, e endpoint) Tenant {
	s := l.section(spec, "tenant", t.label)
	s.head = fmt.Sprintf("tenant %q", t.label)
	v, at, _ := s.get("root_url")
	root, _ := v.(string)
	root = strings.TrimRight(root, "/")
	private := l.private
	tenant := Tenant{Name: t.label, RootURL: root, TimeZone: s.text("time_zone"), RoomSync: l.roomSync, notificationURL: e.override}
	if s.has("room_sync") {
		tenant.RoomSync = s.boolean("room_sync")
	}
	if s.has("private") {
		private = s.text("private")
	}
	tenant.PrivateBusy = private == privateBusy
	u, err := url.Parse(root)
	if root != "" && err == nil {
		first, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
		if !strings.EqualFold(first, t.label) {
			l.add(at, Warning, fmt.Sprintf("the root URL of tenant %s does not name it", t.label), "The tenant is the first path element of the root URL: http(s)://[ROOMS-URL]/[Mandant].",
				fmt.Sprintf("Write %s://%s/%s, or call the tenant %q.", u.Scheme, u.Host, t.label, first))
		}
		if tenant.notificationURL == "" {
			tenant.notificationURL = u.Scheme + "://" + u.Host + e.path
		}
	}
	if tenant.notificationURL == "" && !s.has("root_url") {
		l.add(t.at, Warning, fmt.Sprintf("tenant %s has no notification URL", t.label), "Exchange cannot be told where to send notifications, so connections to it are kept open instead, and where that does not work calendars are read by the clock.",
			fmt.Sprintf("Set root_url in tenant %q { … } or %s, or ExchangeServiceUrl in %s.", t.label, envName("tenant", t.label, "root_url"), RoomsFile))
	}
	l.showFrom(s.head, "notification_url", quoteOrUnset(tenant.notificationURL), "computed")
	return tenant
}

func quoteOrUnset(s string) string {
	if s == "" {
		return "(not set)"
	}
	return fmt.Sprintf("%q", s)
}
