// Package supervise starts plugins, keeps them running, and hands out what they offer as handles that outlive any of
// their processes.
//
// Only binaries that are pinned in plugins.lock are started. A plugin that crashes is started again after a rest of 1 s
// to 1 min; calls under way fail as fault.Unavailable, and the next call opens its instance anew. What fails is
// contained to those who use the plugin.
package supervise

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// drainTime is how long calls under way may take when a plugin is stopped.
const drainTime = 10 * time.Second

// Options makes a Supervisor.
type Options struct {
	Dir    string // of the plugin binaries and plugins.lock
	RunDir string // for the plugins' sockets
	Log    hclog.Logger
	// MemoryLimit is how much memory one plugin's process may use, in bytes; 0: as much as there is. One that uses more is
	// replaced by a new one.
	MemoryLimit int64

	pace pace // for tests; zero: the usual one
}

// A Supervisor keeps plugins. It is safe for concurrent use.
type Supervisor struct {
	o Options

	mu      sync.Mutex
	keepers map[string]*keeper
	auths   map[string]*authenticator
	handles map[*Backend]bool // those in use
	running context.Context   // nil before Run
	wait    sync.WaitGroup
}

// New returns a Supervisor of the plugins in o.Dir. Nothing is started before Run.
func New(o Options) *Supervisor {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	return &Supervisor{o: o, keepers: map[string]*keeper{}, auths: map[string]*authenticator{}, handles: map[*Backend]bool{}}
}

// Run keeps the plugins running that somebody has a handle of, until ctx ends; then it drains and stops them all.
func (s *Supervisor) Run(ctx context.Context) error {
	if err := s.clearRunDir(); err != nil {
		return err
	}
	s.mu.Lock()
	s.running = ctx
	for _, k := range s.keepers {
		s.keep(k)
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()   // no keeper is added from now on
	s.mu.Unlock() //nolint:staticcheck // it is only waited for
	s.wait.Wait()
	return ctx.Err()
}

// socketDirs is what the names of the folders begin with that go-plugin makes in RunDir, one for each process.
const socketDirs = "plugin-dir"

// clearRunDir makes the folder of the plugins' sockets and removes what a killed host left in it. It touches nothing
// else: where the database lies in a folder with a "run" of its own, that may be anybody's.
func (s *Supervisor) clearRunDir() error {
	if s.o.RunDir == "" {
		return nil
	}
	if err := os.MkdirAll(s.o.RunDir, 0o700); err != nil {
		return fmt.Errorf("make the folder of the plugins' sockets: %w", err)
	}
	entries, err := os.ReadDir(s.o.RunDir)
	if err != nil {
		return fmt.Errorf("read the folder of the plugins' sockets: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), socketDirs) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(s.o.RunDir, e.Name())); err != nil {
			s.o.Log.Warn("what a killed host left behind cannot be removed; it is in nobody's way", "error", err)
		}
	}
	return nil
}

// keep runs a keeper; s.mu is held.
func (s *Supervisor) keep(k *keeper) {
	if s.running != nil && s.running.Err() == nil {
		ctx, stop := context.WithCancel(s.running)
		k.stop = stop
		s.wait.Go(func() { k.run(ctx) })
	}
}

// keeper returns the keeper of a plugin, making it at its first use; s.mu is held.
func (s *Supervisor) keeper(name string) *keeper {
	if k := s.keepers[name]; k != nil {
		return k
	}
	k := newKeeper(name, s.o.Log, launcher(s.o, name))
	k.limit = s.o.MemoryLimit
	if s.o.pace != (pace{}) {
		k.pace = s.o.pace
	}
	s.keepers[name] = k
	s.keep(k)
	return k
}
