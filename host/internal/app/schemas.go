package app

import (
	"context"

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

// checkSettings says at the start which sync modes cannot work because of what they give their plugins. The others go on.
func (a *App) checkSettings(ctx context.Context) {
	cfg := a.force.get()
	err := cfg.CheckPlugins(a.schemas(ctx, cfg)).Err()
	if err != nil && ctx.Err() == nil {
		a.Log.Error("settings of plugins are wrong: persons of the sync modes concerned are not synced (roomwire config check says more)", "errors", err.Error())
	}
}
