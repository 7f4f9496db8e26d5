package looptest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
)

const (
	checkTimeout = 10 * time.Second // of one check
	mostAddrs    = 6                // of the URL's host that are tried
)

// A diagnosis is what was looked at because no notification came, and what follows from it.
type diagnosis struct {
	checks        []Check
	cause, remedy string
	// suspicion and advice are said if nothing worse is found.
	suspicion, advice string
}

func (d *diagnosis) ok(name, format string, args ...any) {
	d.checks = append(d.checks, Check{name, StateOK, fmt.Sprintf(format, args...)})
}

func (d *diagnosis) skip(name, format string, args ...any) {
	d.checks = append(d.checks, Check{name, StateSkipped, fmt.Sprintf(format, args...)})
}

// blame records a failed check. The first one is the cause: what follows from it fails as well.
func (d *diagnosis) blame(name, cause, remedy string) {
	d.checks = append(d.checks, Check{name, StateFailed, cause})
	if d.cause == "" {
		d.cause, d.remedy = cause, remedy
	}
}

// suspect records a check that may be the cause.
func (d *diagnosis) suspect(name, suspicion, advice string) {
	d.checks = append(d.checks, Check{name, StateDoubt, suspicion})
	if d.suspicion == "" {
		d.suspicion, d.advice = suspicion, advice
	}
}

// diagnose looks at everything between the server and this host that can be looked at from here.
func (r *Runner) diagnose(ctx context.Context, a *active, mb store.Mailbox) diagnosis {
	var d diagnosis
	if mb.Way != "push" {
		d.blame("connection", "this host keeps a connection to the server, or asks it at intervals, and was told nothing",
			"see whether a proxy or firewall between Roomwire and the server cuts long requests (it must leave them alone for 30 minutes), "+
				"and what the host's log says of this mailbox; its calendar is read by the clock meanwhile")
		return d
	}
	d.subscription(mb)
	d.arrivals(a.before, r.Arrivals())
	raw := r.NotificationURL(a.run.Tenant, a.mode.Name)
	if u := d.address(raw); u != nil {
		r.reach(ctx, &d, u, a.run.Tenant)
	}
	switch {
	case d.cause != "":
	case d.suspicion != "":
		d.cause, d.remedy = d.suspicion, d.advice
	default:
		d.cause = "this machine reaches the notification URL, so it is rather the server that does not"
		d.remedy = "from where the server is (on an Exchange Mailbox server; for Microsoft 365, from outside the company's network) run " +
			"Invoke-WebRequest -UseBasicParsing '" + shown(raw) + "': " +
			"it must show Roomwire's page without a certificate error. If not: DNS and firewall there, the server's own proxy " +
			"(Get-ExchangeServer | fl InternetWebProxy), and whether it trusts the certificate's chain; nothing on the way may ask for a login"
	}
	return d
}

// subscription tells what is known of the push subscription.
func (d *diagnosis) subscription(mb store.Mailbox) {
	const name = "subscription"
	switch {
	case mb.SubscriptionID == "":
		d.suspect(name, "the push subscription ended while the notification was waited for: it is asked for anew",
			"test again in a minute; if it ends again, the host's log says why")
	case mb.LastHeard.After(mb.SubscribedAt):
		d.ok(name, "in force since %s; the server was last heard of at %s, so the URL was right then",
			clock(mb.SubscribedAt), clock(mb.LastHeard))
	case mb.Quiet:
		d.ok(name, "in force since %s; its server says nothing until something changes, and nothing came since", clock(mb.SubscribedAt))
	default:
		d.ok(name, "in force since %s; the server was never heard of since", clock(mb.SubscribedAt))
	}
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// arrivals tells what reached this host while the notification was waited for, and could not be used.
func (d *diagnosis) arrivals(before, now Arrivals) {
	const name = "token"
	switch {
	case now.Unanswered > before.Unanswered:
		d.blame(name,
			"messages arrived, but this host could not take them: its store or the plugin that reads them was away, or there were too many at once",
			"look at the host's log for the notification endpoint, and at roomwire plugin list; the server repeats the messages")
	case now.Mismatched > before.Mismatched:
		d.blame(name, "a message arrived with a living token, but for another subscription",
			"a proxy may mix requests or their queries up; if not, the subscription is replaced at its next renewal: roomwire sync now does it")
	case now.Untrusted > before.Untrusted:
		d.blame(name, "messages arrived whose token is not, or no longer, known",
			"see that IIS or nginx passes the whole query of the URL on (IIS: appendQueryString=\"true\"), and that the subscriptions of another "+
				"installation do not use this URL; messages of subscriptions that were replaced end by themselves within an hour")
	case now.Unreadable > before.Unreadable:
		d.blame(name, "something arrived that is no notification, is too large or was cut off",
			"see what IIS, nginx or a firewall does to the body of requests to the notification URL")
	case now.UnknownPath > before.UnknownPath:
		d.suspect(name, "requests arrived for a path that is not the notification URL's",
			"compare the URL that the server was told with the rule in IIS or nginx: the path must be passed on unchanged")
	default:
		d.ok(name, "no message with a wrong token came to this host")
	}
}

// address looks at the URL itself.
func (d *diagnosis) address(raw string) *url.URL {
	const name = "URL"
	remedy := "set ExchangeServiceUrl, or the tenant's root_url, to the address by which the server reaches this host"
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		d.blame(name, "no public URL is configured", remedy)
		return nil
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		d.blame(name, "the notification URL is no http or https URL", remedy)
		return nil
	}
	if ip, err := netip.ParseAddr(u.Hostname()); strings.EqualFold(u.Hostname(), "localhost") || err == nil && ip.IsLoopback() {
		d.suspect(name, fmt.Sprintf("%s means this very machine: any other machine that calls it calls itself", u.Host), remedy)
		return u
	}
	d.ok(name, "%s", shown(raw))
	return u
}

