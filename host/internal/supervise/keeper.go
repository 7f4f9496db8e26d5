package supervise

import (
	"context"
	"errors"
	"fmt"
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
	// fairRun is how long a plugin must have run to be started again at once: one crash shall cost nobody anything.
	fairRun = 10 * time.Second
	// goodRun is how long a plugin must have run for its earlier ends to be forgotten.
	goodRun = time.Minute
	// loopAfter is how many starts in a row must have come to nothing for a plugin to be called one that does not stay up.
	loopAfter = 3
)

// A process is what a keeper keeps; *launch.Process is one.
type process interface {
	Description() launch.Description
	Exited() <-chan struct{}
	ExitErr() error
	Stop(ctx context.Context) error
	// Kill ends the process at once.
	Kill()
	Ping(ctx context.Context) error
	Usage() (launch.Usage, error)
	LogDropped() int64
	LastWords() string
	Protocol() int
	PID() int
}

// A keeper keeps one plugin's process running.
type keeper struct {
	name  string
	log   hclog.Logger
	start func(ctx context.Context) (live, error)
	stop  context.CancelFunc // ends run; nil before it; guarded by the Supervisor's lock
	limit int64              // of the process's memory, in bytes; 0: none
	pace  pace
	calls *calls

	swapping chan struct{} // of capacity 1; held by who replaces the process
	draining sync.WaitGroup
	replaced chan struct{} // of capacity 1; says that the process is another

	mu       sync.Mutex
	now      live  // its process is nil while down
	down     error // why it is down
	last     error // why the process before ended, if by itself
	lastAt   time.Time
	renewed  time.Time     // when a process that was too large was replaced last
	patience time.Duration // how long after that the next may be
	since    time.Time
	retry    time.Time // when it is started again; zero while it runs or is being started
	restarts int
	loop     int           // starts in a row that came to nothing soon
	used     launch.Usage  // as last looked at
	dropped  int64         // lines of log that processes before were too fast with
	noisy    int64         // lines that the process has dropped, as last looked at
	noisyAt  time.Time     // when that grew last
	ready    chan struct{} // closed when it is known what becomes of the first start, or of one that follows at once
	known    bool          // ready is closed
	tried    bool
	over     bool  // run has ended
	halted   error // why somebody ended the process that is there; nil if nobody did
}

// live is a process with the binary that it runs.
type live struct {
	process
	file, sum string
}

func newKeeper(name string, log hclog.Logger, start func(ctx context.Context) (live, error)) *keeper {
	return &keeper{
		name: name, log: log, start: start, ready: make(chan struct{}), since: time.Now(), calls: newCalls(), pace: pace{look: lookEvery, ping: pingWithin},
		swapping: make(chan struct{}, 1), replaced: make(chan struct{}, 1),
	}
}

// run keeps the process running until ctx ends, then drains and stops it.
func (k *keeper) run(ctx context.Context) {
	defer k.end(ctx)
	rest, said := firstRest, ""
	for {
		p, lasted, err := k.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if lasted >= goodRun {
			rest = firstRest
		}
		wait, fair := time.Duration(0), lasted >= fairRun || k.wasHalted() != nil
		if !fair {
			wait, rest = rest, min(2*rest, longRest)
		}
		if !k.fell(p, err, fall{fair: fair, wait: wait}) {
			continue // somebody has put another process there
		}
		level := hclog.Warn
		why := fmt.Sprint(err)
		if p == nil && why == said {
			level = hclog.Debug // once is enough: a plugin that a sync mode names may be away for good
		}
		said = why
		k.log.Log(level, "a plugin is down; it is tried again", "plugin", k.name, "error", err, "in", wait)
		if !k.sleep(ctx, wait) {
			return
		}
	}
}

// sleep waits, but no longer than until somebody has put another process into place.
func (k *keeper) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-k.replaced:
	case <-t.C:
	}
	return true
}

// once starts the process, unless somebody has put one into place, and waits for its end. It returns the process that has
// ended and how long that ran; none if none could be started.
func (k *keeper) once(ctx context.Context) (p process, lasted time.Duration, _ error) {
	now := k.current()
	if now.process == nil {
		k.starting()
		started, err := k.start(ctx)
		if err != nil {
			return nil, 0, err
		}
		var ours bool
		if now, ours = k.put(started); !ours {
			k.retire(ctx, started.process, drainTime)
		}
	}
	for {
		err := k.attend(ctx, now.process)
		next := k.current()
		if ctx.Err() != nil || next.process == now.process || next.process == nil {
			return now.process, k.age(), err
		}
		now = next
	}
}

// attend looks after a process until it ends, is replaced, or ctx ends.
func (k *keeper) attend(ctx context.Context, p process) error {
	look := time.NewTicker(k.pace.look)
	defer look.Stop()
	health := health{}
	k.measure(p)
	for {
		select {
		case <-p.Exited():
			if why := k.wasHalted(); why != nil {
				return why
			}
			return ended(p)
		case <-ctx.Done():
			return ctx.Err()
		case <-k.replaced:
			if k.current().process != p {
				return nil
			}
		case <-look.C:
			if err := k.look(ctx, p, &health); err != nil {
				return k.turnOut(ctx, p, err)
			}
		}
	}
}

