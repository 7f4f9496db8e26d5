package graph

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/roomwire/roomwire/sdk/fault"
)

// Links to the next page and the next round are the server's and followed as they are, but only to the Graph that the
// mailbox is at: a token goes nowhere else. What is kept of a link is what follows the origin.

// pathOf returns what follows the origin of a link that the server at root gave. A link that leads elsewhere is refused.
func pathOf(root, link string) (string, error) {
	origin := originOf(link)
	if origin == "" || origin != originOf(root) {
		return "", fmt.Errorf("the server's link to what follows leads to another server, and is not followed: %w", fault.Unavailable)
	}
	_, rest, _ := strings.Cut(link, "://")
	if i := strings.IndexAny(rest, "/?"); i >= 0 && rest[i] == '/' && !strings.Contains(rest, "#") {
		return rest[i:], nil
	}
	return "", fmt.Errorf("the server's link to what follows has no path: %w", fault.Unavailable)
}

// resolve returns the address of a path that pathOf returned, at the origin of root.
func resolve(root, path string) (string, error) {
	origin := originOf(root)
	if origin == "" || !strings.HasPrefix(path, "/") {
		return "", fmt.Errorf("there is no server to follow a link to: %w", fault.Invalid)
	}
	return origin + path, nil
}

// within returns what follows root's own path in a path that pathOf returned, for a batch; false if it lies elsewhere.
func within(root, path string) (string, bool) {
	u, err := url.Parse(root)
	if err != nil {
		return "", false
	}
	rest, ok := strings.CutPrefix(path, strings.TrimRight(u.EscapedPath(), "/"))
	return rest, ok && strings.HasPrefix(rest, "/")
}

// originOf returns scheme://host of a URL in a form that compares, with a port unless it is the scheme's own; empty if it
// has none or names somebody who logs in.
func originOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return ""
	}
	own := map[string]string{"https": "443", "http": "80"}[u.Scheme]
	if own == "" {
		return ""
	}
	host := strings.ToLower(u.Hostname())
	switch port := u.Port(); {
	case port != "" && port != own:
		host = net.JoinHostPort(host, port)
	case strings.Contains(host, ":"):
		host = "[" + host + "]"
	}
	return u.Scheme + "://" + host
}
