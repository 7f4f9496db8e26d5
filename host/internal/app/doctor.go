package app

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/doctor"
	"github.com/roomwire/roomwire/host/internal/supervise"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

func (a *App) newDoctor() *doctor.Doctor {
	return doctor.New(doctor.Options{
		Config: a.force.get, Reload: a.Load, Running: true, Started: a.started, Version: a.Version, DataDir: DataDir(a.Config),
		Catalog: func() ([]supervise.Entry, error) { return supervise.List(a.Config.Plugins.Dir) },
		Plugins: a.supervisor.Status, Credentials: a.supervisor.Credentials,
		Settings: func(ctx context.Context, cfg *config.Config) config.Diagnostics {
			return cfg.CheckSettings(a.schemas(ctx, cfg))
		},
		Store: a.store,
		Probe: func(ctx context.Context, name string, m backend.Mailbox) (backend.Status, error) {
			one, found := a.modes.find(name)
			if !found {
				return backend.Status{}, fmt.Errorf("sync mode %q is not configured: %w", name, fault.Invalid)
			}
			one.origins.add(m.URL)
			return one.handle.Probe(ctx, m)
		},
		Pauses: func() []doctor.Pause {
			var out []doctor.Pause
			for _, p := range a.engine.Pauses() {
				out = append(out, doctor.Pause{Server: p.Server, Until: p.Until, Kind: p.Kind, Reason: p.Reason})
			}
			return out
		},
		Unread: func() []doctor.Unread {
			var out []doctor.Unread
			for _, u := range a.engine.Unread() {
				out = append(out, doctor.Unread{Mode: u.Mode, Why: u.Why})
			}
			return out
		},
		Untrusted: a.counters.Untrusted.Load,
		Watch: func() []doctor.Group {
			var out []doctor.Group
			for _, g := range a.watch.Stats().Groups {
				out = append(out, doctor.Group{
					Server: g.Server, Way: g.Way, Meant: g.Meant, Listened: g.Listened, Connected: !g.Since.IsZero(), Problem: g.Problem,
				})
			}
			return out
		},
	})
}

// ExamineWithoutHost examines what can be seen of an installation whose host does not run.
func ExamineWithoutHost(ctx context.Context, o Options) doctor.Report {
	opt := doctor.Options{
		Config: func() *config.Config { return o.Config }, Reload: o.Load, Version: o.Version, DataDir: DataDir(o.Config),
		Catalog: func() ([]supervise.Entry, error) { return supervise.List(o.Config.Plugins.Dir) },
	}
	opening, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	st, err := openStore(opening, o.Config, o.Log)
	if err == nil {
		defer st.Close()
		opt.Store = st
	}
	report := doctor.New(opt).Examine(ctx)
	if err != nil {
		report.Findings = append(report.Findings, doctor.Finding{
			Area: "store", Name: o.Config.Store.String(), Level: doctor.Error, What: err.Error(),
			Remedy: "Nothing works without the database: check store.url, and that the database runs.",
		})
	}
	return report
}
