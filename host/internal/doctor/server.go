package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/roomwire/roomwire/host/internal/config"
	remedies "github.com/roomwire/roomwire/host/internal/remedy"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/supervise"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// servers examines each server that persons of a sync mode have their mailboxes on.
func (d *Doctor) servers(ctx context.Context) []Finding {
	cfg := d.Config()
	var counts []store.ModeCount
	if d.Store != nil {
		read, cancel := context.WithTimeout(ctx, d.Timeout)
		defer cancel()
		var err error
		if counts, err = d.Store.Modes(read); err != nil {
			return []Finding{bad("server", "all", err.Error(), "See the store.")}
		}
	}
	counts = withOverrides(cfg, counts)
	for _, m := range cfg.AllModes() { // those that nobody uses yet, too
		used := slices.ContainsFunc(counts, func(c store.ModeCount) bool { return strings.EqualFold(c.Mode, m.Name) })
		if !used && m.URL != "" && d.installed("backend-"+m.Backend) {
			counts = append(counts, store.ModeCount{Mode: m.Name})
		}
	}
	const most = 50 // servers; more are not looked at one by one
	found := make([][]Finding, min(most, len(counts)))
	var all sync.WaitGroup
	room := make(chan struct{}, 8)
	for i := range found {
		all.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			found[i] = d.server(ctx, counts[i])
			if m, known := cfg.Mode(counts[i].Mode); known && m.BuiltIn && counts[i].Persons == 0 {
				milder(found[i])
			}
		})
	}
	all.Wait()
	return slices.Concat(found...)
}

// milder makes warnings of the errors of a sync mode that nobody uses and nobody has written down: it is there because the keys
// of ROOMS would serve it, too.
func milder(found []Finding) {
	for i := range found {
		if found[i].Level == Error {
			found[i].Level = Warning
			found[i].What += "; nobody is in this sync mode, which is set up by keys of ROOMS alone"
		}
	}
}

// withOverrides adds the overrides of the sync modes that are in use. Nobody knows whether they have persons before some are
// asked for.
func withOverrides(cfg *config.Config, counts []store.ModeCount) []store.ModeCount {
	var out []store.ModeCount
	for _, c := range counts {
		out = append(out, c)
		m, _ := cfg.Mode(c.Mode)
		for _, o := range m.Overrides {
			of := store.ModeCount{Mode: o.Name, URL: o.MailboxURL(c.URL)}
			if !slices.Contains(out, of) {
				out = append(out, of)
			}
		}
	}
	return out
}

// installed reports whether a plugin is in the plugin folder, or may be.
func (d *Doctor) installed(name string) bool {
	if d.Catalog == nil {
		return true
	}
	entries, err := d.Catalog()
	return err != nil || slices.ContainsFunc(entries, func(e supervise.Entry) bool { return e.Name == name })
}

func (d *Doctor) server(ctx context.Context, c store.ModeCount) []Finding {
	mode, known := d.Config().Mode(c.Mode)
	if !known {
		return []Finding{bad("server", c.Mode, fmt.Sprintf("%s in this sync mode, which is not configured", plural(int(c.Persons), "person is", "persons are")),
			fmt.Sprintf("Add sync_mode %q to roomwire.hcl, or give them another mode.", c.Mode))}
	}
	u, err := url.Parse(mode.MailboxURL(c.URL))
	if err != nil || u.Host == "" {
		return nil // it needs none
	}
	name := mode.Name + " " + u.Host
	var out []Finding
	reached, f := d.reach(ctx, mode, u, name)
	out = append(out, f...)
	paused := d.pausesOf(mode.Name, u.Host)
	if reached && len(paused) == 0 { // else every look would be one more try with a password that may be wrong
		out = append(out, d.login(ctx, mode, c, name)...)
	}
	for _, p := range paused {
		grave := bad
		if p.Kind == fault.Throttled {
			grave = warn
		}
		out = append(out, grave("server", name, fmt.Sprintf("it is left alone until %s: %s", p.Until.Local().Format("15:04:05"), p.Reason),
			"It is tried again by itself then; when the cause is mended, roomwire config apply or roomwire sync now PERSON does not wait."))
	}
	return out
}

