package exchange

import (
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// endpoint is the host's public listener in small: it hands every message to Receive and keeps the hints.
type endpoint struct {
	*httptest.Server
	mu      sync.Mutex
	trusted bool
	hints   []backend.Hint
	got     int
}

func newEndpoint(t *testing.T, b *Backend) *endpoint {
	t.Helper()
	e := &endpoint{trusted: true}
	e.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.got++
		reply, err := b.Receive(r.Context(), backend.Inbound{
			Method: r.Method, Query: r.URL.RawQuery, Header: r.Header, Body: body, Trusted: e.trusted,
		})
		if err != nil {
			t.Errorf("%v\n%s", err, body)
		}
		e.hints = append(e.hints, reply.Hints...)
		rw.Header().Set("Content-Type", reply.ContentType)
		rw.WriteHeader(reply.Status)
		_, _ = rw.Write(reply.Body)
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) take() (hints []backend.Hint, messages int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	hints, messages = e.hints, e.got
	e.hints, e.got = nil, 0
	return hints, messages
}

func (e *endpoint) trust(yes bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.trusted = yes
}

func TestNotificationsArriveAndEndTheWayExchangeDoesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	e := newEndpoint(t, w.Backend)
	sub, err := w.Subscribe(t.Context(), backend.SubscribeRequest{
		Mailbox: w.alice, URL: e.URL + "/WebServices/SyncNotification.svc?Default&k=token", StatusInterval: 90 * time.Second,
	})
	if err != nil || sub.ID == "" || !sub.Expires.IsZero() {
		t.Fatalf("%+v, %v", sub, err)
	}
	if live := w.sim.Subscriptions(); len(live) != 1 || live[0].StatusFrequency != 2 || !strings.HasSuffix(live[0].URL, "?Default&k=token") {
		t.Errorf("subscriptions %+v", live)
	}
	outlook := w.sim.Outlook("alice@example.com")
	id, err := outlook.Create(exchangesim.Appointment{Subject: "x", Start: utc("2026-12-01 08:00"), End: utc("2026-12-01 09:00")})
	if err != nil {
		t.Fatal(err)
	}
	dirty := func(what string) {
		t.Helper()
		if err := w.sim.WaitIdle(t.Context()); err != nil {
			t.Fatal(err)
		}
		hints, n := e.take()
		found := false
		for _, h := range hints {
			found = found || h == backend.Hint{Subscription: sub.ID, Kind: backend.Dirty}
		}
		if !found {
			t.Errorf("%s: %d messages, hints %+v; want Dirty", what, n, hints)
		}
	}
	dirty("created")
	if err := outlook.Update(id, func(a *exchangesim.Appointment) { a.Subject = "y" }); err != nil {
		t.Fatal(err)
	}
	dirty("changed")
	if err := outlook.Delete(id); err != nil {
		t.Fatal(err)
	}
	dirty("moved to Deleted Items")

	e.trust(false)
	w.create(t, "bk-1", desk())
	if err := w.sim.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if hints, n := e.take(); len(hints) != 0 || n == 0 {
		t.Errorf("without trust: %d messages, hints %v; want none", n, hints)
	}
	if live := w.sim.Subscriptions(); len(live) != 0 {
		t.Errorf("the subscription lives on: %+v", live)
	}
}

func TestSubscribeReportsRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	for code, want := range map[string]fault.Kind{
		"ErrorExceededSubscriptionCount":  fault.SubscriptionLost,
		"ErrorInvalidPushSubscriptionUrl": fault.Invalid,
		"ErrorServerBusy":                 fault.Throttled,
	} {
		w.sim.Faults().Error("Subscribe", code, 1)
		if _, err := w.Subscribe(t.Context(), backend.SubscribeRequest{Mailbox: w.alice, URL: "http://127.0.0.1:1/"}); fault.Of(err) != want {
			t.Errorf("%s: %v, want %s", code, err, want)
		}
	}
	for asked, want := range map[time.Duration]int{0: 30, time.Second: 1, 90 * 24 * time.Hour: 1440} {
		sub, err := w.Subscribe(t.Context(), backend.SubscribeRequest{
			Mailbox: w.alice, URL: "http://127.0.0.1:1/", StatusInterval: asked,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, live := range w.sim.Subscriptions() {
			if live.ID == sub.ID && live.StatusFrequency != want {
				t.Errorf("asked for %s, the server has %d minutes, want %d", asked, live.StatusFrequency, want)
			}
		}
	}
	if n := len(w.sim.Subscriptions()); n != 3 {
		t.Errorf("%d subscriptions, want 3", n)
	}
	if err := w.Unsubscribe(t.Context(), w.alice, backend.Subscription{ID: "x"}); fault.Of(err) != fault.Unsupported {
		t.Errorf("Unsubscribe: %v, want Unsupported", err)
	}
}

const soap = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>
	<SendNotification xmlns="http://schemas.microsoft.com/exchange/services/2006/messages"
	 xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><ResponseMessages>`

func TestReceiveSaysTheGravestThingOfEachSubscription(t *testing.T) {
	t.Parallel()
	message := func(class, code, id, events string) string {
		return `<SendNotificationResponseMessage ResponseClass="` + class + `"><ResponseCode>` + code + `</ResponseCode>
			<Notification><t:SubscriptionId>` + id + `</t:SubscriptionId>` + events + `</Notification></SendNotificationResponseMessage>`
	}
	const folder, status = `<t:ModifiedEvent><t:FolderId Id="f"/></t:ModifiedEvent>`, `<t:StatusEvent/>`
	body := soap +
		message("Success", "NoError", "a", status) + message("Success", "NoError", "a", folder) +
		message("Success", "NoError", "b", status) +
		message("Error", "ErrorReadEventsFailed", "c", "") + message("Success", "NoError", "c", folder) +
		message("Warning", "ErrorMissedNotificationEvents", "d", folder) +
		`</ResponseMessages></SendNotification></s:Body></s:Envelope>`
	b := &Backend{}
	reply, err := b.Receive(t.Context(), backend.Inbound{Method: "POST", Body: []byte(body), Trusted: true})
	want := []backend.Hint{{Subscription: "a", Kind: backend.Dirty}, {Subscription: "b", Kind: backend.Alive},
		{Subscription: "c", Kind: backend.Lost}, {Subscription: "d", Kind: backend.Lost}}
	if err != nil || !reflect.DeepEqual(reply.Hints, want) {
		t.Errorf("%+v, %v; want %+v", reply.Hints, err, want)
	}
	if reply.Status != 200 || reply.ContentType != "text/xml; charset=utf-8" ||
		!strings.Contains(string(reply.Body), "<SubscriptionStatus>OK</SubscriptionStatus>") {
		t.Errorf("reply %+v %s", reply, reply.Body)
	}
	reply, err = b.Receive(t.Context(), backend.Inbound{Method: "POST", Body: []byte(body)})
	if err != nil || reply.Hints != nil || !strings.Contains(string(reply.Body), "<SubscriptionStatus>Unsubscribe</SubscriptionStatus>") {
		t.Errorf("without trust: %s, %+v, %v", reply.Body, reply.Hints, err)
	}
	for _, trusted := range []bool{true, false} {
		if _, err := b.Receive(t.Context(), backend.Inbound{Body: []byte("hello"), Trusted: trusted}); fault.Of(err) != fault.Invalid {
			t.Errorf("garbage: %v, want Invalid", err)
		}
	}
}

func TestOurOwnWriteComesBackEqual(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	_, pages := w.pull(t, "")
	item := w.create(t, "bk-1", desk())
	changes, _ := w.pull(t, cursor(pages))
	if len(changes) != 1 || changes[0].Item == nil || !reflect.DeepEqual(changes[0].Item.Event, item.Event) {
		t.Errorf("the echo is %+v, want the event as Apply reported it: %+v", changes, item.Event)
	}
	r, err := w.Apply(t.Context(), calendar.Mutation{
		Op: calendar.Update, Mailbox: w.alice, Ref: item.Ref, IfRevision: changes[0].Item.Revision,
		Event: changes[0].Item.Event, Fields: calendar.AllFields,
	})
	if err != nil || !reflect.DeepEqual(r.Item.Event, item.Event) {
		t.Errorf("written once more: %+v, %v", r.Item.Event, err)
	}
}
