package exchangesim

import (
	"net/http"
	"testing"
	"time"
)

// apart returns clients for two mailboxes that lie on different back-end servers, as one service.
func apart(t *testing.T, s *Server, c *testClient) (one, other *testClient) {
	t.Helper()
	var on []int
	for _, name := range []string{"user1", "user2", "user3", "user4", "user5", "user6", "user7", "user8", "user9"} {
		address := name + "@example.com"
		s.mu.Lock()
		backend := s.backendOf(address)
		s.mu.Unlock()
		made := c.impersonating("PrimarySmtpAddress", address)
		made.fields = http.Header{"X-Anchormailbox": {address}}
		switch {
		case one == nil:
			one, on = made, append(on, backend)
		case backend != on[0]:
			return one, made
		}
	}
	t.Fatal("nine mailboxes lie on one server")
	return nil, nil
}

func TestSubscriptionsAreKnownOnOneServer(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{Minute: time.Hour, Affinity: true, Generate: 9})
	one, other := apart(t, s, c)
	first, second := one.subscribeStream(), other.subscribeStream()
	if n := one.one(getStreamingEvents("1", first, second)); n.child("ResponseCode").value() != "ErrorSubscriptionNotFound" || n.child("ErrorSubscriptionIds", "SubscriptionId").value() != second {
		t.Errorf("subscriptions of two servers: %+v", n)
	}
	_, hangUp := one.opened(first)
	hangUp()
	pull := other.must(`<m:Subscribe><m:PullSubscriptionRequest><t:FolderIds>` + calendarFolder + `</t:FolderIds><t:EventTypes><t:EventType>CreatedEvent</t:EventType></t:EventTypes><t:Timeout>10</t:Timeout></m:PullSubscriptionRequest></m:Subscribe>`)
	getEvents := `<m:GetEvents><m:SubscriptionId>` + pull.child("SubscriptionId").value() + `</m:SubscriptionId><m:Watermark>` + pull.child("Watermark").value() + `</m:Watermark></m:GetEvents>`
	unsubscribe := `<m:Unsubscribe><m:SubscriptionId>` + pull.child("SubscriptionId").value() + `</m:SubscriptionId></m:Unsubscribe>`
	for _, body := range []string{getEvents, unsubscribe} {
		if got := one.code(body); got != "ErrorSubscriptionNotFound" {
			t.Errorf("at the wrong server: %s", got)
		}
		if got := other.code(body); got != "NoError" {
			t.Errorf("at the right server: %s", got)
		}
	}
	s.SetAffinity(false)
	_, _ = one.opened(first, second)
}

func TestCookieKeepsAGroupTogether(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{Minute: time.Hour, Affinity: true, Generate: 9})
	one, other := apart(t, s, c)
	if one.subscribeStream(); one.answer.Get("Set-Cookie") != "" {
		t.Error("a cookie nobody asked for")
	}
	one.fields.Set(affinityHeader, "true")
	first := one.subscribeStream()
	cookies, err := http.ParseSetCookie(one.answer.Get("Set-Cookie"))
	if err != nil || cookies.Name != "X-BackEndOverrideCookie" {
		t.Fatalf("cookie %v, %v", cookies, err)
	}
	back := cookies.Name + "=" + cookies.Value
	other.fields.Set("Cookie", back)
	apart := other.subscribeStream() // without the preference the cookie does not count
	other.fields.Set(affinityHeader, "true")
	second := other.subscribeStream()
	one.fields.Set("Cookie", back)
	if n := one.one(getStreamingEvents("1", first, apart)); n.child("ErrorSubscriptionIds", "SubscriptionId").value() != apart {
		t.Errorf("a subscription made without the cookie: %+v", n)
	}
	messages, _ := one.opened(first, second)
	address := other.fields.Get(anchorHeader)
	createAs(t, s, address)
	if n := <-messages; n.child("Notifications", "Notification", "SubscriptionId").value() != second {
		t.Errorf("no event of the second mailbox: %+v", n)
	}
}

func TestAnswersBearRequestIDs(t *testing.T) {
	t.Parallel()
	_, c := serve(t, Options{})
	c.fields = http.Header{"Client-Request-Id": {"5a1f"}}
	c.must(getCalendar)
	first := c.answer.Get("request-id")
	if len(first) != 36 || c.answer.Get("client-request-id") != "" || c.answer.Get("X-BEServer") == "" {
		t.Errorf("answer header %v", c.answer)
	}
	c.fields.Set("return-client-request-id", "true")
	c.must(getCalendar)
	if c.answer.Get("client-request-id") != "5a1f" || c.answer.Get("request-id") == first {
		t.Errorf("answer header %v", c.answer)
	}
}
