package booking

import (
	"slices"
	"time"

	"github.com/roomwire/roomwire/sdk/recurrence"
)

// A Rest is what a series lost when it was made to end earlier.
type Rest struct {
	// Booking is the series as it was, from the first occurrence on that it has no more, with the exceptions from there on.
	Booking *Booking
	// last is the day of the last occurrence that remained; next that of the second one that was lost, zero if one was.
	first, last, next time.Time
}

// RestOf returns what old lost when it was made to end earlier, as which next remained. It is false if next is not the
// beginning of old, or all of it.
func RestOf(old, next *Booking) (Rest, bool) {
	if !old.Series() || !next.Series() {
		return Rest{}, false
	}
	was, err := seriesOf(old)
	if err != nil {
		return Rest{}, false
	}
	is, err := seriesOf(next)
	if err != nil || is.rule.Endless() {
		return Rest{}, false
	}
	var remain []time.Time
	for at := range is.moments(time.Time{}) {
		remain = append(remain, is.start.Day(at))
	}
	if len(remain) == 0 {
		return Rest{}, false
	}
	var r Rest
	n := 0
	for at := range was.moments(time.Time{}) {
		day := was.start.Day(at)
		switch {
		case n < len(remain):
			if n++; !day.Equal(remain[n-1]) {
				return Rest{}, false
			}
			continue
		case r.Booking == nil:
			r = Rest{Booking: was.rest(at, n), first: day, last: remain[n-1]}
			continue
		}
		r.next = day
		break
	}
	return r, r.Booking != nil
}

// rest returns the series from the occurrence on that the rule has start at at, which n others precede.
func (s *series) rest(at time.Time, n int) *Booking {
	b := s.b.Clone()
	b.Start, b.End = at, s.end(at)
	rule := s.rule
	if rule.Count > 0 {
		rule.Count -= n
	}
	b.Recurrence = rule.String(recurrence.Start{At: at, AllDay: b.AllDay, Zone: s.at})
	b.Exceptions = slices.DeleteFunc(b.Exceptions, func(x Exception) bool { return x.Occurrence.Before(at) })
	return b
}

// Begins reports whether a series that starts at start can be what r was made into: its first occurrence passes neither the last
// one that remained nor the one that followed. start is a moment, or the date if the series is of whole days.
func (r Rest) Begins(start time.Time, allDay bool) bool {
	day := start
	if !allDay {
		day = wallOf(start, r.Booking.location()).Truncate(24 * time.Hour)
	}
	next := r.next
	if next.IsZero() {
		next = r.first.Add(r.first.Sub(r.last))
	}
	return day.After(r.last) && day.Before(next)
}