// shown is a URL without what could be secret.
func shown(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	u.User = nil
	tenant, _, _ := strings.Cut(u.RawQuery, "&")
	u.RawQuery = tenant
	return u.String()
}

// reach goes the way that a message takes: name, connection, TLS, page, message.
func (r *Runner) reach(ctx context.Context, d *diagnosis, u *url.URL, tenant string) {
	proxy := r.proxyFor(u)
	addrs := r.resolve(ctx, d, u, proxy)
	at := r.connect(ctx, d, u, addrs, proxy)
	if at == "" && proxy == nil {
		return
	}
	if u.Scheme == "https" && at != "" {
		r.handshake(ctx, d, u, at)
	}
	client := r.client(u, at, proxy)
	defer client.CloseIdleConnections()
	if r.get(ctx, d, client, u, tenant) {
		r.post(ctx, d, client, u)
	}
}

// proxyFor returns the proxy through which this machine is configured to call u, or nil.
func (r *Runner) proxyFor(u *url.URL) *url.URL {
	proxy, err := r.Proxy(&http.Request{URL: u})
	if err != nil {
		return nil
	}
	return proxy
}

// resolve finds the addresses of the URL's host.
func (r *Runner) resolve(ctx context.Context, d *diagnosis, u *url.URL, proxy *url.URL) []netip.Addr {
	const name = "DNS"
	host := u.Hostname()
	if ip, err := netip.ParseAddr(host); err == nil {
		d.skip(name, "%s is an address", host)
		return []netip.Addr{ip}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	addrs, err := r.Resolver.LookupNetIP(ctx, "ip", host)
	if err == nil && len(addrs) > 0 {
		texts := make([]string, len(addrs))
		for i, a := range addrs {
			addrs[i] = a.Unmap()
			texts[i] = addrs[i].String()
		}
		d.ok(name, "%s is %s", host, strings.Join(texts, ", "))
		return addrs[:min(len(addrs), mostAddrs)]
	}
	cause := fmt.Sprintf("the name %s cannot be resolved here: %v", host, err)
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound || err == nil {
		cause = fmt.Sprintf("the name %s does not exist in this machine's DNS", host)
	}
	remedy := "correct the notification URL (roomwire config show), or add the name to the DNS that the server uses"
	if proxy != nil {
		d.suspect(name, cause+"; it goes out through the proxy "+proxy.Host+", which may know it", remedy)
		return nil
	}
	d.blame(name, cause, remedy)
	return nil
}

// connect tries every address and returns the first that answers.
func (r *Runner) connect(ctx context.Context, d *diagnosis, u *url.URL, addrs []netip.Addr, proxy *url.URL) (at string) {
	const name = "TCP"
	if len(addrs) == 0 {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	var good, bad []string
	for _, a := range addrs {
		addr := net.JoinHostPort(a.String(), port)
		limited, cancel := context.WithTimeout(ctx, checkTimeout)
		conn, err := r.Dial(limited, "tcp", addr)
		cancel()
		if err != nil {
			bad = append(bad, fmt.Sprintf("%s (%s)", addr, plainly(err)))
			continue
		}
		_ = conn.Close()
		good = append(good, addr)
	}
	remedy := "see that IIS, nginx or Roomwire listens there, that the firewall lets it through, and that the name points to the right machine"
	switch {
	case len(good) == 0 && proxy != nil:
		d.suspect(name, fmt.Sprintf("no direct connection to %s; this machine goes out through the proxy %s",
			strings.Join(bad, ", "), proxy.Host), remedy)
		return ""
	case len(good) == 0:
		d.blame(name, "no connection to "+strings.Join(bad, ", "), remedy)
		return ""
	case len(bad) > 0:
		d.suspect(name, fmt.Sprintf("%s can be connected to, but not %s: a server that prefers the latter gets nowhere",
			strings.Join(good, ", "), strings.Join(bad, ", ")),
			"take the addresses that do not answer out of DNS (often the IPv6 one), or have them answered")
	default:
		d.ok(name, "connected to %s", strings.Join(good, ", "))
	}
	return good[0]
}

// plainly is a network error without the addresses it repeats.
func plainly(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		err = op.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer"
	}
	return err.Error()
}
