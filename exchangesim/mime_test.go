package exchangesim

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

// mimeItem creates an item from iCalendar and returns it as GetItem shows it.
func mimeItem(t *testing.T, c soapClient, ics string) *node {
	t.Helper()
	made := c.ask(t, `<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items><t:CalendarItem><t:MimeContent>`+
		base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(ics, "\n", "\r\n")))+`</t:MimeContent></t:CalendarItem></m:Items></m:CreateItem>`)
	if got := codes(made); !slices.Equal(got, []string{"NoError"}) {
		t.Fatalf("CreateItem: %v %s", got, made.child("ResponseMessages", "CreateItemResponseMessage", "MessageText").value())
	}
	return readMime(t, c, identities(made)["ItemId"][0])
}

func readMime(t *testing.T, c soapClient, id string) *node {
	t.Helper()
	return c.ask(t, `<m:GetItem><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent></m:ItemShape><m:ItemIds><t:ItemId Id="`+id+`"/></m:ItemIds></m:GetItem>`).
		child("ResponseMessages", "GetItemResponseMessage", "Items", "CalendarItem")
}

const meetingICS = `BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//EN
BEGIN:VTIMEZONE
TZID:Custom Berlin
BEGIN:STANDARD
DTSTART:19701025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
UID:uid-1@example.com
DTSTART;TZID=Custom Berlin:20260701T090000
DTEND;TZID=Custom Berlin:20260701T103000
SUMMARY:Lunch\, with a very long subject that has to be folded somewhere befo
 re its end; ümläuts too
LOCATION:Room A
DESCRIPTION:first\nsecond
CLASS:PRIVATE
PRIORITY:1
X-MICROSOFT-CDO-BUSYSTATUS:OOF
CATEGORIES:red,blue\, dark
ORGANIZER;CN=Alice:mailto:alice@example.com
ATTENDEE;CN="Brown, Bob";ROLE=REQ-PARTICIPANT:mailto:bob@example.com
ATTENDEE;ROLE=OPT-PARTICIPANT:MAILTO:carol@example.com
ATTENDEE;CUTYPE=ROOM:mailto:room-a@example.com
BEGIN:VALARM
ACTION:DISPLAY
TRIGGER:-PT20M
END:VALARM
END:VEVENT
END:VCALENDAR
`

func TestICalendarBecomesAnItemAndComesBack(t *testing.T) {
	t.Parallel()
	c := newSoapClient(t)
	item := mimeItem(t, c, meetingICS)
	for name, want := range map[string]string{
		"Subject": "Lunch, with a very long subject that has to be folded somewhere before its end; ümläuts too", "Location": "Room A", "Sensitivity": "Private",
		"Importance": "High", "LegacyFreeBusyStatus": "OOF", "Start": "2026-07-01T07:00:00Z", "End": "2026-07-01T08:30:00Z", "IsAllDayEvent": "false",
		"UID": "uid-1@example.com", "ReminderIsSet": "true", "ReminderMinutesBeforeStart": "20", "IsMeeting": "true",
	} {
		if got := item.child(name).value(); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if got := item.child("Body").value(); got != "first\nsecond" && got != "first\r\nsecond" {
		t.Errorf("body %q", got)
	}
	if n := item.child("RequiredAttendees").all("Attendee"); len(n) != 1 || n[0].child("Mailbox", "Name").value() != "Brown, Bob" {
		t.Errorf("%d required attendees", len(n))
	}
	if len(item.child("OptionalAttendees").children()) != 1 || len(item.child("Resources").children()) != 1 || len(item.child("Categories").children()) != 2 {
		t.Error("optional attendees, resources or categories are missing")
	}
	raw, err := base64.StdEncoding.DecodeString(item.child("MimeContent").value())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if len(line) > 77 || !strings.HasSuffix(line, "\r\n") {
			t.Errorf("line %q", line)
		}
	}
	cal, err := parseICalendar(string(raw))
	if err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	zone, event := cal.all("VTIMEZONE"), cal.all("VEVENT")
	if len(zone) != 1 || len(event) != 1 {
		t.Fatalf("%d zones, %d events", len(zone), len(event))
	}
	start, _ := event[0].get("DTSTART")
	if start.value != "20260701T090000" || start.param("TZID") != zone[0].text("TZID") || event[0].text("SUMMARY") != item.child("Subject").value() {
		t.Errorf("DTSTART %v in %s", start, zone[0].text("TZID"))
	}
	again := mimeItem(t, c, strings.ReplaceAll(string(raw), "\r\n", "\n"))
	for _, name := range []string{"Subject", "Location", "Sensitivity", "Importance", "LegacyFreeBusyStatus", "Start", "End", "UID", "Body", "ReminderMinutesBeforeStart", "DisplayTo", "DisplayCc"} {
		if got, want := again.child(name).value(), item.child(name).value(); got != want {
			t.Errorf("after a round trip %s = %q, want %q", name, got, want)
		}
	}
}

