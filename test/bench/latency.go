package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// The goal of a change's way, and how it is measured.
const (
	goalLatency    = 250 * time.Millisecond // p99
	latencyPersons = 1000
	latencyRate    = 100 // changes a second under load
	latencyLoaded  = 1500
	idleRate       = 5
	latencyIdle    = 150
)

// measureLatency follows changes in both directions, one by one and under load.
func measureLatency(ctx context.Context, b *bench, r *result) error {
	s, err := b.newSite(ctx, "latency", setup{people: latencyPersons, sync: map[string]string{"coalesce": `"0s"`}})
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.ready(ctx); err != nil {
		return err
	}
	l := &latencies{site: s, base: time.Now().UTC().Truncate(24 * time.Hour).Add(32 * time.Hour)}
	if err := l.prepare(ctx); err != nil {
		return err
	}
	var rows [][]string
	worst := time.Duration(0)
	for _, way := range []struct {
		name, key string
		measure   func(ctx context.Context, run string, rate, n int) ([]time.Duration, error)
	}{
		{"Outlook → change feed", "outlook", l.outlookToFeed},
		{"booking → calendar", "booking", l.bookingToCalendar},
	} {
		for _, load := range []struct {
			name    string
			rate, n int
		}{{"idle", idleRate, latencyIdle}, {"loaded", latencyRate, latencyLoaded}} {
			pids := append(s.plugins(), s.host.Process.Pid)
			before := used(pids...)
			asked, err := s.requests()
			if err != nil {
				return err
			}
			var took []time.Duration
			err = b.profiled("latency-"+way.key+"-"+load.name, load.n/load.rate, s.processes(), func() (err error) {
				took, err = way.measure(ctx, load.name, load.rate, load.n)
				return err
			})
			if err != nil {
				return err
			}
			slices.Sort(took)
			now, err := s.requests()
			if err != nil {
				return err
			}
			cpu := (used(pids...).cpu - before.cpu) / time.Duration(load.n)
			p99 := quantile(took, 0.99)
			worst = max(worst, p99)
			rows = append(rows, []string{
				way.name, fmt.Sprintf("%d/s", load.rate), fmt.Sprint(len(took)), ms(quantile(took, 0.5)), ms(p99), ms(took[len(took)-1]),
				fmt.Sprintf("%.1f", float64(now-asked)/float64(load.n)), ms(cpu),
			})
		}
	}
	r.table([]string{"way", "changes", "number", "p50", "p99", "longest", "requests per change", "CPU of host and plugins per change"}, rows)
	r.note("Over %d mailboxes, no latency of the server, coalesce = 0s. From the moment at which the change was due to be made in Outlook "+
		"until a reader of the change feed has it; from the moment at which the booking was due to be sent until its item's creation, by "+
		"Exchange's clock, which is the same. Goal: p99 at most %s: %s (worst %s).",
		latencyPersons, ms(goalLatency), verdict(worst <= goalLatency), ms(worst))
	return nil
}

// latencies is a site in which everybody has one booking.
type latencies struct {
	*site
	base  time.Time
	items []string // of everybody's booking
	feed  int64    // last change seen
	moved int      // how often items were moved so far
}

func (l *latencies) booking(id string, who int, start time.Time) booking {
	return booking{
		ID: id, Title: "Meeting " + id, Organizer: person(who),
		Start: start.Format(time.RFC3339), End: start.Add(time.Hour).Format(time.RFC3339),
	}
}

// prepare gives everybody a booking, and waits until its item is there and nothing moves any more.
func (l *latencies) prepare(ctx context.Context) error {
	err := l.putAll(ctx, latencyPersons, func(i int) booking { return l.booking(fmt.Sprintf("m%d", i), i, l.base) })
	if err != nil {
		return err
	}
	if err := l.created(ctx, latencyPersons); err != nil {
		return err
	}
	l.items = make([]string, latencyPersons)
	err = spread(ctx, 8, latencyPersons, func(i int) error {
		list, err := l.appointments(person(i))
		if err == nil && len(list) != 1 {
			err = fmt.Errorf("%s has %d items, want 1", person(i), len(list))
		}
		if err == nil {
			l.items[i] = list[0].ID
		}
		return err
	})
	if err != nil {
		return err
	}
	l.feed = latencyPersons // one change for each booking
	return l.quiet(ctx)
}

