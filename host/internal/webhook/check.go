package webhook

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxName = 100  // characters
	maxURL  = 2000 // bytes
)

// kinds are those of changes, by which a webhook may choose.
var kinds = []string{"created", "updated", "cancelled", "problem", "answered"}

func (s *Service) check(w Wish) error {
	if utf8.RuneCountInString(w.Name) > maxName || strings.ContainsFunc(w.Name, func(r rune) bool { return r < ' ' }) {
		return &InvalidError{"name", "is longer than 100 characters or has a control character"}
	}
	for _, k := range w.Kinds {
		if !slices.Contains(kinds, k) {
			return &InvalidError{"kinds", "has an unknown kind of change: it takes " + strings.Join(kinds, ", ")}
		}
	}
	return checkURL(w.URL, s.Plain)
}

// checkURL refuses URLs to which nothing can be sent, or not safely.
func checkURL(text string, plain bool) error {
	u, err := url.Parse(text)
	switch {
	case len(text) > maxURL:
		return &InvalidError{"url", "is longer than 2000 characters"}
	case err != nil, u.Hostname() == "", u.Scheme != "https" && u.Scheme != "http":
		return &InvalidError{"url", "is no URL to send to: write it in full, e.g. https://booking.example.com/roomwire"}
	case u.User != nil:
		return &InvalidError{"url", "contains a user: messages are known by their signature, and names and passwords in URLs end up in logs"}
	case u.Fragment != "":
		return &InvalidError{"url", "contains a #: what follows it is never sent"}
	case u.Scheme == "http" && !plain && !loopback(u.Hostname()):
		return &InvalidError{"url", "does not start with https://: what is sent holds names and times of people, which nobody on the way may read"}
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && forbidden(a) {
		return &InvalidError{"url", "is an address that no receiver can have"}
	}
	return nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.Unmap().IsLoopback()
}

// forbidden tells addresses that are never a receiver's; link-local ones are where cloud machines ask for credentials.
func forbidden(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast()
}