func TestICalendarTimes(t *testing.T) {
	t.Parallel()
	c := newSoapClient(t)
	for _, q := range []struct{ lines, start, end, allDay string }{
		{"DTSTART:20260701T090000Z\nDTEND:20260701T100000Z", "2026-07-01T09:00:00Z", "2026-07-01T10:00:00Z", "false"},
		{"DTSTART:20260701T090000\nDURATION:PT1H30M", "2026-07-01T09:00:00Z", "2026-07-01T10:30:00Z", "false"}, // floating: the request's zone
		{"DTSTART;TZID=Europe/Vienna:20260701T090000\nDURATION:P1D", "2026-07-01T07:00:00Z", "2026-07-02T07:00:00Z", "false"},
		{"DTSTART;VALUE=DATE:20260701", "2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z", "true"},
		{"DTSTART;VALUE=DATE:20260701\nDTEND;VALUE=DATE:20260703", "2026-07-01T00:00:00Z", "2026-07-03T00:00:00Z", "true"},
		{"DTSTART;TZID=Pacific Standard Time:20261225T090000", "2026-12-25T17:00:00Z", "2026-12-25T17:00:00Z", "false"},
	} {
		item := mimeItem(t, c, "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:x\n"+q.lines+"\nEND:VEVENT\nEND:VCALENDAR\n")
		if s, e, a := item.child("Start").value(), item.child("End").value(), item.child("IsAllDayEvent").value(); s != q.start || e != q.end || a != q.allDay {
			t.Errorf("%q: %s to %s, all day %s", q.lines, s, e, a)
		}
	}
}

func TestICalendarSeriesKeepsItsExceptions(t *testing.T) {
	t.Parallel()
	c := newSoapClient(t)
	item := mimeItem(t, c, `BEGIN:VCALENDAR
BEGIN:VEVENT
UID:series-1
SUMMARY:Jour fixe
DTSTART;TZID=Europe/Berlin:20261005T090000
DTEND;TZID=Europe/Berlin:20261005T100000
RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=5
EXDATE;TZID=Europe/Berlin:20261012T090000
END:VEVENT
BEGIN:VEVENT
UID:series-1
RECURRENCE-ID;TZID=Europe/Berlin:20261026T090000
SUMMARY:Jour fixe moved
DTSTART;TZID=Europe/Berlin:20261027T110000
DTEND;TZID=Europe/Berlin:20261027T120000
END:VEVENT
END:VCALENDAR
`)
	if got := item.child("CalendarItemType").value(); got != "RecurringMaster" {
		t.Fatalf("type %q", got)
	}
	changed := item.child("ModifiedOccurrences").all("Occurrence")
	if len(changed) != 1 || changed[0].child("Start").value() != "2026-10-27T10:00:00Z" || changed[0].child("OriginalStart").value() != "2026-10-26T08:00:00Z" {
		t.Errorf("%d modified occurrences", len(changed))
	}
	if gone := item.child("DeletedOccurrences").all("DeletedOccurrence"); len(gone) != 1 || gone[0].child("Start").value() != "2026-10-12T07:00:00Z" {
		t.Errorf("%d deleted occurrences", len(gone))
	}
	raw, err := base64.StdEncoding.DecodeString(item.child("MimeContent").value())
	if err != nil {
		t.Fatal(err)
	}
	again := mimeItem(t, c, strings.ReplaceAll(string(raw), "\r\n", "\n"))
	for _, name := range []string{"Recurrence", "ModifiedOccurrences", "DeletedOccurrences"} {
		if got, want := texts(again.child(name)), texts(item.child(name)); got != want {
			t.Errorf("after a round trip %s is %s, want %s", name, got, want)
		}
	}
}

// texts joins all text below a node.
func texts(n *node) string {
	var b strings.Builder
	n.walk(func(k *node) { b.WriteString(k.value() + " ") })
	return b.String()
}

func TestRecurrenceRulesComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	c := newSoapClient(t)
	for _, rule := range []string{
		"FREQ=DAILY;INTERVAL=3;COUNT=4",
		"FREQ=DAILY;INTERVAL=1;UNTIL=20261231T080000Z",
		"FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;WKST=MO;COUNT=6",
		"FREQ=MONTHLY;INTERVAL=1;BYMONTHDAY=5;COUNT=3",
		"FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=28,29,30,31;BYSETPOS=-1;COUNT=3",
		"FREQ=MONTHLY;INTERVAL=1;BYDAY=MO;BYSETPOS=-1;COUNT=3",
		"FREQ=MONTHLY;INTERVAL=1;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1;COUNT=3",
		"FREQ=YEARLY;BYMONTHDAY=5;BYMONTH=10;COUNT=3",
		"FREQ=YEARLY;BYDAY=MO;BYSETPOS=1;BYMONTH=10",
	} {
		item := mimeItem(t, c, "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:x\nDTSTART;TZID=Europe/Berlin:20261005T090000\nDTEND;TZID=Europe/Berlin:20261005T100000\nRRULE:"+rule+"\nEND:VEVENT\nEND:VCALENDAR\n")
		raw, err := base64.StdEncoding.DecodeString(item.child("MimeContent").value())
		if err != nil {
			t.Fatal(err)
		}
		cal, err := parseICalendar(string(raw))
		if err != nil {
			t.Fatal(err)
		}
		got, want := ruleParts(cal.all("VEVENT")[0].text("RRULE")), ruleParts(rule)
		for name, value := range want {
			if got[name] != value {
				t.Errorf("%s: %s came back as %q", rule, name, got[name])
			}
		}
	}
}

func TestUnusableMimeContentIsRefused(t *testing.T) {
	t.Parallel()
	c := newSoapClient(t)
	event := func(lines string) string {
		return "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n" + lines + "\r\nEND:VEVENT\r\nEND:VCALENDAR"
	}
	for name, ics := range map[string]string{
		"no iCalendar":      "From: alice@example.com\r\n\r\nhello",
		"no event":          "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
		"no start":          event("SUMMARY:x"),
		"no such day":       event("DTSTART:20260231T090000Z"),
		"no such zone":      event("DTSTART;TZID=Atlantis:20260201T090000"),
		"secondly":          event("DTSTART:20260201T090000Z\r\nRRULE:FREQ=SECONDLY"),
		"two Mondays":       event("DTSTART:20260201T090000Z\r\nRRULE:FREQ=MONTHLY;BYDAY=1MO,3MO"),
		"not an occurrence": event("DTSTART:20260201T090000Z\r\nRRULE:FREQ=DAILY;COUNT=2\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nRECURRENCE-ID:20270101T090000Z\r\nDTSTART:20270101T090000Z"),
		"cut off":           "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n",
		"not UTF-8":         event("SUMMARY:\xff"),
	} {
		n := c.ask(t, `<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items><t:CalendarItem><t:MimeContent>`+base64.StdEncoding.EncodeToString([]byte(ics))+`</t:MimeContent></t:CalendarItem></m:Items></m:CreateItem>`)
		if got := codes(n); !slices.Equal(got, []string{"ErrorMimeContentInvalid"}) {
			t.Errorf("%s: %v", name, got)
		}
	}
	n := c.ask(t, `<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items><t:CalendarItem><t:MimeContent>!</t:MimeContent></t:CalendarItem></m:Items></m:CreateItem>`)
	if got := codes(n); !slices.Equal(got, []string{"ErrorMimeContentInvalidBase64String"}) {
		t.Errorf("no base64: %v", got)
	}
}

func FuzzICalendar(f *testing.F) {
	f.Add(meetingICS)
	f.Add("BEGIN:VCALENDAR\nX;A=\"b:c\";D=e:f\\n\nEND:VCALENDAR")
	f.Fuzz(func(t *testing.T, text string) {
		cal, err := parseICalendar(text)
		if err != nil {
			return
		}
		again, err := parseICalendar(cal.String())
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if again.String() != cal.String() {
			t.Fatalf("%q became %q", cal, again)
		}
		sim, err := New(Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer sim.Close()
		c := newContent(&Person{Name: "x", Address: "x@example.com"})
		e := &edit{content: &c, call: &call{Server: sim, zoneID: "UTC"}}
		_ = e.setMime(el("t:MimeContent", base64.StdEncoding.EncodeToString([]byte(text))))
	})
}
