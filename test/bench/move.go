package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// How many persons move, and how many links each has; fewMoved with fewLinks show what a move costs whatever it is about. The
// goal is at most a request for so many links more.
const (
	movedPersons  = 100
	movedFull     = 1000
	movedLinks    = 200
	fewMoved      = 20
	fewLinks      = 20
	goalPerLinks  = 20
	longestMoving = 2 * time.Hour
)

// measureMove moves people from EWS in Exchange Online to Graph.
func measureMove(ctx context.Context, b *bench, r *result) error {
	n := movedPersons
	if b.full {
		n = movedFull
	}
	few, err := moveAll(ctx, b, fewMoved, fewLinks)
	if err != nil {
		return err
	}
	many, err := moveAll(ctx, b, n, movedLinks)
	if err != nil {
		return err
	}
	var rows, asked [][]string
	for _, o := range []*moveOutcome{few, many} {
		n := float64(o.persons)
		rows = append(rows, []string{
			fmt.Sprint(o.persons), fmt.Sprint(o.each), fmt.Sprintf("%.1f s", o.took.Seconds()), fmt.Sprintf("%.0f", n/o.took.Minutes()),
			fmt.Sprintf("%.2f", o.perPerson()), fmt.Sprintf("%.2f", float64(o.graph.requests())/n),
			ms(o.cpu / time.Duration(o.persons)), ms(o.exchangeCPU / time.Duration(o.persons)), mib(o.peak),
		})
		per := func(count int) string { return fmt.Sprintf("%.2f", float64(count)/n) }
		asked = append(asked, []string{fmt.Sprint(o.each), o.graph.tell(per), o.ews.tell(per)})
	}
	r.table([]string{
		"persons", "links each", "took", "persons a minute", "requests per person", "of these Graph", "CPU per person, host and plugins",
		"CPU per person, exchangesim", "most memory of host and plugins",
	}, rows)
	r.table([]string{"links each", "per person by the new mode (Graph)", "by the old mode (EWS)"}, asked)
	more := (many.perPerson() - few.perPerson()) / (movedLinks - fewLinks)
	constant := few.perPerson() - fewLinks*more
	r.note("From %s to %s, by one command for all, while nobody books; exchangesim is a process of its own, answers without latency and shares "+
		"the cores. The time is from the request until the last person is moved; requests are counted until Exchange is left alone, so with "+
		"the first pass by the new mode. A batch is one request; logins, one an hour for everybody, are not counted. All %d items were found and verified; there were %d writes to calendars and %d mails.",
		modeEWS, modeGraph, few.verified+many.verified, few.writes+many.writes, few.mails+many.mails)
	r.note("Goal: no more than one request for %d links, plus a constant: %s (one for %.0f links, plus %.1f).", goalPerLinks,
		verdict(more <= 1.0/goalPerLinks), 1/max(more, 1e-6), constant)
	if !b.full {
		r.note("%d persons were moved here; `-full` moves %d.", n, movedFull)
	}
	return nil
}

type moveOutcome struct {
	persons, each          int // how many links each
	took, cpu, exchangeCPU time.Duration
	peak                   int64
	ews, graph             calls
	verified               int
	writes, mails          int
}

func (o *moveOutcome) perPerson() float64 {
	return float64(o.ews.requests()+o.graph.requests()) / float64(o.persons)
}

// A move as the REST API tells it.
type move struct {
	Person    string    `json:"person"`
	State     string    `json:"state"`
	Reason    string    `json:"reason"`
	Requested time.Time `json:"requested"`
	Finished  time.Time `json:"finished"`
	Report    struct {
		Links    int `json:"links"`
		Verified int `json:"verified"`
	} `json:"report"`
}

