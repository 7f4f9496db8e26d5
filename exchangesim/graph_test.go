package exchangesim

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestGraphEventsAreTheItemsOfEWS(t *testing.T) {
	t.Parallel()
	s, c, ews := serveGraphFor(t, Options{})
	made := c.create(object{
		"subject": "Desk 7", "start": zoned(noon, "W. Europe Standard Time"), "end": object{"dateTime": "2026-11-22T14:00:00", "timeZone": "Europe/Berlin"},
		"body": object{"contentType": "html", "content": "<p>By the window</p>"}, "location": object{"displayName": "Floor 2"},
		"sensitivity": "private", "showAs": "workingElsewhere", "importance": "high", "categories": []string{"Rooms"},
		"isReminderOn": false, "reminderMinutesBeforeStart": 0, "transactionId": "tx-1",
		"singleValueExtendedProperties": []object{{"id": markerID, "value": "bk-1"}},
	})
	if got := text(made, "start", "dateTime"); got != "2026-11-22T12:00:00.0000000" || text(made, "start", "timeZone") != "UTC" {
		t.Errorf("the start is %v", made["start"])
	}
	if made["originalStartTimeZone"] != "W. Europe Standard Time" || made["originalEndTimeZone"] != "W. Europe Standard Time" || made["transactionId"] != "tx-1" {
		t.Errorf("the zones are %v and %v, the transaction %v", made["originalStartTimeZone"], made["originalEndTimeZone"], made["transactionId"])
	}
	if made["singleValueExtendedProperties"] != nil {
		t.Error("the answer to a POST has extended properties")
	}
	if !strings.Contains(text(made, "body", "content"), "<html>") || text(made, "bodyPreview") != "By the window" {
		t.Errorf("the body is %v", made["body"])
	}
	a := s.Outlook("alice@example.com").Items()[0]
	if a.Subject != "Desk 7" || a.Sensitivity != "Private" || a.BusyStatus != "WorkingElsewhere" || !a.Start.Equal(noon) || a.End.Sub(a.Start) != time.Hour {
		t.Errorf("Outlook sees %+v", a)
	}
	if got := a.Properties["{8f1b4b0e-3c1b-4d52-9a51-6d7c1f3a2b10}/RoomwireBookingId"]; got != "bk-1" {
		t.Errorf("the marker is %q in Outlook", got)
	}
	item := ews.one(`<m:GetItem><m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape><m:ItemIds><t:ItemId Id="` + a.ID + `"/></m:ItemIds></m:GetItem>`)
	if got := item.child("Items", "CalendarItem", "Subject").value(); got != "Desk 7" {
		t.Errorf("EWS sees %q", got)
	}
	if got := text(made, "iCalUId"); got != a.UID {
		t.Errorf("iCalUId %q, UID %q", got, a.UID)
	}
	if a.Importance != "High" || made["hasAttachments"] != false {
		t.Errorf("the importance is %s, files: %v", a.Importance, made["hasAttachments"])
	}
	if err := s.Outlook("alice@example.com").Update(a.ID, func(a *Appointment) {
		a.Subject, a.Importance, a.Attachments = "Desk 8", "Low", []string{"plan.pdf"}
	}); err != nil {
		t.Fatal(err)
	}
	if got := c.event(text(made, "id")); got["subject"] != "Desk 8" || got["importance"] != "low" || got["hasAttachments"] != true {
		t.Errorf("Graph sees %v, %v, files: %v", got["subject"], got["importance"], got["hasAttachments"])
	}
	item = ews.one(`<m:GetItem><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape><m:ItemIds><t:ItemId Id="` + a.ID + `"/></m:ItemIds></m:GetItem>`)
	if in := item.child("Items", "CalendarItem"); in.child("Importance").value() != "Low" || in.child("HasAttachments").value() != "true" {
		t.Errorf("EWS sees %s, files: %s", in.child("Importance").value(), in.child("HasAttachments").value())
	}
	if len(s.Mails()) > 0 {
		t.Errorf("mails were sent: %v", s.Mails())
	}
}

func TestGraphIDsFollowThePreference(t *testing.T) {
	t.Parallel()
	s, c, _ := serveGraphFor(t, Options{})
	id := text(c.create(desk("1", 0)), "id")
	o := s.Outlook("alice@example.com")
	known, err := s.GraphIDs("alice@example.com", id)
	if err != nil {
		t.Fatal(err)
	}
	if known.Immutable != id || known.REST == id || known.EWS != o.Items()[0].ID || strings.ContainsAny(id+known.REST, "/+") {
		t.Fatalf("ids are %+v, the immutable one %s", known, id)
	}
	if got := text(c.mutable().event(id), "id"); got != known.REST {
		t.Errorf("without the preference the id is %s, want %s", got, known.REST)
	}
	if got := text(c.event(known.REST), "id"); got != id {
		t.Errorf("with the preference the id is %s, want %s", got, id)
	}
	if err := o.Delete(o.Items()[0].ID); err != nil {
		t.Fatal(err)
	}
	c.refused(http.StatusNotFound, "ErrorItemNotFound", http.MethodGet, aliceEvents+"/"+id, nil)
	if _, err := o.Restore(o.Deleted()[0].ID); err != nil {
		t.Fatal(err)
	}
	if got := c.event(id); got["subject"] != "1" {
		t.Errorf("the immutable id leads to %v", got["subject"])
	}
	c.refused(http.StatusNotFound, "ErrorItemNotFound", http.MethodGet, aliceEvents+"/"+known.REST, nil)
	c.refused(http.StatusBadRequest, "ErrorInvalidIdMalformed", http.MethodGet, aliceEvents+"/nonsense", nil)
	c.refused(http.StatusNotFound, "ErrorItemNotFound", http.MethodGet, "/users/bob@example.com/events/"+id, nil)
}

