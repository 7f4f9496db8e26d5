package exchangesim

import (
	"slices"
	"testing"
	"time"
)

func TestPullSubscriptionTellsEventsOnce(t *testing.T) {
	t.Parallel()
	now := noon
	s, c := serve(t, Options{Now: func() time.Time { return now }})
	n := c.must(`<m:Subscribe><m:PullSubscriptionRequest><t:FolderIds>` + calendarFolder + `</t:FolderIds><t:EventTypes><t:EventType>CreatedEvent</t:EventType></t:EventTypes><t:Timeout>10</t:Timeout></m:PullSubscriptionRequest></m:Subscribe>`)
	id, mark := n.child("SubscriptionId").value(), n.child("Watermark").value()
	getEvents := func(mark string) string {
		return `<m:GetEvents><m:SubscriptionId>` + id + `</m:SubscriptionId><m:Watermark>` + mark + `</m:Watermark></m:GetEvents>`
	}
	c.create(plain)
	n = c.must(getEvents(mark)).child("Notification")
	if len(n.all("CreatedEvent")) != 1 {
		t.Fatalf("events = %v", n.kids)
	}
	if again := c.must(getEvents(mark)).child("Notification"); len(again.all("CreatedEvent")) != 1 {
		t.Error("an event that was not confirmed is gone")
	}
	mark = n.child("CreatedEvent", "Watermark").value()
	if n = c.must(getEvents(mark)).child("Notification"); len(n.all("StatusEvent")) != 1 || len(n.all("CreatedEvent")) != 0 {
		t.Errorf("a confirmed event came again: %v", n.kids)
	}
	if got := c.code(getEvents("AQAAAOpv")); got != "ErrorInvalidWatermark" {
		t.Errorf("foreign watermark: %s", got)
	}
	if got := c.as(`EXAMPLE\bob`).code(getEvents(mark)); got != "ErrorSubscriptionAccessDenied" {
		t.Errorf("somebody else's subscription: %s", got)
	}
	now = now.Add(11 * time.Minute)
	if got := c.code(getEvents(mark)); got != "ErrorSubscriptionNotFound" {
		t.Errorf("after the timeout: %s", got)
	}
	if got := c.code(`<m:Unsubscribe><m:SubscriptionId>` + id + `</m:SubscriptionId></m:Unsubscribe>`); got != "ErrorSubscriptionNotFound" {
		t.Errorf("Unsubscribe of what is gone: %s", got)
	}
	if n := len(s.Subscriptions()); n != 0 {
		t.Errorf("%d subscriptions left", n)
	}
}

func TestPullTellsEventsPageByPage(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{})
	n := c.must(`<m:Subscribe><m:PullSubscriptionRequest><t:FolderIds>` + calendarFolder + `</t:FolderIds><t:EventTypes><t:EventType>CreatedEvent</t:EventType></t:EventTypes><t:Timeout>1440</t:Timeout></m:PullSubscriptionRequest></m:Subscribe>`)
	id, mark := n.child("SubscriptionId").value(), n.child("Watermark").value()
	if _, err := s.Outlook("alice@example.com").CreateMany(Many{Count: 2*mostEvents + 1}); err != nil {
		t.Fatal(err)
	}
	var pages []int
	for more := true; more; {
		n := c.must(`<m:GetEvents><m:SubscriptionId>` + id + `</m:SubscriptionId><m:Watermark>` + mark + `</m:Watermark></m:GetEvents>`).child("Notification")
		if got := n.child("PreviousWatermark").value(); got != mark {
			t.Errorf("PreviousWatermark = %q", got)
		}
		events := n.all("CreatedEvent")
		pages, more, mark = append(pages, len(events)), n.child("MoreEvents").value() == "true", events[len(events)-1].child("Watermark").value()
	}
	if !slices.Equal(pages, []int{mostEvents, mostEvents, 1}) {
		t.Errorf("pages of %v events", pages)
	}
}
