package exchangesim

import (
	"encoding/xml"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
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

// subscribeStream subscribes to new appointments.
func (c *testClient) subscribeStream() (id string) {
	c.t.Helper()
	return c.must(streamRequest).child("SubscriptionId").value()
}

const streamRequest = `<m:Subscribe><m:StreamingSubscriptionRequest><t:FolderIds>` + calendarFolder + `</t:FolderIds><t:EventTypes><t:EventType>CreatedEvent</t:EventType></t:EventTypes></m:StreamingSubscriptionRequest></m:Subscribe>`

func getStreamingEvents(minutes string, ids ...string) string {
	return `<m:GetStreamingEvents><m:SubscriptionIds><t:SubscriptionId>` + strings.Join(ids, `</t:SubscriptionId><t:SubscriptionId>`) +
		`</t:SubscriptionId></m:SubscriptionIds><m:ConnectionTimeout>` + minutes + `</m:ConnectionTimeout></m:GetStreamingEvents>`
}

// stream opens a connection and returns its messages; hangUp closes it from the client's side.
func (c *testClient) stream(ids ...string) (messages <-chan *node, hangUp func()) {
	c.t.Helper()
	resp, err := c.post(c.t.Context(), getStreamingEvents("30", ids...))
	if err != nil {
		c.t.Fatal(err)
	}
	hangUp = func() { _ = resp.Body.Close() }
	c.t.Cleanup(hangUp)
	return envelopes(c.t, resp.Body), hangUp
}

// opened is stream for a connection that has to be opened.
func (c *testClient) opened(ids ...string) (messages <-chan *node, hangUp func()) {
	c.t.Helper()
	messages, hangUp = c.stream(ids...)
	if n := <-messages; n.child("ConnectionStatus").value() != "OK" {
		c.t.Fatalf("first message = %+v", n)
	}
	return messages, hangUp
}

// createAs makes an appointment in somebody's Outlook.
func createAs(t *testing.T, s *Server, address string) {
	t.Helper()
	if _, err := s.Outlook(address).Create(Appointment{Subject: "x", Start: at(9), End: at(10)}); err != nil {
		t.Fatal(err)
	}
}

// await returns when there are n open connections: the server notices in its own time that a client hung up.
func await(t *testing.T, s *Server, n int) {
	t.Helper()
	for len(s.Streams()) != n {
		runtime.Gosched()
	}
}

func TestStreamTellsEventsUntilAnotherTakesOver(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{Minute: time.Hour})
	id := c.subscribeStream()
	first, _ := c.opened(id)
	createAs(t, s, "alice@example.com")
	if n := <-first; n.child("Notifications", "Notification", "CreatedEvent", "ItemId") == nil {
		t.Errorf("no event: %+v", n)
	}
	second, _ := c.opened(id)
	if n := <-first; n.child("ResponseCode").value() != "ErrorNewEventStreamConnectionOpened" {
		t.Errorf("first connection = %+v", n)
	}
	createAs(t, s, "alice@example.com")
	if n := <-second; n.child("Notifications", "Notification", "CreatedEvent", "ItemId") == nil {
		t.Errorf("no event on the second connection: %+v", n)
	}
}

func TestStreamsAreRefused(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{Minute: time.Hour})
	id := c.subscribeStream()
	pull := c.must(`<m:Subscribe><m:PullSubscriptionRequest><t:FolderIds>` + calendarFolder + `</t:FolderIds><t:EventTypes><t:EventType>CreatedEvent</t:EventType></t:EventTypes><t:Timeout>10</t:Timeout></m:PullSubscriptionRequest></m:Subscribe>`).child("SubscriptionId").value()
	many := make([]string, mostStreamed+1)
	for i := range many {
		many[i] = id
	}
	for _, tc := range []struct {
		name, body, want string
		wrong            []string
	}{
		{"unknown", getStreamingEvents("1", id, "AAAA", "BBBB"), "ErrorInvalidSubscription", []string{"AAAA", "BBBB"}},
		{"another kind", getStreamingEvents("1", pull), "ErrorInvalidSubscription", []string{pull}},
		{"no minute", getStreamingEvents("0", id), "ErrorSchemaValidation", nil},
		{"31 minutes", getStreamingEvents("31", id), "ErrorSchemaValidation", nil},
		{"201 ids", getStreamingEvents("1", many...), "ErrorInvalidRequest", nil},
	} {
		n := c.one(tc.body)
		var wrong []string
		for _, id := range n.child("ErrorSubscriptionIds").children() {
			wrong = append(wrong, id.value())
		}
		if got := n.child("ResponseCode").value(); got != tc.want || !slices.Equal(wrong, tc.wrong) {
			t.Errorf("%s: %s %q, want %s", tc.name, got, wrong, tc.want)
		}
	}
	if n := c.as(`EXAMPLE\bob`).one(getStreamingEvents("1", id)); n.child("ResponseCode").value() != "ErrorSubscriptionAccessDenied" || n.child("ErrorSubscriptionIds", "SubscriptionId").value() != id {
		t.Errorf("somebody else's: %+v", n)
	}
	if open := s.Streams(); len(open) != 0 {
		t.Errorf("open connections: %+v", open)
	}
}

