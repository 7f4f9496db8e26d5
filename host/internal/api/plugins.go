package api

import (
	"context"
	"time"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
)

func pluginOut(p Plugin) rest.Plugin {
	out := rest.Plugin{
		Name: p.Name, Version: p.Version, Running: p.Running, Since: moment(p.Since), Restarts: p.Restarts, Problem: given(p.Problem),
		Kind: given(p.Kind), Protocol: some(p.Protocol), File: given(p.File), Sha256: given(p.SHA256), Pid: some(p.PID),
		Modes: someOf(p.Modes), Abilities: someOf(p.Abilities), Loop: &p.Loop, Retry: moment(p.Retry), LastEnd: given(p.LastEnd),
		LastEndAt: moment(p.LastEndAt), LogDroppedAt: moment(p.LogDroppedAt), TimedOutAt: moment(p.TimedOutAt),
		Memory: some(p.Memory), LogDropped: &p.LogDropped, Calls: &p.Calls, Failed: &p.Failed, TimedOut: &p.TimedOut,
		CPUSeconds: inSeconds(p.CPU), P50Seconds: inSeconds(p.P50), P99Seconds: inSeconds(p.P99),
	}
	if p.Settings != nil {
		settings := make([]rest.PluginSetting, len(p.Settings))
		for i, s := range p.Settings {
			settings[i] = rest.PluginSetting{Name: s.Name, Type: s.Type, Doc: given(s.Doc), Required: s.Required, Secret: s.Secret}
		}
		out.Settings = &settings
	}
	return out
}

// some leaves out what is zero.
func some[N int | int64](n N) *N {
	if n == 0 {
		return nil
	}
	return &n
}

func someOf(list []string) *[]string {
	if len(list) == 0 {
		return nil
	}
	return &list
}

func inSeconds(d time.Duration) *float64 {
	if d == 0 {
		return nil
	}
	s := d.Seconds()
	return &s
}

// SwapPlugin implements rest.StrictServerInterface.
func (h *handler) SwapPlugin(ctx context.Context, req rest.SwapPluginRequestObject) (rest.SwapPluginResponseObject, error) {
	if h.Host == nil {
		return nil, absent("this")
	}
	want := Swap{Plugin: req.Plugin}
	if b := req.Body; b != nil {
		if b.File != nil {
			want.File = *b.File
		}
		if b.Sha256 != nil {
			want.SHA256 = *b.Sha256
		}
		if b.DrainSeconds != nil {
			want.Drain = time.Duration(*b.DrainSeconds) * time.Second
		}
	}
	s, err := h.Host.Swap(ctx, want)
	if err != nil {
		return nil, err
	}
	return rest.SwapPlugin200JSONResponse{
		From: given(s.From), To: s.To, Instances: s.Instances, PauseSeconds: s.Pause.Seconds(), CutOff: given(s.CutOff), Unused: s.Unused,
	}, nil
}

// StopPlugin implements rest.StrictServerInterface.
func (h *handler) StopPlugin(ctx context.Context, req rest.StopPluginRequestObject) (rest.StopPluginResponseObject, error) {
	if h.Host == nil {
		return nil, absent("this")
	}
	if err := h.Host.Stop(ctx, req.Plugin); err != nil {
		return nil, err
	}
	return rest.StopPlugin204Response{}, nil
}