// created waits until the calendars hold so many items of bookings.
func (s *site) created(ctx context.Context, n int) error {
	return s.await(ctx, "the items are made", func() error {
		counts, err := s.counts()
		if err == nil && counts["CreateItem"] < n {
			err = fmt.Errorf("%d of %d", counts["CreateItem"], n)
		}
		return err
	})
}

// quiet waits until nothing is asked of Exchange for half a second.
func (s *site) quiet(ctx context.Context) error {
	last, since := -1, time.Now()
	return s.await(ctx, "Exchange is left alone", func() error {
		sum, err := s.requests()
		if err != nil {
			return err
		}
		if sum != last {
			last, since = sum, time.Now()
		}
		if time.Since(since) < 500*time.Millisecond {
			return fmt.Errorf("%d requests", sum)
		}
		return nil
	})
}

// outlookToFeed moves items in Outlook and reads the feed.
func (l *latencies) outlookToFeed(ctx context.Context, _ string, rate, n int) ([]time.Duration, error) {
	var mu sync.Mutex
	sent := map[string]time.Time{} // by booking; nobody's is moved twice before it has arrived
	var took []time.Duration
	read := make(chan error, 1)
	go func() {
		read <- l.follow(ctx, func(id string, at time.Time) bool {
			mu.Lock()
			defer mu.Unlock()
			if due, ok := sent[id]; ok {
				took = append(took, at.Sub(due))
				delete(sent, id)
			}
			return len(took) < n
		})
	}()
	first := l.moved
	err := paced(ctx, rate, n, func(i int, due time.Time) error {
		who, round := (first+i)%latencyPersons, (first+i)/latencyPersons
		mu.Lock()
		sent[fmt.Sprintf("m%d", who)] = due
		mu.Unlock()
		return l.move(person(who), l.items[who], l.base.Add(time.Duration(round+1)*24*time.Hour))
	})
	l.moved += n
	if err != nil {
		return nil, err
	}
	if err := <-read; err != nil {
		return nil, err
	}
	return took, l.quiet(ctx)
}

// follow reads the feed until seen has enough.
func (l *latencies) follow(ctx context.Context, seen func(id string, at time.Time) bool) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && ctx.Err() == nil; {
		var page struct {
			Changes []struct {
				ID string `json:"id"`
			} `json:"changes"`
			Next int64 `json:"next"`
		}
		if err := l.rest(http.MethodGet, fmt.Sprintf("/changes?after=%d&wait=5s", l.feed), nil, &page); err != nil {
			return err
		}
		now, more := time.Now(), true
		l.feed = page.Next
		for _, c := range page.Changes {
			more = seen(c.ID, now)
		}
		if !more {
			return nil
		}
	}
	return fmt.Errorf("not all changes arrived")
}

// bookingToCalendar sends bookings and looks afterwards when their items were made.
func (l *latencies) bookingToCalendar(ctx context.Context, run string, rate, n int) ([]time.Duration, error) {
	counts, err := l.counts()
	if err != nil {
		return nil, err
	}
	sent := make([]time.Time, n)
	err = paced(ctx, rate, n, func(i int, due time.Time) error {
		sent[i] = due
		return l.put(l.booking(fmt.Sprintf("%s-%d", run, i), i%latencyPersons, l.base.Add(30*24*time.Hour)))
	})
	if err != nil {
		return nil, err
	}
	if err := l.created(ctx, counts["CreateItem"]+n); err != nil {
		return nil, err
	}
	l.feed += int64(n)
	var mu sync.Mutex
	made := map[string]time.Time{}
	err = spread(ctx, 8, min(n, latencyPersons), func(i int) error {
		list, err := l.appointments(person(i))
		mu.Lock()
		defer mu.Unlock()
		for _, a := range list {
			made[a.Properties[foreignMarker]] = a.Created
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var took []time.Duration
	for i, due := range sent {
		at, ok := made[fmt.Sprintf("%s-%d", run, i)]
		if !ok {
			return nil, fmt.Errorf("the item of booking %s-%d is missing", run, i)
		}
		took = append(took, at.Sub(due))
	}
	return took, l.quiet(ctx)
}
