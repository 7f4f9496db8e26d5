package appsettings

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/roomwire/roomwire/host/internal/config"
)

// graphEndpoint is where Graph calls in.
const graphEndpoint = "/api/webhooks/graph"

// tenantBlock is the tenant block: what the notification URL is made of.
type tenantBlock struct{ name, rootURL string }

// common reads the numbers of Ews:Common.
func (c *converter) common(s section) {
	if at, text := s.get("StatusFrequencyMinutes"); text != "" {
		minutes, err := strconv.Atoi(text)
		if err != nil || minutes < 1 || minutes > 1440 {
			c.warn(at, at.Key()+" was not carried over", "It must be whole minutes, from 1 to 1440.", "Write sync { status_frequency = \"30m\" }, or leave it: 30m is the default.")
		} else {
			c.status = fmt.Sprintf("%dm", minutes)
		}
	}
	if at, text := s.get("RenewalThresholdMinutes"); text != "" {
		c.note(at, at.Key()+" has no setting of its own", "Roomwire renews subscriptions at sync.subscription_interval (240m), and earlier when one falls silent for twice sync.status_frequency.", "")
	}
}

// notifications makes a root URL of the addresses that are called by Exchange and by Graph.
func (c *converter) notifications(common, graph section) {
	ewsAt, ewsText := common.get("NotificationEndpointUrl")
	graphAt, graphText := graph.get("CallbackUrl")
	ews, graphURL := c.address(ewsAt, ewsText), c.address(graphAt, graphText)
	switch {
	case ews != nil:
		c.fromEWS(ewsAt, ews)
	case graphURL != nil:
		c.root(graphAt, graphURL)
	}
	if graphURL == nil {
		return
	}
	if !strings.EqualFold(strings.TrimRight(graphURL.Path, "/"), graphEndpoint) {
		c.warn(graphAt, graphAt.Key()+" has a path that Roomwire does not answer", "Graph will be given "+graphEndpoint+" on the same host.",
			fmt.Sprintf("Have the reverse proxy pass %s and %s/lifecycle on to Roomwire: docs/administrator/publishing.md.", graphEndpoint, graphEndpoint))
	}
	if graphURL.Scheme != "https" {
		c.warn(graphAt, graphAt.Key()+" is not https", "Graph calls https addresses only.", "Publish Roomwire with https: docs/administrator/publishing.md.")
	}
	if ews != nil && !strings.EqualFold(ews.Host, graphURL.Host) {
		c.warn(graphAt, graphAt.Key()+" has another host than "+ewsAt.Key(), "Roomwire has one public host for each tenant, and the one of EWS was taken.",
			fmt.Sprintf("Have %s pass %s and %s/lifecycle on to Roomwire as well.", ews.Host, graphEndpoint, graphEndpoint))
	}
}

// address returns the URL that a setting has, nil if it has none.
func (c *converter) address(at Setting, text string) *url.URL {
	if text == "" {
		return nil
	}
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		c.warn(at, at.Key()+" was not carried over", "It is no address of the form https://HOST/PATH.", "Write root_url in a tenant block: docs/administrator/configuration.md.")
		return nil
	}
	return u
}

// fromEWS sees to it that Exchange is given the address it had.
func (c *converter) fromEWS(at Setting, u *url.URL) {
	plain := *u
	plain.RawQuery, plain.ForceQuery, plain.Fragment = "", false, ""
	switch path := strings.TrimRight(u.Path, "/"); {
	case strings.EqualFold(path, config.LegacyEndpoint):
		c.root(at, u)
	case strings.EqualFold(path, config.WebhookEndpoint):
		c.root(at, u)
		c.warn(at, fmt.Sprintf("Exchange will be given %s in place of %s", config.LegacyEndpoint, config.WebhookEndpoint),
			"Roomwire answers both, but only one of them may be published.",
			"To keep the address, put <add key=\"ExchangePushNotificationUseLegacyEndpoint\" value=\"false\"/> into RoomsAppSettings.config.")
	default:
		c.root(at, u)
		c.warn(at, fmt.Sprintf("%s has a path that Roomwire does not answer", at.Key()), "Exchange will be given "+config.LegacyEndpoint+" on the same host.",
			fmt.Sprintf("Publish that path: docs/administrator/publishing.md. To keep the address behind a proxy that rewrites it, put <add key=\"ExchangePushNotificationEndpointUrl\" value=%q/> into RoomsAppSettings.config.", plain.String()))
	}
}

// root writes the tenant's root URL.
func (c *converter) root(at Setting, u *url.URL) {
	name := c.options.Tenant
	if name == "" {
		name, _, _ = strings.Cut(u.RawQuery, "&")
	}
	switch {
	case name == "":
		name = "Default"
		c.note(at, "the tenant (Mandant) is called Default", "The file does not name it.", "If it has another name, import again with --tenant NAME.")
	case !tenantName(name):
		c.warn(at, fmt.Sprintf("the query of %s names no tenant", at.Key()), "A tenant's name has letters, digits, hyphen, underscore and dot, at most 64. Default was taken.", "Import again with --tenant NAME.")
		name = "Default"
	}
	c.tenant = &tenantBlock{name, u.Scheme + "://" + u.Host + "/" + name}
}

// tenantName reports whether name can name a tenant block.
func tenantName(name string) bool {
	reserved := []string{"api", "webservices", "healthz", "metrics", "openapi.json", "static", "admin", "sim", ".", ".."}
	return len(name) <= 64 && !slices.Contains(reserved, strings.ToLower(name)) && !strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r)
	})
}
