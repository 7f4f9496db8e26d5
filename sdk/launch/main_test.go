package launch

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/backend"
)

// binaries is where TestMain builds the plugins; it is set before any test runs.
var binaries string

// asHost makes the test binary a small host that starts one backend and waits to be killed. Its value is the address of
// the mailbox that is probed.
const asHost = "ROOMWIRE_TEST_AS_HOST"

func TestMain(m *testing.M) {
	if mailbox := os.Getenv(asHost); mailbox != "" {
		beHost(mailbox)
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "plugins")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binaries = dir
	for name, pkg := range map[string]string{
		"backend": "./testplugin/backend", "nonce": "./testplugin/auth", "bad": "./testplugin/bad",
		"basic": "../../plugins/auth-basic", "ntlm": "../../plugins/auth-ntlm",
	} {
		build := exec.Command("go", "build", "-o", binary(name), pkg)
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintf(os.Stderr, "building %s: %v\n", pkg, err)
			return 1
		}
	}
	return m.Run()
}

func binary(name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(binaries, name)
}

// beHost opens an instance and probes a mailbox at the URL given, and never returns.
func beHost(mailbox string) {
	path := os.Getenv("ROOMWIRE_TEST_PLUGIN")
	sum, err := Sum(path)
	if err == nil {
		var p *Process
		if p, err = Start(context.Background(), Options{Path: path, SHA256: sum, Log: hclog.NewNullLogger()}); err == nil {
			var b Backend
			if b, err = p.OpenBackend(context.Background(), BackendConfig{}); err == nil {
				_, err = b.Probe(context.Background(), backend.Mailbox{Address: mailbox, URL: os.Getenv("ROOMWIRE_TEST_URL")})
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {}
}

// A journal is a log that can be waited for.
type journal struct {
	mu    sync.Mutex
	grown *sync.Cond
	text  strings.Builder
}

func newJournal() (*journal, hclog.Logger) {
	j := &journal{}
	j.grown = sync.NewCond(&j.mu)
	return j, hclog.New(&hclog.LoggerOptions{Output: j, Level: hclog.Debug})
}

// Write implements io.Writer.
func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.grown.Broadcast()
	return j.text.Write(p)
}

// wait returns when the log has all of the parts; a test that waits in vain ends with the test binary's own limit.
func (j *journal) wait(parts ...string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, part := range parts {
		for !strings.Contains(j.text.String(), part) {
			j.grown.Wait()
		}
	}
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// startPlugin starts one of the built plugins and stops it at the test's end.
func startPlugin(t *testing.T, name string) (*Process, *journal) {
	t.Helper()
	j, log := newJournal()
	sum, err := Sum(binary(name))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(t.Context(), Options{Path: binary(name), SHA256: sum, Log: log, RunDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // what a test leaves under way is not waited for
		_ = p.Stop(ctx)
	})
	return p, j
}

func openBackend(t *testing.T, p *Process, c BackendConfig) Backend {
	t.Helper()
	b, err := p.OpenBackend(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// nonceServer is an HTTP server for testplugin/auth; it serves the user's name.
func nonceServer(t *testing.T, password string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const nonce = "n1"
		user, proof, ok := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "Nonce "), ":")
		switch {
		case ok && proof == nonce+":"+password:
			w.Header().Set("X-Auth-User", user)
		case r.Header.Get("Authorization") == "Nonce hello":
			w.Header().Set("WWW-Authenticate", "Nonce "+nonce)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			w.Header().Set("WWW-Authenticate", "Nonce")
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// identity opens an account of an auth plugin and returns it for a backend.
func identity(t *testing.T, p *Process, settings map[string]any) Identity {
	t.Helper()
	a, err := p.OpenAuth(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	return Identity{Name: p.Description().Name, AuthTraits: p.Description().Auth, Auth: a}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

type authFunc func(ctx context.Context, target auth.Target) (auth.Exchange, error)

// Begin implements auth.Authenticator.
func (f authFunc) Begin(ctx context.Context, target auth.Target) (auth.Exchange, error) {
	return f(ctx, target)
}
