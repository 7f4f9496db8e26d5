package soak_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/host/internal/syncer"
	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/launch"
)

// The sync modes of every stage.
const (
	onPremises = "Exchange2013"
	overEWS    = "O365"
	overGraph  = "Microsoft365"
)

var pluginNames = []string{"auth-ntlm", "auth-oauth", "backend-exchange2013", "backend-exchangeonline", "backend-graph"}

// built is where the plugins are, which are built once for all tests.
var built struct {
	sync.Once
	dir string
	err error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir) // it lies in the folder for what is temporary
	}
	os.Exit(code)
}

// pluginDir builds the plugins as make build does, unless PLUGINS names a folder with those that there are.
func pluginDir(t *testing.T) string {
	if dir := os.Getenv("PLUGINS"); dir != "" {
		return dir
	}
	t.Helper()
	built.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "roomwire-soak"); built.err != nil {
			return
		}
		args := []string{"build", "-o", built.dir + string(filepath.Separator)}
		for _, name := range pluginNames {
			args = append(args, "./plugins/"+name)
		}
		cmd := exec.Command("go", args...)
		cmd.Dir = "../../.."
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("build the plugins: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.dir
}

// plugins are the processes of one stage, and what is open in them. They are used by one goroutine, but for logins.
type plugins struct {
	dir    string
	run    string
	how    map[string]modeConfig
	before func(call string) error // asked before each call of a backend; an error is its answer
	after  func(call string) error // asked after each write that had an effect
	defect defect                  // of the backends; the zero value has none

	mu      sync.Mutex
	running map[string]*launch.Process
	logins  map[string]openLogin
	open    map[string]openBackend
	starts  int
	sums    map[string][]byte
}

// A modeConfig says how a sync mode is opened.
type modeConfig struct {
	backend, auth string // plugins
	login         map[string]any
	url           string
	http          launch.HTTPOptions
	notices       string
}

type openLogin struct {
	in *launch.Process
	*launch.Authenticator
}

type openBackend struct {
	in *launch.Process
	launch.Backend
}

// process returns a running process of a plugin, starting one if there is none.
func (p *plugins) process(name string) (*launch.Process, error) {
	if lp := p.running[name]; lp != nil {
		select {
		case <-lp.Exited():
		default:
			return lp, nil
		}
	}
	path := filepath.Join(p.dir, name)
	sum, known := p.sums[name]
	if !known { // to read the whole of it at every start is half the start
		var err error
		if sum, err = launch.Sum(path); err != nil {
			return nil, err
		}
		p.sums[name] = sum
	}
	lp, err := launch.Start(context.Background(), launch.Options{Path: path, SHA256: sum, Log: hclog.NewNullLogger(), RunDir: p.run})
	if err != nil {
		return nil, err
	}
	p.running[name] = lp
	p.starts++
	return lp, nil
}

// kill ends a plugin's process at once, as an administrator or the system may. The next call starts another one.
func (p *plugins) kill(name string) {
	p.mu.Lock()
	lp := p.running[name]
	p.mu.Unlock()
	if lp != nil {
		lp.Kill()
	}
}

// forget closes what is open with tokens: they are not valid any more, or not yet, when the clock was set back.
func (p *plugins) forget(t *testing.T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for mode, open := range p.open {
		if p.how[mode].auth != "auth-oauth" {
			continue
		}
		select {
		case <-open.in.Exited():
		default:
			if err := open.Close(); err != nil {
				t.Errorf("close %s: %v", mode, err)
			}
		}
		delete(p.open, mode)
		delete(p.logins, mode)
	}
}

func (p *plugins) stop(t *testing.T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, lp := range p.running {
		if err := lp.Stop(context.Background()); err != nil {
			t.Errorf("stop %s: %v", name, err)
		}
	}
}

// Mode implements syncer.Modes.
func (p *plugins) Mode(ctx context.Context, name, _ string) (syncer.Mode, error) {
	c, found := p.how[name]
	if !found {
		return syncer.Mode{}, fmt.Errorf("sync mode %q is not configured: %w", name, fault.Invalid)
	}
	h := &handle{p: p, mode: name}
	b, err := h.get(ctx)
	if err != nil {
		return syncer.Mode{}, err
	}
	m := syncer.Mode{Name: name, Auth: []string{c.auth}, URL: c.url, Backend: h, Notices: c.notices}
	can := backend.AbilitiesOf(b)
	if can.Pusher {
		m.Pusher = h
	}
	if can.Finder {
		m.Finder = h
	}
	return m, nil
}

// authenticator is a login that outlives the processes of its plugin.
type authenticator struct {
	p    *plugins
	mode string
}

// Begin implements auth.Authenticator.
func (a authenticator) Begin(ctx context.Context, target auth.Target) (auth.Exchange, error) {
	open, err := a.p.login(ctx, a.mode)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, fault.Unavailable)
	}
	return open.Begin(ctx, target)
}

