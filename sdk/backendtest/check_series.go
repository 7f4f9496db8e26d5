package backendtest

import (
	"context"
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

const rules = "A Master has Recurrence, its Start and End are those of the first occurrence, and its Exceptions are the occurrences that are not as the rule makes them."

func seriesChecks() []check {
	const needed = writing | series
	return []check{
		{
			name: "WeeklyAcrossAClockChange", section: "Series", needs: needed, rule: rules,
			do: func(c *checking) { c.roundTripSeries(c.weekly("Europe/Berlin")) },
		},
		{
			name: "WeeklyInLordHowe", section: "Series", needs: needed,
			rule: rules + " Zone is the one in which the rule counts.",
			do:   func(c *checking) { c.roundTripSeries(c.weekly("Australia/Lord_Howe")) },
		},
		{
			name: "MovedAndLeftOut", section: "Series", needs: needed, rule: rules,
			do: func(c *checking) { c.roundTripSeries(c.excepted(c.weekly("Europe/Berlin"))) },
		},
		{
			name: "AllDayWithExceptions", section: "Series", needs: needed,
			rule: rules + " Of an all-day series, an exception's Occurrence is a date.",
			do: func(c *checking) {
				e := c.event()
				e.AllDay, e.Start, e.End, e.Recurrence = true, c.date(time.March, 1), c.date(time.March, 2), "FREQ=DAILY;INTERVAL=2;COUNT=20"
				moved := e
				moved.Recurrence, moved.Start, moved.End = "", c.date(time.March, 4), c.date(time.March, 5)
				e.Exceptions = []calendar.OccurrenceException{
					{Occurrence: c.date(time.March, 3), Event: &moved}, {Occurrence: c.date(time.March, 7)},
				}
				c.roundTripSeries(e)
			},
		},
		{
			name: "MovedAcrossMidnight", section: "Series", needs: needed,
			rule: rules + " It is named by the time at which the rule has it start, wherever it was moved.",
			do: func(c *checking) {
				e := c.weekly("America/New_York")
				late := c.occurrence(e, 3, func(x *calendar.Event) { x.Start, x.End = x.Start.Add(16*time.Hour), x.End.Add(16*time.Hour) })
				early := c.occurrence(e, 10, func(x *calendar.Event) { x.Start, x.End = x.Start.Add(-11*time.Hour), x.End.Add(-11*time.Hour) })
				e.Exceptions = []calendar.OccurrenceException{late, early}
				c.roundTripSeries(e)
			},
		},
		{
			name: "RetitledOccurrence", section: "Series", needs: needed, rule: rules,
			do: func(c *checking) {
				e := c.weekly("Europe/Berlin")
				e.Exceptions = []calendar.OccurrenceException{c.occurrence(e, 21, func(x *calendar.Event) { x.Subject = subject + ", alone" })}
				c.roundTripSeries(e)
			},
		},
		{
			name: "WithoutAnEnd", section: "Series", needs: needed, rule: rules,
			do: func(c *checking) { c.weeklyBy("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH") },
		},
		{
			name: "ByDate", section: "Series", needs: needed, rule: rules,
			do: func(c *checking) {
				e := c.weekly("Europe/Berlin")
				at := location(e.Zone)
				last := e.Start.In(at).AddDate(0, 0, 24) // a Thursday, after the change of the clock
				c.weeklyBy("FREQ=WEEKLY;BYDAY=MO,TH;UNTIL=" + last.UTC().Format("20060102T150405Z"))
			},
		},
		{
			name: "OnTheLastDayOfTheMonth", section: "Series", needs: needed, rule: rules,
			do: func(c *checking) {
				e := c.event()
				e.Start, e.End = c.in(e.Zone, time.January, 31, 9, 0), c.in(e.Zone, time.January, 31, 10, 0)
				e.Recurrence = "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=5"
				c.roundTripSeries(e)
			},
		},
		{
			name: "OnADayOfTheWeekInTheYear", section: "Series", needs: needed, rule: rules,
			do: func(c *checking) {
				e := c.event()
				at := location(e.Zone)
				first := time.Date(c.year(), time.November, 1, 9, 0, 0, 0, at)
				for first.Weekday() != time.Thursday {
					first = first.AddDate(0, 0, 1)
				}
				e.Start = first.AddDate(0, 0, 21).UTC()
				e.End, e.Recurrence = e.Start.Add(time.Hour), "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;COUNT=3"
				c.roundTripSeries(e)
			},
		},
		{
			name: "UpdateOfTheTimeWithTheRule", section: "Apply: Update", needs: needed,
			rule: onlyFields + " Rule and exceptions are written as a whole.",
			do: func(c *checking) {
				from := c.excepted(c.weekly("Europe/Berlin"))
				to := c.weekly("Europe/Berlin")
				to.Start, to.End = to.Start.Add(90*time.Minute), to.End.Add(2*time.Hour)
				c.updates(from, c.excepted(to), calendar.FieldTime|calendar.FieldRecurrence)
			},
		},
		{
			name: "UpdateOfTheTitleKeepsTheExceptions", section: "Series", needs: needed,
			rule: "An Update without FieldRecurrence leaves rule and exceptions; what an exception has in common with the series changes along.",
			do:   func(c *checking) { c.exceptionsFollow() },
		},
		{
			name: "UpdateTwiceIsOnce", section: "Apply: Update", needs: needed,
			rule: "An Update that was made already leaves the item as it is.",
			do: func(c *checking) {
				item := c.mustApply(c.b, c.creation(c.weekly("Europe/Berlin")))
				to := c.excepted(c.weekly("Europe/Berlin"))
				m := update(c.m, item, to, calendar.FieldRecurrence)
				c.mustApply(c.b, m)
				c.sameAs(to, "the answer to the second Update", c.mustApply(c.b, m))
				c.sameAs(to, "what Fetch reads then", c.mustFetch(item.Ref))
			},
		},
		{
			name: "WhatWasLeftOutComesBack", section: "Apply: Update", needs: needed, rule: onlyFields,
			do: func(c *checking) {
				with := c.excepted(c.weekly("Europe/Berlin"))
				other := with
				other.Exceptions = other.Exceptions[:1]
				c.updates(with, other, calendar.FieldRecurrence)
			},
		},
		{
			name: "UpdateOfTheRule", section: "Apply: Update", needs: needed, rule: onlyFields,
			do: func(c *checking) {
				from := c.weekly("Europe/Berlin")
				to := from
				to.Recurrence = strings.Replace(from.Recurrence, "COUNT=8", "COUNT=5", 1)
				c.updates(from, to, calendar.FieldRecurrence)
			},
		},
		{
			name: "UpdateOfTheExceptions", section: "Apply: Update", needs: needed, rule: onlyFields,
			do: func(c *checking) {
				plain := c.weekly("Europe/Berlin")
				with := c.excepted(plain)
				c.updates(plain, with, calendar.FieldRecurrence)
				other := with
				other.Exceptions = other.Exceptions[1:]
				c.updates(with, other, calendar.FieldRecurrence)
			},
		},
		{
			name: "UpdateOfTheLocationKeepsTheSeries", section: "Apply: Update", needs: needed, rule: onlyFields,
			do: func(c *checking) {
				c.updates(c.excepted(c.weekly("Europe/Berlin")), c.otherEvent(), calendar.FieldLocation)
			},
		},
		{
			name: "ToASingleEventAndBack", section: "Apply: Update", needs: needed, rule: onlyFields,
			do: func(c *checking) {
				single := c.weekly("Europe/Berlin")
				single.Recurrence = ""
				c.updates(c.weekly("Europe/Berlin"), single, calendar.FieldRecurrence)
				c.updates(single, c.weekly("Europe/Berlin"), calendar.FieldRecurrence)
			},
		},
	}
}

// weekly is a series of eight weeks, two days in each, with the change of the zone's clock in its middle.
func (s *suite) weekly(zone string) calendar.Event {
	forward, _ := s.changes(zone)
	at := location(zone)
	d := forward.In(at).AddDate(0, 0, -14)
	for d.Weekday() != time.Monday {
		d = d.AddDate(0, 0, 1)
	}
	e := s.event()
	e.Zone, e.Start = zone, time.Date(d.Year(), d.Month(), d.Day(), 9, 0, 0, 0, at).UTC()
	e.End = e.Start.Add(time.Hour)
	e.Recurrence = "FREQ=WEEKLY;COUNT=8;BYDAY=MO,TH"
	return e
}

// excepted moves the second occurrence of a weekly series to the afternoon, and leaves out one after the clock's change.
func (s *suite) excepted(e calendar.Event) calendar.Event {
	at := location(e.Zone)
	occurrence := func(days int) time.Time {
		d := e.Start.In(at)
		return time.Date(d.Year(), d.Month(), d.Day()+days, d.Hour(), d.Minute(), 0, 0, at).UTC()
	}
	moved := e
	moved.Recurrence, moved.Exceptions = "", nil
	moved.Subject = subject + ", moved"
	moved.Start = occurrence(3).Add(5 * time.Hour)
	moved.End = moved.Start.Add(2 * time.Hour)
	e.Exceptions = []calendar.OccurrenceException{{Occurrence: occurrence(3), Event: &moved}, {Occurrence: occurrence(21)}}
	return e
}

// occurrence is an exception of a weekly series: the occurrence so many days after the first, with a change.
func (s *suite) occurrence(e calendar.Event, days int, change func(*calendar.Event)) calendar.OccurrenceException {
	at := location(e.Zone)
	d := e.Start.In(at)
	x := e
	x.Recurrence, x.Exceptions = "", nil
	x.Start = time.Date(d.Year(), d.Month(), d.Day()+days, d.Hour(), d.Minute(), 0, 0, at).UTC()
	x.End = x.Start.Add(e.End.Sub(e.Start))
	original := x.Start
	change(&x)
	return calendar.OccurrenceException{Occurrence: original, Event: &x}
}

// weeklyBy makes the weekly series with another rule and reads it back.
func (c *checking) weeklyBy(rule string) {
	c.Helper()
	e := c.weekly("Europe/Berlin")
	e.Recurrence = rule
	c.roundTripSeries(e)
}

// exceptionsFollow changes title and place of a series of which one occurrence has a title of its own.
func (c *checking) exceptionsFollow() {
	c.Helper()
	from := c.excepted(c.weekly("Europe/Berlin"))
	item := c.mustApply(c.b, c.creation(from))
	to := from
	to.Subject, to.Location = subject+", of the series", "Building 5"
	now := c.mustApply(c.b, update(c.m, item, to, (calendar.FieldSubject|calendar.FieldLocation)&^c.can.Omits))
	for what, got := range map[string]calendar.Item{"the answer": now, "what Fetch reads then": c.mustFetch(now.Ref)} {
		c.sameAs(to, what, got) // the title is its own
		for _, x := range got.Event.Exceptions {
			if x.Event != nil && !c.can.Omits.Has(calendar.FieldLocation) && x.Event.Location != to.Location {
				c.violated("in %s, the moved occurrence is still at %q, where the series was, instead of %q", what, x.Event.Location, to.Location)
			}
		}
	}
}

// roundTripSeries creates a series and reads it back.
func (c *checking) roundTripSeries(e calendar.Event) {
	c.Helper()
	if item := c.roundTrip(e); item != nil && item.Kind != calendar.Master {
		c.violated("the series was read as an item of the kind %d, not as a Master", item.Kind)
	}
}

func attendeeChecks() []check {
	const needed = writing | attendees
	return []check{
		{
			name: "AreReadAsTheyWereWritten", section: "Apply: answer", needs: needed, rule: texts,
			do: func(c *checking) { c.roundTrip(c.meeting()) },
		},
		{
			name: "SilenceIsKeptOrRefused", section: "Apply", needs: needed,
			rule: "A backend that cannot keep silent where MailNobody is asked reports Unsupported, and does nothing.",
			do: func(c *checking) {
				m := c.creation(c.meeting())
				r, err := c.b.Apply(c.Context(), m)
				if err == nil {
					c.after(func(ctx context.Context) { _ = c.remove(ctx, c.b, deletion(c.m, m.Key, r.Item.Ref)) })
					return
				}
				if fault.Of(err) != fault.Unsupported {
					c.violated("making a meeting of which nobody is to be told was answered %s", told(err))
				}
				if amiss := c.soon(func() string {
					if len(bearing(c.mustPull(""), m.Key)) > 0 {
						return "was made all the same"
					}
					return ""
				}); amiss != "" {
					c.violated("a meeting of which nobody could be left untold %s", amiss)
				}
			},
		},
		{
			name: "RoomsOfASilentUpdate", section: "Apply: Update", needs: needed,
			rule: "Rooms changes nothing of what an Update writes. A backend that cannot keep silent for the others reports Unsupported, and does nothing.",
			do:   func(c *checking) { c.updatesRooms() },
		},
		{
			name: "PeopleAlone", section: "Apply: Update", needs: needed, rule: onlyFields,
			do: func(c *checking) {
				if c.can.Omits.Has(calendar.FieldAttendees) {
					c.Skipf("not checked: the calendar does not keep it (Omits)")
				}
				to := c.meeting()
				to.Attendees = append(to.Attendees[1:2:2], guest("dave", calendar.Required), guest("room-b", calendar.Resource))
				c.updates(c.meeting(), to, calendar.FieldAttendees)
			},
		},
		{
			name: "ResourcesAlone", section: "Apply: Update", needs: needed, rule: onlyFields,
			do: func(c *checking) {
				if c.can.Omits.Has(calendar.FieldResources) {
					c.Skipf("not checked: the calendar does not keep it (Omits)")
				}
				to := c.meeting()
				to.Attendees = []calendar.Attendee{guest("dave", calendar.Required), guest("room-b", calendar.Resource)}
				c.updates(c.meeting(), to, calendar.FieldResources)
			},
		},
		{
			name: "StayWhenOthersAreWritten", section: "Apply: Update", needs: needed, rule: onlyFields,
			do: func(c *checking) { c.updates(c.meeting(), c.otherEvent(), calendar.FieldSubject|calendar.FieldTime) },
		},
		{
			name: "AllMayBeRemoved", section: "Apply: Update", needs: needed, rule: onlyFields,
			do: func(c *checking) {
				c.updates(c.meeting(), c.event(), (calendar.FieldAttendees|calendar.FieldResources)&^c.can.Omits)
			},
		},
	}
}

// meeting is the sample event with people and a room.
func (s *suite) meeting() calendar.Event {
	e := s.event()
	e.Attendees = []calendar.Attendee{
		guest("bob", calendar.Required), guest("carol", calendar.Optional), guest("room-a", calendar.Resource),
	}
	return e
}

func guest(name string, role calendar.Role) calendar.Attendee {
	return calendar.Attendee{Address: calendar.Address{Name: name, Email: name + "@example.com"}, Role: role}
}
