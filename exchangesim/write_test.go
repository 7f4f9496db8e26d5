package exchangesim

import (
	"strings"
	"testing"
	"time"
)

const plain = `<t:Subject>Desk</t:Subject><t:Start>2026-12-01T09:00:00Z</t:Start><t:End>2026-12-01T10:00:00Z</t:End>`

func TestChangeKeyMovesOnAfterAWrite(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{})
	id, key := c.create(plain)
	read := c.must(getItem(itemID(id, ""))).child("Items", "CalendarItem", "ItemId").attr("ChangeKey")
	if read == key {
		t.Error("the change key did not change by itself")
	}
	update := setField("item:Subject", "<t:Subject>New</t:Subject>")
	if got := c.code(updateItem("NeverOverwrite", itemID(id, key), update)); got != "ErrorIrresolvableConflict" {
		t.Errorf("NeverOverwrite with the key of before = %s", got)
	}
	if got := c.code(updateItem("AutoResolve", itemID(id, key), update)); got != "NoError" {
		t.Errorf("AutoResolve of a touch = %s", got)
	}
	if got := c.code(updateItem("AutoResolve", itemID(id, read), update)); got != "ErrorIrresolvableConflict" {
		t.Errorf("AutoResolve of a changed subject = %s", got)
	}
	if got := c.code(updateItem("NeverOverwrite", itemID(id, ""), update)); got != "ErrorChangeKeyRequiredForWriteOperations" {
		t.Errorf("NeverOverwrite without a key = %s", got)
	}
	if got := c.code(updateItem("AlwaysOverwrite", itemID(id, ""), update)); got != "NoError" {
		t.Errorf("AlwaysOverwrite = %s", got)
	}
	s.Faults().TouchAfterWrite(false)
	id, key = c.create(plain)
	if got := c.code(updateItem("NeverOverwrite", itemID(id, key), update)); got != "NoError" {
		t.Errorf("NeverOverwrite without a touch = %s", got)
	}
}

