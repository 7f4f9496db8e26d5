package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/roomwire/roomwire/test/bench/internal/payload"
)

// The goals for 100,000 persons.
const (
	goalMemory = 1 << 30
	goalIdle   = 0.05 // of a core
	mostPeople = 100_000
	idleFor    = 30 * time.Second
	// statusEvery is how often Exchange gives a sign of life of each subscription, unless configured.
	statusEvery = 30 * time.Minute
)

// measurePersons starts the host with more and more people.
func measurePersons(ctx context.Context, b *bench, r *result) error {
	sizes := []int{1000, 10_000}
	if b.full {
		sizes = append(sizes, mostPeople)
	}
	var rows [][]string
	var first, last *personsOutcome
	for _, n := range sizes {
		o, err := persons(ctx, b, n)
		if err != nil {
			return err
		}
		if first == nil {
			first = o
		}
		last = o
		rows = append(rows, []string{
			fmt.Sprint(n), fmt.Sprintf("%.1f s", o.imported.Seconds()), fmt.Sprintf("%.1f s", o.subscribed.Seconds()),
			ms(o.startCPU / time.Duration(n)), mib(o.memory.rss), fmt.Sprintf("%.1f KiB", float64(o.memory.rss)/float64(n)/1024), mib(o.memory.peak),
			fmt.Sprintf("%.2f %%", 100*o.idle), fmt.Sprintf("%.2f %%", 100*o.alive),
		})
	}
	r.table([]string{
		"persons", "import", "start to all subscribed", "CPU per person", "memory when idle", "per person", "most memory", "idle, of a core", "with signs of life",
	}, rows)
	r.note("Memory and CPU are those of host and plugins together. \"With signs of life\": each subscription gives one every %s, as by "+
		"default. The cost per person from %d to %d persons: CPU at the start %s, memory %s.", statusEvery, first.people, last.people,
		trend(float64(first.startCPU)/float64(first.people), float64(last.startCPU)/float64(last.people)),
		trend(float64(first.memory.rss)/float64(first.people), float64(last.memory.rss)/float64(last.people)))
	if last.people == mostPeople {
		r.note("Goals at %d: at most 1 GiB: %s (%s); at most 5 %% of a core idle: %s (%.1f %% with signs of life).", mostPeople,
			verdict(last.memory.rss <= goalMemory), mib(last.memory.rss), verdict(last.alive <= goalIdle), 100*last.alive)
	}
	return nil
}

func trend(from, to float64) string {
	if to <= from*1.05 {
		return fmt.Sprintf("falls or stays level (times %.2f)", to/from)
	}
	return fmt.Sprintf("**rises** (times %.2f)", to/from)
}

type personsOutcome struct {
	people               int
	imported, subscribed time.Duration
	startCPU             time.Duration
	memory               usage
	idle, alive          float64 // parts of a core
}

func persons(ctx context.Context, b *bench, n int) (*personsOutcome, error) {
	began := time.Now()
	s, err := b.newSite(ctx, fmt.Sprintf("persons-%d", n), setup{people: n, stopped: true})
	if err != nil {
		return nil, err
	}
	defer s.stop()
	o := &personsOutcome{people: n, imported: time.Since(began)}
	began = time.Now()
	if err := s.serve(ctx); err != nil {
		return nil, err
	}
	err = b.profiled(fmt.Sprintf("persons-%d-start", n), 10, s.processes(), func() error {
		return s.awaitFor(ctx, time.Hour, "everybody is subscribed", func() error {
			got, err := s.pushSubscriptions()
			if err == nil && got < n {
				err = fmt.Errorf("%d of %d", got, n)
			}
			o.subscribed = time.Since(began) // before any profile is waited for
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	pids := append(s.plugins(), s.host.Process.Pid)
	o.startCPU = used(pids...).cpu
	if err := s.quiet(ctx); err != nil {
		return nil, err
	}
	time.Sleep(10 * time.Second) // what the start left behind is done by then
	idle := func(do func() error) (float64, error) {
		before, began := used(pids...).cpu, time.Now()
		if err := do(); err != nil {
			return 0, err
		}
		return (used(pids...).cpu - before).Seconds() / time.Since(began).Seconds(), nil
	}
	o.idle, err = idle(func() error {
		return b.profiled(fmt.Sprintf("persons-%d-idle", n), int(idleFor.Seconds()), s.processes(), func() error {
			time.Sleep(idleFor)
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	o.memory = used(pids...)
	subs, err := s.subscriptions()
	if err != nil {
		return nil, err
	}
	addr := strings.TrimPrefix(s.public, "http://")
	o.alive, err = idle(func() error {
		l := load{
			addr: addr, connections: 32, duration: idleFor, every: statusEvery / time.Duration(n),
			request: requestsTo(addr, subs, payload.Status),
		}
		return b.profiled(fmt.Sprintf("persons-%d-alive", n), int(idleFor.Seconds()), s.processes(), func() error {
			_, err := l.run(ctx)
			return err
		})
	})
	return o, err
}
