package booking

import (
	"iter"
	"slices"
	"time"

	"github.com/roomwire/roomwire/sdk/recurrence"
)

// Series reports whether b is a series.
func (b *Booking) Series() bool { return b.Recurrence != "" }

// An Occurrence is one time at which a booking takes place. A single booking has one.
type Occurrence struct {
	Occurrence time.Time // as in Exception; zero of a single booking
	Start, End time.Time // as it takes place, in the form of a booking's
	AllDay     bool
	Exception  *Exception // what is different about it; nil: nothing. It belongs to the booking

	of *Booking
	at *time.Location
}

// Resources returns the resources it occupies. The list belongs to the booking.
func (o Occurrence) Resources() []string {
	if o.Exception != nil && o.Exception.Resources != nil {
		return *o.Exception.Resources
	}
	return o.of.Resources
}

// Name writes which occurrence it is, as people and the REST API do; empty of a single booking.
func (o Occurrence) Name() string {
	if o.Occurrence.IsZero() {
		return ""
	}
	return o.of.OccurrenceName(o.Occurrence)
}

// OccurrenceName writes the occurrence that the rule has start at at: the moment in UTC, or the date.
func (b *Booking) OccurrenceName(at time.Time) string {
	if b.AllDay {
		return at.Format(time.DateOnly)
	}
	return at.UTC().Format(time.RFC3339)
}

// Span returns the moments between which it occupies its resources: as it takes place, with the booking's lead and
// follow-up time.
func (o Occurrence) Span() (start, end time.Time) {
	start, end = o.Start, o.End
	if o.AllDay {
		start, end = midnightIn(start, o.at), midnightIn(end, o.at)
	}
	return start.Add(-time.Duration(o.of.LeadMinutes) * time.Minute), end.Add(time.Duration(o.of.FollowMinutes) * time.Minute)
}

// Booking returns it as a single booking with the id of the series, what is different about it applied.
func (o Occurrence) Booking() *Booking {
	c := *o.of
	c.Recurrence, c.Exceptions = "", nil
	c.Start, c.End, c.AllDay = o.Start, o.End, o.AllDay
	if o.Exception == nil {
		return c.Clone()
	}
	x := o.Exception.clone()
	replace(&c.Title, x.Title)
	replace(&c.Notes, x.Notes)
	replace(&c.Location, x.Location)
	replace(&c.Busy, x.Busy)
	replace(&c.Class, x.Class)
	replace(&c.Resources, x.Resources)
	replace(&c.Attendees, x.Attendees)
	if x.Reminder != nil {
		c.ReminderMinutes = x.Reminder.Minutes
	}
	return c.Clone()
}

