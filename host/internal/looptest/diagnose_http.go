package looptest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// pageMark and tenantMark are how package endpoint's page is known.
const (
	pageMark   = "Roomwire notification service"
	tenantMark = "Tenant: <strong>%s</strong>"
)

// soon is how long before its end a certificate is worth a word.
const soon = 14 * 24 * time.Hour

// handshake judges the certificate as a server that trusts what this machine trusts would.
func (r *Runner) handshake(ctx context.Context, d *diagnosis, u *url.URL, at string) {
	const name = "TLS"
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	raw, err := r.Dial(ctx, "tcp", at)
	if err != nil {
		d.blame(name, "the connection cannot be opened a second time: "+plainly(err), "see what limits connections on the way")
		return
	}
	defer raw.Close()
	// Judged below, so that everything that is wrong can be told.
	conn := tls.Client(raw, unverified(u))
	if err := conn.HandshakeContext(ctx); err != nil {
		d.blame(name, fmt.Sprintf("no TLS with %s: %v", at, plainly(err)),
			"see that the port speaks HTTPS and has a certificate (IIS: the site's bindings)")
		return
	}
	state := conn.ConnectionState()
	if state.Version < tls.VersionTLS12 {
		d.suspect("TLS version", tls.VersionName(state.Version)+" was agreed on, which servers may refuse",
			"offer TLS 1.2 at least")
	}
	r.judge(d, u.Hostname(), state.PeerCertificates)
}

// unverified accepts every certificate: nothing is sent that is worth protecting.
func unverified(u *url.URL) *tls.Config {
	return &tls.Config{ServerName: u.Hostname(), InsecureSkipVerify: true, MinVersion: tls.VersionTLS10}
}

// judge says what is wrong with a chain.
func (r *Runner) judge(d *diagnosis, host string, chain []*x509.Certificate) {
	const name = "TLS"
	if len(chain) == 0 {
		d.blame(name, "no certificate was shown", "give the listener a certificate")
		return
	}
	leaf, now := chain[0], r.now()
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: r.Roots, Intermediates: between, CurrentTime: now})
	switch {
	case now.After(leaf.NotAfter):
		d.blame(name, "the certificate expired on "+clock(leaf.NotAfter),
			"renew it, with its chain, where HTTPS ends (IIS, nginx, or listen.notifications)")
	case now.Before(leaf.NotBefore):
		d.blame(name, "the certificate is not valid before "+clock(leaf.NotBefore),
			"check this machine's clock; else wait, or replace the certificate")
	case leaf.VerifyHostname(host) != nil:
		d.blame(name, fmt.Sprintf("the certificate is for %s, not for %s", names(leaf), host),
			"use a certificate that names "+host+", or the URL whose name it bears")
	case err != nil && len(chain) == 1 && leaf.Issuer.String() != leaf.Subject.String():
		d.blame(name,
			fmt.Sprintf("the certificate of %q comes without its intermediate certificates, so its chain cannot be followed", leaf.Issuer.CommonName),
			"have the whole chain sent: certificate first, then the intermediate ones")
	case err != nil:
		// The server may trust what this machine does not, such as a company's own authority.
		d.suspect(name,
			fmt.Sprintf("the certificate is signed by %q, which this machine does not trust, and the server perhaps neither", leaf.Issuer.CommonName),
			"on every Exchange Mailbox server put the authority's root certificate into Trusted Root Certification Authorities of the "+
				"computer, or use a certificate of a public authority")
	case leaf.NotAfter.Sub(now) < soon:
		d.suspect(name, "the certificate expires on "+clock(leaf.NotAfter), "renew it now")
	default:
		d.ok(name, "certificate for %s, of %q, until %s; the server must trust its chain as well",
			names(leaf), leaf.Issuer.CommonName, clock(leaf.NotAfter))
	}
}

func names(c *x509.Certificate) string {
	all := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "no name at all"
	}
	return strings.Join(all[:min(len(all), 5)], ", ")
}

