package supervise

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/launch"
)

// How a running plugin is looked after.
const (
	// lookEvery is how often its memory is read; every pingEach-th time it must answer, too.
	lookEvery = 5 * time.Second
	pingEach  = 2
	// pingWithin is how long it may take to answer, and silentAfter how often in a row it may fail to.
	pingWithin  = 10 * time.Second
	silentAfter = 3
)

// A pace is how often a plugin is looked at, and how long it may take to answer.
type pace struct{ look, ping time.Duration }

// health is what is known of one process.
type health struct {
	looks, silent int
	told          bool // of its memory
}

// errTooLarge is why a process is ended that uses more memory than it may.
var errTooLarge = errors.New("more than plugins.memory_limit allows")

// look reads what the process uses and asks it for a sign of life. An error is why it must be ended: it answers nothing
// any more, or uses more memory than it may.
func (k *keeper) look(ctx context.Context, p process, h *health) error {
	if used, known := k.measure(p); known {
		switch over := k.limit > 0 && used.Memory > k.limit; {
		case over && used.Memory > 2*k.limit:
			return fmt.Errorf("it used %s of memory, more than twice what plugins.memory_limit allows (%s), and was ended", mebibytes(used.Memory), mebibytes(k.limit))
		case over && k.mayRenew():
			return fmt.Errorf("it used %s of memory, %w (%s), and was ended", mebibytes(used.Memory), errTooLarge, mebibytes(k.limit))
		}
		if near := k.limit / 10 * 8; k.limit > 0 && used.Memory > near && !h.told {
			h.told = true
			k.log.Warn("a plugin uses most of the memory it may", "plugin", k.name, "memory", mebibytes(used.Memory), "limit", mebibytes(k.limit))
		}
	}
	if h.looks++; h.looks%pingEach != 0 {
		return nil
	}
	ping, cancel := context.WithTimeout(ctx, k.pace.ping)
	defer cancel()
	err := p.Ping(ping)
	if err == nil || ctx.Err() != nil {
		h.silent = 0
		return nil
	}
	if h.silent++; h.silent < silentAfter {
		k.log.Warn("a plugin does not answer", "plugin", k.name, "error", err, "times", h.silent)
		return nil
	}
	return fmt.Errorf("it hung, and was ended: it gave no sign of life %d times in a row: %v: %w", h.silent, err, fault.Unavailable)
}

// measure reads what the process uses.
func (k *keeper) measure(p process) (launch.Usage, bool) {
	used, err := p.Usage()
	if err != nil {
		return used, false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now.process == p {
		k.used = used
		if n := p.LogDropped(); n > k.noisy {
			k.noisy, k.noisyAt = n, time.Now()
		}
	}
	return used, true
}

// turnOut ends a process that is not well. One that still answers goes on with its calls until they are over, while
// another takes the new ones.
func (k *keeper) turnOut(ctx context.Context, p process, why error) error {
	if errors.Is(why, errTooLarge) {
		return k.renew(ctx, p, why)
	}
	k.log.Error("a plugin is ended", "plugin", k.name, "error", why)
	p.Kill()
	<-p.Exited()
	return why
}

// renew replaces a process by another of the pinned binary. One that needs to be replaced again and again is given longer
// and longer. An error means that it was ended without another.
func (k *keeper) renew(ctx context.Context, p process, why error) error {
	select {
	case k.swapping <- struct{}{}:
		defer func() { <-k.swapping }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if k.current().process != p {
		return nil // it was replaced meanwhile
	}
	k.log.Error("a plugin is replaced by a new process", "plugin", k.name, "error", why)
	next, err := k.start(ctx)
	if err != nil {
		p.Kill()
		<-p.Exited()
		return why
	}
	lasted := k.age()
	old, err := k.replace(next)
	if err != nil {
		k.retire(ctx, next.process, drainTime)
		return err
	}
	k.mu.Lock()
	k.restarts++
	k.last, k.lastAt, k.renewed = why, time.Now(), time.Now()
	if k.loop++; lasted >= k.patience+goodRun { // not only because it was let
		k.loop, k.patience = 0, 0
	}
	k.patience = min(max(2*k.patience, lookEvery), longRest)
	k.mu.Unlock()
	k.draining.Go(func() { k.retire(ctx, old, usualDrain) })
	return nil
}

// mayRenew reports whether it is time to replace a process that is too large.
func (k *keeper) mayRenew() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Since(k.renewed) >= k.patience
}

func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }
