package supervise

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/launch"
)

// The back-off between starts of a plugin that does not stay up.
const (
	firstRest = time.Second
	longRest  = time.Minute
	// goodRun is how long a plugin must have run for its earlier ends to be forgotten.
	goodRun = time.Minute
)

// A process is what a keeper keeps; *launch.Process is one.
type process interface {
	Description() launch.Description
	Exited() <-chan struct{}
	ExitErr() error
	Stop(ctx context.Context) error
}

// A keeper keeps one plugin's process running.
type keeper struct {
	name  string
	log   hclog.Logger
	start func(ctx context.Context) (process, error)
	stop  context.CancelFunc // ends run; nil before it; guarded by the Supervisor's lock

	mu       sync.Mutex
	proc     process // nil while down
	down     error   // why it is down
	since    time.Time
	restarts int
	ready    chan struct{} // closed when proc is set, or when the first start has failed
	tried    bool
}

func newKeeper(name string, log hclog.Logger, start func(ctx context.Context) (process, error)) *keeper {
	return &keeper{name: name, log: log, start: start, ready: make(chan struct{}), since: time.Now()}
}

// run keeps the process running until ctx ends, then drains and stops it.
func (k *keeper) run(ctx context.Context) {
	rest, said := firstRest, ""
	for {
		began := time.Now()
		ran, err := k.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) >= goodRun {
			rest = firstRest
		}
		level := hclog.Warn
		why := fmt.Sprint(err)
		if !ran && why == said {
			level = hclog.Debug // once is enough: a plugin that a sync mode names may be away for good
		}
		said = why
		k.log.Log(level, "a plugin is down; it is tried again", "plugin", k.name, "error", err, "in", rest)
		t := time.NewTimer(rest)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		rest = min(2*rest, longRest)
	}
}

// once starts the process and waits for its end; ran reports whether it was started.
func (k *keeper) once(ctx context.Context) (ran bool, _ error) {
	p, err := k.start(ctx)
	if err != nil {
		k.set(nil, err)
		return false, err
	}
	k.set(p, nil)
	about := p.Description()
	k.log.Info("a plugin runs", "plugin", k.name, "version", about.Version)
	select {
	case <-p.Exited():
		err := fmt.Errorf("it ended by itself: %w", cause(p.ExitErr()))
		k.set(nil, err)
		return true, err
	case <-ctx.Done():
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		if err := p.Stop(stop); err != nil {
			k.log.Warn("a plugin was stopped before its calls were done", "plugin", k.name, "error", err)
		}
		k.set(nil, errors.New("it was stopped"))
		return true, ctx.Err()
	}
}

func cause(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

func (k *keeper) set(p process, down error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p != nil && k.tried {
		k.restarts++
	}
	k.proc, k.down, k.since = p, down, time.Now()
	if !k.tried {
		k.tried = true
		close(k.ready)
	}
}

// get returns the running process. It waits for the first start, and then for nothing: while the plugin is down it
// says since when and why.
func (k *keeper) get(ctx context.Context) (process, error) {
	select {
	case <-k.ready:
	case <-ctx.Done():
		return nil, fmt.Errorf("plugin %s is still being started: %w", k.name, ctx.Err())
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.proc == nil {
		// The reason's own kind, if any, is about the start; to a call the plugin is just not there.
		return nil, fmt.Errorf("plugin %s does not run (since %s): %v: %w",
			k.name, k.since.UTC().Format("2006-01-02 15:04:05 MST"), k.down, fault.Unavailable)
	}
	return k.proc, nil
}

// launcher returns a function that starts a plugin as it is pinned at that moment.
func launcher(dir, runDir, name string, log hclog.Logger) func(context.Context) (process, error) {
	return func(ctx context.Context) (process, error) {
		pin, err := pinned(dir, name)
		if err != nil {
			return nil, err
		}
		sum, err := hex.DecodeString(pin.SHA256)
		if err != nil {
			return nil, err
		}
		path := filepath.Join(dir, pin.File)
		found, err := launch.Sum(path)
		if err != nil {
			return nil, fmt.Errorf("read the binary of plugin %s: %w; put it back, or correct plugins.dir", name, err)
		}
		if got := hex.EncodeToString(found); got != pin.SHA256 {
			return nil, fmt.Errorf("%s is not the binary that was pinned (SHA-256 %s, pinned %s): if the change is meant, run `roomwire plugin lock`, else put the old binary back",
				path, got, pin.SHA256)
		}
		p, err := launch.Start(ctx, launch.Options{Path: path, SHA256: sum, Log: log.Named(name), RunDir: runDir})
		if err != nil {
			return nil, err
		}
		if got := string(p.Description().Kind); got != pin.Kind {
			stop, cancel := context.WithTimeout(ctx, drainTime)
			defer cancel()
			_ = p.Stop(stop)
			return nil, fmt.Errorf("%s says that it is an %s plugin, but is named as a plugin of kind %s", path, got, pin.Kind)
		}
		return p, nil
	}
}
