package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	roomwirev1 "github.com/roomwire/roomwire/proto/roomwire/v1"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/launch"
	"github.com/roomwire/roomwire/test/bench/internal/payload"
)

// goalHop is how much more a call of the sdk may cost than the bare one.
const goalHop = 1.2

// measureHop compares a call through the sdk with the same messages through go-plugin alone.
func measureHop(ctx context.Context, b *bench, r *result) error {
	process, be, err := openEcho(ctx, b)
	if err != nil {
		return err
	}
	defer func() { _ = process.Stop(context.WithoutCancel(ctx)) }()
	client, bare, err := openBare(ctx, b)
	if err != nil {
		return err
	}
	defer client.Kill()
	calls := []struct {
		name      string
		sdk, bare func() error
	}{
		{"notice of 1.6 KB read (Receive)", func() error {
			reply, err := be.(backend.Pusher).Receive(ctx, payload.Inbound())
			return expect(len(reply.Hints) == 1, err)
		}, func() error {
			reply, err := bare.Receive(ctx, payload.ReceiveRequest())
			return expect(len(reply.GetHints()) == 1, err)
		}},
		{"one item of 1 KB read (Fetch)", func() error {
			got, err := be.Fetch(ctx, payload.Mailbox(), []backend.Ref{payload.Ref})
			return expect(len(got) == 1, err)
		}, func() error {
			got, err := bare.Fetch(ctx, payload.FetchRequest())
			return expect(len(got.GetFetched()) == 1, err)
		}},
	}
	var rows [][]string
	worst := 0.0
	for _, c := range calls {
		for _, atOnce := range []int{1, 16} {
			ours, plain, err := compare(c.sdk, c.bare, atOnce)
			if err != nil {
				return err
			}
			ratio := float64(ours) / float64(plain)
			worst = max(worst, ratio)
			rows = append(rows, []string{c.name, fmt.Sprint(atOnce), micro(ours), micro(plain), fmt.Sprintf("%.2f", ratio)})
		}
	}
	r.table([]string{"call", "at once", "through the sdk", "bare go-plugin", "ratio"}, rows)
	r.note("Time per call (for 16 at once: wall time divided by the calls made), median of %d rounds that alternate between the two. "+
		"Both run over a Unix socket with AutoMTLS. Goal: at most %.1f times the bare call: %s (worst %.2f).",
		rounds, goalHop, verdict(worst <= goalHop), worst)
	return cachedCredential(ctx, b, process, r)
}

func micro(d time.Duration) string { return fmt.Sprintf("%.0f µs", float64(d)/1e3) }

func expect(ok bool, err error) error {
	if err == nil && !ok {
		err = errors.New("the plugin answered something else")
	}
	return err
}

const (
	rounds   = 21
	perRound = 2000
)

// compare returns the median time of both calls, measured in turns.
func compare(a, b func() error, atOnce int) (timeA, timeB time.Duration, err error) {
	round := func(call func() error) (time.Duration, error) {
		errs := make([]error, atOnce)
		began := time.Now()
		var all sync.WaitGroup
		for i := range atOnce {
			all.Go(func() {
				for range perRound / atOnce {
					if errs[i] = call(); errs[i] != nil {
						return
					}
				}
			})
		}
		all.Wait()
		return time.Since(began) / perRound, errors.Join(errs...)
	}
	var as, bs []time.Duration
	for i := range rounds + 1 {
		ta, err := round(a)
		if err != nil {
			return 0, 0, err
		}
		tb, err := round(b)
		if err != nil {
			return 0, 0, err
		}
		if i > 0 { // the first warms up
			as, bs = append(as, ta), append(bs, tb)
		}
	}
	slices.Sort(as)
	slices.Sort(bs)
	return as[len(as)/2], bs[len(bs)/2], nil
}

func start(ctx context.Context, b *bench, name string) (*launch.Process, error) {
	path := filepath.Join(b.bin, "hop", executable(name))
	sum, err := launch.Sum(path)
	if err != nil {
		return nil, err
	}
	return launch.Start(ctx, launch.Options{Path: path, SHA256: sum, Log: hclog.New(&hclog.LoggerOptions{Level: hclog.Error}), RunDir: os.TempDir()})
}

func openEcho(ctx context.Context, b *bench) (*launch.Process, launch.Backend, error) {
	p, err := start(ctx, b, "roomwire-backend-echo")
	if err != nil {
		return nil, nil, err
	}
	be, err := p.OpenBackend(ctx, launch.BackendConfig{})
	return p, be, err
}

// bareClient dispenses the client that protoc made, and nothing more.
type bareClient struct {
	plugin.NetRPCUnsupportedPlugin
}

// GRPCServer implements plugin.GRPCPlugin.
func (bareClient) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return errors.New("this is the host's end")
}

// GRPCClient implements plugin.GRPCPlugin.
func (bareClient) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return roomwirev1.NewBackendClient(c), nil
}

func openBare(ctx context.Context, b *bench) (*plugin.Client, roomwirev1.BackendClient, error) {
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: payload.Bare, Plugins: plugin.PluginSet{payload.Name: bareClient{}},
		Cmd:              exec.CommandContext(ctx, filepath.Join(b.bin, "hop", executable("bare"))),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, AutoMTLS: true, Logger: hclog.NewNullLogger(),
	})
	protocol, err := client.Client()
	if err != nil {
		client.Kill()
		return nil, nil, err
	}
	raw, err := protocol.Dispense(payload.Name)
	if err != nil {
		client.Kill()
		return nil, nil, err
	}
	return client, raw.(roomwirev1.BackendClient), nil
}

// cachedCredential counts how often the auth plugin is asked while a backend makes many requests.
func cachedCredential(ctx context.Context, b *bench, echo *launch.Process, r *result) error {
	const requests = 1000
	process, err := start(ctx, b, "roomwire-auth-count")
	if err != nil {
		return err
	}
	defer func() { _ = process.Stop(context.WithoutCancel(ctx)) }()
	identity, err := process.OpenAuth(ctx, nil)
	if err != nil {
		return err
	}
	var served, refused atomic.Int64
	var mu sync.Mutex
	seen := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		header := req.Header.Get("Authorization")
		if !strings.HasPrefix(header, "Bearer ") {
			refused.Add(1)
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		served.Add(1)
		mu.Lock()
		seen[header] = true
		mu.Unlock()
	}))
	defer server.Close()
	be, err := echo.OpenBackend(ctx, launch.BackendConfig{Identities: []launch.Identity{{
		Name: "count", AuthTraits: process.Description().Auth, Auth: identity,
	}}})
	if err != nil {
		return err
	}
	began := time.Now()
	if _, err := be.Probe(ctx, backend.Mailbox{Address: fmt.Sprint(requests), URL: server.URL}); err != nil {
		return err
	}
	took := time.Since(began)
	r.table([]string{"authorized requests of a backend", "exchanges with the auth plugin", "requests refused first", "time per request"},
		[][]string{{fmt.Sprint(served.Load()), fmt.Sprint(len(seen)), fmt.Sprint(refused.Load()), micro(took / requests)}})
	r.note("The auth plugin of this test numbers its headers, which are good for an hour, as access tokens are. Goal: a cached "+
		"credential costs no hop: %s.", verdict(len(seen) == 1))
	return nil
}
