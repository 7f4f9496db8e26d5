package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/roomwire/roomwire/sdk/fault"
)

// A cloud is one of Microsoft's, which do not take each other's tokens.
type cloud struct {
	name, authority string // authority without the tenant
	services        []service
}

// A service is what tokens are for. Its hosts are those of its domains and below.
type service struct {
	kind    string // ews or graph
	scope   string
	domains []string
}

// The kinds of services.
const (
	kindEWS   = "ews"
	kindGraph = "graph"
)

// customCloud is for hosts that this plugin does not know: the scope is the server's own origin.
const customCloud = "custom"

// clouds lists those whose hosts Microsoft documents (Graph: "National cloud deployments").
func clouds() []cloud {
	of := func(name, login, graph, ews string, more ...string) cloud {
		return cloud{name: name, authority: "https://" + login, services: []service{
			{kindGraph, "https://" + graph + "/.default", []string{graph}},
			{kindEWS, "https://" + ews + "/.default", append(more, ews)},
		}}
	}
	return []cloud{
		of("global", "login.microsoftonline.com", "graph.microsoft.com", "outlook.office365.com", "office365.com", "outlook.office.com", "outlook.com"),
		of("usgov", "login.microsoftonline.us", "graph.microsoft.us", "outlook.office365.us"),
		of("usgov-dod", "login.microsoftonline.us", "dod-graph.microsoft.us", "outlook-dod.office365.us", "apps.mil"),
		of("china", "login.partner.microsoftonline.cn", "microsoftgraph.chinacloudapi.cn", "partner.outlook.cn", "outlook.cn"),
	}
}

// cloudOf returns the cloud that the settings name.
func cloudOf(s Settings) (cloud, error) {
	name := s.Cloud
	if name == "" {
		name = "global"
	}
	if name == customCloud {
		authority, err := authorityOf(s)
		return cloud{name: customCloud, authority: authority}, err
	}
	var known []string
	for _, c := range clouds() {
		if c.name == name && s.Authority != "" {
			return cloud{}, fmt.Errorf(`authority is for cloud = "custom" only: the login server of %q is known: %w`, name, fault.Invalid)
		}
		if c.name == name {
			return c, nil
		}
		known = append(known, c.name)
	}
	return cloud{}, fmt.Errorf("there is no cloud %q (there are: %s, %s): %w", name, strings.Join(known, ", "), customCloud, fault.Invalid)
}

// authorityOf returns the login server of a cloud that is not known. It is sent secrets, so it must speak TLS.
func authorityOf(s Settings) (string, error) {
	const example = `write for example authority = "https://login.example.com"`
	if s.Authority == "" {
		return "", fmt.Errorf(`cloud = "custom" needs authority, the URL of the login server: %s: %w`, example, fault.Invalid)
	}
	u, err := url.Parse(s.Authority)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("authority is no URL of a login server that begins with https:// : %s: %w", example, fault.Invalid)
	}
	path := strings.Trim(u.Path, "/")
	if path != "" && !strings.EqualFold(path, s.TenantID) {
		return "", fmt.Errorf("authority has a path, but the login server's URL is meant without the tenant: %s: %w", example, fault.Invalid)
	}
	return "https://" + u.Host, nil
}

// serviceAt returns which service is at an origin, scheme://host:port. Tokens are for servers of this cloud alone.
func (c cloud) serviceAt(origin string) (service, error) {
	u, err := url.Parse(origin)
	if err != nil || u.Hostname() == "" {
		return service{}, fmt.Errorf("%q is no origin of a server: %w", origin, fault.Invalid)
	}
	if u.Scheme != "https" {
		return service{}, fmt.Errorf("no token is sent to %s, which is not encrypted: use https: %w", origin, fault.Invalid)
	}
	if c.name == customCloud {
		return service{scope: strings.TrimSuffix(origin, ":443") + "/.default"}, nil
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if s, ok := c.find(host); ok {
		return s, nil
	}
	for _, other := range clouds() {
		if _, ok := other.find(host); ok {
			return service{}, fmt.Errorf("%s belongs to the cloud %q, but cloud is %q: correct one of the two: %w", host, other.name, c.name, fault.Invalid)
		}
	}
	return service{}, fmt.Errorf(`%s is no server of the cloud %q, and would see a token for every mailbox: correct the URL, or write cloud = "custom" and authority: %w`,
		host, c.name, fault.Invalid)
}

func (c cloud) find(host string) (service, bool) {
	for _, s := range c.services {
		for _, d := range s.domains {
			if host == d || strings.HasSuffix(host, "."+d) {
				return s, true
			}
		}
	}
	return service{}, false
}
