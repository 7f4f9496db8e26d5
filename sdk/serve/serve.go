// Package serve is the plugin's end: a plugin's main function is one call of Auth or Backend.
//
//	func main() { serve.Auth(auth.Plugin[Settings]{Name: "basic", Version: "1.0.0", Open: open}) }
//
// It decodes settings strictly, keeps instances apart, carries errors with their kind, recovers from panics, and ends
// the process when the host has gone.
package serve

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/internal/wire"
)

// attachWithin is how long a process waits for the host that started it to attach. A host that was killed in between
// never will.
const attachWithin = time.Minute

// Auth serves an auth plugin. It does not return: the process ends when the host has gone, with status 1 when it was
// not started by a host.
func Auth[C any](p auth.Plugin[C]) {
	d := wire.Description{
		Kind: wire.AuthPlugin, Name: p.Name, Version: p.Version, Settings: settingsOf[C](),
		Auth: wire.AuthTraits{
			Schemes: p.Schemes, PerConnection: p.PerConnection, PerMailbox: p.PerMailbox, Attempts: max(p.Attempts, 1),
		},
	}
	run(d, func(log hclog.Logger, _ *wire.PluginServer, g *grpc.Server) {
		s := &wire.AuthServer{OpenInstance: func(ctx context.Context, settings []byte) (auth.Authenticator, error) {
			c, err := decode[C](settings)
			if err != nil {
				return nil, err
			}
			a, err := p.Open(ctx, c, auth.Env{Log: log})
			if err == nil && ctx.Err() != nil {
				_ = closed(a) // nobody knows of it: the host gave up
				return nil, ctx.Err()
			}
			return a, err
		}}
		s.Register(g)
	})
}

// Backend serves a backend plugin. It does not return; see Auth.
func Backend[C any](p backend.Plugin[C]) {
	d := wire.Description{Kind: wire.BackendPlugin, Name: p.Name, Version: p.Version, Settings: settingsOf[C]()}
	run(d, func(log hclog.Logger, ps *wire.PluginServer, g *grpc.Server) {
		s := &wire.BackendServer{Plugin: ps, OpenInstance: func(ctx context.Context, wc wire.BackendConfig) (
			backend.Backend, func() error, error,
		) {
			c, err := decode[C](wc.Settings)
			if err != nil {
				return nil, nil, err
			}
			client, closeClient, err := httpClient(wc, log)
			if err != nil {
				return nil, nil, err
			}
			b, err := p.Open(ctx, c, backend.Env{HTTP: client, Log: log, ActAs: wc.ActAs, Markers: wc.Markers})
			if err != nil {
				closeClient()
				return nil, nil, err
			}
			end := func() error {
				defer closeClient()
				return closed(b)
			}
			if ctx.Err() != nil {
				_ = end() // nobody knows of it: the host gave up
				return nil, nil, ctx.Err()
			}
			return b, end, nil
		}}
		s.Register(g)
	})
}

// closed closes an instance that can be.
func closed(instance any) error {
	if c, ok := instance.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// run serves the process's one plugin until the host has gone.
func run(d wire.Description, register func(hclog.Logger, *wire.PluginServer, *grpc.Server)) {
	if !wire.StartedByHost(os.Getenv) {
		_, _ = io.WriteString(os.Stderr, usage(d))
		os.Exit(1)
	}
	log := wire.PluginLogger(os.Stderr, os.Getenv(wire.LogLevelVariable))
	late := time.AfterFunc(attachWithin, func() {
		log.Error("the host did not attach; exiting")
		os.Exit(1)
	})
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: wire.Handshake(),
		Logger:          hclog.NewNullLogger(), // of go-plugin's own doings the host keeps a log
		VersionedPlugins: wire.Versions(&wire.ServerPlugin{Register: func(b *plugin.GRPCBroker, g *grpc.Server) error {
			s := &wire.PluginServer{
				Description: d, Broker: b,
				Attached: func() { late.Stop() },
				Ended:    func() { os.Exit(0) },
			}
			s.Register(g)
			register(log, s, g)
			return nil
		}}),
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, wire.ServerOptions(log)...)...)
		},
	})
}

// usage is what the binary says when a person runs it.
func usage(d wire.Description) string {
	s := fmt.Sprintf("This is the Roomwire %s plugin %q, version %s. It is not run by hand:\n"+
		"put it into the plugin directory, have it pinned in plugins.lock, and name it in roomwire.hcl;\n"+
		"the host starts it then.\n", d.Kind, d.Name, d.Version)
	if len(d.Settings) == 0 {
		return s + "It takes no settings.\n"
	}
	s += "Its settings:\n"
	for _, f := range d.Settings {
		s += fmt.Sprintf("  %-22s %-8s %s", f.Name, f.Type, f.Doc)
		if f.Required {
			s += " (required)"
		}
		if f.Secret {
			s += " (secret)"
		}
		s += "\n"
	}
	return s
}
