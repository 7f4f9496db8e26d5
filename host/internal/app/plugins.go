package app

import (
	"context"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/api"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/supervise"
	"github.com/roomwire/roomwire/sdk/fault"
)

func pluginState(p supervise.PluginStatus) api.Plugin {
	out := api.Plugin{
		Name: p.Name, Version: p.Version, Kind: p.Kind, Protocol: p.Protocol, File: p.File, SHA256: p.SHA256, PID: p.PID,
		Running: p.Running, Since: p.Since, Restarts: p.Restarts, Problem: p.Problem, Loop: p.Loop, Retry: p.Retry, LastEnd: p.LastEnd,
		LastEndAt: p.LastEndAt, LogDroppedAt: p.DroppedAt, TimedOutAt: p.Calls.LastLate,
		Memory: p.Memory, CPU: p.CPU, LogDropped: p.Dropped, Modes: p.Modes, Abilities: p.Abilities,
		Calls: p.Calls.Calls, Failed: p.Calls.Failed, TimedOut: p.Calls.TimedOut, P50: p.Calls.P50, P99: p.Calls.P99,
	}
	for _, s := range p.Settings {
		out.Settings = append(out.Settings, api.PluginSetting(s))
	}
	return out
}

// swapTimeout bounds the part of a swap before the switch: what hangs then is not taken.
const swapTimeout = time.Minute

// Swap implements api.Host.
func (x self) Swap(ctx context.Context, s api.Swap) (api.Swapped, error) {
	starting, cancel := context.WithTimeout(ctx, swapTimeout)
	defer cancel()
	x.a.Log.Info("a plugin is to be replaced", "plugin", s.Plugin, "file", s.File)
	got, err := x.a.supervisor.Swap(starting, s.Plugin, supervise.Replacement{File: s.File, SHA256: s.SHA256, Drain: s.Drain})
	if err != nil {
		x.a.Log.Warn("a plugin was not replaced; the one before serves on", "plugin", s.Plugin, "error", err)
		return api.Swapped{}, &booking.InvalidError{Violations: []booking.Violation{{Field: s.Plugin, Reason: plainly(err)}}}
	}
	x.a.resumeUsers(ctx, s.Plugin)
	out := api.Swapped{From: got.From, To: got.To, Instances: got.Instances, Pause: got.Pause, Unused: got.Unused}
	if got.CutOff != nil {
		out.CutOff = got.CutOff.Error()
	}
	return out, nil
}

// resumeUsers has those looked at now who may have waited for another process of a plugin, or another version: they would
// else wait for their next try.
func (a *App) resumeUsers(ctx context.Context, plugin string) {
	for _, p := range a.supervisor.Status() {
		if p.Name != plugin {
			continue
		}
		err := a.store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			for _, instance := range p.Modes {
				mode, domain, _ := strings.Cut(instance, "/")
				for _, kind := range []fault.Kind{fault.Unavailable, fault.Invalid, fault.Internal} {
					if _, err := tx.ResumeMode(ctx, mode, domain, kind); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			a.Log.Warn("mailboxes that may have waited for a plugin could not be woken; they are looked at by the clock", "plugin", plugin, "error", err)
		}
	}
}

// Stop implements api.Host.
func (x self) Stop(ctx context.Context, plugin string) error { return x.a.supervisor.Halt(ctx, plugin) }

// plainly is an error without the kinds at its end, which tell people nothing.
func plainly(err error) string {
	text := err.Error()
	for {
		cut := text
		for _, k := range fault.Kinds() {
			cut = strings.TrimSuffix(cut, ": "+string(k))
		}
		if cut == text {
			return text
		}
		text = cut
	}
}
