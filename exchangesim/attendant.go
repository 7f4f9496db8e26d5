package exchangesim

import (
	"fmt"
	"strings"
	"time"
)

// A verdict is what the Resource Booking Attendant makes of a request.
type verdict struct {
	response string // Accept, Tentative or Decline
	text     string
	declined map[int]string // occurrences that are declined alone, by index, with the reason
	until    time.Time      // where a series is cut; zero: nowhere
}

// attend has a room's attendants process what arrived about a meeting as a whole. found is the room's copy, if it has one.
func (c *call) attend(b *mailbox, it, found *item, kind string) {
	p := b.owner.processing()
	if p.AutomateProcessing == "None" || c.external(it.organizer) && !p.ProcessExternalMeetingMessages {
		return
	}
	if kind == "cancellation" {
		c.calledOff(b, found, &p)
		return
	}
	if p.AutomateProcessing == "AutoUpdate" {
		c.place(b, found, copied(it, found))
		return
	}
	made := copied(it, nil)
	v := c.judge(b, &p, made, found)
	reply := answer{from: b.owner, organizer: it.organizer, uid: it.uid, sequence: it.sequence, subject: it.subject}
	if v.response == "Decline" {
		if found != nil {
			b.move(found, b.known("deleteditems"))
		}
		c.reply(reply.with("Decline", p.worded(v.text)))
		return
	}
	made.attending(v.response, map[string]string{"Accept": "Busy", "Tentative": "Tentative"}[v.response])
	made.replied = c.now
	if !v.until.IsZero() {
		made.recurrence.Count, made.recurrence.End = 0, v.until.In(mustZone(made.startZone)).Format(time.DateOnly)
	}
	for index := range v.declined {
		made.cancels[index] = true
		delete(made.changes, index)
	}
	p.subjected(made)
	originals := originalsOf(it, v.declined)
	c.place(b, found, made)
	c.reply(reply.with(v.response, p.worded(v.text)))
	for _, o := range originals {
		one := reply.with("Decline", p.worded(v.declined[o.index]))
		one.original = o.start
		c.reply(one)
	}
}

// originalsOf are the slots of some occurrences of a series, in order.
func originalsOf(it *item, some map[int]string) []slot {
	var list []slot
	if len(some) == 0 {
		return nil
	}
	it.patternTimes(func(s slot) bool {
		if _, ok := some[s.index]; ok {
			list = append(list, s)
		}
		return len(list) < len(some)
	})
	return list
}

// place puts the room's copy of a meeting into its calendar, or in the place of the one that it has.
func (c *call) place(b *mailbox, found *item, made *content) *item {
	if found == nil {
		found = &item{kind: "CalendarItem", author: made.organizer.Name, history: map[string]uint64{}, content: *made}
		b.add(b.known("calendar"), found)
		return found
	}
	found.remember(made)
	found.content = *made
	b.edited(found)
	return found
}

// calledOff marks a copy of a meeting that does not take place.
func (c *call) calledOff(b *mailbox, found *item, p *CalendarProcessing) {
	if found == nil {
		return
	}
	found.cancelled, found.busy = true, "Free"
	if !strings.HasPrefix(found.subject, canceled) {
		found.subject = canceled + found.subject
	}
	b.edited(found)
	if p.RemoveCanceledMeetings {
		b.move(found, b.known("deleteditems"))
	}
}

// canceled is how the subject of a meeting that was called off begins.
const canceled = "Canceled: "

// attendOccurrence is attend for one occurrence of a series: series is the room's copy of it, alone that of an occurrence to
// which the room was invited by itself.
func (c *call) attendOccurrence(b *mailbox, v *view, series, alone *item) {
	p := b.owner.processing()
	one := v.c.clone()
	one.received, one.recurrence, one.start, one.end = true, nil, v.start, v.end
	one.changes, one.cancels = map[int]*content{}, map[int]bool{}
	found := series
	if found == nil {
		found = alone
	}
	decided := verdict{response: "NoResponseReceived"}
	if p.AutomateProcessing == "AutoAccept" {
		decided = c.judge(b, &p, &one, found)
		one.replied = c.now
		p.subjected(&one)
	}
	one.response = decided.response
	one.busy = "Tentative"
	if decided.response == "Accept" {
		one.busy = "Busy"
	}
	switch gone := decided.response == "Decline"; {
	case series != nil && gone:
		delete(series.changes, v.index)
		series.cancels[v.index] = true
		b.edited(series)
	case series != nil:
		delete(series.cancels, v.index)
		delete(series.changes, v.index)
		if v.exception || one.response != series.response {
			series.changes[v.index] = &one
		}
		b.edited(series)
	case gone && alone != nil:
		b.move(alone, b.known("deleteditems"))
	case !gone:
		c.place(b, alone, &one).original = v.original
	}
	if p.AutomateProcessing == "AutoAccept" {
		reply := answer{from: b.owner, organizer: v.it.organizer, uid: v.it.uid, sequence: v.c.sequence, subject: v.c.subject, original: v.original}
		c.reply(reply.with(decided.response, p.worded(decided.text)))
	}
}

