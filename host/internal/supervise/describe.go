package supervise

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/sdk/launch"
)

// describedAtOnce is how many plugins are started at a time to be asked.
const describedAtOnce = 4

// Describe starts each of the plugins named as it is pinned, takes what it says of itself and stops it. Those that cannot
// be asked have an error that says why.
func Describe(ctx context.Context, o Options, names []string) (map[string]launch.Description, map[string]error) {
	return describe(names, func(name string) (launch.Description, error) { return o.describe(ctx, name) })
}

// Describe returns what plugins say of themselves: those that run are not disturbed, the others are started for it and
// stopped. Those that cannot be asked have an error that says why.
func (s *Supervisor) Describe(ctx context.Context, names []string) (map[string]launch.Description, map[string]error) {
	return describe(names, func(name string) (launch.Description, error) {
		s.mu.Lock()
		k, o := s.keepers[name], s.o
		if s.running == nil { // the keeper would be waited for, and Run may clear the folder of sockets any moment
			k, o.RunDir = nil, ""
		}
		s.mu.Unlock()
		if k != nil {
			if p, err := k.get(ctx); err == nil {
				return p.Description(), nil
			}
		}
		return o.describe(ctx, name)
	})
}

// describe asks several plugins at once.
func describe(names []string, ask func(name string) (launch.Description, error)) (map[string]launch.Description, map[string]error) {
	var mu sync.Mutex
	about, errs := map[string]launch.Description{}, map[string]error{}
	var g errgroup.Group
	g.SetLimit(describedAtOnce)
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		g.Go(func() error {
			d, err := ask(name)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs[name] = err
			} else {
				about[name] = d
			}
			return nil // one that cannot be asked is no reason not to ask the others
		})
	}
	_ = g.Wait()
	return about, errs
}

// describe starts one plugin as it is pinned, asks it and stops it.
func (o Options) describe(ctx context.Context, name string) (launch.Description, error) {
	pin, err := pinned(o.Dir, name)
	if err != nil {
		return launch.Description{}, err
	}
	return DescribeBinary(ctx, o, pin)
}

// DescribeBinary starts a binary of the plugin folder, which need not be pinned, takes what it says of itself and stops it.
func DescribeBinary(ctx context.Context, o Options, pin Pin) (launch.Description, error) {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	p, err := o.launch(ctx, pin)
	if err != nil {
		return launch.Description{}, err
	}
	about := p.Description()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := p.Stop(stop); err != nil {
		return launch.Description{}, fmt.Errorf("stop plugin %s, which was only asked what it is: %w", pin.Name, err)
	}
	return about, nil
}

// SchemaOf is what a plugin declares, for package config.
func SchemaOf(name string, d launch.Description) config.PluginSchema {
	out := config.PluginSchema{Plugin: name}
	for _, s := range d.Settings {
		out.Settings = append(out.Settings, config.PluginSetting{Name: s.Name, Type: s.Type, Doc: s.Doc, Required: s.Required, Secret: s.Secret})
	}
	return out
}

// Fit makes what a plugin is opened with from what a sync mode gives it and the running process declares.
func Fit(mode config.SyncMode, plugin string) func(launch.Description) map[string]any {
	return func(d launch.Description) map[string]any {
		return mode.SettingsFor(plugin, SchemaOf(plugin, d)).Reveal()
	}
}
