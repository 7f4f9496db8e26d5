package ews

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/fault"
)

// Answers as Exchange 2019 writes them, default namespaces changing on the way.
const (
	busyBob = `<FreeBusyResponse><ResponseMessage ResponseClass="Success"><ResponseCode>NoError</ResponseCode></ResponseMessage>
<FreeBusyView><FreeBusyViewType xmlns="http://schemas.microsoft.com/exchange/services/2006/types">DetailedMerged</FreeBusyViewType>
<MergedFreeBusy xmlns="http://schemas.microsoft.com/exchange/services/2006/types">0020</MergedFreeBusy>
<CalendarEventArray xmlns="http://schemas.microsoft.com/exchange/services/2006/types"><CalendarEvent><StartTime>2026-07-01T01:00:00</StartTime>
<EndTime>2026-07-01T01:30:00</EndTime><BusyType>Busy</BusyType><CalendarEventDetails><ID>1</ID><Subject>A &amp; B</Subject><Location>Here</Location>
<IsMeeting>false</IsMeeting><IsRecurring>false</IsRecurring><IsException>false</IsException><IsReminderSet>true</IsReminderSet><IsPrivate>true</IsPrivate>
</CalendarEventDetails></CalendarEvent></CalendarEventArray></FreeBusyView></FreeBusyResponse>`
	mergedBob = `<FreeBusyResponse><ResponseMessage ResponseClass="Success"><ResponseCode>NoError</ResponseCode></ResponseMessage>
<FreeBusyView><FreeBusyViewType xmlns="http://schemas.microsoft.com/exchange/services/2006/types">MergedOnly</FreeBusyViewType>
<MergedFreeBusy xmlns="http://schemas.microsoft.com/exchange/services/2006/types">02203445</MergedFreeBusy></FreeBusyView></FreeBusyResponse>`
	strangerBob = `<FreeBusyResponse><ResponseMessage ResponseClass="Error"><MessageText>secret@example.com</MessageText>
<ResponseCode>ErrorMailRecipientNotFound</ResponseCode></ResponseMessage><FreeBusyView>
<FreeBusyViewType xmlns="http://schemas.microsoft.com/exchange/services/2006/types">None</FreeBusyViewType></FreeBusyView></FreeBusyResponse>`
	unknownBob = `<FreeBusyResponse><ResponseMessage ResponseClass="Success"><ResponseCode>NoError</ResponseCode></ResponseMessage>
<FreeBusyView><FreeBusyViewType xmlns="http://schemas.microsoft.com/exchange/services/2006/types">None</FreeBusyViewType></FreeBusyView></FreeBusyResponse>`
)

func availabilityOf(responses string) string {
	return soapHead + `<GetUserAvailabilityResponse xmlns="http://schemas.microsoft.com/exchange/services/2006/messages"><FreeBusyResponseArray>` +
		responses + `</FreeBusyResponseArray></GetUserAvailabilityResponse></s:Body></s:Envelope>`
}

func TestAvailabilityIsReadForEachMailbox(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 7, 1, 2, 0, 0, 0, time.FixedZone("", 2*3600))
	got, err := respond(200, availabilityOf(busyBob+mergedBob+strangerBob+unknownBob)).
		GetUserAvailability(t.Context(), ada, []string{"a@x", "b@x", "c@x", "d@x"}, from, from.AddDate(0, 0, 1))
	if err != nil || len(got) != 4 {
		t.Fatalf("%+v, %v", got, err)
	}
	at := func(halves int) time.Time {
		return time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(halves) * 30 * time.Minute)
	}
	if want := []Busy{{at(2), at(3), "Busy", "A & B", "Here", true}}; got[0].Err != nil || !slices.Equal(got[0].Busy, want) {
		t.Errorf("in detail: %+v, want %+v", got[0], want)
	}
	want := []Busy{
		{Start: at(1), End: at(3), Status: "Busy"}, {Start: at(4), End: at(5), Status: "OOF"},
		{Start: at(5), End: at(7), Status: "WorkingElsewhere"}, {Start: at(7), End: at(8), Status: "NoData"},
	}
	if got[1].Err != nil || !slices.Equal(got[1].Busy, want) {
		t.Errorf("merged: %+v, want %+v", got[1], want)
	}
	if fault.Of(got[2].Err) != fault.MailboxNotFound || !strings.Contains(got[2].Err.Error(), "c@x") || strings.Contains(got[2].Err.Error(), "secret") {
		t.Errorf("no such mailbox: %v", got[2].Err)
	}
	if fault.Of(got[3].Err) != fault.Unavailable {
		t.Errorf("of whom nothing is known nobody is free: %+v", got[3])
	}
}

func TestAnAvailabilityThatDoesNotFitIsNone(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		status int
		body   string
		want   fault.Kind
	}{
		"one too few":     {200, availabilityOf(busyBob), fault.Unavailable},
		"another answer":  {200, soapHead + `</s:Body></s:Envelope>`, fault.Unavailable},
		"a busy server":   {500, faultWith("ErrorServerBusy", ""), fault.Throttled},
		"too long a time": {500, faultWith("ErrorTimeIntervalTooBig", ""), fault.Invalid},
	} {
		got, err := respond(tc.status, tc.body).GetUserAvailability(t.Context(), ada, []string{"a@x", "b@x"}, from, from.AddDate(0, 0, 1))
		if fault.Of(err) != tc.want || got != nil {
			t.Errorf("%s: %+v, %v; want %s", name, got, err, tc.want)
		}
	}
}

func TestHalfAGroupIsNone(t *testing.T) {
	t.Parallel()
	entry := `<t:Mailbox xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><t:Name>Bob</t:Name><t:EmailAddress>bob@example.com</t:EmailAddress>` +
		`<t:RoutingType>SMTP</t:RoutingType><t:MailboxType>Mailbox</t:MailboxType></t:Mailbox>`
	for last, want := range map[string]int{"true": 1, "false": 0} {
		body := soapHead + `<m:ExpandDLResponse xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"><m:ResponseMessages>` +
			`<m:ExpandDLResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode><m:DLExpansion TotalItemsInView="1" IncludesLastItemInRange="` +
			last + `">` + entry + `</m:DLExpansion></m:ExpandDLResponseMessage></m:ResponseMessages></m:ExpandDLResponse></s:Body></s:Envelope>`
		got, err := respond(200, body).ExpandDL(t.Context(), ada, "team@example.com")
		if len(got) != want || (err == nil) != (want == 1) {
			t.Errorf("IncludesLastItemInRange=%s: %+v, %v", last, got, err)
		}
	}
}
