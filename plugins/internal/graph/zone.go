package graph

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/zones"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// Graph takes times as wall clock time in a zone. In the hour that comes twice, when the clock is put back, that leaves open
// which one is meant. Such times are written in UTC, and the zone beside them, in a property of ours that says for which
// times it holds: it means nothing any more once somebody has moved the item.
const zoneProperty = "RoomwireZone"

// ownZone returns the zone that was written beside an event's times; empty if there is none, or they have changed since or
// are meant in a zone by now.
func (b *Backend) ownZone(e *event, start, end time.Time) string {
	zone, ok := strings.CutPrefix(e.value(b.zone), zoneMark(start, end))
	if !ok || e.zone() != "" {
		return ""
	}
	if at, err := zones.Location(zone); err == nil {
		return at.String()
	}
	return ""
}

func zoneMark(start, end time.Time) string {
	return start.UTC().Format(time.RFC3339) + "/" + end.UTC().Format(time.RFC3339) + " "
}

// A span of time as it is written.
type written struct {
	start, end dateTime
	mark       string // to be written beside it; empty: nothing
}

// timesOf returns how the times of an event are written.
func timesOf(e calendar.Event) (written, error) {
	if e.Start.IsZero() || e.End.IsZero() {
		return written{}, fmt.Errorf("the event has no start or no end: %w", fault.Invalid)
	}
	if e.End.Before(e.Start) {
		return written{}, fmt.Errorf("the event ends before it starts: %w", fault.Invalid)
	}
	name := cmp.Or(e.Zone, "UTC")
	id, ok := zones.Windows(name)
	at, err := zones.Location(name)
	if !ok || err != nil {
		return written{}, fmt.Errorf("time zone %q has no Windows name, which Exchange needs: %w", name, fault.Invalid)
	}
	if e.AllDay {
		if !e.End.After(e.Start) {
			return written{}, fmt.Errorf("the event lasts no day: %w", fault.Invalid)
		}
		return written{start: wallClock(e.Start.UTC(), id), end: wallClock(e.End.UTC(), id)}, nil
	}
	if !twice(e.Start, at) && !twice(e.End, at) {
		return written{start: wallClock(e.Start.In(at), id), end: wallClock(e.End.In(at), id)}, nil
	}
	return written{
		start: wallClock(e.Start.UTC(), "UTC"), end: wallClock(e.End.UTC(), "UTC"), mark: zoneMark(e.Start, e.End) + at.String(),
	}, nil
}

func wallClock(t time.Time, zone string) dateTime {
	return dateTime{DateTime: t.Format("2006-01-02T15:04:05"), Zone: zone}
}

// twice reports whether the clock shows t's time at another moment as well.
func twice(t time.Time, at *time.Location) bool {
	local := t.In(at)
	_, here := local.Zone()
	start, end := local.ZoneBounds()
	for _, neighbour := range []time.Time{start.Add(-time.Second), end} {
		if neighbour.IsZero() || neighbour.Year() <= 1 {
			continue
		}
		_, there := neighbour.Zone()
		other := t.Add(time.Duration(here-there) * time.Second)
		if _, offset := other.In(at).Zone(); here != there && offset == there {
			return true
		}
	}
	return false
}
