package doctor

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/supervise"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// site is an installation to be examined.
type site struct {
	Options
	t     *testing.T
	modes []store.ModeCount
	state []store.StateCount
	hooks []store.Webhook
	count store.QueueCounts
	old   time.Time
	mute  int64
	dead  int64
	err   error
}

func (s *site) Ping(context.Context) error { return s.err }
func (s *site) QueueCounts(context.Context, time.Time) (store.QueueCounts, error) {
	return s.count, s.err
}
func (s *site) OldestDirty(context.Context, time.Time) (time.Time, error) { return s.old, s.err }
func (s *site) Ways(context.Context) ([]store.WayCount, error) {
	return []store.WayCount{{Way: "push", Mailboxes: 3}}, s.err
}
func (s *site) States(context.Context) ([]store.StateCount, error) { return s.state, s.err }
func (s *site) Silent(context.Context, time.Time) (int64, error)   { return s.mute, s.err }
func (s *site) Modes(context.Context) ([]store.ModeCount, error)   { return s.modes, s.err }
func (s *site) Samples(context.Context, store.ModeCount, int) ([]store.PersonRow, error) {
	return []store.PersonRow{{Person: directory.Person{Tenant: "Default", ID: "alice", Email: "alice@example.com"}}}, s.err
}
func (s *site) Webhooks(context.Context, string) ([]store.Webhook, error) { return s.hooks, s.err }
func (s *site) CountDeadMessages(context.Context) (int64, error)          { return s.dead, s.err }

// exchange is a server that wants a login.
func exchange(t *testing.T, change func(http.Header), status int) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("WWW-Authenticate", "Negotiate")
		w.Header().Add("WWW-Authenticate", "NTLM")
		if change != nil {
			change(w.Header())
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	return s
}

// newSite is a healthy installation with one sync mode on the given server.
func newSite(t *testing.T, server *httptest.Server) *site {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	public := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "<title>%s</title>Tenant: <strong>%s</strong>", pageTitle, r.URL.RawQuery)
	}))
	t.Cleanup(public.Close)
	text := fmt.Sprintf(`
tenant "Default" { root_url = "%s/Default" }
sync_mode "Exchange2013" {
  url      = "%s/EWS/Exchange.asmx"
  user     = "svc"
  password = "secret"
  http { ca_file = "ca.pem" }
}
`, public.URL, server.URL)
	write(config.HCLFile, []byte(text))
	load := func() (*config.Config, config.Diagnostics) {
		return config.Load(config.Source{Dir: dir, Executable: filepath.Join(dir, "roomwire")})
	}
	cfg, diags := load()
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	s := &site{t: t, modes: []store.ModeCount{{Mode: "Exchange2013", Persons: 3}}, state: []store.StateCount{{Status: store.StatusOK, Persons: 3}}}
	var entries []supervise.Entry
	var running []supervise.PluginStatus
	for _, name := range []string{"backend-exchange2013", "auth-ntlm", "auth-basic"} {
		entries = append(entries, supervise.Entry{Pin: supervise.Pin{Name: name}, State: supervise.StateGood})
		running = append(running, supervise.PluginStatus{Name: name, Version: "1", Running: true})
	}
	s.Options = Options{
		Config: func() *config.Config { return cfg }, Reload: load, Running: true, Version: "1", DataDir: dir,
		Catalog: func() ([]supervise.Entry, error) { return entries, nil },
		Plugins: func() []supervise.PluginStatus { return running },
		Store:   s,
		Probe: func(context.Context, string, backend.Mailbox) (backend.Status, error) {
			return backend.Status{Server: "Exchange 15.2"}, nil
		},
	}
	return s
}

func TestHealthyInstallationHasNothingToSay(t *testing.T) {
	t.Parallel()
	s := newSite(t, exchange(t, nil, http.StatusUnauthorized))
	r := New(s.Options).Examine(t.Context())
	for _, f := range r.Findings {
		if f.Area == "notifications" && strings.Contains(f.What, "without TLS") || f.Area == "disk" {
			continue // the test's public URL speaks plain HTTP; the machine's disk is what it is
		}
		if f.Level != OK || f.Remedy != "" {
			t.Errorf("%+v", f)
		}
	}
	for _, area := range []string{"host", "configuration", "plugins", "store", "queue", "disk", "server", "notifications", "persons"} {
		if !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Area == area }) {
			t.Errorf("nothing about %s", area)
		}
	}
}

