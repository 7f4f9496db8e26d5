// Package launch is the host's door to plugins: it starts a plugin's binary, verified by its checksum, and hands out
// what the plugin offers as the interfaces of packages auth and backend. A process serves any number of instances.
//
// It restarts nothing and reopens nothing; who keeps a Process watches Exited.
package launch

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/internal/wire"
)

const (
	startTimeout = 30 * time.Second
	openTimeout  = time.Minute
	closeTimeout = 5 * time.Second
)

// A Description is what a plugin says of itself.
type Description = wire.Description

// A Setting is one setting of a plugin, for the operator.
type Setting = wire.Setting

// AuthTraits tell how an auth plugin's headers may be used.
type AuthTraits = wire.AuthTraits

// A Kind says which contract a plugin fulfils.
type Kind = wire.PluginKind

// The kinds of plugins, as they appear in the names of their binaries.
const (
	AuthPlugin    = wire.AuthPlugin
	BackendPlugin = wire.BackendPlugin
)

// Options say what to start.
type Options struct {
	Path   string // of the binary
	SHA256 []byte // its checksum; anything else is not started
	// Log takes what the plugin logs, with its level; name it after the plugin.
	Log hclog.Logger
	// RunDir is where sockets are kept, on systems that use them. The system's temporary folder is used where it is
	// empty, or too long for a socket's path.
	RunDir string
	// StartTimeout is how long the plugin may take to serve, and to attach and describe itself; 0 means 30 s.
	StartTimeout time.Duration
	// OpenTimeout is how long the plugin may take to open an instance, whatever the caller's context says; 0 means 1 min.
	OpenTimeout time.Duration
}

// A Process is a running plugin. Neither an error nor a log line that comes from it shows the values of settings that the
// plugin's schema marks secret or does not know, nor the credentials that it was given, nor what looks like one.
type Process struct {
	conn     *wire.Conn
	process  *process
	protocol int
	about    Description
	host     *wire.HostServer // nil for auth plugins
	log      *wire.ProcessLog
	secrets  *wire.Secrets
	opening  time.Duration // Options.OpenTimeout
	gate     wire.Gate
	nextID   atomic.Int64
	endLife  context.CancelFunc
	clean    func() // releases what the ended process leaves behind
}

// Sum returns the SHA-256 checksum of a file.
func Sum(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return h.Sum(nil), nil
}

// Description returns what the plugin says of itself.
func (p *Process) Description() Description { return p.about }

// Protocol returns the major version of the wire that the host and the plugin agreed on.
func (p *Process) Protocol() int { return p.protocol }

// An Authenticator is an instance of an auth plugin.
type Authenticator struct {
	auth.Authenticator
	expires []auth.Expiry
	close   func() error
}

// Expires implements auth.Expirer; it is empty if the plugin does not say when its credentials end.
func (a *Authenticator) Expires() []auth.Expiry { return slices.Clone(a.expires) }

// Close ends the instance; logins under way go on to their end.
func (a *Authenticator) Close() error { return a.close() }

// OpenAuth opens an instance of an auth plugin.
func (p *Process) OpenAuth(ctx context.Context, settings map[string]any) (*Authenticator, error) {
	if p.about.Kind != AuthPlugin {
		return nil, fmt.Errorf("%s is a %s plugin, not one for authorization: %w", p.about.Name, p.about.Kind, fault.Invalid)
	}
	raw, err := encode(settings)
	if err != nil {
		return nil, err
	}
	p.keepSecret(settings)
	ctx, cancel := context.WithTimeoutCause(ctx, p.opening, errOpening)
	defer cancel()
	a, err := p.conn.OpenAuth(ctx, &p.gate, p.id(), raw)
	if err != nil {
		return nil, p.notOpened(ctx, err)
	}
	return &Authenticator{Authenticator: a, expires: a.Expires(), close: closing(a.Close)}, nil
}

// errOpening is why a context ends that Options.OpenTimeout has ended.
var errOpening = errors.New("the time for opening an instance is over")

// notOpened tells the caller's own deadline from that of Options.OpenTimeout.
func (p *Process) notOpened(ctx context.Context, err error) error {
	if context.Cause(ctx) != errOpening {
		return err
	}
	return &fault.Error{Kind: fault.Unavailable, Message: fmt.Sprintf("the plugin %s did not open the instance within %s", p.about.Name, p.opening)}
}

// keepSecret remembers the values of settings that are secret; one that the plugin does not declare may be.
func (p *Process) keepSecret(settings map[string]any) {
	open := map[string]bool{}
	for _, s := range p.about.Settings {
		open[s.Name] = !s.Secret
	}
	for name, value := range settings {
		if !open[name] {
			p.secrets.AddSetting(value)
		}
	}
}

func (p *Process) id() string { return strconv.FormatInt(p.nextID.Add(1), 10) }

// encode keeps the settings' values out of its error.
func encode(settings map[string]any) ([]byte, error) {
	if settings == nil {
		settings = map[string]any{}
	}
	raw, err := json.Marshal(settings)
	if err != nil {
		return nil, fmt.Errorf("the settings hold something that is no plain data: %w", fault.Invalid)
	}
	return raw, nil
}

func closing(f func(context.Context) error) func() error {
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		return f(ctx)
	}
}
