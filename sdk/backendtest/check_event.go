package backendtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

const (
	times = "Start and End are UTC, End is exclusive, Zone is the IANA name in which the event is meant; all-day events have dates, as midnight UTC. Never use the machine's time zone."
	texts = "An event is read as it was written."
)

// eventChecks create one event each and read it back.
func eventChecks() []check {
	var out []check
	add := func(name, rule string, field calendar.Fields, event func(c *checking, e *calendar.Event)) {
		out = append(out, check{name: name, section: "Times; Apply: answer", needs: writing, rule: rule, do: func(c *checking) {
			if c.can.Omits.Any(field) {
				c.Skipf("not checked: the calendar does not keep it (Omits)")
			}
			e := c.event()
			event(c, &e)
			c.roundTrip(e)
		}})
	}
	timed := func(name string, event func(c *checking, e *calendar.Event)) {
		add(name, times, calendar.FieldTime, event)
	}

	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"} {
		name := strings.NewReplacer("/", "", "_", "").Replace(zone)
		timed("In"+name+"InWinterAndSummer", func(c *checking, e *calendar.Event) {
			winter := *e
			winter.Zone, winter.Start, winter.End = zone, c.in(zone, time.January, 12, 9, 30), c.in(zone, time.January, 12, 11, 0)
			c.roundTrip(winter)
			e.Zone, e.Start, e.End = zone, c.in(zone, time.July, 12, 9, 30), c.in(zone, time.July, 12, 11, 0)
		})
	}
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe"} {
		name := strings.NewReplacer("/", "", "_", "").Replace(zone)
		timed("AroundTheGapIn"+name, func(c *checking, e *calendar.Event) {
			forward, _ := c.changes(zone)
			for _, span := range [][2]time.Duration{{-time.Hour, 0}, {0, time.Hour}, {-30 * time.Minute, 30 * time.Minute}} {
				other := *e
				other.Zone, other.Start, other.End = zone, forward.Add(span[0]), forward.Add(span[1])
				c.roundTrip(other)
			}
			e.Zone, e.Start, e.End = zone, forward.Add(30*time.Minute), forward.Add(2*time.Hour)
		})
		timed("TheHourThatComesTwiceIn"+name, func(c *checking, e *calendar.Event) {
			_, back := c.changes(zone)
			first := *e
			first.Zone, first.Start, first.End = zone, back.Add(-20*time.Minute), back.Add(-10*time.Minute)
			c.roundTrip(first)
			both := *e
			both.Zone, both.Start, both.End = zone, back.Add(-20*time.Minute), back.Add(20*time.Minute)
			c.roundTrip(both)
			e.Zone, e.Start, e.End = zone, back.Add(10*time.Minute), back.Add(20*time.Minute)
		})
	}
	timed("InUTC", func(c *checking, e *calendar.Event) {
		e.Zone, e.Start, e.End = "", c.in("UTC", time.August, 3, 23, 30), c.in("UTC", time.August, 4, 0, 30)
	})
	timed("AcrossTheEndOfTheYear", func(c *checking, e *calendar.Event) {
		e.Start, e.End = c.in("Europe/Berlin", time.December, 31, 22, 0), c.in("Europe/Berlin", time.January, 1, 2, 0).AddDate(1, 0, 0)
	})
	timed("OfSeveralDaysByTheClock", func(c *checking, e *calendar.Event) {
		e.Start, e.End = c.in("Europe/Berlin", time.May, 4, 14, 0), c.in("Europe/Berlin", time.May, 7, 11, 0)
	})
	timed("FromMidnightToMidnightIsNotAllDay", func(c *checking, e *calendar.Event) {
		e.Start, e.End = c.in("Europe/Berlin", time.May, 4, 0, 0), c.in("Europe/Berlin", time.May, 5, 0, 0)
	})
	for _, one := range []struct {
		name  string
		month time.Month
		day   int
		days  int
	}{
		{"OfOneDay", time.June, 15, 1},
		{"OfThreeDays", time.June, 15, 3},
		{"AcrossTheEndOfFebruary", time.February, 27, 4},
		{"AcrossTheEndOfTheYear", time.December, 30, 4},
	} {
		timed("AllDay"+one.name, func(c *checking, e *calendar.Event) {
			e.AllDay, e.Start = true, c.date(one.month, one.day)
			e.End = e.Start.AddDate(0, 0, one.days)
		})
	}
	for _, zone := range []string{"", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"} {
		name := strings.NewReplacer("/", "", "_", "").Replace(zone)
		if zone == "" {
			name = "UTC"
		}
		timed("AllDayIn"+name, func(c *checking, e *calendar.Event) {
			e.AllDay, e.Zone, e.Start, e.End = true, zone, c.date(time.June, 15), c.date(time.June, 16)
		})
	}
	timed("AllDayWhereTheClockChanges", func(c *checking, e *calendar.Event) {
		forward, back := c.changes("Europe/Berlin")
		spring := *e
		spring.AllDay, spring.Start = true, forward.Truncate(24*time.Hour)
		spring.End = spring.Start.AddDate(0, 0, 1)
		c.roundTrip(spring)
		e.AllDay, e.Start = true, back.Truncate(24*time.Hour)
		e.End = e.Start.AddDate(0, 0, 1)
	})
	contents(add)
	return out
}

