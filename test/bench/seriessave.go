package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	savedRounds = 20   // series saved one after the other
	listedMany  = 1000 // series there are when bookings are listed
	savedRoom   = "room"
)

// measureSeriesSave saves long series for a room, and lists bookings among many series.
func measureSeriesSave(ctx context.Context, b *bench, r *result) error {
	var rows [][]string
	stores := []struct{ name, url string }{{"SQLite", ""}}
	pg, err := startPostgres(ctx, b)
	if err == nil {
		defer pg.stop()
		stores = append(stores, struct{ name, url string }{"PostgreSQL", pg.url})
	} else {
		r.note("PostgreSQL was not measured, it could not be started: %v.", err)
	}
	for _, st := range stores {
		o, err := seriesSave(ctx, b, st.url)
		if err != nil {
			return fmt.Errorf("on %s: %w", st.name, err)
		}
		for _, line := range o {
			rows = append(rows, []string{st.name, line.what, ms(quantile(line.took, 0.5)), ms(line.took[len(line.took)-1]), ms(line.cpu / time.Duration(len(line.took)))})
		}
	}
	r.table([]string{"database", "request", "median", "longest", "CPU of the host for each"}, rows)
	r.note("One after the other over REST, nobody is synced. Saved series have %d occurrences daily in one room, each at an hour of its own. The room is booked %d "+
		"times over by others when they are saved, which does not conflict; the one that is refused would conflict on every day. Lists are of the bookings of one week "+
		"among %d series that each take place in it: all pages of 500. No goal was set.", seriesLength, savedRounds*seriesLength, listedMany)
	return nil
}

// A timing is how long a kind of request took, sorted.
type timing struct {
	what string
	took []time.Duration
	cpu  time.Duration // of the host, for all
}

func seriesSave(ctx context.Context, b *bench, store string) ([]*timing, error) {
	s, err := b.newSite(ctx, "series-save", setup{store: store, people: 1, off: true})
	if err != nil {
		return nil, err
	}
	defer s.stop()
	if err := s.importRoom(ctx); err != nil {
		return nil, err
	}
	series := func(id string, quarter int) (seriesBooking, error) { // a day has 96
		x, err := longSeries(id, person(0))
		x.first = x.first.Truncate(24 * time.Hour).Add(time.Duration(quarter) * 15 * time.Minute)
		x.Zone, x.Exceptions, x.Resources = "UTC", nil, []string{savedRoom}
		x.Start, x.End = x.first.Format(time.RFC3339), x.first.Add(15*time.Minute).Format(time.RFC3339)
		return x, err
	}
	save := func(id string, quarter int) error {
		x, err := series(id, quarter)
		if err != nil {
			return err
		}
		return s.putSeries(x)
	}
	for i := range savedRounds { // what the room is booked for already
		if err := save(fmt.Sprintf("before%d", i), i); err != nil {
			return nil, err
		}
	}
	host := s.host.Process.Pid
	var all []*timing
	measure := func(what string, n int, do func(i int) error) error {
		t := &timing{what: what}
		before := used(host).cpu
		for i := range n {
			began := time.Now()
			if err := do(i); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			t.took = append(t.took, time.Since(began))
		}
		t.cpu = used(host).cpu - before
		slices.Sort(t.took)
		all = append(all, t)
		return ctx.Err()
	}
	list := func(query string, want int) func(int) error {
		return func(int) error { return s.listed(query, want) }
	}
	day := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 14)
	week := url.Values{"from": {day.Format(time.RFC3339)}, "to": {day.AddDate(0, 0, 7).Format(time.RFC3339)}, "limit": {"500"}}.Encode()
	for _, step := range []struct {
		what string
		n    int
		do   func(i int) error
	}{
		{"PUT of a new series of 520: checked and saved", savedRounds, func(i int) error { return save(fmt.Sprintf("new%d", i), savedRounds+i) }},
		{"PUT of it with another title", savedRounds, func(i int) error {
			x, err := series(fmt.Sprintf("new%d", i), savedRounds+i)
			if err != nil {
				return err
			}
			x.Title = "Another title"
			return s.putSeries(x)
		}},
		{"PUT of it at another time", savedRounds, func(i int) error { return save(fmt.Sprintf("new%d", i), 2*savedRounds+i) }},
		{"PUT of one that conflicts on every day: refused", savedRounds, func(i int) error {
			if err := save(fmt.Sprintf("refused%d", i), i); err == nil || !strings.Contains(err.Error(), "409") {
				return fmt.Errorf("it was not refused with 409: %v", err)
			}
			return nil
		}},
	} {
		if err := measure(step.what, step.n, step.do); err != nil {
			return nil, err
		}
	}
	err = spread(ctx, 4, listedMany-2*savedRounds, func(i int) error {
		x, err := longSeries(fmt.Sprintf("listed%d", i), person(0))
		if err != nil {
			return err
		}
		x.Exceptions = nil
		return s.putSeries(x)
	})
	if err != nil {
		return nil, err
	}
	if err := measure(fmt.Sprintf("GET /bookings?from&to: a week among %d series", listedMany), savedRounds, list(week, listedMany)); err != nil {
		return nil, err
	}
	return all, measure("… of the room alone", savedRounds, list(week+"&resource="+savedRoom, 2*savedRounds))
}

// listed is an error unless that many bookings are listed.
func (s *site) listed(query string, want int) error {
	n, after := 0, ""
	for {
		var page struct {
			Items []struct{} `json:"items"`
			Next  string     `json:"next"`
		}
		if err := s.rest(http.MethodGet, "/bookings?"+query+"&after="+url.QueryEscape(after), nil, &page); err != nil {
			return err
		}
		n += len(page.Items)
		if after = page.Next; after == "" {
			break
		}
	}
	if n != want {
		return fmt.Errorf("%d bookings are listed, not %d", n, want)
	}
	return nil
}

// importRoom adds a room to the directory.
func (s *site) importRoom(ctx context.Context) error {
	path := filepath.Join(s.dir, "room.csv")
	csv := fmt.Sprintf("id,email,display_name,kind,sync_mode,sync_url,sync_disabled,conflict_behaviour\n%s,%[1]s@%s,Room,resource,,,true,\n", savedRoom, domain)
	if err := os.WriteFile(path, []byte(csv), 0o600); err != nil {
		return err
	}
	_, err := s.command(ctx, "person", "import", path)
	return err
}
