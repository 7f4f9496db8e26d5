package exchangesim

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrNoOccurrence means that a series has no occurrence there, or that it was deleted.
var ErrNoOccurrence = errors.New("no such occurrence in the series")

// An Occurrence is one occurrence of a series as a person sees it.
type Occurrence struct {
	Original  time.Time `json:"original"`  // when the pattern has it start
	Exception bool      `json:"exception"` // it differs from the pattern
	// Appointment is the occurrence as it is. Its ID is its own, its ChangeKey that of the series; it has no Recurrence.
	Appointment
}

// Occurrences lists the occurrences of a series that start in a span of time by the pattern, in its order. Deleted ones are not
// among them.
func (o *Outlook) Occurrences(id string, from, to time.Time) ([]Occurrence, error) {
	list := []Occurrence{}
	err := o.onSeries(id, func(c *call, it *item) error {
		c.occurrences(it, func(v *view) bool {
			if !v.original.Before(from) && v.original.Before(to) {
				list = append(list, Occurrence{v.original, v.exception, v.appointment()})
			}
			return v.original.Before(to)
		})
		return nil
	})
	return list, err
}

// UpdateOccurrence changes one occurrence of a series, the one that the pattern has start at original; attendees are told. It may
// not be moved beyond its neighbours.
func (o *Outlook) UpdateOccurrence(id string, original time.Time, change func(*Appointment)) error {
	return o.editOccurrence(id, original, func(a *Appointment) error {
		change(a)
		return nil
	})
}

func (o *Outlook) editOccurrence(id string, original time.Time, change func(*Appointment) error) error {
	return o.onSeries(id, func(c *call, it *item) error {
		v, err := c.occurrenceAt(it, original)
		if err != nil {
			return err
		}
		a := v.appointment()
		if err := change(&a); err != nil {
			return err
		}
		if a.Recurrence != nil {
			return errors.New("one occurrence of a series has no recurrence of its own")
		}
		made := v.c.clone()
		made.changes, made.cancels = map[int]*content{}, map[int]bool{}
		if err := made.take(a); err != nil {
			return err
		}
		before := v.c.attendees()
		if err := c.commit(v, &made); err != nil {
			return err
		}
		if v, err = c.again(v); err == nil && (v.c.meeting() || len(before) > 0) {
			c.tellAttendees(v, before, "SendToAllAndSaveCopy")
		}
		return err
	})
}

// DeleteOccurrence deletes one occurrence of a series. Attendees of the person's own meeting get a cancellation.
func (o *Outlook) DeleteOccurrence(id string, original time.Time) error {
	return o.onSeries(id, func(c *call, it *item) error {
		v, err := c.occurrenceAt(it, original)
		if err == nil {
			c.cancel(v, "SendToAllAndSaveCopy")
		}
		return err
	})
}

// ChangeFollowing changes an occurrence of a series and all that follow, as Outlook does: the series ends with the occurrence
// before, and a new one begins, which has all that the old one had, its named properties too, but a UID of its own. The
// appointment that is changed has the times of the occurrence by the pattern; what had become of occurrences from there on is
// lost. From the first occurrence on it is a change of the series itself, whose id is returned then.
func (o *Outlook) ChangeFollowing(id string, original time.Time, change func(*Appointment)) (newID string, err error) {
	return o.editFollowing(id, original, func(a *Appointment) error {
		change(a)
		return nil
	})
}

func (o *Outlook) editFollowing(id string, original time.Time, change func(*Appointment) error) (newID string, err error) {
	first := false
	err = o.onSeries(id, func(c *call, it *item) error {
		v, err := c.occurrenceAt(it, original)
		if err != nil {
			return err
		}
		if first = v.index == 1; first {
			return nil
		}
		a := it.appointment()
		it.patternTimes(func(s slot) bool {
			a.Start, a.End = s.start, s.end
			return s.index < v.index
		})
		a.UID = ""
		local := a.Start.In(mustZone(it.startZone))
		a.Recurrence.Start = local.Format(time.DateOnly)
		if a.Recurrence.Count > 0 {
			a.Recurrence.Count -= v.index - 1
		}
		if err := change(&a); err != nil {
			return err
		}
		// The new one is made first: where the change is impossible, nothing has happened.
		if newID, err = c.createIn(it.box, a); err != nil {
			return err
		}
		return c.endBefore(it, local)
	})
	if err == nil && first {
		return id, o.edit(id, change)
	}
	return newID, err
}