// contents adds everything that is not about time.
func contents(add func(name, rule string, field calendar.Fields, event func(c *checking, e *calendar.Event))) {
	for _, one := range [][2]string{
		{"NonASCII", "Besprechung über Größe, naïve café, 会議, встреча"},
		{"Emoji", "Party 🎉 with 👩‍👩‍👧 family"},
		{"Marks", `a "b" 'c', d; e\f <g> & h%20 {i} \n #j`},
	} {
		name, text := one[0], one[1]
		add("SubjectWith"+name, texts, calendar.FieldSubject, func(_ *checking, e *calendar.Event) { e.Subject = subject + " " + text })
		add("LocationWith"+name, texts, calendar.FieldLocation, func(_ *checking, e *calendar.Event) { e.Location = text })
		add("BodyWith"+name, texts, calendar.FieldBody, func(_ *checking, e *calendar.Event) { e.Body = text + "\nand " + text })
	}
	add("BodyOfManyLines", texts, calendar.FieldBody, func(_ *checking, e *calendar.Event) {
		e.Body = "first line\n\nthird line, after an empty one\n  indented\n\ttabbed\n- last"
	})
	add("LongBody", texts, calendar.FieldBody, func(_ *checking, e *calendar.Event) {
		e.Body = strings.Repeat("A line of a long text, with an ü in it, and more than that.\n", 300) + "The end."
	})
	add("LongSubject", texts, calendar.FieldSubject, func(_ *checking, e *calendar.Event) {
		e.Subject = subject + strings.Repeat(" and so on", 20)
	})
	add("WithoutTexts", texts, 0, func(_ *checking, e *calendar.Event) { e.Body, e.Location = "", "" })
	for i, minutes := range []int{-1, 0, 15, 24 * 60} {
		add("Reminder"+[]string{"None", "AtTheStart", "AQuarterBefore", "ADayBefore"}[i], texts, calendar.FieldReminder, func(_ *checking, e *calendar.Event) {
			if e.Reminder = nil; minutes >= 0 {
				e.Reminder = &calendar.Reminder{Before: time.Duration(minutes) * time.Minute}
			}
		})
	}
	for i, name := range []string{"Free", "Tentative", "Occupied", "OutOfOffice", "WorkingElsewhere"} {
		busy := calendar.Free + calendar.Busy(i)
		add("Busy"+name, texts, calendar.FieldBusy, func(_ *checking, e *calendar.Event) { e.Busy = busy })
	}
	for i, name := range []string{"Public", "Personal", "Private", "Confidential"} {
		class := calendar.Public + calendar.Class(i)
		add("Class"+name, texts, calendar.FieldClass, func(_ *checking, e *calendar.Event) { e.Class = class })
	}
}

// changes returns when the clock of a zone is put forward in the suite's year, and when back.
func (s *suite) changes(zone string) (forward, back time.Time) {
	at := location(zone)
	for t := time.Date(s.year(), 1, 1, 12, 0, 0, 0, at); ; {
		_, next := t.ZoneBounds()
		if next.IsZero() || next.UTC().Year() != s.year() {
			return forward, back
		}
		_, before := next.Add(-time.Second).Zone()
		if _, after := next.Zone(); after > before {
			forward = next.UTC()
		} else {
			back = next.UTC()
		}
		t = next.Add(time.Hour)
	}
}

// roundTrip creates an event and reads it back, by reference and by a pull; it returns what the pull told, nil for nothing.
func (c *checking) roundTrip(e calendar.Event) *calendar.Item {
	c.Helper()
	m := c.creation(e)
	r, err := c.apply(c.b, m)
	if err != nil {
		c.violated("creating the event (%s to %s in %q): %v", e.Start.Format(time.RFC3339), e.End.Format(time.RFC3339), e.Zone, err)
		return nil
	}
	c.sameAs(e, "the answer", r.Item)
	c.sameAs(e, "what Fetch reads", c.mustFetch(r.Item.Ref))
	var pages []backend.Page
	amiss := c.soon(func() string {
		pages = append(pages, c.recent()...)
		if n := len(bearing(pages, m.Key)); n != 1 {
			return fmt.Sprintf("a pull shows it %d times", n)
		}
		return ""
	})
	if amiss != "" {
		c.violated("the event was created, and %s", amiss)
		return nil
	}
	found := bearing(pages, m.Key)[0]
	c.sameAs(e, "what Pull reads", found)
	return &found
}

// recent pulls what has changed in the first mailbox since it was last called.
func (c *checking) recent() []backend.Page {
	c.Helper()
	pages := c.since(c.b, c.last)
	if len(pages) > 0 {
		c.last = pages[len(pages)-1].Next
	}
	return pages
}

func (c *checking) sameAs(want calendar.Event, what string, got calendar.Item) {
	c.Helper()
	d := append(c.differences(want, got.Event, calendar.AllFields), malformed(got)...)
	if len(d) > 0 {
		c.violated("in %s, %s", what, strings.Join(d, "; "))
	}
}