func TestFaultyWritesAreRefused(t *testing.T) {
	t.Parallel()
	_, c := serve(t, Options{})
	id, _ := c.create(plain)
	for _, tc := range []struct{ name, body, want string }{
		{"no SendMeetingInvitations", strings.Replace(createItem(plain), ` SendMeetingInvitations="SendToNone"`, "", 1), "ErrorSendMeetingInvitationsRequired"},
		{"no SendMeetingCancellations", strings.Replace(deleteItem("HardDelete", itemID(id, "")), ` SendMeetingCancellations="SendToNone"`, "", 1), "ErrorSendMeetingCancellationsRequired"},
		{"no SendMeetingInvitationsOrCancellations", strings.Replace(updateItem("AlwaysOverwrite", itemID(id, ""), setField("item:Subject", "<t:Subject/>")), ` SendMeetingInvitationsOrCancellations="SendToNone"`, "", 1), "ErrorSendMeetingInvitationsOrCancellationsRequired"},
		{"end before start", createItem(`<t:Start>2026-12-01T09:00:00Z</t:Start><t:End>2026-12-01T08:00:00Z</t:End>`), "ErrorCalendarEndDateIsEarlierThanStartDate"},
		{"too long", createItem(`<t:Start>2026-12-01T09:00:00Z</t:Start><t:End>2036-12-01T08:00:00Z</t:End>`), "ErrorCalendarDurationIsTooLong"},
		{"unknown zone", createItem(`<t:Start>2026-12-01T09:00:00Z</t:Start><t:StartTimeZone Id="Atlantis Standard Time"/>`), "ErrorTimeZone"},
		{"start alone beyond end", updateItem("AlwaysOverwrite", itemID(id, ""), setField("calendar:Start", "<t:Start>2027-12-01T09:00:00Z</t:Start>")), "ErrorCalendarEndDateIsEarlierThanStartDate"},
		{"read-only property", updateItem("AlwaysOverwrite", itemID(id, ""), setField("calendar:IsMeeting", "<t:IsMeeting>true</t:IsMeeting>")), "ErrorInvalidPropertySet"},
		{"organizer", createItem(`<t:Organizer><t:Mailbox><t:EmailAddress>bob@example.com</t:EmailAddress></t:Mailbox></t:Organizer>`), "ErrorInvalidPropertySet"},
		{"two properties in one", updateItem("AlwaysOverwrite", itemID(id, ""), setField("item:Subject", "<t:Subject>x</t:Subject><t:Location>y</t:Location>")), "ErrorIncorrectUpdatePropertyCount"},
		{"another property", updateItem("AlwaysOverwrite", itemID(id, ""), setField("item:Subject", "<t:Location>y</t:Location>")), "ErrorUpdatePropertyMismatch"},
		{"malformed id", getItem(itemID("AAMkA1", "")), "ErrorInvalidIdMalformed"},
		{"malformed key", updateItem("AutoResolve", itemID(id, "x"), setField("item:Subject", "<t:Subject/>")), "ErrorInvalidChangeKey"},
		{"unknown id", getItem(itemID(entryID{box: guidOf("alice@example.com"), kind: itemKind, number: 9}.String(), "")), "ErrorItemNotFound"},
		{"unknown operation", "<m:Brew/>", "ErrorInvalidRequest"},
	} {
		if got := c.code(tc.body); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
	if subject := c.must(getItem(itemID(id, ""))).child("Items", "CalendarItem", "Subject").value(); subject != "Desk" {
		t.Errorf("a refused update changed the subject to %q", subject)
	}
}

func TestDeletedItemHasANewID(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{})
	id, _ := c.create(plain)
	_, state, _ := c.sync("", "512")
	c.must(deleteItem("MoveToDeletedItems", itemID(id, "")))
	if got := c.code(getItem(itemID(id, ""))); got != "ErrorItemNotFound" {
		t.Errorf("GetItem by the id of before = %s", got)
	}
	deleted := s.Outlook("alice@example.com").Deleted()
	if len(deleted) != 1 || deleted[0].ID == id || deleted[0].Subject != "Desk" {
		t.Fatalf("Deleted = %+v", deleted)
	}
	changes, _, _ := c.sync(state, "512")
	if len(changes) != 1 || changes[0].name != "Delete" || changes[0].child("ItemId").attr("Id") != id {
		t.Errorf("changes = %v", changes)
	}
	if got := c.code(getItem(itemID(deleted[0].ID, ""))); got != "NoError" {
		t.Errorf("GetItem by the new id = %s", got)
	}
}

