package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the store of a site is opened beside its host
)

// How many mailboxes are reconciled, and the goal; at most reconcileAtOnce of them at a time.
const (
	reconcilePersons = 5000
	reconcileAtOnce  = 10
	reconcileLatency = 20 * time.Millisecond
	goalReconcile    = 2 // requests per mailbox, if nothing has changed
	longestReconcile = 30 * time.Minute
	// reconcileRest is how old the last change in a folder must be for Exchange's word on it to be taken; see the EWS plugin.
	reconcileRest = 130 * time.Second
)

// measureReconcile has everybody's mailbox on an Exchange server compared with its bookings, as happens once a day.
func measureReconcile(ctx context.Context, b *bench, r *result) error {
	return measureReconcileOver(ctx, b, r, setup{sync: map[string]string{"workers_per_server": fmt.Sprint(reconcileAtOnce)}}, reconcileAtOnce)
}

// measureReconcileGraph does the same over Graph, to which four times as many requests are under way as are configured.
func measureReconcileGraph(ctx context.Context, b *bench, r *result) error {
	const workers = reconcileAtOnce / 4
	return measureReconcileOver(ctx, b, r, setup{online: modeGraph, sync: map[string]string{"workers_per_server": fmt.Sprint(workers)}}, 4*workers)
}

func measureReconcileOver(ctx context.Context, b *bench, r *result, o setup, atOnce int) error {
	rounds, err := reconcile(ctx, b, o)
	if err != nil {
		return err
	}
	var rows [][]string
	met := 0.0
	for _, o := range rounds {
		perMailbox := float64(o.asked.requests()) / reconcilePersons
		if o.changed == 0 {
			met = perMailbox
		}
		per := func(n int) string { return fmt.Sprintf("%.2f", float64(n)/reconcilePersons) }
		rows = append(rows, []string{
			o.what, fmt.Sprintf("%.2f", perMailbox), o.asked.tell(per), fmt.Sprintf("%.1f s", o.took.Seconds()),
			fmt.Sprintf("%.1f", float64(o.asked.requests())*reconcileLatency.Seconds()/o.took.Seconds()),
			ms(o.cpu / reconcilePersons), fmt.Sprint(o.asked.writes()),
		})
	}
	r.table([]string{
		"changed since the last time", "requests per mailbox", "of which", "took", "of it under way on average", "CPU per mailbox, host and plugins", "writes",
	}, rows)
	r.note("%d mailboxes with a booking each, all of which become due at once; %s latency for every request, at most %d at once. "+
		"With \"1 of 10\" the item of every tenth mailbox was moved in Outlook and its notice never came; all moves were found and are in the bookings. "+
		"\"Of it under way\" is the latency of all requests divided by the time: what is below %[3]d, the machine or we were in the way. "+
		"Goal: at most %d requests per mailbox in which nothing has changed: %s (%.2f).",
		reconcilePersons, reconcileLatency, atOnce, goalReconcile, verdict(met <= goalReconcile), met)
	return nil
}

// A reconcileOutcome is one round over all mailboxes.
type reconcileOutcome struct {
	what      string
	changed   int // mailboxes
	asked     calls
	took, cpu time.Duration
}

