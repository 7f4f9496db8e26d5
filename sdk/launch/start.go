package launch

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"

	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/internal/wire"
)

const (
	// endWithin is how long a process may take to end when it is asked to; it is killed then.
	endWithin = 3 * time.Second
	// dyingWithin is how long after its connection broke a process that is ending has ended.
	dyingWithin = time.Second
	// maxRunDir leaves room for the socket's own name in the 104 bytes that some systems allow for its whole path.
	maxRunDir = 60
)

// Start starts a plugin, attaches to it and asks what it is. ctx bounds the start alone. An error says what the plugin did
// instead and what it wrote last; nothing of it runs then.
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
	if o.StartTimeout <= 0 {
		o.StartTimeout = startTimeout
	}
	if o.OpenTimeout <= 0 {
		o.OpenTimeout = openTimeout
	}
	p, err := start(ctx, path, o)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	return p, nil
}

// A starting is a process that is not attached yet.
type starting struct {
	Options
	client  *plugin.Client
	run     atomic.Pointer[process] // nil before there is one
	secrets *wire.Secrets
	log     *wire.ProcessLog
	clean   func() // ends the process if it runs, and releases what it leaves behind
}

func start(parent context.Context, path string, o Options) (*Process, error) {
	ctx, cancel := context.WithTimeoutCause(parent, o.StartTimeout, errStarting)
	defer cancel()
	s := newStarting(ctx, path, o)
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	p := &Process{
		conn: conn, process: s.run.Load(), protocol: s.client.NegotiatedVersion(),
		log: s.log, secrets: s.secrets, opening: o.OpenTimeout, clean: s.clean,
	}
	context.AfterFunc(conn.Exited, p.clean)
	if err := p.attach(ctx, o.Log); err != nil {
		return nil, s.failed(ctx, err)
	}
	return p, nil
}

func newStarting(ctx context.Context, path string, o Options) *starting {
	s := &starting{Options: o, secrets: &wire.Secrets{}}
	s.log = wire.NewProcessLog(o.Log, s.secrets)
	// What the plugin prints by os.Stdout and os.Stderr arrives apart from its log; to an operator it is the same.
	printed, printing := io.Pipe()
	go s.log.Copy(printed)
	s.client = plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: wire.Versions(&wire.ClientPlugin{}),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		GRPCDialOptions:  wire.DialOptions(s.secrets),
		AutoMTLS:         true,
		SkipHostEnv:      true,
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: socketDir(o.RunDir)},
		Logger:           hclog.NewNullLogger(), // what matters is logged by whoever keeps the process
		StartTimeout:     o.StartTimeout,
		SyncStdout:       printing,
		SyncStderr:       printing,
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, _ string) (runner.Runner, error) {
			env := append(systemEnv(os.Getenv), wire.LogLevelVariable+"="+o.Log.GetLevel().String())
			p, err := newProcess(path, append(env, cmd.Env...), s.log)
			if err != nil {
				return nil, err
			}
			s.run.Store(p)
			if ctx.Err() != nil {
				_ = p.Kill(ctx) // connect has given up, perhaps before there was anything to kill
			}
			return p, nil
		},
	})
	s.clean = sync.OnceFunc(func() {
		// go-plugin asks the process to end and waits for the answer without any limit.
		late := time.AfterFunc(endWithin, s.end)
		defer late.Stop()
		s.client.Kill()
		_ = printing.Close()
	})
	return s
}

// end ends the process at once, if it runs.
func (s *starting) end() {
	if p := s.run.Load(); p != nil {
		_ = p.Kill(context.Background())
	}
}

// connect starts the process and connects to it.
func (s *starting) connect(ctx context.Context) (*wire.Conn, error) {
	type result struct {
		protocol plugin.ClientProtocol
		err      error
	}
	done := make(chan result, 1)
	go func() {
		protocol, err := s.client.Client()
		done <- result{protocol, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, r.err
		}
		raw, err := r.protocol.Dispense(wire.PluginName)
		if err != nil {
			return nil, err
		}
		return raw.(*wire.Conn), nil // ClientPlugin dispenses nothing else
	case <-ctx.Done():
		s.end() // without it there is nothing that Client could wait for
		<-done
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
		p.host = &wire.HostServer{Secrets: p.secrets}
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

// errStarting is why a context ends that Options.StartTimeout has ended.
var errStarting = errors.New("the time for starting a plugin is over")

// failed ends whatever was started and says in words for an operator why it did not become a plugin. err is what was
// noticed of it.
func (s *starting) failed(ctx context.Context, err error) error {
	byItself := s.endsByItself(ctx)
	s.end()
	s.clean()
	run := s.run.Load()
	if ctx.Err() != nil && context.Cause(ctx) != errStarting {
		return err // the caller's own
	}
	if run == nil || run.id() == 0 {
		return fmt.Errorf("%w: %w", err, fault.Unavailable) // the system's own words
	}
	shook, wrong := run.handshake()
	if wrong != nil {
		kind := fault.Of(wrong)
		said := strings.TrimSuffix(wrong.Error(), ": "+string(kind)) // it is said behind the last words
		return fmt.Errorf("%s%s: %w", s.secrets.Hide(said), s.lastWords(), kind)
	}
	what := ""
	switch {
	case ctx.Err() != nil && !shook:
		what = fmt.Sprintf("no handshake within %s: it hangs, or is no plugin", s.StartTimeout)
	case ctx.Err() != nil:
		what = fmt.Sprintf("it did not attach and describe itself within %s of its start: it hangs", s.StartTimeout)
	case !shook:
		what = fmt.Sprintf("it ended at once (%s) without a handshake: it is no plugin, or could not start", run.status())
	case byItself:
		what = fmt.Sprintf("it ended (%s) before it was attached", run.status())
	default:
		first, _, _ := strings.Cut(s.secrets.Hide(err.Error()), "\n")
		what = fmt.Sprintf("the host could not attach to it (%s)", first)
	}
	return fmt.Errorf("%s%s: %w", what, s.lastWords(), fault.Unavailable)
}

// endsByItself reports whether the process has ended, or is about to: its connection may break a moment before.
func (s *starting) endsByItself(ctx context.Context) bool {
	run := s.run.Load()
	if run == nil || run.id() == 0 {
		return false
	}
	late := time.NewTimer(dyingWithin)
	defer late.Stop()
	select {
	case <-run.ended:
		return true
	case <-ctx.Done():
	case <-late.C:
	}
	return false
}

func (s *starting) lastWords() string {
	if words := s.log.LastWords(); words != "" {
		return "; it wrote last: " + words
	}
	return ""
}
