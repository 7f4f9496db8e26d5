package ews

import (
	"context"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomwire/roomwire/sdk/fault"
)

// said is an envelope of a stream as servers write it: the envelope without a prefix, Notification in the messages namespace.
func said(class, code, rest string) string {
	return `<?xml version="1.0" encoding="utf-8"?><Envelope xmlns="` + nsSOAP + `"><Header/><soap11:Body xmlns:soap11="` + nsSOAP + `">` +
		`<m:GetStreamingEventsResponse xmlns:m="` + nsMessages + `" xmlns:t="` + nsTypes + `"><m:ResponseMessages>` +
		`<m:GetStreamingEventsResponseMessage ResponseClass="` + class + `"><m:ResponseCode>` + code + `</m:ResponseCode>` + rest +
		`</m:GetStreamingEventsResponseMessage></m:ResponseMessages></m:GetStreamingEventsResponse></soap11:Body></Envelope>`
}

var (
	beat   = said("Success", "NoError", `<m:ConnectionStatus>OK</m:ConnectionStatus>`)
	closed = said("Success", "NoError", `<m:ConnectionStatus>Closed</m:ConnectionStatus>`)
)

func news(id string) string {
	return `<m:Notification><t:SubscriptionId>` + id + `</t:SubscriptionId><t:ModifiedEvent><t:TimeStamp>2026-12-01T08:00:00Z</t:TimeStamp>
		<t:FolderId Id="f"/></t:ModifiedEvent><t:CreatedEvent><t:ItemId Id="i"/></t:CreatedEvent></m:Notification>`
}

// listen gives a stream of two subscriptions to a client.
func listen(ctx context.Context, c *Client) ([][]Notification, error) {
	var told [][]Notification
	err := c.GetStreamingEvents(ctx, ada, StreamRequest{IDs: []string{"a", "b"}, Minutes: 30}, func(n []Notification) error {
		told = append(told, n)
		return nil
	})
	return told, err
}

func TestAStreamTellsAndEnds(t *testing.T) {
	t.Parallel()
	a, b := Notification{Subscription: "a", Events: 2}, Notification{Subscription: "b", Events: 2}
	lostB := Notification{Subscription: "b", Lost: true, Code: "ErrorSubscriptionNotFound"}
	failed := func(code, ids string) string {
		return said("Error", code, ids+`<m:ConnectionStatus>Closed</m:ConnectionStatus>`)
	}
	const idB = `<m:ErrorSubscriptionIds><m:SubscriptionId>b</m:SubscriptionId></m:ErrorSubscriptionIds>`
	for name, tc := range map[string]struct {
		body string
		want [][]Notification
		kind fault.Kind
	}{
		"events": {
			beat + said("Success", "NoError", `<m:Notifications>`+news("a")+news("b")+`</m:Notifications>`) + closed,
			[][]Notification{nil, {a, b}}, "",
		},
		"events with the end": {
			beat + said("Success", "NoError", `<m:Notifications>`+news("a")+`</m:Notifications><m:ConnectionStatus>Closed</m:ConnectionStatus>`),
			[][]Notification{nil, {a}}, "",
		},
		"ended without a word": {beat + beat, [][]Notification{nil, nil}, ""},
		"what follows the end": {closed + "garbage", nil, ""},
		"one is lost":          {failed("ErrorSubscriptionNotFound", idB), [][]Notification{{lostB}}, ""},
		"one is another's": {
			failed("ErrorSubscriptionAccessDenied", idB), [][]Notification{{{Subscription: "b", Lost: true, Code: "ErrorSubscriptionAccessDenied"}}}, "",
		},
		"which is lost was not said": {beat + failed("ErrorReadEventsFailed", ""), [][]Notification{nil, {
			{Subscription: "a", Lost: true, Code: "ErrorReadEventsFailed"}, {Subscription: "b", Lost: true, Code: "ErrorReadEventsFailed"},
		}}, ""},
		"taken over":            {beat + failed("ErrorNewEventStreamConnectionOpened", ""), [][]Notification{nil}, fault.Unavailable},
		"too many connections":  {failed("ErrorExceededConnectionCount", idB), nil, fault.Throttled},
		"busy":                  {faultWith("ErrorServerBusy", `<MessageXml xmlns="`+nsTypes+`"><Value Name="BackOffMilliseconds">5000</Value></MessageXml>`), nil, fault.Throttled},
		"a code never heard of": {failed("ErrorSomething", ""), nil, fault.Unavailable},
		"empty":                 {"", nil, fault.Unavailable},
		"cut off":               {beat + beat[:100], [][]Notification{nil}, fault.Unavailable},
		"garbage":               {beat + "<html></html>", [][]Notification{nil}, fault.Unavailable},
	} {
		got, err := listen(t.Context(), respond(200, tc.body, "request-id", "r-1"))
		if !reflect.DeepEqual(got, tc.want) || fault.Of(err) != tc.kind {
			t.Errorf("%s: told %+v, %v; want %+v and %q", name, got, err, tc.want, tc.kind)
		}
		if e, ok := errors.AsType[*fault.Error](err); err != nil && (!ok || e.ID != "r-1" || !strings.Contains(e.Error(), ada.Address)) {
			t.Errorf("%s: %+v lacks the request's id or the mailbox", name, err)
		}
		if name == "busy" && fault.After(err) != 5*time.Second {
			t.Errorf("busy: wait %s, want 5s", fault.After(err))
		}
	}
}

