package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/launch"
)

// start builds one of the plugins and starts it as the host does.
func start(t *testing.T, name string) *launch.Process {
	t.Helper()
	binary := filepath.Join(t.TempDir(), name)
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../"+name).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sum, err := launch.Sum(binary)
	if err != nil {
		t.Fatal(err)
	}
	p, err := launch.Start(t.Context(), launch.Options{Path: binary, SHA256: sum, Log: hclog.NewNullLogger(), RunDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Errorf("stopping %s: %v", name, err)
		}
	})
	return p
}

// More streams are open than there are connections for ordinary requests, each logged in by NTLM with the channel bound,
// and everything else goes on beside them.
func TestStreamsAndOrdinaryCallsThroughRealProcesses(t *testing.T) {
	t.Parallel()
	const streams = 12
	sim, err := exchangesim.New(exchangesim.Options{
		Generate: streams, Affinity: true, Schemes: []string{"NTLM"}, ExtendedProtection: exchangesim.ProtectionRequire,
	})
	if err != nil {
		t.Fatal(err)
	}
	at, err := sim.StartTLS("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = at.Close(), sim.Close() })
	auth := start(t, "auth-ntlm")
	account, err := auth.OpenAuth(t.Context(), map[string]any{"user": `EXAMPLE\svc-rooms`, "password": "secret"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := start(t, "backend-exchange2013").OpenBackend(t.Context(), launch.BackendConfig{
		ActAs:      true,
		Identities: []launch.Identity{{Name: "ntlm", AuthTraits: auth.Description().Auth, Auth: account}},
		HTTP:       launch.HTTPOptions{CAPEM: at.CertificatePEM, Timeout: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := b.(backend.Watcher)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	hints, ended := make(chan backend.Hint, 1000), make(chan error, streams)
	waitFor := func(want backend.Hint) {
		for h := range hints {
			if h == want {
				return
			}
		}
	}
	var subs []backend.Subscription
	var boxes []backend.Mailbox
	for i := range streams {
		m := backend.Mailbox{Address: fmt.Sprintf("user%d@example.com", i+1), URL: at.URL + "/EWS/Exchange.asmx"}
		sub, err := w.Listen(t.Context(), backend.ListenRequest{Mailbox: m})
		if err != nil {
			t.Fatal(err)
		}
		subs, boxes = append(subs, sub), append(boxes, m)
		go func() {
			request := backend.WatchRequest{Watched: []backend.Watched{{Mailbox: m, Subscription: sub}}, For: 30 * time.Minute}
			ended <- w.Watch(ctx, request, func(all []backend.Hint) error {
				for _, h := range all {
					hints <- h
				}
				return nil
			})
		}()
		waitFor(backend.Hint{Kind: backend.Alive})
	}
	if n := len(sim.Streams()); n != streams {
		t.Fatalf("%d streams, want %d", n, streams)
	}
	for i, m := range boxes {
		if _, err := b.Probe(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		start := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
		if _, err := sim.Outlook(m.Address).Create(exchangesim.Appointment{Subject: "x", Start: start, End: start.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		waitFor(backend.Hint{Subscription: subs[i].ID, Kind: backend.Dirty})
	}
	cancel()
	for range streams {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("a stream ended with %v, want cancelled", err)
		}
	}
}
