package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// graphMarked is how many of the items are those of bookings, and graphPage how many changes a page holds, as the plugin asks
// for.
const (
	graphMarked = 200
	graphPage   = 200
)

// measureGraph reads a full calendar in Exchange Online for the first time, over Graph and over EWS, and downloads it bare.
func measureGraph(ctx context.Context, b *bench, r *result) error {
	var rows [][]string
	worst := 0.0
	for _, way := range []struct {
		name, mode string
		measure    func(context.Context, *bench, time.Duration) (*syncOutcome, error)
	}{{"Graph", modeGraph, firstOverGraph}, {"EWS online", modeEWS, firstOverEWS}} {
		for _, latency := range []time.Duration{0, 20 * time.Millisecond} {
			f, err := way.measure(ctx, b, latency)
			if err != nil {
				return fmt.Errorf("over %s: %w", way.name, err)
			}
			ratio := f.took.Seconds() / f.bare.Seconds()
			if latency > 0 && way.mode == modeGraph {
				worst = ratio
			}
			rows = append(rows, []string{
				way.name, latency.String(), fmt.Sprint(f.requests), f.operations, fmt.Sprintf("%.2f s", f.took.Seconds()),
				fmt.Sprint(f.bareRequests), fmt.Sprintf("%.2f s", f.bare.Seconds()), fmt.Sprintf("%.2f", ratio),
				fmt.Sprintf("%.2f s", f.cpu.Seconds()), fmt.Sprintf("%.2f s", f.bareCPU.Seconds()), mib(f.peak),
			})
		}
	}
	r.table([]string{
		"over", "latency", "requests", "of which", "first sync", "bare: requests", "bare download", "ratio", "CPU of host and plugins",
		"CPU of the bare client", "most memory of host and plugins",
	}, rows)
	r.note("%d events, %d of which bear the booking system's marker, as at a take-over; over TLS with a bearer token. The bare client of Graph "+
		"follows calendarView/delta to its end, %d events a page as the plugin does, and reads of the answers where the next page is: it learns of no marker, for a delta "+
		"carries none, and has nothing to compare. That of EWS sends the recorded requests again. Each goes one page after the other over "+
		"one connection. Requests and time are from the switching on of the sync until the person is in sync, with probe and subscription; a login "+
		"takes time, and is not among the requests. No goal was set; over Graph at 20 ms the ratio is %.2f.", firstSyncItems, graphMarked, graphPage, worst)
	return nil
}

// firstOverGraph is one first sync over Graph, and the bare client's turn.
func firstOverGraph(ctx context.Context, b *bench, latency time.Duration) (*syncOutcome, error) {
	name := fmt.Sprintf("first-graph-%s", latency)
	s, err := b.fullCalendar(ctx, name, graphMarked, setup{online: modeGraph, sim: []string{"--latency", latency.String()}})
	if err != nil {
		return nil, err
	}
	defer s.stop()
	o, err := s.firstCounted(ctx, name)
	if err == nil {
		err = s.linked()
	}
	if err != nil {
		return nil, err
	}
	s.stopHost() // what it still has to say is not part of the comparison
	return o, s.download(ctx, o)
}

// firstOverEWS is one first sync over EWS, and the bare client's turn.
func firstOverEWS(ctx context.Context, b *bench, latency time.Duration) (*syncOutcome, error) {
	name := fmt.Sprintf("first-online-%s", latency)
	record := filepath.Join(b.work, name+"-record")
	if b.profile == "" {
		defer func() { _ = os.RemoveAll(record) }()
	}
	s, err := b.fullCalendar(ctx, name, graphMarked, setup{online: modeEWS, sim: []string{"--record", record, "--latency", latency.String()}})
	if err != nil {
		return nil, err
	}
	defer s.stop()
	o, err := s.firstCounted(ctx, name)
	if err != nil {
		return nil, err
	}
	requests, err := recorded(record)
	if err == nil {
		err = s.linked()
	}
	if err != nil {
		return nil, err
	}
	s.stopHost()
	client, err := s.oneConnection()
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	authorize, err := s.token(ctx, client, s.ewsOrigin())
	if err != nil {
		return nil, err
	}
	o.bareRequests = len(requests)
	return o, s.replay(ctx, s.ewsOrigin()+"/EWS/Exchange.asmx", requests, o, authorize)
}

// firstCounted is firstPass with what was asked of Exchange.
func (s *site) firstCounted(ctx context.Context, name string) (*syncOutcome, error) {
	before, err := s.calls()
	if err != nil {
		return nil, err
	}
	o, err := s.firstPass(ctx, name)
	if err != nil {
		return nil, err
	}
	after, err := s.calls()
	if err != nil {
		return nil, err
	}
	asked := after.since(before)
	if n := asked.writes(); n > 0 {
		return nil, fmt.Errorf("%d writes, where nothing was to be written", n)
	}
	o.requests, o.operations = asked.requests(), asked.tell(func(n int) string { return fmt.Sprint(n) })
	return o, nil
}

// linked is an error unless the bookings are linked with their items, as far as a few of them tell.
func (s *site) linked() error {
	for _, i := range []int{1, graphMarked / 2, graphMarked} {
		var found struct {
			Links []struct {
				State string `json:"state"`
			} `json:"links"`
		}
		if err := s.rest(http.MethodGet, fmt.Sprintf("/bookings/b%d/explain", i), nil, &found); err != nil {
			return err
		}
		if len(found.Links) != 1 || found.Links[0].State != "live" {
			return fmt.Errorf("booking %d is not linked with its item: %+v", i, found.Links)
		}
	}
	return nil
}

// download follows a delta over the same calendar to its end, one page after the other.
func (s *site) download(ctx context.Context, o *syncOutcome) error {
	client, err := s.oneConnection()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	before, began := used(os.Getpid()), time.Now()
	authorize, err := s.token(ctx, client, s.graphOrigin())
	if err != nil {
		return err
	}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	window := url.Values{
		"startDateTime": {today.AddDate(0, 0, -30).Format(time.RFC3339)}, "endDateTime": {today.AddDate(0, 0, 730).Format(time.RFC3339)},
	}
	at := s.graphOrigin() + "/v1.0/users/" + person(0) + "@" + domain + "/calendarView/delta?" + window.Encode()
	for events := 0; ; {
		if o.bareRequests++; o.bareRequests > firstSyncItems {
			return errors.New("the bare download does not come to an end")
		}
		page, err := bareTurn(ctx, client, at, authorize)
		if err != nil {
			return err
		}
		if events += len(page.Value); page.Next == "" {
			if events < firstSyncItems {
				return fmt.Errorf("the bare download saw %d of %d events", events, firstSyncItems)
			}
			o.bare, o.bareCPU = time.Since(began), used(os.Getpid()).cpu-before.cpu
			return nil
		}
		at = page.Next
	}
}

// A deltaPage is what the bare client reads of a page.
type deltaPage struct {
	Next  string            `json:"@odata.nextLink"`
	Value []json.RawMessage `json:"value"`
}

func bareTurn(ctx context.Context, client *http.Client, at string, authorize func(*http.Request)) (page deltaPage, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return page, err
	}
	authorize(req)
	req.Header.Set("Prefer", fmt.Sprintf(`IdType="ImmutableId", outlook.timezone="UTC", odata.maxpagesize=%d`, graphPage))
	resp, err := client.Do(req)
	if err != nil {
		return page, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return page, fmt.Errorf("a page of the bare download was answered with %s: %s", resp.Status, text)
	}
	return page, json.NewDecoder(resp.Body).Decode(&page)
}