// judge decides on a request: made is what the room would have in its calendar, self what it has of the meeting already.
func (c *call) judge(b *mailbox, p *CalendarProcessing, made *content, self *item) verdict {
	v := verdict{declined: map[int]string{}}
	zone := mustZone(b.owner.TimeZone)
	limit := midnight(c.now, zone, false).In(zone).AddDate(0, 0, p.BookingWindowInDays+1).UTC()
	why := c.beyond(p, made, limit, &v)
	if why == "" && !p.AllowConflicts {
		why = c.conflicting(b, p, made, self, &v)
	}
	who := made.organizer.Address
	switch {
	case why != "" && may(p.AllRequestOutOfPolicy, p.RequestOutOfPolicy, who):
		v.response, v.text, v.declined = "Tentative", pending+" "+why, nil
	case why != "":
		v.response, v.text, v.declined = "Decline", "Your request was declined because "+why, nil
	case may(p.AllBookInPolicy, p.BookInPolicy, who):
		v.response, v.text = "Accept", "Your request was accepted."
		if len(v.declined) > 0 {
			v.text += fmt.Sprintf(" %d occurrences were declined because there are conflicts.", len(v.declined))
		}
		if !v.until.IsZero() {
			v.text += fmt.Sprintf(" This resource can only be scheduled up to %d days in advance: later occurrences are not reserved.", p.BookingWindowInDays)
		}
	case may(p.AllRequestInPolicy, p.RequestInPolicy, who):
		v.response, v.text, v.declined = "Tentative", pending, nil
	default:
		v.response, v.text, v.declined = "Decline", "Your request was declined because you don't have permission to book this resource.", nil
	}
	return v
}

const pending = "Your request was received and is pending approval."

// beyond says why a request is not within the room's limits; empty if it is.
func (c *call) beyond(p *CalendarProcessing, made *content, limit time.Time, v *verdict) string {
	if most := time.Duration(p.MaximumDurationInMinutes) * time.Minute; most > 0 && made.end.Sub(made.start) > most {
		return fmt.Sprintf("it exceeds the maximum duration of this resource, which is %d minutes.", p.MaximumDurationInMinutes)
	}
	tooLate := fmt.Sprintf("this resource can only be scheduled up to %d days in advance. The end time should fall before %s.",
		p.BookingWindowInDays, limit.Add(-time.Second).Format("1/2/2006"))
	if made.recurrence == nil {
		if made.end.After(limit) {
			return tooLate
		}
		return ""
	}
	if !p.AllowRecurringMeetings {
		return "this resource does not accept recurring meetings."
	}
	last, more := time.Time{}, false
	c.occurrences(&item{content: *made}, func(o *view) bool {
		if more = o.end.After(limit); !more {
			last = o.original
		}
		return !more
	})
	switch {
	case !more:
		return ""
	case p.EnforceSchedulingHorizon || last.IsZero():
		return tooLate
	}
	v.until = last
	return ""
}

// conflicting says why a request cannot be met beside what is in the room's calendar; empty if it can, with the occurrences that
// cannot in v.
func (c *call) conflicting(b *mailbox, p *CalendarProcessing, made *content, self *item, v *verdict) string {
	if made.recurrence == nil {
		if found := c.taken(b, made.start, made.end, self); len(found) > 0 {
			return conflictText(b, found)
		}
		return ""
	}
	all := 0
	var some []*view
	c.occurrences(&item{content: *made}, func(o *view) bool {
		if !v.until.IsZero() && o.original.After(v.until) {
			return false
		}
		all++
		if found := c.taken(b, o.start, o.end, self); len(found) > 0 {
			v.declined[o.index] = "Your request was declined because " + conflictText(b, found)
			some = append(some, found...)
		}
		return true
	})
	if n := len(v.declined); n > p.MaximumConflictInstances || n*100 > p.ConflictPercentageAllowed*all {
		return conflictText(b, some)
	}
	return ""
}

// taken are the appointments in a room's calendar that occupy it at some time.
func (c *call) taken(b *mailbox, from, to time.Time, self *item) []*view {
	var found []*view
	for _, o := range c.overlapping(b.known("calendar"), from, to) {
		if o.it != self && !o.c.cancelled && o.c.busy != "Free" && o.start.Before(to) && from.Before(o.end) {
			found = append(found, o)
		}
	}
	return found
}

// conflictText names at most five of the conflicts.
func conflictText(b *mailbox, found []*view) string {
	if len(found) == 0 {
		return ""
	}
	const shown = "1/2/2006 3:04:05 PM"
	zone := mustZone(b.owner.TimeZone)
	text := "there are conflicts.\r\n\r\nThe conflicts are:\r\nOrganizer and Time of Conflicting Meeting"
	for _, o := range found[:min(len(found), 5)] {
		text += fmt.Sprintf("\r\n%s - %s to %s", o.c.organizer.Name, o.start.In(zone).Format(shown), o.end.In(zone).Format(shown))
	}
	return text
}
