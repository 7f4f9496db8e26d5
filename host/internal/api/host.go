package api

import (
	"context"
	"net/http"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
)

// Examine implements rest.StrictServerInterface.
func (h *handler) Examine(ctx context.Context, _ rest.ExamineRequestObject) (rest.ExamineResponseObject, error) {
	if h.Doctor == nil {
		return nil, absent("the examination")
	}
	if err := h.wholeHost(ctx); err != nil {
		return nil, err
	}
	found, err := h.Doctor.Examine(ctx)
	if err != nil {
		return nil, err
	}
	out := rest.Examination{At: found.At.UTC(), Findings: make([]rest.Finding, len(found.Findings))}
	for i, f := range found.Findings {
		out.Findings[i] = rest.Finding{
			Area: f.Area, Name: f.Name, Level: rest.FindingLevel(f.Level), What: f.What, Remedy: given(f.Remedy),
		}
	}
	return rest.Examine200JSONResponse(out), nil
}

// wholeHost refuses a tenant's key what tells of the other tenants, where there are any.
func (h *handler) wholeHost(ctx context.Context) error {
	if who, _ := ctx.Value(callerKey).(caller); who.admin || len(h.Tenants()) < 2 {
		return nil
	}
	return problem{
		kind: "forbidden", status: http.StatusForbidden, scope: string(hostScope),
		detail: "this tells of every tenant of the host, so with several tenants no API key may see it, only the commands on the host's machine",
	}
}

// GetHost implements rest.StrictServerInterface.
func (h *handler) GetHost(ctx context.Context, _ rest.GetHostRequestObject) (rest.GetHostResponseObject, error) {
	if h.Host == nil {
		return nil, absent("this")
	}
	if err := h.wholeHost(ctx); err != nil {
		return nil, err
	}
	s, err := h.Host.State(ctx)
	if err != nil {
		return nil, err
	}
	out := rest.Host{
		Version: s.Version, Started: s.Started.UTC(),
		Plugins: make([]rest.Plugin, len(s.Plugins)), Modes: make([]rest.Mode, len(s.Modes)),
		Queue: rest.Queue{
			Mailboxes: s.Queue.Mailboxes, Dirty: s.Queue.Dirty, OldestDirty: moment(s.Queue.OldestDirty),
			OpenWrites: &s.Queue.OpenWrites, DeadMessages: &s.Queue.DeadMessages, OpenMails: &s.Queue.OpenMails,
		},
	}
	for i, p := range s.Plugins {
		out.Plugins[i] = pluginOut(p)
	}
	for i, m := range s.Modes {
		out.Modes[i] = rest.Mode{
			Name: m.Name, Backend: m.Backend, Auth: append([]string{}, m.Auth...), URL: given(m.URL), Problem: given(m.Problem),
		}
	}
	return rest.GetHost200JSONResponse(out), nil
}

// ReloadConfig implements rest.StrictServerInterface.
func (h *handler) ReloadConfig(ctx context.Context, _ rest.ReloadConfigRequestObject) (rest.ReloadConfigResponseObject, error) {
	if h.Host == nil {
		return nil, absent("this")
	}
	changed, restart, err := h.Host.Reload(ctx)
	if err != nil {
		return nil, err
	}
	return rest.ReloadConfig200JSONResponse{Changed: append([]string{}, changed...), Restart: append([]string{}, restart...)}, nil
}
