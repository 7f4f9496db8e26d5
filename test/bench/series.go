package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// What the series is like that is measured with.
const (
	seriesLength     = 520
	seriesExceptions = 50
	seriesZone       = "Europe/Berlin"
)

// measureSeries writes a long series to a calendar, reads it back, and has one occurrence of it changed on each side.
func measureSeries(ctx context.Context, b *bench, r *result) error {
	var rows [][]string
	for _, way := range []struct{ name, online string }{{"EWS", ""}, {"Graph", modeGraph}} {
		for _, latency := range []time.Duration{0, 20 * time.Millisecond} {
			steps, err := seriesSteps(ctx, b, way.online, latency)
			if err != nil {
				return fmt.Errorf("over %s, %s: %w", way.name, latency, err)
			}
			for _, o := range steps {
				rows = append(rows, []string{
					way.name, latency.String(), o.what, fmt.Sprint(o.until.requests()), o.until.tell(func(n int) string { return fmt.Sprint(n) }),
					fmt.Sprint(o.after.requests()), ms(o.took), ms(o.cpu),
				})
			}
		}
	}
	r.table([]string{
		"over", "latency", "what", "requests", "of which", "and afterwards, for the notice of it", "took", "CPU of host and plugins",
	}, rows)
	r.note("One booking of %d occurrences, daily in %s, %d of which are exceptions: other titles, other times, other places, left out. \"Written\" is from "+
		"the PUT of the whole until the calendar has all of it and nothing is left to be done; \"read back\" is a full read that somebody asked for, of a calendar "+
		"that holds nothing else, which finds nothing to be changed. What is told afterwards is the look at what we wrote ourselves, because Exchange gives notice of it. "+
		"coalesce = 0s. No goal was set.", seriesLength, seriesZone, seriesExceptions)
	return nil
}

// A seriesStep is one thing that was done with the series.
type seriesStep struct {
	what         string
	until, after calls // asked until it was done, and then until Exchange was left alone
	took, cpu    time.Duration
}

func seriesSteps(ctx context.Context, b *bench, online string, latency time.Duration) ([]*seriesStep, error) {
	s, err := b.newSite(ctx, "series", setup{
		people: 1, online: online, sync: map[string]string{"coalesce": `"0s"`}, sim: []string{"--latency", latency.String()},
	})
	if err != nil {
		return nil, err
	}
	defer s.stop()
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	series, err := longSeries("series", person(0))
	if err != nil {
		return nil, err
	}
	retitled := [2]time.Time{series.at(5), series.at(6)} // in the calendar, and in the booking system
	var item string
	var steps []*seriesStep
	for _, step := range []struct {
		what string
		do   func() error
		done func() error
	}{
		{"written", func() error { return s.putSeries(series) }, s.inStep},
		{"read back", func() error {
			return s.rest(http.MethodPost, "/persons/"+person(0)+"/sync", map[string]bool{"full": true}, nil)
		}, s.inStep},
		{"an occurrence retitled in Outlook", func() error {
			q := mailbox(person(0))
			q.Set("id", item)
			q.Set("occurrence", retitled[0].Format(time.RFC3339))
			return s.do(http.MethodPatch, "appointments/occurrence", q, map[string]string{"subject": "Retitled"}, nil)
		}, func() error { return s.bookedTitle(retitled[0], "Retitled") }},
		{"an occurrence retitled in the booking system", func() error {
			return s.rest(http.MethodPut, "/bookings/series/occurrences/"+url.PathEscape(retitled[1].Format(time.RFC3339)),
				map[string]string{"occurrence": retitled[1].Format(time.RFC3339), "title": "Retitled"}, nil)
		}, s.inStep},
	} {
		o, err := s.seriesStep(ctx, step.what, step.do, step.done)
		if err != nil {
			return nil, err
		}
		steps = append(steps, o)
		if item == "" {
			if item, err = s.onlyItem(); err != nil {
				return nil, err
			}
		}
	}
	return steps, s.wholeSeries(item, series)
}

// seriesStep does something, and waits until it is done and Exchange is left alone.
func (s *site) seriesStep(ctx context.Context, what string, do, done func() error) (*seriesStep, error) {
	if err := s.settled(ctx); err != nil {
		return nil, err
	}
	pids := append(s.plugins(), s.host.Process.Pid)
	before, err := s.calls()
	if err != nil {
		return nil, err
	}
	o := &seriesStep{what: what}
	cpu, began := used(pids...).cpu, time.Now()
	if err := do(); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	var then calls
	err = s.await(ctx, what, func() error {
		if err := done(); err != nil {
			return err
		}
		o.took = time.Since(began)
		then, err = s.calls()
		return err
	})
	if err == nil {
		err = s.settled(ctx)
	}
	if err != nil {
		return nil, err
	}
	after, err := s.calls()
	if err != nil {
		return nil, err
	}
	o.until, o.after, o.cpu = then.since(before), after.since(then), used(pids...).cpu-cpu
	return o, nil
}

