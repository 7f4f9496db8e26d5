package exchangesim

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestConvertIdTakesEveryFormatBack(t *testing.T) {
	t.Parallel()
	c := newSoapClient(t)
	folder := c.ask(t, `<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds><t:DistinguishedFolderId Id="calendar"/></m:FolderIds></m:GetFolder>`)
	id := identities(folder)["FolderId"][0]
	convert := func(text, from, to string) *node {
		return c.ask(t, fmt.Sprintf(`<m:ConvertId DestinationFormat=%q><m:SourceIds><t:AlternateId Format=%q Id=%q Mailbox="alice@example.com"/></m:SourceIds></m:ConvertId>`, to, from, text))
	}
	seen := map[string]string{}
	for format := range idFormats() {
		n := convert(id, "EwsId", format)
		other := n.child("ResponseMessages", "ConvertIdResponseMessage", "AlternateId")
		if other == nil {
			t.Errorf("%s: %v", format, codes(n))
			continue
		}
		if twin, twice := seen[other.attr("Id")]; twice {
			t.Errorf("%s and %s are alike", format, twin)
		}
		seen[other.attr("Id")] = format
		back := convert(other.attr("Id"), format, "EwsId").child("ResponseMessages", "ConvertIdResponseMessage", "AlternateId")
		if got := back.attr("Id"); got != id || back.attr("Format") != "EwsId" {
			t.Errorf("%s → EwsId = %q, want %q", format, got, id)
		}
		if format != "EwsId" {
			if got := codes(convert(other.attr("Id"), "EwsId", "EntryId")); format != "OwaId" && got[0] != "ErrorInvalidIdMalformed" {
				t.Errorf("%s taken for an EwsId: %v", format, got)
			}
		}
	}
	if got := codes(convert("DUMMY", "EwsId", "EntryId")); !slices.Equal(got, []string{"ErrorInvalidIdMalformed"}) {
		t.Errorf("no id at all: %v", got)
	}
}

func TestResolveNames(t *testing.T) {
	t.Parallel()
	c := newSoapClient(t)
	for _, q := range []struct{ entry, class, code, names string }{
		{"alice", "Success", "NoError", "Alice Adams"},
		{"ADAMS", "Success", "NoError", "Alice Adams"},
		{"smtp:bob@example.com", "Success", "NoError", "Bob Brown"},
		{`EXAMPLE\carol`, "Success", "NoError", "Carol Clark"},
		{"room", "Warning", "ErrorNameResolutionMultipleResults", "Room A,Room B"},
		{"dave", "Error", "ErrorNameResolutionNoResults", ""},
		{"svc-rooms", "Error", "ErrorNameResolutionNoResults", ""}, // has no mailbox
	} {
		n := c.ask(t, `<m:ResolveNames ReturnFullContactData="true"><m:UnresolvedEntry>`+q.entry+`</m:UnresolvedEntry></m:ResolveNames>`)
		message := n.child("ResponseMessages", "ResolveNamesResponseMessage")
		var names []string
		for _, r := range message.child("ResolutionSet").all("Resolution") {
			names = append(names, r.child("Mailbox", "Name").value())
			if r.child("Contact", "DisplayName").value() != r.child("Mailbox", "Name").value() {
				t.Errorf("%s: a contact without its name", q.entry)
			}
		}
		if message.attr("ResponseClass") != q.class || message.child("ResponseCode").value() != q.code || strings.Join(names, ",") != q.names {
			t.Errorf("%s: %s %s %q, want %s %s %q", q.entry, message.attr("ResponseClass"), codes(n), names, q.class, q.code, q.names)
		}
	}
}

