package backendtest

import (
	"strings"

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// updatesRooms checks that attendees of whom the rooms alone are to be told are written as any, and once.
func (c *checking) updatesRooms() {
	c.Helper()
	fields := (calendar.FieldAttendees | calendar.FieldResources) &^ c.can.Omits
	item := c.mustApply(c.b, c.creation(c.event()))
	to, before := c.meeting(), c.mustFetch(item.Ref).Event
	m := update(c.m, item, to, fields)
	for _, a := range to.Attendees {
		if a.Role == calendar.Resource {
			m.Rooms = append(m.Rooms, a.Email)
		}
	}
	for _, try := range []string{"made", "made again"} {
		_, err := c.b.Apply(c.Context(), m)
		switch {
		case fault.Of(err) == fault.Unsupported:
			to = before
		case err != nil:
			c.violated("an Update with Rooms that was %s was answered %s", try, told(err))
			return
		}
		if d := c.differences(to, c.mustFetch(item.Ref).Event, fields); len(d) > 0 {
			c.violated("after an Update with Rooms was %s and answered %s, the attendees are not as they should be: %s", try, told(err), strings.Join(d, "; "))
		}
	}
}
