package exchangesim

import (
	"maps"
	"slices"
	"strings"
)

// become puts changed content into an item. With another pattern or other times a series loses all its exceptions, deleted
// occurrences too; with the same, its exceptions take over what they had in common with it.
func (it *item) become(made *content) {
	old := &it.content
	it.remember(made)
	given := made.given
	made.given = false
	switch {
	case given: // the exceptions came with the pattern
	case old.recurrence == nil || made.recurrence == nil:
		made.changes, made.cancels = map[int]*content{}, map[int]bool{}
	case !sameSeries(*old.recurrence, *made.recurrence) || !old.start.Equal(made.start) || !old.end.Equal(made.end) ||
		old.allDay != made.allDay || old.startZone != made.startZone:
		made.changes, made.cancels = map[int]*content{}, map[int]bool{}
	default:
		for _, own := range made.changes {
			own.follow(old, made)
		}
	}
	it.content = *made
}

// extends reports whether a series has changed in where it ends, and in nothing else that makes its occurrences.
func (it *item) extends(made *content) bool {
	if it.recurrence == nil || made.recurrence == nil {
		return false
	}
	old, now := *it.recurrence, *made.recurrence
	old.Count, old.End, now.Count, now.End = 0, "", 0, ""
	return !sameSeries(*it.recurrence, *made.recurrence) && sameSeries(old, now) && it.start.Equal(made.start) && it.end.Equal(made.end) &&
		it.allDay == made.allDay && it.startZone == made.startZone
}

// keepWithin keeps of the exceptions those of occurrences that the pattern has.
func (c *content) keepWithin() {
	last, most := 0, 0
	for index := range c.changes {
		most = max(most, index)
	}
	for index := range c.cancels {
		most = max(most, index)
	}
	(&item{content: *c}).patternTimes(func(s slot) bool {
		last = s.index
		return last < most
	})
	maps.DeleteFunc(c.changes, func(index int, _ *content) bool { return index > last })
	maps.DeleteFunc(c.cancels, func(index int, _ bool) bool { return index > last })
	c.given = true
}

// follow has an exception take over what changed of its series where it did not differ from it.
func (c *content) follow(old, made *content) {
	for _, field := range []func(*content) *string{
		func(c *content) *string { return &c.subject },
		func(c *content) *string { return &c.location },
		func(c *content) *string { return &c.sensitivity },
		func(c *content) *string { return &c.importance },
		func(c *content) *string { return &c.busy },
	} {
		if *field(c) == *field(old) {
			*field(c) = *field(made)
		}
	}
	if c.body == old.body {
		c.body = made.body
	}
	if c.reminderSet == old.reminderSet && c.reminder == old.reminder {
		c.reminderSet, c.reminder = made.reminderSet, made.reminder
	}
	if slices.Equal(c.categories, old.categories) {
		c.categories = slices.Clone(made.categories)
	}
	if slices.Equal(c.attachments, old.attachments) {
		c.attachments = slices.Clone(made.attachments)
	}
	for _, list := range []func(*content) *[]Attendee{
		func(c *content) *[]Attendee { return &c.required },
		func(c *content) *[]Attendee { return &c.optional },
		func(c *content) *[]Attendee { return &c.resources },
	} {
		if sameGuests(*list(c), *list(old)) {
			*list(c) = slices.Clone(*list(made))
		}
	}
	for key := range c.props {
		if _, kept := made.props[key]; !kept && slices.Equal(c.props[key].values, old.props[key].values) {
			delete(c.props, key)
		}
	}
	maps.Copy(c.props, changedProperties(c.props, old.props, made.props))
}

// changedProperties are those of made that an exception has as its series had them, or had not.
func changedProperties(own, old, made map[string]property) map[string]property {
	out := map[string]property{}
	for key, p := range made {
		if slices.Equal(own[key].values, old[key].values) {
			out[key] = p
		}
	}
	return out
}

// sameGuests reports whether two lists invite the same, whatever they answered.
func sameGuests(a, b []Attendee) bool {
	return slices.EqualFunc(a, b, func(x, y Attendee) bool { return strings.EqualFold(x.Address, y.Address) })
}

// again is the view of the same item or occurrence after a change.
func (c *call) again(v *view) (*view, error) {
	if v.index > 0 {
		return c.occurrence(v.it, v.index)
	}
	return c.viewOf(v.it), nil
}

// sendOf is send of an item, or of one occurrence of a series.
func (c *call) sendOf(v *view, kind string, to []Attendee) {
	if v.index == 0 {
		c.send(v.it, kind, to)
		return
	}
	if len(to) == 0 {
		return
	}
	m := Mail{From: v.it.organizer.Address, Kind: kind, ItemID: v.it.id, Subject: v.c.subject, Occurrence: v.original, At: c.now}
	for _, a := range to {
		m.To = append(m.To, a.Address)
	}
	c.mails = append(c.mails, m)
	if !c.opts.CopyToAttendees {
		return
	}
	for _, a := range to {
		if b := c.find(a.Address); b != nil && b != v.it.box && !b.owner.NoMailbox {
			c.arriveOccurrence(b, v, kind)
		}
	}
}

// arriveOccurrence brings one occurrence of a meeting into an attendee's calendar up to date: in the copy of the series, or, for
// who was invited to it alone, as an appointment by itself.
func (c *call) arriveOccurrence(b *mailbox, v *view, kind string) {
	calendar := b.known("calendar")
	var series, alone *item
	for _, o := range calendar.items {
		switch {
		case !o.received || o.uid != v.it.uid:
		case o.recurrence != nil:
			series = o
		case o.original.Equal(v.original):
			alone = o
		}
	}
	gone := kind == "cancellation"
	if b.owner.Room {
		p := b.owner.processing()
		if p.AutomateProcessing == "None" {
			return
		}
		if !gone {
			c.attendOccurrence(b, v, series, alone)
			return
		}
	}
	switch {
	case series != nil:
		delete(series.changes, v.index)
		if gone {
			series.cancels[v.index] = true
		} else if v.exception {
			series.changes[v.index] = received(v.c, series.response, series.busy)
		}
		b.edited(series)
	case alone != nil && gone:
		c.calledOff(b, alone, &CalendarProcessing{})
	case alone != nil:
		alone.content = *received(v.c, alone.response, alone.busy)
		alone.start, alone.end = v.start, v.end
		b.edited(alone)
	case !gone:
		made := &item{kind: "CalendarItem", author: v.it.organizer.Name, history: map[string]uint64{}, original: v.original}
		made.content = *received(v.c, "NoResponseReceived", "Tentative")
		made.recurrence, made.start, made.end = nil, v.start, v.end
		made.changes, made.cancels = map[int]*content{}, map[int]bool{}
		b.add(calendar, made)
	}
}

// received is an attendee's copy of a content.
func received(c *content, response, busy string) *content {
	made := c.clone()
	made.attending(response, busy)
	return &made
}
