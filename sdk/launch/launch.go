// Package launch is the host's door to plugins: it starts a plugin's binary, verified by its checksum, and hands out
// what the plugin offers as the interfaces of packages auth and backend. A process serves any number of instances.
//
// It restarts nothing and reopens nothing; who keeps a Process watches Exited.
package launch

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/internal/wire"
)

const (
	startTimeout = 30 * time.Second
	closeTimeout = 5 * time.Second
	// maxRunDir leaves room for the socket's own name in the 104 bytes that some systems allow for its whole path.
	maxRunDir = 60
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
}

// A Process is a running plugin.
type Process struct {
	conn    *wire.Conn
	process *process
	about   Description
	host    *wire.HostServer // nil for auth plugins
	gate    wire.Gate
	nextID  atomic.Int64
	endLife context.CancelFunc
	clean   func() // releases what the ended process leaves behind
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

// Start starts a plugin, attaches to it and asks what it is. ctx bounds the start alone.
func Start(ctx context.Context, o Options) (*Process, error) {
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, err
	}
	sum, err := Sum(path)
	if err != nil {
		return nil, fmt.Errorf("starting the plugin: %w: %w", err, fault.Unavailable)
	}
	if subtle.ConstantTimeCompare(sum, o.SHA256) != 1 {
		return nil, fmt.Errorf("%s has the SHA-256 sum %s, not %s as pinned; it is not started: %w",
			path, hex.EncodeToString(sum), hex.EncodeToString(o.SHA256), fault.Invalid)
	}
	p, err := start(ctx, path, o)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	return p, nil
}

func start(ctx context.Context, path string, o Options) (*Process, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var run *process
	// What the plugin prints by os.Stdout and os.Stderr arrives apart from its log; to an operator it is the same.
	printed, printing := io.Pipe()
	go wire.CopyLog(printed, o.Log)
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: wire.Versions(&wire.ClientPlugin{}),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		GRPCDialOptions:  wire.DialOptions(),
		AutoMTLS:         true,
		SkipHostEnv:      true,
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: socketDir(o.RunDir)},
		Logger:           hclog.NewNullLogger(), // what matters is logged by whoever keeps the process
		StartTimeout:     startTimeout,
		SyncStdout:       printing,
		SyncStderr:       printing,
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, _ string) (runner.Runner, error) {
			env := append(systemEnv(os.Getenv), wire.LogLevelVariable+"="+o.Log.GetLevel().String())
			var err error
			run, err = newProcess(path, append(env, cmd.Env...), o.Log)
			return run, err
		},
	})
	clean := sync.OnceFunc(func() {
		client.Kill()
		_ = printing.Close()
	})
	protocol, err := startWithin(ctx, client, clean)
	if err != nil {
		return nil, unavailable(err)
	}
	raw, err := protocol.Dispense(wire.PluginName)
	if err != nil {
		clean()
		return nil, unavailable(err)
	}
	conn := raw.(*wire.Conn) // ClientPlugin dispenses nothing else
	p := &Process{conn: conn, process: run, clean: clean}
	context.AfterFunc(conn.Exited, p.clean)
	if err := p.attach(ctx, o.Log); err != nil {
		p.clean()
		return nil, err
	}
	return p, nil
}

// startWithin starts the process; when that fails or ctx ends first, clean is called.
func startWithin(ctx context.Context, client *plugin.Client, clean func()) (plugin.ClientProtocol, error) {
	type result struct {
		protocol plugin.ClientProtocol
		err      error
	}
	done := make(chan result, 1)
	go func() {
		protocol, err := client.Client()
		done <- result{protocol, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			clean()
		}
		return r.protocol, r.err
	case <-ctx.Done():
		// The start is bounded by startTimeout itself; what comes of it is killed.
		go func() {
			<-done
			clean()
		}()
		return nil, ctx.Err()
	}
}

func (p *Process) attach(ctx context.Context, log hclog.Logger) error {
	about, err := p.conn.Describe(ctx)
	if err != nil {
		return err
	}
	p.about = about
	if about.Kind == BackendPlugin {
		p.host = &wire.HostServer{}
	}
	life, end := context.WithCancel(context.Background())
	p.endLife = end
	if err := p.conn.Attach(ctx, life, p.host, wire.ServerOptions(log)); err != nil {
		end()
		return err
	}
	return nil
}

func socketDir(dir string) string {
	if len(dir) > maxRunDir {
		return ""
	}
	return dir
}

func unavailable(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: %w", err, fault.Unavailable)
}

// Description returns what the plugin says of itself.
func (p *Process) Description() Description { return p.about }

// PID returns the process id.
func (p *Process) PID() int { return p.process.pid }

// Exited is closed when the process has ended, for whatever reason.
func (p *Process) Exited() <-chan struct{} { return p.conn.Exited.Done() }

// ExitErr says how the process ended, such as "exit status 2"; nil for a proper end, and before Exited is closed.
func (p *Process) ExitErr() error {
	select {
	case <-p.process.waited:
		return p.process.err
	default:
		return nil
	}
}

// Stop admits no more calls, waits for those under way until ctx ends, and ends the process. An error says that calls
// were cut off.
func (p *Process) Stop(ctx context.Context) error {
	err := p.gate.Close(ctx)
	p.endLife()
	p.clean()
	<-p.Exited()
	if err != nil {
		return fmt.Errorf("calls to the plugin were cut off when it was stopped: %w", err)
	}
	return nil
}

// An Authenticator is an instance of an auth plugin.
type Authenticator struct {
	auth.Authenticator
	close func() error
}

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
	a, err := p.conn.OpenAuth(ctx, &p.gate, p.id(), raw)
	if err != nil {
		return nil, err
	}
	return &Authenticator{Authenticator: a, close: closing(a.Close)}, nil
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
