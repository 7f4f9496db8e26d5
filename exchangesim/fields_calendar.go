package exchangesim

import (
	"strconv"
	"strings"
	"time"
)

// calendarFields are the fields that calendar items have beyond those of every item, in the order of the schema.
func calendarFields() []field {
	clearList := func(list func(*content) *[]Attendee) func(*content) { return func(c *content) { *list(c) = nil } }
	attendees := func(name string, list func(*content) *[]Attendee) field {
		return field{uri: "calendar:" + name, name: name, shape: inDefault, heavy: true,
			get:   func(v *view) *node { return attendeesNode(name, *list(v.c)) },
			set:   func(e *edit, n *node) error { return e.setAttendees(n, list(e.content)) },
			clear: clearList(list)}
	}
	return []field{
		calendarText("UID", "UID", inAll, func(v *view) string { return v.c.uid }).settable(setText(func(c *content) *string { return &c.uid }), nil),
		calendarText("RecurrenceId", "RecurrenceId", inAll, func(v *view) string { return v.calendarStamp(v.original) }),
		calendarText("DateTimeStamp", "DateTimeStamp", inAll, func(v *view) string { return stamp(v.it.modified) }),
		calendarText("Start", "Start", inDefault, func(v *view) string { return v.calendarStamp(v.start) }).settable((*edit).setStart, nil),
		calendarText("End", "End", inDefault, func(v *view) string { return v.calendarStamp(v.end) }).settable((*edit).setEnd, nil),
		calendarText("OriginalStart", "OriginalStart", inAll, func(v *view) string { return v.calendarStamp(v.original) }),
		calendarText("IsAllDayEvent", "IsAllDayEvent", inDefault, func(v *view) string { return boolean(v.c.allDay) }).
			settable(setFlag(func(c *content) *bool { return &c.allDay }), func(c *content) { c.allDay = false }),
		calendarText("LegacyFreeBusyStatus", "LegacyFreeBusyStatus", inDefault, func(v *view) string { return v.c.busy }).
			settable(setOneOf(func(c *content) *string { return &c.busy }, "Free", "Tentative", "Busy", "OOF", "WorkingElsewhere", "NoData"), func(c *content) { c.busy = "Busy" }),
		calendarText("Location", "Location", inDefault, func(v *view) string { return v.c.location }).
			settable(setText(func(c *content) *string { return &c.location }), func(c *content) { c.location = "" }),
		calendarText("When", "When", onRequest, func(v *view) string { return v.calendarStamp(v.start) }).settable(ignore, nil),
		calendarText("IsMeeting", "IsMeeting", inAll, func(v *view) string { return boolean(v.c.meeting()) }),
		calendarText("IsCancelled", "IsCancelled", inAll, func(v *view) string { return boolean(v.c.cancelled) }),
		calendarText("IsRecurring", "IsRecurring", inAll, func(v *view) string { return boolean(v.index > 0) }),
		calendarText("MeetingRequestWasSent", "MeetingRequestWasSent", inAll, func(v *view) string { return boolean(v.c.sent) }),
		calendarText("IsResponseRequested", "IsResponseRequested", inAll, func(v *view) string { return boolean(v.c.responseRequested) }).
			settable(setFlag(func(c *content) *bool { return &c.responseRequested }), nil),
		calendarText("CalendarItemType", "CalendarItemType", inDefault, (*view).itemType),
		calendarText("MyResponseType", "MyResponseType", inAll, func(v *view) string { return v.c.response }),
		{uri: "calendar:Organizer", name: "Organizer", shape: inDefault, get: func(v *view) *node { return el("t:Organizer", mailboxNode(v.c.organizer)) }},
		attendees("RequiredAttendees", func(c *content) *[]Attendee { return &c.required }),
		attendees("OptionalAttendees", func(c *content) *[]Attendee { return &c.optional }),
		attendees("Resources", func(c *content) *[]Attendee { return &c.resources }),
		calendarText("ConflictingMeetingCount", "ConflictingMeetingCount", onRequest, func(v *view) string { return strconv.Itoa(v.conflicts()) }).weighty(),
		calendarText("AdjacentMeetingCount", "AdjacentMeetingCount", onRequest, fixed("0")).weighty(),
		calendarText("Duration", "Duration", inAll, func(v *view) string { return duration(v.end.Sub(v.start)) }),
		calendarText("TimeZone", "TimeZone", inAll, func(v *view) string { return zoneName(v.c.startZone) }),
		calendarText("AppointmentReplyTime", "AppointmentReplyTime", inAll, func(v *view) string { return v.calendarStamp(v.c.replied) }),
		calendarText("AppointmentSequenceNumber", "AppointmentSequenceNumber", inAll, func(v *view) string { return strconv.Itoa(v.c.sequence) }),
		calendarText("AppointmentState", "AppointmentState", inAll, func(v *view) string { return strconv.Itoa(v.c.state()) }),
		{uri: "calendar:Recurrence", name: "Recurrence", shape: inDefault, heavy: true, get: (*view).recurrenceNode, set: (*edit).setRecurrence, clear: func(c *content) { c.recurrence = nil }},
		{uri: "calendar:FirstOccurrence", name: "FirstOccurrence", shape: inDefault, heavy: true, get: func(v *view) *node { return v.occurrenceInfo("FirstOccurrence", first) }},
		{uri: "calendar:LastOccurrence", name: "LastOccurrence", shape: inDefault, heavy: true, get: func(v *view) *node { return v.occurrenceInfo("LastOccurrence", last) }},
		{uri: "calendar:ModifiedOccurrences", name: "ModifiedOccurrences", shape: inDefault, heavy: true, get: (*view).modifiedOccurrences},
		{uri: "calendar:DeletedOccurrences", name: "DeletedOccurrences", shape: inDefault, heavy: true, get: (*view).deletedOccurrences},
		{uri: "calendar:MeetingTimeZone", name: "MeetingTimeZone", shape: onRequest, heavy: true, get: func(*view) *node { return nil }, set: (*edit).setMeetingZone},
		{uri: "calendar:StartTimeZone", name: "StartTimeZone", shape: onRequest, get: func(v *view) *node { return zoneNode("t:StartTimeZone", v.c.startZone) }, set: (*edit).setStartZone},
		{uri: "calendar:EndTimeZone", name: "EndTimeZone", shape: onRequest, get: func(v *view) *node { return zoneNode("t:EndTimeZone", v.c.endZone) }, set: func(e *edit, n *node) error { return setZone(n, &e.endZone) }},
		calendarText("ConferenceType", "ConferenceType", onRequest, fixed("0")).settable(ignore, nil),
		calendarText("AllowNewTimeProposal", "AllowNewTimeProposal", inAll, func(v *view) string { return boolean(v.c.newTimeAllowed) }).
			settable(setFlag(func(c *content) *bool { return &c.newTimeAllowed }), nil),
		calendarText("IsOnlineMeeting", "IsOnlineMeeting", inAll, fixed("false")).settable(ignore, nil),
		calendarText("MeetingWorkspaceUrl", "MeetingWorkspaceUrl", onRequest, fixed("")).settable(ignore, nil),
		calendarText("NetShowUrl", "NetShowUrl", onRequest, fixed("")).settable(ignore, nil),
		calendarText("StartWallClock", "StartWallClock", onRequest, func(v *view) string { return wallClock(v.start, v.c.startZone) }),
		calendarText("EndWallClock", "EndWallClock", onRequest, func(v *view) string { return wallClock(v.end, v.c.endZone) }),
		calendarText("StartTimeZoneId", "StartTimeZoneId", onRequest, func(v *view) string { return v.c.startZone }),
		calendarText("EndTimeZoneId", "EndTimeZoneId", onRequest, func(v *view) string { return v.c.endZone }),
		calendarText("IsOrganizer", "IsOrganizer", onRequest, func(v *view) string { return boolean(!v.c.received) }),
	}
}

