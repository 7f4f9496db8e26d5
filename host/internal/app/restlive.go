package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/api"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/looptest"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/webhook"
)

// explainer, tests, webhooks, examiner and self are parts of the running host under the names that the API uses.
type (
	explainer struct{ a *App }
	tests     struct{ *looptest.Runner }
	webhooks  struct{ s *webhook.Service }
	examiner  struct{ a *App }
	self      struct{ a *App }
)

func (x explainer) Explain(ctx context.Context, tenant, id string) (any, error) {
	return x.a.engine.Explain(ctx, tenant, id)
}

func (t tests) Start(ctx context.Context, tenant, person string) (api.TestRun, bool, error) {
	run, already, err := t.Runner.Start(ctx, tenant, person)
	return testRun(run), already, err
}

func (t tests) Run(ctx context.Context, tenant, id string) (api.TestRun, bool, error) {
	run, found, err := t.Runner.Run(ctx, tenant, id)
	return testRun(run), found, err
}

func (t tests) Runs(ctx context.Context, tenant, person string, limit int) ([]api.TestRun, error) {
	runs, err := t.Runner.Runs(ctx, tenant, person, limit)
	out := make([]api.TestRun, len(runs))
	for i, r := range runs {
		out[i] = testRun(r)
	}
	return out, err
}

func testRun(r looptest.Run) api.TestRun {
	out := api.TestRun{ID: r.ID, Person: r.Person, Outcome: r.Outcome, Way: r.Way, Started: r.Started, Ended: r.Ended}
	for _, s := range r.Steps {
		step := api.TestStep{Name: s.Name, State: s.State, Began: s.Began, Took: s.Took, Detail: s.Detail, Cause: s.Cause, Remedy: s.Remedy}
		for _, c := range s.Checks {
			step.Checks = append(step.Checks, api.TestCheck(c))
		}
		out.Steps = append(out.Steps, step)
	}
	return out
}

// asked turns the errors of package webhook into the API's.
func asked(id string, err error) error {
	if bad, is := errors.AsType[*webhook.InvalidError](err); is {
		return &booking.InvalidError{Booking: id, Violations: []booking.Violation{{Field: bad.Field, Reason: bad.Reason}}}
	}
	if errors.Is(err, webhook.ErrNotFound) {
		return fmt.Errorf("%w: %w", err, booking.ErrNotFound)
	}
	return err
}

func wish(w store.Webhook) webhook.Wish {
	return webhook.Wish{Name: w.Name, URL: w.URL, Kinds: w.Kinds, Disabled: w.Disabled}
}

func (w webhooks) List(ctx context.Context, tenant string) ([]store.Webhook, error) {
	return w.s.List(ctx, tenant)
}

func (w webhooks) Get(ctx context.Context, tenant, id string) (store.Webhook, error) {
	got, err := w.s.Get(ctx, tenant, id)
	return got, asked(id, err)
}

func (w webhooks) Create(ctx context.Context, want store.Webhook) (store.Webhook, error) {
	got, err := w.s.Create(ctx, want.Tenant, wish(want))
	return got, asked("", err)
}

func (w webhooks) Update(ctx context.Context, want store.Webhook) (store.Webhook, error) {
	got, err := w.s.Update(ctx, want.Tenant, want.ID, wish(want))
	return got, asked(want.ID, err)
}

func (w webhooks) Delete(ctx context.Context, tenant, id string) error {
	return asked(id, w.s.Delete(ctx, tenant, id))
}

func (w webhooks) RotateSecret(ctx context.Context, tenant, id string) (string, error) {
	secret, err := w.s.RotateSecret(ctx, tenant, id)
	return secret, asked(id, err)
}

func (w webhooks) Test(ctx context.Context, tenant, id string) (problem string, err error) {
	return told(w.s.Test(ctx, tenant, id))
}

func (w webhooks) Dead(ctx context.Context, tenant, id string, after int64, limit int) ([]store.DeadMessage, error) {
	list, err := w.s.Dead(ctx, tenant, id, webhook.Page{After: after, Limit: limit})
	return list, asked(id, err)
}

func (w webhooks) Resend(ctx context.Context, tenant, id string, seq int64) (sent int, problem string, err error) {
	if seq == 0 {
		sent, err = w.s.ResendAll(ctx, tenant, id)
	} else if err = w.s.Resend(ctx, tenant, id, seq); err == nil {
		sent = 1
	}
	problem, err = told(err)
	return sent, problem, err
}

// told tells why a message did not get through from why it was not tried.
func told(err error) (problem string, _ error) {
	switch {
	case err == nil:
		return "", nil
	case errors.Is(err, webhook.ErrNotFound):
		return "", asked("", err)
	}
	return err.Error(), nil
}

// changeForm gives a change the form it has in the feed.
func changeForm(c store.ChangeRecord) (json.RawMessage, error) { return api.RenderChange(c) }

func (x examiner) Examine(ctx context.Context) (api.Examination, error) {
	r := x.a.doctor.Examine(ctx)
	out := api.Examination{At: r.At}
	for _, f := range r.Findings {
		out.Findings = append(out.Findings, api.Finding{Area: f.Area, Name: f.Name, Level: string(f.Level), What: f.What, Remedy: f.Remedy})
	}
	return out, nil
}

func (x self) Reload(ctx context.Context) (changed, restart []string, err error) {
	r, err := x.a.Reload(ctx)
	if refused, is := errors.AsType[*RefusedError](err); is {
		bad := &booking.InvalidError{}
		for _, d := range refused.Diagnostics {
			bad.Violations = append(bad.Violations, booking.Violation{Field: "configuration", Reason: d.String()})
		}
		return nil, nil, bad
	}
	return r.Changed, r.Restart, err
}

func (x self) State(ctx context.Context) (api.HostState, error) {
	out := api.HostState{Version: x.a.Version, Started: x.a.started}
	for _, p := range x.a.supervisor.Status() {
		out.Plugins = append(out.Plugins, pluginState(p))
	}
	for _, m := range x.a.modes.all() {
		mode := api.Mode{Name: m.Name, Backend: m.Backend, Auth: m.Auth, URL: m.URL}
		quick, cancel := context.WithTimeout(ctx, time.Second)
		if _, err := m.handle.Abilities(quick); err != nil {
			mode.Problem = err.Error()
		}
		cancel()
		out.Modes = append(out.Modes, mode)
	}
	now := time.Now()
	counts, err := x.a.store.QueueCounts(ctx, now)
	if err != nil {
		return out, err
	}
	out.Queue.Mailboxes = counts.Running + counts.Queued + counts.QueuedBulk + counts.Due + counts.Later
	out.Queue.Dirty = counts.Running + counts.Queued + counts.QueuedBulk + counts.Due
	if out.Queue.OldestDirty, err = x.a.store.OldestDirty(ctx, now); err != nil {
		return out, err
	}
	out.Queue.DeadMessages, err = x.a.store.CountDeadMessages(ctx)
	return out, err
}