func TestGraphChecksTheETag(t *testing.T) {
	t.Parallel()
	s, c, _ := serveGraphFor(t, Options{})
	made := c.create(desk("1", 0))
	path := aliceEvents + "/" + text(made, "id")
	c.matching(text(made, "@odata.etag")).refused(http.StatusPreconditionFailed, "ErrorIrresolvableConflict", http.MethodPatch, path, object{"subject": "x"})
	now := c.event(text(made, "id"))
	c.matching(text(now, "@odata.etag")).want(http.StatusOK, http.MethodPatch, path, object{"subject": "2"})
	s.Faults().TouchAfterWrite(false)
	changed := c.want(http.StatusOK, http.MethodPatch, path, object{"subject": "3"})
	c.matching(text(now, "@odata.etag")).refused(http.StatusPreconditionFailed, "ErrorIrresolvableConflict", http.MethodDelete, path, nil)
	c.matching(text(changed, "@odata.etag")).want(http.StatusNoContent, http.MethodDelete, path, nil)
	c.refused(http.StatusNotFound, "ErrorItemNotFound", http.MethodDelete, path, nil)
	if got := s.Outlook("alice@example.com").Deleted(); len(got) != 1 {
		t.Errorf("Deleted Items holds %d", len(got))
	}
}

func TestGraphKnowsATransactionAgain(t *testing.T) {
	t.Parallel()
	s, c, _ := serveGraphFor(t, Options{})
	event := desk("1", 0)
	event["transactionId"] = "tx"
	first := c.create(event)
	if again := c.create(event); again["id"] != first["id"] {
		t.Errorf("the repetition made %v, the first %v", again["id"], first["id"])
	}
	event["subject"] = "another"
	c.refused(http.StatusConflict, "ErrorDuplicateTransactionId", http.MethodPost, aliceEvents, event)
	event["subject"] = "1"
	if _, err := s.Outlook("alice@example.com").Copy(s.Outlook("alice@example.com").Items()[0].ID); err != nil {
		t.Fatal(err)
	}
	path := aliceEvents + "/" + text(first, "id")
	c.want(http.StatusNoContent, http.MethodDelete, path, nil)
	c.refused(http.StatusConflict, "ErrorDuplicateTransactionId", http.MethodPost, aliceEvents, event)
	if _, err := s.Outlook("alice@example.com").Restore(s.Outlook("alice@example.com").Deleted()[0].ID); err != nil {
		t.Fatal(err)
	}
	if again := c.create(event); again["id"] != first["id"] {
		t.Errorf("after its return the repetition made %v, the first %v", again["id"], first["id"])
	}
	s.SetGraphQuirks(GraphQuirks{RefuseRepeated: true})
	if status, answer := c.do(http.MethodPost, aliceEvents, event); status != http.StatusConflict || member(answer, "error", "@event.existingEventId") != first["id"] {
		t.Errorf("answered %d %v", status, answer)
	}
	if n := len(s.Outlook("alice@example.com").Items()); n != 2 { // with the copy, which is another event
		t.Errorf("there are %d events", n)
	}
}

func TestGraphMailsAttendeesOfMeetings(t *testing.T) {
	t.Parallel()
	attendees := []object{{"type": "required", "emailAddress": object{"address": "bob@example.com", "name": "Bob"}}}
	for name, tc := range map[string]struct {
		method, path string
		body         object
		want         []string
	}{
		"time":       {http.MethodPatch, "", object{"end": zoned(noon.Add(2*time.Hour), "UTC")}, []string{"request", "update"}},
		"subject":    {http.MethodPatch, "", object{"subject": "x"}, []string{"request", "update"}},
		"reminder":   {http.MethodPatch, "", object{"isReminderOn": false, "reminderMinutesBeforeStart": 5}, []string{"request"}},
		"categories": {http.MethodPatch, "", object{"categories": []string{"x"}}, []string{"request"}},
		"marker":     {http.MethodPatch, "", object{"singleValueExtendedProperties": []object{{"id": markerID, "value": "x"}}}, []string{"request"}},
		"nobody":     {http.MethodPatch, "", object{"attendees": []object{}}, []string{"request", "cancellation"}},
		"delete":     {http.MethodDelete, "", nil, []string{"request", "cancellation"}},
		"cancel":     {http.MethodPost, "/cancel", object{"comment": "sorry"}, []string{"request", "cancellation"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c, _ := serveGraphFor(t, Options{})
			event := desk("m", 0)
			event["attendees"] = attendees
			made := c.create(event)
			var body any
			if tc.body != nil {
				body = tc.body
			}
			if status, answer := c.do(tc.method, aliceEvents+"/"+text(made, "id")+tc.path, body); status >= 300 {
				t.Fatalf("answered %d %v", status, answer)
			}
			var kinds []string
			for _, m := range s.Mails() {
				kinds = append(kinds, m.Kind)
			}
			if !slices.Equal(kinds, tc.want) {
				t.Errorf("mails sent: %v, want %v", kinds, tc.want)
			}
		})
	}
}

