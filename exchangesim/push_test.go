package exchangesim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const okReply = `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><SendNotificationResult xmlns="http://schemas.microsoft.com/exchange/services/2006/messages"><SubscriptionStatus>OK</SubscriptionStatus></SendNotificationResult></s:Body></s:Envelope>`

// A hub receives notifications without a network.
type hub struct {
	mu     sync.Mutex
	reply  func(n int) (status int, body string, err error) // nil: OK; n counts from 1
	bodies []*node
	raw    [][]byte
	header http.Header
	at     []time.Time
}

// RoundTrip implements http.RoundTripper.
func (h *hub) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	root, err := parseXML(body)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bodies, h.raw, h.header, h.at = append(h.bodies, root), append(h.raw, body), r.Header, append(h.at, time.Now())
	status, text := http.StatusOK, okReply
	if h.reply != nil {
		if status, text, err = h.reply(len(h.bodies)); err != nil {
			return nil, err
		}
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: newBody(text), Request: r}, nil
}

func newBody(text string) io.ReadCloser { return io.NopCloser(strings.NewReader(text)) }

// events names the events of each notification so far.
func (h *hub) events() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []string
	for _, b := range h.bodies {
		var names []string
		for _, k := range b.child("Body", "SendNotification", "ResponseMessages", "SendNotificationResponseMessage", "Notification").children() {
			if of, ok := strings.CutSuffix(k.name, "Event"); ok {
				if k.child("FolderId") != nil {
					of += "(folder)"
				}
				names = append(names, of)
			}
		}
		list = append(list, strings.Join(names, " "))
	}
	return list
}

// subscribed is a server in a synctest bubble with a push subscription for alice's calendar.
func subscribed(t *testing.T, h *hub, frequency int) *Server {
	t.Helper()
	s, err := New(Options{PushClient: &http.Client{Transport: h}})
	if err != nil {
		t.Fatal(err)
	}
	subscribePush(t, s, frequency)
	return s
}

// pushRequest asks for notifications of the calendar.
func pushRequest(url string, frequency int) string {
	return fmt.Sprintf(`<m:Subscribe><m:PushSubscriptionRequest><t:FolderIds>%s</t:FolderIds><t:EventTypes><t:EventType>CreatedEvent</t:EventType><t:EventType>ModifiedEvent</t:EventType><t:EventType>DeletedEvent</t:EventType><t:EventType>MovedEvent</t:EventType></t:EventTypes><t:StatusFrequency>%d</t:StatusFrequency><t:URL>%s</t:URL></m:PushSubscriptionRequest></m:Subscribe>`, calendarFolder, frequency, url)
}

func subscribePush(t *testing.T, s *Server, frequency int) {
	t.Helper()
	body := pushRequest("https://hub.example.com/x?Default&amp;k=secret", frequency)
	alice := s.users["alice@example.com"]
	c, err := s.parse(alice, []byte(strings.NewReplacer("HEADER", "", "BODY", body).Replace(testEnvelope)))
	if err != nil {
		t.Fatal(err)
	}
	status, reply := s.handle(t.Context(), c, nil)
	if status != http.StatusOK || !strings.Contains(string(reply), `ResponseClass="Success"`) {
		t.Fatalf("Subscribe: %s", reply)
	}
}

func idle(t *testing.T, s *Server) {
	t.Helper()
	if err := s.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestNotificationsTellOfEveryEdit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hub{}
		s := subscribed(t, h, 5)
		defer func() { _ = s.Close() }()
		idle(t, s)
		o := s.Outlook("alice@example.com")
		id, err := o.Create(Appointment{Subject: "x", Start: at(9), End: at(10)})
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Update(id, func(a *Appointment) { a.Subject = "y" }); err != nil {
			t.Fatal(err)
		}
		if err := o.Delete(id); err != nil {
			t.Fatal(err)
		}
		idle(t, s)
		want := []string{"Status", "Created Modified(folder)", "Modified Modified Modified(folder)", "Moved Modified(folder)"}
		if got := h.events(); !slices.Equal(got, want) {
			t.Errorf("notifications = %q, want %q", got, want)
		}
		for name, value := range map[string]string{
			"Content-Type": "text/xml; charset=utf-8", "Accept": "text/xml",
			"Soapaction": "http://schemas.microsoft.com/exchange/services/2006/messages/SendNotification",
		} {
			if got := h.header.Get(name); got != value {
				t.Errorf("%s = %q", name, got)
			}
		}
		if h.header.Get("Authorization") != "" {
			t.Error("the notification carries credentials")
		}
		last := ""
		for i, b := range h.bodies {
			n := b.child("Body", "SendNotification", "ResponseMessages", "SendNotificationResponseMessage", "Notification")
			if previous := n.child("PreviousWatermark").value(); i > 0 && previous != last {
				t.Errorf("notification %d does not follow the one before", i)
			}
			last = n.kids[len(n.kids)-1].child("Watermark").value()
		}
	})
}

func TestIdleSubscriptionSendsStatusEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hub{}
		s := subscribed(t, h, 5)
		defer func() { _ = s.Close() }()
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if got := h.events(); !slices.Equal(got, []string{"Status", "Status", "Status"}) {
			t.Errorf("after 11 minutes: %q", got)
		}
	})
}

func TestUnansweredSubscriptionIsRetriedAndDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for frequency, want := range map[int][]time.Duration{
			1: {0, 30e9}, 5: {0, 30e9, 60e9, 120e9, 240e9}, 30: {0, 30e9, 60e9, 120e9, 240e9, 480e9, 960e9},
		} {
			h := &hub{reply: func(int) (int, string, error) { return 0, "", errors.New("connection refused") }}
			s := subscribed(t, h, frequency)
			began := time.Now()
			idle(t, s)
			synctest.Wait()
			var got []time.Duration
			for _, at := range h.at {
				got = append(got, at.Sub(began))
			}
			if !slices.Equal(got, want) {
				t.Errorf("StatusFrequency %d: tries at %v, want %v", frequency, got, want)
			}
			if subs := s.Subscriptions(); len(subs) != 0 {
				t.Errorf("StatusFrequency %d: still there: %v", frequency, subs)
			}
			_ = s.Close()
		}
	})
}

func TestOnlyAProperAnswerCounts(t *testing.T) {
	t.Parallel()
	wrongNamespace := strings.Replace(okReply, "/messages", "/types", 1)
	unsubscribe := strings.Replace(okReply, "OK", "Unsubscribe", 1)
	synctest.Test(t, func(t *testing.T) {
		h := &hub{reply: func(n int) (int, string, error) {
			return [...]int{200, 500, 202, 200, 200}[n-1], [...]string{wrongNamespace, okReply, okReply, "", unsubscribe}[n-1], nil
		}}
		s := subscribed(t, h, 30)
		defer func() { _ = s.Close() }()
		idle(t, s)
		synctest.Wait()
		if n := len(h.bodies); n != 5 {
			t.Errorf("%d tries, want 5", n)
		}
		if subs := s.Subscriptions(); len(subs) != 0 {
			t.Errorf("Unsubscribe did not end it: %v", subs)
		}
	})
}

func TestNotificationsCanBeLostDoubledAndLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hub{}
		s := subscribed(t, h, 5)
		defer func() { _ = s.Close() }()
		idle(t, s)
		create := func() {
			if _, err := s.Outlook("alice@example.com").Create(Appointment{Subject: "x", Start: at(9), End: at(10)}); err != nil {
				t.Fatal(err)
			}
		}
		s.Faults().LoseNotifications(1)
		create()
		idle(t, s)
		if n := len(h.events()); n != 1 {
			t.Errorf("%d notifications though the one was lost", n-1)
		}
		s.Faults().DuplicateNotifications(1)
		create()
		idle(t, s)
		if got := h.events(); len(got) != 3 || got[1] != got[2] {
			t.Errorf("not doubled: %q", got)
		}
		s.Faults().HoldNotifications()
		create()
		synctest.Wait()
		if n := len(h.events()); n != 3 {
			t.Errorf("%d notifications while held", n)
		}
		s.Faults().Release()
		idle(t, s)
		if n := len(h.events()); n != 4 {
			t.Errorf("%d notifications after release", n)
		}
		s.Faults().HoldNotifications()
		create()
		s.DropSubscriptions("alice@example.com")
		idle(t, s)
		create()
		synctest.Wait()
		if n := len(h.events()); n != 4 {
			t.Errorf("%d notifications after the subscription was lost", n)
		}
	})
}

func TestWaitIdleEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := subscribed(t, &hub{reply: func(int) (int, string, error) { return 503, "", nil }}, 30)
		defer func() { _ = s.Close() }()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.WaitIdle(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("WaitIdle = %v", err)
		}
	})
}

func TestSubscriptionsAreRefused(t *testing.T) {
	t.Parallel()
	_, c := serve(t, Options{MaxSubscriptions: 1, PushClient: &http.Client{Transport: &hub{}}})
	push := func(url, frequency string) string {
		return `<m:Subscribe><m:PushSubscriptionRequest><t:FolderIds>` + calendarFolder + `</t:FolderIds><t:EventTypes><t:EventType>CreatedEvent</t:EventType></t:EventTypes><t:StatusFrequency>` + frequency + `</t:StatusFrequency><t:URL>` + url + `</t:URL></m:PushSubscriptionRequest></m:Subscribe>`
	}
	for _, tc := range []struct{ name, body, want string }{
		{"another scheme", push("ftp://hub.example.com/", "5"), "ErrorInvalidPushSubscriptionUrl"},
		{"no URL", push("", "5"), "ErrorInvalidPushSubscriptionUrl"},
		{"long URL", push("http://hub.example.com/"+strings.Repeat("x", 2083), "5"), "ErrorInvalidPushSubscriptionUrl"},
		{"frequency", push("http://hub.example.com/", "0"), "ErrorSchemaValidation"},
		{"first", push("http://hub.example.com/", "5"), "NoError"},
		{"one too many", push("http://hub.example.com/", "5"), "ErrorExceededSubscriptionCount"},
	} {
		if got := c.code(tc.body); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestBlockedNotificationsAreFailedTries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &hub{}
		s := subscribed(t, h, 5)
		defer func() { _ = s.Close() }()
		idle(t, s)
		s.Faults().BlockNotifications()
		createAs(t, s, "alice@example.com")
		time.Sleep(45 * time.Second) // the tries at 0 and 30 seconds
		synctest.Wait()
		if st := s.Stats(); len(h.events()) != 1 || st.NotificationsFailed != 2 || st.Subscriptions["push"] != 1 {
			t.Errorf("blocked: %q, %+v", h.events(), st)
		}
		s.Faults().UnblockNotifications()
		idle(t, s)
		if n := len(h.events()); n != 2 {
			t.Errorf("%d notifications after the block", n-1)
		}
		s.Faults().BlockNotifications()
		createAs(t, s, "alice@example.com")
		idle(t, s)
		if st := s.Stats(); st.PushesDropped != 1 || st.Subscriptions["push"] != 0 {
			t.Errorf("blocked for good: %+v", st)
		}
	})
}

func TestNotificationsShareAFewConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &slowHub{}
		s, err := New(Options{Generate: 100, PushConnections: 8, PushClient: &http.Client{Transport: h}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		began := time.Now()
		subscribeEach(t, s, 100)
		idle(t, s)
		if most, _ := h.counts(); most != 8 || time.Since(began) != 13*time.Second { // 100 in turns of 8
			t.Errorf("%d at once, %v in all", most, time.Since(began))
		}
		time.Sleep(31 * time.Minute)
		idle(t, s)
		if _, all := h.counts(); all != 200 {
			t.Errorf("%d notifications after StatusFrequency, want 200", all)
		}
		createAs(t, s, "user7@example.com")
		idle(t, s)
		if _, all := h.counts(); all != 201 {
			t.Errorf("%d notifications after an edit, want 201", all)
		}
	})
}

// slowHub takes a second for every notification.
type slowHub struct {
	mu             sync.Mutex
	now, most, all int
}

func (h *slowHub) counts() (most, all int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.most, h.all
}

// RoundTrip implements http.RoundTripper.
func (h *slowHub) RoundTrip(r *http.Request) (*http.Response, error) {
	count := func(n int) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.now += n
		h.most = max(h.most, h.now)
		h.all += max(n, 0)
	}
	count(1)
	time.Sleep(time.Second)
	count(-1)
	return accepting{}.RoundTrip(r)
}
