package exchangesim

import (
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
		for _, group := range rules[1].kids { // clients refuse any other
			if dated := len(group.kids) - len(group.all("Transition")); dated != 2 && (dated != 0 || len(group.kids) != 1) {
				t.Errorf("%s: %d transitions, %d of them with a date", id, len(group.kids), dated)
			}
		}
		for at := time.Date(year-yearsBefore, 1, 2, 0, 0, 0, 0, time.UTC); at.Year() <= year+yearsAfter; at = at.Add(331 * time.Hour) {
			if len(changesIn(loc, at.Year())) > 2 {
				continue // more than a rule can say
			}
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
		case "RecurringDateTransition":
			changes = append(changes, change{time.Date(at.Year(), 1, 1, 0, 0, 0, 0, time.UTC), to})
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
	if len(events) != 4 || events[3].child("StartTime").value() != "2026-07-01T13:00:00" || events[3].child("CalendarEventDetails", "Location").value() != "Home" {
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

// TestPeripheralAnswersAreValid sends what the recorded sessions do not hold.
func TestPeripheralAnswersAreValid(t *testing.T) {
	t.Parallel()
	c := newSoapClient(t)
	start := time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)
	if _, err := c.sim.Outlook("alice@example.com").Create(Appointment{Subject: "Busy", Start: start, End: start.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	answers := map[string][]byte{}
	for name, operation := range map[string]string{
		"zones":         `<m:GetServerTimeZones/>`,
		"zones-brief":   `<m:GetServerTimeZones ReturnFullTimeZoneData="false"/>`,
		"zones-none":    `<m:GetServerTimeZones><m:Ids><t:Id>No Such Time</t:Id></m:Ids></m:GetServerTimeZones>`,
		"names-one":     `<m:ResolveNames ReturnFullContactData="true"><m:UnresolvedEntry>alice</m:UnresolvedEntry></m:ResolveNames>`,
		"names-many":    `<m:ResolveNames ReturnFullContactData="true"><m:UnresolvedEntry>r</m:UnresolvedEntry></m:ResolveNames>`,
		"names-none":    `<m:ResolveNames ReturnFullContactData="false"><m:UnresolvedEntry>dave</m:UnresolvedEntry></m:ResolveNames>`,
		"configuration": `<m:GetUserConfiguration><m:UserConfigurationName Name="x"><t:DistinguishedFolderId Id="root"/></m:UserConfigurationName><m:UserConfigurationProperties>All</m:UserConfigurationProperties></m:GetUserConfiguration>`,
		"availability":  availability("DetailedMerged", "2026-07-01T00:00:00", "2026-07-02T00:00:00", "alice@example.com", "nobody@example.com"),
		"merged-only":   availability("MergedOnly", "2026-07-01T00:00:00", "2026-07-02T00:00:00", "carol@example.com"),
		"unknown":       `<m:NoSuchOperation/>`,
	} {
		_, answers[name] = c.post(t, soapEnvelope(operation))
	}
	validate(t, answers)
}

func TestPropertyTagsAreTheFields(t *testing.T) {
	t.Parallel()
	c := newSoapClient(t)
	made, err := c.sim.Outlook("alice@example.com").Create(Appointment{Subject: "One", Body: "text", Start: time.Now(), End: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	read := func() (item *node, tags map[string]string) {
		item = c.ask(t, `<m:GetItem><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape><t:AdditionalProperties>
<t:ExtendedFieldURI PropertyTag="0x0037" PropertyType="String"/><t:ExtendedFieldURI PropertyTag="4096" PropertyType="String"/>
<t:ExtendedFieldURI PropertyTag="0x3008" PropertyType="SystemTime"/><t:ExtendedFieldURI PropertyTag="0xe23" PropertyType="Integer"/>
</t:AdditionalProperties></m:ItemShape><m:ItemIds><t:ItemId Id="`+made+`"/></m:ItemIds></m:GetItem>`).
			child("ResponseMessages", "GetItemResponseMessage", "Items", "CalendarItem")
		tags = map[string]string{}
		for _, p := range item.all("ExtendedProperty") {
			tags[p.child("ExtendedFieldURI").attr("PropertyTag")] = p.child("Value").value()
		}
		return item, tags
	}
	item, tags := read()
	for tag, field := range map[string]string{"0x37": "Subject", "0x1000": "Body", "0x3008": "LastModifiedTime"} {
		if got, want := tags[tag], item.child(field).value(); got != want || want == "" {
			t.Errorf("tag %s = %q, %s = %q", tag, got, field, want)
		}
	}
	first, err := strconv.Atoi(tags["0xe23"])
	if err != nil || first <= 0 {
		t.Errorf("article number %q", tags["0xe23"])
	}
	update := c.ask(t, `<m:UpdateItem ConflictResolution="AlwaysOverwrite" SendMeetingInvitationsOrCancellations="SendToNone"><m:ItemChanges><t:ItemChange>
<t:ItemId Id="`+made+`" ChangeKey="`+item.child("ItemId").attr("ChangeKey")+`"/><t:Updates><t:SetItemField><t:ExtendedFieldURI PropertyTag="0x37" PropertyType="String"/>
<t:CalendarItem><t:ExtendedProperty><t:ExtendedFieldURI PropertyTag="0x37" PropertyType="String"/><t:Value>Two</t:Value></t:ExtendedProperty></t:CalendarItem></t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>`)
	if got := codes(update); !slices.Equal(got, []string{"NoError"}) {
		t.Fatalf("UpdateItem: %v", got)
	}
	item, tags = read()
	second, err := strconv.Atoi(tags["0xe23"])
	if item.child("Subject").value() != "Two" || tags["0x37"] != "Two" || err != nil || second <= first {
		t.Errorf("after the update: subject %q, tag %q, article number %d after %d", item.child("Subject").value(), tags["0x37"], second, first)
	}
}