func TestGetUserConfigurationHasNone(t *testing.T) {
	t.Parallel()
	n := newSoapClient(t).ask(t, `<m:GetUserConfiguration><m:UserConfigurationName Name="OWA.UserOptions"><t:DistinguishedFolderId Id="root"/></m:UserConfigurationName><m:UserConfigurationProperties>All</m:UserConfigurationProperties></m:GetUserConfiguration>`)
	if got := codes(n); !slices.Equal(got, []string{"ErrorItemNotFound"}) {
		t.Errorf("%v, want ErrorItemNotFound", got)
	}
}

func TestTimeZonesAreListedAndFiltered(t *testing.T) {
	t.Parallel()
	c := newSoapClient(t)
	list := func(request string) []*node {
		return c.ask(t, request).child("ResponseMessages", "GetServerTimeZonesResponseMessage", "TimeZoneDefinitions").all("TimeZoneDefinition")
	}
	brief := list(`<m:GetServerTimeZones ReturnFullTimeZoneData="false"/>`)
	if len(brief) < 139 {
		t.Errorf("%d zones, want all of Windows", len(brief))
	}
	for _, n := range brief {
		if len(n.kids) > 0 || !strings.HasPrefix(n.attr("Name"), "(UTC") {
			t.Errorf("%s: %q with %d children", n.attr("Id"), n.attr("Name"), len(n.kids))
		}
	}
	two := list(`<m:GetServerTimeZones ReturnFullTimeZoneData="true"><m:Ids><t:Id>UTC</t:Id><t:Id>No Such Time</t:Id><t:Id>W. Europe Standard Time</t:Id></m:Ids></m:GetServerTimeZones>`)
	if len(two) != 2 || two[0].attr("Id") != "UTC" || two[1].child("TransitionsGroups") == nil {
		t.Errorf("filtered: %d zones", len(two))
	}
}

// TestZoneRulesSayWhatTheClockDoes reads the rules of every zone as a client does and compares them with the clock.
func TestZoneRulesSayWhatTheClockDoes(t *testing.T) {
	t.Parallel()
	const year = 2026
	for _, id := range zoneIDs() {
		rules, loc := zoneRules(id, year), mustZone(id)
		for at := time.Date(year-yearsBefore, 1, 2, 0, 0, 0, 0, time.UTC); at.Year() <= year+yearsAfter; at = at.Add(137 * time.Hour) {
			_, offset := at.In(loc).Zone()
			if got, want := biasAt(t, rules, at), -time.Duration(offset)*time.Second; got != want {
				t.Errorf("%s at %v: bias %v, want %v", id, at, got, want)
				break
			}
		}
	}
}

// biasAt interprets Periods, TransitionsGroups and Transitions.
func biasAt(t *testing.T, rules []*node, at time.Time) time.Duration {
	t.Helper()
	bias := map[string]time.Duration{}
	for _, p := range rules[0].kids {
		text := p.attr("Bias")
		d, ok := icalDuration(text)
		if !ok {
			t.Fatalf("bias %q", text)
		}
		bias[p.attr("Id")] = d
	}
	group := 0
	for _, tr := range rules[2].all("AbsoluteDateTransition") {
		begin, err := time.Parse("2006-01-02T15:04:05", tr.child("DateTime").value())
		if err != nil {
			t.Fatal(err)
		}
		if at.Year() >= begin.Year() {
			group, _ = strconv.Atoi(tr.child("To").value())
		}
	}
	type change struct {
		wall time.Time
		bias time.Duration
	}
	var changes []change
	current, known := time.Duration(0), false
	for _, tr := range rules[1].kids[group].kids {
		to := bias[tr.child("To").value()]
		switch tr.name {
		case "Transition":
			current, known = to, true
		case "AbsoluteDateTransition":
			wall, err := time.Parse("2006-01-02T15:04:05", tr.child("DateTime").value())
			if err != nil {
				t.Fatal(err)
			}
			changes = append(changes, change{wall, to})
		case "RecurringDayTransition":
			month, _ := strconv.Atoi(tr.child("Month").value())
			nth, _ := strconv.Atoi(tr.child("Occurrence").value())
			offset, _ := icalDuration(tr.child("TimeOffset").value())
			weekday := slices.Index(weekdays, tr.child("DayOfWeek").value())
			for year := at.Year() - 1; year <= at.Year(); year++ {
				var days []time.Time
				for day := time.Date(year, time.Month(month), 1, 0, 0, 0, 0, time.UTC); day.Month() == time.Month(month); day = day.AddDate(0, 0, 1) {
					if int(day.Weekday()) == weekday {
						days = append(days, day)
					}
				}
				if nth == -1 {
					nth = len(days)
					changes = append(changes, change{days[nth-1].Add(offset), to})
					nth = -1
					continue
				}
				changes = append(changes, change{days[nth-1].Add(offset), to})
			}
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return a.wall.Compare(b.wall) })
	for i, c := range changes {
		if i == 0 && !known { // a yearly rule: last year's end of it was still in force
			current = c.bias
		}
		if !at.Before(c.wall.Add(current)) {
			current = c.bias
		}
	}
	return current
}

