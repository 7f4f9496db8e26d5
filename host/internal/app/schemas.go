package app

import (
	"context"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/supervise"
	"github.com/roomwire/roomwire/sdk/launch"
)

// Schemas starts the plugins that the sync modes of cfg use, asks each which settings it takes, and stops them. It needs
// no running host and disturbs none.
func Schemas(ctx context.Context, cfg *config.Config) map[string]config.PluginSchema {
	return schemas(supervise.Describe(ctx, supervise.Options{Dir: cfg.Plugins.Dir}, cfg.PluginNames()))
}

// schemas asks the plugins that the sync modes of cfg use, those that run without starting them.
func (a *App) schemas(ctx context.Context, cfg *config.Config) map[string]config.PluginSchema {
	return schemas(a.supervisor.Describe(ctx, cfg.PluginNames()))
}

func schemas(about map[string]launch.Description, errs map[string]error) map[string]config.PluginSchema {
	out := map[string]config.PluginSchema{}
	for name, d := range about {
		out[name] = supervise.SchemaOf(name, d)
	}
	for name, err := range errs {
		out[name] = config.PluginSchema{Plugin: name, Problem: err.Error()}
	}
	return out
}

// checkSettings says at the start which sync modes cannot work because of what they give their plugins, and what has no
// effect. The others go on.
func (a *App) checkSettings(ctx context.Context) {
	cfg := a.force.get()
	diags := cfg.CheckPlugins(a.schemas(ctx, cfg))
	if ctx.Err() != nil {
		return
	}
	a.warnOfSettings(diags)
	if err := diags.Err(); err != nil {
		a.Log.Error("settings of plugins are wrong: persons of the sync modes concerned are not synced (roomwire config check says more)", "errors", err.Error())
	}
}

// warnOfSettings says what is in force all the same and will probably not do what somebody wants.
func (a *App) warnOfSettings(diags config.Diagnostics) {
	warnings := slices.DeleteFunc(slices.Clone(diags), func(d config.Diagnostic) bool { return d.Severity != config.Warning })
	if len(warnings) > 0 {
		a.Log.Warn("settings of plugins that may have no effect (roomwire config check says more)", "warnings", strings.TrimSpace(warnings.String()))
	}
}
