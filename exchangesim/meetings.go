package exchangesim

import "strings"

// send records a meeting mail and, where the server is asked to, carries it into the attendees' calendars, as the Calendar
// Attendant does with mail that arrives.
func (c *call) send(it *item, kind string, to []Attendee) {
	c.invite(it, kind, to)
	if !c.opts.CopyToAttendees {
		return
	}
	for _, a := range to {
		if b := c.find(a.Address); b != nil && b != it.box && !b.owner.NoMailbox {
			c.arrive(b, it, kind)
		}
	}
}

// arrive brings a meeting into an attendee's calendar up to date.
func (c *call) arrive(b *mailbox, it *item, kind string) {
	calendar := b.known("calendar")
	var found *item
	for _, o := range calendar.items {
		if o.received && o.uid == it.uid {
			found = o
		}
	}
	switch {
	case kind == "cancellation" && found == nil:
	case kind == "cancellation":
		found.cancelled, found.subject, found.busy = true, "Canceled: "+it.subject, "Free"
		b.edited(found)
	case found == nil:
		made := &item{kind: "CalendarItem", author: it.organizer.Name, history: map[string]uint64{}}
		made.content = it.content.clone() // named properties travel with the request
		made.received, made.response, made.busy = true, "NoResponseReceived", "Tentative"
		if b.owner.Room {
			made.response, made.busy = "Accept", "Busy"
		}
		made.receive()
		b.add(calendar, made)
		if b.owner.Room {
			c.answerMeeting(made, "Accept")
		}
	default:
		response, busy := found.response, found.busy
		found.content = it.content.clone()
		found.received, found.response, found.busy = true, response, busy
		found.receive()
		b.edited(found)
	}
}

// answerMeeting keeps an attendee's answer and tells the organizer's item.
func (c *call) answerMeeting(it *item, response string) {
	it.response, it.replied = response, c.now
	if own := c.organizersItem(it); own != nil {
		for _, list := range [][]Attendee{own.required, own.optional, own.resources} {
			for i := range list {
				if strings.EqualFold(list[i].Address, it.box.owner.Address) {
					list[i].Response = response
				}
			}
		}
		own.box.edited(own)
	}
	if response == "Decline" {
		it.box.move(it, it.box.known("deleteditems"))
		return
	}
	it.busy = map[string]string{"Accept": "Busy", "Tentative": "Tentative"}[response]
	it.box.edited(it)
}

// organizersItem finds the original of an attendee's copy.
func (c *call) organizersItem(copied *item) *item {
	b := c.find(copied.organizer.Address)
	if b == nil {
		return nil
	}
	for _, o := range b.known("calendar").items {
		if !o.received && o.uid == copied.uid {
			return o
		}
	}
	return nil
}
