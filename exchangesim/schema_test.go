package exchangesim_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

// requests is a tour through the operations, good and bad; ID stands for an item.
var requests = []string{
	`<m:CreateItem SendMeetingInvitations="SendToAllAndSaveCopy"><m:Items><t:CalendarItem><t:Subject>S</t:Subject><t:Body BodyType="HTML">&lt;b&gt;x&lt;/b&gt;</t:Body><t:Categories><t:String>a</t:String></t:Categories><t:Start>2026-12-01T09:00:00Z</t:Start><t:End>2026-12-01T10:00:00Z</t:End><t:RequiredAttendees><t:Attendee><t:Mailbox><t:EmailAddress>bob@example.com</t:EmailAddress></t:Mailbox></t:Attendee></t:RequiredAttendees></t:CalendarItem></m:Items></m:CreateItem>`,
	`<m:CreateItem><m:Items><t:CalendarItem/></m:Items></m:CreateItem>`,
	`<m:CreateItem MessageDisposition="SaveOnly"><m:Items><t:Message><t:Subject>mail</t:Subject><t:Body BodyType="Text">x</t:Body><t:ToRecipients><t:Mailbox><t:EmailAddress>bob@example.com</t:EmailAddress></t:Mailbox></t:ToRecipients></t:Message><t:Contact><t:DisplayName>C</t:DisplayName></t:Contact></m:Items></m:CreateItem>`,
	`<m:GetItem><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent><t:AdditionalProperties><t:FieldURI FieldURI="item:TextBody"/><t:FieldURI FieldURI="calendar:StartTimeZone"/><t:FieldURI FieldURI="calendar:StartWallClock"/><t:FieldURI FieldURI="calendar:IsOrganizer"/><t:FieldURI FieldURI="calendar:ConflictingMeetingCount"/><t:ExtendedFieldURI PropertyTag="0x0e23" PropertyType="Integer"/><t:ExtendedFieldURI DistinguishedPropertySetId="Meeting" PropertyId="3" PropertyType="Binary"/></t:AdditionalProperties></m:ItemShape><m:ItemIds>ID<t:ItemId Id="AAAA"/></m:ItemIds></m:GetItem>`,
	`<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape><m:IndexedPageItemView MaxEntriesReturned="10" Offset="0" BasePoint="End"/><m:ParentFolderIds><t:DistinguishedFolderId Id="drafts"/><t:DistinguishedFolderId Id="nowhere"/></m:ParentFolderIds></m:FindItem>`,
	`<m:FindFolder Traversal="Deep"><m:FolderShape><t:BaseShape>AllProperties</t:BaseShape></m:FolderShape><m:ParentFolderIds><t:DistinguishedFolderId Id="root"/></m:ParentFolderIds></m:FindFolder>`,
	`<m:SyncFolderHierarchy><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape></m:SyncFolderHierarchy>`,
	`<m:SyncFolderItems><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape><m:SyncFolderId><t:DistinguishedFolderId Id="calendar"/></m:SyncFolderId><m:MaxChangesReturned>10</m:MaxChangesReturned></m:SyncFolderItems>`,
	`<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:SyncFolderId><t:DistinguishedFolderId Id="calendar"/></m:SyncFolderId><m:SyncState>AAAA</m:SyncState><m:MaxChangesReturned>10</m:MaxChangesReturned></m:SyncFolderItems>`,
	`<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:SyncFolderId><t:DistinguishedFolderId Id="calendar"/></m:SyncFolderId><m:MaxChangesReturned>0</m:MaxChangesReturned></m:SyncFolderItems>`,
	`<m:UpdateItem ConflictResolution="AlwaysOverwrite" SendMeetingInvitationsOrCancellations="SendToNone"><m:ItemChanges><t:ItemChange>ID<t:Updates><t:AppendToItemField><t:FieldURI FieldURI="item:Body"/><t:CalendarItem><t:Body BodyType="HTML">y</t:Body></t:CalendarItem></t:AppendToItemField><t:DeleteItemField><t:FieldURI FieldURI="calendar:Location"/></t:DeleteItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>`,
	`<m:UpdateItem ConflictResolution="AlwaysOverwrite" SendMeetingInvitationsOrCancellations="SendToNone"><m:ItemChanges><t:ItemChange>ID<t:Updates><t:DeleteItemField><t:FieldURI FieldURI="calendar:Start"/></t:DeleteItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>`,
	`<m:CopyItem><m:ToFolderId><t:DistinguishedFolderId Id="calendar"/></m:ToFolderId><m:ItemIds>ID</m:ItemIds></m:CopyItem>`,
	`<m:Subscribe><m:PullSubscriptionRequest SubscribeToAllFolders="true"><t:EventTypes><t:EventType>MovedEvent</t:EventType></t:EventTypes><t:Timeout>1</t:Timeout></m:PullSubscriptionRequest></m:Subscribe>`,
	`<m:Subscribe><m:PullSubscriptionRequest SubscribeToAllFolders="true"><t:EventTypes/><t:Timeout>1</t:Timeout></m:PullSubscriptionRequest></m:Subscribe>`,
	`<m:MoveItem><m:ToFolderId><t:DistinguishedFolderId Id="deleteditems"/></m:ToFolderId><m:ItemIds>ID</m:ItemIds></m:MoveItem>`,
	`<m:DeleteItem DeleteType="HardDelete" SendMeetingCancellations="SendToNone"><m:ItemIds>ID</m:ItemIds></m:DeleteItem>`,
	`<m:Unsubscribe><m:SubscriptionId>AAAA</m:SubscriptionId></m:Unsubscribe>`,
	`<m:GetEvents><m:SubscriptionId>AAAA</m:SubscriptionId><m:Watermark>AAAA</m:Watermark></m:GetEvents>`,
	`<m:Nonsense/>`,
}