func TestGraphRefuses(t *testing.T) {
	t.Parallel()
	people := append(SamplePeople(), Person{Address: "old@example.com", Place: PlaceOnPremises}, Person{Address: "sue@subsidiary.example"})
	_, c, _ := serveGraphFor(t, Options{People: people})
	c.refused(http.StatusNotFound, "ErrorInvalidUser", http.MethodGet, "/users/nobody@example.com/events", nil)
	c.refused(http.StatusNotFound, "ErrorInvalidUser", http.MethodGet, "/users/sue@subsidiary.example/events", nil)
	c.refused(http.StatusNotFound, "Request_ResourceNotFound", http.MethodGet, "/users/11111111-0000-0000-0000-000000000000/events", nil)
	c.refused(http.StatusNotFound, "MailboxNotEnabledForRESTAPI", http.MethodGet, "/users/old@example.com/events", nil)
	c.refused(http.StatusForbidden, "ErrorAccessDenied", http.MethodPost, "/users/alice@example.com/translateExchangeIds",
		object{"inputIds": []string{"x"}, "sourceIdType": "ewsId", "targetIdType": "restId"})
	c.refused(http.StatusBadRequest, "BadRequest", http.MethodGet, "/users/alice@example.com/nothing", nil)
	c.refused(http.StatusBadRequest, "RequestBodyRead", http.MethodPost, aliceEvents, object{"nonsense": 1})
	c.refused(http.StatusBadRequest, "TimeZoneNotSupportedException", http.MethodPost, aliceEvents, object{"start": object{"dateTime": "2026-11-22T12:00:00", "timeZone": "Mars"}})
	c.preferring(`outlook.timezone="Mars"`).refused(http.StatusBadRequest, "TimeZoneNotSupportedException", http.MethodGet, aliceEvents, nil)
	allDay := desk("x", 0)
	allDay["isAllDay"] = true
	c.refused(http.StatusBadRequest, "ErrorInvalidRequest", http.MethodPost, aliceEvents, allDay)
	c.with(func(c *graphClient) { c.token = "x" }).refused(http.StatusUnauthorized, "InvalidAuthenticationToken", http.MethodGet, aliceEvents, nil)
	other := c.with(func(c *graphClient) { c.token = c.tokenOf(SampleSubsidiary()) })
	other.refused(http.StatusNotFound, "ErrorInvalidUser", http.MethodGet, aliceEvents, nil)
	other.want(http.StatusOK, http.MethodGet, "/users/sue@subsidiary.example/events", nil)
	c.want(http.StatusOK, http.MethodGet, aliceEvents, nil)
	if c.answer.Get("request-id") == "" || c.answer.Get("client-request-id") == "" {
		t.Error("the answer has no ids")
	}
}

func TestGraphAllDayIsADayInEveryZone(t *testing.T) {
	t.Parallel()
	s, c, _ := serveGraphFor(t, Options{})
	made := c.create(object{
		"subject": "all day", "isAllDay": true, "start": object{"dateTime": "2026-12-01T00:00:00", "timeZone": "W. Europe Standard Time"},
		"end": object{"dateTime": "2026-12-02T00:00:00", "timeZone": "W. Europe Standard Time"},
	})
	for _, zone := range []string{"UTC", "Eastern Standard Time", "Europe/Vienna"} {
		got := c.preferring(`outlook.timezone="` + zone + `"`).event(text(made, "id"))
		if text(got, "start", "dateTime") != "2026-12-01T00:00:00.0000000" || text(got, "start", "timeZone") != zone || text(got, "end", "dateTime") != "2026-12-02T00:00:00.0000000" {
			t.Errorf("in %s: %v to %v", zone, got["start"], got["end"])
		}
	}
	path := aliceEvents + "/" + text(made, "id")
	c.want(http.StatusOK, http.MethodPatch, path, object{"subject": "still all day"})
	c.refused(http.StatusBadRequest, "ErrorInvalidRequest", http.MethodPatch, path, object{"end": object{"dateTime": "2026-12-02T10:00:00", "timeZone": "W. Europe Standard Time"}})
	c.refused(http.StatusBadRequest, "ErrorInvalidRequest", http.MethodPatch, path, object{"end": object{"dateTime": "2026-12-02T00:00:00", "timeZone": "UTC"}})
	if a := s.Outlook("alice@example.com").Items()[0]; !a.Start.Equal(time.Date(2026, 11, 30, 23, 0, 0, 0, time.UTC)) {
		t.Errorf("Outlook sees %v", a.Start)
	}
}
