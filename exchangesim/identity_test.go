package exchangesim

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/Azure/go-ntlmssp"
)

const getCalendar = `<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds>` + calendarFolder + `</m:FolderIds></m:GetFolder>`

func calendarOf(address string) string {
	return `<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds><t:DistinguishedFolderId Id="calendar"><t:Mailbox><t:EmailAddress>` + address + `</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId></m:FolderIds></m:GetFolder>`
}

func TestImpersonationNeedsTheRight(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{People: append(SamplePeople(), Person{Address: "dora@example.com", Aliases: []string{"d@example.com"}, SID: "S-1-5-21-7"})})
	plainUser := c.impersonating("PrimarySmtpAddress", "bob@example.com")
	plainUser.user = `EXAMPLE\svc-plain`
	two := c.impersonating("PrimarySmtpAddress", "bob@example.com</t:PrimarySmtpAddress><t:PrimarySmtpAddress>alice@example.com")
	for _, tc := range []struct {
		name string
		c    *testClient
		want string
	}{
		{"own mailbox", c, "NoError"},
		{"a service user's own", c.as(`EXAMPLE\svc-rooms`), "ErrorNonExistentMailbox"},
		{"primary address", c.impersonating("PrimarySmtpAddress", "BOB@example.com"), "NoError"},
		{"alias as primary address", c.impersonating("PrimarySmtpAddress", "d@example.com"), "ErrorNonPrimarySmtpAddress"},
		{"alias", c.impersonating("SmtpAddress", "d@example.com"), "NoError"},
		{"principal name", c.impersonating("PrincipalName", "bob@example.com"), "NoError"},
		{"unknown principal name", c.impersonating("PrincipalName", "nobody@example.com"), "ErrorInvalidUserPrincipalName"},
		{"SID", c.impersonating("SID", "S-1-5-21-7"), "NoError"},
		{"unknown SID", c.impersonating("SID", "S-1-5-21-8"), "ErrorInvalidSid"},
		{"unknown address", c.impersonating("PrimarySmtpAddress", "nobody@example.com"), "ErrorNonExistentMailbox"},
		{"person without mailbox", c.impersonating("PrincipalName", "svc-plain@example.com"), "ErrorNonExistentMailbox"},
		{"without the right", plainUser, "ErrorImpersonateUserDenied"},
		{"two identities", two, "ErrorInvalidExchangeImpersonationHeaderData"},
	} {
		if got := tc.c.code(getCalendar); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
	s.SetImpersonation("svc-rooms@example.com", false)
	if got := c.impersonating("PrimarySmtpAddress", "bob@example.com").code(getCalendar); got != "ErrorImpersonateUserDenied" {
		t.Errorf("after the right was taken: %s", got)
	}
	s.Disconnect("bob@example.com", true)
	s.SetImpersonation("svc-rooms@example.com", true)
	if got := c.impersonating("PrimarySmtpAddress", "bob@example.com").code(getCalendar); got != "ErrorNonExistentMailbox" {
		t.Errorf("after the mailbox was disconnected: %s", got)
	}
}

func TestDelegatesOpenTheCalendarButCannotSubscribe(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{})
	service := c.as(`EXAMPLE\svc-plain`)
	if got := service.code(calendarOf("bob@example.com")); got != "ErrorAccessDenied" {
		t.Errorf("without a grant: %s", got)
	}
	s.SetDelegates("bob@example.com", `EXAMPLE\svc-plain`)
	folder := service.must(calendarOf("bob@example.com")).child("Folders", "CalendarFolder", "FolderId").attr("Id")
	byID := `<t:FolderId Id="` + folder + `"/>`
	create := `<m:CreateItem SendMeetingInvitations="SendToNone"><m:SavedItemFolderId>` + byID + `</m:SavedItemFolderId><m:Items><t:CalendarItem>` + plain + `</t:CalendarItem></m:Items></m:CreateItem>`
	id := service.must(create).child("Items", "CalendarItem", "ItemId").attr("Id")
	if items := s.Outlook("bob@example.com").Items(); len(items) != 1 || items[0].Organizer.Address != "bob@example.com" {
		t.Errorf("items = %+v", items)
	}
	subscribe := `<m:Subscribe><m:PullSubscriptionRequest><t:FolderIds>` + byID + `</t:FolderIds><t:EventTypes><t:EventType>CreatedEvent</t:EventType></t:EventTypes><t:Timeout>10</t:Timeout></m:PullSubscriptionRequest></m:Subscribe>`
	if got := service.code(subscribe); got != "ErrorSubscriptionDelegateAccessNotSupported" {
		t.Errorf("Subscribe as a delegate: %s", got)
	}
	if got := c.as(`EXAMPLE\carol`).code(getItem(itemID(id, ""))); got != "ErrorItemNotFound" {
		t.Errorf("a stranger reads the item: %s", got)
	}
	service.must(deleteItem("HardDelete", itemID(id, "")))
}

func TestWrongPasswordIsRefused(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{})
	s.SetPassword("alice@example.com", "changed")
	if status, _, err := c.send(t.Context(), getCalendar); status != http.StatusUnauthorized || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
	s.SetPassword("alice@example.com", "secret")
	s.Faults().RejectAuth("alice")
	if status, _, err := c.send(t.Context(), getCalendar); status != http.StatusUnauthorized || err != nil {
		t.Errorf("rejected login: status %d, %v", status, err)
	}
	s.Faults().Reset()
	if got := c.code(getCalendar); got != "NoError" {
		t.Errorf("after Reset: %s", got)
	}
}

func TestNTLMIsServed(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{Schemes: []string{"NTLM"}})
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	c.http = &http.Client{Transport: ntlmssp.Negotiator{RoundTripper: transport}}
	c = c.impersonating("PrimarySmtpAddress", "bob@example.com")
	if got := c.code(getCalendar); got != "NoError" {
		t.Errorf("GetFolder over NTLM = %s", got)
	}
	if n := s.Count("GetFolder"); n != 1 {
		t.Errorf("%d requests were served, want 1", n)
	}
}

func TestServerWithoutConnectionStateOffersBasic(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{})
	bare := httptest.NewServer(s)
	defer bare.Close()
	c.url, c.http = bare.URL, bare.Client()
	if got := c.as("alice@example.com").code(getCalendar); got != "NoError" {
		t.Errorf("GetFolder = %s", got)
	}
	resp, err := bare.Client().Get(bare.URL + "/ews/Exchange.asmx")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got := resp.Header.Values("WWW-Authenticate"); len(got) != 1 || !strings.HasPrefix(got[0], "Basic") {
		t.Errorf("WWW-Authenticate = %q", got)
	}
}
