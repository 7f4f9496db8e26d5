package backendtest

import (
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// fieldNames are those of the checks in which one field alone is updated.
var fieldNames = []struct {
	name  string
	field calendar.Fields
}{
	{"Subject", calendar.FieldSubject},
	{"Body", calendar.FieldBody},
	{"Location", calendar.FieldLocation},
	{"Time", calendar.FieldTime},
	{"Busy", calendar.FieldBusy},
	{"Class", calendar.FieldClass},
	{"Reminder", calendar.FieldReminder},
}

const onlyFields = "An Update writes Fields of Event and nothing else of the item."

func updateChecks() []check {
	var out []check
	for _, f := range fieldNames {
		out = append(out, check{
			name: f.name + "Alone", section: "Apply: Update", needs: writing, rule: onlyFields,
			do: func(c *checking) {
				if c.can.Omits.Has(f.field) {
					c.Skipf("not checked: the calendar does not keep it (Omits)")
				}
				c.updates(c.event(), c.otherEvent(), f.field)
			},
		})
	}
	return append(out,
		check{
			name: "EveryFieldAtOnce", section: "Apply: Update", needs: writing, rule: onlyFields,
			do: func(c *checking) { c.updates(c.event(), c.otherEvent(), c.writable()) },
		},
		check{
			name: "NoField", section: "Apply: Update", needs: writing, rule: onlyFields,
			do: func(c *checking) { c.updates(c.event(), c.otherEvent(), 0) },
		},
		check{
			name: "ToEmptyTexts", section: "Apply: Update", needs: writing,
			rule: "An Update writes what Event says, also where it says nothing.",
			do: func(c *checking) {
				empty := c.event()
				empty.Body, empty.Location, empty.Reminder = "", "", nil
				c.updates(c.event(), empty, calendar.FieldBody|calendar.FieldLocation|calendar.FieldReminder)
			},
		},
		check{
			name: "ToAllDayAndBack", section: "Apply: Update; Times", needs: writing,
			rule: "Time covers Start, End, AllDay and Zone, and is written as a whole.",
			do: func(c *checking) {
				whole := c.event()
				whole.AllDay, whole.Start, whole.End = true, c.date(time.June, 1), c.date(time.June, 3)
				c.updates(c.event(), whole, calendar.FieldTime)
				c.updates(whole, c.event(), calendar.FieldTime)
			},
		},
		check{
			name: "ToAnotherZoneAtTheSameMoment", section: "Apply: Update; Times", needs: writing,
			rule: "Time covers Start, End, AllDay and Zone, and is written as a whole.",
			do: func(c *checking) {
				e := c.event()
				e.Zone = "Asia/Kolkata"
				c.updates(c.event(), e, calendar.FieldTime)
			},
		},
		check{
			name: "KeepsTheMarkers", section: "Apply: Update; Markers", needs: writing, rule: onlyFields,
			do: func(c *checking) {
				m := c.creation(c.event())
				m.ForeignKey = c.key()
				item := c.mustApply(c.b, m)
				now := c.mustFetch(c.mustApply(c.b, update(c.m, item, c.otherEvent(), c.writable())).Ref)
				if now.Key != m.Key || now.ForeignKey != m.ForeignKey {
					c.violated("after an Update, the item bears Key %q and ForeignKey %q instead of %q and %q", now.Key, now.ForeignKey, m.Key, m.ForeignKey)
				}
			},
		},
	)
}

// writable are the fields that may be written here.
func (s *suite) writable() calendar.Fields {
	return (calendar.AllFields &^ (calendar.FieldAttendees | calendar.FieldResources | calendar.FieldRecurrence)) &^ s.can.Omits
}

// updates creates an item, updates some of its fields, and checks that these and no others were written.
func (c *checking) updates(from, to calendar.Event, fields calendar.Fields) {
	c.Helper()
	item := c.mustApply(c.b, c.creation(from))
	before := c.mustFetch(item.Ref).Event
	now := c.mustApply(c.b, update(c.m, item, to, fields))
	for what, got := range map[string]calendar.Event{"the answer": now.Event, "what Fetch reads then": c.mustFetch(now.Ref).Event} {
		if d := c.differences(to, got, fields); len(d) > 0 {
			c.violated("the fields %q were updated, and in %s they are not as asked for: %s", fields, what, strings.Join(d, "; "))
		}
		if d := c.differences(before, got, calendar.AllFields&^fields); len(d) > 0 {
			c.violated("only the fields %q were updated, and in %s others have changed: %s", fields, what, strings.Join(d, "; "))
		}
	}
}