// retire drains and stops a process that nobody needs any more.
func (k *keeper) retire(ctx context.Context, p process, within time.Duration) {
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	if err := p.Stop(stop); err != nil {
		k.log.Warn("a plugin was stopped before its calls were done", "plugin", k.name, "error", err)
	}
}

// end stops the process for good.
func (k *keeper) end(ctx context.Context) {
	k.mu.Lock()
	k.over = true
	p := k.now.process
	k.mu.Unlock()
	if p != nil {
		k.retire(ctx, p, drainTime)
	}
	k.draining.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.count(p)
	k.now, k.down, k.since, k.retry = live{}, errors.New("it was stopped"), time.Now(), time.Time{}
	k.tell()
}

// ended says how a process ended by itself.
func ended(p process) error {
	how := p.ExitErr()
	if how == nil {
		how = errors.New("exit status 0")
	}
	if last := p.LastWords(); last != "" {
		return fmt.Errorf("it ended by itself: %w; it said last: %s", how, last)
	}
	return fmt.Errorf("it ended by itself: %w", how)
}

// halt says that the process that is there is ended by a command; it is returned, nil if there is none.
func (k *keeper) halt(why error) process {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now.process != nil {
		k.halted = why
	}
	return k.now.process
}

func (k *keeper) wasHalted() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.halted
}

// lastEnd is why the process before ended, or why there is none.
func (k *keeper) lastEnd() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.last != nil:
		return k.last
	case k.down != nil:
		return k.down
	}
	return errors.New("it was replaced meanwhile")
}

func (k *keeper) current() live {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now
}

// age returns how long the process has run that is there, or was there last.
func (k *keeper) age() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Since(k.since)
}

func (k *keeper) starting() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.retry = time.Time{}
}

// put has calls go to a process that was just started, unless there is one already, which it returns then.
func (k *keeper) put(r live) (now live, ours bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now.process != nil {
		return k.now, false
	}
	if k.tried {
		k.restarts++
	}
	k.set(r)
	return r, true
}

// set has calls go to a process; mu is held. It counts no restart.
func (k *keeper) set(r live) {
	k.tried, k.halted = true, nil
	k.count(k.now.process)
	k.now, k.down, k.since, k.retry = r, nil, time.Now(), time.Time{}
	k.used, k.noisy = launch.Usage{}, 0
	k.tell()
	k.log.Info("a plugin runs", "plugin", k.name, "version", r.Description().Version)
}

// replace has calls go to another process than the one that is there, and returns that one.
func (k *keeper) replace(r live) (old process, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over {
		return nil, errors.New("the host is being stopped, or nobody uses the plugin any more")
	}
	old = k.now.process
	k.set(r)
	select {
	case k.replaced <- struct{}{}:
	default:
	}
	return old, nil
}

// A fall is how a process ended, or could not be started.
type fall struct {
	fair bool          // it had run for some time
	wait time.Duration // until it is started again; 0: at once, and calls wait for it
}

// fell records that process p is down, nil if none could be started. It reports whether it is so: if another has been put
// there meanwhile, nothing is down.
func (k *keeper) fell(p process, why error, f fall) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now.process != nil && k.now.process != p {
		return false
	}
	if k.now.process != nil && k.halted == nil {
		k.last, k.lastAt = why, time.Now()
	}
	k.count(k.now.process)
	k.halted = nil
	k.now, k.down, k.since, k.retry = live{}, why, time.Now(), time.Now().Add(f.wait)
	switch {
	case f.fair, notInstalled(why):
		k.loop = 0
	default:
		k.loop++
	}
	if f.wait == 0 {
		k.ready, k.known = make(chan struct{}), false
		return true
	}
	k.tried = true
	k.tell()
	return true
}

// A notInstalledError is why a plugin does not run that is not pinned at all: nothing is wrong with it.
type notInstalledError struct{ text string }

// Error implements error.
func (e *notInstalledError) Error() string { return e.text }

func notInstalled(err error) bool {
	_, is := errors.AsType[*notInstalledError](err)
	return is
}

// count keeps what a process that is gone has counted; mu is held.
func (k *keeper) count(p process) {
	if p != nil {
		k.dropped += p.LogDropped()
	}
}

// tell lets go those who wait for a start; mu is held.
func (k *keeper) tell() {
	if !k.known {
		k.known = true
		close(k.ready)
	}
}

// get returns the running process. It waits for the first start and for one that follows a crash at once, and then for
// nothing: while the plugin is down it says since when and why.
func (k *keeper) get(ctx context.Context) (process, error) {
	k.mu.Lock()
	ready := k.ready
	k.mu.Unlock()
	select {
	case <-ready:
	case <-ctx.Done():
		return nil, fmt.Errorf("plugin %s is still being started: %w", k.name, ctx.Err())
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now.process == nil {
		// The reason's own kind, if any, is about the start; to a call the plugin is just not there.
		return nil, fmt.Errorf("plugin %s does not run (since %s): %v: %w",
			k.name, k.since.UTC().Format("2006-01-02 15:04:05 MST"), k.down, fault.Unavailable)
	}
	return k.now.process, nil
}

// moved reports whether calls go to another process than p by now.
func (k *keeper) moved(p process) bool {
	now := k.current().process
	return now != nil && now != p
}
