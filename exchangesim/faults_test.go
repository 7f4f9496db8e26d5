package exchangesim

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestEffectStaysWhenTheConnectionIsCutAfterIt(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{})
	s.Faults().DropAfter("CreateItem", 1)
	if _, _, err := c.send(t.Context(), createItem(plain)); err == nil {
		t.Error("the request was answered")
	}
	if n := len(s.Outlook("alice@example.com").Items()); n != 1 {
		t.Errorf("%d items, want 1", n)
	}
	s.Faults().DropBefore("CreateItem", 1)
	if _, _, err := c.send(t.Context(), createItem(plain)); err == nil {
		t.Error("the request was answered")
	}
	if n := len(s.Outlook("alice@example.com").Items()); n != 1 {
		t.Errorf("%d items after a request cut off before its effect, want 1", n)
	}
	c.create(plain)
}

func TestFaultsSelectRequests(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{})
	bob := c.impersonating("PrimarySmtpAddress", "bob@example.com")
	s.Faults().Busy("bob@example.com", 1, 3*time.Second)
	if got := c.code(getCalendar); got != "NoError" {
		t.Errorf("another mailbox: %s", got)
	}
	_, root, err := bob.send(t.Context(), getCalendar)
	if err != nil {
		t.Fatal(err)
	}
	detail := root.child("Body", "Fault", "detail")
	if detail.child("ResponseCode").value() != "ErrorServerBusy" || detail.child("MessageXml", "Value").value() != "3000" || root.child("Header", "ServerVersionInfo") == nil {
		t.Errorf("fault = %+v", detail)
	}
	if got := bob.code(getCalendar); got != "NoError" {
		t.Errorf("the fault outlived its count: %s", got)
	}
	s.Faults().Status(http.StatusServiceUnavailable, 1)
	if status, _, _ := c.send(t.Context(), getCalendar); status != http.StatusServiceUnavailable {
		t.Errorf("status %d", status)
	}
	s.Faults().Error("FindItem", "ErrorMailboxStoreUnavailable", 1)
	if got := c.code(getCalendar); got != "NoError" {
		t.Errorf("another operation: %s", got)
	}
	if list := s.Faults().List(); len(list) != 1 {
		t.Errorf("faults left: %v", list)
	}
	if err := s.Faults().Add(Fault{Kind: "meteor"}); err == nil {
		t.Error("an unknown fault was taken")
	}
}

func TestPausedRequestWaitsForRelease(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{})
	arrived, release := s.Faults().PauseAfter("CreateItem")
	done := make(chan string, 1)
	go func() { done <- c.code(createItem(plain)) }()
	<-arrived
	if n := len(s.Outlook("alice@example.com").Items()); n != 1 {
		t.Errorf("%d items while the answer waits, want 1", n)
	}
	release()
	if got := <-done; got != "NoError" {
		t.Errorf("CreateItem = %s", got)
	}
	arrived, _ = s.Faults().PauseBefore("CreateItem")
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, _, err := c.send(ctx, createItem(plain))
		failed <- err
	}()
	<-arrived
	cancel()
	if err := <-failed; err == nil {
		t.Error("a cancelled request succeeded")
	}
}

func TestBrokenXMLIsAFaultAndTheConnectionLives(t *testing.T) {
	t.Parallel()
	_, c := serve(t, Options{})
	for name, body := range map[string]string{
		"unescaped ampersand": `<m:Subscribe><t:URL>http://x/?a&b</t:URL></m:Subscribe>`,
		"nothing":             "",
		"two operations":      getCalendar + getCalendar,
	} {
		status, root, err := c.send(t.Context(), body)
		if err != nil || status != http.StatusInternalServerError || root.child("Body", "Fault") == nil || root.child("Header", "ServerVersionInfo") == nil {
			t.Errorf("%s: status %d, %v", name, status, err)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url+"/ews/EXCHANGE.ASMX", strings.NewReader(`<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>`))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(c.user, "secret")
	resp, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("a document type: status %d", resp.StatusCode)
	}
	if got := c.code(getCalendar); got != "NoError" {
		t.Errorf("the request after = %s", got)
	}
	if got := c.code(`<m:GetFolder>` + strings.Repeat(" ", 500<<10) + `</m:GetFolder>`); got != "ErrorRequestStreamTooBig" {
		t.Errorf("a long request = %s", got)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add(strings.Replace(testEnvelope, "BODY", createItem(plain), 1))
	f.Add(strings.Replace(testEnvelope, "BODY", getCalendar, 1))
	f.Add(strings.Replace(testEnvelope, "BODY", `<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape><m:CalendarView StartDate="2026-01-01T00:00:00Z" EndDate="2027-01-01T00:00:00Z"/><m:ParentFolderIds>`+calendarFolder+`</m:ParentFolderIds></m:FindItem>`, 1))
	f.Add(`<Envelope><Body/></Envelope>`)
	s, err := New(Options{})
	if err != nil {
		f.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	alice := s.users["alice@example.com"]
	f.Fuzz(func(t *testing.T, body string) {
		c, err := s.parse(alice, []byte(body))
		if err != nil {
			return
		}
		if c.name == streaming {
			return
		}
		_, reply := s.handle(t.Context(), c, []byte(body))
		if _, err := parseXML(reply); err != nil {
			t.Errorf("answer %q: %v", reply, err)
		}
	})
}
