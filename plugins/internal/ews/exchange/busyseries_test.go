package exchange

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// answering gives answers of its own to some requests.
type answering struct {
	next http.RoundTripper
	on   func(body string) string // empty: the server's
}

func (a *answering) RoundTrip(r *http.Request) (*http.Response, error) {
	data, _ := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if text := a.on(string(data)); text != "" {
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/xml"}}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(strings.NewReader(string(data)))
	r.ContentLength = int64(len(data))
	return a.next.RoundTrip(r)
}

const busyAnswer = `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><m:GetItemResponse xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><m:ResponseMessages><m:GetItemResponseMessage ResponseClass="Error"><m:MessageText>The server cannot service this request right now. Try again later.</m:MessageText><m:ResponseCode>ErrorServerBusy</m:ResponseCode><m:DescriptiveLinkKey>0</m:DescriptiveLinkKey><m:MessageXml><t:Value Name="BackOffMilliseconds">297749</t:Value></m:MessageXml><m:Items/></m:GetItemResponseMessage></m:ResponseMessages></m:GetItemResponse></s:Body></s:Envelope>`

// What a server asks for while it is busy is heard, whichever of the requests for a series it refuses.
func TestAServerThatIsBusyWhileExceptionsAreReadSaysHowLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	o := w.sim.Outlook("alice@example.com")
	e := desk()
	e.Attendees = nil
	e.End = e.Start.Add(time.Hour)
	e.Recurrence = "FREQ=DAILY;COUNT=5"
	item := w.create(t, "k", e)
	if err := o.UpdateOccurrence(o.Items()[0].ID, e.Start.AddDate(0, 0, 1), func(a *exchangesim.Appointment) { a.Subject = "mine" }); err != nil {
		t.Fatal(err)
	}
	var n atomic.Int32
	client := *w.ews.HTTP
	client.Transport = &answering{client.Transport, func(body string) string {
		if strings.Contains(body, "<m:GetItem>") && n.Add(1) == 2 {
			return busyAnswer
		}
		return ""
	}}
	c := *w.ews
	c.HTTP = &client
	b := *w.Backend
	b.ews = &c
	got, err := b.Fetch(t.Context(), w.alice, []backend.Ref{item.Ref})
	if err == nil {
		err = got[0].Err
	}
	if fault.Of(err) != fault.Throttled || fault.After(err) < 4*time.Minute {
		t.Errorf("%v (kind %v, wait %v)", err, fault.Of(err), fault.After(err))
	}
	n.Store(0)
	err = b.Pull(t.Context(), backend.PullRequest{Mailbox: w.alice}, func(backend.Page) error { return nil })
	if fault.Of(err) != fault.Throttled || fault.After(err) < 4*time.Minute {
		t.Errorf("pull: %v (kind %v, wait %v)", err, fault.Of(err), fault.After(err))
	}
}
