package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// How many plugins run idle, and how long they are looked at.
const (
	manyPlugins    = 20
	idlePluginsFor = time.Minute
)

// measureIdlePlugins starts a host with many plugin processes that nobody syncs through.
func measureIdlePlugins(ctx context.Context, b *bench, r *result) error {
	var rows [][]string
	var few, many *idleOutcome
	for _, n := range []int{2, manyPlugins} {
		o, err := idlePlugins(ctx, b, n)
		if err != nil {
			return err
		}
		if few == nil {
			few = o
		}
		many = o
		rows = append(rows, []string{
			fmt.Sprint(n), fmt.Sprintf("%.2f s", o.up.Seconds()), mib(o.each[len(o.each)/2]), mib(slices.Max(o.each)), mib(o.plugins.rss), mib(o.plugins.anonymous),
			mib(o.host.rss), percent(o.pluginsCPU), percent(o.hostCPU),
		})
	}
	r.table([]string{
		"plugin processes", "start to all running", "memory of one, median", "most", "of all plugins", "of it their own, not of the binary", "of the host",
		"CPU of all plugins, of a core", "CPU of the host",
	}, rows)
	more := float64(manyPlugins - few.n)
	r.note("Each process is a copy of the EWS backend under a name of its own, so none shares its binary's pages with another; one is the NTLM plugin. "+
		"Nobody is synced. Memory is resident memory after %s idle; CPU is of that time, with a sign of life of each process every 10 s and a look at "+
		"its memory every 5 s. One process more costs %s of memory and %.3f %% of a core (host and process together). No goal was set.",
		idlePluginsFor, mib(int64(float64(many.plugins.rss+many.host.rss-few.plugins.rss-few.host.rss)/more)),
		100*(many.pluginsCPU+many.hostCPU-few.pluginsCPU-few.hostCPU)/more)
	return nil
}

func percent(part float64) string { return fmt.Sprintf("%.2f %%", 100*part) }

type idleOutcome struct {
	n                   int
	up                  time.Duration
	each                []int64 // memory of each plugin, sorted
	plugins, host       usage
	pluginsCPU, hostCPU float64 // parts of a core
}

// idlePlugins runs a host with n plugin processes: the usual two, and copies of the backend.
func idlePlugins(ctx context.Context, b *bench, n int) (*idleOutcome, error) {
	files := map[string]string{backendPlugin: backendPlugin, authPlugin: authPlugin}
	var modes strings.Builder
	for i := 1; len(files) < n; i++ {
		files[fmt.Sprintf("backend-copy%d", i)] = backendPlugin
		fmt.Fprintf(&modes, "sync_mode \"Copy%[1]d\" {\n  backend = \"copy%[1]d\"\n}\n", i)
	}
	s, err := b.newSite(ctx, fmt.Sprintf("idle-plugins-%d", n), setup{plugins: files, modes: modes.String()})
	if err != nil {
		return nil, err
	}
	defer s.stop()
	o := &idleOutcome{n: n}
	var states []pluginState
	err = s.await(ctx, "all plugins run", func() (err error) {
		if states, err = s.pluginStates(); err != nil {
			return err
		}
		if len(states) != n || slices.ContainsFunc(states, func(p pluginState) bool { return !p.Running }) {
			return fmt.Errorf("%d plugins: %+v", len(states), states)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, p := range states {
		o.up = max(o.up, p.Since.Sub(s.spawned))
	}
	time.Sleep(10 * time.Second) // what the start left behind is done by then
	pids := make([]int, len(states))
	for i, p := range states {
		pids[i] = p.PID
	}
	began, plugins, host := time.Now(), used(pids...), used(s.host.Process.Pid)
	select {
	case <-time.After(idlePluginsFor):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	o.plugins, o.host = used(pids...), used(s.host.Process.Pid)
	took := time.Since(began).Seconds()
	o.pluginsCPU, o.hostCPU = (o.plugins.cpu-plugins.cpu).Seconds()/took, (o.host.cpu-host.cpu).Seconds()/took
	for _, pid := range pids {
		o.each = append(o.each, used(pid).rss)
	}
	slices.Sort(o.each)
	if states, err = s.pluginStates(); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(states, func(p pluginState) bool { return p.Restarts > 0 }) {
		return nil, errors.New("a plugin did not stay up while nothing was asked of it")
	}
	return o, nil
}
