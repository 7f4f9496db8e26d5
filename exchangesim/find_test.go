package exchangesim

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

func find(inner string) string {
	return `<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI="item:Subject"/><t:FieldURI FieldURI="item:Body"/></t:AdditionalProperties></m:ItemShape>` + inner + `<m:ParentFolderIds>` + calendarFolder + `</m:ParentFolderIds></m:FindItem>`
}

// found lists subjects.
func (c *testClient) found(inner string) string {
	c.t.Helper()
	var subjects []string
	for _, n := range c.must(find(inner)).child("RootFolder", "Items").children() {
		subjects = append(subjects, n.child("Subject").value())
		if n.child("Body") != nil {
			c.t.Error("FindItem returned a body")
		}
	}
	return strings.Join(subjects, " ")
}

func TestRestrictionsSelectItems(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{})
	for i, subject := range []string{"alpha", "beta", "gamma"} {
		a := Appointment{Subject: subject, Start: at(9 + i), End: at(10 + i), Properties: map[string]string{}}
		if i > 0 {
			a.Properties[PropertyKey("PublicStrings", "AppointmentOid")] = "oid-" + strconv.Itoa(i)
		}
		if _, err := s.Outlook("alice@example.com").Create(a); err != nil {
			t.Fatal(err)
		}
	}
	const oid = `<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="AppointmentOid" PropertyType="String"/>`
	const subject = `<t:FieldURI FieldURI="item:Subject"/>`
	constant := func(v string) string {
		return `<t:FieldURIOrConstant><t:Constant Value="` + v + `"/></t:FieldURIOrConstant>`
	}
	equal := func(path, v string) string { return `<t:IsEqualTo>` + path + constant(v) + `</t:IsEqualTo>` }
	for _, tc := range []struct{ name, expression, want string }{
		{"equal extended property", equal(oid, "oid-2"), "gamma"},
		{"exists", `<t:Exists>` + oid + `</t:Exists>`, "beta gamma"},
		{"not exists", `<t:Not><t:Exists>` + oid + `</t:Exists></t:Not>`, "alpha"},
		{"tag is the field", equal(`<t:ExtendedFieldURI PropertyTag="0x37" PropertyType="String"/>`, "beta"), "beta"},
		{"or", `<t:Or>` + equal(subject, "alpha") + equal(subject, "gamma") + `</t:Or>`, "alpha gamma"},
		{"and", `<t:And>` + equal(subject, "alpha") + equal(subject, "gamma") + `</t:And>`, ""},
		{"time with offset", `<t:IsGreaterThanOrEqualTo><t:FieldURI FieldURI="calendar:Start"/>` + constant("2026-12-01T11:00:00+01:00") + `</t:IsGreaterThanOrEqualTo>`, "beta gamma"},
		{"contains", `<t:Contains ContainmentMode="Substring" ContainmentComparison="IgnoreCase">` + subject + `<t:Constant Value="TA"/></t:Contains>`, "beta"},
		{"prefix", `<t:Contains ContainmentMode="Prefixed" ContainmentComparison="Exact">` + subject + `<t:Constant Value="al"/></t:Contains>`, "alpha"},
		{"not equal", `<t:IsNotEqualTo>` + subject + constant("alpha") + `</t:IsNotEqualTo>`, "beta gamma"},
		{"rising article number", `<t:IsGreaterThan><t:ExtendedFieldURI PropertyTag="0xe23" PropertyType="Integer"/>` + constant("0") + `</t:IsGreaterThan>`, "alpha beta gamma"},
	} {
		if got := c.found(`<m:Restriction>` + tc.expression + `</m:Restriction>`); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
	if got := c.code(find(`<m:Restriction><t:Near/></m:Restriction>`)); got != "ErrorInvalidRestriction" {
		t.Errorf("unknown expression: %s", got)
	}
	sorted := `<m:SortOrder><t:FieldOrder Order="Descending"><t:FieldURI FieldURI="calendar:Start"/></t:FieldOrder></m:SortOrder>`
	if got := c.found(sorted); got != "gamma beta alpha" {
		t.Errorf("sorted: %q", got)
	}
	n := c.must(find(`<m:IndexedPageItemView MaxEntriesReturned="2" Offset="0" BasePoint="Beginning"/>` + sorted)).child("RootFolder")
	if n.attr("IncludesLastItemInRange") != "false" || n.attr("TotalItemsInView") != "3" || n.attr("IndexedPagingOffset") != "2" {
		t.Errorf("first page: %+v", n.attrs)
	}
	if got := c.found(`<m:IndexedPageItemView MaxEntriesReturned="2" Offset="2" BasePoint="Beginning"/>` + sorted); got != "alpha" {
		t.Errorf("second page: %q", got)
	}
	if got := c.code(find(`<m:CalendarView StartDate="2026-01-01T00:00:00Z" EndDate="2029-01-01T00:00:00Z"/>`)); got != "ErrorCalendarViewRangeTooBig" {
		t.Errorf("a long view: %s", got)
	}
}