func TestAModeThatNobodyIsInNeedsNoPlugin(t *testing.T) {
	t.Parallel()
	s := newSite(t, exchange(t, nil, http.StatusUnauthorized))
	cfg := *s.Config()
	cfg.SyncModes = append(slices.Clone(cfg.SyncModes), config.SyncMode{
		Name: "O365", Backend: "exchangeonline", Auth: []string{"oauth"}, URL: "https://outlook.invalid/EWS/Exchange.asmx",
	})
	s.Config = func() *config.Config { return &cfg }
	about := func(level Level) (found []Finding) {
		for _, f := range New(s.Options).Examine(t.Context()).Findings {
			if f.Level == level && (strings.Contains(f.Name, "exchangeonline") || strings.Contains(f.Name, "O365")) {
				found = append(found, f)
			}
		}
		return found
	}
	if good, faults := about(OK), about(Error); len(good) != 1 || len(faults) != 0 {
		t.Errorf("nobody is in it: %+v, %+v", good, faults)
	}
	s.modes = append(s.modes, store.ModeCount{Mode: "O365", Persons: 1})
	if faults := about(Error); len(faults) == 0 {
		t.Error("somebody is in it, and its plugin is not missed")
	}
}

func TestAModeThatNobodyIsInOrWroteDownIsNoError(t *testing.T) {
	t.Parallel()
	s := newSite(t, exchange(t, nil, http.StatusUnauthorized))
	s.Catalog = nil // its plugin is there
	for _, builtIn := range []bool{true, false} {
		cfg := *s.Config()
		cfg.SyncModes = append(slices.Clone(cfg.SyncModes[:1]), config.SyncMode{
			Name: "EWS2", Backend: "exchange2013", Auth: []string{"ntlm"}, URL: "https://mail.invalid/EWS/Exchange.asmx", BuiltIn: builtIn,
		})
		o := s.Options
		o.Config = func() *config.Config { return &cfg }
		var levels []Level
		for _, f := range New(o).Examine(t.Context()).Findings {
			if f.Area == "server" && strings.HasPrefix(f.Name, "EWS2") {
				levels = append(levels, f.Level)
			}
		}
		want := map[bool]Level{true: Warning, false: Error}[builtIn]
		if !slices.Contains(levels, want) || builtIn && slices.Contains(levels, Error) {
			t.Errorf("built in: %t: findings of levels %v, want %v", builtIn, levels, want)
		}
	}
}

