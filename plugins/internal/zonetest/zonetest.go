// Package zonetest makes the events with which backends are tested in every time zone that Exchange knows: around the moments at which
// its clock is put forward or back, or, where it never is, on plain days. What goes in is to come out.
package zonetest

import (
	"fmt"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/plugins/internal/zones"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// A Case is one event in one zone.
type Case struct {
	Name  string // unlike that of every other
	Event calendar.Event
}

// Zones is how many zones there are, and Edges how many moments are looked at in each.
const (
	Zones = 139
	Edges = 3
)

// Cases returns the events of all zones: for each edge a single one over it, one of whole days, and a series of each kind, with an
// occurrence moved and one left out. after is when to look for edges from.
func Cases(after time.Time) ([]Case, error) {
	var out []Case
	for _, id := range zones.WindowsIDs() {
		zone, err := zones.Location(id)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		for i, edge := range edges(zone, after) {
			for what, e := range around(edge, zone) {
				if e, err = excepted(e); err != nil {
					return nil, fmt.Errorf("%s: %w", id, err)
				}
				out = append(out, Case{fmt.Sprintf("%s, %d, %s, %s", id, i, edge.Format("2006-01-02 15:04"), what), e})
			}
		}
	}
	return out, nil
}

// edges returns the next moments at which the clock in a zone changes; days a season apart where it does not.
func edges(zone *time.Location, after time.Time) []time.Time {
	var out []time.Time
	for t := after; len(out) < Edges; {
		_, next := t.In(zone).ZoneBounds()
		if next.IsZero() || next.After(after.AddDate(10, 0, 0)) {
			break
		}
		out, t = append(out, next.UTC()), next.Add(time.Second)
	}
	for len(out) < Edges {
		out = append(out, after.AddDate(0, 4*len(out)+1, 10).UTC())
	}
	return out
}

// around returns events over an edge, by what they are.
func around(edge time.Time, zone *time.Location) map[string]calendar.Event {
	local := edge.In(zone)
	day := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC)
	single := calendar.Event{
		Subject: "Zone", Start: edge.Add(-30 * time.Minute), End: edge.Add(30 * time.Minute), Zone: zone.String(), Busy: calendar.Occupied,
	}
	wholeDays := single
	wholeDays.AllDay, wholeDays.Start, wholeDays.End = true, day, day.AddDate(0, 0, 1)
	// Half an hour before the clock changes, so that its times are left out, or come twice, where it is put forward or back; from three
	// days before.
	timed := single
	timed.Start = time.Date(local.Year(), local.Month(), local.Day()-3, local.Hour(), local.Minute(), 0, 0, zone).Add(-30 * time.Minute).UTC()
	timed.End, timed.Recurrence = timed.Start.Add(time.Hour), "FREQ=DAILY;COUNT=7"
	days := wholeDays
	days.Start, days.End, days.Recurrence = day.AddDate(0, 0, -4), day.AddDate(0, 0, -3), "FREQ=DAILY;INTERVAL=2;COUNT=5"
	return map[string]calendar.Event{"single": single, "whole days": wholeDays, "series": timed, "series of whole days": days}
}

// excepted has the occurrence on the edge, or the nearest before, moved in a series, and the one after it left out.
func excepted(e calendar.Event) (calendar.Event, error) {
	if e.Recurrence == "" {
		return e, nil
	}
	s, err := series.Of(e)
	if err != nil {
		return e, err
	}
	for n, day := range s.Days() {
		switch at := 4; {
		case e.AllDay && n == 3 || !e.AllDay && n == at:
			moved := s.Plain(day)
			if e.AllDay {
				moved.Start, moved.End = moved.Start.AddDate(0, 0, 1), moved.End.AddDate(0, 0, 1)
			} else {
				moved.Start, moved.End = moved.Start.Add(2*time.Hour), moved.End.Add(3*time.Hour)
			}
			e.Exceptions = append(e.Exceptions, calendar.OccurrenceException{Occurrence: s.On(day), Event: &moved})
		case len(e.Exceptions) == 1:
			e.Exceptions = append(e.Exceptions, calendar.OccurrenceException{Occurrence: s.On(day)})
		}
	}
	return e, nil
}
