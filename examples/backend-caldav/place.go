package main

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"

	"github.com/roomwire/roomwire/examples/backend-caldav/internal/dav"
)

// checkTemplate refuses a calendar_path that can never lead anywhere.
func checkTemplate(s Settings) error {
	t := s.CalendarPath
	if t == "" {
		return nil
	}
	if !strings.HasPrefix(t, "/") || strings.ContainsAny(t, "?#") {
		return fmt.Errorf("calendar_path %q must be a path that begins with a slash: %w", t, fault.Invalid)
	}
	if strings.Contains(t, "{calendar}") && s.Calendar == "" {
		return fmt.Errorf("calendar_path %q names {calendar}, but the setting calendar is empty: %w", t, fault.Invalid)
	}
	if rest := expand(t, s.Calendar, "user@example.com"); strings.ContainsAny(rest, "{}") {
		return fmt.Errorf("calendar_path %q has another placeholder than {address}, {user}, {domain}, {calendar}: %w", t, fault.Invalid)
	}
	return nil
}

// expand fills a template for a mail address in; it returns an escaped path.
func expand(template, calendar, address string) string {
	address = strings.ToLower(address)
	user, domain, _ := strings.Cut(address, "@")
	return strings.NewReplacer(
		"{address}", url.PathEscape(address), "{user}", url.PathEscape(user), "{domain}", url.PathEscape(domain),
		"{calendar}", url.PathEscape(calendar),
	).Replace(template)
}

// place returns where a mailbox's calendar is. A URL with a path is the calendar itself; one without names the server, on which
// the calendar lies where calendar_path says, else where the server says. Nothing is remembered: asking the server takes several
// requests for each call, a URL or calendar_path none.
func (b *caldav) place(ctx context.Context, m backend.Mailbox) (*url.URL, error) {
	u, err := url.Parse(m.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("%s has no URL of a CalDAV server, such as https://cal.example.com/: %w", m.Address, fault.Invalid)
	}
	u.RawQuery, u.Fragment, u.User = "", "", nil
	switch {
	case u.Path != "" && u.Path != "/":
		return asFolder(u), nil
	case b.settings.CalendarPath == "":
		return b.discover(ctx, u, m)
	}
	at, err := u.Parse(expand(b.settings.CalendarPath, b.settings.Calendar, m.Address))
	if err != nil || at.Host != u.Host {
		return nil, fmt.Errorf("calendar_path makes no URL for %s: %w", m.Address, fault.Invalid)
	}
	return asFolder(at), nil
}

func asFolder(u *url.URL) *url.URL {
	if strings.HasSuffix(u.Path, "/") {
		return u
	}
	return u.JoinPath("/")
}

// discover asks the server for the calendar (RFC 6764, RFC 5397, RFC 4791 6.2.1): who am I, where are my calendars, which of
// them is the one.
func (b *caldav) discover(ctx context.Context, root *url.URL, m backend.Mailbox) (*url.URL, error) {
	principal, err := b.principal(ctx, root)
	if err != nil {
		return nil, err
	}
	ms, err := b.dav.Propfind(ctx, principal, "0", dav.Home, dav.Addresses, dav.Inbox)
	if err != nil {
		return nil, calendarGone(err)
	}
	p := ms.Self()
	if !isPrincipalOf(principal, p.Addresses.List, m.Address) {
		// Else everybody would be given the service account's own calendar.
		return nil, fmt.Errorf("the account that is logged in as is %s, which is not %s: set calendar_path, or write the calendar's own URL for the person: %w",
			principal.Path, m.Address, fault.Invalid)
	}
	if p.Home.First() == "" {
		return nil, fmt.Errorf("the server names no place of calendars for %s: write the calendar's own URL for the person: %w", m.Address, fault.MailboxNotFound)
	}
	if in := p.Inbox.First(); in != "" && b.settings.Calendar == "" {
		if u, ok := b.standard(ctx, ms, in); ok {
			return u, nil
		}
	}
	home, err := ms.Resolve(p.Home.First())
	if err != nil {
		return nil, err
	}
	return b.choose(ctx, asFolder(home), m)
}

// principal asks the server who is logged in.
func (b *caldav) principal(ctx context.Context, root *url.URL) (*url.URL, error) {
	var first error
	for _, at := range []string{"/.well-known/caldav", "/"} {
		ms, err := b.dav.Propfind(ctx, root.JoinPath(at), "0", dav.Principal)
		if err == nil && ms.Self().Principal.First() != "" {
			return ms.Resolve(ms.Self().Principal.First())
		}
		switch fault.Of(err) {
		case fault.Unauthorized, fault.Throttled, fault.MailboxMoved:
			return nil, err
		}
		if first == nil || fault.Of(first) == fault.NotFound {
			first = err
		}
	}
	if first != nil && fault.Of(first) != fault.NotFound && fault.Of(first) != fault.Forbidden && fault.Of(first) != fault.Unsupported {
		return nil, first
	}
	return nil, fmt.Errorf("%s does not say whose calendars it has: write the calendar's own URL for the person, or set calendar_path: %w", root, fault.Invalid)
}

// isPrincipalOf reports whether a principal is a mail address's. Servers that know no mail addresses name principals by them, or
// by what is before the @.
func isPrincipalOf(principal *url.URL, addresses []string, address string) bool {
	for _, a := range addresses {
		if strings.EqualFold(strings.TrimSpace(a), "mailto:"+address) {
			return true
		}
	}
	user, _, _ := strings.Cut(address, "@")
	name := path.Base(principal.Path)
	return strings.EqualFold(name, address) || strings.EqualFold(name, user)
}

// standard returns the calendar that the server puts invitations into (RFC 6638 9.2), if it says so.
func (b *caldav) standard(ctx context.Context, ms dav.Multistatus, inbox string) (*url.URL, bool) {
	at, err := ms.Resolve(inbox)
	if err != nil {
		return nil, false
	}
	said, err := b.dav.Propfind(ctx, at, "0", dav.Default)
	if err != nil || said.Self().Default.First() == "" {
		return nil, false
	}
	u, err := said.Resolve(said.Self().Default.First())
	return asFolder(u), err == nil
}

// choose returns the calendar among those of a person: the one with the name that was set, else the only one.
func (b *caldav) choose(ctx context.Context, home *url.URL, m backend.Mailbox) (*url.URL, error) {
	ms, err := b.dav.Propfind(ctx, home, "1", dav.Type, dav.DisplayName, dav.Components)
	if err != nil {
		return nil, calendarGone(err)
	}
	var found []*url.URL
	for _, r := range ms.Responses {
		p, ok := r.Found()
		if !ok || !p.IsCalendar() || !p.HoldsEvents() || len(r.Hrefs) != 1 {
			continue
		}
		u, err := ms.Resolve(r.Hrefs[0])
		if err != nil {
			return nil, err
		}
		u = asFolder(u)
		if name := b.settings.Calendar; name == "" || strings.EqualFold(path.Base(u.Path), name) || strings.EqualFold(p.DisplayName, name) {
			found = append(found, u)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no calendar at %s (setting calendar: %q): %w", m.Address, home.Path, b.settings.Calendar, fault.MailboxNotFound)
	}
	return nil, fmt.Errorf("%s has %d calendars at %s: say in the setting calendar which is meant, or write its URL for the person: %w",
		m.Address, len(found), home.Path, fault.Invalid)
}

// calendarGone makes "not found", said of a calendar or a person, what it is.
func calendarGone(err error) error {
	if fault.Of(err) == fault.NotFound {
		return fmt.Errorf("the server has no such calendar: %s: %w", err.Error(), fault.MailboxNotFound)
	}
	return err
}
