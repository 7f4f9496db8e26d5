package booking

import (
	"slices"
	"time"
)

// Rebase fits the exceptions of next, which name occurrences of old, to the rule and the times of next: each goes to the
// occurrence on the same local date. It returns those that are given up, because the rule has none on that date any more, or in
// part: times of their own that would now lie on the day of a neighbour or across it. The rest of them stays. Both bookings must
// be normalized but for the exceptions of next.
func Rebase(old, next *Booking) (dropped []Exception) {
	list := next.Exceptions
	next.Exceptions = nil
	if !next.Series() {
		return list
	}
	s, err := seriesOf(next)
	if err != nil {
		next.Exceptions = list // Validate says so
		return nil
	}
	at := old.location()
	day := func(x Exception) time.Time {
		if old.AllDay {
			return x.Occurrence
		}
		return wallOf(x.Occurrence, at).Truncate(24 * time.Hour)
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(x, y Exception) int { return day(x).Compare(day(y)) })
	for at := range s.from(list, day) {
		for len(list) > 0 && day(list[0]).Before(s.start.Day(at)) {
			dropped, list = append(dropped, list[0]), list[1:]
		}
		if len(list) == 0 {
			break
		}
		if !day(list[0]).Equal(s.start.Day(at)) {
			continue
		}
		x := list[0].clone()
		list = list[1:]
		if x.Start != nil && x.AllDay == nil {
			x.AllDay = copied(&old.AllDay)
		}
		x.Occurrence = at
		next.Exceptions = append(next.Exceptions, x)
	}
	dropped = append(dropped, list...)
	next.normalizeSeries()
	return append(dropped, s.unmove()...)
}

// from yields the moments of the rule from the day of the first of list on.
func (s *series) from(list []Exception, day func(Exception) time.Time) func(yield func(time.Time) bool) {
	var first time.Time
	if len(list) > 0 {
		first = day(list[0]).AddDate(0, 0, -2)
	}
	return s.moments(first)
}

// unmove takes their own times from the exceptions that lie across their neighbours, and returns what it took.
func (s *series) unmove() []Exception {
	var taken []Exception
	for {
		again := false
		for _, d := range s.disorder() {
			if d.what != beforeIts && d.what != behindIts {
				continue
			}
			x := &s.b.Exceptions[d.exception]
			if !x.timed() {
				continue // it is there twice
			}
			taken = append(taken, Exception{Occurrence: x.Occurrence, Start: x.Start, End: x.End, AllDay: x.AllDay})
			x.Start, x.End, x.AllDay = nil, nil, nil
			again = true
		}
		if !again {
			break
		}
	}
	s.b.normalizeSeries()
	return taken
}