func replace[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// Occurrences yields the occurrences of b that the rule has start before until, in order, those left out not among them;
// with a zero until all there are, which of a series without end go on until the year 9999. A booking whose rule cannot be
// read has none.
func Occurrences(b *Booking, until time.Time) iter.Seq[Occurrence] {
	return OccurrencesFrom(b, time.Time{}, until)
}

// OccurrencesFrom is Occurrences without those that the rule has start before from. What lies between the start of a series
// and from costs nothing, unless the rule ends by number.
func OccurrencesFrom(b *Booking, from, until time.Time) iter.Seq[Occurrence] {
	return func(yield func(Occurrence) bool) {
		if !b.Series() {
			if !b.Start.Before(from) && (until.IsZero() || b.Start.Before(until)) {
				yield(Occurrence{Start: b.Start, End: b.End, AllDay: b.AllDay, of: b, at: b.location()})
			}
			return
		}
		s, err := seriesOf(b)
		if err != nil {
			return
		}
		for at := range s.moments(from) {
			if !until.IsZero() && !at.Before(until) {
				return
			}
			if o, stands := s.occurrence(at); stands && !yield(o) {
				return
			}
		}
	}
}

// Touching yields the occurrences of b that occupy their resources at a moment from from on and before to, in order. A zero
// moment stands for no bound.
func Touching(b *Booking, from, to time.Time) iter.Seq[Occurrence] {
	return func(yield func(Occurrence) bool) {
		// How far an occurrence may reach from where the rule has it.
		slack := b.reach()
		first, until := from, to
		if !from.IsZero() {
			first = from.Add(-slack)
		}
		if !to.IsZero() {
			until = to.Add(slack)
		}
		if !b.Series() {
			first, until = time.Time{}, time.Time{}
		}
		for o := range OccurrencesFrom(b, first, until) {
			start, end := o.Span()
			if (from.IsZero() || end.After(from) || !start.Before(from)) && (to.IsZero() || start.Before(to)) && !yield(o) {
				return
			}
		}
	}
}

// reach is more than any occurrence begins before or ends after the moment at which the rule has it start.
func (b *Booking) reach() time.Duration {
	const zones = 3 * 24 * time.Hour // dates are moments elsewhere, and clocks change
	most := b.End.Sub(b.Start)
	for _, x := range b.Exceptions {
		if x.Start != nil {
			most = max(most, x.Occurrence.Sub(*x.Start))
		}
		if x.End != nil {
			most = max(most, x.End.Sub(x.Occurrence))
		}
	}
	return most + time.Duration(b.LeadMinutes+b.FollowMinutes)*time.Minute + zones
}

// series is a booking with its rule read.
type series struct {
	b     *Booking
	rule  recurrence.Rule
	start recurrence.Start
	at    *time.Location
}

// seriesOf reads the rule of b. The error is a *recurrence.Refusal.
func seriesOf(b *Booking) (*series, error) {
	s := &series{b: b, at: b.location()}
	s.start = recurrence.Start{At: b.Start, AllDay: b.AllDay, Zone: s.at}
	var err error
	if s.rule, err = recurrence.Parse(b.Recurrence, s.start); err != nil {
		return nil, err
	}
	return s, nil
}

// location is where the booking's dates and rule count.
func (b *Booking) location() *time.Location {
	if b.Zone == "" {
		return time.UTC
	}
	if at, err := recurrence.Zone(b.Zone); err == nil {
		return at
	}
	return time.UTC
}

// moments yields when the rule has its occurrences start, from from on.
func (s *series) moments(from time.Time) iter.Seq[time.Time] {
	return s.rule.OccurrencesFrom(s.start, from)
}

// end returns when the occurrence that the rule has start at at ends by the rule.
func (s *series) end(at time.Time) time.Time {
	return s.start.EndOf(at, s.b.End)
}

// occurrence returns the one that the rule has start at at, as it takes place; false if it is left out.
func (s *series) occurrence(at time.Time) (Occurrence, bool) {
	o := Occurrence{Occurrence: at, Start: at, End: s.end(at), AllDay: s.b.AllDay, of: s.b, at: s.at}
	i, found := s.b.exception(at)
	if !found {
		return o, true
	}
	x := &s.b.Exceptions[i]
	o.Exception = x
	if x.Start != nil && x.End != nil {
		o.Start, o.End = *x.Start, *x.End
		replace(&o.AllDay, x.AllDay)
	}
	return o, !x.Skipped
}

// exception returns the place of the exception of an occurrence, or where it would belong.
func (b *Booking) exception(at time.Time) (int, bool) {
	return slices.BinarySearchFunc(b.Exceptions, at, func(x Exception, at time.Time) int { return x.Occurrence.Compare(at) })
}

// Exception returns what is different about the occurrence that the rule has start at at; nil: nothing. It belongs to b.
func (b *Booking) Exception(at time.Time) *Exception {
	if i, found := b.exception(at); found {
		return &b.Exceptions[i]
	}
	return nil
}

// SetException replaces what is different about the occurrence x.Occurrence. Whether there is one, Validate says.
func (b *Booking) SetException(x Exception) {
	if i, found := b.exception(x.Occurrence); found {
		b.Exceptions[i] = x
	} else {
		b.Exceptions = slices.Insert(b.Exceptions, i, x)
	}
}

// HasOccurrence reports whether b is a series whose rule has an occurrence start at at, left out or not.
func (b *Booking) HasOccurrence(at time.Time) bool {
	if !b.Series() {
		return false
	}
	s, err := seriesOf(b)
	if err != nil {
		return false
	}
	for first := range s.moments(at) {
		return first.Equal(at)
	}
	return false
}

// wallOf returns what the clock on the wall shows, as if it were UTC.
func wallOf(t time.Time, at *time.Location) time.Time {
	t = t.In(at)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

func midnightIn(day time.Time, at *time.Location) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, at).UTC()
}
