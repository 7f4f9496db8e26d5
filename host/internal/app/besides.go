package app

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/endpoint"
	"github.com/roomwire/roomwire/host/internal/looptest"
	"github.com/roomwire/roomwire/host/internal/mail"
	"github.com/roomwire/roomwire/host/internal/metrics"
	"github.com/roomwire/roomwire/host/internal/watch"
	"github.com/roomwire/roomwire/host/internal/webhook"
	"github.com/roomwire/roomwire/sdk/backend"
)

// besides makes what runs beside the sync: the doctor, the loop test, webhooks, mails, and the figures of all of it.
func (a *App) besides() {
	a.doctor = a.newDoctor()
	a.tests = looptest.New(looptest.Options{
		Store: a.store, Modes: a.modes, Log: a.Log.Named("looptest"), NotificationURL: a.force.notificationURL,
		Arrivals: a.arrivals,
		Wake: func(ctx context.Context, tenant, person string) error {
			return a.engine.Sync(ctx, tenant, person, false)
		},
		FallBack: a.engine.FallBack, Proved: a.engine.ClimbNow, Patience: a.patience, Failpoint: a.Failpoint,
	})
	a.hooks = webhook.New(webhook.Options{
		Store: a.store, Log: a.Log.Named("webhook"),
		Render: changeForm,
	})
	a.mails = mail.New(mail.Options{
		Store: a.store, Log: a.Log.Named("mail"), Settings: func() config.Mail { return a.force.get().Mail },
	})
	a.meter.Watch(metrics.Sources{
		Store: a.store, Plugins: a.supervisor.Status, Credentials: a.supervisor.Credentials, Notices: a.noticeCounts, Webhooks: a.webhookStates,
		Watch: a.listening, Ends: a.endsAt, StatusFrequency: func() time.Duration { return a.force.get().Sync.StatusFrequency },
	})
}

// newWatch makes what listens for changes where servers cannot call in.
func (a *App) newWatch() *watch.Watch {
	return watch.New(watch.Options{
		Store: a.store, Engine: a.engine, Modes: a.modes, Holder: rand.Text(), Log: a.Log.Named("watch"),
		Limits: watch.LimitsOf(a.force.get()),
	})
}

// listening sums up by sync mode how this host listens.
func (a *App) listening() metrics.Listening {
	stats := a.watch.Stats()
	type key struct{ mode, way string }
	by := map[key]*metrics.WatchCount{}
	out := metrics.Listening{Reopened: stats.Reopened, Lost: stats.Lost}
	var order []key
	for _, g := range stats.Groups {
		mode, _, _ := strings.Cut(g.Server, "@")
		k := key{mode, g.Way}
		c := by[k]
		if c == nil {
			c = &metrics.WatchCount{Mode: mode, Way: g.Way}
			by[k], order = c, append(order, k)
		}
		c.Mailboxes += g.Meant
		c.Connected += g.Listened
		if !g.Since.IsZero() {
			c.Connections++
		}
	}
	for _, k := range order {
		out.Groups = append(out.Groups, *by[k])
	}
	return out
}

// patience is how long a loop test waits for a notification: a server that is asked at intervals tells at the next one.
func (a *App) patience(way string) time.Duration {
	const usual = 2 * time.Minute
	if way == config.NoticesPull {
		return usual + 2*a.force.get().Pull.TaskInterval
	}
	return usual
}

// arrivals is what the endpoint could not use.
func (a *App) arrivals() looptest.Arrivals {
	c := a.counters
	return looptest.Arrivals{
		Untrusted: c.Untrusted.Load(), Mismatched: c.Mismatched.Load(),
		Unanswered:  c.Busy.Load() + c.StoreFailed.Load() + c.PluginFailed.Load(),
		Unreadable:  c.Invalid.Load() + c.TooLarge.Load() + c.Unread.Load(),
		UnknownPath: c.NotFound.Load(),
	}
}

func (a *App) noticeCounts() map[string]int64 {
	c := a.counters
	return map[string]int64{
		"alive": c.Alive.Load(), "dirty": c.Dirty.Load(), "lost": c.Lost.Load(), "untrusted": c.Untrusted.Load(),
		"mismatched": c.Mismatched.Load(), "invalid": c.Invalid.Load(), "too_large": c.TooLarge.Load(), "unread": c.Unread.Load(),
		"busy": c.Busy.Load(), "store_failed": c.StoreFailed.Load(), "plugin_failed": c.PluginFailed.Load(),
		"not_found": c.NotFound.Load(), "panicked": c.Panics.Load(),
	}
}

func (a *App) webhookStates(ctx context.Context) (map[string]int, error) {
	hooks, err := a.store.Webhooks(ctx, "")
	states := map[string]int{"ok": 0, "failing": 0, "disabled": 0}
	for _, h := range hooks {
		switch {
		case h.Disabled:
			states["disabled"]++
		case !h.Failing.IsZero():
			states["failing"]++
		default:
			states["ok"]++
		}
	}
	return states, err
}

// noticing tells running loop tests of notices as soon as they are durable.
type noticing struct {
	endpoint.Subscriptions
	tests *looptest.Runner
}

// Heard implements endpoint.Subscriptions.
func (n noticing) Heard(ctx context.Context, batch []endpoint.Heard) error {
	if err := n.Subscriptions.Heard(ctx, batch); err != nil {
		return err
	}
	for _, h := range batch {
		if h.Kind != backend.Alive {
			n.tests.Noticed(h.Tenant, h.Person)
		}
	}
	return nil
}
