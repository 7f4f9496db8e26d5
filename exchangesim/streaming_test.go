package exchangesim

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// envelopes reads the envelopes of a stream, one after the other.
func envelopes(t *testing.T, r io.Reader) <-chan *node {
	t.Helper()
	out := make(chan *node)
	go func() {
		defer close(out)
		var text strings.Builder
		one := make([]byte, 1)
		for {
			if _, err := io.ReadFull(r, one); err != nil {
				return
			}
			text.Write(one)
			if strings.HasSuffix(text.String(), "</Envelope>") || strings.HasSuffix(text.String(), "</s:Envelope>") {
				root, err := parseXML([]byte(text.String()))
				var syntax *xml.SyntaxError
				if errors.As(err, &syntax) {
					return
				}
				text.Reset()
				out <- root.child("Body", "GetStreamingEventsResponse", "ResponseMessages", "GetStreamingEventsResponseMessage")
			}
		}
	}()
	return out
}

func TestStreamTellsEventsUntilAnotherTakesOver(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{Minute: time.Hour})
	id := c.must(`<m:Subscribe><m:StreamingSubscriptionRequest><t:FolderIds>` + calendarFolder + `</t:FolderIds><t:EventTypes><t:EventType>CreatedEvent</t:EventType></t:EventTypes></m:StreamingSubscriptionRequest></m:Subscribe>`).child("SubscriptionId").value()
	open := func(id string) (*http.Response, <-chan *node) {
		body := `<m:GetStreamingEvents><m:SubscriptionIds><t:SubscriptionId>` + id + `</t:SubscriptionId></m:SubscriptionIds><m:ConnectionTimeout>30</m:ConnectionTimeout></m:GetStreamingEvents>`
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url+"/EWS/Exchange.asmx", strings.NewReader(strings.NewReplacer("HEADER", "", "BODY", body).Replace(testEnvelope)))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(c.user, "secret")
		resp, err := c.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp, envelopes(t, resp.Body)
	}
	_, first := open(id)
	if n := <-first; n.child("ConnectionStatus").value() != "OK" {
		t.Fatalf("first message = %+v", n)
	}
	if _, err := s.Outlook("alice@example.com").Create(Appointment{Subject: "x", Start: at(9), End: at(10)}); err != nil {
		t.Fatal(err)
	}
	if n := <-first; n.child("Notifications", "Notification", "CreatedEvent", "ItemId") == nil {
		t.Errorf("no event: %+v", n)
	}
	_, second := open(id)
	if n := <-second; n.child("ConnectionStatus").value() != "OK" {
		t.Errorf("second connection = %+v", n)
	}
	if n := <-first; n.child("ResponseCode").value() != "ErrorNewEventStreamConnectionOpened" {
		t.Errorf("first connection = %+v", n)
	}
	_, wrong := open("AAAA")
	if n := <-wrong; n.child("ResponseCode").value() != "ErrorInvalidSubscription" || n.child("ErrorSubscriptionIds", "SubscriptionId").value() != "AAAA" {
		t.Errorf("unknown subscription = %+v", n)
	}
	s.DropSubscriptions("")
	_, gone := open(id)
	if n := <-gone; n.child("ResponseCode").value() != "ErrorInvalidSubscription" {
		t.Errorf("dropped subscription = %+v", n)
	}
}