func (d *Doctor) pausesOf(mode, host string) []Pause {
	if d.Pauses == nil {
		return nil
	}
	var out []Pause
	for _, p := range d.Pauses() {
		if strings.EqualFold(p.Server, mode+"@"+host) {
			out = append(out, p)
		}
	}
	return out
}

// reach makes one request without a login: what the server's certificate is, what it offers, and what its clock says.
func (d *Doctor) reach(ctx context.Context, mode config.SyncMode, u *url.URL, name string) (reached bool, out []Finding) {
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	var state *tls.ConnectionState
	client, err := clientOf(mode, &state)
	if err != nil {
		return false, []Finding{bad("server", name, err.Error(), "Correct http { … } of the sync mode.")}
	}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return false, []Finding{bad("server", name, err.Error(), "Correct the URL.")}
	}
	req.Header.Set("User-Agent", "Roomwire/"+d.Version+" doctor")
	res, err := client.Do(req)
	if err != nil {
		if f, is := certificateFault(name, err); is {
			return false, []Finding{f}
		}
		return false, []Finding{bad("server", name, "it is not reached: "+plain(err), "Check name, port and firewall from this machine, and http { proxy } of the sync mode.")}
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	if state != nil {
		out = append(out, certificate("server", name, state, d.Now()))
	} else {
		out = append(out, warn("server", name, "it is reached without TLS", "Everybody on the way can read and change calendars: write https:// if the server speaks it."))
	}
	out = append(out, d.offers(mode, name, res), clock(name, res, d.Now()))
	return true, out
}