func TestFindings(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, c := range map[string]struct {
		headers func(http.Header)
		status  int
		change  func(*site)
		level   Level
		area    string
		want    string // of what or remedy
	}{
		"wrong password": {change: func(s *site) {
			s.Probe = func(context.Context, string, backend.Mailbox) (backend.Status, error) {
				return backend.Status{}, fmt.Errorf("login refused: %w", fault.Unauthorized)
			}
		}, area: "server", level: Error, want: "Extended Protection"},
		"no impersonation": {change: func(s *site) {
			s.Probe = func(context.Context, string, backend.Mailbox) (backend.Status, error) {
				return backend.Status{}, fmt.Errorf("may not impersonate: %w", fault.Forbidden)
			}
		}, area: "server", level: Error, want: "ApplicationImpersonation"},
		"another scheme": {headers: func(h http.Header) { h.Del("WWW-Authenticate"); h.Set("WWW-Authenticate", "Bearer x") },
			area: "server", level: Error, want: "it offers Bearer; the sync mode logs in by ntlm, basic"},
		"no scheme":       {headers: func(h http.Header) { h.Del("WWW-Authenticate") }, status: 500, area: "server", level: Warning, want: "no way to log in"},
		"another service": {status: 404, area: "server", level: Error, want: "no Exchange Web Service"},
		"clock":           {headers: func(h http.Header) { h.Set("Date", now.Add(-time.Hour).UTC().Format(http.TimeFormat)) }, area: "server", level: Error, want: "NTP"},
		"unknown authority": {change: func(s *site) {
			cfg := *s.Config()
			cfg.SyncModes = slices.Clone(cfg.SyncModes)
			cfg.SyncModes[0].HTTP.CAFile = ""
			s.Config = func() *config.Config { return &cfg }
		}, area: "server", level: Error, want: "not trusted here"},
		"name of another": {change: func(s *site) {
			cfg := *s.Config()
			cfg.SyncModes = slices.Clone(cfg.SyncModes)
			cfg.SyncModes[0].URL = strings.Replace(cfg.SyncModes[0].URL, "127.0.0.1", "localhost", 1)
			s.Config = func() *config.Config { return &cfg }
		}, area: "server", level: Error, want: "other names"},
		"server away": {change: func(s *site) { s.modes[0].URL = "https://127.0.0.1:1/EWS/Exchange.asmx" }, area: "server", level: Error, want: "refused"},
		"mode not configured": {change: func(s *site) { s.modes = append(s.modes, store.ModeCount{Mode: "EWS2", Persons: 4}) },
			area: "server", level: Error, want: `Add sync_mode "EWS2"`},
		"left alone": {change: func(s *site) {
			s.Pauses = func() []Pause {
				host := strings.Split(strings.TrimPrefix(s.Config().SyncModes[0].URL, "https://"), "/")[0]
				return []Pause{{Server: "Exchange2013@" + host, Until: now, Kind: fault.Throttled, Reason: "the server is busy"}}
			}
		}, area: "server", level: Warning, want: "the server is busy"},
		"plugin missing": {change: func(s *site) { s.Catalog = func() ([]supervise.Entry, error) { return nil, nil } }, area: "plugins", level: Error, want: "plugin lock"},
		"plugin changed": {change: func(s *site) {
			s.Catalog = func() ([]supervise.Entry, error) {
				return []supervise.Entry{{Pin: supervise.Pin{Name: "auth-ntlm"}, State: supervise.StateChanged}}, nil
			}
		}, area: "plugins", level: Error, want: "not what was pinned"},
		"plugin down": {change: func(s *site) {
			s.Plugins = func() []supervise.PluginStatus {
				return []supervise.PluginStatus{{Name: "auth-ntlm", Problem: "exit status 3"}}
			}
		}, area: "plugins", level: Error, want: "exit status 3"},
		"plugin loops": {change: func(s *site) {
			s.Plugins = func() []supervise.PluginStatus {
				return []supervise.PluginStatus{{Name: "auth-ntlm", Problem: "exit status 3", Loop: true, Retry: now}}
			}
		}, area: "plugins", level: Error, want: "does not stay up"},
		"plugin of another build": {change: func(s *site) {
			s.Plugins = func() []supervise.PluginStatus {
				return []supervise.PluginStatus{{Name: "auth-ntlm", Running: true, SHA256: "other"}}
			}
		}, area: "plugins", level: Warning, want: "roomwire plugin restart auth-ntlm"},
		"plugin grows": {change: func(s *site) {
			cfg := *s.Config()
			cfg.Plugins.MemoryLimit = 100 << 20
			s.Config = func() *config.Config { return &cfg }
			s.Plugins = func() []supervise.PluginStatus {
				return []supervise.PluginStatus{{Name: "auth-ntlm", Running: true, Memory: 90 << 20}}
			}
		}, area: "plugins", level: Warning, want: "uses 90 MiB"},
		"plugin is slow": {change: func(s *site) {
			s.Plugins = func() []supervise.PluginStatus {
				return []supervise.PluginStatus{{Name: "auth-ntlm", Running: true, Calls: supervise.CallStats{Calls: 100, TimedOut: 7, LastLate: time.Now()}}}
			}
		}, area: "plugins", level: Warning, want: "7 of its 100 calls"},
		"plugin floods": {change: func(s *site) {
			s.Plugins = func() []supervise.PluginStatus {
				return []supervise.PluginStatus{{Name: "auth-ntlm", Running: true, Dropped: 12, DroppedAt: time.Now()}}
			}
		}, area: "plugins", level: Warning, want: "12 lines were dropped"},
		"plugin restarted": {change: func(s *site) {
			s.Plugins = func() []supervise.PluginStatus {
				return []supervise.PluginStatus{{Name: "auth-ntlm", Running: true, Restarts: 4, Since: time.Now()}}
			}
		}, area: "plugins", level: Warning, want: "4 times"},
		"secret ended":     {change: ending("client_secret", -time.Hour), area: "credentials", level: Error, want: "client_secret_2_expires"},
		"secret ends":      {change: ending("client_secret_2", 48*time.Hour+time.Minute), area: "credentials", level: Warning, want: "2 days are left"},
		"certificate ends": {change: ending("certificate_file", 29*24*time.Hour), area: "credentials", level: Warning, want: "upload its public part"},
		"secret ended, another serves": {change: func(s *site) {
			s.Credentials = func() []supervise.Credential {
				return []supervise.Credential{{Mode: "O365", What: "client_secret", Ends: time.Now().Add(-time.Hour)}, {Mode: "O365", What: "client_secret_2"}}
			}
		}, area: "credentials", level: Warning, want: "another credential of the mode serves"},
		"secret ends, and of the other it is not known": {change: func(s *site) {
			s.Credentials = func() []supervise.Credential {
				return []supervise.Credential{{Mode: "O365", What: "client_secret"}, {Mode: "O365", What: "client_secret_2", Ends: time.Now().Add(48*time.Hour + time.Minute)}}
			}
		}, area: "credentials", level: Warning, want: "2 days are left"},
		"store away": {change: func(s *site) { s.err = errors.New("connection refused") }, area: "store", level: Error, want: "connection refused"},
		"queue":      {change: func(s *site) { s.old = now.Add(-time.Hour) }, area: "queue", level: Warning, want: "does not keep up"},
		"silence":    {change: func(s *site) { s.mute = 12 }, area: "notifications", level: Warning, want: "roomwire person test"},
		"attention": {change: func(s *site) {
			s.state = append(s.state, store.StateCount{Status: store.StatusAttention, Kind: "forbidden", Persons: 2})
		}, area: "persons", level: Error, want: "2 persons need attention"},
		"webhook": {change: func(s *site) {
			s.hooks = []store.Webhook{{Tenant: "Default", Name: "erp", Failing: now, Problem: "answered 500"}}
		}, area: "webhooks", level: Error, want: "answered 500"},
		"no host": {change: func(s *site) { s.Running = false }, area: "host", level: Error, want: "no host runs"},
		"file edited": {change: func(s *site) {
			path := filepath.Join(s.Config().Dir, config.HCLFile)
			data, _ := os.ReadFile(path)
			_ = os.WriteFile(path, append(data, "sync { coalesce = \"1s\" }\n"...), 0o600)
		}, area: "configuration", level: Warning, want: "roomwire config apply"},
		"file broken": {change: func(s *site) {
			_ = os.WriteFile(filepath.Join(s.Config().Dir, config.HCLFile), []byte("sync {"), 0o600)
		}, area: "configuration", level: Error, want: "config check"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.status == 0 {
				c.status = http.StatusUnauthorized
			}
			s := newSite(t, exchange(t, c.headers, c.status))
			if c.change != nil {
				c.change(s)
			}
			r := New(s.Options).Examine(t.Context())
			if !slices.ContainsFunc(r.Findings, func(f Finding) bool {
				return f.Area == c.area && f.Level == c.level && f.Remedy != "" && strings.Contains(f.What+" "+f.Remedy, c.want)
			}) {
				t.Errorf("no %s of %s with %q in", c.level, c.area, c.want)
				for _, f := range r.Findings {
					t.Logf("%+v", f)
				}
			}
			if c.level == Error && r.Worst() != Error || r.Worst() == OK {
				t.Errorf("the worst is %s", r.Worst())
			}
		})
	}
}