// inStep is an error while something is left to be done for the first person.
func (s *site) inStep() error {
	status, err := s.syncOf(person(0))
	if err == nil && status != "ok" {
		err = errors.New(status)
	}
	return err
}

// bookedTitle is an error unless an occurrence of the booking has that title.
func (s *site) bookedTitle(at time.Time, title string) error {
	var b seriesBooking
	if err := s.rest(http.MethodGet, "/bookings/series", nil, &b); err != nil {
		return err
	}
	for _, x := range b.Exceptions {
		if x.at().Equal(at) && x.Title == title {
			return nil
		}
	}
	return errors.New("the booking does not have it")
}

// onlyItem is the one item of the first person.
func (s *site) onlyItem() (string, error) {
	list, err := s.appointments(person(0))
	if err == nil && len(list) != 1 {
		err = fmt.Errorf("there are %d items, not one", len(list))
	}
	if err != nil {
		return "", err
	}
	return list[0].ID, nil
}

// wholeSeries is an error unless the item has the exceptions of the series and the two that came later.
func (s *site) wholeSeries(item string, series seriesBooking) error {
	q := mailbox(person(0))
	q.Set("id", item)
	var list []struct {
		Original  time.Time `json:"original"`
		Exception bool      `json:"exception"`
		Subject   string    `json:"subject"`
	}
	if err := s.do(http.MethodGet, "appointments/occurrences", q, nil, &list); err != nil {
		return err
	}
	left, differ, retitled := 0, 0, 0
	for _, x := range series.Exceptions {
		if x.Skipped {
			left++
		}
	}
	for _, o := range list {
		if o.Exception {
			differ++
		}
		if o.Subject == "Retitled" {
			retitled++
		}
	}
	if len(list) != seriesLength-left || differ != seriesExceptions-left+2 || retitled != 2 {
		return fmt.Errorf("the item has %d occurrences, %d exceptions, %d of them retitled", len(list), differ, retitled)
	}
	return nil
}

// A seriesBooking is a series as the REST API takes it.
type seriesBooking struct {
	ID         string            `json:"-"`
	Title      string            `json:"title"`
	Organizer  string            `json:"organizer"`
	Resources  []string          `json:"resources"`
	Start      string            `json:"start"`
	End        string            `json:"end"`
	Zone       string            `json:"zone"`
	Recurrence string            `json:"recurrence"`
	Exceptions []seriesException `json:"exceptions"`

	first time.Time
}

type seriesException struct {
	Occurrence string `json:"occurrence"`
	Skipped    bool   `json:"skipped,omitempty"`
	Start      string `json:"start,omitempty"`
	End        string `json:"end,omitempty"`
	Title      string `json:"title,omitempty"`
	Location   string `json:"location,omitempty"`
}

// at is when the rule has it start; zero if that cannot be read.
func (x seriesException) at() time.Time {
	t, _ := time.Parse(time.RFC3339, x.Occurrence)
	return t
}

// at is when the nth occurrence starts by the rule.
func (b seriesBooking) at(n int) time.Time { return b.first.AddDate(0, 0, n).UTC() }

// longSeries is a daily series from tomorrow on, of which every tenth occurrence is an exception.
func longSeries(id, organizer string) (seriesBooking, error) {
	zone, err := time.LoadLocation(seriesZone)
	if err != nil {
		return seriesBooking{}, err
	}
	now := time.Now().In(zone)
	first := time.Date(now.Year(), now.Month(), now.Day()+1, 9, 0, 0, 0, zone)
	b := seriesBooking{
		ID: id, Title: "Daily", Organizer: organizer, Resources: []string{}, Zone: seriesZone, first: first,
		Start: first.Format(time.RFC3339), End: first.Add(time.Hour).Format(time.RFC3339),
		Recurrence: fmt.Sprintf("FREQ=DAILY;COUNT=%d", seriesLength), Exceptions: []seriesException{},
	}
	for n := range seriesExceptions {
		at := b.at(10*n + 3)
		x := seriesException{Occurrence: at.Format(time.RFC3339)}
		switch n % 5 {
		case 0, 1:
			x.Title = fmt.Sprintf("Special %d", n)
		case 2:
			x.Start, x.End = at.Add(2*time.Hour).Format(time.RFC3339), at.Add(3*time.Hour).Format(time.RFC3339)
		case 3:
			x.Location = "Elsewhere"
		default:
			x.Skipped = true
		}
		b.Exceptions = append(b.Exceptions, x)
	}
	return b, nil
}

func (s *site) putSeries(b seriesBooking) error {
	return s.rest(http.MethodPut, "/bookings/"+url.PathEscape(b.ID), b, nil)
}