func (p *plugins) login(ctx context.Context, mode string) (openLogin, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.how[mode]
	lp, err := p.process(c.auth)
	if err != nil {
		return openLogin{}, err
	}
	open := p.logins[mode]
	if open.in != lp {
		a, err := lp.OpenAuth(ctx, c.login)
		if err != nil {
			return openLogin{}, err
		}
		open = openLogin{lp, a}
		p.logins[mode] = open
	}
	return open, nil
}

// A handle is a backend of a sync mode that outlives the processes of its plugin, with a look at every call.
type handle struct {
	p    *plugins
	mode string
}

func (h *handle) get(ctx context.Context) (launch.Backend, error) {
	login, err := h.p.login(ctx, h.mode)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, fault.Unavailable)
	}
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	c := h.p.how[h.mode]
	lp, err := h.p.process(c.backend)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, fault.Unavailable)
	}
	open := h.p.open[h.mode]
	if open.in == lp {
		return open.Backend, nil
	}
	b, err := lp.OpenBackend(ctx, launch.BackendConfig{
		ActAs: true, HTTP: c.http,
		Identities: []launch.Identity{{Name: c.auth, AuthTraits: login.in.Description().Auth, Auth: authenticator{h.p, h.mode}}},
	})
	if err != nil {
		return nil, err
	}
	h.p.open[h.mode] = openBackend{lp, b}
	return b, nil
}

// called makes a call between before and after.
func called[R any](ctx context.Context, h *handle, call string, do func(launch.Backend) (R, error)) (r R, err error) {
	if err := h.p.before(call); err != nil {
		return r, err
	}
	b, err := h.get(ctx)
	if err != nil {
		return r, err
	}
	if r, err = do(b); err != nil || call != "apply" {
		return r, err
	}
	return r, h.p.after(call)
}

// Probe implements backend.Backend.
func (h *handle) Probe(ctx context.Context, m backend.Mailbox) (backend.Status, error) {
	return called(ctx, h, "probe", func(b launch.Backend) (backend.Status, error) { return b.Probe(ctx, m) })
}

// Pull implements backend.Backend. It may be cut off before any page.
func (h *handle) Pull(ctx context.Context, req backend.PullRequest, emit func(backend.Page) error) error {
	_, err := called(ctx, h, "pull", func(b launch.Backend) (struct{}, error) {
		return struct{}{}, b.Pull(ctx, req, func(page backend.Page) error {
			if h.p.defect.page != nil {
				h.p.defect.page(&page)
			}
			if err := h.p.before("page"); err != nil {
				return err
			}
			return emit(page)
		})
	})
	return err
}

// Fetch implements backend.Backend.
func (h *handle) Fetch(ctx context.Context, m backend.Mailbox, refs []backend.Ref) ([]backend.Fetched, error) {
	return called(ctx, h, "fetch", func(b launch.Backend) ([]backend.Fetched, error) {
		got, err := b.Fetch(ctx, m, refs)
		if h.p.defect.fetched != nil {
			h.p.defect.fetched(got)
		}
		return got, err
	})
}

// Apply implements backend.Backend.
func (h *handle) Apply(ctx context.Context, m mutation) (backend.Result, error) {
	return called(ctx, h, "apply", func(b launch.Backend) (backend.Result, error) {
		if h.p.defect.apply != nil {
			return h.p.defect.apply(ctx, b, m)
		}
		return b.Apply(ctx, m)
	})
}

// Find implements backend.Finder.
func (h *handle) Find(ctx context.Context, m backend.Mailbox, by backend.Marker, value string) ([]backend.Item, error) {
	return called(ctx, h, "find", func(b launch.Backend) ([]backend.Item, error) { return b.(backend.Finder).Find(ctx, m, by, value) })
}

// Subscribe implements backend.Pusher.
func (h *handle) Subscribe(ctx context.Context, req backend.SubscribeRequest) (backend.Subscription, error) {
	return called(ctx, h, "subscribe", func(b launch.Backend) (backend.Subscription, error) {
		return b.(backend.Pusher).Subscribe(ctx, req)
	})
}

// Unsubscribe implements backend.Pusher.
func (h *handle) Unsubscribe(ctx context.Context, m backend.Mailbox, s backend.Subscription) error {
	_, err := called(ctx, h, "unsubscribe", func(b launch.Backend) (struct{}, error) {
		return struct{}{}, b.(backend.Pusher).Unsubscribe(ctx, m, s)
	})
	return err
}

// Receive implements backend.Pusher. Nothing happens to it: notices arrive in the middle of anything.
func (h *handle) Receive(ctx context.Context, in backend.Inbound) (backend.Reply, error) {
	b, err := h.get(ctx)
	if err != nil {
		return backend.Reply{}, err
	}
	return b.(backend.Pusher).Receive(ctx, in)
}

// patience ends requests that hang, which only those of a broken program do.
const patience = time.Minute

var (
	_ backend.Backend = (*handle)(nil)
	_ backend.Pusher  = (*handle)(nil)
	_ backend.Finder  = (*handle)(nil)
)
