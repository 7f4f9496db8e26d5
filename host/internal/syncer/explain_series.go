package syncer

import (
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
)

// An ExplainedSeries is what makes a booking a series.
type ExplainedSeries struct {
	Recurrence string               `json:"recurrence"` // the rule, an RRULE
	Zone       string               `json:"zone"`       // in which it counts
	Exceptions []ExplainedException `json:"exceptions"` // by occurrence
	// Next are the next occurrences that are not over, at most ten.
	Next []ExplainedOccurrence `json:"next"`
}

// An ExplainedException is what is different about one occurrence.
type ExplainedException struct {
	Occurrence string   `json:"occurrence"` // the moment, or the date, at which the rule has it start
	Skipped    bool     `json:"skipped,omitempty"`
	Own        []string `json:"own,omitempty"` // the fields that are not as in the series
}

// An ExplainedOccurrence is an occurrence as it takes place.
type ExplainedOccurrence struct {
	Start     time.Time `json:"start"`
	End       time.Time `json:"end"`
	AllDay    bool      `json:"all_day"`
	Exception bool      `json:"exception,omitempty"`
	Resources []string  `json:"resources"` // ids
}

const explainedOccurrences = 10

// explainSeries tells of a series; nil of a single booking.
func explainSeries(b *booking.Booking, now time.Time) *ExplainedSeries {
	if !b.Series() {
		return nil
	}
	x := &ExplainedSeries{Recurrence: b.Recurrence, Zone: b.Zone, Exceptions: []ExplainedException{}, Next: []ExplainedOccurrence{}}
	for _, e := range b.Exceptions {
		x.Exceptions = append(x.Exceptions, ExplainedException{Occurrence: b.OccurrenceName(e.Occurrence), Skipped: e.Skipped, Own: e.Fields()})
	}
	for o := range booking.Touching(b, now, time.Time{}) {
		x.Next = append(x.Next, ExplainedOccurrence{
			Start: o.Start, End: o.End, AllDay: o.AllDay, Exception: o.Exception != nil, Resources: append([]string{}, o.Resources()...),
		})
		if len(x.Next) == explainedOccurrences {
			break
		}
	}
	return x
}