func TestEventsBetweenConnectionsAreKept(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{Minute: time.Hour})
	id := c.subscribeStream()
	createAs(t, s, "alice@example.com")
	for range 2 {
		messages, hangUp := c.opened(id)
		if n := <-messages; n.child("Notifications", "Notification", "CreatedEvent") == nil {
			t.Errorf("no event: %+v", n)
		}
		hangUp()
		await(t, s, 0)
		createAs(t, s, "alice@example.com")
	}
}

func TestStreamIsCut(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{Minute: time.Hour})
	id := c.subscribeStream()
	messages, _ := c.opened(id)
	if open := s.Streams(); len(open) != 1 || open[0].Owner != "alice@example.com" || !slices.Equal(open[0].Mailboxes, []string{"alice@example.com"}) {
		t.Errorf("open connections: %+v", open)
	}
	s.CutStreams("bob@example.com")
	s.CutStreams("alice@example.com")
	if n, more := <-messages; more {
		t.Errorf("a cut connection says %+v", n)
	}
	messages, _ = c.opened(id) // the subscription is still there
	s.DropSubscriptions("")
	if n, more := <-messages; more {
		t.Errorf("after the failover the connection says %+v", n)
	}
	if got := c.code(getStreamingEvents("1", id)); got != "ErrorInvalidSubscription" {
		t.Errorf("dropped subscription: %s", got)
	}
}

func TestConnectionsAreLimitedPerOwner(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{Minute: time.Hour, HangingConnections: 3})
	alice, bob := c.impersonating("PrimarySmtpAddress", "alice@example.com"), c.impersonating("SmtpAddress", "bob@example.com")
	ids := make([]string, 5)
	for i := range ids {
		ids[i] = alice.subscribeStream()
	}
	var hangUp func()
	for _, id := range ids[:3] {
		_, hangUp = alice.opened(id)
	}
	if n := alice.one(getStreamingEvents("1", ids[3])); n.child("ResponseCode").value() != "ErrorExceededConnectionCount" || n.child("ErrorSubscriptionIds") != nil {
		t.Errorf("fourth connection: %+v", n)
	}
	_, _ = bob.opened(ids[3]) // the same service, charged to another mailbox
	hangUp()
	await(t, s, 3)
	_, _ = alice.opened(ids[4])
}

func TestStreamingSubscriptionEndsWithoutConnection(t *testing.T) {
	t.Parallel()
	var minutes atomic.Int64
	s, c := serve(t, Options{Now: func() time.Time { return noon.Add(time.Duration(minutes.Load()) * time.Minute) }})
	id := c.subscribeStream()
	_, hangUp := c.opened(id)
	minutes.Store(45)
	createAs(t, s, "alice@example.com")
	if n := len(s.Subscriptions()); n != 1 {
		t.Errorf("%d subscriptions while connected", n)
	}
	hangUp()
	await(t, s, 0)
	minutes.Store(45 + streamingLife)
	_, hangUp = c.opened(id)
	hangUp()
	await(t, s, 0)
	minutes.Store(45 + 2*streamingLife + 1)
	if n := len(s.Subscriptions()); n != 0 {
		t.Errorf("%d subscriptions that expired", n)
	}
	if got := c.code(getStreamingEvents("1", id)); got != "ErrorInvalidSubscription" {
		t.Errorf("expired: %s", got)
	}
}

func TestConnectionEndsAfterItsTimeout(t *testing.T) {
	t.Parallel()
	_, c := serve(t, Options{Minute: time.Millisecond})
	messages, _ := c.stream(c.subscribeStream())
	last := ""
	for n := range messages {
		last = n.child("ConnectionStatus").value()
	}
	if last != "Closed" {
		t.Errorf("last status = %q", last)
	}
}
