// Package demo shows the whole program at work on one machine, to somebody who has never seen it.
//
// It starts an Exchange of its own (exchangesim, over TLS, on-premises and Online) and the host with its real plugins, on a configuration as an
// administrator would write it, and walks through the processes A to F on-premises, and G in Exchange Online, where a person
// is moved from EWS to Microsoft Graph: each step says what is done, what both sides hold afterwards, who was mailed and how
// long it took. Nothing outside its folder is touched.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/roomwire/roomwire/host/internal/supervise"
)

// ErrFailed means that a step did not go as it should, or that the demonstration could not be set up. What is to be said
// about it stands in the output.
var ErrFailed = errors.New("the demonstration failed")

// ErrInterrupted means that the demonstration was stopped before its last step.
var ErrInterrupted = errors.New("the demonstration was interrupted")

// Options say how the demonstration is run. Out is required.
type Options struct {
	Out   io.Writer
	Color bool // Out is a terminal that understands colours
	// Once ends the demonstration after its last step; else it stays up until its context ends.
	Once bool
	// KeepData is a new or empty folder for everything that is written, kept in the end; empty: a temporary one, removed.
	KeepData string
	// PluginDir holds the plugins and plugins.lock; empty: the folder "plugins" beside the executable.
	PluginDir string
	Version   string
}

// stepLimit is how long one step may take. Steps take milliseconds; this is for when something is broken.
const stepLimit = 20 * time.Second

// Run runs the demonstration until it is done or ctx ends, and cleans up. Its error is ErrFailed, ErrInterrupted, or says
// why the demonstration could not begin.
func Run(ctx context.Context, o Options) error {
	plugins, err := pluginDir(o.PluginDir)
	if err != nil {
		return err
	}
	dir, remove, err := folder(o.KeepData)
	if err != nil {
		return err
	}
	defer remove()

	p := &paper{out: o.Out, color: o.Color}
	p.title("Roomwire demonstration")
	p.text("Bookings live in a booking system, appointments in Exchange. Roomwire keeps the two the same.",
		"Here a stand-in for Exchange, on-premises and Online, and the real host run on this machine; times are those of Berlin.")
	p.gap()

	st, err := raise(ctx, stageOptions{dir: dir, plugins: plugins, version: o.Version})
	if err != nil {
		if ctx.Err() != nil {
			return ErrInterrupted
		}
		return err
	}
	defer st.close()
	st.introduce(p)

	sc, err := newScene(st, p)
	if err != nil {
		return err
	}
	r := &runner{paper: p, limit: stepLimit, log: st.log, begin: sc.begin, took: sc.took}
	failed := r.run(st.ctx, story(sc))
	if ctx.Err() != nil {
		p.gap()
		p.text("Interrupted.")
		return ErrInterrupted
	}
	r.summary(failed, sc.counts())
	switch {
	case o.KeepData != "":
		p.text("Configuration, database and logs are kept in " + dir + ".")
	case failed && o.Once:
		p.text("With --keep-data DIR the logs are kept.")
	}
	if !o.Once && st.ctx.Err() == nil {
		if err := sc.invite(ctx); err != nil {
			return err
		}
		<-st.ctx.Done()
		if ctx.Err() == nil {
			return context.Cause(st.ctx)
		}
		p.gap()
		p.text("Stopped.")
	}
	if failed {
		return ErrFailed
	}
	return nil
}

// pluginDir finds the folder of the plugins and sees that they were built.
func pluginDir(dir string) (string, error) {
	if dir == "" {
		exe, err := os.Executable()
		if err != nil {
			return "", fmt.Errorf("find out where this program lies: %w", err)
		}
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		dir = filepath.Join(filepath.Dir(exe), "plugins")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("the plugin folder: %w", err)
	}
	const remedy = "`make build` builds and pins the plugins, `make demo` does that and starts the demonstration"
	entries, err := supervise.List(dir)
	if err != nil {
		return "", fmt.Errorf("the plugins are not built, or not pinned: %w; %s", err, remedy)
	}
	for _, name := range pluginsUsed() {
		i := slices.IndexFunc(entries, func(e supervise.Entry) bool { return e.Name == name })
		switch {
		case i < 0:
			return "", fmt.Errorf("the plugin %s is not in %s; %s", name, dir, remedy)
		case entries[i].State != supervise.StateGood:
			return "", fmt.Errorf("the plugin %s in %s is %s; %s", name, dir, entries[i].State, remedy)
		}
	}
	return dir, nil
}

// pluginsUsed are the plugins that the demonstration's configuration needs.
func pluginsUsed() []string {
	return []string{"auth-ntlm", "auth-basic", "auth-oauth", "backend-exchange2013", "backend-exchangeonline", "backend-graph"}
}

// folder makes the folder for everything that is written. remove takes a temporary one away.
func folder(keep string) (dir string, remove func(), err error) {
	if keep == "" {
		dir, err = os.MkdirTemp("", "roomwire-demo-")
		if err != nil {
			return "", nil, fmt.Errorf("make a temporary folder: %w", err)
		}
		return dir, func() { _ = os.RemoveAll(dir) }, nil
	}
	if dir, err = filepath.Abs(keep); err != nil {
		return "", nil, fmt.Errorf("the folder %s: %w", keep, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, fmt.Errorf("make the folder %s: %w", dir, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", nil, fmt.Errorf("read the folder %s: %w", dir, err)
	}
	if len(entries) > 0 {
		return "", nil, fmt.Errorf("the folder %s is not empty: name a new one, the demonstration begins from nothing", dir)
	}
	return dir, func() {}, nil
}