// client calls the URL at the address that answered, or through the proxy. Certificates are judged elsewhere: what is
// behind a bad one is worth knowing.
func (r *Runner) client(u *url.URL, at string, proxy *url.URL) *http.Client {
	t := &http.Transport{
		TLSClientConfig: unverified(u),
		DialContext:     r.Dial,
	}
	if at != "" {
		t.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) { return r.Dial(ctx, network, at) }
	} else {
		t.Proxy = http.ProxyURL(proxy)
	}
	return &http.Client{
		Transport: t, Timeout: checkTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// get looks whether the URL shows the endpoint's page, and reports whether it is worth going on.
func (r *Runner) get(ctx context.Context, d *diagnosis, client *http.Client, u *url.URL, tenant string) bool {
	const name = "page"
	status, body, where, err := ask(ctx, client, u.String(), "", "")
	const rule = "compare the rule in IIS or nginx with docs/administrator/publishing.md"
	switch {
	case err != nil:
		d.blame(name, "the URL gives no answer: "+err.Error(),
			"see whether what listens there is IIS or nginx with the rule for Roomwire, or Roomwire itself")
	case where != "":
		d.blame(name, fmt.Sprintf("the URL redirects to %s, which servers do not follow", where),
			"have the path answered without a redirect: no login page, and https in the URL if http is redirected")
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		d.blame(name, fmt.Sprintf("something in front of Roomwire refuses the request: HTTP %d", status),
			"the path must be anonymous, without client certificates and without Windows authentication")
	case status == http.StatusNotFound:
		d.blame(name, "nothing is at the URL: HTTP 404", rule+": the path is not passed on to Roomwire")
	case status >= http.StatusInternalServerError:
		d.blame(name, fmt.Sprintf("something in front of Roomwire does not reach it: HTTP %d", status),
			"see that Roomwire runs, and that IIS or nginx calls the address of listen.notifications")
	case status != http.StatusOK || !strings.Contains(body, pageMark):
		d.blame(name, fmt.Sprintf("something else than Roomwire answers at the URL: HTTP %d", status),
			rule+"; ROOMS's own endpoint may still be there")
	case !strings.Contains(body, fmt.Sprintf(tenantMark, html.EscapeString(tenant))):
		d.blame(name, fmt.Sprintf("Roomwire answers at the URL, but was not told the tenant %q", tenant),
			"IIS or nginx must pass the query on (IIS: appendQueryString=\"true\"); or another installation answers there, which has no such tenant")
	default:
		d.ok(name, "the URL shows Roomwire's page, for tenant %s", tenant)
		return true
	}
	return status == http.StatusOK && strings.Contains(body, pageMark)
}

// aliveMessage is the smallest message that Exchange's web services send.
const aliveMessage = `<?xml version="1.0" encoding="utf-8"?>` +
	`<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>` +
	`<m:SendNotification xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"` +
	` xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">` +
	`<m:ResponseMessages><m:SendNotificationResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>` +
	`<m:Notification><t:SubscriptionId>looptest</t:SubscriptionId><t:PreviousWatermark>AAAA</t:PreviousWatermark>` +
	`<t:MoreEvents>false</t:MoreEvents>` +
	`<t:StatusEvent><t:Watermark>AAAA</t:Watermark></t:StatusEvent></m:Notification>` +
	`</m:SendNotificationResponseMessage></m:ResponseMessages></m:SendNotification></soap:Body></soap:Envelope>`

// strangersMessage returns a message as the servers that call u send it, and whether they stop when "Unsubscribe" is the answer.
func strangersMessage(u *url.URL) (body, kind string, unsubscribes bool) {
	path := strings.ToLower(u.Path)
	if _, after, hooked := strings.Cut(path, "/api/webhooks/"); hooked && after != "exchange" {
		return `{"value":[]}`, "application/json", false
	}
	return aliveMessage, "text/xml; charset=utf-8", true
}

// post sends a message as a server would, with a token that nobody has: it must be answered so that its sender stops. The
// person's own token cannot be used, because only its hash is kept.
func (r *Runner) post(ctx context.Context, d *diagnosis, client *http.Client, u *url.URL) {
	const name = "message"
	target := *u
	if target.RawQuery != "" {
		target.RawQuery += "&"
	}
	target.RawQuery += "k=" + KeyPrefix + newID()
	before := r.Arrivals()
	message, kind, unsubscribes := strangersMessage(u)
	status, body, _, err := ask(ctx, client, target.String(), message, kind)
	now := r.Arrivals()
	refused := status == http.StatusOK && strings.Contains(body, "Unsubscribe") || !unsubscribes && status > 0 && status < http.StatusInternalServerError
	here := now.Untrusted+now.Unanswered+now.Unreadable > before.Untrusted+before.Unanswered+before.Unreadable
	switch {
	case err != nil:
		d.blame(name, "a page can be fetched from the URL, but a message sent to it gets no answer: "+err.Error(),
			"see what filters POST requests on the way")
	case refused && here:
		d.ok(name, "a message with a made-up token came to this host and was refused as it should be")
	case refused && status < http.StatusMultipleChoices:
		d.suspect(name, "a message sent to the URL was answered by another host than this one",
			"if it belongs to this installation and uses the same database, all is well; if not, the URL is another installation's")
	case status == http.StatusServiceUnavailable:
		d.blame(name, "a message sent to the URL cannot be taken now: HTTP 503",
			"look at the host's log for the notification endpoint, and at roomwire plugin list")
	default:
		d.blame(name, fmt.Sprintf("a page can be fetched from the URL, but a message sent to it is answered with HTTP %d", status),
			"see what filters POST requests on the way: a web application firewall, request filtering in IIS, a size limit")
	}
}

// ask makes one request, a GET or one that sends a message of the given kind, and reads the beginning of its answer; where is
// set by a redirect.
func ask(ctx context.Context, client *http.Client, target, message, kind string) (status int, body, where string, err error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	method := http.MethodGet
	if message != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(message))
	if err != nil {
		return 0, "", "", withoutURL(err)
	}
	if message != "" {
		req.Header.Set("Content-Type", kind)
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, "", "", withoutURL(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return res.StatusCode, "", "", withoutURL(err)
	}
	if res.StatusCode >= 300 && res.StatusCode < 400 {
		where = shown(res.Header.Get("Location"))
	}
	return res.StatusCode, string(data), where, nil
}

// withoutURL takes the URL, which bears a query, off an error.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return errors.New(plainly(err))
}