func availability(view string, start, end string, mailboxes ...string) string {
	var data strings.Builder
	for _, m := range mailboxes {
		data.WriteString(`<t:MailboxData><t:Email><t:Address>` + m + `</t:Address></t:Email><t:AttendeeType>Required</t:AttendeeType></t:MailboxData>`)
	}
	return `<m:GetUserAvailabilityRequest><t:TimeZone><t:Bias>-60</t:Bias>
<t:StandardTime><t:Bias>0</t:Bias><t:Time>03:00:00</t:Time><t:DayOrder>5</t:DayOrder><t:Month>10</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:StandardTime>
<t:DaylightTime><t:Bias>-60</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>5</t:DayOrder><t:Month>3</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:DaylightTime></t:TimeZone>
<m:MailboxDataArray>` + data.String() + `</m:MailboxDataArray><t:FreeBusyViewOptions><t:TimeWindow><t:StartTime>` + start + `</t:StartTime><t:EndTime>` + end + `</t:EndTime></t:TimeWindow>
<t:MergedFreeBusyIntervalInMinutes>60</t:MergedFreeBusyIntervalInMinutes><t:RequestedView>` + view + `</t:RequestedView></t:FreeBusyViewOptions></m:GetUserAvailabilityRequest>`
}

func TestAvailabilityShowsWhenPeopleAreBusy(t *testing.T) {
	t.Parallel()
	c := newSoapClient(t)
	at := func(hour int) time.Time { return time.Date(2026, 7, 1, hour, 0, 0, 0, time.UTC) }
	for _, a := range []Appointment{
		{Subject: "Tentative", Start: at(8), End: at(9), BusyStatus: "Tentative"},
		{Subject: "Busy", Start: at(8), End: at(8).Add(30 * time.Minute)},
		{Subject: "Free", Start: at(9), End: at(10), BusyStatus: "Free"},
		{Subject: "Away", Start: at(11), End: at(12), BusyStatus: "OOF", Location: "Home"},
	} {
		if _, err := c.sim.Outlook("alice@example.com").Create(a); err != nil {
			t.Fatal(err)
		}
	}
	n := c.ask(t, availability("DetailedMerged", "2026-07-01T09:00:00", "2026-07-01T14:00:00", "alice@example.com", "nobody@example.com"))
	answers := n.child("FreeBusyResponseArray").all("FreeBusyResponse")
	if len(answers) != 2 {
		t.Fatalf("%d answers, want 2", len(answers))
	}
	view := answers[0].child("FreeBusyView")
	// 9 to 14 in Berlin's summer is 7 to 12 in UTC.
	if got := view.child("MergedFreeBusy").value(); got != "02003" {
		t.Errorf("merged %q, want 02003", got)
	}
	events := view.child("CalendarEventArray").all("CalendarEvent")
	if len(events) != 4 || events[3].child("StartTime").value() != "2026-07-01T11:00:00Z" || events[3].child("CalendarEventDetails", "Location").value() != "Home" {
		t.Errorf("%d events", len(events))
	}
	if got := view.child("WorkingHours", "TimeZone", "Bias").value(); got != "-60" {
		t.Errorf("bias of the working hours %q, want -60", got)
	}
	if got := answers[1].child("ResponseMessage", "ResponseCode").value(); got != "ErrorMailRecipientNotFound" {
		t.Errorf("unknown mailbox: %q", got)
	}

	c.user = `EXAMPLE\bob` // may see when, not what
	n = c.ask(t, availability("Detailed", "2026-07-01T09:00:00+02:00", "2026-07-01T14:00:00+02:00", "alice@example.com"))
	view = n.child("FreeBusyResponseArray", "FreeBusyResponse", "FreeBusyView")
	if view.child("FreeBusyViewType").value() != "FreeBusy" || view.child("CalendarEventArray").kids[0].child("CalendarEventDetails") != nil {
		t.Errorf("bob sees %s", view.child("FreeBusyViewType").value())
	}
}

