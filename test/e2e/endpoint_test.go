package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
)

// notice is what Exchange posts about a subscription.
const notice = `<?xml version="1.0" encoding="utf-8"?>
<soap11:Envelope xmlns:soap11="http://schemas.xmlsoap.org/soap/envelope/"><soap11:Body>
<m:SendNotification xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages">
<m:ResponseMessages><m:SendNotificationResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>
<m:Notification><t:SubscriptionId>%s</t:SubscriptionId><t:PreviousWatermark>AAA=</t:PreviousWatermark><t:MoreEvents>false</t:MoreEvents>
<t:StatusEvent><t:Watermark>AAA=</t:Watermark></t:StatusEvent></m:Notification>
</m:SendNotificationResponseMessage></m:ResponseMessages></m:SendNotification></soap11:Body></soap11:Envelope>`

// post sends something to the public listener.
func (s *site) post(url, body string) (status int, reply string) {
	s.Helper()
	resp, err := s.http.Post(url, "text/xml; charset=utf-8", strings.NewReader(body))
	if err != nil {
		s.Fatalf("post: %v", err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

func TestGarbageAtTheNotificationEndpoint(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	sub := s.subscriptionOf("alice")
	path := s.public + "/WebServices/SyncNotification.svc"
	good := fmt.Sprintf(notice, sub.ID)
	bomb := `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "` + strings.Repeat("ha", 1000) + `"><!ENTITY b "&a;&a;&a;&a;&a;">]>` +
		strings.TrimPrefix(strings.Replace(good, "AAA=", "&b;", 1), `<?xml version="1.0" encoding="utf-8"?>`)
	pulls := s.sim.Count("SyncFolderItems")
	const ok, unsubscribe = "<SubscriptionStatus>OK<", "<SubscriptionStatus>Unsubscribe<"
	for name, c := range map[string]struct {
		url, body string
		status    int
		says      string
	}{
		"a living token":                  {sub.URL, good, 200, ok},
		"any case of the path":            {strings.Replace(sub.URL, "/WebServices/SyncNotification.svc", "/WEBSERVICES/syncnotification.SVC", 1), good, 200, ok},
		"tenant in another case":          {strings.Replace(sub.URL, "?Default", "?DEFAULT", 1), good, 200, ok},
		"the other path":                  {strings.Replace(sub.URL, "/WebServices/SyncNotification.svc", "/api/Webhooks/Exchange", 1), good, 200, ok},
		"another's subscription":          {s.subscriptionOf("carol").URL, good, 200, unsubscribe},
		"no token":                        {path + "?Default", good, 200, unsubscribe},
		"wrong token":                     {path + "?Default&k=" + strings.Repeat("A", 43), good, 200, unsubscribe},
		"another tenant":                  {strings.Replace(sub.URL, "?Default", "?Other", 1), good, 200, unsubscribe},
		"two tokens":                      {sub.URL + "&k=x", good, 200, unsubscribe},
		"not XML":                         {sub.URL, "GIF89a" + strings.Repeat("\x00\xff", 100), 400, ""},
		"not XML, no token":               {path, "{}", 400, ""},
		"nothing":                         {sub.URL, "", 400, ""},
		"half a message":                  {sub.URL, good[:len(good)/2], 400, ""},
		"something else in SOAP":          {sub.URL, `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body/></s:Envelope>`, 400, ""},
		"a DTD":                           {sub.URL, bomb, 400, ""},
		"a DTD without token":             {path + "?Default", bomb, 400, ""},
		"very deep":                       {sub.URL, strings.Repeat("<a>", 100_000), 400, ""},
		"10 MB":                           {sub.URL, good + strings.Repeat(" ", 10<<20), 413, ""},
		"10 MB without token":             {path, strings.Repeat("x", 10<<20), 413, ""},
		"a path that is not there":        {s.public + "/EWS/Exchange.asmx", good, 404, ""},
		"REST, which is not for everyone": {s.public + "/Default/api/v1/persons", "{}", 404, ""},
	} {
		if status, reply := s.post(c.url, c.body); status != c.status || !strings.Contains(reply, c.says) {
			t.Errorf("%s: %d %s; want %d with %q", name, status, reply, c.status, c.says)
		}
	}
	s.settle()
	if n := s.sim.Count("SyncFolderItems"); n != pulls {
		t.Errorf("what was no news led to %d pulls", n-pulls)
	}
	// None of it did any harm.
	s.put(meeting("after", "alice", day(1, 9)))
	s.settle()
	s.outlook("alice", s.only("alice", hush+" after").ID, func(a *exchangesim.Appointment) { a.BusyStatus = "OOF" })
	s.awaitChange("after", "updated", "calendar")
	if n := len(s.sim.Subscriptions()); n != len(people) {
		t.Errorf("%d subscriptions, want %d", n, len(people))
	}
}

func (s *site) subscriptionOf(person string) exchangesim.SubscriptionInfo {
	s.Helper()
	for _, sub := range s.sim.Subscriptions() {
		if sub.Mailbox == address(person) {
			return sub
		}
	}
	s.Fatalf("%s has no subscription", person)
	return exchangesim.SubscriptionInfo{}
}

func TestPageOfTheNotificationEndpoint(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	for path, says := range map[string]string{
		"/WebServices/SyncNotification.svc?Default": "Default",
		"/Webservices/syncnotification.svc?default": "Default",
		"/WebServices/SyncNotification.svc":         "names no tenant",
		"/webservices/SYNCNOTIFICATION.SVC?Nobody":  "not served here",
		"/API/webhooks/exchange?Default":            "Default",
		"/healthz":                                  "ok",
		"/HealthZ":                                  "ok",
	} {
		resp, err := s.http.Get(s.public + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(says)) {
			t.Errorf("GET %s: %s, without %q:\n%s", path, resp.Status, says, body)
		}
		if bytes.Contains(body, []byte("Nobody")) {
			t.Errorf("GET %s repeats what the address says", path)
		}
	}
}
