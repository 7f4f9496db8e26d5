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
	ping, cancel := context.WithTimeout(ctx, pingWithin)
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

func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }
