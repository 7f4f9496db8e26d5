package backendtest

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/launch"
)

// An Executable is a plugin's binary and what it is opened with.
type Executable struct {
	Path     string
	Settings map[string]any
	Auth     []Auth // in the order of preference
	// URLs are those of the servers at which Auth may log in: at their origins, and nowhere else, whatever the binary asks
	// for. Required with Auth.
	URLs []string
	// PlainHTTP allows a login whose credential can be used again (Basic's password, a bearer's token) at an http:// URL,
	// where everybody on the way reads it. It is for servers that are there for a test.
	PlainHTTP bool
	ActAs     bool
	Markers   backend.Markers // the zero value means backend.DefaultMarkers
	CAFile    string          // certificates (PEM) trusted beside the system's
	Proxy     string          // URL; empty for none
	Timeout   time.Duration   // of a request; zero for a minute
	Log       hclog.Logger    // of what the plugins log; nil for nowhere
}

// Auth is the binary of an auth plugin and what it is opened with.
type Auth struct {
	Path     string
	Settings map[string]any
}

// nobody is a proxy that is not there.
const nobody = "http://127.0.0.1:1"

// A Process is a running Executable. Its methods are what a Fixture needs.
type Process struct {
	exe     Executable
	origins []string
	config  launch.BackendConfig
	auth    []*launch.Process

	mu      sync.Mutex
	process *launch.Process
}

// Start starts the plugins. ctx bounds the start alone; Close ends what was started.
func (e Executable) Start(ctx context.Context) (*Process, error) {
	if e.Log == nil {
		e.Log = hclog.NewNullLogger()
	}
	if e.Timeout == 0 {
		e.Timeout = time.Minute
	}
	origins, err := e.origins()
	if err != nil {
		return nil, err
	}
	p := &Process{exe: e, origins: origins, config: launch.BackendConfig{
		Settings: e.Settings, ActAs: e.ActAs, Markers: e.Markers,
		HTTP: launch.HTTPOptions{CAFile: e.CAFile, Proxy: e.Proxy, Timeout: e.Timeout},
	}}
	if err := p.start(ctx); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Process) start(ctx context.Context) error {
	for i, a := range p.exe.Auth {
		process, err := p.launch(ctx, a.Path)
		if err != nil {
			return err
		}
		p.auth = append(p.auth, process)
		open, err := process.OpenAuth(ctx, a.Settings)
		if err != nil {
			return fmt.Errorf("opening the auth plugin %s: %w", a.Path, err)
		}
		traits := process.Description().Auth
		p.config.Identities = append(p.config.Identities, launch.Identity{
			Name: fmt.Sprintf("%d-%s", i+1, nameOf(a.Path)), AuthTraits: traits, Auth: open, Allow: p.allow(traits.Schemes),
		})
	}
	process, err := p.launch(ctx, p.exe.Path)
	if err != nil {
		return err
	}
	p.process = process
	return nil
}

func (p *Process) launch(ctx context.Context, path string) (*launch.Process, error) {
	sum, err := launch.Sum(path)
	if err != nil {
		return nil, fmt.Errorf("reading the plugin's binary: %w", err)
	}
	return launch.Start(ctx, launch.Options{Path: path, SHA256: sum, Log: p.exe.Log.Named(nameOf(path))})
}

func nameOf(path string) string {
	return strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "roomwire-"), ".exe")
}

// Description returns what the backend plugin says of itself.
func (p *Process) Description() launch.Description { return p.now().Description() }

func (p *Process) now() *launch.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.process
}

// Open makes another instance.
func (p *Process) Open(ctx context.Context) (backend.Backend, error) {
	return p.now().OpenBackend(ctx, p.config)
}

// CutOff makes an instance whose requests reach nobody: they go to a proxy that is not there.
func (p *Process) CutOff(ctx context.Context) (backend.Backend, error) {
	c := p.config
	c.HTTP.Proxy = nobody
	return p.now().OpenBackend(ctx, c)
}

// Restart ends the backend's process and starts it anew.
func (p *Process) Restart(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.process.Stop(ctx); err != nil {
		return err
	}
	process, err := p.launch(ctx, p.exe.Path)
	if err != nil {
		return err
	}
	p.process = process
	return nil
}

// Close ends the processes. Calls under way are cut off.
func (p *Process) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if process := p.now(); process != nil {
		_ = process.Stop(ctx)
	}
	for _, a := range p.auth {
		_ = a.Stop(ctx)
	}
	return nil
}
