package exchangesim

import (
	"encoding/hex"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"time"
)

// joinURLKey is the named property with the address of an online meeting.
const joinURLKey = "PublicStrings/SkypeTeamsMeetingUrl"

// The words of Graph for those of EWS.
var (
	graphShowAs = map[string]string{"Free": "free", "Tentative": "tentative", "Busy": "busy", "OOF": "oof", "WorkingElsewhere": "workingElsewhere", "NoData": "unknown"}
	graphAnswer = map[string]string{
		"": "none", "Unknown": "none", "Organizer": "organizer", "Tentative": "tentativelyAccepted", "Accept": "accepted", "Decline": "declined",
		"NoResponseReceived": "notResponded",
	}
	graphTypes = map[string]string{"Single": "singleInstance", "RecurringMaster": "seriesMaster", "Occurrence": "occurrence", "Exception": "exception"}
)

func etag(it *item) string { return `W/"` + changeKey(0x0f, it.key) + `"` }

// event writes all that Graph answers of an event, without what has to be asked for.
func (g *graphCall) event(v *view) map[string]any {
	c, it := v.c, v.it
	reply := map[string]any{"response": graphAnswer[c.response], "time": "0001-01-01T00:00:00Z"}
	if !c.replied.IsZero() {
		reply["time"] = c.replied.UTC().Format(graphInstant)
	}
	joinURL, online := it.joinURL(c)
	e := map[string]any{
		"@odata.etag": etag(it), "id": v.graphIDOf(g.immutable), "changeKey": changeKey(0x0f, it.key),
		"createdDateTime": it.created.UTC().Format(graphInstant), "lastModifiedDateTime": it.modified.UTC().Format(graphInstant),
		"categories": orEmpty(c.categories), "transactionId": orNull(it.transaction), "iCalUId": v.iCalUID(),
		"originalStartTimeZone": c.startZone, "originalEndTimeZone": c.endZone,
		"reminderMinutesBeforeStart": c.reminder, "isReminderOn": c.reminderSet, "hasAttachments": len(c.attachments) > 0, "isDraft": false,
		"subject": c.subject, "bodyPreview": preview(c.body), "body": g.graphBody(v),
		"importance": strings.ToLower(c.importance), "sensitivity": strings.ToLower(c.sensitivity), "showAs": graphShowAs[c.busy],
		"isAllDay": c.allDay, "isCancelled": c.cancelled, "isOrganizer": !c.received, "responseRequested": c.responseRequested,
		"allowNewTimeProposals": c.newTimeAllowed, "hideAttendees": false, "type": graphTypes[v.itemType()],
		"start": g.dateTime(v.start, c.startZone, c.allDay), "end": g.dateTime(v.end, c.endZone, c.allDay),
		"webLink":  "https://outlook.office365.com/owa/?itemid=" + url.QueryEscape(v.id()) + "&exvsurl=1&path=/calendar/item",
		"location": place(c.location), "locations": places(c.location),
		"attendees": graphAttendees(c), "organizer": map[string]any{"emailAddress": emailAddress(c.organizer)}, "responseStatus": reply,
		"isOnlineMeeting": online, "onlineMeetingProvider": "unknown", "onlineMeeting": nil, "onlineMeetingUrl": nil,
		"recurrence": nil, "seriesMasterId": nil,
	}
	if online {
		e["onlineMeetingProvider"], e["onlineMeeting"] = "teamsForBusiness", map[string]any{"joinUrl": joinURL}
	}
	switch {
	case v.index > 0:
		e["seriesMasterId"] = v.masterID(g.immutable)
		e["originalStart"] = v.original.UTC().Format("2006-01-02T15:04:05Z")
	case it.recurrence != nil:
		e["recurrence"] = graphRecurrence(it)
	}
	return e
}

