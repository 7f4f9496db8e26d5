package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/host/internal/api"
	"github.com/roomwire/roomwire/host/internal/apikey"
	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/looptest"
	"github.com/roomwire/roomwire/host/internal/syncer"
	"github.com/roomwire/roomwire/host/internal/webhook"
	"github.com/roomwire/roomwire/sdk/fault"
)

// Local is the REST API in the process of a command, for while no host runs. It works on the same store, so that
// persons can be imported before the first start; what needs a calendar happens when the host is started.
type Local struct {
	URL, Key string
	Close    func()
}

// OpenLocal opens the store and serves REST on a loopback address of its own until Close.
func OpenLocal(ctx context.Context, cfg *config.Config, log hclog.Logger) (*Local, error) {
	st, err := openStore(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		_ = st.Close()
		return nil, fmt.Errorf("open a local listener: %w", err)
	}
	key, hash := apikey.NewAdmin()
	force := &inForce{}
	force.set(cfg)
	engine := bareEngine(force, st, log)
	serving, cancel := context.WithCancel(ctx)
	o := apiOptions(serving, force, st, engine, hash, log)
	o.Tests = tests{looptest.New(looptest.Options{Store: st, Modes: noModes{}})} // those that were made
	o.Webhooks = webhooks{webhook.New(webhook.Options{Store: st, Render: changeForm})}
	srv := api.Server(api.New(o))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			log.Error("local listener", "error", err)
		}
	}()
	return &Local{URL: "http://" + ln.Addr().String(), Key: key, Close: func() {
		cancel()
		_ = srv.Close()
		<-done
		_ = st.Close()
	}}, nil
}

// noModes is used where no pass ever runs.
type noModes struct{}

func (noModes) Mode(_ context.Context, name, _ string) (syncer.Mode, error) {
	return syncer.Mode{}, fmt.Errorf("sync mode %q: no host runs: %w", name, fault.Unavailable)
}