func TestOutlookAndEWSSeeTheSame(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{})
	o := s.Outlook("alice@example.com")
	marker := PropertyKey("6B2F0C1E-93D4-4F7A-8C55-1D0E7A9B42F3", "RoomwireBookingId")
	want := Appointment{
		Subject: "Room", Body: "line\r\nline", Location: "4.12", Sensitivity: "Private", BusyStatus: "OOF", Start: at(9), End: at(10),
		ReminderSet: true, ReminderMinutes: 5, Categories: []string{"a"}, Properties: map[string]string{marker: "bk-1", "PublicStrings/AppointmentOid": "oid"},
		Required: []Attendee{{Address: "bob@example.com"}},
	}
	id, err := o.Create(want)
	if err != nil {
		t.Fatal(err)
	}
	n := c.must(`<m:GetItem><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape><t:BodyType>Text</t:BodyType><t:AdditionalProperties>`+
		`<t:ExtendedFieldURI PropertySetId="6b2f0c1e-93d4-4f7a-8c55-1d0e7a9b42f3" PropertyName="RoomwireBookingId" PropertyType="String"/>`+
		`<t:ExtendedFieldURI PropertySetId="00020329-0000-0000-C000-000000000046" PropertyName="AppointmentOid" PropertyType="String"/>`+
		`<t:ExtendedFieldURI PropertyTag="0x0037" PropertyType="String"/></t:AdditionalProperties></m:ItemShape><m:ItemIds>`+itemID(id, "")+`</m:ItemIds></m:GetItem>`).child("Items", "CalendarItem")
	for name, value := range map[string]string{
		"Subject": "Room", "Location": "4.12", "Sensitivity": "Private", "LegacyFreeBusyStatus": "OOF", "Start": "2026-12-01T09:00:00Z",
		"End": "2026-12-01T10:00:00Z", "ReminderMinutesBeforeStart": "5", "IsMeeting": "true", "MyResponseType": "Organizer", "AppointmentState": "1",
	} {
		if got := n.child(name).value(); got != value {
			t.Errorf("%s = %q, want %q", name, got, value)
		}
	}
	if got := n.child("Body").text; strings.ReplaceAll(got, "\r\n", "\n") != "line\nline" {
		t.Errorf("Body = %q", got)
	}
	var values []string
	for _, p := range n.all("ExtendedProperty") {
		values = append(values, p.child("Value").value())
	}
	if strings.Join(values, " ") != "bk-1 oid Room" {
		t.Errorf("extended properties = %v", values)
	}
	if tag := n.all("ExtendedProperty")[2].child("ExtendedFieldURI").attr("PropertyTag"); tag != "0x37" {
		t.Errorf("tag = %s, want it unpadded", tag)
	}
	key := n.child("ItemId").attr("ChangeKey")
	c.must(updateItem("NeverOverwrite", itemID(id, key), setField("calendar:Location", "<t:Location>5.1</t:Location>")))
	got, ok := o.Find(func(a Appointment) bool { return a.Properties[marker] == "bk-1" })
	if !ok || got.Location != "5.1" || got.Properties["PublicStrings/AppointmentOid"] != "oid" {
		t.Errorf("Find = %+v, %v", got, ok)
	}
	if mails := s.Mails(); len(mails) != 1 || mails[0].Kind != "request" || mails[0].To[0] != "bob@example.com" {
		t.Errorf("mails = %+v", mails)
	}
	if err := o.Delete(id); err != nil {
		t.Fatal(err)
	}
	if mails := s.Mails(); len(mails) != 2 || mails[1].Kind != "cancellation" {
		t.Errorf("mails = %+v", mails)
	}
}

func TestAllDayIsMidnightInItsZone(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{})
	id, _ := c.create(`<t:Start>2026-12-02T08:00:00</t:Start><t:End>2026-12-03T10:00:00</t:End><t:IsAllDayEvent>true</t:IsAllDayEvent><t:StartTimeZone Id="W. Europe Standard Time"/>`)
	n := c.must(getItem(itemID(id, ""), "calendar:Start", "calendar:End", "calendar:StartTimeZone")).child("Items", "CalendarItem")
	if start, end := n.child("Start").value(), n.child("End").value(); start != "2026-12-01T23:00:00Z" || end != "2026-12-03T23:00:00Z" {
		t.Errorf("all day from %s to %s", start, end)
	}
	if zone := n.child("StartTimeZone").attr("Id"); zone != "W. Europe Standard Time" {
		t.Errorf("zone = %q", zone)
	}
	midnight := time.Date(2026, 12, 1, 23, 0, 0, 0, time.UTC)
	if got := s.Outlook("alice@example.com").Items()[0]; !got.AllDay || !got.Start.Equal(midnight) {
		t.Errorf("Outlook sees %+v", got)
	}
	c.header = `<t:TimeZoneContext><t:TimeZoneDefinition Id="Eastern Standard Time"/></t:TimeZoneContext>`
	id, _ = c.create(`<t:Start>2026-12-02T08:00:00</t:Start><t:End>2026-12-02T10:00:00</t:End>`)
	n = c.must(getItem(itemID(id, ""), "calendar:Start")).child("Items", "CalendarItem")
	if start := n.child("Start").value(); start != "2026-12-02T13:00:00Z" {
		t.Errorf("a time in the zone of the context = %s", start)
	}
}

