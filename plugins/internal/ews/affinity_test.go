package ews

import (
	"net/http"
	"testing"
)

// subscribed is an answer to Subscribe.
const subscribed = soapHead + `<m:SubscribeResponse xmlns:m="` + nsMessages + `"><m:ResponseMessages><m:SubscribeResponseMessage
	ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode><m:SubscriptionId> JgBz </m:SubscriptionId>
	<m:Watermark>AQ==</m:Watermark></m:SubscribeResponseMessage></m:ResponseMessages></m:SubscribeResponse></s:Body></s:Envelope>`

func TestAGroupKeepsToTheServerOfItsFirst(t *testing.T) {
	t.Parallel()
	var sent http.Header
	setCookie := "X-BackEndOverrideCookie=mbx-1~194; path=/; secure; HttpOnly"
	c := &Client{ActAs: true, HTTP: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		sent = r.Header
		return response(r, http.StatusOK, subscribed, "Set-Cookie", setCookie), nil
	})}}
	check := func(what, anchor, cookie string) {
		t.Helper()
		if sent.Get("X-AnchorMailbox") != anchor || sent.Get("X-PreferServerAffinity") != "true" || sent.Get("Cookie") != cookie {
			t.Errorf("%s: headers %v, want anchor %s and cookie %q", what, sent, anchor, cookie)
		}
	}
	first, err := c.SubscribeStreaming(t.Context(), ada, Affinity{})
	if want := (Subscribed{ID: "JgBz", Watermark: "AQ==", Affinity: Affinity{"ada@example.com", "mbx-1~194"}}); err != nil || first != want {
		t.Fatalf("first = %+v, %v; want %+v", first, err, want)
	}
	check("first", "ada@example.com", "")

	bob := ada
	bob.Address = "bob@example.com"
	setCookie = "X-BackEndOverrideCookie=mbx-2~194"
	group := ParseAffinity(first.Affinity.String())
	second, err := c.SubscribePull(t.Context(), bob, PullRequest{Minutes: 30, Affinity: group})
	if err != nil || second.Affinity != first.Affinity || group != first.Affinity {
		t.Errorf("second = %+v, %v; want the group of the first", second, err)
	}
	check("second", "ada@example.com", "X-BackEndOverrideCookie=mbx-1~194")
	_, _ = c.GetEvents(t.Context(), bob, EventsRequest{ID: "JgBz", Watermark: "AQ==", Affinity: group})
	check("events", "ada@example.com", "X-BackEndOverrideCookie=mbx-1~194")
	_ = c.GetStreamingEvents(t.Context(), bob, StreamRequest{IDs: []string{"JgBz"}, Affinity: group}, func([]Notification) error { return nil })
	check("stream", "ada@example.com", "X-BackEndOverrideCookie=mbx-1~194")

	_, _ = c.GetFolder(t.Context(), bob)
	if sent.Get("X-AnchorMailbox") != "bob@example.com" || sent.Get("X-PreferServerAffinity") != "" || sent.Get("Cookie") != "" {
		t.Errorf("an ordinary call is pinned: %v", sent)
	}
	if ParseAffinity("") != (Affinity{}) {
		t.Error("no group is some group")
	}
}