func clientOf(mode config.SyncMode, state **tls.ConnectionState) (*http.Client, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if mode.HTTP.CAFile != "" {
		pem, err := os.ReadFile(mode.HTTP.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the certificate authorities: %w", err)
		}
		roots.AppendCertsFromPEM(pem)
	}
	t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, VerifyConnection: func(s tls.ConnectionState) error {
		*state = &s
		return nil
	}}}
	if mode.HTTP.Proxy != "" {
		proxy, err := url.Parse(mode.HTTP.Proxy)
		if err != nil {
			return nil, errors.New("the proxy's URL is not valid")
		}
		t.Proxy = http.ProxyURL(proxy)
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// soon is how long before its end a certificate is warned of.
const soon = 21 * 24 * time.Hour

func certificate(area, name string, s *tls.ConnectionState, now time.Time) Finding {
	leaf := s.PeerCertificates[0]
	end := leaf.NotAfter
	for _, chain := range s.VerifiedChains {
		for _, c := range chain {
			if c.NotAfter.Before(end) {
				end = c.NotAfter
			}
		}
	}
	text := fmt.Sprintf("its certificate is valid until %s (issued by %s)", end.Local().Format("2006-01-02"), issuer(leaf))
	if end.Sub(now) < soon {
		return warn(area, name, text, fmt.Sprintf("Renew it: %s left.", plural(int(end.Sub(now).Hours()/24), "day is", "days are")))
	}
	return good(area, name, text)
}

func issuer(c *x509.Certificate) string {
	if c.Issuer.CommonName != "" {
		return c.Issuer.CommonName
	}
	return strings.Join(c.Issuer.Organization, ", ")
}

// certificateFault says what is wrong with a certificate in the words of who has to mend it.
func certificateFault(name string, err error) (Finding, bool) {
	if e, is := errors.AsType[x509.UnknownAuthorityError](err); is {
		by := ""
		if e.Cert != nil {
			by = " by " + issuer(e.Cert)
		}
		return bad("server", name, "its certificate is signed"+by+", which is not trusted here", "Write the authority's certificate to a PEM file and name it: http { ca_file } of the sync mode."), true
	}
	if e, is := errors.AsType[x509.HostnameError](err); is {
		return bad("server", name, "its certificate is for other names: "+strings.Join(e.Certificate.DNSNames, ", "), "Use one of these names in the URL, or give the server a certificate with this one."), true
	}
	if e, is := errors.AsType[x509.CertificateInvalidError](err); is && e.Reason == x509.Expired {
		return bad("server", name, fmt.Sprintf("its certificate ended on %s", e.Cert.NotAfter.Local().Format("2006-01-02")), "Renew it."), true
	}
	return Finding{}, false
}

// isExchange reports whether the mode's server is an Exchange server, of which more is known than of others.
func isExchange(mode config.SyncMode) bool {
	return slices.Contains([]string{"exchange2013", "exchangeonline"}, mode.Backend)
}

// offers compares what the server lets log in with what the mode can.
func (d *Doctor) offers(mode config.SyncMode, name string, res *http.Response) Finding {
	var offered []string
	for _, h := range res.Header.Values("WWW-Authenticate") {
		scheme, _, _ := strings.Cut(strings.TrimSpace(h), " ")
		if scheme != "" && !slices.Contains(offered, scheme) {
			offered = append(offered, scheme)
		}
	}
	if mode.Backend == "graph" {
		if s := res.StatusCode; s == http.StatusProxyAuthRequired || s >= 300 && s < 400 || s >= http.StatusInternalServerError {
			return warn("server", name, fmt.Sprintf("it answers %d, which Microsoft Graph hardly does", s),
				"Check the URL, and whether a proxy or firewall on the way answers in its place.")
		}
		return good("server", name, fmt.Sprintf("it answers (%d)", res.StatusCode))
	}
	if !isExchange(mode) { // what its server answers to nobody is its own affair; whether it works, the probe says
		return good("server", name, fmt.Sprintf("it answers (%d)", res.StatusCode))
	}
	if res.StatusCode == http.StatusNotFound {
		return bad("server", name, "there is no Exchange Web Service at this URL", "Correct it: https://HOST/EWS/Exchange.asmx.")
	}
	if len(offered) == 0 {
		return warn("server", name, fmt.Sprintf("it answers %d and offers no way to log in", res.StatusCode), "Check that the URL is that of Exchange Web Services, and what stands before the server.")
	}
	schemes := map[string][]string{"ntlm": {"NTLM", "Negotiate"}, "basic": {"Basic"}, "oauth": {"Bearer"}}
	text := "it offers " + strings.Join(offered, ", ")
	foreign := false
	for _, a := range mode.Auth {
		for _, s := range schemes[a] {
			if slices.ContainsFunc(offered, func(o string) bool { return strings.EqualFold(o, s) }) {
				return good("server", name, text+"; used is "+a)
			}
		}
		foreign = foreign || schemes[a] == nil
	}
	if foreign {
		return good("server", name, text)
	}
	return bad("server", name, text+"; the sync mode logs in by "+strings.Join(mode.Auth, ", "), "Allow one of these for the EWS virtual directory of Exchange (Set-WebServicesVirtualDirectory), or add the offered one to auth.")
}

// clock compares the server's clock with ours: logins and tokens hold for minutes.
func clock(name string, res *http.Response, now time.Time) Finding {
	at, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return good("server", name, "it does not tell its time")
	}
	skew := now.Sub(at)
	text := fmt.Sprintf("its clock differs from this machine's by %s", skew.Abs().Round(time.Second))
	switch {
	case skew.Abs() > 5*time.Minute:
		return bad("server", name, text, "Set both by NTP: logins fail with clocks this far apart.")
	case skew.Abs() > time.Minute:
		return warn("server", name, text, "Set both by NTP.")
	}
	return good("server", name, text)
}