func TestMeetingMailGoesToWhomTheRequestSays(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{})
	attendee := func(address string) string {
		return `<t:Attendee><t:Mailbox><t:EmailAddress>` + address + `</t:EmailAddress></t:Mailbox></t:Attendee>`
	}
	with := plain + `<t:RequiredAttendees>` + attendee("bob@example.com") + `</t:RequiredAttendees>`
	id, _ := c.create(with)
	if n := len(s.Mails()); n != 0 {
		t.Fatalf("SendToNone sent %d mails", n)
	}
	silent := updateItem("AlwaysOverwrite", itemID(id, ""), setField("calendar:RequiredAttendees", `<t:RequiredAttendees>`+attendee("bob@example.com")+attendee("carol@example.com")+`</t:RequiredAttendees>`))
	c.must(strings.Replace(silent, "SendToNone", "SendOnlyToChanged", 1))
	if m := s.Mails(); len(m) != 1 || strings.Join(m[0].To, " ") != "carol@example.com" || m[0].Kind != "request" {
		t.Fatalf("SendOnlyToChanged sent %+v", m)
	}
	c.must(strings.Replace(deleteItem("HardDelete", itemID(id, "")), "SendToNone", "SendOnlyToAll", 1))
	if m := s.Mails(); len(m) != 2 || m[1].Kind != "cancellation" || len(m[1].To) != 2 {
		t.Fatalf("deletion sent %+v", m)
	}
}

func TestUpdateTakesZonesAndTagsAsClientsSendThem(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{})
	id, _ := c.create(`<t:Body BodyType="Text">text</t:Body>` + plain)
	c.must(updateItem("AlwaysOverwrite", itemID(id, ""),
		setField("calendar:Start", "<t:Start>2026-12-05T10:00:00</t:Start>")+setField("calendar:End", "<t:End>2026-12-05T11:00:00</t:End>")+
			setField("calendar:StartTimeZone", `<t:StartTimeZone Id="W. Europe Standard Time"/>`)+
			`<t:DeleteItemField><t:ExtendedFieldURI PropertyTag="0x1000" PropertyType="String"/></t:DeleteItemField>`+
			`<t:SetItemField><t:ExtendedFieldURI PropertyTag="0x37" PropertyType="String"/><t:Item><t:ExtendedProperty><t:ExtendedFieldURI PropertyTag="0x37" PropertyType="String"/><t:Value>by tag</t:Value></t:ExtendedProperty></t:Item></t:SetItemField>`+
			`<t:SetItemField><t:ExtendedFieldURI PropertyTag="0x10f3" PropertyType="String"/><t:Item><t:ExtendedProperty><t:ExtendedFieldURI PropertyTag="0x10f3" PropertyType="String"/><t:Value>u.ics</t:Value></t:ExtendedProperty></t:Item></t:SetItemField>`))
	a := s.Outlook("alice@example.com").Items()[0]
	if want := time.Date(2026, 12, 5, 9, 0, 0, 0, time.UTC); !a.Start.Equal(want) || !a.End.Equal(want.Add(time.Hour)) {
		t.Errorf("from %v to %v, want an hour from %v", a.Start, a.End, want)
	}
	if a.Body != "" || a.Subject != "by tag" || len(a.Properties) != 0 {
		t.Errorf("appointment = %+v", a)
	}
	if got := c.found(`<m:Restriction><t:IsEqualTo><t:ExtendedFieldURI PropertyTag="0x10F3" PropertyType="String"/><t:FieldURIOrConstant><t:Constant Value="u.ics"/></t:FieldURIOrConstant></t:IsEqualTo></m:Restriction>`); got != "by tag" {
		t.Errorf("found by tag: %q", got)
	}
}