func TestAvailabilityRefusesImpossibleWindows(t *testing.T) {
	t.Parallel()
	c := newSoapClient(t)
	for _, q := range []struct{ view, start, end, want string }{
		{"FreeBusy", "2026-07-01T09:00:00Z", "2026-07-01T09:00:00Z", "ErrorInvalidTimeInterval"},
		{"FreeBusy", "2026-07-01T09:00:00Z", "2026-10-01T09:00:00Z", "ErrorTimeIntervalTooBig"},
		{"Everything", "2026-07-01T09:00:00Z", "2026-07-02T09:00:00Z", "ErrorInvalidFreeBusyViewType"},
	} {
		if got := codes(c.ask(t, availability(q.view, q.start, q.end, "alice@example.com"))); !slices.Equal(got, []string{q.want}) {
			t.Errorf("%+v: %v", q, got)
		}
	}
}

func TestDescriptionsAreServedInAnyLetterCase(t *testing.T) {
	t.Parallel()
	c := newSoapClient(t)
	dir := t.TempDir()
	for _, name := range []string{"Services.wsdl", "messages.xsd", "TYPES.XSD"} {
		r := httptest.NewRequest(http.MethodGet, "/EWS/"+name, nil)
		r.SetBasicAuth(c.user, c.password)
		w := httptest.NewRecorder()
		c.sim.ServeHTTP(w, r)
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/xml") {
			t.Errorf("%s: %d %s", name, w.Code, w.Header().Get("Content-Type"))
		}
		if _, err := parseXML(w.Body.Bytes()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, strings.ToLower(name)), w.Body.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wsdl, err := os.ReadFile(filepath.Join(dir, "services.wsdl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`name="SyncFolderItemsSoapIn"`, `element="tns:GetUserAvailabilityRequest"`, `binding name="ExchangeServiceBinding"`} {
		if !strings.Contains(string(wsdl), want) {
			t.Errorf("services.wsdl lacks %s", want)
		}
	}
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skipf("SKIPPED: no xmllint (Debian's libxml2-utils), so the schemas were not compiled: %v", err)
	}
	body := filepath.Join(dir, "body.xml")
	if err := os.WriteFile(body, []byte(`<m:GetItem xmlns:m="`+messagesNamespace+`"><m:ItemIds/></m:GetItem>`), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "xmllint", "--noout", "--nonet", "--schema", filepath.Join(dir, "messages.xsd"), body).CombinedOutput(); err != nil {
		t.Errorf("messages.xsd: %v\n%s", err, out)
	}
}

func TestDescriptionsNeedALogin(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	newSoapClient(t).sim.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/EWS/services.wsdl", nil))
	if w.Code != http.StatusUnauthorized {
		t.Errorf("%d, want 401", w.Code)
	}
}

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