func attendeesNode(name string, list []Attendee) *node {
	if len(list) == 0 {
		return nil
	}
	n := el("t:" + name)
	for _, a := range list {
		response := a.Response
		if response == "" {
			response = "Unknown"
		}
		n.kids = append(n.kids, el("t:Attendee", mailboxNode(a), el("t:ResponseType", response)))
	}
	return n
}

func mailboxNode(a Attendee) *node {
	name := a.Name
	if name == "" {
		name = a.Address
	}
	return el("t:Mailbox", el("t:Name", name), el("t:EmailAddress", a.Address), el("t:RoutingType", "SMTP"), el("t:MailboxType", "Mailbox"))
}

func zoneNode(name, id string) *node {
	if id == "" {
		return nil
	}
	return el(name, attr{"Id", id}, attr{"Name", zoneName(id)})
}

func wallClock(t time.Time, zone string) string {
	if t.IsZero() {
		return ""
	}
	return t.In(mustZone(zone)).Format("2006-01-02T15:04:05-07:00")
}

// duration writes an xs:duration of days, hours, minutes and seconds.
func duration(d time.Duration) string {
	if d == 0 {
		return "PT0S"
	}
	var b strings.Builder
	b.WriteString("P")
	if days := d / (24 * time.Hour); days > 0 {
		b.WriteString(strconv.Itoa(int(days)) + "D")
	}
	if d %= 24 * time.Hour; d > 0 {
		b.WriteString("T")
		for _, unit := range []struct {
			length time.Duration
			name   string
		}{{time.Hour, "H"}, {time.Minute, "M"}, {time.Second, "S"}} {
			if n := d / unit.length; n > 0 {
				b.WriteString(strconv.Itoa(int(n)) + unit.name)
			}
			d %= unit.length
		}
	}
	return b.String()
}

// conflicts counts the other items at the same time.
func (v *view) conflicts() int {
	n := 0
	for _, o := range v.it.folder.items {
		if o != v.it && o.kind == "CalendarItem" && o.recurrence == nil && o.start.Before(v.end) && v.start.Before(o.end) {
			n++
		}
	}
	return n
}