func TestWhoIsToldCanEndTheStream(t *testing.T) {
	t.Parallel()
	enough := errors.New("enough")
	err := respond(200, beat+beat).GetStreamingEvents(t.Context(), ada, StreamRequest{IDs: []string{"a"}}, func([]Notification) error { return enough })
	if !errors.Is(err, enough) {
		t.Errorf("error = %v", err)
	}
}

// talking is a client whose server says something at intervals, until the request's context ends.
func talking(words ...any) *Client {
	return &Client{ActAs: true, HTTP: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		out, in := io.Pipe()
		context.AfterFunc(r.Context(), func() { _ = in.CloseWithError(r.Context().Err()) })
		go func() {
			for _, w := range words {
				switch w := w.(type) {
				case time.Duration:
					select {
					case <-time.After(w):
					case <-r.Context().Done():
						return
					}
				case string:
					if _, err := io.WriteString(in, w); err != nil {
						return
					}
				}
			}
		}()
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/xml"}}, Body: out, Request: r}, nil
	})}}
}

func TestAServerThatFallsSilentIsNoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		told, err := listen(t.Context(), talking(beat, 119*time.Second, beat, beat[:50]))
		if took := time.Since(began); len(told) != 2 || fault.Of(err) != fault.Unavailable || took != 119*time.Second+maxSilence {
			t.Errorf("after %s: told %d times, %v; want unavailable two minutes after the second time", took, len(told), err)
		}
	})
}

func TestAStreamEndsThoughTheServerForgetsTo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var words []any
		for range 100 {
			words = append(words, beat, time.Minute)
		}
		began := time.Now()
		_, err := listen(t.Context(), talking(words...))
		if took := time.Since(began); err != nil || took != 31*time.Minute {
			t.Errorf("after %s: %v; want the end after 31 minutes", took, err)
		}
		synctest.Wait()
	})
}

func TestAStreamEndsWithItsContextAndWaitsForWhoIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := talking(beat, time.Hour)
		times := 0
		err := c.GetStreamingEvents(ctx, ada, StreamRequest{IDs: []string{"a"}, Minutes: 30}, func([]Notification) error {
			times++
			time.Sleep(10 * time.Minute) // longer than the server may take
			time.AfterFunc(time.Second, cancel)
			return nil
		})
		if !errors.Is(err, context.Canceled) || times != 1 {
			t.Errorf("told %d times, %v; want once, and cancelled", times, err)
		}
	})
}
