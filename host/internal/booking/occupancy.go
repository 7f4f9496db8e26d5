package booking

import (
	"slices"
	"time"
)

// Horizon is how far ahead a series occupies its resources: one without end cannot do so for ever. What Reach returns moves on
// with the time.
const Horizon = 2 * 365 * 24 * time.Hour

// kept is how far back a series occupies them: what is over is in nobody's way.
const kept = 365 * 24 * time.Hour

// Forever is when a series without end ends, for whoever needs a moment.
var Forever = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// Span returns the moments between which b occupies its resources: dates are taken in its zone, lead and follow-up time belong
// to it. Of a series it is from the first occurrence to the last; one without end occupies them until Forever.
func Span(b *Booking) (start, end time.Time) {
	if !b.Series() {
		o := Occurrence{Start: b.Start, End: b.End, AllDay: b.AllDay, of: b}
		if b.AllDay {
			o.at = b.location()
		}
		return o.Span()
	}
	s, err := seriesOf(b)
	if err != nil {
		single := *b
		single.Recurrence, single.Exceptions = "", nil
		return Span(&single)
	}
	first := Occurrence{Start: b.Start, End: b.End, AllDay: b.AllDay, of: b, at: s.at}
	for o := range Occurrences(b, time.Time{}) {
		first = o
		break
	}
	start, end = first.Span()
	if s.rule.Endless() {
		return start, Forever
	}
	for _, from := range []time.Time{s.start.On(s.rule.Until).AddDate(0, 0, -60), {}} {
		if s.rule.Count > 0 && !from.IsZero() {
			continue
		}
		found := false
		for o := range OccurrencesFrom(b, from, time.Time{}) {
			_, last := o.Span()
			found = true
			if last.After(end) {
				end = last
			}
		}
		if found {
			break
		}
	}
	return start, end
}

// Reach returns from when until when the resources of a series are occupied, as seen at now: those of its occurrences that the
// rule has start at from or later and before until. rest says that there are more after it. A single booking has no bounds: both
// are zero.
func Reach(b *Booking, now time.Time) (from, until time.Time, rest bool) {
	if !b.Series() {
		return time.Time{}, time.Time{}, false
	}
	now = now.UTC().Truncate(24 * time.Hour) // the same all day
	from, until = now.Add(-kept), now.Add(Horizon)
	if b.Start.After(now) {
		until = b.Start.Add(Horizon)
	}
	for range OccurrencesFrom(b, until, time.Time{}) {
		return from, until, true
	}
	return from, until, false
}

// CheckRule says why the rule of a series that was saved cannot be read; nil if it can, and of a single booking.
func CheckRule(b *Booking) error {
	if !b.Series() {
		return nil
	}
	_, err := seriesOf(b)
	return err
}

// SameOccupancy reports whether a and b occupy the same resources at the same times, so that neither is in anybody's way if the
// other is not. It may say no of two that do.
func SameOccupancy(a, b *Booking) bool {
	return a.Status == b.Status && a.Start.Equal(b.Start) && a.End.Equal(b.End) && a.AllDay == b.AllDay && a.Zone == b.Zone &&
		a.Recurrence == b.Recurrence && a.LeadMinutes == b.LeadMinutes && a.FollowMinutes == b.FollowMinutes &&
		slices.Equal(a.Resources, b.Resources) && slices.EqualFunc(occupancies(a), occupancies(b), SameException)
}

// occupancies returns what the exceptions of b say about when what is occupied.
func occupancies(b *Booking) []Exception {
	var list []Exception
	for _, x := range b.Exceptions {
		y := Exception{Occurrence: x.Occurrence, Skipped: x.Skipped, Start: x.Start, End: x.End, AllDay: x.AllDay, Resources: x.Resources}
		if y.Skipped || y.timed() || y.Resources != nil {
			list = append(list, y)
		}
	}
	return list
}

// Overlaps reports whether both stand, share a resource, and occupy it at the same moment in one of their occurrences, those
// within the Horizon after the later of the two starts. Bookings that touch do not overlap.
func Overlaps(a, b *Booking) bool {
	if a.Status != Confirmed || b.Status != Confirmed || a.ID == b.ID && a.Tenant == b.Tenant {
		return false
	}
	as, ae := Span(a)
	bs, be := Span(b)
	if !as.Before(be) || !bs.Before(ae) {
		return false
	}
	from, until := as, a.Start
	if bs.After(from) {
		from = bs
	}
	if b.Start.After(until) {
		until = b.Start
	}
	until = until.Add(Horizon)
	theirs := slices.Collect(Touching(b, from, until))
	for o := range Touching(a, from, until) {
		start, end := o.Span()
		for _, p := range theirs {
			s, e := p.Span()
			if start.Before(e) && s.Before(end) && slices.ContainsFunc(o.Resources(), func(r string) bool { return slices.Contains(p.Resources(), r) }) {
				return true
			}
		}
	}
	return false
}

// Skip leaves the occurrences with a conflict out of a series. It reports false, and changes nothing, if none would be left. Of a series
// without end those count that lie within the Horizon from now: as far everybody's series are known, and what lies beyond may be taken as
// well.
func (b *Booking) Skip(conflicts []Conflict, now time.Time) bool {
	c := b.Clone()
	for _, x := range conflicts {
		c.SetException(Exception{Occurrence: x.Occurrence, Skipped: true})
	}
	until := now.Add(Horizon)
	if s, err := seriesOf(c); err != nil || !s.rule.Endless() {
		until = time.Time{}
	} else if first := c.Start.AddDate(0, 0, 1); until.Before(first) {
		until = first
	}
	for range Occurrences(c, until) {
		b.Exceptions = c.Exceptions
		return true
	}
	return false
}