func TestFoldersAreFoundMadeAndDeleted(t *testing.T) {
	t.Parallel()
	_, c := serve(t, Options{})
	findFolder := func(traversal, restriction string) *node {
		return c.must(fmt.Sprintf(`<m:FindFolder Traversal=%q><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>%s<m:ParentFolderIds><t:DistinguishedFolderId Id="msgfolderroot"/></m:ParentFolderIds></m:FindFolder>`, traversal, restriction)).child("RootFolder")
	}
	named := `<m:Restriction><t:IsEqualTo><t:FieldURI FieldURI="folder:DisplayName"/><t:FieldURIOrConstant><t:Constant Value="Team"/></t:FieldURIOrConstant></t:IsEqualTo></m:Restriction>`
	if n := findFolder("Deep", named); n == nil || n.attr("IncludesLastItemInRange") != "true" || len(n.child("Folders").children()) != 0 {
		t.Errorf("nothing found = %+v", n)
	}
	create := `<m:CreateFolder><m:ParentFolderId>` + calendarFolder + `</m:ParentFolderId><m:Folders><t:CalendarFolder><t:DisplayName>Team</t:DisplayName></t:CalendarFolder></m:Folders></m:CreateFolder>`
	id := c.must(create).child("Folders", "CalendarFolder", "FolderId").attr("Id")
	if got := c.code(create); got != "ErrorFolderExists" {
		t.Errorf("the same again: %s", got)
	}
	if n := findFolder("Shallow", named); len(n.child("Folders").children()) != 0 {
		t.Error("Shallow went deep")
	}
	if n := findFolder("Deep", named); len(n.child("Folders").children()) != 1 || n.child("Folders", "CalendarFolder", "FolderId").attr("Id") != id {
		t.Errorf("found %+v", n)
	}
	remove := func(folder string) string {
		return `<m:DeleteFolder DeleteType="HardDelete"><m:FolderIds>` + folder + `</m:FolderIds></m:DeleteFolder>`
	}
	if got := c.code(remove(calendarFolder)); got != "ErrorDeleteDistinguishedFolder" {
		t.Errorf("deleting the calendar: %s", got)
	}
	c.must(remove(`<t:FolderId Id="` + id + `"/>`))
	if got := c.code(remove(`<t:FolderId Id="` + id + `"/>`)); got != "ErrorFolderNotFound" {
		t.Errorf("deleting it again: %s", got)
	}
}

func TestMeetingsArriveAtAttendees(t *testing.T) {
	t.Parallel()
	s, _ := serve(t, Options{CopyToAttendees: true})
	alice, bob, room := s.Outlook("alice@example.com"), s.Outlook("bob@example.com"), s.Outlook("room-a@example.com")
	id, err := alice.Create(Appointment{Subject: "Meet", Start: at(9), End: at(10), Required: []Attendee{{Address: "bob@example.com"}}, Resources: []Attendee{{Address: "room-a@example.com"}},
		Properties: map[string]string{PropertyKey("PublicStrings", "AppointmentOid"): "oid"}})
	if err != nil {
		t.Fatal(err)
	}
	copies := bob.Items()
	if len(copies) != 1 || copies[0].BusyStatus != "Tentative" || copies[0].Organizer.Address != "alice@example.com" || copies[0].Properties["PublicStrings/AppointmentOid"] != "oid" {
		t.Fatalf("bob has %+v", copies)
	}
	if got := alice.Items()[0]; got.Resources[0].Response != "Accept" || len(room.Items()) != 1 {
		t.Errorf("the room did not accept: %+v", got)
	}
	if err := bob.Respond(copies[0].ID, "Decline"); err != nil {
		t.Fatal(err)
	}
	if got := alice.Items()[0]; got.Required[0].Response != "Decline" || len(bob.Items()) != 0 {
		t.Errorf("after bob declined: %+v", got)
	}
	if err := alice.Delete(id); err != nil {
		t.Fatal(err)
	}
	if got := room.Items(); len(got) != 1 || !got[0].Cancelled || got[0].BusyStatus != "Free" {
		t.Errorf("the room has %+v", got)
	}
}