func moveAll(ctx context.Context, b *bench, n, links int) (*moveOutcome, error) {
	s, err := b.linkedPeople(ctx, n, links)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	mails, err := s.mails()
	if err != nil {
		return nil, err
	}
	before, err := s.calls()
	if err != nil {
		return nil, err
	}
	pids := append(s.plugins(), s.host.Process.Pid)
	exchange := s.exchange.cmd.Process.Pid
	used0, exchange0 := used(pids...), used(exchange).cpu
	err = b.profiled(fmt.Sprintf("move-%d", links), 10, s.processes(), func() error {
		if err := s.rest(http.MethodPost, "/moves", map[string]string{"to": modeGraph, "all_of": modeEWS}, nil); err != nil {
			return err
		}
		return s.moved(ctx, n)
	})
	if err != nil {
		return nil, err
	}
	used1 := used(pids...)
	o := &moveOutcome{persons: n, each: links, cpu: used1.cpu - used0.cpu, peak: used1.peak, exchangeCPU: used(exchange).cpu - exchange0}
	if err := s.settled(ctx); err != nil {
		return nil, err
	}
	after, err := s.calls()
	if err != nil {
		return nil, err
	}
	asked := after.since(before)
	o.ews, o.graph = asked.split()
	o.writes = asked.writes()
	if o.mails, err = s.mails(); err != nil {
		return nil, err
	}
	o.mails -= mails
	return o, s.reports(o)
}

// linkedPeople makes a site of people whose bookings were written to their calendars over EWS.
func (b *bench) linkedPeople(ctx context.Context, n, links int) (*site, error) {
	s, err := b.newSite(ctx, "move", setup{people: n, off: true, online: modeEWS, sync: map[string]string{"coalesce": `"0s"`}})
	if err != nil {
		return nil, err
	}
	begin := time.Now().UTC().Truncate(24 * time.Hour).Add(32 * time.Hour)
	err = s.putAll(ctx, n*links, func(i int) booking {
		start := begin.Add(time.Duration(i/n) * 2 * time.Hour)
		return booking{
			ID: fmt.Sprintf("b%d", i), Title: fmt.Sprintf("Meeting %d", i), Organizer: person(i % n),
			Start: start.Format(time.RFC3339), End: start.Add(time.Hour).Format(time.RFC3339),
		}
	})
	if err == nil {
		err = s.switchSync(ctx, true)
	}
	if err == nil {
		err = s.awaitFor(ctx, longestMoving, "the items are made", func() error {
			counts, err := s.counts()
			if err == nil && counts["CreateItem"] < n*links {
				err = fmt.Errorf("%d of %d", counts["CreateItem"], n*links)
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

// settled waits until everybody is in sync and nothing is left to be looked at, the echoes of what was written among it.
func (s *site) settled(ctx context.Context) error {
	if err := s.quiet(ctx); err != nil {
		return err
	}
	next := 0 // those before are settled
	err := s.awaitFor(ctx, longestMoving, "everybody is in sync", func() error {
		for ; next < s.people; next++ {
			status, err := s.syncOf(person(next))
			if err == nil && status != "ok" {
				err = fmt.Errorf("%s is %s", person(next), status)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.quiet(ctx)
}

// moved waits until so many moves are done.
func (s *site) moved(ctx context.Context, n int) error {
	return s.awaitFor(ctx, longestMoving, "everybody is moved", func() error {
		var page struct {
			Counts map[string]int `json:"counts"`
		}
		if err := s.rest(http.MethodGet, "/moves?limit=1", nil, &page); err != nil {
			return err
		}
		if page.Counts["done"]+page.Counts["attention"] < n {
			return fmt.Errorf("%v of %d", page.Counts, n)
		}
		return nil
	})
}

// reports reads what came of each move; one that was not made, or left something open, is an error.
func (s *site) reports(o *moveOutcome) error {
	var first, last time.Time
	seen, after := 0, ""
	for {
		var page struct {
			Items []move `json:"items"`
			Next  string `json:"next"`
		}
		if err := s.rest(http.MethodGet, "/moves?limit=200&after="+url.QueryEscape(after), nil, &page); err != nil {
			return err
		}
		for _, m := range page.Items {
			seen++
			if m.State != "done" || m.Report.Links != o.each || m.Report.Verified != o.each {
				return fmt.Errorf("the move of %s is %s: %s", m.Person, m.State, m.Reason)
			}
			o.verified += m.Report.Verified
			if first.IsZero() || m.Requested.Before(first) {
				first = m.Requested
			}
			if m.Finished.After(last) {
				last = m.Finished
			}
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if seen != o.persons {
		return fmt.Errorf("%d moves are known, not %d", seen, o.persons)
	}
	if o.took = last.Sub(first); o.took <= 0 {
		return errors.New("the moves took no time")
	}
	return nil
}

// mails is how many mails the people were sent.
func (x *exchange) mails() (int, error) {
	var list []struct{}
	err := x.do(http.MethodGet, "mails", nil, nil, &list)
	return len(list), err
}
