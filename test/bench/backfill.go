package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// The goals of a backfill.
const (
	goalBackfill     = 500  // bookings a second
	goalServerBusy   = 0.01 // of all requests
	backfillPersons  = 100
	backfillBookings = 5000
)

// measureBackfill switches the sync on for people who have bookings already.
func measureBackfill(ctx context.Context, b *bench, r *result) error {
	var rows [][]string
	var best, worst float64
	for _, c := range []struct {
		name   string
		budget map[string]any
	}{
		{"none", nil},
		{"Exchange's default", map[string]any{}},
		{"a small one", map[string]any{"max_burst_ms": 1000, "recharge_rate_ms": 3600_000, "cutoff_balance_ms": 2000}},
	} {
		o, err := backfill(ctx, b, c.name, c.budget)
		if err != nil {
			return err
		}
		perSecond := backfillBookings / o.took.Seconds()
		if c.budget == nil {
			best = perSecond
		}
		worst = max(worst, o.budget.ServerBusyShare)
		rows = append(rows, []string{
			c.name, fmt.Sprintf("%.1f s", o.took.Seconds()), fmt.Sprintf("%.0f", perSecond), fmt.Sprintf("%.1f", float64(o.requests)/backfillBookings),
			ms(o.cpu / backfillBookings), ms(o.exchangeCPU / backfillBookings), fmt.Sprint(o.budget.Slowed), fmt.Sprint(o.budget.ServerBusy),
			fmt.Sprintf("%.2f %%", 100*o.budget.ServerBusyShare),
		})
	}
	r.table([]string{
		"budget", "took", "bookings a second", "requests per booking", "CPU per booking, host and plugins", "CPU per booking, exchangesim",
		"requests slowed down", "ErrorServerBusy", "share",
	}, rows)
	r.note("%d bookings of %d persons, whose sync is switched on by an import; with subscribing and the first read of each calendar. "+
		"exchangesim shares the cores. The small budget is a burst of 1 s of server time, 1 s coming back a second, cut off at 2 s below zero. "+
		"Goals: at least %d/s without a budget: %s (%.0f); at most 1 %% ErrorServerBusy: %s (worst %.2f %%).",
		backfillBookings, backfillPersons, goalBackfill, verdict(best >= goalBackfill), best, verdict(worst <= goalServerBusy), 100*worst)
	return nil
}

type budgetUse struct {
	Slowed          int     `json:"slowed"`
	ServerBusy      int     `json:"server_busy"`
	ServerBusyShare float64 `json:"server_busy_share"`
}

type backfillOutcome struct {
	took, cpu, exchangeCPU time.Duration
	requests               int
	budget                 budgetUse
}

func backfill(ctx context.Context, b *bench, name string, budget map[string]any) (*backfillOutcome, error) {
	s, err := b.newSite(ctx, "backfill", setup{people: backfillPersons, off: true})
	if err != nil {
		return nil, err
	}
	defer s.stop()
	begin := time.Now().UTC().Truncate(24 * time.Hour).Add(32 * time.Hour)
	err = s.putAll(ctx, backfillBookings, func(i int) booking {
		start := begin.Add(time.Duration(i/backfillPersons) * 2 * time.Hour)
		return booking{
			ID: fmt.Sprintf("b%d", i), Title: fmt.Sprintf("Meeting %d", i), Organizer: person(i % backfillPersons),
			Start: start.Format(time.RFC3339), End: start.Add(time.Hour).Format(time.RFC3339),
		}
	})
	if err != nil {
		return nil, err
	}
	if budget != nil {
		if err := s.do(http.MethodPost, "budget", nil, budget, nil); err != nil {
			return nil, err
		}
	}
	pids := append(s.plugins(), s.host.Process.Pid)
	exchange := s.exchange.cmd.Process.Pid
	before, exchangeBefore := used(pids...).cpu, used(exchange).cpu
	o := &backfillOutcome{}
	began := time.Now()
	err = b.profiled("backfill-"+name, 8, s.processes(), func() error {
		if err := s.switchSync(ctx, true); err != nil {
			return err
		}
		err := s.created(ctx, backfillBookings)
		o.took = time.Since(began) // before any profile is waited for
		return err
	})
	if err != nil {
		return nil, err
	}
	o.cpu, o.exchangeCPU = used(pids...).cpu-before, used(exchange).cpu-exchangeBefore
	if o.requests, err = s.requests(); err != nil {
		return nil, err
	}
	return o, s.do(http.MethodGet, "budget", nil, nil, &o.budget)
}