var anyCode = regexp.MustCompile(`ResponseCode>(\w+)<`)

const tourEnvelope = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"><s:Body>BODY</s:Body></s:Envelope>`

func TestEveryAnswerIsValid(t *testing.T) {
	t.Parallel()
	v := newValidator(t)
	sim, url := newSim(t, exchangesim.Options{})
	id, codes := "", []string{}
	for _, body := range requests {
		name := body[3:strings.IndexAny(body, " >/")]
		text := strings.NewReplacer("BODY", strings.ReplaceAll(body, "ID<", id+"<")).Replace(tourEnvelope)
		_, answer := post(t, url, "alice@example.com", []byte(text))
		v.add(t, name, answer)
		for _, m := range anyCode.FindAllSubmatch(answer, -1) {
			codes = append(codes, string(m[1]))
		}
		if m := itemIDs.FindSubmatch(answer); m != nil && id == "" {
			id = `<t:ItemId Id="` + string(m[1]) + `"/>`
		}
	}
	want := "NoError ErrorSendMeetingInvitationsRequired NoError NoError NoError ErrorInvalidIdMalformed NoError ErrorFolderNotFound NoError NoError NoError " +
		"ErrorInvalidSyncStateData NoError ErrorInvalidPropertyDelete NoError NoError ErrorInvalidSubscriptionRequest NoError ErrorItemNotFound " +
		"ErrorSubscriptionNotFound ErrorSubscriptionNotFound" // faults apart
	if got := strings.Join(codes, " "); got != want {
		t.Errorf("codes = %s\nwant    %s", got, want)
	}
	sim.Faults().Busy("", 1, time.Second)
	_, answer := post(t, url, "alice@example.com", []byte(strings.Replace(tourEnvelope, "BODY", requests[0], 1)))
	v.add(t, "busy", answer)
	v.check(t)
}

func TestNotificationsAreValid(t *testing.T) {
	t.Parallel()
	v := newValidator(t)
	var mu sync.Mutex
	var bodies [][]byte
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		bodies = append(bodies, body)
		mu.Unlock()
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		_, _ = io.WriteString(w, strings.Replace(tourEnvelope, "BODY", `<m:SendNotificationResult><m:SubscriptionStatus>OK</m:SubscriptionStatus></m:SendNotificationResult>`, 1))
	}))
	defer hub.Close()
	sim, url := newSim(t, exchangesim.Options{})
	subscribe := `<m:Subscribe><m:PushSubscriptionRequest SubscribeToAllFolders="true"><t:EventTypes><t:EventType>CreatedEvent</t:EventType><t:EventType>ModifiedEvent</t:EventType><t:EventType>MovedEvent</t:EventType><t:EventType>DeletedEvent</t:EventType><t:EventType>CopiedEvent</t:EventType></t:EventTypes><t:StatusFrequency>5</t:StatusFrequency><t:URL>` + hub.URL + `</t:URL></m:PushSubscriptionRequest></m:Subscribe>`
	_, answer := post(t, url, "alice@example.com", []byte(strings.Replace(tourEnvelope, "BODY", subscribe, 1)))
	v.add(t, "Subscribe", answer)
	o := sim.Outlook("alice@example.com")
	id, err := o.Create(exchangesim.Appointment{Subject: "x", Start: noon, End: noon.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	copied, err := o.Copy(id)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{o.Update(id, func(a *exchangesim.Appointment) { a.Subject = "y" }), o.Delete(id), o.HardDelete(copied)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := sim.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(bodies) != 6 {
		t.Errorf("%d notifications, want 6", len(bodies))
	}
	for _, body := range bodies {
		v.add(t, "SendNotification", body)
	}
	v.check(t)
}