func reconcile(ctx context.Context, b *bench, o setup) ([]*reconcileOutcome, error) {
	s, err := b.bookingEach(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	store, err := s.openStore(ctx)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	err = s.do(http.MethodPost, "faults", nil, map[string]any{"kind": "latency", "count": -1, "delay_ms": reconcileLatency.Milliseconds()}, nil)
	if err != nil {
		return nil, err
	}
	if err := sleep(ctx, reconcileRest); err != nil {
		return nil, err
	}
	var rounds []*reconcileOutcome
	for _, round := range []struct {
		what  string
		every int // how many mailboxes there are for one that has changed; 0: none has
	}{{"in each: its items were written", 1}, {"nothing", 0}, {"1 of 10", 10}} {
		if round.every > 1 {
			if err := s.moveUnnoticed(ctx, round.every); err != nil {
				return nil, err
			}
		}
		out := &reconcileOutcome{what: round.what}
		if round.every > 0 {
			out.changed = reconcilePersons / round.every
		}
		if err := s.reconcileAll(ctx, store, fmt.Sprintf("reconcile-%s-%d", s.mode, round.every), out); err != nil {
			return nil, fmt.Errorf("changed: %s: %w", round.what, err)
		}
		if round.every > 1 {
			if err := s.found(ctx, round.every); err != nil {
				return nil, err
			}
		}
		rounds = append(rounds, out)
	}
	return rounds, nil
}

// bookingEach makes a site of many people with a booking each, which is in their calendars.
func (b *bench) bookingEach(ctx context.Context, o setup) (*site, error) {
	o.people, o.off = reconcilePersons, true
	s, err := b.newSite(ctx, "reconcile", o)
	if err != nil {
		return nil, err
	}
	const n = reconcilePersons
	start := reconcileBegin()
	err = s.putAll(ctx, n, func(i int) booking {
		return booking{
			ID: fmt.Sprintf("b%d", i), Title: fmt.Sprintf("Meeting %d", i), Organizer: person(i),
			Start: start.Format(time.RFC3339), End: start.Add(time.Hour).Format(time.RFC3339),
		}
	})
	if err == nil {
		err = s.switchSync(ctx, true)
	}
	if err == nil {
		err = s.awaitFor(ctx, longestReconcile, "the items are made", func() error {
			counts, err := s.counts()
			if made := counts["CreateItem"] + counts["GraphCreateEvent"]; err == nil && made < n {
				err = fmt.Errorf("%d of %d", made, n)
			}
			return err
		})
	}
	if err == nil {
		err = s.settled(ctx)
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// reconcileBegin is when the bookings are.
func reconcileBegin() time.Time { return time.Now().UTC().Truncate(24 * time.Hour).Add(32 * time.Hour) }

// openStore opens the database of a host on SQLite, beside the host.
func (s *site) openStore(ctx context.Context) (*sql.DB, error) {
	query := url.Values{"_pragma": {"busy_timeout(30000)"}}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.dir, "configs", "data", "roomwire.db")+"?"+query.Encode())
	if err != nil {
		return nil, err
	}
	return db, db.PingContext(ctx)
}

// reconcileAll lets the day pass after which every mailbox is due to be reconciled, and waits until all are.
func (s *site) reconcileAll(ctx context.Context, store *sql.DB, name string, o *reconcileOutcome) error {
	before, err := s.calls()
	if err != nil {
		return err
	}
	pids := append(s.plugins(), s.host.Process.Pid)
	cpu := used(pids...).cpu
	due := time.Now().UnixMilli()
	if _, err := store.ExecContext(ctx, "UPDATE mailbox SET reconcile_at = $1, next_due = $1", due); err != nil {
		return fmt.Errorf("make everybody due: %w", err)
	}
	var began time.Time // when the host has seen it
	err = s.b.profiled(name, 8, s.processes(), func() error {
		return s.awaitFor(ctx, longestReconcile, "everybody is reconciled", func() error {
			var open int
			err := store.QueryRowContext(ctx, "SELECT COUNT(*) FROM mailbox WHERE reconcile_at <= $1 OR round_open OR queued_at > 0 OR lease_until > 0", due).Scan(&open)
			if err != nil {
				return err
			}
			now, err := s.requests()
			if err != nil {
				return err
			}
			if began.IsZero() && now > before.all() {
				began = time.Now()
			}
			if open > 0 {
				return fmt.Errorf("%d of %d are not", open, s.people)
			}
			if o.took = time.Since(began); began.IsZero() {
				return errors.New("nothing was asked of Exchange")
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	if err := s.settled(ctx); err != nil {
		return err
	}
	after, err := s.calls()
	if err != nil {
		return err
	}
	o.asked, o.cpu = after.since(before), used(pids...).cpu-cpu
	return nil
}

// movedTo is where the items of some people are moved in Outlook.
func movedTo() time.Time { return reconcileBegin().Add(72 * time.Hour) }

// moveUnnoticed moves the item of every so many-th mailbox in Outlook; the notices never come.
func (s *site) moveUnnoticed(ctx context.Context, every int) error {
	if err := s.do(http.MethodPost, "notifications", nil, map[string]bool{"hold": true}, nil); err != nil {
		return err
	}
	return spread(ctx, 8, s.people/every, func(i int) error {
		who := i * every
		list, err := s.appointments(person(who))
		if err != nil {
			return err
		}
		for _, a := range list {
			if a.Properties[foreignMarker] == fmt.Sprintf("b%d", who) {
				return s.move(person(who), a.ID, movedTo())
			}
		}
		return fmt.Errorf("%s has no item of booking b%d", person(who), who)
	})
}

// found is an error unless the bookings are where moveUnnoticed has moved their items.
func (s *site) found(ctx context.Context, every int) error {
	return spread(ctx, 8, s.people/every, func(i int) error {
		var b struct {
			Start time.Time `json:"start"`
		}
		if err := s.rest(http.MethodGet, fmt.Sprintf("/bookings/b%d", i*every), nil, &b); err != nil {
			return err
		}
		if !b.Start.Equal(movedTo()) {
			return fmt.Errorf("booking b%d begins at %s; its item was moved to %s", i*every, b.Start, movedTo())
		}
		return nil
	})
}