// stub is the minimal entry of an occurrence, or of a master, in an answer of changes.
func (g *graphCall) stub(v *view) map[string]any {
	e := map[string]any{
		"@odata.type": "#microsoft.graph.event", "@odata.etag": etag(v.it), "id": v.graphIDOf(g.immutable), "type": graphTypes[v.itemType()],
		"start": g.dateTime(v.start, v.c.startZone, v.c.allDay), "end": g.dateTime(v.end, v.c.endZone, v.c.allDay),
	}
	if v.index > 0 {
		e["seriesMasterId"] = v.masterID(g.immutable)
	}
	return e
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// iCalUID is the UID, which each occurrence has for itself: in a GlobalObjectId bytes 16 to 19 are the day of the occurrence.
func (v *view) iCalUID() string {
	const day, end = 32, 40
	uid := v.c.uid
	if uid == "" {
		uid = v.it.uid
	}
	if v.index == 0 {
		return uid
	}
	raw, err := hex.DecodeString(uid)
	if err != nil || len(raw) < end/2 {
		head := "040000008200e00074c5b7101a82e008" + "00000000" + strings.Repeat("0", 32)
		data := "vCal-Uid\x01\x00\x00\x00" + uid + "\x00"
		uid = head + fmt.Sprintf("%02x%02x0000", len(data)&0xff, len(data)>>8) + hex.EncodeToString([]byte(data))
	}
	at := v.original.In(mustZone(v.it.startZone))
	return strings.ToUpper(uid[:day] + fmt.Sprintf("%04x%02x%02x", at.Year(), int(at.Month()), at.Day()) + uid[end:])
}

// preview is the first of the text of a body.
func preview(b body) string {
	text := []rune(b.plain())
	return string(text[:min(len(text), 255)])
}

// graphBody answers HTML unless the request prefers text. HTML that is no document is made one.
func (g *graphCall) graphBody(v *view) map[string]any {
	kind := "HTML"
	if g.plainText {
		kind = "Text"
	}
	text := v.body("t:Body", kind).text
	if kind == "HTML" && !strings.Contains(strings.ToLower(text), "<html") {
		text = "<html><head>\r\n<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\"></head><body>" + text + "</body></html>"
	}
	return map[string]any{"contentType": strings.ToLower(kind), "content": text}
}

// joinURL is the address of the online meeting that an event is, if it is one.
func (it *item) joinURL(c *content) (string, bool) {
	for _, props := range []map[string]property{c.props, it.props} {
		if p, ok := props[joinURLKey]; ok && len(p.values) > 0 {
			return p.values[0], p.values[0] != ""
		}
	}
	return "", false
}

// blob is what is appended to the body of an online meeting. Who writes the body without it ends the online meeting.
func blob(joinURL string) string {
	return `<br><div class="me-email-text" lang="en-US">________________________________________________________________________________` +
		`<br><a id="meet_invite_block.action.join_link" href="` + html.EscapeString(joinURL) + `">Join the meeting now</a></div>`
}

// goOnline makes an event an online meeting.
func (c *content) goOnline(it string) {
	joinURL := "https://teams.microsoft.com/l/meetup-join/19%3ameeting_" + strings.ReplaceAll(guidOf(it), "-", "") + "%40thread.v2/0"
	c.props[joinURLKey] = property{"String", []string{joinURL}}
	text := c.body.text
	if c.body.kind != "HTML" {
		text = strings.ReplaceAll(html.EscapeString(text), "\r\n", "<br>")
	}
	c.body = body{"HTML", text + blob(joinURL)}
}

func place(name string) map[string]any {
	if name == "" {
		return map[string]any{"displayName": "", "locationType": "default", "uniqueIdType": "unknown", "address": map[string]any{}, "coordinates": map[string]any{}}
	}
	return map[string]any{"displayName": name, "locationType": "default", "uniqueId": name, "uniqueIdType": "private"}
}

func places(names string) []any {
	list := []any{}
	for name := range strings.SplitSeq(names, "; ") {
		if name != "" {
			list = append(list, place(name))
		}
	}
	return list
}

func emailAddress(a Attendee) map[string]any {
	if a.Name == "" {
		a.Name = a.Address
	}
	return map[string]any{"name": a.Name, "address": a.Address}
}

func graphAttendees(c *content) []any {
	list := []any{}
	for _, part := range []struct {
		kind string
		who  []Attendee
	}{{"required", c.required}, {"optional", c.optional}, {"resource", c.resources}} {
		for _, a := range part.who {
			list = append(list, map[string]any{
				"type": part.kind, "emailAddress": emailAddress(a),
				"status": map[string]any{"response": graphAnswer[a.Response], "time": "0001-01-01T00:00:00Z"},
			})
		}
	}
	return list
}

// graphRecurrence writes the recurrence of a series.
func graphRecurrence(it *item) map[string]any {
	r := it.recurrence
	pattern := map[string]any{
		"type": strings.ToLower(r.Pattern[:1]) + r.Pattern[1:], "interval": max(r.Interval, 1), "month": 0, "dayOfMonth": 0,
		"firstDayOfWeek": "sunday", "index": "first",
	}
	if r.FirstDay != "" {
		pattern["firstDayOfWeek"] = strings.ToLower(r.FirstDay)
	}
	if r.Index != "" {
		pattern["index"] = strings.ToLower(r.Index)
	}
	if r.Day > 0 && strings.HasPrefix(r.Pattern, "Absolute") {
		pattern["dayOfMonth"] = r.Day
	}
	if strings.HasSuffix(r.Pattern, "Yearly") {
		pattern["month"] = slices.Index(months, r.Month) + 1
	}
	days := []string{}
	for _, d := range r.Days {
		switch d {
		case "Day":
			days = append(days, "sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
		case "Weekday":
			days = append(days, "monday", "tuesday", "wednesday", "thursday", "friday")
		case "WeekendDay":
			days = append(days, "sunday", "saturday")
		default:
			days = append(days, strings.ToLower(d))
		}
	}
	if len(days) > 0 {
		pattern["daysOfWeek"] = days
	}
	span := map[string]any{
		"type": "noEnd", "startDate": r.Start, "endDate": "0001-01-01", "recurrenceTimeZone": it.startZone, "numberOfOccurrences": 0,
	}
	switch {
	case r.Count > 0:
		span["type"], span["numberOfOccurrences"] = "numbered", r.Count
	case r.End != "":
		span["type"], span["endDate"] = "endDate", r.End
	}
	return map[string]any{"pattern": pattern, "range": span}
}

// cancelledOccurrences are the ids of the occurrences that were deleted, each with its day.
func (g *graphCall) cancelledOccurrences(v *view) []string {
	list := []string{}
	it := v.it
	if it.recurrence == nil || len(it.cancels) == 0 {
		return list
	}
	it.patternTimes(func(s slot) bool {
		if it.cancels[s.index] {
			list = append(list, "OID."+v.masterID(g.immutable)+"."+s.start.In(mustZone(it.startZone)).Format(time.DateOnly))
		}
		return len(list) < len(it.cancels)
	})
	return list
}