// login tries a mailbox: whether the service user may log in and act for people.
func (d *Doctor) login(ctx context.Context, mode config.SyncMode, c store.ModeCount, name string) []Finding {
	if d.Probe == nil || d.Store == nil || !d.Running {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*d.Timeout)
	defer cancel()
	p, found := d.sample(ctx, mode, c)
	if !found {
		return []Finding{good("server", name, "nobody is synced there yet, so no login was tried")}
	}
	u := mode.MailboxURL(p.SyncURL)
	status, err := d.Probe(ctx, mode.Name, backend.Mailbox{Address: p.Email, URL: u})
	act := "acting for people (impersonation)"
	switch {
	case !isExchange(mode):
		act = "the mailbox"
	case !mode.UseImpersonation:
		act = "delegate access"
	}
	if err == nil {
		return []Finding{good("server", name, fmt.Sprintf("login and %s work, tried with person %q (%s)%s", act, p.ID, status.Server, binding(mode, u)))}
	}
	remedy := map[fault.Kind]string{
		fault.Unauthorized:    "Check user and password of the sync mode, and that the account is not locked. Where Exchange requires Extended Protection, nothing between it and this machine may end TLS: a proxy or load balancer that does makes every NTLM login fail.",
		fault.Forbidden:       "Give the service account the management role ApplicationImpersonation with a scope that holds the mailbox, or a permission on the calendar.",
		fault.MailboxNotFound: "Check this person's mail address.",
		fault.Throttled:       "Fewer workers_per_server, or another throttling policy for the service account.",
	}[fault.Of(err)]
	if slices.Contains(mode.Auth, "oauth") {
		remedy = map[fault.Kind]string{
			fault.Forbidden: "Give the app the application permission, with admin consent: full_access_as_app (Office 365 Exchange Online) for EWS, Calendars.ReadWrite (Microsoft Graph) for Graph; " +
				"or, where it is limited to some mailboxes (RBAC for Applications), put this one into its scope.",
			fault.MailboxNotFound: "Check this person's mail address, and that the mailbox lies in the app's tenant: for a mail domain of another tenant write a domain_override.",
			fault.Throttled:       "Fewer workers_per_server.",
		}[fault.Of(err)] // what the login server refuses is explained by the plugin
		if fault.Of(err) == fault.Forbidden && (remedies.ByAll(err) || remedies.Switched(err)) {
			remedy = remedies.Of(err, mode.Auth)
		}
	} else if !isExchange(mode) {
		remedy = ""
	}
	return []Finding{bad("server", name, fmt.Sprintf("person %q cannot be reached: %s", p.ID, plain(err)), orElse(remedy, "roomwire person show "+p.ID+" says more."))}
}

// sample returns a person whom the mode serves, in whose place no override does.
func (d *Doctor) sample(ctx context.Context, mode config.SyncMode, c store.ModeCount) (store.PersonRow, bool) {
	base, urls := mode, []string{c.URL}
	if mode.Domain != "" {
		base, _ = d.Config().Mode(mode.Base)
		c.Mode, c.Domain = mode.Base, mode.Domain
		urls = append(urls, "", mode.BaseURL) // persons may still have what was prefilled before there was an override
	}
	for _, c.URL = range urls {
		people, err := d.Store.Samples(ctx, c, 50)
		if err != nil {
			return store.PersonRow{}, false
		}
		for _, p := range people {
			if base.For(p.Email).Name == mode.Name {
				return p, true
			}
		}
	}
	return store.PersonRow{}, false
}

func binding(mode config.SyncMode, u string) string {
	if !slices.Contains(mode.Auth, "ntlm") || !strings.HasPrefix(u, "https:") {
		return ""
	}
	if mode.AuthSettings["ntlm"].Text("channel_binding") == "off" {
		return "; without channel binding (Extended Protection)"
	}
	return "; channel binding (Extended Protection) is sent"
}

// plain is err without the request that it came from.
func plain(err error) string {
	if e, is := errors.AsType[*url.Error](err); is {
		err = e.Err
	}
	return strings.TrimSuffix(err.Error(), ": "+string(fault.Of(err)))
}