// ending has one credential that ends after left.
func ending(what string, left time.Duration) func(*site) {
	return func(s *site) {
		s.Credentials = func() []supervise.Credential {
			return []supervise.Credential{{Mode: "O365", Plugin: "auth-oauth", What: what, Ends: time.Now().Add(left)}}
		}
	}
}

func TestACredentialWhoseEndIsFarOrNotKnownIsNoFault(t *testing.T) {
	t.Parallel()
	s := newSite(t, exchange(t, nil, http.StatusUnauthorized))
	s.Credentials = func() []supervise.Credential {
		return []supervise.Credential{{Mode: "O365", What: "certificate_file", Ends: time.Now().Add(31 * 24 * time.Hour)}, {Mode: "O365", What: "client_secret"}}
	}
	var texts []string
	for _, f := range New(s.Options).Examine(t.Context()).Findings {
		if f.Area == "credentials" && f.Level == OK && f.Remedy == "" {
			texts = append(texts, f.Name+" "+f.What)
		}
	}
	if len(texts) != 2 || !strings.Contains(texts[1], `client_secret_expires = "YYYY-MM-DD"`) {
		t.Errorf("findings: %q", texts)
	}
}

func TestTextsThatMayNotBeReadAreNoFault(t *testing.T) {
	t.Parallel()
	s := newSite(t, exchange(t, nil, http.StatusUnauthorized))
	s.Unread = func() []Unread { return []Unread{{"Microsoft365", "the application needs the permission Mail.Read"}} }
	var told []Finding
	for _, f := range New(s.Options).Examine(t.Context()).Findings {
		if f.Area == "rooms" {
			told = append(told, f)
		}
	}
	if len(told) != 1 || told[0].Level != OK || told[0].Name != "Microsoft365" || !strings.Contains(told[0].What, "permission Mail.Read") {
		t.Errorf("findings: %+v", told)
	}
}

