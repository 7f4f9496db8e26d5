package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/config"
)

// pageTitle is how the notification endpoint's page is known.
const pageTitle = "Roomwire notification service"

// notifications examines the ways on which servers call in.
func (d *Doctor) notifications(ctx context.Context) []Finding {
	const area = "notifications"
	cfg := d.Config()
	var out []Finding
	push := slices.ContainsFunc(cfg.SyncModes, func(m config.SyncMode) bool { return m.Notices == config.NoticesPush })
	for _, t := range cfg.Tenants {
		urls := cfg.NotificationURLs(t)
		if len(urls) == 0 && push {
			out = append(out, warn(area, t.Name, "no URL is configured at which servers could call in", "Set root_url of the tenant, or ExchangeServiceUrl. Until then the host listens by itself, or reads by the clock."))
		}
		for _, raw := range urls {
			if d.Running {
				out = append(out, d.public(ctx, t, raw))
			}
		}
	}
	if d.Store == nil || !d.Running {
		return out
	}
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	ways, err := d.Store.Ways(ctx)
	if err != nil {
		return append(out, bad(area, "ways", err.Error(), "See the store."))
	}
	var list []string
	for _, w := range ways {
		list = append(list, fmt.Sprintf("%d by %s", w.Mailboxes, w.Way))
	}
	if len(list) > 0 {
		out = append(out, good(area, "ways", "changes are heard of: "+strings.Join(list, ", ")))
	}
	silent, err := d.Store.Silent(ctx, d.Now().Add(-2*cfg.Sync.StatusFrequency))
	switch {
	case err != nil:
		out = append(out, bad(area, "subscriptions", err.Error(), "See the store."))
	case silent > 0:
		out = append(out, warn(area, "subscriptions", plural(int(silent), "push subscription is", "push subscriptions are")+" silent for more than twice the status interval",
			"They are renewed, and then listened to in another way, by themselves. Many of them: the servers do not reach the notification URL; roomwire person test ID finds out why."))
	default:
		out = append(out, good(area, "subscriptions", "none is silent"))
	}
	if d.Watch != nil {
		out = append(out, listening(d.Watch())...)
	}
	if d.Untrusted != nil {
		if n := d.Untrusted(); n > 0 {
			out = append(out, good(area, "strangers", plural(int(n), "message", "messages")+" without a living token since the start: old subscriptions that end by it, or strangers"))
		}
	}
	return out
}

// public opens a notification URL as a browser would.
func (d *Doctor) public(ctx context.Context, t config.Tenant, raw string) Finding {
	const area = "notifications"
	name := t.Name + " " + raw
	u, err := url.Parse(raw)
	if err != nil {
		return bad(area, name, "it is no URL", "Correct root_url, ExchangeServiceUrl or ExchangePushNotificationEndpointUrl.")
	}
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	if _, err := net.DefaultResolver.LookupHost(ctx, u.Hostname()); err != nil {
		return bad(area, name, fmt.Sprintf("the name %s is not known to this machine's DNS", u.Hostname()), "The servers need to resolve it, too: correct the name, or enter it in DNS.")
	}
	var state *tls.ConnectionState
	client := &http.Client{Transport: &http.Transport{Proxy: nil, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, VerifyConnection: func(s tls.ConnectionState) error {
		state = &s
		return nil
	}}}}
	defer client.CloseIdleConnections()
	if u.RawQuery == "" {
		u.RawQuery = url.QueryEscape(t.Name)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return bad(area, name, err.Error(), "Correct the URL.")
	}
	res, err := client.Do(req)
	if err != nil {
		return unreachable(name, err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	page := string(body)
	switch {
	case res.StatusCode != http.StatusOK || !strings.Contains(page, pageTitle):
		return bad(area, name, fmt.Sprintf("something else than this host answers there (%s)", res.Status), "Have the reverse proxy hand "+u.Path+" on to listen.notifications: docs/administrator/publishing.md.")
	case !strings.Contains(page, "Tenant: <strong>"):
		return bad(area, name, "a Roomwire answers there that does not know this tenant", "Another installation has this URL, or the proxy drops the query.")
	case state == nil && strings.Contains(u.Path, "/webhooks/graph"):
		return bad(area, name, "it answers, and Microsoft Graph calls no address without TLS", "Publish it by https, with a certificate of a public authority, or write notices = \"pull\" in the sync mode.")
	case state == nil:
		return warn(area, name, "it answers, without TLS", "Publish it by https: its tokens travel in the open.")
	}
	if end := state.PeerCertificates[0].NotAfter; end.Sub(d.Now()) < soon {
		return warn(area, name, "it answers; its certificate ends on "+end.Local().Format("2006-01-02"), "Renew it.")
	}
	return good(area, name, "this host answers there, as seen from this machine; the server must reach it from where it is, and trust its certificate until "+
		state.PeerCertificates[0].NotAfter.Local().Format(time.DateOnly))
}

func unreachable(name string, err error) Finding {
	const area = "notifications"
	if f, is := certificateFault(name, err); is {
		// The server may trust another authority than this machine does.
		return warn(area, name, f.What, "The servers that call it must trust it: use a certificate of an authority that they know.")
	}
	if e, is := errors.AsType[*net.OpError](err); is && e.Op == "dial" {
		return warn(area, name, "this machine does not reach it: "+e.Err.Error(), "That may be meant (the address is reached from outside only). Try it from where the server is: it must show a page.")
	}
	return warn(area, name, "this machine does not reach it: "+plain(err), "Try it from where the server is: it must show a page.")
}

// listening sums up by server how changes are listened for.
func listening(groups []Group) []Finding {
	const area = "notifications"
	type sum struct {
		meant, listened, down int
		problem               string
	}
	by := map[string]*sum{}
	var order []string
	for _, g := range groups {
		key := g.Way + " from " + g.Server
		s := by[key]
		if s == nil {
			s = &sum{}
			by[key], order = s, append(order, key)
		}
		s.meant += g.Meant
		s.listened += g.Listened
		if !g.Connected {
			s.down++
			s.problem = g.Problem
		}
	}
	var out []Finding
	for _, key := range order {
		s := by[key]
		text := fmt.Sprintf("%d of %s listened to", s.listened, plural(s.meant, "mailbox is", "mailboxes are"))
		if s.down > 0 && s.problem != "" {
			out = append(out, warn(area, key, text+": "+s.problem, "It is tried again by itself; the calendars are read by the clock meanwhile."))
			continue
		}
		out = append(out, good(area, key, text))
	}
	return out
}