// endBefore has a series end before a day. What had become of the occurrences that remain stays.
func (c *call) endBefore(it *item, day time.Time) error {
	made := it.content.clone()
	made.recurrence.Count, made.recurrence.End = 0, day.AddDate(0, 0, -1).Format(time.DateOnly)
	made.keepWithin()
	before := it.attendees()
	it.become(&made)
	it.author = c.actor.Name
	it.box.edited(it)
	if it.meeting() {
		c.tellAttendees(c.viewOf(it), before, "SendToAllAndSaveCopy")
	}
	return nil
}

// onSeries runs do with a series of the person's.
func (o *Outlook) onSeries(id string, do func(*call, *item) error) error {
	return o.with(func(c *call, b *mailbox) error {
		it, err := b.item(id)
		if err != nil {
			return err
		}
		if it.recurrence == nil {
			return fmt.Errorf("%q is no series", it.subject)
		}
		return do(c, it)
	})
}

// occurrenceAt finds the occurrence that the pattern has start at a time.
func (c *call) occurrenceAt(it *item, original time.Time) (*view, error) {
	var found *view
	c.occurrences(it, func(v *view) bool {
		if v.original.Equal(original) {
			found = v
		}
		return found == nil && !v.original.After(original)
	})
	if found == nil {
		return nil, fmt.Errorf("%w at %s: %q", ErrNoOccurrence, original.UTC().Format(time.RFC3339), it.subject)
	}
	return found, nil
}

// appointment is what a person sees of an occurrence.
func (v *view) appointment() Appointment {
	shown := *v.it
	shown.content = v.c.clone()
	a := shown.appointment()
	a.ID, a.Start, a.End, a.Recurrence = v.id(), v.start, v.end, nil
	return a
}

// check refuses a recurrence that no person could have chosen.
func (r *Recurrence) check() error {
	days := func(list []string) bool {
		return len(list) > 0 && !slices.ContainsFunc(list, func(d string) bool {
			return !slices.Contains(weekdays, d) && d != "Day" && d != "Weekday" && d != "WeekendDay"
		})
	}
	bad := func(what string) error { return fmt.Errorf("the recurrence is none that Outlook has: %s", what) }
	relative := r.Pattern == "RelativeMonthly" || r.Pattern == "RelativeYearly"
	switch {
	case !slices.Contains([]string{"Daily", "Weekly", "AbsoluteMonthly", "RelativeMonthly", "AbsoluteYearly", "RelativeYearly"}, r.Pattern):
		return bad(fmt.Sprintf("pattern %q", r.Pattern))
	case (r.Pattern == "Weekly" || relative) && !days(r.Days):
		return bad(fmt.Sprintf("days %q", r.Days))
	case r.FirstDay != "" && !slices.Contains(weekdays, r.FirstDay):
		return bad(fmt.Sprintf("first day of the week %q", r.FirstDay))
	case (r.Pattern == "AbsoluteMonthly" || r.Pattern == "AbsoluteYearly") && (r.Day < 1 || r.Day > 31):
		return bad(fmt.Sprintf("day %d", r.Day))
	case (r.Pattern == "AbsoluteYearly" || r.Pattern == "RelativeYearly") && !slices.Contains(months, r.Month):
		return bad(fmt.Sprintf("month %q", r.Month))
	case relative && !slices.Contains([]string{"First", "Second", "Third", "Fourth", "Last"}, r.Index):
		return bad(fmt.Sprintf("index %q", r.Index))
	case r.Interval < 0 || r.Count < 0:
		return bad("a negative number")
	}
	for _, day := range []string{r.Start, r.End} {
		if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
			return bad(fmt.Sprintf("day %q", day))
		}
	}
	return nil
}
