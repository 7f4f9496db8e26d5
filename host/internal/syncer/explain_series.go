package syncer

import (
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
)

// An ExplainedSeries tells when the booking system's series takes place. What is different about single occurrences is told with
// the fields.
type ExplainedSeries struct {
	Recurrence string `json:"recurrence"` // the rule, an RRULE
	Zone       string `json:"zone"`       // in which it counts
	// Next are the next occurrences that are not over, at most ten.
	Next []ExplainedOccurrence `json:"next"`
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
	x := &ExplainedSeries{Recurrence: b.Recurrence, Zone: b.Zone, Next: []ExplainedOccurrence{}}
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
