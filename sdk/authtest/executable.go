package authtest

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/launch"
)

// An Executable is a plugin's binary and what it is opened with. Path and Settings are required; for what the others
// are good see Fixture.
type Executable struct {
	Path     string
	Settings map[string]any // of an account that logs in
	Other    map[string]any // of another
	Wrong    map[string]any // of one whose secret the server refuses
	// Bad are settings that can never work, by what is wrong with them. That a setting is unknown, a required one missing
	// or of another type is examined anyway.
	Bad map[string]map[string]any

	URL, OtherURL string
	CAPEM         []byte       // certificates that are trusted beside the system's
	Proxy         string       // URL; empty for none
	Log           hclog.Logger // of what the plugin logs; nil for nowhere
}

// A Process is a running Executable.
type Process struct {
	exe   Executable
	roots *x509.CertPool
	proxy *url.URL
	log   hclog.InterceptLogger

	mu      sync.Mutex
	process *launch.Process
	logged  bytes.Buffer
}

// Start starts the plugin. ctx bounds the start alone; Close ends what was started.
func (e Executable) Start(ctx context.Context) (*Process, error) {
	p := &Process{exe: e}
	if len(e.CAPEM) > 0 {
		var err error
		if p.roots, err = x509.SystemCertPool(); err != nil {
			p.roots = x509.NewCertPool()
		}
		if !p.roots.AppendCertsFromPEM(e.CAPEM) {
			return nil, fmt.Errorf("the CA file holds no certificate in PEM form: %w", fault.Invalid)
		}
	}
	if e.Proxy != "" {
		var err error
		if p.proxy, err = url.Parse(e.Proxy); err != nil || p.proxy.Host == "" {
			// Without its text: it may hold a password.
			return nil, fmt.Errorf("the proxy must be a URL such as http://proxy.example.com:3128: %w", fault.Invalid)
		}
	}
	p.log = hclog.NewInterceptLogger(&hclog.LoggerOptions{Output: &journal{p}, Level: hclog.Trace})
	if e.Log != nil {
		p.log.RegisterSink(sink{e.Log})
	}
	process, err := p.launch(ctx)
	if err != nil {
		return nil, err
	}
	if kind := process.Description().Kind; kind != launch.AuthPlugin {
		_ = process.Stop(ctx)
		return nil, fmt.Errorf("%s is a %s plugin, not one for authorization: %w", e.Path, kind, fault.Invalid)
	}
	p.process = process
	return p, nil
}

func (p *Process) launch(ctx context.Context) (*launch.Process, error) {
	sum, err := launch.Sum(p.exe.Path)
	if err != nil {
		return nil, fmt.Errorf("reading the plugin's binary: %w", err)
	}
	return launch.Start(ctx, launch.Options{Path: p.exe.Path, SHA256: sum, Log: p.log})
}

// A journal keeps what a process logs.
type journal struct{ *Process }

// Write implements io.Writer.
func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.logged.Write(line)
}

// A sink passes on what a process logs.
type sink struct{ hclog.Logger }

// Accept implements hclog.SinkAdapter.
func (s sink) Accept(_ string, level hclog.Level, message string, pairs ...any) {
	s.Log(level, message, pairs...)
}

func (p *Process) now() *launch.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.process
}

// Description returns what the plugin says of itself.
func (p *Process) Description() launch.Description { return p.now().Description() }

// Open makes an instance with the executable's Settings.
func (p *Process) Open(ctx context.Context) (auth.Authenticator, error) {
	return p.open(ctx, p.exe.Settings)
}

func (p *Process) open(ctx context.Context, settings map[string]any) (auth.Authenticator, error) {
	a, err := p.now().OpenAuth(ctx, settings)
	if err != nil {
		return nil, err // not a nil pointer in an interface
	}
	return a, nil
}

// with returns the function that opens an instance with settings; nil if there are none.
func (p *Process) with(settings map[string]any) Open {
	if settings == nil {
		return nil
	}
	return func(ctx context.Context) (auth.Authenticator, error) { return p.open(ctx, settings) }
}

// Restart ends the process and starts it anew.
func (p *Process) Restart(ctx context.Context) error {
	if err := p.now().Stop(ctx); err != nil {
		return err
	}
	process, err := p.launch(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.process = process
	return nil
}

// Logged returns what the plugin has logged.
func (p *Process) Logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.logged.String()
}

// Close ends the process. Logins under way are cut off.
func (p *Process) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = p.now().Stop(ctx)
	return nil
}

// Fixture returns all that the executable tells of itself, for Run; the caller may add to it.
func (p *Process) Fixture() Fixture {
	about := p.Description()
	f := Fixture{
		Open: p.Open, Other: p.with(p.exe.Other), Wrong: p.with(p.exe.Wrong), Restart: p.Restart, Logged: p.Logged,
		Traits: Traits{
			Schemes: about.Auth.Schemes, PerConnection: about.Auth.PerConnection, PerMailbox: about.Auth.PerMailbox,
			Attempts: about.Auth.Attempts,
		},
		URL: p.exe.URL, OtherURL: p.exe.OtherURL, RootCAs: p.roots, Proxy: p.proxy,
		Bad: map[string]Open{}, Odd: map[string]Open{},
	}
	for name, settings := range p.exe.Bad {
		f.Bad[name] = p.with(settings)
	}
	f.Bad["an unknown setting"] = p.with(p.but("no-such-setting", "x"))
	for _, s := range about.Settings {
		if s.Required {
			f.Bad[s.Name+" is empty"] = p.with(p.but(s.Name, ""))
			f.Bad[s.Name+" is missing"] = p.with(p.but(s.Name, nil))
		}
		text, isText := p.exe.Settings[s.Name].(string)
		if !isText || s.Type != "string" {
			continue
		}
		f.Bad[s.Name+" is no text"] = p.with(p.but(s.Name, []string{text}))
		if s.Secret {
			f.Odd[s.Name+" ends with a line end"] = p.with(p.but(s.Name, text+"\r\n"))
			f.Odd[s.Name+" holds another header"] = p.with(p.but(s.Name, text+"\r\nX-Injected: 1"))
		}
	}
	f.Secrets = p.secrets(about.Settings)
	return f
}

// but returns the executable's settings with one that is another, or missing if it is nil.
func (p *Process) but(name string, value any) map[string]any {
	settings := maps.Clone(p.exe.Settings)
	if settings == nil {
		settings = map[string]any{}
	}
	settings[name] = value
	if value == nil {
		delete(settings, name)
	}
	return settings
}

// secrets lists what is secret in the settings.
func (p *Process) secrets(declared []launch.Setting) []string {
	var out []string
	for _, settings := range append(slices.Collect(maps.Values(p.exe.Bad)), p.exe.Settings, p.exe.Other, p.exe.Wrong) {
		for _, s := range declared {
			if text, ok := settings[s.Name].(string); ok && s.Secret {
				out = append(out, text)
			}
		}
	}
	return out
}