func TestGraphDoesNotCallInWithoutTLS(t *testing.T) {
	t.Parallel()
	s := newSite(t, exchange(t, nil, http.StatusUnauthorized))
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, pageTitle+" Tenant: <strong>Default</strong>")
	}))
	t.Cleanup(page.Close)
	hcl := fmt.Sprintf(`
tenant "Default" {
  root_url = %q
}
sync_mode "Microsoft365" {
  tenant_id     = "11111111-2222-3333-4444-555555555555"
  app_id        = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
  client_secret = "secret"
}
`, page.URL+"/Default")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, config.HCLFile), []byte(hcl), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, diags := config.Load(config.Source{Dir: dir, Executable: filepath.Join(dir, "roomwire")})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	s.Options.Config = func() *config.Config { return cfg }
	if got := New(s.Options).notifications(t.Context()); !slices.ContainsFunc(got, func(f Finding) bool {
		return f.Level == Error && strings.Contains(f.Name, "/api/webhooks/graph") && strings.Contains(f.Remedy, `notices = "pull"`)
	}) {
		t.Errorf("findings: %+v", got)
	}
}

func TestSomethingElseAtThePublicURL(t *testing.T) {
	t.Parallel()
	s := newSite(t, exchange(t, nil, http.StatusUnauthorized))
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	hcl := fmt.Sprintf("tenant \"Default\" { root_url = %q }\n", other.URL+"/Default")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, config.HCLFile), []byte(hcl), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, diags := config.Load(config.Source{Dir: dir, Executable: filepath.Join(dir, "roomwire")})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	s.Config = func() *config.Config { return cfg }
	s.modes = nil
	r := New(s.Options).Examine(t.Context())
	if !slices.ContainsFunc(r.Findings, func(f Finding) bool {
		return f.Area == "notifications" && f.Level == Error && strings.Contains(f.What, "something else") && strings.Contains(f.Remedy, "publishing.md")
	}) {
		t.Errorf("%+v", r.Findings)
	}
}

func TestWhatMicrosoftGraphAnswersToAStranger(t *testing.T) {
	t.Parallel()
	d := New(Options{})
	for status, want := range map[int]Level{200: OK, 401: OK, 404: OK, 302: Warning, 407: Warning, 502: Warning} {
		if f := d.offers(config.SyncMode{Backend: "graph", Auth: []string{"oauth"}}, "Microsoft365 x", &http.Response{StatusCode: status}); f.Level != want {
			t.Errorf("%d: %+v", status, f)
		}
	}
}

// What serves a single mail domain is tried with a person of that domain, and the sync mode itself with one of another.
func TestOverridesAreTriedWithPersonsOfTheirOwn(t *testing.T) {
	t.Parallel()
	base := config.SyncMode{Name: "O365", Backend: "exchangeonline", URL: "https://outlook.office365.com/EWS/Exchange.asmx"}
	other := base
	other.Name, other.Base, other.Domain, other.BaseURL = "O365/subsidiary.example", "O365", "subsidiary.example", base.URL
	base.Overrides = []config.SyncMode{other}
	cfg := &config.Config{SyncModes: []config.SyncMode{base}}
	counts := withOverrides(cfg, []store.ModeCount{{Mode: "O365", URL: base.URL, Persons: 3}, {Mode: "EWS1", Persons: 1}})
	if len(counts) != 3 || counts[1] != (store.ModeCount{Mode: "O365/subsidiary.example", URL: base.URL}) {
		t.Errorf("servers: %+v", counts)
	}
	all := []string{"a@subsidiary.example", "b@example.com"}
	d := New(Options{Config: func() *config.Config { return cfg }, Store: people{all: all}})
	for _, m := range cfg.AllModes() {
		p, found := d.sample(t.Context(), m, store.ModeCount{Mode: m.Name, URL: base.URL})
		if !found || base.For(p.Email).Name != m.Name {
			t.Errorf("%s is tried with %q, %v", m.Name, p.Email, found)
		}
	}
}

// people are addresses in sync mode O365.
type people struct {
	Store
	all []string
}

func (p people) Samples(_ context.Context, m store.ModeCount, _ int) (out []store.PersonRow, err error) {
	for _, email := range p.all {
		if m.Mode == "O365" && (m.Domain == "" || strings.HasSuffix(email, "@"+m.Domain)) {
			out = append(out, store.PersonRow{Person: directory.Person{Email: email}})
		}
	}
	return out, nil
}
